"""Call control without one of its guards, to see that the auditor notices.

Each takes one guard out of this very process, so nothing else may run in it afterwards.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from callplane.billing import entitlements, increments, prices
from callplane.billing.clip import Grant
from callplane.billing.counters import Counters, LineCounters
from callplane.billing.increments import Increment
from callplane.billing.mediation import Leg
from callplane.billing.prices import Price
from callplane.billing.settlement import Settlement, settle
from callplane.billing.tariff import RateCard
from callplane.callcontrol import authorising, directory, settling
from callplane.callcontrol.messages import Authorise
from callplane.callcontrol.reaping import Reaper
from callplane.callcontrol.recording import SpoolFollower
from callplane.numbering.destinations import destination_of
from callplane.store.books_memory import MemoryBooks
from callplane.store.books_ports import Payer
from callplane.values import Period


@dataclass(frozen=True, slots=True)
class Mutant:
    """Something to put in the place of a guard."""

    place: Any
    name: str
    instead: Any

    def apply(self) -> None:
        """Take the guard out of this process."""
        getattr(self.place, self.name)
        setattr(self.place, self.name, self.instead)


def _always(answer: object) -> Callable[..., object]:
    return lambda *_, **__: answer


def _by_utc(account: str, currency: str, _zone: str, setup: datetime) -> Payer:
    period = Period.of(setup, "UTC")
    return Payer(account, currency, period, setup.date())


def _whatever_is_said(question: Authorise) -> Iterable[str]:
    yield destination_of(question.caller)


def _added_again(
    posted_seconds: Mapping[str, int], held_seconds: Iterable[tuple[str, int]]
) -> dict[str, int]:
    return dict(held_seconds)


async def _nothing_due(_: Reaper) -> int:
    return 0


async def _nothing_read(_: SpoolFollower) -> bool:
    return False


def _cheap(_card: RateCard, _destination: str, setup: datetime) -> Price:
    part = prices.PricePart(prices.LineKind.CALL, 0)
    return Price("none", "", "", "", "", setup, increments.PER_SECOND, (part,))


def _without_fee(price: Price, part: prices.PricePart, seconds: int, *, with_fee: bool) -> int:
    return increments.charged(seconds, part.per_minute_micros) if seconds else 0


def _left_as_it_is(*_: object) -> None:
    """What stood in for a record stays beside it."""


def _all_of_it(
    duration_seconds: int, granted: Grant, *, pool: Increment | None, price: Price | None
) -> Settlement:
    more = replace(granted, priced_seconds=duration_seconds) if price else granted
    return settle(duration_seconds, more, pool=pool, price=price)


def _rounded_down(seconds: int, per_minute_micros: int) -> int:
    return seconds * per_minute_micros // 60


def _never_the_same(leg: Leg) -> tuple[str, str, str]:
    return (leg.source, leg.attempt_id, str(next(_KEYS)))


_KEYS = itertools.count()

MUTANTS: Mapping[str, Mutant] = {
    # A record is taken as often as it comes.
    "leg_key": Mutant(Leg, "key", property(_never_the_same)),
    # What live calls hold of the pool is lent again.
    "pool_holds": Mutant(
        Counters,
        "free_seconds",
        property(lambda counters: counters.entitlement_seconds - counters.used_seconds),
    ),
    # What live calls hold of the money is lent again.
    "money_holds": Mutant(
        Counters, "due_micros", property(lambda counters: counters.posted_micros)
    ),
    # A plan that is added again brings its minutes again.
    "entitlement": Mutant(entitlements, "to_post", _added_again),
    # Emergency and exempt services are asked about like anything else.
    "emergency": Mutant(authorising, "service_dialled", _always(None)),
    # Nobody lets go what is held for calls of which nothing is heard again.
    "reaper": Mutant(Reaper, "step", _nothing_due),
    # What comes over the wire is all there is.
    "spool": Mutant(SpoolFollower, "step", _nothing_read),
    # A month is a month of Greenwich.
    "period": Mutant(Payer, "at", staticmethod(_by_utc)),
    # Whoever writes himself into From pays.
    "payer": Mutant(directory, "_candidates", _whatever_is_said),
    # A call is charged for all its time, whatever was granted.
    "granted": Mutant(settling, "settle", _all_of_it),
    # A destination without a price is free.
    "no_rate": Mutant(RateCard, "price_at", _cheap),
    # Fractions of a micro-unit are cut off.
    "rounding": Mutant(prices, "charged", _rounded_down),
    # The fee of a call is forgotten.
    "fee": Mutant(Price, "charge", _without_fee),
    # A day never becomes dear.
    "day_cap": Mutant(Counters, "day_due_micros", property(_always(0))),
    # What was presumed of a call stays when its record comes.
    "presumed": Mutant(MemoryBooks, "_take_back", _left_as_it_is),
    # Calls are not counted.
    "calls": Mutant(MemoryBooks, "_line", _always(LineCounters())),
}
