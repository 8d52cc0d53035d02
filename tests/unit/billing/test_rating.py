"""What calls cost: a tariff, a call and a charge, one line each.

Prices are invented: micro-units (millionths of a pound) a minute, fees in micro-units.
"""

from __future__ import annotations

import pytest

from callplane.billing.quotes import Mode, RefusalReason
from callplane.billing.rating import Call, Rated, explain, rate
from callplane.billing.tariff import RateCard
from callplane.billing.terms import OnNet
from callplane.numbering.destinations import destination_of
from callplane.testing.billing_builders import (
    ABROAD,
    FREEPHONE,
    LANDLINE,
    MOBILE,
    PREMIUM,
    SETUP,
    UK_WIDE,
    account,
    card,
    plan,
    row,
)

SIMPLE = card(row("44", 10_000))
MINUTES = card(row("44", 10_000, counted="60/60"))
MINIMUM = card(row("44", 10_000, fee=5_000, counted="60/1"))
ODD = card(row("44", 7_500))
TINY = card(row("44", 31))
TWO_PARTS = card(row("449", 0, service=(1_500_000, 500_000)))
ABROAD_CARD = card(row("1", 30_000, fee=10_000, counted="30/6"))


def call(dialled: str, seconds: int, **facts: bool) -> Call:
    return Call(destination_of(dialled), SETUP, seconds, **facts)


# A tariff, a call (dialled, seconds), a charge in micro-units.
CHARGES = [
    (SIMPLE, LANDLINE, 60, 10_000),
    (SIMPLE, LANDLINE, 0, 0),
    (SIMPLE, LANDLINE, 1, 167),
    (SIMPLE, MOBILE, 90, 15_000),
    (SIMPLE, UK_WIDE, 10_800, 1_800_000),
    (MINUTES, LANDLINE, 61, 20_000),
    (MINIMUM, LANDLINE, 1, 15_000),
    (MINIMUM, LANDLINE, 61, 15_167),
    (MINIMUM, LANDLINE, 0, 0),
    (ODD, LANDLINE, 180, 22_500),
    (TINY, LANDLINE, 1, 1),
    (ABROAD_CARD, ABROAD, 31, 28_000),
    (TWO_PARTS, PREMIUM, 60, 2_050_000),
    (TWO_PARTS, PREMIUM, 1, 525_833),
]


@pytest.mark.parametrize(("tariff", "dialled", "seconds", "micros"), CHARGES)
def test_pay_as_you_go(tariff: RateCard, dialled: str, seconds: int, micros: int) -> None:
    payer = account(card=tariff, pay_as_you_go=True)
    found = rate(call(dialled, seconds), account=payer, plan=None, free_seconds=0)
    assert isinstance(found, Rated)
    assert found.mode is Mode.PAYG
    assert found.settlement.charge_micros == micros
    assert found.settlement.pool_seconds == 0


# A tariff, minutes free in seconds, a call, seconds from the pool, a charge.
DRAWS = [
    (SIMPLE, 1_000, LANDLINE, 60, 60, 0),
    (SIMPLE, 40, LANDLINE, 60, 40, 3_333),
    (SIMPLE, 0, LANDLINE, 60, 0, 10_000),
    (MINUTES, 100, LANDLINE, 105, 100, 3_333),
    (MINUTES, 100, LANDLINE, 100, 100, 0),
    # The call was answered in free minutes, so there is no fee.
    (MINIMUM, 10, LANDLINE, 70, 10, 10_000),
    (MINIMUM, 0, LANDLINE, 70, 0, 16_667),
]


@pytest.mark.parametrize(("tariff", "free", "dialled", "seconds", "pooled", "micros"), DRAWS)
def test_a_plan_with_overspend(  # noqa: PLR0913 - one line of the table
    tariff: RateCard, free: int, dialled: str, seconds: int, pooled: int, micros: int
) -> None:
    payer = account(card=tariff, overspend=True)
    found = rate(call(dialled, seconds), account=payer, plan=plan(), free_seconds=free)
    assert isinstance(found, Rated)
    assert found.settlement.pool_seconds == pooled
    assert found.settlement.charge_micros == micros
    assert found.settlement.overrun_seconds == 0


def test_without_overspend_the_rest_is_reported_and_free() -> None:
    found = rate(call(LANDLINE, 60), account=account(), plan=plan(), free_seconds=40)
    assert isinstance(found, Rated)
    done = found.settlement
    assert (done.pool_seconds, done.overrun_seconds, done.charge_micros) == (40, 20, 0)


@pytest.mark.parametrize(
    ("dialled", "facts", "mode"),
    [
        ("999", {}, Mode.EMERGENCY), ("+44999", {}, Mode.EMERGENCY), ("101", {}, Mode.EXEMPT),
        (FREEPHONE, {}, Mode.FREE), (LANDLINE, {"inbound": True}, Mode.INBOUND),
        (LANDLINE, {"byoc": True}, Mode.BYOC), (LANDLINE, {"on_net": True}, Mode.ON_NET),
    ],
)  # fmt: skip
def test_what_uses_neither_minutes_nor_money(
    dialled: str, facts: dict[str, bool], mode: Mode
) -> None:
    found = rate(call(dialled, 600, **facts), account=account(), plan=plan(), free_seconds=9)
    assert isinstance(found, Rated)
    assert found.mode is mode
    assert (found.settlement.pool_seconds, found.settlement.charge_micros) == (0, 0)


def test_on_net_calls_may_be_rated() -> None:
    payer = account(on_net=OnNet.RATE, card=SIMPLE, pay_as_you_go=True)
    found = rate(call(LANDLINE, 60, on_net=True), account=payer, plan=None, free_seconds=0)
    assert isinstance(found, Rated)
    assert found.settlement.charge_micros == 10_000


def test_no_price_and_no_plan_are_reasons_and_never_free() -> None:
    payer = account(pay_as_you_go=True, card=SIMPLE)
    assert rate(call(ABROAD, 9), account=payer, plan=None, free_seconds=0) is RefusalReason.NO_RATE
    nobody = account()
    assert rate(call(ABROAD, 9), account=nobody, plan=None, free_seconds=0) is RefusalReason.NO_PLAN
    spender = account(overspend=True, card=None)
    found = rate(call(LANDLINE, 60), account=spender, plan=plan(), free_seconds=59)
    assert found is RefusalReason.NO_RATE


def test_a_charge_can_be_explained() -> None:
    payer = account(card=MINIMUM, overspend=True)
    found = rate(call(LANDLINE, 70), account=payer, plan=plan(), free_seconds=10)
    assert isinstance(found, Rated)
    assert list(explain(found, currency="GBP", plan_name="team-300")) == [
        "mode Plan, 70 s",
        "pool: 10 s, counted 1/1 of plan team-300",
        "rate: prefix 44 (to 44) of card standard, in force since 2026-01-01, counted 60/1",
        "counted 70 s, 10 s of them from the pool",
        "Call: 60 s at 0.01 a minute = 0.01 GBP",
        "charge: 0.01 GBP",
    ]


def test_both_parts_of_a_price_are_explained() -> None:
    payer = account(card=TWO_PARTS, pay_as_you_go=True)
    found = rate(call(PREMIUM, 61), account=payer, plan=None, free_seconds=0)
    assert isinstance(found, Rated)
    lines = list(explain(found, currency="GBP"))
    assert lines[-3:] == [
        "AccessCharge: 61 s at 0.05 a minute = 0.050833 GBP",
        "ServiceCharge: 61 s at 1.50 a minute and 0.50 once = 2.025 GBP",
        "charge: 2.075833 GBP",
    ]
