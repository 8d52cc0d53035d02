"""Call records into the books: each leg accounted for once, or kept in suspense with its reason.

A leg with a reservation is settled by what was pinned at its set-up; any other is rated from the
tariff, and draws from the pool what is there. Feeds may hand in the same leg as often as they
like. What a feed says about an ingress that another one charges is evidence, and charges nothing.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any
from zlib import crc32

from callplane.billing import mediation
from callplane.billing.decision import service_dialled
from callplane.billing.matching import family, sighting_of
from callplane.billing.mediation import Leg, SuspenseReason
from callplane.billing.quotes import RefusalReason
from callplane.billing.terms import Line
from callplane.callcontrol.settling import Tariff, pinned, pins
from callplane.store.books_ports import Books, Entry, Outcome, Suspended
from callplane.store.evidence_ports import EvidenceBook

#: Larger batches make live reservations wait for their accounts.
BATCH_MAX = 500
#: So many batches at once, of different accounts: one is rated while another is written.
LANES = 2
ATTEMPTS = 3
#: The reason of a record whose line could not be read.
UNREADABLE = "Unreadable"

_UNRATED = {
    RefusalReason.NO_PLAN: SuspenseReason.NO_PLAN,
    RefusalReason.NO_RATE: SuspenseReason.NO_RATE,
}


@dataclass(slots=True)
class Report:
    """What became of the legs: settled, duplicates, evidence, and those in suspense by reason."""

    settled: int = 0
    duplicates: int = 0
    evidence: int = 0
    suspended: Counter[SuspenseReason] = field(default_factory=Counter)


async def take(  # noqa: PLR0913 - what intake depends on, all named
    books: Books,
    legs: Sequence[Leg],
    *,
    lines: Mapping[str, Line],
    now: datetime,
    evidence: EvidenceBook | None = None,
    batch_max: int = BATCH_MAX,
) -> Report:
    """Account for legs. `lines` are found by the number that called, or that was called.

    With `evidence`, the first feed of an ingress charges it and legs of all others are kept there;
    without, every leg is charged.
    """
    report = Report()
    if evidence is not None:
        legs = await _charging(books, legs, evidence, now, report)
    lanes: list[list[Leg]] = [[] for _ in range(LANES)]
    for leg in legs:
        line = _line(leg, lines)
        # Calls of one account go one after the other: each finds what those before have left.
        name = leg.attempt_id if line is None else line.account.name
        lanes[crc32(name.encode()) % LANES].append(leg)
    found = await asyncio.gather(
        *(_take_lane(books, lane, lines, now, batch_max) for lane in lanes if lane)
    )
    for one in found:
        report.settled += one.settled
        report.duplicates += one.duplicates
        report.suspended.update(one.suspended)
    if evidence is not None:
        await evidence.match(now=now)
    return report


async def _charging(
    books: Books, legs: Sequence[Leg], evidence: EvidenceBook, now: datetime, report: Report
) -> list[Leg]:
    """Those that their feed charges; all others are kept as evidence, unless nobody believes them
    and they wait in suspense.
    """
    sources: dict[str, str] = {}
    by_source: dict[str, set[str]] = defaultdict(set)
    for leg in legs:
        by_source[leg.source].add(leg.ingress)
    for source, ingresses in by_source.items():
        sources.update(await evidence.claim(sorted(ingresses), source, now=now))
    own: list[Leg] = []
    others: list[Leg] = []
    for leg in legs:
        charged = family(sources[leg.ingress]) == family(leg.source)
        is_ours = charged or mediation.objection(leg, now=now) is not None
        (own if is_ours else others).append(leg)
    for start in range(0, len(others), BATCH_MAX):
        batch = others[start : start + BATCH_MAX]
        report.evidence += await evidence.keep(list(map(sighting_of, batch)), now=now)
        # What had to wait before another feed was appointed does so no more.
        await books.resume([leg.key for leg in batch])
    return own


async def _take_lane(
    books: Books, legs: list[Leg], lines: Mapping[str, Line], now: datetime, batch_max: int
) -> Report:
    report, waiting = Report(), iter(legs)
    while batch := list(islice(waiting, batch_max)):
        await _take_batch(books, batch, lines, now, report)
    return report


def _line(leg: Leg, lines: Mapping[str, Line]) -> Line | None:
    return lines.get(leg.destination if leg.inbound else leg.caller)


async def replay(
    books: Books,
    *,
    lines: Mapping[str, Line],
    now: datetime,
    evidence: EvidenceBook | None = None,
) -> Report:
    """Try what is in suspense again; what can be accounted for now leaves it. A line of a spool
    that could not be read is no leg, and waits for a person.
    """
    waiting = [one for one in await books.suspended() if one.reason != UNREADABLE]
    legs = [leg_from(one) for one in waiting]
    return await take(books, legs, lines=lines, now=now, evidence=evidence)


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
    left = await _unknown(books, left, report)
    for _ in range(ATTEMPTS):
        entries = await _entries(books, left, lines, held, report, now)
        outcomes = await books.settle(entries, now=now)
        left = []
        for entry, outcome in zip(entries, outcomes, strict=True):
            assert entry.leg is not None
            if outcome is Outcome.CHANGED:
                left.append(entry.leg)
                continue
            report.settled += outcome is Outcome.SETTLED
            report.duplicates += outcome is Outcome.DUPLICATE
        if not left:
            break
    # A call that was extended all the while is tried again later, with everything else that waits.
    held += [suspended_leg(leg, SuspenseReason.STILL_CHANGING) for leg in left]
    if held:
        await books.suspend(held, now=now)
    report.suspended.update(SuspenseReason(one.reason) for one in held)


async def _unknown(books: Books, legs: list[Leg], report: Report) -> list[Leg]:
    """Those that the books do not know yet: what is charged already must not take from the pool
    what is there for others of its batch.
    """
    known = await books.known([leg.key for leg in legs])
    if not known:
        return legs
    report.duplicates += sum(leg.key in known for leg in legs)
    # Nothing waits that is accounted for.
    await books.resume(sorted(known))
    return [leg for leg in legs if leg.key not in known]


async def _entries(  # noqa: PLR0913 - what a batch is rated by, all named
    books: Books,
    legs: list[Leg],
    lines: Mapping[str, Line],
    held: list[Suspended],
    report: Report,
    now: datetime,
) -> list[Entry]:
    """Entries in the order in which the calls began, each leg once; what cannot be one is added to
    `held`.
    """
    found = {one.attempt_id: one for one in await books.reservations([x.attempt_id for x in legs])}
    accounts = {line.account.name: line.account for line in lines.values()} if found else {}
    tariff = Tariff(books, now)
    await tariff.look_up(
        (leg, line)
        for leg in legs
        if leg.attempt_id not in found and (line := _line(leg, lines)) is not None
    )
    entries = []
    rated: set[tuple[str, str, str]] = set()
    for leg in sorted(legs, key=lambda one: (one.setup, one.key)):
        if leg.key in rated:
            report.duplicates += 1
            continue
        reservation = found.get(leg.attempt_id)
        entry: Entry | SuspenseReason | RefusalReason = SuspenseReason.UNKNOWN_LINE
        if reservation is not None and pins(reservation):
            account = accounts.get(reservation.account)
            if account is not None:
                entry = pinned(leg, reservation, account)
        else:
            line = _line(leg, lines)
            if line is not None and _may_be_of(leg, line):
                entry = await tariff.rate(leg, line)
        if isinstance(entry, Entry):
            entries.append(entry)
            rated.add(leg.key)
        else:
            reason = _UNRATED[entry] if isinstance(entry, RefusalReason) else entry
            held.append(suspended_leg(leg, reason))
    return entries


def _may_be_of(leg: Leg, line: Line) -> bool:
    """Nobody is charged for what came by another connection than his. What is never charged came by
    a carrier, or shows the number of its site.
    """
    return (
        line.ingress == leg.ingress or leg.inbound or service_dialled(leg.destination) is not None
    )


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
