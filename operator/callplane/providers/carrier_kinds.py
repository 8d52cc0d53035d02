"""What kind a British number is, for carriers that must be told. Pure.

Source: the National Telephone Numbering Plan: 01 and 02 are geographic, 03 is national, 080 is free
to the caller, 07 is mobile but for 070 (personal numbers) and 076 (paging).
"""

from __future__ import annotations

from typing import Final

from callplane.resources.carriers import NumberKind
from callplane.values import E164

_KINDS: Final = (
    (("+441", "+442"), NumberKind.LOCAL),
    (("+443",), NumberKind.NATIONAL),
    (("+4480",), NumberKind.TOLL_FREE),
    (("+4471", "+4472", "+4473", "+4474", "+4475", "+4477", "+4478", "+4479"), NumberKind.MOBILE),
)


def british_kind(number: E164) -> NumberKind:
    """OTHER for what is none of these, and for numbers of other countries.

    >>> british_kind(E164("+442079460123"))
    <NumberKind.LOCAL: 'local'>
    >>> british_kind(E164("+447000000000"))
    <NumberKind.OTHER: 'other'>
    """
    for beginnings, kind in _KINDS:
        if number.text.startswith(beginnings):
            return kind
    return NumberKind.OTHER
