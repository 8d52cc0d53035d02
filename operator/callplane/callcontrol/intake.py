"""Call records into the books: each leg accounted for once, or kept in suspense with its reason.

A leg with a reservation is settled by what was pinned at its set-up; any other is rated from the
tariff, and draws from the pool what is there. Feeds may hand in the same leg as often as they
like.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any

from callplane.billing import mediation
from callplane.billing.mediation import Leg, SuspenseReason
from callplane.billing.quotes import RefusalReason
from callplane.billing.terms import Line
from callplane.callcontrol.settling import Tariff, pinned, pins
from callplane.store.books_ports import Books, Entry, Outcome, Suspended

#: Larger batches make live reservations wait for their accounts.
BATCH_MAX = 500
ATTEMPTS = 3
#: The reason of a record whose line could not be read.
UNREADABLE = "Unreadable"

_UNRATED = {
    RefusalReason.NO_PLAN: SuspenseReason.NO_PLAN,
    RefusalReason.NO_RATE: SuspenseReason.NO_RATE,
}


@dataclass(slots=True)
class Report:
    """What became of the legs: settled, duplicates, and those in suspense by reason."""

    settled: int = 0
    duplicates: int = 0
    suspended: Counter[SuspenseReason] = field(default_factory=Counter)


async def take(
    books: Books, legs: Sequence[Leg], *, lines: Mapping[str, Line], now: datetime
) -> Report:
    """Account for legs. `lines` are found by the number that called, or that was called."""
    report, waiting = Report(), iter(legs)
    while batch := list(islice(waiting, BATCH_MAX)):
        await _take_batch(books, batch, lines, now, report)
    return report


async def replay(books: Books, *, lines: Mapping[str, Line], now: datetime) -> Report:
    """Try what is in suspense again; what can be accounted for now leaves it. A line of a spool
    that could not be read is no leg, and waits for a person.
    """
    waiting = [one for one in await books.suspended() if one.reason != UNREADABLE]
    return await take(books, [leg_from(one) for one in waiting], lines=lines, now=now)


async def _take_batch(
    books: Books, legs: list[Leg], lines: Mapping[str, Line], now: datetime, report: Report
) -> None:
    held: list[Suspended] = []
    left: list[Leg] = []
    for leg in legs:
        reason = mediation.objection(leg, now=now)
        if reason is not None:
            held.append(suspended_leg(leg, reason))
        else:
            left.append(leg)
    done: list[Leg] = []
    for _ in range(ATTEMPTS):
        entries = await _entries(books, left, lines, held)
        outcomes = await books.settle(entries, now=now)
        again = set()
        for entry, outcome in zip(entries, outcomes, strict=True):
            assert entry.leg is not None
            if outcome is Outcome.CHANGED:
                again.add(entry.leg.key)
                continue
            done.append(entry.leg)
            report.settled += outcome is Outcome.SETTLED
            report.duplicates += outcome is Outcome.DUPLICATE
        left = [leg for leg in left if leg.key in again]
        if not left:
            break
    # A call that was extended all the while is tried again later, with everything else that waits.
    held += [suspended_leg(leg, SuspenseReason.STILL_CHANGING) for leg in left]
    await books.resume([leg.key for leg in done])
    await books.suspend(held, now=now)
    report.suspended.update(SuspenseReason(one.reason) for one in held)


async def _entries(
    books: Books, legs: list[Leg], lines: Mapping[str, Line], held: list[Suspended]
) -> list[Entry]:
    """Entries in the order in which the calls began; what cannot be one is added to `held`."""
    found = {one.attempt_id: one for one in await books.reservations([x.attempt_id for x in legs])}
    accounts = {line.account.name: line.account for line in lines.values()}
    tariff = Tariff(books)
    entries = []
    for leg in sorted(legs, key=lambda one: (one.setup, one.key)):
        reservation = found.get(leg.attempt_id)
        entry: Entry | SuspenseReason | RefusalReason = SuspenseReason.UNKNOWN_LINE
        if reservation is not None and pins(reservation):
            account = accounts.get(reservation.account)
            if account is not None:
                entry = pinned(leg, reservation, account)
        else:
            line = lines.get(leg.destination if leg.inbound else leg.caller)
            if line is not None and line.ingress == leg.ingress:
                entry = await tariff.rate(leg, line)
        if isinstance(entry, Entry):
            entries.append(entry)
        else:
            reason = _UNRATED[entry] if isinstance(entry, RefusalReason) else entry
            held.append(suspended_leg(leg, reason))
    return entries


def suspended_leg(leg: Leg, reason: SuspenseReason | RefusalReason) -> Suspended:
    """A leg as it waits; `leg_from` makes it one again."""
    record: dict[str, Any] = {
        "caller": leg.caller,
        "dialled": leg.dialled,
        "destination": leg.destination,
        "ingress": leg.ingress,
        "setup": leg.setup.isoformat(),
        "answered": None if leg.answered is None else leg.answered.isoformat(),
        "released": leg.released.isoformat(),
        "inbound": leg.inbound,
        "on_net": leg.on_net,
    }
    return Suspended(leg.source, leg.attempt_id, leg.leg, reason.value, record)


def leg_from(one: Suspended) -> Leg:
    """The leg that a record in suspense was."""
    record = dict(one.record)
    for name in ("setup", "answered", "released"):
        if record[name] is not None:
            record[name] = datetime.fromisoformat(record[name])
    return Leg(source=one.source, attempt_id=one.attempt_id, leg=one.leg, **record)
