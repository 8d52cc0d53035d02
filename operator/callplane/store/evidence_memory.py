"""Evidence without a database: the twin of `evidence_postgres`, beside books in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from callplane.billing.fees import Hosting
from callplane.billing.matching import PATIENCE, TOLERANCE, Candidate, Sighting, assign
from callplane.store.books_memory import MemoryBooks
from callplane.store.books_ports import Payer
from callplane.store.evidence_ports import ActiveUser, EvidenceState, StoredSighting


class MemoryEvidence:
    """`EvidenceBook` in dictionaries, about the calls of these books."""

    def __init__(self, books: MemoryBooks) -> None:
        self._books = books
        self._sources: dict[str, str] = {}
        self._kept: dict[tuple[str, str], StoredSighting] = {}
        self._positions: dict[str, str] = {}
        self._hosting: dict[tuple[str, datetime], Hosting] = {}
        self._active: dict[tuple[str, datetime], dict[tuple[str, str], ActiveUser]] = {}

    async def claim(
        self, ingresses: Sequence[str], source: str, *, now: datetime
    ) -> Mapping[str, str]:
        return {one: self._sources.setdefault(one, source) for one in ingresses}

    async def appoint(self, ingress: str, source: str, *, now: datetime) -> None:
        self._sources[ingress] = source

    async def charging_sources(self) -> Mapping[str, str]:
        return dict(sorted(self._sources.items()))

    async def keep(self, sightings: Sequence[Sighting], *, now: datetime) -> int:
        before = len(self._kept)
        for one in sightings:
            key = (one.source, one.external_id)
            self._kept.setdefault(key, StoredSighting(one, EvidenceState.OPEN))
        return len(self._kept) - before

    async def match(self, *, now: datetime) -> int:
        found = assign([pair async for pair in self._candidates()])
        for key, leg in found.items():
            self._kept[key] = replace(self._kept[key], state=EvidenceState.CONFIRMED, leg=leg)
        for key, stored in self._kept.items():
            late = stored.sighting.setup < now - PATIENCE
            if stored.state is EvidenceState.OPEN and late:
                self._kept[key] = replace(stored, state=EvidenceState.MISSING_CDR)
        return len(found)

    async def _candidates(self) -> AsyncIterator[Candidate]:
        waiting = [s for s in self._kept.values() if s.state is not EvidenceState.CONFIRMED]
        confirmed = {(s.sighting.source, s.leg) for s in self._kept.values() if s.leg}
        for month in await self._books.months():
            for call in await self._books.calls(month.account, month.period_start):
                leg = (call.source, call.attempt_id, call.leg)
                holder, other = call.caller, call.destination
                if call.inbound:
                    holder, other = other, holder
                for one in (stored.sighting for stored in waiting):
                    apart = abs((call.setup - one.setup).total_seconds())
                    if (
                        holder == one.holder != ""
                        and call.inbound is one.inbound
                        and call.source != one.source
                        and apart <= TOLERANCE.total_seconds()
                        and (one.source, leg) not in confirmed
                    ):
                        longer = abs(call.duration_seconds - one.duration_seconds)
                        key = (one.source, one.external_id)
                        yield Candidate(key, leg, other == one.other, apart, longer)

    async def sightings(
        self, state: EvidenceState | None = None, *, limit: int = 1_000
    ) -> tuple[StoredSighting, ...]:
        found = [one for one in self._kept.values() if state in (None, one.state)]
        found.sort(key=lambda s: (s.sighting.setup, s.sighting.source, s.sighting.external_id))
        return tuple(found[:limit])

    async def note_active(
        self, payer: Payer, users: Sequence[ActiveUser], *, now: datetime
    ) -> None:
        month = self._active.setdefault((payer.account, payer.period.start), {})
        for one in users:
            known = month.setdefault((one.platform.value, one.identity), one)
            if known.users < one.users:
                month[(one.platform.value, one.identity)] = replace(known, users=one.users)

    async def active_users(self, account: str, period_start: datetime) -> tuple[ActiveUser, ...]:
        month = self._active.get((account, period_start), {})
        return tuple(one for _, one in sorted(month.items()))

    async def note_hosting(self, payer: Payer, hosting: Hosting, *, now: datetime) -> None:
        key = (payer.account, payer.period.start)
        known = self._hosting.get(key, Hosting())
        numbers = {one.number: one for one in known.numbers}
        for one in hosting.numbers:
            byoc = one.byoc and numbers.get(one.number, one).byoc
            numbers[one.number] = replace(one, byoc=byoc)
        self._hosting[key] = Hosting(
            tuple(numbers[number] for number in sorted(numbers)),
            known.has_bolt_on or hosting.has_bolt_on,
        )

    async def hosting(self, account: str, period_start: datetime) -> Hosting | None:
        return self._hosting.get((account, period_start))

    async def position(self, feed: str) -> str | None:
        return self._positions.get(feed)

    async def remember(self, feed: str, position: str, *, now: datetime) -> None:
        self._positions[feed] = position

    async def redact(self, *, before: datetime) -> int:
        count = 0
        for key, stored in self._kept.items():
            seen = stored.sighting
            if seen.setup < before and (seen.holder or seen.other):
                bare = replace(seen, holder="", other="")
                self._kept[key] = replace(stored, sighting=bare)
                count += 1
        return count
