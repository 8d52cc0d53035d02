"""A leg becomes an entry of the books: the one rule for records of an SBC and for files.

What was pinned at the set-up of a call counts as long as its reservation means anything: also after
it expired, for what was presumed then is taken back in its own month, and after it was posted, for
a copy of a record must not be rated as another call. Only a reservation that was given back pins
nothing: whatever took place after that is rated from the tariff of now.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from callplane.billing import rating
from callplane.billing.mediation import Leg
from callplane.billing.quotes import RefusalReason
from callplane.billing.settlement import settle
from callplane.billing.terms import AccountTerms, Line
from callplane.store.books_ports import Books, Entry, Payer, Reservation, ReservationState
from callplane.values import Period


def pins(reservation: Reservation | None) -> bool:
    """Does the reservation say how its call is settled?"""
    return reservation is not None and reservation.state is not ReservationState.VOIDED


def pinned(leg: Leg, reservation: Reservation, account: AccountTerms) -> Entry:
    """Settled by what was pinned. `account` is the reservation's, whoever its line is now."""
    period = Period.of(reservation.period_start, account.zone)
    granted = reservation.granted
    return Entry(
        attempt_id=leg.attempt_id,
        payer=Payer(reservation.account, account.currency, period, reservation.day),
        line=reservation.line,
        mode=reservation.mode,
        settlement=settle(
            leg.duration_seconds, granted, pool=reservation.pool, price=reservation.price
        ),
        leg=leg,
        price=reservation.price,
        granted_seconds=granted.seconds,
    )


def by_tariff(leg: Leg, line: Line, payer: Payer, *, free_seconds: int) -> Entry | RefusalReason:
    """Rated by the tariff, while so much of the pool is free."""
    call = rating.Call(
        leg.destination,
        leg.setup,
        leg.duration_seconds,
        inbound=leg.inbound,
        byoc=line.byoc,
        on_net=leg.on_net,
    )
    rated = rating.rate(call, account=line.account, plan=line.plan, free_seconds=free_seconds)
    if isinstance(rated, RefusalReason):
        return rated
    return Entry(leg.attempt_id, payer, line.name, rated.mode, rated.settlement, leg, rated.price)


@dataclass(frozen=True, slots=True)
class Tariff:
    """Rates the legs of one batch in the order in which they are given: each finds in the pool what
    those before have left.
    """

    books: Books
    now: datetime
    _free_seconds: dict[tuple[str, datetime], int] = field(default_factory=dict)
    _payers: dict[tuple[str, int], Payer] = field(default_factory=dict)

    async def look_up(self, calls: Iterable[tuple[Leg, Line]]) -> None:
        """Read the pools of many calls to be rated in one question."""
        wanted: dict[tuple[str, datetime], Payer] = {}
        for leg, line in calls:
            if line.plan is not None:
                payer = self._payer(leg, line)
                wanted[(payer.account, payer.period.start)] = payer
        missing = [key for key in wanted if key not in self._free_seconds]
        if missing:
            found = await self.books.free_seconds([wanted[key] for key in missing], now=self.now)
            self._free_seconds.update(zip(missing, found, strict=True))

    async def rate(self, leg: Leg, line: Line) -> Entry | RefusalReason:
        payer, free_seconds = self._payer(leg, line), 0
        key = (payer.account, payer.period.start)
        if line.plan is not None:
            if key not in self._free_seconds:
                await self.look_up([(leg, line)])
            free_seconds = self._free_seconds[key]
        entry = by_tariff(leg, line, payer, free_seconds=free_seconds)
        if isinstance(entry, Entry) and entry.settlement.pool_seconds:
            self._free_seconds[key] -= entry.settlement.pool_seconds
        return entry

    def _payer(self, leg: Leg, line: Line) -> Payer:
        account = line.account
        # Days and months begin on quarters of an hour, whatever the zone.
        key = (account.name, int(leg.setup.timestamp()) // 900)
        payer = self._payers.get(key)
        if payer is None:
            payer = Payer.at(account.name, account.currency, account.zone, leg.setup)
            self._payers[key] = payer
        return payer
