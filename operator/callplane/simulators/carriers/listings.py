"""Pages of a listing, and what a bad day makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from callplane.simulators.carriers.rows import NumberRow
from callplane.simulators.carriers.world import Account, CarrierWorld
from callplane.simulators.faults import Effect, FaultRule

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """Rows of one page, how many there are in all as the carrier tells it, whether more follow."""

    rows: list[Row]
    total: int
    has_more: bool


def page(rows: Sequence[Row], strikes: Sequence[FaultRule], *, offset: int, size: int) -> Page[Row]:
    """Cut a page out of a listing; strikes shorten the listing, or skip or repeat rows of it."""
    found = list(rows)
    skipped = repeated = 0
    for rule in strikes:
        if rule.effect is Effect.LISTING_EMPTY:
            found = []
        elif rule.effect is Effect.LISTING_HALF:
            found = found[: int(len(found) * rule.fraction)]
        elif rule.effect is Effect.LISTING_SKIP:
            skipped = rule.count
        elif rule.effect is Effect.LISTING_REPEAT:
            repeated = rule.count
    shown = found[offset + skipped : offset + size]
    if repeated:
        shown += shown[-repeated:]
    return Page(shown, len(found), offset + size < len(found))


def owned(world: CarrierWorld, account: Account) -> list[NumberRow]:
    """The numbers of an account as listings see them."""
    return world.owned(account, world.listing_cutoff())
