"""Which objects hold a number, found without looking through all of them.

An estate may have a thousand ranges, and each pass of a person asks, as does each rule about one.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterable
from dataclasses import dataclass

from callplane.apis.model import Resource
from callplane.apis.number_ranges import NumberRange
from callplane.apis.phone_numbers import PhoneNumber
from callplane.values import E164

#: A number that is stated by itself goes before a range that holds it as well.
KINDS = ("PhoneNumber", "NumberRange")


@dataclass(frozen=True, slots=True, order=True)
class _Stretch:
    """Numbers from `first` to `last` of the object in this place of the listing."""

    first: int
    last: int
    place: int


class NumberIndex:
    """Objects by the numbers they hold; several may hold one, until somebody corrects it."""

    def __init__(self, resources: Iterable[Resource | None]) -> None:
        """`resources` in the order in which `holding` is to give their places."""
        stretches: list[_Stretch] = []
        for place, resource in enumerate(resources):
            stretches += [_Stretch(*ends, place) for ends in _ends(resource)]
        self._stretches = sorted(stretches)
        self._firsts = [each.first for each in self._stretches]
        # The largest end so far: further left than where it is too small nothing reaches.
        self._reach: list[int] = []
        for each in self._stretches:
            self._reach.append(max(each.last, self._reach[-1] if self._reach else 0))

    def holding(self, number: E164) -> list[int]:
        """Places, counted from 0, of the objects that hold the number."""
        wanted = number.digits
        at = bisect.bisect_right(self._firsts, wanted) - 1
        places: set[int] = set()
        while at >= 0 and self._reach[at] >= wanted:
            if self._stretches[at].last >= wanted:
                places.add(self._stretches[at].place)
            at -= 1
        return sorted(places)


def _ends(resource: Resource | None) -> list[tuple[int, int]]:
    if isinstance(resource, PhoneNumber):
        digits = int(resource.spec.e164)
        return [(digits, digits)]
    if isinstance(resource, NumberRange):
        return [(span.first.digits, span.last.digits) for span in resource.spec.spans]
    return []
