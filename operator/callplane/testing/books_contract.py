"""What all books do: one list of checks, run over PostgreSQL and its in-memory twin.

Each check is a coroutine function over books with nothing in them. The mutants of the books are run
over the same checks: a guard that is taken out must make the check of its name fail.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from callplane.billing import postings
from callplane.billing.clip import Grant
from callplane.billing.counters import Counters, LineCounters
from callplane.billing.postings import Purpose
from callplane.billing.quotes import RefusalReason
from callplane.billing.terms import CapScope, Limits
from callplane.store.books_ports import (
    Books,
    Outcome,
    ReservationState,
    Suspended,
)
from callplane.testing.billing_builders import ACCOUNT, CALLER
from callplane.testing.books_builders import (
    ABROAD_PRICE,
    LINE,
    NOW,
    PENNY,
    RICH,
    counted_quote,
    entry,
    granted,
    holder,
    leg,
    payer,
    pool_quote,
    priced_quote,
    request,
)

Check = Callable[[Books], Awaitable[None]]
CHECKS: dict[str, Check] = {}


def check(function: Check) -> Check:
    CHECKS[function.__name__] = function
    return function


#: Fees, tax and rounding are posted too when a month is closed, and are no charges of calls.
CALL_PURPOSES = frozenset({Purpose.CALL, Purpose.ACCESS_CHARGE, Purpose.SERVICE_CHARGE})


async def seen(books: Books) -> Counters:
    return await books.counters(payer())


async def audit(books: Books, account: str | None = None) -> None:
    """What is true at every commit, whatever has happened."""
    for month in await books.months(account):
        now = month.counters
        assert now.used_seconds + now.held_seconds <= now.entitlement_seconds
        assert min(now.used_seconds, now.held_seconds, now.held_micros, now.live_calls) >= 0
        rows = [one.posting for one in await books.postings(month.account, month.period_start)]
        sums = postings.balances(rows)
        pool = sums.get((postings.pool_of(month.account), "s"), 0)
        assert pool == now.entitlement_seconds - now.used_seconds
        charged = postings.balances(row for row in rows if row.purpose in CALL_PURPOSES)
        owed = charged.get((postings.receivable_of(month.account), month.currency), 0)
        assert owed == now.posted_micros
        calls = await books.calls(month.account, month.period_start)
        presumed = sum(
            row.amount if row.debit.startswith("receivable:") else -row.amount
            for row in rows
            if row.presumed and row.unit != "s"
        )
        assert sum(call.charge_micros for call in calls) + presumed == now.posted_micros
        # Nothing is presumed any more of a call whose record has come.
        recorded = {call.attempt_id for call in calls if call.adjusts is None}
        left = [row for row in rows if row.presumed and row.attempt_id in recorded]
        assert not any(postings.balances(left).values())


@check
async def a_month_begins_with_what_its_holders_bring(books: Books) -> None:
    assert await seen(books) == Counters(day=payer().day)
    await books.set_plans(payer(), [holder("anna", 300), holder("ben", 1_200)], now=NOW)
    assert (await seen(books)).entitlement_seconds == 1_500 * 60
    december = payer(setup=NOW + timedelta(days=30))
    assert (await books.counters(december)).entitlement_seconds == 1_500 * 60
    await audit(books)


@check
async def the_highest_plan_counts_and_an_upgrade_posts_the_difference(books: Books) -> None:
    both = [holder("anna", 300, "small"), holder("anna", 1_200, "large")]
    for plans, minutes in (
        ([both[0]], 300),
        ([both[0]], 300),
        (both, 1_200),
        ([], 1_200),
        ([both[0]], 1_200),
    ):
        await books.set_plans(payer(), plans, now=NOW)
        assert (await seen(books)).entitlement_seconds == minutes * 60
    amounts = [one.posting.amount for one in await books.postings(ACCOUNT, payer().period.start)]
    assert amounts == [18_000, 54_000]
    assert await books.plans(ACCOUNT, payer().period.start) == (holder("anna", 1_200, "large"),)
    december = payer(setup=NOW + timedelta(days=30))
    assert (await books.counters(december)).entitlement_seconds == 18_000
    await audit(books)


@check
async def a_grant_is_recorded_and_never_more_than_there_is(books: Books) -> None:
    """What is recorded is what was granted, not what was wanted; asked again, it is the same."""
    await books.set_plans(payer(), [holder("anna", 5)], now=NOW)
    await granted(books, request("one"))
    for _ in range(3):
        first = await books.extend("one", RICH, now=NOW, expires_at=NOW)
    assert first == Grant(pool_seconds=240)
    second = await granted(books, request("two"))
    # A slice would be 60 s, and so much is there.
    assert second == Grant(pool_seconds=60)
    assert await books.reserve(request("three")) is RefusalReason.POOL_HELD
    assert await books.reserve(request("two")) == second
    assert await books.extend("two", RICH, now=NOW, expires_at=NOW) == replace(
        second, is_final=True
    )
    assert (await seen(books)).held_seconds == 300
    rows = await books.reservations(["one", "two", "three"])
    assert [row.granted.pool_seconds for row in rows] == [240, 60]
    await audit(books)


@check
async def an_attempt_that_is_over_is_granted_nothing_again(books: Books) -> None:
    """Asked again after its answer was given up, or under the name of a call that is charged:
    nothing would be held for it, and its record would be a copy.
    """
    await books.set_plans(payer(), [holder("anna", 5)], now=NOW)
    for attempt_id in ("given-up", "charged", "presumed"):
        await granted(books, request(attempt_id, pool_quote(first_slice_seconds=60)))
    await books.void("given-up")
    await books.settle(
        [
            entry("charged", 30, Grant(pool_seconds=60)),
            entry("presumed", 0, Grant(pool_seconds=60), presumed=True),
        ],
        now=NOW,
    )
    for attempt_id in ("given-up", "charged", "presumed"):
        assert await books.reserve(request(attempt_id)) is RefusalReason.ATTEMPT_OVER
    after = await seen(books)
    assert (after.held_seconds, after.used_seconds, after.live_calls) == (0, 30, 0)
    await audit(books)


@check
async def many_at_once_share_the_last_minute(books: Books) -> None:
    await books.set_plans(payer(), [holder("anna", 1)], now=NOW)
    asked = [request(f"call-{n}", line=f"sales/{n}") for n in range(200)]
    found = await asyncio.gather(*(books.reserve(one) for one in asked))
    grants = [one for one in found if isinstance(one, Grant)]
    assert sum(one.pool_seconds for one in grants) == 60
    assert {one for one in found if not isinstance(one, Grant)} == {RefusalReason.POOL_HELD}
    assert (await seen(books)).live_calls == len(grants)
    await audit(books)


@check
async def many_at_once_share_the_last_pound(books: Books) -> None:
    limits = replace(RICH, ceiling_micros=1_000_000)
    quote = priced_quote(ABROAD_PRICE, limits=limits)
    asked = [request(f"call-{n}", quote, line=f"sales/{n}") for n in range(200)]
    found = await asyncio.gather(*(books.reserve(one) for one in asked))
    grants = [one for one in found if isinstance(one, Grant)]
    held = (await seen(books)).held_micros
    assert held == sum(one.hold_micros for one in grants) <= 1_000_000
    assert {one for one in found if not isinstance(one, Grant)} == {RefusalReason.CEILING_REACHED}
    # A first minute costs 40,000: what is left buys none.
    assert 1_000_000 - held < 40_000
    await audit(books)


@check
async def one_attempt_is_reserved_once(books: Books) -> None:
    await books.set_plans(payer(), [holder("anna", 300)], now=NOW)
    found = await asyncio.gather(*(books.reserve(request("one")) for _ in range(20)))
    assert len(set(found)) == 1
    after = await seen(books)
    assert (after.live_calls, after.held_seconds) == (1, 1_800)


@check
async def a_call_is_charged_to_the_second_and_the_rest_is_free_again(books: Books) -> None:
    await books.set_plans(payer(), [holder("anna", 300)], now=NOW)
    grant = await granted(books, request("one"))
    assert await books.answered("one", at=NOW, expires_at=NOW + timedelta(seconds=1_920))
    assert await books.settle([entry("one", 61, grant)], now=NOW) == (Outcome.SETTLED,)
    after = await seen(books)
    assert (after.used_seconds, after.held_seconds, after.live_calls) == (61, 0, 0)
    (row,) = await books.reservations(["one", "never"])
    assert row.state is ReservationState.POSTED
    (call,) = await books.calls(ACCOUNT, payer().period.start)
    assert (call.pool_seconds, call.was_reserved, call.duration_seconds) == (61, True, 61)
    await audit(books)


@check
async def a_leg_is_accounted_for_once(books: Books) -> None:
    await books.set_plans(payer(), [holder("anna", 300)], now=NOW)
    grant = await granted(books, request("one"))
    once = entry("one", 61, grant)
    found = await asyncio.gather(*(books.settle([once, once], now=NOW) for _ in range(5)))
    outcomes = [outcome for batch in found for outcome in batch]
    assert sorted(outcome.value for outcome in outcomes) == ["duplicate"] * 9 + ["settled"]
    assert (await seen(books)).used_seconds == 61
    # Across midnight and by some milliseconds it is still the same leg.
    late = replace(once, leg=replace(leg("one", 61), setup=NOW + timedelta(milliseconds=4)))
    assert await books.settle([late], now=NOW + timedelta(days=1)) == (Outcome.DUPLICATE,)
    await audit(books)


@check
async def money_is_held_and_charged_within_the_ceiling(books: Books) -> None:
    quote = priced_quote(ABROAD_PRICE, limits=replace(RICH, ceiling_micros=100_000))
    grant = await granted(books, request("one", quote))
    assert (grant.priced_seconds, grant.hold_micros) == (60, 40_000)
    more = await books.extend("one", quote.limits, now=NOW, expires_at=NOW)
    assert more == Grant(priced_seconds=120, hold_micros=70_000)
    last = await books.extend("one", quote.limits, now=NOW, expires_at=NOW)
    assert last == Grant(priced_seconds=180, hold_micros=100_000)
    assert await books.reserve(request("two", quote)) is RefusalReason.CEILING_REACHED
    end = await books.extend("one", quote.limits, now=NOW, expires_at=NOW)
    assert end == replace(last, is_final=True)
    done = entry("one", 61, end, pool=None, price=ABROAD_PRICE)
    assert await books.settle([done], now=NOW) == (Outcome.SETTLED,)
    after = await seen(books)
    assert (after.posted_micros, after.held_micros, after.unsecured_micros) == (70_000, 0, 0)
    (call,) = await books.calls(ACCOUNT, payer().period.start)
    assert call.price == ABROAD_PRICE
    await audit(books)


@check
async def a_raise_is_seen_by_the_next_call_and_by_a_live_one(books: Books) -> None:
    low, high = replace(RICH, ceiling_micros=40_000), replace(RICH, ceiling_micros=80_000)
    await granted(books, request("one", priced_quote(ABROAD_PRICE, limits=low)))
    full = priced_quote(ABROAD_PRICE, limits=low)
    assert await books.reserve(request("two", full)) is RefusalReason.CEILING_REACHED
    more = await books.extend("one", high, now=NOW, expires_at=NOW)
    assert more is not None
    assert more.priced_seconds == 120


@check
async def the_pool_comes_first_and_money_behind_it(books: Books) -> None:
    await books.set_plans(payer(), [holder("anna", 1)], now=NOW)
    grant = await granted(books, request("one", pool_quote(price=PENNY)))
    assert grant.pool_seconds == 60
    assert grant.priced_seconds == 1_740
    done = entry("one", 120, grant, price=PENNY)
    await books.settle([done], now=NOW)
    after = await seen(books)
    assert (after.used_seconds, after.posted_micros) == (60, 10_000)
    await audit(books)


@check
async def a_call_that_never_came_about_frees_what_it_held(books: Books) -> None:
    await books.set_plans(payer(), [holder("anna", 300)], now=NOW)
    await granted(books, request("one", pool_quote(price=PENNY)))
    assert await books.void("one")
    assert not await books.void("one")
    assert not await books.void("never")
    assert not await books.answered("one", at=NOW, expires_at=NOW)
    assert await books.extend("one", RICH, now=NOW, expires_at=NOW) is None
    assert await books.extend("never", RICH, now=NOW, expires_at=NOW) is None
    after = await seen(books)
    assert (after.held_seconds, after.held_micros, after.live_calls) == (0, 0, 0)


@check
async def a_settlement_of_an_older_grant_is_computed_again(books: Books) -> None:
    await books.set_plans(payer(), [holder("anna", 300)], now=NOW)
    grant = await granted(books, request("one"))
    longer = await books.extend("one", RICH, now=NOW, expires_at=NOW)
    assert longer is not None
    stale = entry("one", 2_000, grant)
    assert await books.settle([stale], now=NOW) == (Outcome.CHANGED,)
    assert await books.settle([entry("one", 2_000, longer)], now=NOW) == (Outcome.SETTLED,)
    assert (await seen(books)).used_seconds == 2_000


@check
async def what_is_presumed_is_replaced_by_the_record(books: Books) -> None:
    await books.set_plans(payer(), [holder("anna", 300)], now=NOW)
    quote = pool_quote(price=PENNY)
    grant = await granted(books, request("one", quote))
    late = NOW + timedelta(hours=1)
    (due,) = await books.due(now=late)
    assert due.granted == grant
    presumed = entry("one", 100, grant, price=PENNY, presumed=True)
    assert await books.settle([presumed], now=late) == (Outcome.SETTLED,)
    assert await books.settle([presumed], now=late) == (Outcome.GONE,)
    assert await books.due(now=late) == ()
    after = await seen(books)
    assert (after.used_seconds, after.held_seconds, after.live_calls) == (100, 0, 0)
    await audit(books)
    real = entry("one", 160, grant, price=PENNY, known=False)
    assert await books.settle([real, real], now=late) == (Outcome.SETTLED, Outcome.DUPLICATE)
    assert (await seen(books)).used_seconds == 160
    stored = await books.postings(ACCOUNT, payer().period.start)
    (reversal,) = [one.posting for one in stored if one.posting.reverses is not None]
    (first,) = [one for one in stored if one.id == reversal.reverses]
    assert (reversal.debit, reversal.amount) == (first.posting.credit, 100)
    await audit(books)


@check
async def nothing_is_presumed_of_a_call_whose_record_was_here_first(books: Books) -> None:
    early = entry("one", 60, Grant(priced_seconds=60), pool=None, price=PENNY, known=False)
    await books.settle([early], now=NOW)
    grant = await granted(books, request("one", priced_quote()))
    presumed = entry("one", 60, grant, pool=None, price=PENNY, presumed=True)
    assert await books.settle([presumed], now=NOW) == (Outcome.GONE,)
    after = await seen(books)
    assert (after.posted_micros, after.held_micros, after.live_calls) == (10_000, 0, 0)


@check
async def a_presumed_charge_is_taken_back_too(books: Books) -> None:
    grant = await granted(books, request("one", priced_quote()))
    presumed = entry("one", 60, grant, pool=None, price=PENNY, presumed=True)
    await books.settle([presumed], now=NOW)
    assert (await seen(books)).posted_micros == 10_000
    real = entry("one", 30, grant, pool=None, price=PENNY, known=False)
    await books.settle([real], now=NOW)
    after = await seen(books)
    assert (after.posted_micros, after.day_micros) == (5_000, 5_000)
    await audit(books)


@check
async def a_call_without_reservation_draws_the_pool_to_zero_at_most(books: Books) -> None:
    await books.set_plans(payer(), [holder("anna", 2)], now=NOW)
    await granted(books, request("other", pool_quote(first_slice_seconds=60)))
    outage = entry("one", 100, Grant(pool_seconds=100), known=False)
    assert await books.settle([outage], now=NOW) == (Outcome.SETTLED,)
    after = await seen(books)
    assert (after.used_seconds, after.held_seconds) == (60, 60)
    (call,) = await books.calls(ACCOUNT, payer().period.start)
    assert (call.pool_seconds, call.uncharged_seconds, call.was_reserved) == (60, 40, False)
    priced = entry("two", 60, Grant(priced_seconds=60), pool=None, price=PENNY, known=False)
    await books.settle([priced], now=NOW)
    after = await seen(books)
    assert (after.posted_micros, after.unsecured_micros) == (10_000, 10_000)
    await audit(books)


@check
async def calls_are_counted_by_account_and_line(books: Books) -> None:
    quote = counted_quote(account_calls=3, line_calls=2)
    for n in range(2):
        await granted(books, request(f"a-{n}", quote))
    assert await books.reserve(request("a-2", quote)) is RefusalReason.CONCURRENCY_LIMIT
    await granted(books, request("b-0", quote, line="sales/ben"))
    other = request("c-0", quote, line="sales/cara")
    assert await books.reserve(other) is RefusalReason.CONCURRENCY_LIMIT
    found = await books.line_counters(ACCOUNT, LINE, now=NOW)
    assert found == LineCounters(live_calls=2, calls_last_minute=2)
    await books.void("a-0")
    await granted(books, other)


@check
async def live_calls_count_across_the_end_of_a_month(books: Books) -> None:
    quote = counted_quote(account_calls=1)
    await granted(books, request("one", quote))
    december = payer(setup=datetime(2026, 12, 1, tzinfo=UTC))
    asked = request("two", quote, payer=december)
    assert await books.reserve(asked) is RefusalReason.CONCURRENCY_LIMIT


@check
async def calls_a_minute_are_counted(books: Books) -> None:
    quote = counted_quote(line_calls_per_minute=2)
    for n in range(2):
        await granted(books, request(f"call-{n}", quote))
        await books.void(f"call-{n}")
    assert await books.reserve(request("call-2", quote)) is RefusalReason.FRAUD_LIMIT
    later = NOW + timedelta(seconds=60)
    await granted(books, request("call-3", quote, now=later))


@check
async def the_cap_of_a_day_counts_held_money_and_ends_with_the_day(books: Books) -> None:
    limits = replace(RICH, day_cap_micros=10_000)
    quote = priced_quote(limits=limits)
    grant = await granted(books, request("one", quote))
    assert grant.priced_seconds == 60
    assert await books.reserve(request("two", quote)) is RefusalReason.DAILY_CAP_REACHED
    await books.settle([entry("one", 60, grant, pool=None, price=PENNY)], now=NOW)
    assert await books.reserve(request("two", quote)) is RefusalReason.DAILY_CAP_REACHED
    assert (await seen(books)).day_micros == 10_000
    tomorrow = NOW + timedelta(days=1)
    await granted(books, request("three", quote, payer=payer(setup=tomorrow), now=tomorrow))
    # What was held on the new day is not touched by a call of the old one.
    after = await books.counters(payer(setup=tomorrow))
    assert (after.day_micros, after.day_held_micros) == (0, 10_000)
    # A late question of yesterday does not bring yesterday back.
    assert await books.reserve(request("four", quote)) is RefusalReason.DAILY_CAP_REACHED


@check
async def a_cap_ends_live_calls_where_it_says_so(books: Books) -> None:
    for scope, seconds in ((CapScope.NEW, 1_860), (CapScope.NEW_AND_LIVE, 60)):
        limits = replace(RICH, day_cap_micros=10_000, day_cap_scope=scope)
        whose = payer(f"sales/{scope.value.lower()}")
        asked = request(scope.value, priced_quote(limits=limits), payer=whose)
        assert (await granted(books, asked)).priced_seconds == 60
        more = await books.extend(scope.value, limits, now=NOW, expires_at=NOW)
        assert more is not None
        assert more.priced_seconds == seconds


@check
async def grace_is_bounded_and_reported(books: Books) -> None:
    await books.set_plans(payer(), [holder("anna", 20)], now=NOW)
    quote = pool_quote(
        first_slice_seconds=1_200, slice_seconds=1_200, grace_seconds=600, grace_percent=5
    )
    await granted(books, request("one", quote))
    held = Grant()
    for _ in range(40):
        found = await books.extend("one", RICH, now=NOW, expires_at=NOW)
        assert found is not None
        held = found
    # Five per cent of 20 minutes.
    assert (held.pool_seconds, held.grace_seconds, held.is_final) == (1_200, 60, True)
    assert (await seen(books)).grace_held_seconds == 60
    await books.settle([entry("one", 1_300, held)], now=NOW)
    after = await seen(books)
    assert (after.used_seconds, after.grace_used_seconds, after.grace_held_seconds) == (
        1_200,
        60,
        0,
    )
    (call,) = await books.calls(ACCOUNT, payer().period.start)
    assert (call.grace_seconds, call.uncharged_seconds, call.charge_micros) == (60, 40, 0)
    await audit(books)


@check
async def a_new_month_needs_nobody_to_reset_it(books: Books) -> None:
    await books.set_plans(payer(), [holder("anna", 1)], now=NOW)
    grant = await granted(books, request("one"))
    await books.settle([entry("one", 60, grant)], now=NOW)
    assert await books.reserve(request("two")) is RefusalReason.POOL_EXHAUSTED
    first = datetime(2026, 12, 1, tzinfo=UTC)
    asked = request("three", payer=payer(setup=first), now=first)
    assert (await granted(books, asked)).pool_seconds == 60
    assert [month.counters.used_seconds for month in await books.months(ACCOUNT)] == [60, 0]
    await audit(books)


@check
async def a_record_in_suspense_waits_until_it_is_settled(books: Books) -> None:
    one = Suspended("csv", "a-1", "1", "NoRate", {"dialled": "+1"})
    await books.suspend([one, replace(one, attempt_id="a-2")], now=NOW)
    await books.suspend([replace(one, reason="UnknownLine")], now=NOW)
    found = await books.suspended()
    assert [(each.attempt_id, each.reason) for each in found] == [
        ("a-1", "UnknownLine"),
        ("a-2", "NoRate"),
    ]
    assert found[0].record == {"dialled": "+1"}
    await books.resume([("csv", "a-1", "1")])
    assert [each.attempt_id for each in await books.suspended()] == ["a-2"]


@check
async def a_plan_that_is_named_twice_counts_once(books: Books) -> None:
    await books.set_plans(payer(), [holder("anna", 5), holder("anna", 5)], now=NOW)
    assert (await seen(books)).entitlement_seconds == 300


@check
async def a_settled_record_never_waits(books: Books) -> None:
    """Also a copy of it that comes when it could not be rated any more."""
    grant = await granted(books, request("one", priced_quote()))
    await books.settle([entry("one", 10, grant, pool=None, price=PENNY)], now=NOW)
    copy = Suspended("sbc", "one", "1", "NoPlan", {})
    other_leg = replace(copy, leg="2")
    await books.suspend([copy, other_leg], now=NOW)
    assert await books.suspended() == (other_leg,)


@check
async def redaction_leaves_the_ledger_whole(books: Books) -> None:
    grant = await granted(books, request("one", priced_quote()))
    await books.settle([entry("one", 60, grant, pool=None, price=PENNY)], now=NOW)
    before = await books.postings(ACCOUNT, payer().period.start)
    assert (await books.calls(ACCOUNT, payer().period.start))[0].caller == CALLER
    assert await books.redact(ACCOUNT, before=NOW) == 0
    assert await books.redact(ACCOUNT, before=NOW + timedelta(days=1)) == 1
    assert await books.redact(ACCOUNT, before=NOW + timedelta(days=1)) == 0
    (call,) = await books.calls(ACCOUNT, payer().period.start)
    assert (call.caller, call.destination, call.charge_micros) == ("", "", 10_000)
    assert await books.postings(ACCOUNT, payer().period.start) == before
    await audit(books)


@check
async def redaction_takes_digits_out_of_what_waits(books: Books) -> None:
    leg = {"caller": CALLER, "dialled": "020", "destination": "+4420", "ingress": "trunks/a"}
    old = Suspended("csv", "old", "1", "NoRate", leg)
    spool = Suspended("sbc", "spool", "1", "Unreadable", {"line": CALLER, "problem": "no end"})
    await books.suspend([old, spool, Suspended("csv", "bare", "1", "NoRate", {})], now=NOW)
    later = NOW + timedelta(days=1)
    # Who tries it again in vain does not make it younger.
    await books.suspend([old, replace(old, attempt_id="young")], now=later)
    assert await books.redact_suspense(before=NOW) == 0
    assert await books.redact_suspense(before=later) == 2
    assert await books.redact_suspense(before=later) == 0
    bare, redacted, young, unreadable = await books.suspended()
    assert (bare.record, young.record) == ({}, leg)
    blank = {"caller": "", "dialled": "", "destination": "", "ingress": "trunks/a"}
    assert (redacted.attempt_id, redacted.reason, redacted.record) == ("old", "NoRate", blank)
    assert unreadable.record == {"line": "", "problem": "no end"}


@check
async def accounts_do_not_touch_one_another(books: Books) -> None:
    await books.set_plans(payer(), [holder("anna", 1)], now=NOW)
    other = payer("sales/other")
    refused = await books.reserve(request("one", payer=other))
    assert refused is RefusalReason.POOL_EXHAUSTED
    limits = Limits(ceiling_micros=0, day_cap_micros=None, line_calls=None)
    poor = request("two", priced_quote(limits=limits), payer=other)
    assert await books.reserve(poor) is RefusalReason.CEILING_REACHED
    assert (await seen(books)).held_seconds == 0
