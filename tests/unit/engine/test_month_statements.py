"""Statements of months over books in memory: what is on them, and when they are closed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from callplane.apis.calling_accounts import CallingAccount
from callplane.apis.calling_plans import CallingPlan
from callplane.apis.carriers import Carrier
from callplane.apis.model import Resource
from callplane.apis.number_ranges import NumberRange
from callplane.apis.phone_numbers import PhoneNumber
from callplane.billing.active_users import SeatPlatform
from callplane.billing.clip import Grant
from callplane.billing.fees import HostedNumber, Hosting, HostingStarts
from callplane.billing.postings import balances, receivable_of
from callplane.billing.statements import Statement
from callplane.billing.tariff import RateCard
from callplane.desired.account_months import AccountFacts, NumbersOnTheirWay, account_facts
from callplane.engine import month_statements
from callplane.engine.month_statements import CannotBeMade
from callplane.store.books_memory import MemoryBooks
from callplane.store.evidence_memory import MemoryEvidence
from callplane.store.evidence_ports import ActiveUser
from callplane.testing.billing_builders import ACCOUNT, CARD
from callplane.testing.books_builders import (
    NOW,
    PENNY,
    entry,
    holder,
    leg,
    payer,
    unreserved,
)

CLOSED = datetime(2026, 12, 4, tzinfo=UTC)
PLAN = "sales/team"


def named(kind: type[Resource], name: str, **spec: Any) -> Any:
    return kind.model_validate(
        {
            "apiVersion": "callplane.dev/v1alpha1",
            "kind": kind.__name__,
            "metadata": {"name": name, "namespace": "sales"},
            "spec": spec,
        }
    )


def account(**changes: Any) -> CallingAccount:
    package = {
        "effectiveFrom": "2026-01-01",
        "platformFee": "100",
        "hostingFee": "0.50",
        "boltOnFee": "7",
        "seatFees": {"teams": "2", "webex": "3", "sip": "4", "pbx": "1"},
    }
    tax = {"rates": [{"name": "VAT", "percent": "20", "effectiveFrom": "2020-01-01"}]}
    made: CallingAccount = named(
        CallingAccount, "acme", **{"currency": "GBP", "packages": [package], "tax": tax, **changes}
    )
    return made


def carrier(name: str = "wholesale", **spec: Any) -> Carrier:
    usual = {
        "type": "Simwood",
        "account": "900001",
        "credentials": {"user": "u", "secretRef": {"name": "s", "key": "k"}},
    }
    made: Carrier = named(Carrier, name, **{**usual, **spec})
    return made


def block(name: str, first: str, last: str, **spec: Any) -> NumberRange:
    usual = {
        "first": first,
        "last": last,
        "route": "DirectRouting",
        "accountRef": {"name": "acme"},
        "carrierRef": {"name": "wholesale"},
    }
    made: NumberRange = named(NumberRange, name, **{**usual, **spec})
    return made


HOSTED = (carrier(), block("desk", "+442079460100", "+442079460104"))
TEAM = named(
    CallingPlan,
    "team",
    country="GB",
    minutes=300,
    destinationSetRef={"name": "uk"},
    price="3",
)


def facts(*resources: Resource, **changes: Any) -> AccountFacts:
    return account_facts(account(**changes), resources)


class Ledger:
    """Books and evidence in memory with a month in them."""

    def __init__(self) -> None:
        self.books = MemoryBooks()
        self.evidence = MemoryEvidence(self.books)

    async def made(self, known: AccountFacts, **changes: Any) -> Statement:
        await self.books.counters(payer())
        month = (await self.books.months(ACCOUNT))[0]
        found = await month_statements.records(self.books, self.evidence, month)
        return month_statements.made(known, found, **{"card": CARD, **changes})


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


def lines(made: Statement) -> list[tuple[str, int, int]]:
    return [(line.description, line.quantity, line.amount_micros) for line in made.lines]


async def test_r1_a_customer_with_a_carrier_of_his_own_pays_the_platform_fee_alone(
    ledger: Ledger,
) -> None:
    own = carrier(type="BringYourOwn")
    made = await ledger.made(facts(own, HOSTED[1]))
    assert lines(made) == [("Platform", 1, 100_000_000)]


async def test_r33_each_hosted_number_has_one_line_assigned_or_not(ledger: Ledger) -> None:
    single = named(
        PhoneNumber,
        "reception",
        e164="+442079460102",
        route="DirectRouting",
        accountRef={"name": "acme"},
        carrierRef={"name": "wholesale"},
    )
    foreign = block("other", "+442079460200", "+442079460209", accountRef={"name": "nobody"})
    made = await ledger.made(facts(*HOSTED, single, foreign))
    hosting = [line for line in lines(made) if line[0].startswith("Hosting")]
    assert hosting == [(f"Hosting +44207946010{n}", 1, 500_000) for n in range(5)]


@pytest.mark.parametrize("runs", [True, False])
async def test_r33_a_number_bears_its_fee_in_each_month_in_which_it_was_hosted(
    ledger: Ledger, runs: bool
) -> None:
    """Whole, however long: one that has gone since counts, and one that came after does not."""
    gone, stayed = HostedNumber("+442079460109"), HostedNumber("+442079460100")
    noted = Hosting((stayed, gone))
    await ledger.evidence.note_hosting(payer(), noted, now=NOW)
    made = await ledger.made(facts(*HOSTED), runs=runs)
    hosting = [line[0] for line in lines(made) if line[0].startswith("Hosting")]
    came_since = [f"Hosting +44207946010{n}" for n in range(1, 5)] if runs else []
    assert hosting == [
        "Hosting +442079460100",
        *(name for name in came_since),
        "Hosting +442079460109",
    ]


async def test_r33_a_month_in_which_nothing_was_hosted_has_no_hosting(ledger: Ledger) -> None:
    """It was looked at: what is declared now came later."""
    await ledger.evidence.note_hosting(payer(), Hosting(), now=NOW)
    user = ActiveUser(SeatPlatform.TEAMS, "anna", "listing")
    await ledger.evidence.note_active(payer(), [user], now=NOW)
    made = await ledger.made(facts(*HOSTED))
    assert lines(made) == [("Platform", 1, 100_000_000)]


@pytest.mark.parametrize(
    ("starts", "ordering", "porting"),
    [("Order", True, True), ("Acceptance", False, True), ("Activation", False, False)],
)
def test_a_number_on_its_way_bears_its_fee_from_the_state_that_is_named(
    starts: str, ordering: bool, porting: bool
) -> None:
    way = NumbersOnTheirWay(ordering={"+441"}, porting_in={"+442"})
    begins = HostingStarts(starts)
    assert (way.begun("+441", begins), way.begun("+442", begins)) == (ordering, porting)
    assert way.begun("+443", begins)


async def test_r2_to_r8_users_are_counted_by_platform(ledger: Ledger) -> None:
    users = [
        ActiveUser(SeatPlatform.TEAMS, "anna", "listing"),
        ActiveUser(SeatPlatform.WEBEX, "+442079460100", "listing"),
        ActiveUser(SeatPlatform.WEBEX, "+442079460101", "listing"),
        ActiveUser(SeatPlatform.SIP, "device-1", "registered"),
        ActiveUser(SeatPlatform.PBX, "sales/pbx", "declared", 50),
    ]
    await ledger.evidence.note_active(payer(), users, now=NOW)
    made = await ledger.made(facts(*HOSTED))
    seats = [line for line in lines(made) if line[0].startswith("Users")]
    assert seats == [
        ("Users on Pbx", 50, 50_000_000),
        ("Users on Sip", 1, 4_000_000),
        ("Users on Teams", 1, 2_000_000),
        ("Users on Webex", 2, 6_000_000),
    ]


async def test_r5_more_callers_than_declared_are_said_and_not_billed(ledger: Ledger) -> None:
    pbx = ActiveUser(SeatPlatform.PBX, "sales/pbx", "declared", 2)
    await ledger.evidence.note_active(payer(), [pbx], now=NOW)
    for nth in range(3):
        call = replace(leg(f"call-{nth}", 60), caller=f"+44207946000{nth}")
        await ledger.books.settle(
            [replace(unreserved(call.attempt_id, 60, of=call), line="sales/pbx")], now=NOW
        )
    made = await ledger.made(facts(*HOSTED))
    (found,) = made.fair_use
    assert (found.trunk, found.declared_users, found.observed_callers) == ("sales/pbx", 2, 3)
    assert ("Users on Pbx", 2, 2_000_000) in lines(made)


async def test_each_holder_pays_his_highest_plan(ledger: Ledger) -> None:
    plans = [holder("anna", 300, PLAN), holder("ben", 300, PLAN)]
    await ledger.books.set_plans(payer(), plans, now=NOW)
    made = await ledger.made(facts(*HOSTED, TEAM))
    assert (f"Calling plan {PLAN}", 2, 6_000_000) in lines(made)
    with pytest.raises(CannotBeMade, match="held sales/team, and no such CallingPlan"):
        await ledger.made(facts(*HOSTED))


@pytest.mark.parametrize(("minutes", "paid_off"), [(200, False), (300, True)])
async def test_r28_plans_are_compared_with_the_standard_rate(
    ledger: Ledger, minutes: int, paid_off: bool
) -> None:
    """Three pounds for 300 minutes, at a penny each."""
    await ledger.books.set_plans(payer(), [holder("anna", 300, PLAN)], now=NOW)
    used = entry("one", minutes * 60, Grant(pool_seconds=minutes * 60), known=False)
    await ledger.books.settle([used], now=NOW)
    made = await ledger.made(facts(*HOSTED, TEAM))
    assert made.usage.standard_micros == minutes * 10_000
    assert made.usage.plans_paid_off is paid_off


async def test_without_plans_there_is_nothing_to_compare(ledger: Ledger) -> None:
    assert (await ledger.made(facts(*HOSTED))).usage.plans_paid_off is None


async def the_card(facts: AccountFacts, calls: object) -> RateCard:
    return CARD


async def test_a_month_is_closed_by_itself_and_late_calls_are_on_the_next(ledger: Ledger) -> None:
    known = {ACCOUNT: facts(*HOSTED)}
    await ledger.books.settle([unreserved("one", 60)], now=NOW)

    async def close_due(now: datetime) -> int:
        return await month_statements.close_due(
            ledger.books, ledger.evidence, known, card_of=the_card, now=now
        )

    assert await close_due(CLOSED - timedelta(seconds=1)) == 0
    assert await close_due(CLOSED) == 1
    assert await close_due(CLOSED) == 0
    await ledger.books.settle([unreserved("late", 120)], now=CLOSED)
    assert await close_due(datetime(2027, 1, 5, tzinfo=UTC)) == 1
    first, second = await ledger.books.statements(ACCOUNT)
    assert (first.number, second.number) == (1, 2)
    assert {
        "description": "Calls to to 44",
        "quantity": 1,
        "amount": "0.01",
    }.items() <= first.document["lines"][-1].items()
    late = second.document["lines"][-1]
    assert (late["section"], late["adjusts"], late["amount"]) == ("Adjustments", "2026-11", "0.02")
    # The ledger owes what the papers say.
    rows = [
        one.posting
        for month in await ledger.books.months(ACCOUNT)
        for one in await ledger.books.postings(ACCOUNT, month.period_start)
    ]
    owed = balances(rows)[(receivable_of(ACCOUNT), "GBP")]
    totals = [float(one.document["total"]) for one in (first, second)]
    assert owed == round(sum(totals) * 1_000_000)


async def test_a_month_whose_plan_nobody_knows_stays_open(
    ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    await ledger.books.set_plans(payer(), [holder("anna", 300, PLAN)], now=NOW)
    known = {ACCOUNT: facts(*HOSTED)}
    closed = await month_statements.close_due(
        ledger.books, ledger.evidence, known, card_of=the_card, now=CLOSED
    )
    assert closed == 0
    assert "no such CallingPlan" in caplog.text


async def test_what_is_presumed_is_a_line_of_its_own(ledger: Ledger) -> None:
    from callplane.testing.books_builders import granted, priced_quote, request

    grant = await granted(ledger.books, request("one", priced_quote()))
    presumed = entry("one", 60, grant, pool=None, price=PENNY, presumed=True)
    await ledger.books.settle([presumed], now=NOW)
    made = await ledger.made(facts(*HOSTED))
    assert ("Calls without a record, presumed", 1, 10_000) in lines(made)
