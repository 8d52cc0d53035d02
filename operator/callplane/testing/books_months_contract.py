"""What all books do at the end of a month and with batches: more checks of `books_contract`."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from callplane.billing import postings
from callplane.billing.clip import Grant
from callplane.billing.postings import Posting, Purpose
from callplane.store.books_ports import (
    Books,
    ClosedStatement,
    Closing,
    Entry,
    Outcome,
    Suspended,
)
from callplane.testing.billing_builders import ACCOUNT
from callplane.testing.books_builders import (
    NOW,
    PENNY,
    entry,
    granted,
    holder,
    payer,
    pool_quote,
    priced_quote,
    request,
    unreserved,
)
from callplane.testing.books_contract import Check, audit, seen

CHECKS: dict[str, Check] = {}


def check(function: Check) -> Check:
    CHECKS[function.__name__] = function
    return function


def december(n: int = 0) -> datetime:
    """72 hours after November ended in London, and so many days later."""
    return datetime(2026, 12, 4, tzinfo=UTC) + timedelta(days=n)


async def closed(books: Books, *, now: datetime) -> ClosedStatement | None:
    """Close November as it stands, with a fee of a pound."""
    fee = Posting(postings.receivable_of(ACCOUNT), "revenue:fees", "GBP", 10**6, Purpose.FEE)
    closing = Closing(payer(), await seen(books), {"says": "so"}, "digest", (fee,))
    return await books.close_month(closing, now=now)


@check
async def a_month_is_closed_once_and_72_hours_after_its_end(books: Books) -> None:
    await books.settle([unreserved("one", 60)], now=NOW)
    assert await closed(books, now=december() - timedelta(seconds=1)) is None
    first = await closed(books, now=december())
    assert first is not None
    assert (first.number, first.digest, first.document) == (1, "digest", {"says": "so"})
    assert await closed(books, now=december(1)) == first
    assert await books.statements(ACCOUNT) == (first,)
    rows = [one.posting for one in await books.postings(ACCOUNT, payer().period.start)]
    assert [row.amount for row in rows if row.purpose is Purpose.FEE] == [10**6]
    other = payer("sales/other")
    second = await books.close_month(
        Closing(other, await books.counters(other), {}, "d"), now=december()
    )
    assert second is not None
    assert second.number == 2
    assert await books.statements() == (first, second)
    await audit(books)


@check
async def a_month_that_changed_meanwhile_is_not_closed(books: Books) -> None:
    before = await seen(books)
    await books.settle([unreserved("one", 60)], now=NOW)
    stale = Closing(payer(), before, {}, "digest")
    assert await books.close_month(stale, now=december()) is None
    assert await books.statements(ACCOUNT) == ()


@check
async def what_comes_after_closing_is_charged_in_the_open_month(books: Books) -> None:
    """Whether it is one record or a batch; minutes stay in the month of the call."""
    await books.set_plans(payer(), [holder("anna", 2)], now=NOW)
    assert await closed(books, now=december()) is not None
    late = [entry("pool", 90, Grant(pool_seconds=90), known=False)]
    late += [unreserved(f"late-{n}", 60) for n in range(12)]
    assert await books.settle(late, now=december()) == (Outcome.SETTLED,) * 13
    assert await books.settle(late[:2], now=december()) == (Outcome.DUPLICATE,) * 2
    november, following = await books.months(ACCOUNT)
    assert (november.counters.used_seconds, november.counters.posted_micros) == (90, 0)
    assert following.counters.posted_micros == 120_000
    calls = await books.calls(ACCOUNT, following.period_start)
    assert {call.adjusts for call in calls} == {november.period_start}
    rows = await books.postings(ACCOUNT, following.period_start)
    charged = [one for one in rows if one.posting.purpose is Purpose.CALL]
    assert [one.adjusts for one in charged] == [november.period_start] * 12
    # When that is closed as well, it is the one after.
    again = Closing(payer(setup=december()), following.counters, {}, "digest")
    later = datetime(2027, 1, 4, tzinfo=UTC)
    assert await books.close_month(again, now=later) is not None
    await books.settle([unreserved("later", 60)], now=later)
    assert [month.counters.posted_micros for month in await books.months(ACCOUNT)] == [
        0,
        120_000,
        10_000,
    ]
    await audit(books)


@check
async def what_was_presumed_in_a_closed_month_is_corrected_in_the_open_one(books: Books) -> None:
    grant = await granted(books, request("one", priced_quote()))
    presumed = entry("one", 60, grant, pool=None, price=PENNY, presumed=True)
    await books.settle([presumed], now=NOW)
    assert await closed(books, now=december()) is not None
    real = entry("one", 30, grant, pool=None, price=PENNY, known=False)
    assert await books.settle([real], now=december()) == (Outcome.SETTLED,)
    november, following = await books.months(ACCOUNT)
    assert (november.counters.posted_micros, following.counters.posted_micros) == (10_000, -5_000)
    await audit(books)


@check
async def a_batch_is_what_its_calls_are_one_by_one(books: Books) -> None:
    await books.set_plans(payer(), [holder("anna", 10)], now=NOW)
    await granted(books, request("held", pool_quote(first_slice_seconds=60)))
    batch = [entry(f"pool-{n}", 50, Grant(pool_seconds=50), known=False) for n in range(12)]
    batch += [unreserved(f"paid-{n}", 60) for n in range(12)]
    batch += [batch[0], batch[-1]]
    found = await books.settle(batch, now=NOW)
    assert found == (Outcome.SETTLED,) * 24 + (Outcome.DUPLICATE,) * 2
    assert await books.settle(batch, now=NOW) == (Outcome.DUPLICATE,) * 26
    after = await seen(books)
    # 60 s are held by another call; the eleventh finds 40 s, and the twelfth nothing.
    assert (after.used_seconds, after.held_seconds) == (540, 60)
    assert (after.posted_micros, after.unsecured_micros) == (120_000, 120_000)
    calls = await books.calls(ACCOUNT, payer().period.start)
    drawn = {one.attempt_id: (one.pool_seconds, one.uncharged_seconds) for one in calls}
    assert (drawn["pool-10"], drawn["pool-11"]) == ((40, 10), (0, 50))
    assert {call.price for call in calls if call.charge_micros} == {PENNY}
    await audit(books)


@check
async def a_batch_with_reserved_calls_settles_them_by_their_grants(books: Books) -> None:
    await books.set_plans(payer(), [holder("anna", 300)], now=NOW)
    grant = await granted(books, request("one"))
    expired = await granted(books, request("two", line="sales/ben"))
    await books.settle([entry("two", 100, expired, presumed=True)], now=NOW)
    batch = [unreserved(f"paid-{n}", 60) for n in range(10)]
    batch += [entry("one", 61, grant), entry("two", 70, expired, known=False)]
    assert await books.settle(batch, now=NOW) == (Outcome.SETTLED,) * 12
    after = await seen(books)
    assert (after.used_seconds, after.held_seconds, after.posted_micros) == (131, 0, 100_000)
    await audit(books)


@check
async def many_batches_at_once_draw_the_pool_to_zero_and_never_below(books: Books) -> None:
    await books.set_plans(payer(), [holder("anna", 5)], now=NOW)

    def batch(lane: int) -> list[Entry]:
        return [
            entry(f"{lane}-{n}", 10, Grant(pool_seconds=10), known=False)
            for n in (*range(20), *range(5))
        ]

    await asyncio.gather(*(books.settle(batch(lane % 4), now=NOW) for lane in range(8)))
    after = await seen(books)
    calls = await books.calls(ACCOUNT, payer().period.start)
    assert (after.used_seconds, len(calls)) == (300, 80)
    assert sum(call.uncharged_seconds for call in calls) == 500
    await audit(books)


@check
async def what_is_free_can_be_asked_of_many_at_once(books: Books) -> None:
    payers = [payer(), payer("sales/other"), payer(setup=NOW + timedelta(days=30)), payer()]
    await books.set_plans(payer(), [holder("anna", 5)], now=NOW)
    await granted(books, request("one", pool_quote(first_slice_seconds=60)))
    assert await books.free_seconds(payers, now=NOW) == (240, 0, 300, 240)


@check
async def a_month_before_the_first_plan_is_opened_without_it(books: Books) -> None:
    """A record that waited until its line was declared: nobody held a plan when it was made."""
    await books.set_plans(payer(), [holder("anna", 5)], now=NOW)
    october, september = (payer(setup=NOW - timedelta(days=days)) for days in (10, 40))
    assert await books.free_seconds([october], now=NOW) == (0,)
    late = entry("late", 60, Grant(pool_seconds=60), known=False, whose=october)
    later = [
        entry(f"later-{n}", 60, Grant(pool_seconds=60), known=False, whose=september)
        for n in range(12)
    ]
    assert await books.settle([late], now=NOW) == (Outcome.SETTLED,)
    assert await books.settle(later, now=NOW) == (Outcome.SETTLED,) * 12
    for whose, calls in ((october, 1), (september, 12)):
        assert await books.plans(ACCOUNT, whose.period.start) == ()
        assert await books.postings(ACCOUNT, whose.period.start) == ()
        rows = await books.calls(ACCOUNT, whose.period.start)
        assert [row.uncharged_seconds for row in rows] == [60] * calls
    assert (await seen(books)).entitlement_seconds == 300
    await audit(books)


@check
async def a_month_in_which_nobody_called_has_its_plans_all_the_same(books: Books) -> None:
    before = payer(setup=NOW - timedelta(days=70))
    await books.set_plans(before, [holder("anna", 5)], now=NOW - timedelta(days=70))
    october = payer(setup=NOW - timedelta(days=10))
    late = entry("late", 60, Grant(pool_seconds=60), known=False, whose=october)
    assert await books.free_seconds([october], now=NOW) == (300,)
    assert await books.settle([late], now=NOW) == (Outcome.SETTLED,)
    assert await books.plans(ACCOUNT, october.period.start) == (holder("anna", 5),)
    assert (await books.counters(october)).used_seconds == 60
    await audit(books)


@check
async def legs_that_are_accounted_for_are_known(books: Books) -> None:
    assert await books.known([]) == frozenset()
    await books.settle([unreserved("one", 60), unreserved("two", 60)], now=NOW)
    one, other = ("sbc", "one", "1"), ("csv", "one", "1")
    await books.suspend([Suspended("sbc", "waits", "1", "NoRate", {})], now=NOW)
    asked = [one, one, other, ("sbc", "one", "2"), ("sbc", "waits", "1")]
    assert await books.known(asked) == {one}


@check
async def a_leg_that_is_accounted_for_leaves_suspense(books: Books) -> None:
    for count in (1, 12):
        batch = [unreserved(f"{count}-{n}", 60) for n in range(count)]
        waits = [Suspended("sbc", one.attempt_id, "1", "NoRate", {}) for one in batch]
        await books.suspend([*waits, Suspended("csv", "other", "1", "NoRate", {})], now=NOW)
        await books.settle(batch, now=NOW)
        assert [one.source for one in await books.suspended()] == ["csv"]
