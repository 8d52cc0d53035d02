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
            payer = await self._payer(reservation)
            if payer is None:
                log.error("an account has no such month attempt=%s", reservation.attempt_id)
            else:
                entries.append(_presumed(reservation, payer))
        if entries:
            await self.books.settle(entries, now=self.clock.now())
        return len(due)

    async def _payer(self, reservation: Reservation) -> Payer | None:
        """Whose month holds it. An account that is not declared any more still has its months."""
        name, start, day = reservation.account, reservation.period_start, reservation.day
        account = self.directory.account(name)
        if account is not None:
            return Payer(name, account.currency, Period.of(start, account.zone), day)
        for month in await self.books.months(name):
            if month.period_start == start:
                period = Period(day.year, day.month, "UTC", start, month.period_end)
                return Payer(name, month.currency, period, day)
        return None


def _presumed(reservation: Reservation, payer: Payer) -> Entry:
    answered = reservation.answered_at or reservation.seen_at
    seconds = Seconds.between(answered, reservation.seen_at).count
    granted = reservation.granted
    return Entry(
        attempt_id=reservation.attempt_id,
        payer=payer,
        line=reservation.line,
        mode=reservation.mode,
        settlement=settle(
            min(seconds, granted.seconds), granted, pool=reservation.pool, price=reservation.price
        ),
        leg=None,
        price=reservation.price,
        granted_seconds=granted.seconds,
    )
