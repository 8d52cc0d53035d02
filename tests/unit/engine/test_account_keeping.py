"""Notices reach Events, metrics and receivers, each at most once, whatever dies in between."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from callplane.billing.active_users import SeatPlatform, TeamsIdentity
from callplane.billing.clip import Grant
from callplane.billing.decks import DeckRow
from callplane.cluster.events import ObjectEvent
from callplane.cluster.secret_reading import SecretFound, SecretMissing, SecretReading, SecretValue
from callplane.engine import account_keeping, month_statements, seats
from callplane.engine.account_keeping import AccountBooks, AccountKeeping, KeepingTimes
from callplane.engine.object_cache import ObjectCache
from callplane.errors import CallplaneError
from callplane.notify.webhooks import SendOutcome, WebhookMessage
from callplane.store.books_memory import MemoryBooks
from callplane.store.books_ports import CallRow, Suspended
from callplane.store.call_tables import LINE, Entry
from callplane.store.call_tables_memory import MemoryCallTables
from callplane.store.deck_ports import DeckHeader
from callplane.store.decks_memory import MemoryDecks
from callplane.store.evidence_memory import MemoryEvidence
from callplane.store.evidence_ports import ActiveUser
from callplane.store.notices_memory import MemoryNotices
from callplane.store.notices_ports import DeliveryState
from callplane.telemetry import Telemetry
from callplane.testing.billing_builders import ACCOUNT, BEGIN
from callplane.testing.billing_builders import row as price_row
from callplane.testing.books_builders import NOW, entry, holder, leg, payer, unreserved
from callplane.testing.manual_clock import ManualClock
from callplane.values import ObjectKey

KEY = ObjectKey("CallingAccount", "sales", "acme")


VERSIONS = itertools.count(1)


def body(ceiling: str = "0.02", **changes: Any) -> dict[str, Any]:
    return {
        "apiVersion": "callplane.dev/v1alpha1",
        "kind": "CallingAccount",
        "metadata": {
            "name": "acme",
            "namespace": "sales",
            "uid": "uid-1",
            "resourceVersion": str(next(VERSIONS)),
            "generation": next(VERSIONS),
        },
        "spec": {
            "currency": "GBP",
            "payAsYouGo": True,
            "rateCardRef": {"name": "standard"},
            "ceiling": ceiling,
            "notificationTargets": [
                {
                    "name": "desk",
                    "url": "https://hooks.example/acme",
                    "secretRef": {"name": "hooks", "key": "acme"},
                }
            ],
            **changes,
        },
    }


class Secrets:
    def __init__(self) -> None:
        self.is_there = True
        self.error: Exception | None = None

    async def read(self, *, namespace: str, name: str, key: str) -> SecretReading:
        if self.error is not None:
            raise self.error
        if not self.is_there:
            return SecretMissing(namespace, name)
        return SecretFound(SecretValue(b"secret\n"), "1", "uid-2")


class Events:
    def __init__(self) -> None:
        self.seen: list[ObjectEvent] = []

    def emit(self, event: ObjectEvent) -> None:
        self.seen.append(event)


class Receiver:
    """Answers as it is told; `killed` dies between the sending and the answer."""

    def __init__(self) -> None:
        self.outcomes: list[SendOutcome] = []
        self.seen: list[WebhookMessage] = []
        self.killed = False

    async def send(self, message: WebhookMessage, *, at_seconds: int) -> SendOutcome:
        self.seen.append(message)
        if self.killed:
            raise asyncio.CancelledError
        return self.outcomes.pop(0) if self.outcomes else SendOutcome.DELIVERED


class Desk:
    """A leader's keeping over stores in memory, which outlive it."""

    def __init__(self) -> None:
        self.clock = ManualClock(NOW)
        self.books = MemoryBooks()
        self.notices = MemoryNotices()
        self.evidence = MemoryEvidence(self.books)
        self.tables = MemoryCallTables()
        self.standing: dict[str, TeamsIdentity] = {}
        self.exceeded: list[Mapping[ObjectKey, str]] = []
        self.receiver, self.events, self.secrets = Receiver(), Events(), Secrets()
        self.telemetry = Telemetry()
        self.cache = ObjectCache()
        self.decks = MemoryDecks()
        self.cache.put(KEY, body())
        self.keeping = self.begin()

    def begin(self, **times: Any) -> AccountKeeping:
        stores = AccountBooks(self.books, self.evidence, self.notices, self.receiver, self.tables)
        return AccountKeeping(
            stores,
            cache=self.cache,
            secrets=self.secrets,
            events=self.events,
            clock=self.clock,
            telemetry=self.telemetry,
            times=KeepingTimes(**times),
            decks=self.decks,
            standing=lambda holder, number: self.standing.get(str(holder)),
            exceeded=self.exceeded.append,
        )

    async def spend(self, pennies: int, name: str = "call") -> None:
        calls = [unreserved(f"{name}-{n}", 60) for n in range(pennies)]
        await self.books.settle(calls, now=self.clock.now())

    async def round(self) -> int:
        given = await self.keeping.give_notices()
        await self.keeping.deliver()
        return given


async def rounds() -> None:
    """Let a loop without pauses go round for a while."""
    for _ in range(50):
        await asyncio.sleep(0)


@pytest.fixture
def desk() -> Desk:
    return Desk()


async def test_r24_a_threshold_is_told_once_a_month(desk: Desk) -> None:
    await desk.spend(1)
    assert await desk.round() == 0
    await desk.spend(1, "more")
    assert [await desk.round() for _ in range(3)] == [1, 0, 0]
    (event,) = desk.events.seen
    assert (event.reason, event.type) == ("CeilingNotice", "Warning")
    assert "have cost 0.02 of at most 0.02 GBP in 2026-11: 80 %" in event.message
    (sent,) = desk.receiver.seen
    assert (sent.url, sent.secret) == ("https://hooks.example/acme", b"secret")
    assert sent.content["kind"] == "Ceiling"
    assert sent.content["month"] == "2026-11"
    value = desk.telemetry.registry.get_sample_value
    assert value("callplane_notices_total", {"kind": "Ceiling"}) == 1
    assert value("callplane_notice_deliveries_total", {"state": "Delivered"}) == 1


async def test_a_raise_arms_the_notice_again(desk: Desk) -> None:
    await desk.spend(2)
    assert await desk.round() == 1
    desk.cache.put(KEY, body("0.03"))
    assert await desk.round() == 0
    await desk.spend(1, "more")
    assert await desk.round() == 1
    assert len({one.delivery_id for one in desk.receiver.seen}) == 2


async def test_what_a_receiver_refuses_is_sent_again_later(desk: Desk) -> None:
    desk.receiver.outcomes = [SendOutcome.REFUSED, SendOutcome.REFUSED]
    await desk.spend(2)
    await desk.round()
    await desk.round()
    assert len(desk.receiver.seen) == 1
    for pause in account_keeping.RETRY_SECONDS[:2]:
        desk.clock.advance(pause)
        await desk.round()
    assert len(desk.receiver.seen) == 3
    assert len({one.delivery_id for one in desk.receiver.seen}) == 1
    assert await desk.notices.states() == {DeliveryState.DELIVERED: 1}


async def test_a_receiver_that_never_takes_it_is_given_up(desk: Desk) -> None:
    desk.receiver.outcomes = [SendOutcome.REFUSED] * 99
    await desk.spend(2)
    for _ in range(20):
        await desk.round()
        desk.clock.advance(max(account_keeping.RETRY_SECONDS))
    assert len(desk.receiver.seen) == len(account_keeping.RETRY_SECONDS) + 1
    assert await desk.notices.states() == {DeliveryState.GIVEN_UP: 1}


async def test_an_answer_that_does_not_come_is_not_waited_for_twice(desk: Desk) -> None:
    desk.receiver.outcomes = [SendOutcome.UNKNOWN]
    await desk.spend(2)
    for _ in range(3):
        await desk.round()
        desk.clock.advance(90_000)
    assert len(desk.receiver.seen) == 1


async def test_a_leader_that_dies_while_sending_sends_at_most_once(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    desk.receiver.killed = True
    await desk.spend(2)
    await desk.keeping.give_notices()
    with pytest.raises(asyncio.CancelledError):
        await desk.keeping.deliver()
    desk.receiver.killed = False
    task = asyncio.create_task(desk.begin(notice_seconds=0).run())
    await rounds()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert await desk.notices.states() == {DeliveryState.UNKNOWN: 1}
    assert len(desk.receiver.seen) == 1
    assert len(desk.events.seen) == 1
    assert "1 notices were being sent" in caplog.text


@pytest.mark.parametrize("error", [None, CallplaneError("forbidden")])
async def test_without_its_secret_nothing_is_sent_unsigned(
    desk: Desk, error: Exception | None
) -> None:
    desk.secrets.is_there, desk.secrets.error = False, error
    await desk.spend(2)
    await desk.round()
    assert desk.receiver.seen == []
    desk.secrets.is_there, desk.secrets.error = True, None
    desk.clock.advance(account_keeping.RETRY_SECONDS[0])
    await desk.round()
    assert len(desk.receiver.seen) == 1


async def test_a_target_that_is_gone_is_given_up(desk: Desk) -> None:
    await desk.spend(2)
    await desk.keeping.give_notices()
    desk.cache.put(KEY, body(notificationTargets=[]))
    await desk.keeping.deliver()
    assert await desk.notices.states() == {DeliveryState.GIVEN_UP: 1}


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


async def test_a_fee_in_another_currency_keeps_one_account_open(
    desk: Desk,
) -> None:
    specs: dict[str, dict[str, Any]] = {
        "Carrier": {
            "type": "Simwood",
            "account": "1",
            "credentials": {"secretRef": {"name": "alpha", "key": "credentials"}},
            "hostingFee": {"amount": "1", "currency": "EUR"},
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


async def test_a_round_that_fails_is_tried_again(desk: Desk) -> None:
    desk.books.available = False
    task = asyncio.create_task(desk.begin(notice_seconds=0).run())
    await rounds()
    desk.books.available = True
    await desk.spend(2)
    await rounds()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert len(desk.receiver.seen) == 1
    assert desk.clock.now() - NOW < timedelta(seconds=1)


def line(holder: str, *numbers: str, **content: Any) -> Entry:
    known = {"account": ACCOUNT, "holder": holder, "numbers": list(numbers), **content}
    return Entry(LINE, holder, "TeamsUser/sales/somebody", known)


def identity(**changes: bool) -> TeamsIdentity:
    usual = {
        "is_user": True,
        "is_resource_account": False,
        "has_phone_licence": True,
        "on_hosted_direct_routing": True,
    }
    return TeamsIdentity("somebody", **{**usual, **changes})


async def test_r4_to_r7_users_are_counted_by_what_is_known_of_them(desk: Desk) -> None:
    """Licensed in Teams over Direct Routing; two numbers in Webex; a phone by its calls."""
    one, two = "+442079460001", "+442079460002"
    entries = [
        line("teams/t/anna", one),
        line("teams/t/unlicensed", one),
        line("teams/t/plan", one),
        line("teams/t/unknown", one),
        line("teams/t/own", one, byoc=True),
        line("teams/t/other", one, account="sales/other"),
        line("webex/o/ben", one, two),
        line("sip/d/desk", one),
        line("sip/d/never", one),
        replace(line("sip/d/trunk:pbx", one), owner="PbxTrunk/sales/pbx"),
    ]
    await desk.tables.write("here", entries, [], now=NOW)
    desk.standing = {
        "teams/t/anna": identity(),
        "teams/t/unlicensed": identity(has_phone_licence=False),
        "teams/t/plan": identity(on_hosted_direct_routing=False),
        "teams/t/own": identity(),
        "teams/t/other": identity(),
    }
    call = replace(unreserved("one", 60), line="sip/d/desk")
    await desk.books.settle([call], now=NOW)
    for _ in range(2):
        # Without the object of the PBX nobody knows what its owner declares.
        assert await desk.keeping.note_users() == 4
    users = await desk.evidence.active_users(ACCOUNT, payer().period.start)
    assert [(user.platform.value, user.identity) for user in users] == [
        ("Sip", "sip/d/desk"),
        ("Teams", "teams/t/anna"),
        ("Webex", one),
        ("Webex", two),
    ]
    # Whoever was active stays so in this month, and not in the next.
    desk.standing = {}
    await desk.keeping.note_users()
    assert len(await desk.evidence.active_users(ACCOUNT, payer().period.start)) == 4
    following = payer(setup=NOW + timedelta(days=30)).period.start
    assert await desk.evidence.active_users(ACCOUNT, following) == ()


async def test_r4_to_r7_who_came_in_the_last_hour_is_billed_by_the_calls(desk: Desk) -> None:
    """Nobody looked between a call and the end of the month; what came after does not count."""
    one, two = "+442079460001", "+442079460002"
    pbx, unlooked = "sip/d/trunk:pbx", "sip/d/trunk:new"
    desk.cache.put(ObjectKey("PbxTrunk", "sales", "pbx"), trunk(declared=50))
    last_hour = datetime(2026, 11, 30, 23, 30, tzinfo=NOW.tzinfo)
    lines = ["sip/d/desk", "teams/t/anna", "webex/o/ben", pbx, unlooked]
    for nth, name in enumerate(lines):
        seen = replace(leg(f"call-{nth}", 60), caller=one, setup=last_hour)
        call = replace(unreserved(seen.attempt_id, 60, of=seen), line=name)
        await desk.books.settle([call], now=last_hour)
    looked = ActiveUser(SeatPlatform.PBX, pbx, "declared", 2)
    await desk.evidence.note_active(payer(), [looked], now=NOW)
    entries = [
        line("sip/d/desk", one),
        line("sip/d/never", one),
        line("teams/t/anna", one),
        line("teams/t/later", two),
        line("webex/o/ben", one, two),
        *(replace(line(each, one), owner="PbxTrunk/sales/pbx") for each in (pbx, unlooked)),
    ]
    await desk.tables.write("here", entries, [], now=last_hour)
    # Anna has left Teams since: that she was connected then shows more than any listing of today.
    desk.standing = {"teams/t/later": identity()}
    desk.clock.advance((datetime(2026, 12, 4, tzinfo=NOW.tzinfo) - NOW).total_seconds())
    await desk.keeping.note_users()
    assert await desk.keeping.close_months() == 1
    users = await desk.evidence.active_users(ACCOUNT, payer().period.start)
    assert [(user.platform.value, user.identity, user.users) for user in users] == [
        ("Pbx", unlooked, 50),
        ("Pbx", pbx, 2),
        ("Sip", "sip/d/desk", 1),
        ("Teams", "teams/t/anna", 1),
        ("Webex", one, 1),
    ]


async def test_a_late_call_shows_nobody_in_the_month_that_bears_it(desk: Desk) -> None:
    late = replace((await called(desk))[0], adjusts=payer().period.start)
    found = seats.seen_in_calls(
        ACCOUNT,
        [line("sip/d/desk", "+442079460001")],
        declared=lambda owner: None,
        calls=[late],
        noted=[],
    )
    assert found == []


async def test_r4_a_call_that_teams_never_answered_shows_nobody(desk: Desk) -> None:
    number = "+442079460001"
    seen = replace(leg("unanswered", 0), caller=number)
    call = replace(unreserved("unanswered", 0, of=seen), line="teams/t/anna")
    await desk.books.settle([call], now=NOW)
    calls = await desk.books.calls(ACCOUNT, payer().period.start)
    entries = [line("teams/t/anna", number)]

    def shown() -> list[ActiveUser]:
        return seats.seen_in_calls(
            ACCOUNT, entries, declared=lambda owner: None, calls=calls, noted=[]
        )

    assert len(calls) == 1
    assert shown() == []
    calls = tuple(replace(one, duration_seconds=1) for one in calls)
    assert [one.identity for one in shown()] == ["teams/t/anna"]


async def called(desk: Desk) -> tuple[CallRow, ...]:
    call = replace(unreserved("one", 60), line="sip/d/desk")
    await desk.books.settle([call], now=NOW)
    return await desk.books.calls(ACCOUNT, payer().period.start)


def test_r5_a_pbx_counts_what_its_owner_declares() -> None:
    entry = replace(line("sip/d/trunk:pbx", "+442079460001"), owner="PbxTrunk/sales/pbx")
    found = seats.active_users(
        [entry],
        standing=lambda holder, number: None,
        declared={"PbxTrunk/sales/pbx": 50}.get,
        calls={},
    )
    pbx = ActiveUser(SeatPlatform.PBX, "sip/d/trunk:pbx", "declared", 50)
    assert found == {ACCOUNT: [pbx]}


async def test_r5_a_pbx_from_which_more_people_call_is_told_of_once(desk: Desk) -> None:
    """Billed as declared, not blocked; once a declared count and month."""
    name = "sip/d/trunk:pbx"
    desk.cache.put(ObjectKey("PbxTrunk", "sales", "pbx"), trunk(declared=2))
    entry = replace(line(name, "+442079460001"), owner="PbxTrunk/sales/pbx")
    await desk.tables.write("here", [entry], [], now=NOW)
    for nth in range(3):
        seen = replace(leg(f"call-{nth}", 60), caller=f"+44207946000{nth}")
        call = replace(unreserved(seen.attempt_id, 60, of=seen), line=name)
        await desk.books.settle([call], now=NOW)
    for _ in range(2):
        assert await desk.keeping.note_users() == 1
    (event,) = [one for one in desk.events.seen if one.reason == "FairUseExceeded"]
    assert f"{name} declares 2 users, and 3 have called through it" in event.message
    (user,) = await desk.evidence.active_users(ACCOUNT, payer().period.start)
    assert (user.platform, user.users) == (SeatPlatform.PBX, 2)
    assert desk.exceeded == [{ObjectKey("PbxTrunk", "sales", "pbx"): event.message}] * 2


def trunk(*, declared: int) -> dict[str, Any]:
    return {
        "apiVersion": "callplane.dev/v1alpha1",
        "kind": "PbxTrunk",
        "metadata": {
            "name": "pbx",
            "namespace": "sales",
            "uid": "uid-3",
            "resourceVersion": "1",
            "generation": 1,
        },
        "spec": {
            "sbcRef": {"name": "example"},
            "trunk": "pbx",
            "targets": ["192.0.2.65:5060"],
            "sources": ["192.0.2.65/32"],
            "accountRef": {"name": "acme"},
            "declaredUsers": declared,
        },
    }
