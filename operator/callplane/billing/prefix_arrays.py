"""Prefixes laid flat: sorted, disjoint intervals of whole numbers, each with the prefixes above it.

Single calls and whole batches search the same arrays, so that a destination has one price.

A destination becomes a key of 15 digits and its length. The length keeps a destination that is
shorter than a prefix from being taken for one that continues with zeros.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

#: Longest number of E.164, and so the longest prefix.
DIGITS = 15
#: Room for the length of a destination beside its digits.
LENGTHS = 16
#: Where the keys of short codes begin: behind those of all numbers.
SHORT_CODES = 10**DIGITS * LENGTHS
#: Stands before the digits of a short code, so that 118 is never taken for a number of +1.
SHORT_CODE = "s"

_DIGITS = re.compile("[0-9]{0,15}")


def lookup_key(destination: str) -> str:
    """What prefixes are compared with: E.164 digits, or a short code behind its mark.

    >>> lookup_key("+12125550123"), lookup_key("118500")
    ('12125550123', 's118500')
    """
    return destination[1:] if destination.startswith("+") else SHORT_CODE + destination


def key_of(looked_up: str) -> int:
    """The place of a `lookup_key` among the intervals. What follows a sign that is no digit is left
    out: no prefix goes so far.

    >>> key_of("44") < key_of("440") < key_of("4420") < key_of("45") < key_of("s118")
    True
    """
    if looked_up.isdecimal() and looked_up.isascii() and len(looked_up) <= DIGITS:
        return int(looked_up.ljust(DIGITS, "0")) * LENGTHS + len(looked_up)
    begin = 0
    if looked_up.startswith(SHORT_CODE):
        begin, looked_up = SHORT_CODES, looked_up[1:]
    found = _DIGITS.match(looked_up)
    digits = found[0] if found is not None else ""
    return begin + int(digits.ljust(DIGITS, "0")) * LENGTHS + len(digits)


def _end_of(prefix: str) -> int:
    """The first key behind everything that begins with the prefix."""
    length = len(prefix.removeprefix(SHORT_CODE))
    width: int = 10 ** (DIGITS - length)
    return key_of(prefix) - length + width * LENGTHS


@dataclass(frozen=True, slots=True)
class PrefixArrays:
    """`begins` are sorted keys; `owners[n]` are the prefixes of everything from `begins[n]` up to
    the next one, as places in the list that was given: the longest first, none where none matches.
    """

    begins: array[int]
    owners: Sequence[tuple[int, ...]]


def flatten(prefixes: Iterable[str]) -> PrefixArrays:
    """Intervals of nested prefixes, each given once. The first one begins at 0.

    >>> found = flatten(["44", "447"])
    >>> found.owners
    [(), (0,), (1, 0), (0,), ()]
    """
    # A parent sorts before its children, and the children before its next sibling.
    ordered = sorted(
        (key_of(prefix), len(prefix), _end_of(prefix), nth) for nth, prefix in enumerate(prefixes)
    )
    begins = array("q")
    owners: list[tuple[int, ...]] = []
    open_ones: list[tuple[int, tuple[int, ...]]] = [(2 * SHORT_CODES, ())]

    def mark(begin: int, chain: tuple[int, ...]) -> None:
        if begins and begins[-1] == begin:
            owners[-1] = chain
        else:
            begins.append(begin)
            owners.append(chain)

    def close(until: int) -> None:
        while open_ones[-1][0] <= until:
            end, _ = open_ones.pop()
            mark(end, open_ones[-1][1])

    mark(0, ())
    for begin, _, end, nth in ordered:
        close(begin)
        chain = (nth, *open_ones[-1][1])
        mark(begin, chain)
        open_ones.append((end, chain))
    close(2 * SHORT_CODES - 1)
    return PrefixArrays(begins, owners)
