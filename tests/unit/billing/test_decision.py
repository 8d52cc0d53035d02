"""Which calls may be made: the order of the reasons, the switch table, and what nobody refuses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from callplane.billing.clip import Grant, first_grant
from callplane.billing.counters import Counters, LineCounters
from callplane.billing.decision import CallContext, Direction, decide
from callplane.billing.quotes import Mode, Quote, Refusal, RefusalReason
from callplane.billing.terms import (
    NO_CALLS,
    AccountTerms,
    Enforcement,
    Line,
    OnNet,
    Privilege,
    TimeBand,
    WhenPoolEmpty,
)
from callplane.numbering.destinations import DOMESTIC, DestinationClass
from callplane.testing.billing_builders import (
    ABROAD,
    FREEPHONE,
    LANDLINE,
    PREMIUM,
    account,
    attempt,
    context,
    line,
    plan,
)

WORLD = Privilege(classes=frozenset(DestinationClass))
FULL = Counters(entitlement_seconds=18_000)
EMPTY = Counters(entitlement_seconds=18_000, used_seconds=18_000)
HELD = Counters(entitlement_seconds=18_000, held_seconds=18_000)


def answer(found: Quote | Refusal) -> str:
    return found.reason.value if isinstance(found, Refusal) else found.mode.value


ORDER = [
    "UnknownLine", "LineSuspended", "CallerIdNotAllowed", "FraudLimit", "PrivilegeDenied",
    "NoPlan", "RateCardDisabled", "PoolExhausted", "PoolHeld", "NoRate", "PriceLimit",
    "CeilingReached", "DailyCapReached", "ConcurrencyLimit", "AttemptOver",
]  # fmt: skip


def test_names_and_order_of_the_reasons() -> None:
    assert [reason.value for reason in RefusalReason] == ORDER


# What is wrong with a call, by reason; a world with several faults shows the first of them.
Fault = Callable[[dict[str, Any]], None]


def _put(**changes: Any) -> Fault:
    return lambda world: world.update(changes)


FAULTS: dict[str, Fault] = {
    "UnknownLine": _put(known=False),
    "LineSuspended": _put(suspended=True),
    "CallerIdNotAllowed": _put(caller_id="+442079460009"),
    "FraudLimit": _put(calls_last_minute=10),
    "PrivilegeDenied": _put(privilege=NO_CALLS),
    "NoPlan": _put(pay_as_you_go=False),
    "NoRate": _put(card=None),
    "PriceLimit": _put(max_per_minute_micros=9_999),
    "CeilingReached": _put(ceiling_micros=100),
    "DailyCapReached": _put(day_cap_micros=100),
    "ConcurrencyLimit": _put(line_live=2),
}


def world_with(*faults: str) -> tuple[CallContext, Any]:
    world: dict[str, Any] = {
        "known": True, "suspended": False, "caller_id": None, "calls_last_minute": 0,
        "privilege": WORLD, "pay_as_you_go": True, "line_live": 0, "ceiling_micros": 10**8,
        "day_cap_micros": 10**8, "max_per_minute_micros": 10**8, "card": account().card,
    }  # fmt: skip
    for fault in faults:
        FAULTS[fault](world)
    payer = account(
        line_calls=2,
        line_calls_per_minute=10,
        **{
            name: world[name]
            for name in (
                "pay_as_you_go",
                "ceiling_micros",
                "day_cap_micros",
                "max_per_minute_micros",
                "card",
            )
        },
    )
    caller = line(payer, privilege=world["privilege"], suspended=world["suspended"])
    lines = LineCounters(world["line_live"], world["calls_last_minute"])
    asked = attempt(LANDLINE)
    if world["caller_id"]:
        asked = replace(asked, caller_id=world["caller_id"])
    return context(caller if world["known"] else None, FULL, lines), asked


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_has_its_reason(fault: str) -> None:
    assert answer(decide(*world_with())) == "Payg"
    assert answer(decide(*world_with(fault))) == fault


@pytest.mark.parametrize(
    ("first", "second"),
    [(a, b) for n, a in enumerate(FAULTS) for b in list(FAULTS)[n + 1 :]],
)
def test_the_first_reason_that_applies_is_given(first: str, second: str) -> None:
    assert answer(decide(*world_with(first, second))) == first


def test_the_connection_a_call_comes_in_by_is_part_of_its_identity() -> None:
    asked = attempt(ingress="trunks/somebody-else")
    assert answer(decide(context(line(plan=plan()), FULL), asked)) == "CallerIdNotAllowed"


# Destination, pool, overspend, rate-card billing, whenPoolEmpty → the answer (requirements 2.6).
ALL, BUNDLED = WhenPoolEmpty.BLOCK_ALL, WhenPoolEmpty.BLOCK_BUNDLED
SWITCHES = [
    *(("999", pool, o, r, w, "Emergency") for pool in (FULL, EMPTY) for o in (True, False)
      for r in (True, False) for w in (ALL, BUNDLED)),
    *((LANDLINE, FULL, o, r, w, "Plan") for o in (True, False) for r in (True, False)
      for w in (ALL, BUNDLED)),
    *((LANDLINE, EMPTY, True, r, w, "Plan") for r in (True, False) for w in (ALL, BUNDLED)),
    *((LANDLINE, EMPTY, False, r, w, "PoolExhausted") for r in (True, False)
      for w in (ALL, BUNDLED)),
    *((LANDLINE, HELD, False, r, w, "PoolHeld") for r in (True, False) for w in (ALL, BUNDLED)),
    *((FREEPHONE, FULL, o, r, w, "Free") for o in (True, False) for r in (True, False)
      for w in (ALL, BUNDLED)),
    *((FREEPHONE, EMPTY, True, r, w, "Free") for r in (True, False) for w in (ALL, BUNDLED)),
    *((FREEPHONE, EMPTY, False, r, ALL, "PoolExhausted") for r in (True, False)),
    *((FREEPHONE, EMPTY, False, r, BUNDLED, "Free") for r in (True, False)),
    *((FREEPHONE, HELD, False, r, ALL, "Free") for r in (True, False)),
    *((ABROAD, FULL, o, True, w, "Card") for o in (True, False) for w in (ALL, BUNDLED)),
    *((ABROAD, pool, o, False, w, "RateCardDisabled") for pool in (FULL, EMPTY, HELD)
      for o in (True, False) for w in (ALL, BUNDLED)),
    *((ABROAD, EMPTY, True, True, w, "Card") for w in (ALL, BUNDLED)),
    (ABROAD, EMPTY, False, True, ALL, "PoolExhausted"),
    (ABROAD, EMPTY, False, True, BUNDLED, "Card"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("dialled", "pool", "overspend", "rate_card", "when_empty", "expected"), SWITCHES
)
def test_switch_table(  # noqa: PLR0913 - the columns of the table
    dialled: str,
    pool: Counters,
    overspend: bool,
    rate_card: bool,
    when_empty: WhenPoolEmpty,
    expected: str,
) -> None:
    terms = account(overspend=overspend, rate_card_billing=rate_card, when_pool_empty=when_empty)
    caller = line(terms, plan=plan(), privilege=WORLD)
    assert answer(decide(context(caller, pool), attempt(dialled))) == expected


def test_an_overspent_call_is_priced_and_a_bundled_one_draws() -> None:
    caller = line(account(overspend=True), plan=plan())
    found = decide(context(caller, EMPTY), attempt(LANDLINE))
    assert isinstance(found, Quote)
    granted = first_grant(found, EMPTY, LineCounters())
    assert isinstance(granted, Grant)
    assert (granted.pool_seconds, granted.priced_seconds > 0) == (0, True)
    found = decide(context(line(plan=plan()), FULL), attempt(LANDLINE))
    assert isinstance(found, Quote)
    assert found.price is None
    granted = first_grant(found, FULL, LineCounters())
    assert isinstance(granted, Grant)
    assert granted.hold_micros == 0
    assert granted.pool_seconds == 1_800


@pytest.mark.parametrize("destination_class", sorted(set(DestinationClass) - DOMESTIC))
def test_a_line_without_a_privilege_is_domestic(destination_class: DestinationClass) -> None:
    examples = {
        DestinationClass.INTERNATIONAL: ABROAD, DestinationClass.PREMIUM: PREMIUM,
        DestinationClass.PERSONAL: "07000000000", DestinationClass.SATELLITE: "008810000000",
        DestinationClass.HIGHER_SERVICE_CHARGE: "08700000000",
        DestinationClass.DIRECTORY_ENQUIRIES: "118000", DestinationClass.UNASSIGNED: "04000000000",
    }  # fmt: skip
    terms = account(pay_as_you_go=True)
    asked = attempt(examples[destination_class])
    assert answer(decide(context(line(terms), FULL), asked)) == "PrivilegeDenied"


def test_a_privilege_may_have_hours() -> None:
    office = TimeBand("office", frozenset(range(5)), 9 * 60, 17 * 60)
    caller = line(plan=plan(), privilege=Privilege(windows=(office,)))
    asked = attempt(LANDLINE)
    assert answer(decide(context(caller, FULL), asked)) == "Plan"
    late = replace(asked, setup=asked.setup.replace(hour=18))
    assert answer(decide(context(caller, FULL), late)) == "PrivilegeDenied"


def test_a_price_limit_looks_at_both_parts_and_the_person_overrides_the_account() -> None:
    terms = account(pay_as_you_go=True, max_per_minute_micros=1_549_999)
    caller = line(terms, privilege=WORLD)
    assert answer(decide(context(caller), attempt(PREMIUM))) == "PriceLimit"
    trusted = Privilege(classes=frozenset(DestinationClass), max_per_minute_micros=1_550_000)
    assert answer(decide(context(line(terms, privilege=trusted)), attempt(PREMIUM))) == "Payg"


def test_calls_of_our_own_numbers_stay_on_net() -> None:
    assert answer(decide(context(line(), on_net=True), attempt())) == "OnNet"
    rated = account(on_net=OnNet.RATE, pay_as_you_go=True)
    assert answer(decide(context(line(rated), on_net=True), attempt())) == "Payg"


def test_an_own_carrier_is_not_rated_but_counted() -> None:
    caller = line(account(ceiling_micros=None, card=None, line_calls=2))
    assert answer(decide(context(caller, byoc=True), attempt())) == "Byoc"
    busy = context(caller, lines=LineCounters(live_calls=2), byoc=True)
    assert answer(decide(busy, attempt())) == "ConcurrencyLimit"


def test_an_account_that_observes_refuses_without_force() -> None:
    terms = account(enforcement=Enforcement.OBSERVE)
    found = decide(context(line(terms)), attempt())
    assert found == Refusal(RefusalReason.NO_PLAN, enforced=False)


def test_a_first_call_to_a_new_country_is_short() -> None:
    caller = line(account(pay_as_you_go=True), privilege=WORLD)
    found = decide(context(caller, new_country=True), attempt(ABROAD))
    assert isinstance(found, Quote)
    granted = first_grant(found, Counters(), LineCounters())
    assert isinstance(granted, Grant)
    assert granted.seconds == 120


def no_money(terms: AccountTerms) -> AccountTerms:
    return replace(terms, ceiling_micros=None)


def test_nothing_is_charged_without_a_ceiling() -> None:
    caller = line(no_money(account(pay_as_you_go=True)))
    assert answer(decide(context(caller), attempt())) == "CeilingReached"


def test_inbound_calls_depend_on_nothing() -> None:
    asked = attempt(direction=Direction.INBOUND)
    broke = line(no_money(account(suspended=True)), suspended=True, privilege=NO_CALLS)
    for caller in (None, broke):
        assert decide(context(caller, EMPTY), asked) == Quote(Mode.INBOUND)


def test_a_pbx_stands_for_as_many_users_as_it_has_channels() -> None:
    terms = AccountTerms("acme", line_calls=2, line_calls_per_minute=10)
    one = Line("pbx", terms, "branch", frozenset(), channels=20)
    assert (one.limits.line_calls, one.limits.line_calls_per_minute) == (20, 200)
    fewer = Line(
        "pbx", terms, "branch", frozenset(), channels=20, privilege=Privilege(concurrent_calls=5)
    )
    assert fewer.limits.line_calls == 5
    alone = Line("ann", terms, "Teams", frozenset())
    assert (alone.limits.line_calls, alone.limits.line_calls_per_minute) == (2, 10)
