"""How much of a quote can be had: the pure twin of the function `reserve` in the database.

It compares and takes minima, under the lock of one account's row. What a call already holds is
counted as free for itself, so an extension is the same question asked again with a longer wish.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from callplane.billing.counters import Counters, LineCounters
from callplane.billing.increments import affordable
from callplane.billing.prices import Price
from callplane.billing.quotes import Quote, RefusalReason
from callplane.billing.terms import CapScope

SLICE_SECONDS_MIN = 60
#: A slice takes at most this part of what is free, so that many calls can begin.
SLICE_SHARE = 8
# Longer than any call may be, and more than any account may owe: bounds for 64-bit arithmetic.
_UNBOUNDED = 2**31 - 1
_MICROS_MAX = 10**15


@dataclass(frozen=True, slots=True)
class Grant:
    """How long a call may last, and what is held for it until it ends.

    `seconds` is the sum of the three kinds of time, from the answer on. Priced time is counted in
    the price's steps over the whole call. `is_final`: there will be no more.
    """

    pool_seconds: int = 0
    priced_seconds: int = 0
    grace_seconds: int = 0
    free_seconds: int = 0
    hold_micros: int = 0
    is_final: bool = False

    @property
    def seconds(self) -> int:
        return self.pool_seconds + self.priced_seconds + self.grace_seconds + self.free_seconds


NOTHING = Grant()


def shortage(quote: Quote, counters: Counters, line: LineCounters) -> RefusalReason | None:
    """Why a new call cannot even have its first block; None when it can."""
    limits = quote.limits
    rate = limits.line_calls_per_minute
    if rate is not None and line.calls_last_minute >= rate:
        return RefusalReason.FRAUD_LIMIT
    pool, price = quote.pool, quote.price
    if pool is None or counters.free_seconds < pool.first:
        if price is not None:
            least = price.hold(price.increment.first, with_fee=True)
            if limits.ceiling_micros - counters.due_micros < least:
                return RefusalReason.CEILING_REACHED
            cap = limits.day_cap_micros
            if cap is not None and cap - counters.day_due_micros < least:
                return RefusalReason.DAILY_CAP_REACHED
        elif pool is not None:
            is_held = counters.left_seconds >= pool.first
            return RefusalReason.POOL_HELD if is_held else RefusalReason.POOL_EXHAUSTED
    if limits.account_calls is not None and counters.live_calls >= limits.account_calls:
        return RefusalReason.CONCURRENCY_LIMIT
    if limits.line_calls is not None and line.live_calls >= limits.line_calls:
        return RefusalReason.CONCURRENCY_LIMIT
    return None


def first_grant(quote: Quote, counters: Counters, line: LineCounters) -> Grant | RefusalReason:
    """What a new call gets, or why it gets nothing. `counters` are those of the set-up's day."""
    reason = shortage(quote, counters, line)
    if reason is not None:
        return reason
    room = _room(quote, counters, with_day=True)
    return _grant(quote, counters, NOTHING, room, slice_max=quote.first_slice_seconds)


def next_grant(quote: Quote, counters: Counters, held: Grant) -> Grant:
    """What a live call holds after it asked for more: never less than before."""
    with_day = quote.limits.day_cap_scope is CapScope.NEW_AND_LIVE
    room = _room(quote, counters, with_day=with_day)
    found = _grant(quote, counters, held, room, slice_max=quote.slice_seconds)
    if found.seconds > held.seconds:
        return found
    # A limit that was lowered since takes nothing away that was promised.
    return replace(held, is_final=True)


def _room(quote: Quote, counters: Counters, *, with_day: bool) -> int:
    """Money that nobody has posted or holds, the call itself among them."""
    limits = quote.limits
    room = limits.ceiling_micros - counters.due_micros
    if with_day and limits.day_cap_micros is not None:
        room = min(room, limits.day_cap_micros - counters.day_due_micros)
    return room


def _grant(quote: Quote, counters: Counters, held: Grant, room: int, *, slice_max: int) -> Grant:
    pool, price = quote.pool, quote.price
    free = max(0, counters.free_seconds) if pool is not None else 0
    if pool is None and price is None:
        wanted = min(held.seconds + slice_max, quote.call_seconds or _UNBOUNDED)
        return Grant(free_seconds=wanted, is_final=wanted == quote.call_seconds)
    within = free + (_buys(price, room, with_fee=False) if price is not None else 0)
    portion = max(SLICE_SECONDS_MIN, min(slice_max, within // SLICE_SHARE))
    wanted = min(held.seconds + portion, quote.call_seconds or _UNBOUNDED)
    target, pooled, priced, grace = wanted, 0, 0, 0
    if pool is not None:
        target = pool.whole(max(wanted, pool.first))
        pooled = pool.whole(min(target, free + held.pool_seconds))
    if price is not None and pooled < target:
        target = price.increment.whole(max(wanted, price.increment.first))
        bought = _buys(price, room + held.hold_micros, with_fee=pooled == 0)
        priced = max(0, price.increment.whole(min(target, pooled + bought)) - pooled)
    elif held is not NOTHING and pooled < target:
        grace = min(target - pooled, _grace(quote, counters, held))
    return Grant(
        pool_seconds=pooled,
        priced_seconds=priced,
        grace_seconds=grace,
        hold_micros=0 if price is None else price.hold(priced, with_fee=pooled == 0),
        is_final=pooled + priced + grace < target or wanted == quote.call_seconds,
    )


def _buys(price: Price, room: int, *, with_fee: bool) -> int:
    """The billable seconds whose hold fits into so much money."""
    left = room - price.hold_base_micros + (0 if with_fee else price.per_call_micros)
    if left < 0:
        return 0
    if price.per_minute_micros == 0:
        return _UNBOUNDED
    return min(affordable(min(left, _MICROS_MAX), price.per_minute_micros), _UNBOUNDED)


def _grace(quote: Quote, counters: Counters, held: Grant) -> int:
    """Uncharged seconds that the call may have in all, what it holds already included."""
    of_period = counters.entitlement_seconds * quote.grace_percent // 100
    others = counters.grace_used_seconds + counters.grace_held_seconds - held.grace_seconds
    return max(0, min(quote.grace_seconds, of_period - others))
