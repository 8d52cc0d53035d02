"""Logs of calls that other systems keep, read on and on as evidence beside the books.

Each pass reads one window from where the last one ended, less the time that rows may come late;
what was there before is kept once. Where a log does not show our number, the snapshot says whose
the user's id is. Calls of people who are no line of ours are none of our business.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from callplane.billing.matching import Sighting
from callplane.clock import Clock
from callplane.providers.call_reports import CallReports, ReportedCall
from callplane.store.evidence_ports import EvidenceBook
from callplane.values import E164

log = logging.getLogger(__name__)


@dataclass(slots=True)
class ReadSoFar:
    """What one pass found."""

    calls: int = 0
    new: int = 0
    bad_rows: int = 0
    confirmed: int = 0


@dataclass(frozen=True, slots=True)
class EvidenceReader:
    """Reads the log of one connection. `number_of` finds the number of a user by the system's id,
    empty for nobody's; `is_line` knows the numbers whose calls are charged here.
    """

    reports: CallReports
    evidence: EvidenceBook
    clock: Clock
    connection: str
    number_of: Callable[[str], str]
    is_line: Callable[[E164], bool]

    @property
    def feed(self) -> str:
        return f"{self.reports.source}:{self.connection}"

    async def step(self) -> tuple[ReadSoFar, float]:
        """One window; what was found, and the pause before the next one in seconds.

        Raises ProviderError and StoreUnavailable, with the place to go on from unmoved.
        """
        terms, now = self.reports.terms, self.clock.now()
        youngest = now - terms.lag
        known = await self.evidence.position(self.feed)
        begin = youngest if known is None else datetime.fromisoformat(known)
        # What was read before is read again as far back as rows may come late, and half a window
        # at most, so that each pass gets on.
        start = max(begin - min(terms.overlap, terms.window / 2), now - terms.oldest)
        end = min(youngest, start + terms.window)
        found = ReadSoFar()
        if end > start:
            async for page in self.reports.pages(start, end):
                found.bad_rows += page.bad_rows
                seen = [one for call in page.calls if (one := self._sighting(call)) is not None]
                found.calls += len(page.calls)
                if seen:
                    found.new += await self.evidence.keep(seen, now=now)
            await self.evidence.remember(self.feed, end.isoformat(), now=now)
        found.confirmed = await self.evidence.match(now=now)
        if found.bad_rows:
            log.warning("%s: %d rows could not be read", self.feed, found.bad_rows)
        return found, terms.pause_seconds

    def _sighting(self, call: ReportedCall) -> Sighting | None:
        text = self.number_of(call.holder_id) if call.holder_id else ""
        try:
            holder = E164(text or call.holder)
        except ValueError:
            return None
        if not self.is_line(holder):
            return None
        return Sighting(
            source=self.feed,
            external_id=call.external_id,
            ingress=self.connection,
            inbound=call.inbound,
            holder=holder.text,
            other=call.other,
            setup=call.setup,
            duration_seconds=call.duration_seconds,
        )
