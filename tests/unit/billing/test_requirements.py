"""The product's requirements on calls and money, each by its number.

R34 to R38 are about provisioning and are tested where that is; R12 and R21 are also tested with the
periods themselves.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from callplane.billing import entitlements, fees
from callplane.billing.active_users import (
    Evidence,
    PbxTrust,
    SeatPlatform,
    SipRegistration,
    TeamsIdentity,
    count,
)
from callplane.billing.counters import Counters
from callplane.billing.decision import Direction, decide
from callplane.billing.fees import HostedNumber, Month, Package
from callplane.billing.increments import Increment
from callplane.billing.quotes import Decision, Quote, Refusal
from callplane.billing.rating import Call, Rated, rate
from callplane.billing.statements import Usage
from callplane.billing.tariff import Treatment
from callplane.billing.terms import NO_CALLS, AccountTerms, Privilege
from callplane.numbering.destinations import DOMESTIC, DestinationClass, destination_of
from callplane.testing.billing_builders import (
    ABROAD,
    CARD,
    DOMESTIC_SET,
    FREEPHONE,
    LANDLINE,
    MOBILE,
    PREMIUM,
    SETUP,
    UK_WIDE,
    account,
    attempt,
    card,
    context,
    line,
    plan,
    row,
)
from callplane.values import Period

EMPTY = Counters(entitlement_seconds=18_000, used_seconds=18_000)
FULL = Counters(entitlement_seconds=18_000)
WORLD = Privilege(classes=frozenset(DestinationClass))
EXEMPT = ("999", "111", "112", "101")
PACKAGE = Package(
    date(2026, 1, 1),
    platform_micros=100_000_000,
    hosting_micros=500_000,
    bolt_on_micros=20_000_000,
    seat_micros={SeatPlatform.TEAMS: 4_000_000},
)


def answer(found: Decision) -> str:
    return found.reason.value if isinstance(found, Refusal) else found.mode.value


def descriptions(month: Month) -> list[str]:
    return [each.description for each in fees.fees(PACKAGE, month)]


def test_r1_an_own_carrier_costs_the_platform_fee_and_nothing_else() -> None:
    numbers = [HostedNumber("+442079460001", byoc=True)]
    seats = {SeatPlatform.TEAMS: 9}
    own = Month(numbers=numbers, seats=seats, plans=[("team-300", 9)], is_hosted=False)
    assert descriptions(own) == ["Platform"]
    hosted = Month(numbers=[HostedNumber("+442079460001"), HostedNumber("+442079460002")])
    assert descriptions(hosted) == [
        "Platform",
        "Hosting +442079460001",
        "Hosting +442079460002",
    ]
    found = rate(
        Call("+442079460123", SETUP, 60, byoc=True), account=account(), plan=None, free_seconds=0
    )
    assert isinstance(found, Rated)
    assert found.settlement.lines == ()


def test_r2_users_times_the_monthly_fee() -> None:
    (seats,) = [
        each
        for each in fees.fees(PACKAGE, Month(seats={SeatPlatform.TEAMS: 7}))
        if each.description.startswith("Users")
    ]
    assert (seats.quantity, seats.amount_micros) == (7, 28_000_000)


def test_r3_a_plan_brings_its_minutes_at_once() -> None:
    assert entitlements.to_post({}, [("anna", 18_000)]) == {"anna": 18_000}


@pytest.mark.parametrize(
    ("identity", "counts"),
    [
        (TeamsIdentity("queue", False, True, True, True), 1),
        (TeamsIdentity("on-a-microsoft-plan", True, False, True, False), 0),
        (TeamsIdentity("without-licence", True, False, False, True), 0),
        (TeamsIdentity("bare-queue", False, True, False, True), 0),
        (TeamsIdentity("guest", False, False, True, True), 0),
    ],
)
def test_r4_a_teams_user_is_licensed_and_on_hosted_direct_routing(
    identity: TeamsIdentity, counts: int
) -> None:
    assert count(Evidence(teams=[identity, identity]))[SeatPlatform.TEAMS] == counts


def test_r5_a_pbx_is_billed_as_declared_and_watched() -> None:
    trunk = PbxTrust(declared_users=50, observed_callers=80)
    assert count(Evidence(trunks=[trunk]))[SeatPlatform.PBX] == 50
    assert trunk.exceeds_fair_use
    assert not PbxTrust(50, 50).exceeds_fair_use


def test_r6_a_webex_user_is_a_direct_number() -> None:
    two = Evidence(webex_numbers=["+442079460001", "+442079460002", "+442079460002"])
    assert count(two)[SeatPlatform.WEBEX] == 2
    assert count(Evidence())[SeatPlatform.WEBEX] == 0


def test_r7_a_sip_user_is_a_registered_device() -> None:
    again = [SipRegistration("desk", "anna"), SipRegistration("desk", "anna")]
    assert count(Evidence(registrations=again))[SeatPlatform.SIP] == 1
    two = [*again, SipRegistration("mobile", "anna")]
    assert count(Evidence(registrations=two))[SeatPlatform.SIP] == 2


def test_r8_a_person_on_two_platforms_counts_on_each() -> None:
    both = Evidence(
        teams=[TeamsIdentity("anna", True, False, True, True)], webex_numbers=["+442079460001"]
    )
    assert sum(count(both).values()) == 2


def test_r9_the_pool_is_the_sum_of_all_plans() -> None:
    plans = [(f"small-{n}", 300 * 60) for n in range(10)]
    plans += [(f"large-{n}", 1_200 * 60) for n in range(2)]
    posted = entitlements.to_post({}, plans)
    assert entitlements.pool_seconds(posted) == 5_400 * 60
    heavy = Counters(entitlement_seconds=5_400 * 60, used_seconds=2_000 * 60)
    assert answer(decide(context(line(plan=plan(300)), heavy), attempt())) == "Plan"


def test_r10_only_holders_of_a_plan_draw() -> None:
    found = decide(context(line(account(pay_as_you_go=True)), FULL), attempt())
    assert isinstance(found, Quote)
    assert found.pool is None
    assert found.price is not None


def test_r11_one_pool_whatever_the_plan() -> None:
    for minutes in (300, 1_200):
        found = decide(context(line(plan=plan(minutes)), EMPTY), attempt())
        assert answer(found) == "PoolExhausted"


@pytest.mark.parametrize(
    ("instant", "label"),
    [
        ("2026-03-31T22:59:59+00:00", "2026-03"),
        ("2026-03-31T23:00:00+00:00", "2026-04"),
        ("2026-09-30T23:00:00+00:00", "2026-10"),
        ("2026-10-31T23:59:59+00:00", "2026-10"),
        ("2026-12-31T23:59:59+00:00", "2026-12"),
        ("2027-01-01T00:00:00+00:00", "2027-01"),
        ("2027-03-01T00:00:00+00:00", "2027-03"),
        ("2028-02-29T23:59:59+00:00", "2028-02"),
    ],
)
def test_r12_the_month_is_local(instant: str, label: str) -> None:
    assert Period.of(datetime.fromisoformat(instant), "Europe/London").label == label


def test_r13_nothing_is_carried_over() -> None:
    """A new period begins with what its holders bring; the old one's rest is no input of it."""
    assert entitlements.to_post({}, [("anna", 5_400 * 60)]) == {"anna": 5_400 * 60}


def test_r14_a_call_belongs_to_the_period_of_its_set_up() -> None:
    begun = datetime(2026, 10, 31, 23, 59, 59, tzinfo=UTC)
    assert Period.of(begun, "Europe/London").label == "2026-10"
    prices = card(row("44", 10_000), row("44", 90_000, since=datetime(2026, 11, 1, tzinfo=UTC)))
    payer = account(card=prices, pay_as_you_go=True)
    found = rate(Call("+442079460123", begun, 3_600), account=payer, plan=None, free_seconds=0)
    assert isinstance(found, Rated)
    assert found.settlement.charge_micros == 600_000


def test_r15_bundles_count_by_their_increment() -> None:
    sixties = plan(counted=Increment(60, 60))
    found = rate(
        Call("+442079460123", SETUP, 61), account=account(), plan=sixties, free_seconds=999
    )
    assert isinstance(found, Rated)
    assert found.settlement.pool_seconds == 120


def test_r16_plans_change_upwards_within_a_month() -> None:
    posted = {"anna": 18_000, "ben": 18_000}
    # Ben's plan went away, Anna has a larger one as well, Cara is new.
    held = [("anna", 18_000), ("anna", 72_000), ("cara", 18_000)]
    assert entitlements.to_post(posted, held) == {"anna": 54_000, "cara": 18_000}
    assert entitlements.to_post({"anna": 72_000}, [("anna", 18_000)]) == {}


def test_r17_overspend_goes_on_at_the_standard_rate() -> None:
    found = decide(context(line(account(overspend=True), plan=plan()), EMPTY), attempt())
    assert isinstance(found, Quote)
    assert found.price is not None
    assert found.price.per_minute_micros == 10_000


@pytest.mark.parametrize("counters", [EMPTY, FULL, Counters(posted_micros=10**12)])
def test_r18_inbound_is_unaffected(counters: Counters) -> None:
    asked = attempt(direction=Direction.INBOUND)
    assert answer(decide(context(line(plan=plan()), counters), asked)) == "Inbound"


@pytest.mark.parametrize("dialled", [LANDLINE, MOBILE, FREEPHONE, UK_WIDE, PREMIUM, ABROAD])
def test_r19_an_empty_pool_stops_every_outbound_call(dialled: str) -> None:
    caller = line(account(rate_card_billing=True), plan=plan(), privilege=WORLD)
    assert answer(decide(context(caller, EMPTY), attempt(dialled))) == "PoolExhausted"
    for exempt in EXEMPT:
        assert isinstance(decide(context(caller, EMPTY), attempt(exempt)), Quote)


@pytest.mark.parametrize("dialled", EXEMPT)
def test_r20_four_numbers_are_reached_in_every_state(dialled: str) -> None:
    broke = line(account(ceiling_micros=0, suspended=True), privilege=NO_CALLS, suspended=True)
    for caller in (None, broke):
        found = decide(context(caller, EMPTY), attempt(dialled, caller_id="", ingress=""))
        assert isinstance(found, Quote)
        assert not found.is_metered


def test_r21_the_block_ends_by_itself() -> None:
    """Nobody resets anything: the first question of a month is asked of the month's own row."""
    midnight = datetime(2026, 11, 1, tzinfo=UTC)
    rows = {"2026-10": EMPTY, "2026-11": FULL}
    for instant, expected in (
        (midnight, "Plan"),
        (datetime(2026, 10, 31, 23, 59, 59, tzinfo=UTC), "PoolExhausted"),
    ):
        counters = rows[Period.of(instant, "Europe/London").label]
        asked = attempt(setup=instant)
        assert answer(decide(context(line(plan=plan()), counters), asked)) == expected


def test_r22_pay_as_you_go_needs_no_bundle() -> None:
    caller = line(account(pay_as_you_go=True), privilege=WORLD)
    for dialled in (LANDLINE, MOBILE, ABROAD):
        assert answer(decide(context(caller), attempt(dialled))) == "Payg"


def with_ceiling(micros: int) -> AccountTerms:
    return account(pay_as_you_go=True, ceiling_micros=micros)


def test_r23_the_ceiling_is_one_for_the_account() -> None:
    at_ceiling = Counters(posted_micros=1_000_000)
    caller = line(with_ceiling(1_000_000))
    assert answer(decide(context(caller, at_ceiling), attempt())) == "CeilingReached"
    below = replace(at_ceiling, posted_micros=999_000)
    assert answer(decide(context(caller, below), attempt())) == "Payg"
    inbound = attempt(direction=Direction.INBOUND)
    assert answer(decide(context(caller, at_ceiling), inbound)) == "Inbound"


def test_r25_a_raise_unblocks_at_once() -> None:
    at_ceiling = Counters(posted_micros=1_000_000)
    raised = line(with_ceiling(2_000_000))
    assert answer(decide(context(raised, at_ceiling), attempt())) == "Payg"


@pytest.mark.parametrize("overspend", [True, False])
def test_r26_outside_the_bundle_needs_rate_card_billing(overspend: bool) -> None:
    off = line(account(overspend=overspend), plan=plan(), privilege=WORLD)
    assert answer(decide(context(off, FULL), attempt(ABROAD))) == "RateCardDisabled"
    terms = account(overspend=overspend, rate_card_billing=True)
    on = line(terms, plan=plan(), privilege=WORLD)
    found = decide(context(on, FULL), attempt(ABROAD))
    assert isinstance(found, Quote)
    assert found.price is not None
    assert found.price.prefix == "1"


@pytest.mark.parametrize(
    ("overspend", "rate_card", "inside", "outside"),
    [
        (True, True, "Plan", "Card"),
        (True, False, "Plan", "RateCardDisabled"),
        (False, True, "PoolExhausted", "PoolExhausted"),
        (False, False, "PoolExhausted", "RateCardDisabled"),
    ],
)
def test_r27_two_switches(overspend: bool, rate_card: bool, inside: str, outside: str) -> None:
    terms = account(overspend=overspend, rate_card_billing=rate_card)
    caller = line(terms, plan=plan(), privilege=WORLD)
    assert answer(decide(context(caller, EMPTY), attempt(LANDLINE))) == inside
    assert answer(decide(context(caller, EMPTY), attempt(ABROAD))) == outside


@pytest.mark.parametrize(
    ("standard", "fee", "paid_off"), [(10, 9, True), (9, 9, True), (8, 9, False), (8, 0, None)]
)
def test_r28_whether_a_plan_was_cheaper_is_checked(
    standard: int, fee: int, paid_off: bool | None
) -> None:
    assert Usage(standard_micros=standard, plan_fee_micros=fee).plans_paid_off is paid_off


@pytest.mark.parametrize(
    ("dialled", "treatment"),
    [
        (LANDLINE, "Bundled"), (MOBILE, "Bundled"), (UK_WIDE, "Bundled"), (FREEPHONE, "Free"),
        ("07000000000", "Outside"), ("07600000000", "Outside"), ("08400000000", "Outside"),
        (PREMIUM, "Outside"), ("118000", "Outside"), (ABROAD, "Outside"),
    ],
)  # fmt: skip
def test_r29_the_domestic_set_is_data(dialled: str, treatment: str) -> None:
    found = DOMESTIC_SET.treatment(destination_of(dialled))
    assert found is Treatment(treatment)
    assert DOMESTIC_SET.sample


def test_r30_a_card_has_prefix_name_rate_fee_increment_and_date() -> None:
    price = CARD.price_at("+12125550123", SETUP)
    assert price is not None
    assert (price.prefix, price.name, price.per_minute_micros) == ("1", "to 1", 30_000)
    assert (price.per_call_micros, str(price.increment)) == (10_000, "60/60")


@pytest.mark.parametrize(
    ("privilege", "refused"),
    [
        (Privilege(classes=frozenset()), (LANDLINE, ABROAD, PREMIUM)),
        (Privilege(classes=DOMESTIC), (ABROAD, PREMIUM)),
        (Privilege(classes=DOMESTIC | {DestinationClass.INTERNATIONAL}), (PREMIUM,)),
    ],
)
def test_r31_a_privilege_refuses_whatever_funds_there_are(
    privilege: Privilege, refused: tuple[str, ...]
) -> None:
    caller = line(account(pay_as_you_go=True), privilege=privilege)
    for dialled in (LANDLINE, ABROAD, PREMIUM):
        found = answer(decide(context(caller, FULL), attempt(dialled)))
        assert (found == "PrivilegeDenied") is (dialled in refused)


def test_r32_a_service_line_makes_no_calls_but_exempt_ones() -> None:
    service = line(account(pay_as_you_go=True), privilege=NO_CALLS)
    assert answer(decide(context(service, FULL), attempt())) == "PrivilegeDenied"
    assert answer(decide(context(service, FULL), attempt("999"))) == "Emergency"
    inbound = attempt(direction=Direction.INBOUND)
    assert answer(decide(context(service, FULL), inbound)) == "Inbound"


def test_r33_each_hosted_number_bears_its_fee_in_use_or_not() -> None:
    month = Month(numbers=[HostedNumber(f"+44207946000{n}") for n in range(3)])
    hosting = [each for each in fees.fees(PACKAGE, month) if "Hosting" in each.description]
    assert len(hosting) == 3
    assert {each.amount_micros for each in hosting} == {500_000}


def test_r34_provisioning_of_own_carriers_and_hosted_ranges_costs_nothing_more() -> None:
    own = Month(numbers=[HostedNumber("+442079460001", byoc=True)], is_hosted=False)
    assert descriptions(own) == ["Platform"]
    hosted = Month(numbers=[HostedNumber("+442079460002")], plans=[])
    assert descriptions(hosted) == ["Platform", "Hosting +442079460002"]


def test_r35_a_bolt_on_stands_alone_and_touches_no_pool() -> None:
    alone = Month(has_bolt_on=True, is_hosted=False)
    assert descriptions(alone) == ["Platform", "Extended provisioning"]
    assert entitlements.pool_seconds(entitlements.to_post({}, [])) == 0
