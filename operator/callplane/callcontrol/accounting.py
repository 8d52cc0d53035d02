"""The record book over the books: each call of the SBC is settled once, or waits with a reason.

A call with a reservation is settled by what was pinned at its set-up. One without (an outage,
emergency, exempt, inbound, on-net), or whose reservation was given back before, is rated by what is
true now.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from callplane.billing import mediation
from callplane.billing.matching import family
from callplane.billing.mediation import Leg, SuspenseReason
from callplane.billing.quotes import RefusalReason
from callplane.billing.terms import Line
from callplane.callcontrol.directory import Directory
from callplane.callcontrol.intake import UNREADABLE, suspended_leg
from callplane.callcontrol.messages import CallRecord
from callplane.callcontrol.settling import Tariff, pinned, pins
from callplane.clock import Clock
from callplane.numbering.destinations import destination_of
from callplane.store.books_ports import Books, Entry, Outcome, Reservation, Suspended
from callplane.store.evidence_ports import EvidenceBook
from callplane.store.ports import StoreUnavailable

SOURCE: Final = "sbc"
#: A grant may grow between reading and settling; more often than this it does not.
ATTEMPTS_MAX: Final = 5


class NotSettled(Exception):
    """A call's grant kept changing; its record stays where it came from."""


@dataclass(frozen=True, slots=True)
class BooksRecordBook:
    """Settles records of one SBC. `source` keeps two SBCs' legs apart, as in `sbc:london`.

    With `evidence`, the SBC claims every ingress that it sees; records of one whose calls another
    feed was appointed to charge wait in suspense, and what was held for these calls is let go: it
    would be charged as presumed beside the other feed's charge.
    """

    books: Books
    directory: Directory
    clock: Clock
    source: str = SOURCE
    evidence: EvidenceBook | None = None
    _own: set[str] = field(default_factory=set)

    async def post(self, records: Sequence[CallRecord]) -> None:
        if not self.directory.is_known:
            # It would be nobody's; whoever brings it keeps it until the tables were read.
            raise StoreUnavailable("the tables were not read yet")
        waiting = list({record.attempt_id: record for record in records}.values())
        for _ in range(ATTEMPTS_MAX):
            waiting = await self._settle(waiting)
            if not waiting:
                return
        raise NotSettled(f"{len(waiting)} calls are being extended all the time")

    async def suspend(self, line: str, problem: str) -> None:
        # The line is its own key: the same line again is the same record.
        key = f"unreadable-{hashlib.sha256(line.encode()).hexdigest()[:32]}"
        record = {"line": line, "problem": problem}
        kept = Suspended(self.source, key, "1", UNREADABLE, record)
        await self.books.suspend([kept], now=self.clock.now())

    async def _settle(self, records: Sequence[CallRecord]) -> list[CallRecord]:
        """Settle what can be; those whose grant changed meanwhile come back."""
        held = {
            reservation.attempt_id: reservation
            for reservation in await self.books.reservations([one.attempt_id for one in records])
        }
        records = await self._unsettled(records, held)
        await self._claim(records)
        entries: list[Entry] = []
        settled: list[CallRecord] = []
        suspended: list[Suspended] = []
        tariff = Tariff(self.books, self.clock.now())
        for record in sorted(records, key=lambda one: (one.answered_at, one.attempt_id)):
            entry = await self._entry(record, held.get(record.attempt_id), tariff)
            if isinstance(entry, Entry):
                entries.append(entry)
                settled.append(record)
                continue
            reservation = held.get(record.attempt_id)
            is_held = reservation is not None and reservation.state.is_live
            if entry is SuspenseReason.OTHER_FEED and is_held:
                await self.books.void(record.attempt_id)
            suspended.append(suspended_leg(self._leg(record), entry))
        now = self.clock.now()
        if suspended:
            await self.books.suspend(suspended, now=now)
        outcomes = await self.books.settle(entries, now=now) if entries else ()
        return [
            record
            for record, outcome in zip(settled, outcomes, strict=True)
            if outcome is Outcome.CHANGED
        ]

    async def _unsettled(
        self, records: Sequence[CallRecord], held: Mapping[str, Reservation]
    ) -> list[CallRecord]:
        """Each record once, without those that are in the books and that no reservation pins: such
        a copy charges nothing, and must not take the pool from the calls rated after it.
        """
        once = {self._leg(record).key: record for record in records}
        unheld = [
            key
            for key, record in once.items()
            if (one := held.get(record.attempt_id)) is None or not pins(one)
        ]
        known = await self.books.known(unheld) if unheld else frozenset()
        if known:
            await self.books.resume(sorted(known))
        return [record for key, record in once.items() if key not in known]

    async def _claim(self, records: Sequence[CallRecord]) -> None:
        if self.evidence is None:
            return
        # Asked with each batch: another feed may have been appointed since the last one.
        asked = {record.ingress for record in records}
        found = await self.evidence.claim(sorted(asked), self.source, now=self.clock.now())
        self._own.difference_update(asked)
        self._own.update(one for one in asked if family(found[one]) == family(self.source))

    async def _entry(
        self, record: CallRecord, reservation: Reservation | None, tariff: Tariff
    ) -> Entry | SuspenseReason | RefusalReason:
        leg = self._leg(record)
        objection = mediation.objection(leg, now=self.clock.now())
        if objection is not None:
            return objection
        if self.evidence is not None and record.ingress not in self._own:
            return SuspenseReason.OTHER_FEED
        if reservation is not None and pins(reservation):
            # Of a call that was asked about the payer was chosen then, whoever its line is now.
            account = self.directory.account(reservation.account)
            if account is None:
                return SuspenseReason.UNKNOWN_LINE
            return pinned(leg, reservation, account)
        line = self._line(record)
        if line is None:
            return SuspenseReason.UNKNOWN_LINE
        return await tariff.rate(leg, line)

    def _line(self, record: CallRecord) -> Line | None:
        """Who pays: the caller's line, or of an inbound call the line of the number called."""
        number = record.dialled if record.call_class == "inbound" else record.caller
        return self.directory.line_of(number)

    def _leg(self, record: CallRecord) -> Leg:
        return Leg(
            source=self.source,
            attempt_id=record.attempt_id,
            leg="1",
            caller=destination_of(record.caller),
            dialled=record.dialled,
            destination=destination_of(record.dialled),
            ingress=record.ingress,
            # The SBC's record begins with the answer; period and price of a reserved call were
            # pinned at its set-up.
            setup=record.answered_at,
            answered=record.answered_at,
            released=record.released_at,
            inbound=record.call_class == "inbound",
            on_net=self._is_on_net(record),
        )

    def _is_on_net(self, record: CallRecord) -> bool:
        """Did it go to a number of ours and was allowed as such? One that this SBC has no way to,
        since it is at another SBC or in a cloud, leaves by a carrier all the same.
        """
        if record.call_class == "outbound" and not record.reservation_id:
            return self.directory.is_ours(destination_of(record.dialled))
        return record.call_class == "on-net"
