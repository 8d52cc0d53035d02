"""Payers, reservations and records for tests of the stored books."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from callplane.billing.clip import Grant
from callplane.billing.increments import PER_SECOND, Increment
from callplane.billing.mediation import Leg
from callplane.billing.prices import Price
from callplane.billing.quotes import Mode, Quote
from callplane.billing.settlement import settle
from callplane.billing.terms import NO_LIMITS, Limits
from callplane.store.books_ports import Books, Entry, Payer, PlanHolder, Reserve
from callplane.testing.billing_builders import ACCOUNT, CALLER, CARD, INGRESS

NOW = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)
LINE = "sales/anna"
#: A penny a minute; nothing else.
PENNY = CARD.price_at("+442079460123", NOW)
#: Three pennies a minute in whole minutes and a penny a call.
ABROAD_PRICE = CARD.price_at("+12125550123", NOW)
RICH = Limits(
    ceiling_micros=10**9, day_cap_micros=None, line_calls=None, line_calls_per_minute=None
)


def payer(account: str = ACCOUNT, *, setup: datetime = NOW) -> Payer:
    return Payer.at(account, "GBP", "Europe/London", setup)


def holder(name: str, minutes: float, plan: str = "team") -> PlanHolder:
    return PlanHolder(name, plan, round(minutes * 60))


def pool_quote(**changes: Any) -> Quote:
    """Draws from the pool, one slice of at most half an hour, without bounds that tests forget."""
    usual = Quote(
        Mode.PLAN,
        pool=PER_SECOND,
        limits=RICH,
        first_slice_seconds=1_800,
        slice_seconds=1_800,
        call_seconds=14_400,
    )
    return replace(usual, **changes)


def priced_quote(price: Price | None = PENNY, **changes: Any) -> Quote:
    return pool_quote(**{"mode": Mode.PAYG, "pool": None, "price": price, **changes})


def counted_quote(**limits: Any) -> Quote:
    """No minutes and no money: the call only counts."""
    return pool_quote(mode=Mode.BYOC, pool=None, limits=replace(NO_LIMITS, **limits))


def request(attempt_id: str, quote: Quote | None = None, **changes: Any) -> Reserve:
    usual = Reserve(
        attempt_id=attempt_id,
        payer=payer(),
        line=LINE,
        quote=quote or pool_quote(),
        now=NOW,
        expires_at=NOW + timedelta(seconds=70),
    )
    return replace(usual, **changes)


def leg(attempt_id: str, seconds: int, *, source: str = "sbc", number: str = "1") -> Leg:
    return Leg(
        source=source,
        attempt_id=attempt_id,
        leg=number,
        caller=CALLER,
        dialled="+442079460123",
        destination="+442079460123",
        ingress=INGRESS,
        setup=NOW,
        answered=NOW if seconds else None,
        released=NOW + timedelta(seconds=seconds),
    )


def entry(  # noqa: PLR0913 - all are facts of one call, all named
    attempt_id: str,
    seconds: int,
    granted: Grant,
    *,
    pool: Increment | None = PER_SECOND,
    price: Price | None = None,
    of: Leg | None = None,
    presumed: bool = False,
    known: bool = True,
    whose: Payer | None = None,
) -> Entry:
    """A call of so many seconds; `known` says that its reservation was read."""
    return Entry(
        attempt_id=attempt_id,
        payer=whose or payer(),
        line=LINE,
        mode=Mode.PLAN,
        settlement=settle(seconds, granted, pool=pool, price=price),
        leg=None if presumed else of or leg(attempt_id, seconds),
        price=price,
        granted_seconds=granted.seconds if known else None,
    )


def unreserved(attempt_id: str, seconds: int, **changes: Any) -> Entry:
    """A call at a penny a minute that nothing was reserved for."""
    return entry(
        attempt_id,
        seconds,
        Grant(priced_seconds=seconds),
        pool=None,
        price=PENNY,
        known=False,
        **changes,
    )


async def granted(books: Books, asked: Reserve) -> Grant:
    """Reserve what must be had."""
    found = await books.reserve(asked)
    assert isinstance(found, Grant), found
    return found
