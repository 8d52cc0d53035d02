"""Each call of the SBC is settled once, or waits with a reason."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from callplane.billing.quotes import Mode
from callplane.billing.terms import OnNet
from callplane.callcontrol import intake
from callplane.callcontrol.accounting import BooksRecordBook
from callplane.callcontrol.authorising import BooksAuthoriser
from callplane.callcontrol.directory import MemoryDirectory
from callplane.callcontrol.messages import Authorise, CallRecord
from callplane.callcontrol.ports import Granted
from callplane.store.books_memory import MemoryBooks
from callplane.store.books_ports import CallRow, Payer, PlanHolder
from callplane.store.ports import StoreUnavailable
from callplane.testing import billing_builders as build
from callplane.testing.books_builders import leg
from callplane.testing.loop_clock import LoopClock

pytestmark = pytest.mark.looptime

ANSWERED = build.SETUP + timedelta(seconds=-60)
RECORD = CallRecord(
    attempt_id="a-1",
    call_class="outbound",
    account=build.ACCOUNT,
    caller=build.CALLER,
    dialled="+442079460123",
    ingress=build.INGRESS,
    reservation_id="a-1",
    answered_at=ANSWERED,
    released_at=ANSWERED + timedelta(seconds=41.2),
    duration_milliseconds=41_200,
)


class Desk:
    """Books with one line of a plan of ten minutes, and a book of records over them."""

    def __init__(self, **changes: Any) -> None:
        self.terms = build.account(**changes)
        self.line = build.line(self.terms, plan=build.plan(10))
        self.directory = MemoryDirectory({(build.INGRESS, build.CALLER): self.line})
        self.books = MemoryBooks()
        self.clock = LoopClock(build.SETUP)
        self.authoriser = BooksAuthoriser(self.books, self.directory, self.clock)
        self.record_book = BooksRecordBook(self.books, self.directory, self.clock)

    @property
    def payer(self) -> Payer:
        return Payer.at(self.terms.name, "GBP", self.terms.zone, self.clock.now())

    async def fill(self) -> None:
        holder = PlanHolder("anna", "plan", 600)
        await self.books.set_plans(self.payer, [holder], now=self.clock.now())

    async def reserve(self) -> None:
        await self.fill()
        question = Authorise(1, 2, "a-1", "b-1", build.INGRESS, build.CALLER, build.LANDLINE)
        assert isinstance(await self.authoriser.authorise(question), Granted)

    async def calls(self) -> tuple[CallRow, ...]:
        return await self.books.calls(self.terms.name, self.payer.period.start)


async def test_a_reserved_call_is_settled_to_the_second_and_its_hold_is_over() -> None:
    desk = Desk()
    await desk.reserve()
    await desk.record_book.post([RECORD])
    counters = await desk.books.counters(desk.payer)
    assert (counters.used_seconds, counters.held_seconds, counters.live_calls) == (42, 0, 0)
    (call,) = await desk.calls()
    assert (call.duration_seconds, call.pool_seconds, call.was_reserved) == (42, 42, True)


async def test_both_copies_of_a_record_are_one_call() -> None:
    desk = Desk()
    await desk.reserve()
    await desk.record_book.post([RECORD, RECORD])
    await desk.record_book.post([RECORD])
    assert (await desk.books.counters(desk.payer)).used_seconds == 42
    assert len(await desk.calls()) == 1


@pytest.mark.parametrize(
    ("call_class", "dialled", "mode"),
    [("emergency", "999", Mode.EMERGENCY), ("exempt", "111", Mode.EXEMPT)],
)
async def test_emergency_and_exempt_calls_are_in_the_books_and_cost_nothing(
    call_class: str, dialled: str, mode: Mode
) -> None:
    desk = Desk()
    await desk.fill()
    free = replace(RECORD, call_class=call_class, dialled=dialled, reservation_id="")
    await desk.record_book.post([free])
    (call,) = await desk.calls()
    assert (call.mode, call.pool_seconds, call.charge_micros) == (mode, 0, 0)
    assert (await desk.books.counters(desk.payer)).used_seconds == 0


@pytest.mark.parametrize(
    ("on_net", "expected"), [(OnNet.FREE, (Mode.ON_NET, 0)), (OnNet.RATE, (Mode.PLAN, 42))]
)
async def test_a_call_to_our_number_at_another_sbc_costs_what_its_caller_was_told(
    on_net: OnNet, expected: tuple[Mode, int]
) -> None:
    """This SBC has no way to it, and sends it to a carrier."""
    desk = Desk(on_net=on_net)
    await desk.fill()
    desk.directory.numbers = frozenset({RECORD.dialled})
    question = Authorise(1, 2, "a-1", "b-1", build.INGRESS, build.CALLER, build.LANDLINE)
    granted = await desk.authoriser.authorise(question)
    assert isinstance(granted, Granted)
    assert granted.on_net == (on_net is OnNet.FREE)
    record = replace(RECORD, dialled=granted.dialled, reservation_id=granted.reservation_id)
    await desk.record_book.post([record])
    (call,) = await desk.calls()
    assert (call.mode, call.pool_seconds) == expected


async def test_inbound_calls_belong_to_the_line_that_is_called() -> None:
    desk = Desk()
    await desk.fill()
    inbound = replace(RECORD, call_class="inbound", caller="+441614960123", dialled=build.CALLER)
    await desk.record_book.post([inbound])
    (call,) = await desk.calls()
    assert (call.mode, call.charge_micros) == (Mode.INBOUND, 0)


async def test_a_copy_of_a_settled_call_takes_nothing_from_the_next_ones_pool() -> None:
    """Both fit into ten minutes; the copy alone would leave the new call a part of its minutes."""
    desk = Desk()
    await desk.fill()
    released = ANSWERED + timedelta(seconds=300)
    old = replace(RECORD, call_class="outage", reservation_id="", released_at=released)
    new = replace(old, attempt_id="a-2", answered_at=ANSWERED + timedelta(seconds=1))
    await desk.record_book.post([old])
    await desk.record_book.post([old, old, new])
    calls = await desk.calls()
    assert [(one.pool_seconds, one.charge_micros) for one in calls] == [(300, 0), (299, 0)]


async def test_a_call_of_an_outage_draws_the_pool() -> None:
    desk = Desk()
    await desk.fill()
    await desk.record_book.post([replace(RECORD, call_class="outage", reservation_id="")])
    (call,) = await desk.calls()
    assert (call.mode, call.pool_seconds, call.was_reserved) == (Mode.PLAN, 42, False)


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (replace(RECORD, caller="+442079460777"), "UnknownLine"),
        (replace(RECORD, released_at=ANSWERED - timedelta(seconds=5)), "NegativeTime"),
        (replace(RECORD, released_at=ANSWERED + timedelta(days=30)), "AbsurdTime"),
        (replace(RECORD, dialled="+999123456789", call_class="outage"), "NoRate"),
    ],
)
async def test_what_cannot_be_settled_waits_with_its_reason(
    record: CallRecord, reason: str
) -> None:
    desk = Desk()
    await desk.fill()
    await desk.record_book.post([record, replace(RECORD, attempt_id="a-2", reservation_id="")])
    (kept,) = await desk.books.suspended()
    assert (kept.attempt_id, kept.reason) == ("a-1", reason)
    assert kept.record["answered"] == record.answered_at.isoformat()
    assert len(await desk.calls()) == 1


async def test_a_line_that_cannot_be_read_is_kept_once() -> None:
    desk = Desk()
    for _ in range(2):
        await desk.record_book.suspend("log_write_cdr(): nonsense", "start_time: is no text")
    (kept,) = await desk.books.suspended()
    assert kept.record["problem"] == "start_time: is no text"


async def test_books_that_are_away_take_nothing() -> None:
    desk = Desk()
    await desk.reserve()
    desk.books.available = False
    with pytest.raises(StoreUnavailable):
        await desk.record_book.post([RECORD])
    desk.books.available = True
    await desk.record_book.post([RECORD])
    assert len(await desk.calls()) == 1


async def test_a_call_whose_reservation_was_given_back_is_rated_as_a_whole() -> None:
    """Granted too late, it was made by the SBC's fail policy, and by no grant."""
    desk = Desk()
    await desk.reserve()
    await desk.authoriser.withdraw("a-1")
    long = replace(RECORD, answered_at=ANSWERED - timedelta(seconds=300), call_class="outage")
    await desk.record_book.post([long])
    (call,) = await desk.calls()
    # 342 seconds, of which the grant would have covered 75.
    assert (call.pool_seconds, call.uncharged_seconds, call.was_reserved) == (342, 0, False)


@pytest.mark.parametrize("changes", [{}, {"pay_as_you_go": True}], ids=["plan", "as you go"])
async def test_calls_by_a_carrier_that_the_customer_pays_cost_nothing_without_a_hold(
    changes: dict[str, Any],
) -> None:
    desk = Desk(**changes)
    await desk.fill()
    plan = None if changes else desk.line.plan
    byoc = replace(desk.line, plan=plan, byoc=True)
    desk.directory.lines[build.INGRESS, build.CALLER] = byoc
    await desk.record_book.post([replace(RECORD, call_class="outage", reservation_id="")])
    from_file = replace(
        leg("row-1", 300), setup=ANSWERED, answered=ANSWERED, released=RECORD.released_at
    )
    lines = {build.CALLER: byoc}
    report = await intake.take(desk.books, [from_file], lines=lines, now=desk.clock.now())
    assert report.settled == 1
    for call in await desk.calls():
        assert (call.mode, call.pool_seconds, call.charge_micros) == (Mode.BYOC, 0, 0)
    assert len(await desk.calls()) == 2


async def test_calls_of_one_batch_share_the_pool_in_the_order_in_which_they_began() -> None:
    desk = Desk(overspend=True)
    await desk.fill()
    batch = [
        replace(
            RECORD,
            attempt_id=f"a-{number}",
            call_class="outage",
            answered_at=ANSWERED - timedelta(seconds=1000 - number),
            released_at=ANSWERED - timedelta(seconds=600 - number),
        )
        for number in (2, 1)
    ]
    await desk.record_book.post(batch)
    calls = {call.attempt_id: call for call in await desk.calls()}
    assert (calls["a-1"].pool_seconds, calls["a-1"].charge_micros) == (400, 0)
    assert (calls["a-2"].pool_seconds, calls["a-2"].uncharged_seconds) == (200, 0)
    assert calls["a-2"].charge_micros > 0


async def test_a_copy_of_a_settled_record_never_waits() -> None:
    """Its line may be gone by then, and every record comes twice."""
    desk = Desk()
    await desk.reserve()
    await desk.record_book.post([RECORD])
    await desk.record_book.post([replace(RECORD, caller="+442079460777")])
    assert await desk.books.suspended() == ()
    assert len(await desk.calls()) == 1


@pytest.mark.parametrize(("call_class", "mode"), [("outage", Mode.PLAN), ("on-net", Mode.ON_NET)])
async def test_what_waits_is_taken_by_a_replay_and_what_is_unreadable_stays(
    call_class: str, mode: Mode
) -> None:
    desk = Desk()
    await desk.fill()
    stranger = replace(RECORD, caller="+442079460777", call_class=call_class, reservation_id="")
    await desk.record_book.post([stranger])
    await desk.record_book.suspend("log_write_cdr(): nonsense", "start_time: is no text")
    lines = {"+442079460777": build.line(desk.terms, plan=build.plan(10))}
    report = await intake.replay(desk.books, lines=lines, now=desk.clock.now())
    assert (report.settled, report.suspended) == (1, {})
    (call,) = await desk.calls()
    assert call.mode is mode
    (kept,) = await desk.books.suspended()
    assert kept.reason == "Unreadable"
