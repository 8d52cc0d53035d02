"""Between the database's rows and the values of the books."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from callplane.billing.clip import Grant
from callplane.billing.counters import Counters
from callplane.billing.increments import Increment
from callplane.billing.postings import Posting, Purpose
from callplane.billing.prices import LineKind, Price, PricePart
from callplane.billing.quotes import Mode, RefusalReason
from callplane.billing.terms import CapScope, Limits
from callplane.store.books_ports import (
    AccountMonth,
    CallRow,
    Closing,
    Entry,
    Reservation,
    ReservationState,
    Reserve,
    StoredPosting,
    Suspended,
)

Columns = tuple[Any, ...]


def price_json(price: Price | None) -> dict[str, Any] | None:
    """A price as it is pinned in a reservation and kept with a call."""
    if price is None:
        return None
    return {
        "card": price.card,
        "version": price.version,
        "prefix": price.prefix,
        "name": price.name,
        "band": price.band,
        "effectiveFrom": price.effective_from.isoformat(),
        "increment": [price.increment.first, price.increment.next],
        "parts": [
            [part.kind.value, part.per_minute_micros, part.per_call_micros] for part in price.parts
        ],
    }


def price_from(found: dict[str, Any] | None) -> Price | None:
    """The reverse of `price_json`."""
    if found is None:
        return None
    return Price(
        card=found["card"],
        version=found["version"],
        prefix=found["prefix"],
        name=found["name"],
        band=found["band"],
        effective_from=datetime.fromisoformat(found["effectiveFrom"]),
        increment=Increment(*found["increment"]),
        parts=tuple(
            PricePart(LineKind(kind), minute, call) for kind, minute, call in found["parts"]
        ),
    )


def reserve_parameters(request: Reserve) -> Columns:
    """The arguments of `books.reserve` but for its last, the price as JSON."""
    quote, payer, limits = request.quote, request.payer, request.quote.limits
    pool, price = quote.pool, quote.price
    return (
        request.attempt_id,
        payer.account,
        payer.period.start,
        payer.period.end,
        payer.currency,
        payer.day,
        request.line,
        quote.mode.value,
        request.now,
        request.expires_at,
        None if pool is None else pool.first,
        None if pool is None else pool.next,
        None if price is None else price.increment.first,
        None if price is None else price.increment.next,
        None if price is None else price.per_minute_micros,
        None if price is None else price.per_call_micros,
        None if price is None else len(price.parts),
        quote.first_slice_seconds,
        quote.slice_seconds,
        quote.call_seconds,
        quote.grace_seconds,
        quote.grace_percent,
        limits.ceiling_micros,
        limits.day_cap_micros,
        limits.account_calls,
        limits.line_calls,
        limits.line_calls_per_minute,
    )


def live_day_cap(limits: Limits) -> int | None:
    """The cap of the day as far as it ends calls that are up."""
    return limits.day_cap_micros if limits.day_cap_scope is CapScope.NEW_AND_LIVE else None


def granted(columns: Columns) -> Grant | RefusalReason:
    refusal, pool, priced, grace, free, hold, is_final = columns
    if refusal is not None:
        return RefusalReason(refusal)
    return Grant(pool, priced, grace, free, hold, is_final)


def counters(columns: Columns) -> Counters:
    return Counters(*columns)


def account_month(columns: Columns) -> AccountMonth:
    account, start, end, currency, *rest = columns
    return AccountMonth(account, start, end, currency, Counters(*rest))


def reservation(columns: Columns) -> Reservation:
    (attempt_id, account, start, day, line, mode, state, pool_first, pool_next, *rest) = columns
    (pool, priced, grace, free, hold, is_final, price, answered, seen, expires) = rest
    return Reservation(
        attempt_id=attempt_id,
        account=account,
        period_start=start,
        day=day,
        line=line,
        mode=Mode(mode),
        state=ReservationState(state),
        granted=Grant(pool, priced, grace, free, hold, is_final),
        pool=None if pool_first is None else Increment(pool_first, pool_next),
        price=price_from(price),
        answered_at=answered,
        seen_at=seen,
        expires_at=expires,
    )


def entry_json(entry: Entry) -> dict[str, Any]:
    """What `books.settle` reads."""
    done, leg, payer = entry.settlement, entry.leg, entry.payer
    found = {
        "account": payer.account,
        "start": payer.period.start.isoformat(),
        "end": payer.period.end.isoformat(),
        "currency": payer.currency,
        "day": payer.day.isoformat(),
        "attempt": entry.attempt_id,
        "line": entry.line,
        "mode": entry.mode.value,
        "presumed": leg is None,
        "granted": entry.granted_seconds,
        "duration": done.duration_seconds,
        "pool": done.pool_seconds,
        "grace": done.grace_seconds,
        "uncharged": done.slack_seconds + done.overrun_seconds,
        "charge": done.charge_micros,
        "lines": [
            {"purpose": line.kind.value, "amount": line.amount_micros}
            for line in done.lines
            if line.amount_micros
        ],
        "price": price_json(entry.price),
    }
    if leg is not None:
        found |= {
            "source": leg.source,
            "leg": leg.leg,
            "caller": leg.caller,
            "destination": leg.destination,
            "inbound": leg.inbound,
            "setup": leg.setup.isoformat(),
            "answered": None if leg.answered is None else leg.answered.isoformat(),
            "released": leg.released.isoformat(),
        }
    return found


def is_copied(entry: Entry) -> bool:
    """A record of a call that nothing was reserved for, as far as its reader knew."""
    return entry.leg is not None and entry.granted_seconds is None


def copied(entries: Sequence[Entry]) -> Iterator[Columns]:
    """Rows of `COPY_TABLE`. A price is written out once, however many calls have it."""
    prices: dict[int, str] = {}
    for nth, entry in enumerate(entries):
        done, leg, payer = entry.settlement, entry.leg, entry.payer
        if leg is None:
            # Only its month is locked with the others'.
            key = (entry.attempt_id, "", payer.account, payer.period.start, payer.period.end)
            yield (nth, True, "", *key, payer.currency, payer.day, *([None] * 18))
            continue
        price = None
        if entry.price is not None:
            price = prices.get(id(entry.price))
            if price is None:
                price = prices[id(entry.price)] = json.dumps(price_json(entry.price))
        lines: list[Any] = []
        for line in done.lines:
            if line.amount_micros:
                lines += (line.kind.value, line.amount_micros)
        yield (
            nth,
            entry.granted_seconds is not None,
            leg.source,
            entry.attempt_id,
            leg.leg,
            payer.account,
            payer.period.start,
            payer.period.end,
            payer.currency,
            payer.day,
            entry.line,
            entry.mode.value,
            leg.caller,
            leg.destination,
            leg.inbound,
            leg.setup,
            leg.answered,
            leg.released,
            done.duration_seconds,
            done.pool_seconds,
            done.grace_seconds,
            done.slack_seconds + done.overrun_seconds,
            done.charge_micros,
            *lines,
            *([None] * (4 - len(lines))),
            price,
        )


def closing_json(closing: Closing) -> dict[str, Any]:
    """What `books.close_statement` reads."""
    payer, counters = closing.payer, closing.counters
    return {
        "account": payer.account,
        "start": payer.period.start.isoformat(),
        "end": payer.period.end.isoformat(),
        "next_end": payer.period.following.end.isoformat(),
        "currency": payer.currency,
        "entitlement": counters.entitlement_seconds,
        "used": counters.used_seconds,
        "grace": counters.grace_used_seconds,
        "posted": counters.posted_micros,
        "digest": closing.digest,
        "document": closing.document,
        "postings": [
            {
                "debit": one.debit,
                "credit": one.credit,
                "unit": one.unit,
                "amount": one.amount,
                "purpose": one.purpose.value,
                "attempt": one.attempt_id,
            }
            for one in closing.postings
        ],
    }


def stored_posting(columns: Columns) -> StoredPosting:
    number, at, debit, credit, unit, amount, purpose, *rest = columns
    attempt_id, presumed, reverses, adjusts = rest
    posting = Posting(debit, credit, unit, amount, Purpose(purpose), attempt_id, presumed, reverses)
    return StoredPosting(number, at, posting, adjusts)


def call_row(columns: Columns) -> CallRow:
    *facts, price, inbound, adjusts = columns
    facts[8] = Mode(facts[8])
    return CallRow(*[*facts, price_from(price), inbound, adjusts])


def suspended(columns: Columns) -> Suspended:
    return Suspended(*columns)
