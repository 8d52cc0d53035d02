"""The whole draft of an import: numbers first, then whoever has them."""

from __future__ import annotations

from callplane.desired.brownfield import holders, ranges
from callplane.desired.brownfield.naming import Names
from callplane.desired.brownfield.values import Draft, Estate, LeftOut


def draft(estate: Estate) -> Draft:
    """Every number in one range, however many systems show it, and every holder with theirs."""
    left_out: list[LeftOut] = []
    names = Names(estate.place.known)
    found = [*ranges.drafts(estate, names, left_out)]
    declared = 0
    for platform in estate.platforms:
        people, already = holders.drafts(platform, estate.place, names, left_out)
        found.extend(people)
        declared += already
    return Draft(tuple(found), tuple(left_out), declared)
