"""What is held for calls that nobody heard of again is let go, within a minute after its time.

A call that was never answered held something for nothing. One that was answered is charged up to
its last proof of life, as presumed; its record, whenever it comes, takes the place of that.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import Final

from callplane.billing.settlement import settle
from callplane.callcontrol.directory import Directory
from callplane.clock import Clock
from callplane.store.books_ports import Books, Entry, Payer, Reservation, ReservationState
from callplane.values import Period, Seconds

PAUSE_SECONDS: Final = 60.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Reaper:
    """One is enough for all SBCs, and several do no harm: the books let each go once."""

    books: Books
    directory: Directory
    clock: Clock
    pause_seconds: float = PAUSE_SECONDS

    async def run(self) -> None:
        """Reap until cancelled."""
        while True:
            try:
                await self.step()
            except Exception:
                log.exception("reservations could not be looked through")
            await asyncio.sleep(self.pause_seconds)

    async def step(self) -> int:
        """Let go what is due now; how many. Raises StoreUnavailable."""
        due = await self.books.due(now=self.clock.now())
        entries = []
        for reservation in due:
            if reservation.state is ReservationState.HELD:
                await self.books.void(reservation.attempt_id)
                continue
            entry = self._presumed(reservation)
            if entry is None:
                log.error("an account is not known any more attempt=%s", reservation.attempt_id)
            else:
                entries.append(entry)
        if entries:
            await self.books.settle(entries, now=self.clock.now())
        return len(due)

    def _presumed(self, reservation: Reservation) -> Entry | None:
        account = self.directory.account(reservation.account)
        if account is None:
            return None
        answered = reservation.answered_at or reservation.seen_at
        seconds = Seconds.between(answered, reservation.seen_at).count
        granted = reservation.granted
        period = Period.of(reservation.period_start, account.zone)
        return Entry(
            attempt_id=reservation.attempt_id,
            payer=Payer(reservation.account, account.currency, period, reservation.day),
            line=reservation.line,
            mode=reservation.mode,
            settlement=settle(
                min(seconds, granted.seconds),
                granted,
                pool=reservation.pool,
                price=reservation.price,
            ),
            leg=None,
            price=reservation.price,
            granted_seconds=granted.seconds,
        )
