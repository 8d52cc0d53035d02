"""Call records into the books: charged once, settled as pinned, or in suspense with a reason."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from callplane.billing.mediation import Leg, SuspenseReason
from callplane.callcontrol import intake
from callplane.store.books_memory import MemoryBooks
from callplane.store.books_ports import Closing
from callplane.testing.billing_builders import ACCOUNT, CALLER, account, line, plan
from callplane.testing.books_builders import NOW, granted, holder, leg, payer, pool_quote, request

LATER = NOW + timedelta(hours=2)
LINES = {CALLER: line(plan=plan())}


async def with_pool(minutes: int) -> MemoryBooks:
    books = MemoryBooks()
    await books.set_plans(payer(), [holder("anna", minutes)], now=NOW)
    return books


async def test_a_call_with_a_reservation_is_settled_as_it_was_pinned() -> None:
    books = await with_pool(300)
    await granted(books, request("one", pool_quote()))
    report = await intake.take(books, [leg("one", 61)], lines=LINES, now=LATER)
    assert (report.settled, report.duplicates) == (1, 0)
    counters = await books.counters(payer())
    assert (counters.used_seconds, counters.held_seconds) == (61, 0)


async def test_calls_draw_in_the_order_in_which_they_began() -> None:
    books = await with_pool(2)
    late = replace(leg("late", 100), setup=NOW + timedelta(seconds=1))
    late = replace(late, answered=late.setup, released=late.setup + timedelta(seconds=100))
    report = await intake.take(books, [late, leg("first", 100)], lines=LINES, now=LATER)
    assert report.settled == 2
    found = {call.attempt_id: call for call in await books.calls(ACCOUNT, payer().period.start)}
    assert found["first"].pool_seconds == 100
    assert (found["late"].pool_seconds, found["late"].uncharged_seconds) == (20, 80)


async def test_the_same_legs_again_change_nothing() -> None:
    books = await with_pool(300)
    legs = [leg(f"call-{n}", 60) for n in range(1_200)]
    first = await intake.take(books, legs, lines=LINES, now=LATER)
    again = await intake.take(books, legs, lines=LINES, now=LATER)
    assert (first.settled, again.settled, again.duplicates) == (1_200, 0, 1_200)
    # 300 minutes are 300 of these calls.
    assert (await books.counters(payer())).used_seconds == 18_000


@pytest.mark.parametrize("is_in_books", [True, False])
async def test_a_leg_that_comes_again_takes_nothing_from_a_new_one(is_in_books: bool) -> None:
    """Ten minutes in the pool are enough for two calls of five."""
    books = await with_pool(10)
    lines = {CALLER: line(account(overspend=True, ceiling_micros=10**9), plan=plan())}
    old, new = leg("old", 300), later("new", 300)
    if is_in_books:
        await intake.take(books, [old], lines=lines, now=LATER)
        report = await intake.take(books, [old, new], lines=lines, now=LATER)
        assert (report.settled, report.duplicates) == (1, 1)
    else:
        report = await intake.take(books, [old, old, new], lines=lines, now=LATER)
        assert (report.settled, report.duplicates) == (2, 1)
    found = await books.calls(ACCOUNT, payer().period.start)
    assert [(call.pool_seconds, call.charge_micros) for call in found] == [(300, 0), (300, 0)]


def later(attempt_id: str, seconds: int) -> Leg:
    setup = NOW + timedelta(minutes=10)
    released = setup + timedelta(seconds=seconds)
    return replace(leg(attempt_id, seconds), setup=setup, answered=setup, released=released)


async def test_what_waited_until_its_digits_were_taken_out_still_waits() -> None:
    """Nothing tells any more whose call it was, and it is not lost."""
    books = await with_pool(300)
    await intake.take(books, [leg("one", 60)], lines={}, now=LATER)
    assert await books.redact_suspense(before=LATER + timedelta(days=1)) == 1
    report = await intake.replay(books, lines=LINES, now=LATER + timedelta(days=1))
    assert (report.settled, report.suspended) == (0, {SuspenseReason.UNKNOWN_LINE: 1})
    (waits,) = await books.suspended()
    assert (waits.attempt_id, waits.record["caller"]) == ("one", "")


async def test_what_cannot_be_rated_waits_and_is_taken_when_it_can() -> None:
    books = await with_pool(300)
    backwards = replace(leg("backwards", 60), released=NOW - timedelta(seconds=1))
    stranger = replace(leg("stranger", 60), caller="+442079460009")
    elsewhere = replace(leg("elsewhere", 60), ingress="trunks/other")
    unpriced = replace(leg("unpriced", 60), destination="+353123")
    poor = {CALLER: line(account(), plan=plan())}
    report = await intake.take(
        books, [backwards, stranger, elsewhere, unpriced], lines=poor, now=LATER
    )
    assert report.settled == 0
    assert report.suspended == {
        SuspenseReason.NEGATIVE_TIME: 1,
        SuspenseReason.UNKNOWN_LINE: 2,
        SuspenseReason.NO_RATE: 1,
    }
    known = {**poor, "+442079460009": line(plan=plan())}
    report = await intake.replay(books, lines=known, now=LATER)
    assert (report.settled, sum(report.suspended.values())) == (1, 3)
    waiting = {one.attempt_id for one in await books.suspended()}
    assert waiting == {"backwards", "elsewhere", "unpriced"}
    (call,) = await books.calls(ACCOUNT, payer().period.start)
    assert call.pool_seconds == 60


async def test_what_is_free_whoever_calls_leaves_suspense_whatever_way_it_went() -> None:
    """An inbound call comes in by a carrier, and an emergency service sees the number of the site,
    whose line is on another connection.
    """
    books = await with_pool(300)
    inbound = replace(
        leg("inbound", 60),
        inbound=True,
        ingress="alpha",
        caller="+442079460999",
        destination=CALLER,
    )
    emergency = replace(
        leg("emergency", 60), ingress="trunks/site", dialled="999", destination="999"
    )
    first = await intake.take(books, [inbound, emergency], lines={}, now=LATER)
    assert first.suspended == {SuspenseReason.UNKNOWN_LINE: 2}
    report = await intake.replay(books, lines=LINES, now=LATER)
    assert (report.settled, report.suspended) == (2, {})
    assert await books.suspended() == ()
    counters = await books.counters(payer())
    assert (counters.used_seconds, counters.posted_micros) == (0, 0)


async def test_a_leg_survives_suspense_as_it_was() -> None:
    books = MemoryBooks()
    one = leg("one", 60)
    await intake.take(books, [one], lines={}, now=LATER)
    assert [intake.leg_from(each) for each in await books.suspended()] == [one]


async def test_a_reserved_call_is_its_accounts_whoever_its_line_is_now() -> None:
    books = await with_pool(300)
    await granted(books, request("one", pool_quote()))
    moved = line(account(name="other/co", zone="America/New_York"), plan=plan())
    lines = {CALLER: moved, "+442079460009": line(plan=plan())}
    report = await intake.take(books, [leg("one", 61)], lines=lines, now=LATER)
    assert report.settled == 1
    (call,) = await books.calls(ACCOUNT, payer().period.start)
    assert (call.pool_seconds, call.was_reserved) == (61, True)
    assert (await books.counters(payer())).held_seconds == 0


async def test_a_copy_of_a_settled_call_is_a_duplicate_also_when_its_line_is_gone() -> None:
    books = await with_pool(300)
    await granted(books, request("one", pool_quote()))
    await intake.take(books, [leg("one", 61)], lines=LINES, now=LATER)
    gone = {"+442079460009": line(plan=plan())}
    report = await intake.take(books, [leg("one", 61)], lines=gone, now=LATER)
    assert (report.duplicates, report.suspended) == (1, {})


PAYG = {CALLER: line(account(pay_as_you_go=True))}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"released": NOW - timedelta(seconds=1)}, SuspenseReason.NEGATIVE_TIME),
        ({"answered": NOW - timedelta(seconds=1)}, SuspenseReason.NEGATIVE_TIME),
        ({"released": NOW + timedelta(days=8)}, SuspenseReason.ABSURD_TIME),
        ({"released": LATER + timedelta(minutes=6)}, SuspenseReason.ABSURD_TIME),
        (
            {
                "setup": NOW - timedelta(days=401),
                "answered": NOW - timedelta(days=401),
                "released": NOW - timedelta(days=401),
            },
            SuspenseReason.ABSURD_TIME,
        ),
    ],
)
async def test_times_that_nobody_believes_wait_with_their_reason(
    changes: dict[str, Any], reason: SuspenseReason
) -> None:
    books = MemoryBooks()
    absurd = replace(leg("one", 60), **changes)
    report = await intake.take(books, [absurd, leg("two", 60)], lines=PAYG, now=LATER)
    assert (report.settled, report.suspended) == (1, {reason: 1})
    assert (await books.counters(payer())).posted_micros == 10_000


async def test_records_twice_late_and_out_of_order_are_charged_once_to_the_right_month() -> None:
    """One of November comes in time, one twice in the wrong order, one after the closing."""
    november = [leg(f"call-{n}", 60) for n in range(12)]
    december = datetime(2026, 12, 2, tzinfo=UTC)
    later = replace(leg("later", 60), setup=december, answered=december)
    later = replace(later, released=december + timedelta(seconds=60))
    now = december + timedelta(hours=1)
    books = MemoryBooks()
    await intake.take(books, [later, *reversed(november[:10])], lines=PAYG, now=now)
    again = await intake.take(books, [*november[:11], later], lines=PAYG, now=now)
    assert (again.settled, again.duplicates) == (1, 11)
    counters = await books.counters(payer())
    assert counters.posted_micros == 110_000
    closing = Closing(payer(), counters, {"total": "0.11"}, "digest")
    after = datetime(2026, 12, 5, tzinfo=UTC)
    assert await books.close_month(closing, now=after) is not None
    report = await intake.take(books, november, lines=PAYG, now=after)
    assert (report.settled, report.duplicates) == (1, 11)
    first, second = await books.months(ACCOUNT)
    assert (first.counters.posted_micros, second.counters.posted_micros) == (110_000, 20_000)
    (closed,) = await books.statements(ACCOUNT)
    assert closed.document == {"total": "0.11"}
