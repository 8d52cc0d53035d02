"""Statements close and digits go by themselves; what is wrong with one account stays its own."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any

import pytest

from callplane.billing.clip import Grant
from callplane.billing.decks import DeckRow
from callplane.engine import month_statements
from callplane.store.books_ports import Suspended
from callplane.store.deck_ports import DeckHeader
from callplane.testing.account_desk import Desk, body, rounds
from callplane.testing.billing_builders import ACCOUNT, BEGIN
from callplane.testing.billing_builders import row as price_row
from callplane.testing.books_builders import NOW, entry, holder, payer, unreserved
from callplane.values import ObjectKey


@pytest.fixture
def desk() -> Desk:
    return Desk()


async def test_statements_close_and_digits_go_by_themselves(desk: Desk) -> None:
    await desk.spend(2)
    desk.clock.advance((datetime(2026, 12, 4, tzinfo=NOW.tzinfo) - NOW).total_seconds())
    assert await desk.keeping.close_months() == 1
    assert len(await desk.books.statements(ACCOUNT)) == 1
    assert await desk.keeping.redact() == 0
    waits = Suspended("csv", "waits", "1", "NoRate", {"caller": "+442079460001"})
    await desk.books.suspend([waits], now=NOW)
    assert await desk.begin(redact_days=30).redact() == 3
    assert (await desk.books.suspended())[0].record == {"caller": ""}
    (first, _) = await desk.books.calls(ACCOUNT, payer().period.start)
    assert (first.caller, first.charge_micros) == ("", 10_000)
    assert (await desk.books.counters(payer())).posted_micros == 20_000


DIGEST = "a" * 64


def deck_card(digest: str = DIGEST, name: str = "standard") -> dict[str, Any]:
    metadata = {**body()["metadata"], "name": name, "uid": f"uid-{name}"}
    spec = {"currency": "GBP", "timeZone": "Europe/London", "deck": {"digest": digest}}
    return {**body(), "kind": "RateCard", "metadata": metadata, "spec": spec}


def of_account(name: str, **changes: Any) -> tuple[ObjectKey, dict[str, Any]]:
    found = body(**changes)
    found["metadata"] |= {"name": name, "uid": f"uid-{name}"}
    return ObjectKey("CallingAccount", "sales", name), found


async def past_closing(desk: Desk) -> None:
    """Two accounts with a call each, and a month that is to be closed."""
    desk.cache.put(*of_account("other"))
    await desk.books.settle(
        [unreserved("one", 60), unreserved("two", 60, whose=payer("sales/other"))], now=NOW
    )
    desk.clock.advance((datetime(2026, 12, 4, tzinfo=NOW.tzinfo) - NOW).total_seconds())


def put_deck(desk: Desk) -> None:
    with desk.decks.staging() as staging:
        rates = [price_row("44", 10_000), price_row("33", 50_000)]
        staging.add(DeckRow(nth, rate) for nth, rate in enumerate(rates))
        staging.keep(DeckHeader(DIGEST, "GBP", 2, 2, BEGIN, BEGIN, BEGIN))


def of_platform(kind: str, name: str, **spec: Any) -> tuple[ObjectKey, dict[str, Any]]:
    metadata = {**body()["metadata"], "name": name, "uid": f"uid-{name}"}
    return ObjectKey(kind, "sales", name), {
        **body(),
        "kind": kind,
        "metadata": metadata,
        "spec": spec,
    }


async def test_r33_numbers_are_billed_in_the_months_in_which_they_were_there(desk: Desk) -> None:
    """One goes before the month is closed, one comes after its end and before it is closed."""
    secret = {"user": "api", "secretRef": {"name": "wholesale", "key": "password"}}
    fee = {"amount": "0.5", "currency": "GBP"}
    desk.cache.put(
        *of_platform(
            "Carrier", "wholesale", type="Simwood", account="1", credentials=secret, hostingFee=fee
        )
    )

    def number(nth: int) -> tuple[ObjectKey, dict[str, Any]]:
        return of_platform(
            "PhoneNumber",
            f"line-{nth}",
            e164=f"+44207946010{nth}",
            route="DirectRouting",
            carrierRef={"name": "wholesale"},
            accountRef={"name": "acme"},
        )

    for nth in (1, 2):
        desk.cache.put(*number(nth))
    assert [await desk.keeping.note_hosting() for _ in range(2)] == [2, 0]
    december = datetime(2026, 12, 1, 9, tzinfo=NOW.tzinfo)
    desk.clock.advance((december - NOW).total_seconds())
    desk.cache.remove(number(1)[0])
    desk.cache.put(*number(3))
    assert await desk.keeping.note_hosting() == 2
    desk.clock.advance(3 * 86_400)
    assert await desk.keeping.close_months() == 1
    (closed,) = await desk.books.statements(ACCOUNT)
    assert [line["description"] for line in closed.document["lines"]] == [
        "Hosting +442079460101",
        "Hosting +442079460102",
    ]
    desk.clock.advance(31 * 86_400)
    assert await desk.keeping.close_months() == 1
    (_, closed) = sorted(await desk.books.statements(ACCOUNT), key=lambda one: one.period_start)
    assert [line["description"] for line in closed.document["lines"]] == [
        "Hosting +442079460102",
        "Hosting +442079460103",
    ]


async def test_minutes_are_compared_with_the_prices_of_a_deck(desk: Desk) -> None:
    put_deck(desk)
    desk.cache.put(ObjectKey("RateCard", "sales", "standard"), deck_card())
    plan = {"price": "3", "minutes": 300, "destinationSetRef": {"name": "uk"}}
    body_of_plan = {**body(), "kind": "CallingPlan", "spec": plan}
    body_of_plan["metadata"] |= {"name": "team", "uid": "uid-team"}
    desk.cache.put(ObjectKey("CallingPlan", "sales", "team"), body_of_plan)
    await desk.books.set_plans(payer(), [holder("anna", 300, "sales/team")], now=NOW)
    used = entry("pooled", 600, Grant(pool_seconds=600), known=False)
    await desk.books.settle([used], now=NOW)
    await past_closing(desk)
    assert await desk.keeping.close_months() == 2
    (closed,) = await desk.books.statements(ACCOUNT)
    assert closed.document["planMinutesAtStandardRate"] == "0.10"


async def test_a_deck_that_is_not_there_keeps_one_account_open(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    desk.cache.put(ObjectKey("RateCard", "sales", "standard"), deck_card())
    await past_closing(desk)
    desk.cache.put(*of_account("other", rateCardRef=None, payAsYouGo=False))
    assert await desk.keeping.close_months() == 1
    (closed,) = await desk.books.statements()
    assert closed.account == "sales/other"
    (event,) = desk.events.seen
    assert (event.reason, event.type) == ("StatementWaits", "Warning")
    assert (event.subject.name, DIGEST in event.message) == ("acme", True)
    assert f"a statement of {ACCOUNT} cannot be closed" in caplog.text
    put_deck(desk)
    assert await desk.keeping.close_months() == 1


def put_hosted(desk: Desk, currency: str) -> None:
    """Two numbers of a carrier with a hosting fee."""
    specs: dict[str, dict[str, Any]] = {
        "Carrier": {
            "type": "Simwood",
            "account": "1",
            "credentials": {"secretRef": {"name": "alpha", "key": "credentials"}},
            "hostingFee": {"amount": "1", "currency": currency},
        },
        "NumberRange": {
            "first": "+442079460000",
            "last": "+442079460001",
            "route": "DirectRouting",
            "carrierRef": {"name": "alpha"},
            "accountRef": {"name": "acme"},
        },
    }
    for kind, spec in specs.items():
        metadata = {**body()["metadata"], "name": "alpha", "uid": f"uid-{kind}"}
        declared = {**body(), "kind": kind, "metadata": metadata, "spec": spec}
        desk.cache.put(ObjectKey(kind, "sales", "alpha"), declared)


async def test_a_month_without_calls_is_billed_for_the_numbers_that_are_hosted(
    desk: Desk,
) -> None:
    put_hosted(desk, "GBP")
    await desk.keeping.note_users()
    desk.clock.advance((datetime(2026, 12, 4, tzinfo=NOW.tzinfo) - NOW).total_seconds())
    assert await desk.keeping.close_months() == 1
    (closed,) = await desk.books.statements(ACCOUNT)
    assert closed.document["net"] == "2.00"


async def test_a_fee_in_another_currency_keeps_one_account_open(
    desk: Desk,
) -> None:
    put_hosted(desk, "EUR")
    await past_closing(desk)
    assert await desk.keeping.close_months() == 1
    (event,) = desk.events.seen
    assert (event.reason, event.subject.name) == ("StatementWaits", "acme")


async def test_digits_go_whatever_closing_says(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*args: Any, **kinds: Any) -> int:
        raise RuntimeError("closing is broken")

    monkeypatch.setattr(month_statements, "close_due", broken)
    await past_closing(desk)
    task = asyncio.create_task(desk.begin(redact_days=30).run())
    await rounds()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    (call,) = await desk.books.calls(ACCOUNT, payer().period.start)
    assert call.caller == ""
