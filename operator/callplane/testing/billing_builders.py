"""Accounts, plans, cards and calls for tests of the books. Every price is invented."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from callplane.billing.counters import QUIET, UNUSED, Counters, LineCounters
from callplane.billing.decision import Attempt, CallContext, Direction
from callplane.billing.increments import PER_SECOND, Increment
from callplane.billing.prices import LineKind, PricePart
from callplane.billing.tariff import (
    AccessCharge,
    DestinationSet,
    RateCard,
    RateRow,
    TimeBand,
    Treatment,
)
from callplane.billing.terms import AccountTerms, Line, PlanTerms
from callplane.numbering.destinations import destination_of

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
#: A Monday in November, in the morning.
SETUP = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)
CALLER = "+442079460001"
INGRESS = "trunks/teams"
ACCOUNT = "sales/acme"

LANDLINE, MOBILE, FREEPHONE = "02079460123", "07700900123", "08081570123"
UK_WIDE, PREMIUM, ABROAD = "03069990123", "09098790123", "0012125550123"

EVENING = TimeBand("evening", frozenset(range(5)), 19 * 60, 7 * 60)


def increment(text: str) -> Increment:
    """`60/1` as an increment."""
    first, _, following = text.partition("/")
    return Increment(int(first), int(following))


def row(  # noqa: PLR0913 - a row has as many columns
    prefix: str,
    per_minute: int,
    *,
    fee: int = 0,
    counted: str = "1/1",
    since: datetime = BEGIN,
    bands: Mapping[str, int] | None = None,
    service: tuple[int, int] | None = None,
) -> RateRow:
    """Prices in micro-units; `service` is (a minute, a call)."""
    part = PricePart(LineKind.SERVICE_CHARGE, *service) if service is not None else None
    return RateRow(
        prefix=prefix,
        name=f"to {prefix}",
        per_minute_micros=per_minute,
        effective_from=since,
        increment=increment(counted),
        connection_micros=fee,
        band_micros=bands,
        service=part,
    )


def card(*rows: RateRow, access: int = 50_000) -> RateCard:
    return RateCard(
        name="standard",
        currency="GBP",
        zone="Europe/London",
        rows=rows,
        bands=(EVENING,),
        access_charges=[AccessCharge(access, BEGIN)],
        version="v1",
        sample=True,
    )


CARD = card(
    row("44", 10_000),
    row("447", 20_000),
    row("4480", 0),
    row("1", 30_000, fee=10_000, counted="60/60"),
    row("449", 0, service=(1_500_000, 500_000)),
)
DOMESTIC_SET = DestinationSet(
    "uk-domestic",
    {
        "441": Treatment.BUNDLED,
        "442": Treatment.BUNDLED,
        "443": Treatment.BUNDLED,
        "447": Treatment.BUNDLED,
        "4470": Treatment.OUTSIDE,
        "4476": Treatment.OUTSIDE,
        "4480": Treatment.FREE,
    },
    sample=True,
)


def plan(minutes: int = 300, *, counted: Increment = PER_SECOND) -> PlanTerms:
    return PlanTerms(f"team-{minutes}", minutes * 60, DOMESTIC_SET, counted)


def account(**changes: Any) -> AccountTerms:
    """An account with a card and a ceiling, and without the limits that tests do not mean."""
    usual = AccountTerms(
        ACCOUNT,
        card=CARD,
        ceiling_micros=100_000_000,
        day_cap_micros=None,
        line_calls=None,
        line_calls_per_minute=None,
        max_per_minute_micros=None,
    )
    return replace(usual, **changes)


def line(terms: AccountTerms | None = None, **changes: Any) -> Line:
    usual: dict[str, Any] = {"ingress": INGRESS, "caller_ids": frozenset({CALLER})}
    return Line("sales/anna", terms or account(), **{**usual, **changes})


def attempt(dialled: str = LANDLINE, **changes: Any) -> Attempt:
    usual = Attempt(
        attempt_id="attempt-1",
        dialled=dialled,
        destination=destination_of(dialled),
        caller_id=CALLER,
        ingress=INGRESS,
        setup=SETUP,
        direction=Direction.OUTBOUND,
    )
    return replace(usual, **changes)


def context(
    caller: Line | None,
    counters: Counters = UNUSED,
    lines: LineCounters = QUIET,
    **known: bool,
) -> CallContext:
    return CallContext(caller, counters, lines, **known)
