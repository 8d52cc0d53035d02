"""The books without a database: the twin of `books_postgres`, for tests and what-ifs.

What the database's functions do under the row's lock happens here between two awaits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from callplane.billing import entitlements, postings
from callplane.billing.clip import Grant, first_grant, next_grant
from callplane.billing.counters import Counters, LineCounters
from callplane.billing.mediation import Leg
from callplane.billing.postings import Posting
from callplane.billing.quotes import Quote, RefusalReason
from callplane.billing.settlement import Settlement
from callplane.billing.statements import CLOSING_HOURS
from callplane.billing.terms import Limits
from callplane.store.books_ports import (
    SUSPENDED_DIGITS,
    AccountMonth,
    CallRow,
    ClosedStatement,
    Closing,
    Entry,
    Outcome,
    Payer,
    PlanHolder,
    Reservation,
    ReservationState,
    Reserve,
    StoredPosting,
    Suspended,
)
from callplane.store.ports import StoreUnavailable

MINUTE = timedelta(minutes=1)
CLOSING = timedelta(hours=CLOSING_HOURS)
#: A statement is made of these; when they are others by now it is made again.
CLOSED_COUNTERS = ("entitlement_seconds", "used_seconds", "grace_used_seconds", "posted_micros")


@dataclass(slots=True)
class _Month:
    payer: Payer
    counters: Counters = field(default_factory=Counters)
    brought: dict[str, int] = field(default_factory=dict)
    #: The plan that each holder brought last: the highest so far.
    plans: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class _Held:
    row: Reservation
    quote: Quote
    reserved_at: datetime
    presumed: Settlement | None = None


class MemoryBooks:
    """`Books` in dictionaries. `available = False` makes every method raise StoreUnavailable."""

    def __init__(self) -> None:
        self.available = True
        self._months: dict[tuple[str, datetime], _Month] = {}
        self._holders: dict[str, list[PlanHolder]] = {}
        self._held: dict[str, _Held] = {}
        self._legs: set[tuple[str, str, str]] = set()
        self._postings: list[tuple[str, datetime, StoredPosting]] = []
        self._calls: list[tuple[str, datetime, CallRow]] = []
        #: What waits, and since when.
        self._suspended: dict[tuple[str, str, str], tuple[Suspended, datetime]] = {}
        self._closed: dict[tuple[str, datetime], ClosedStatement] = {}

    async def set_plans(
        self, payer: Payer, holders: Sequence[PlanHolder], *, now: datetime
    ) -> None:
        month = self._month(payer, now)
        self._holders[payer.account] = list(holders)
        self._entitle(month, now)

    async def counters(self, payer: Payer) -> Counters:
        return self._month(payer, payer.period.start).counters.on_day(payer.day)

    async def free_seconds(self, payers: Sequence[Payer], *, now: datetime) -> tuple[int, ...]:
        self._open_past(payers, now)
        return tuple([(await self.counters(one)).free_seconds for one in payers])

    async def line_counters(self, account: str, line: str, *, now: datetime) -> LineCounters:
        self._ask()
        return self._line(account, line, now)

    async def reserve(self, request: Reserve) -> Grant | RefusalReason:
        month = self._month(request.payer, request.now)
        known = self._held.get(request.attempt_id)
        if known is not None:
            is_live = known.row.state.is_live
            return known.row.granted if is_live else RefusalReason.ATTEMPT_OVER
        counters = month.counters.on_day(request.payer.day)
        elsewhere = sum(
            other.counters.live_calls
            for (account, _), other in self._months.items()
            if account == request.payer.account and other is not month
        )
        everywhere = replace(counters, live_calls=counters.live_calls + elsewhere)
        line = self._line(request.payer.account, request.line, request.now)
        granted = first_grant(request.quote, everywhere, line)
        if isinstance(granted, RefusalReason):
            return granted
        assert counters.day is not None
        row = Reservation(
            attempt_id=request.attempt_id,
            account=request.payer.account,
            period_start=request.payer.period.start,
            day=counters.day,
            line=request.line,
            mode=request.quote.mode,
            state=ReservationState.HELD,
            granted=Grant(),
            pool=request.quote.pool,
            price=request.quote.price,
            answered_at=None,
            seen_at=request.now,
            expires_at=request.expires_at,
        )
        held = self._held[request.attempt_id] = _Held(row, request.quote, request.now)
        month.counters = replace(counters, live_calls=counters.live_calls + 1)
        self._hold(held, granted)
        return granted

    async def extend(
        self, attempt_id: str, limits: Limits, *, now: datetime, expires_at: datetime
    ) -> Grant | None:
        held = self._live(attempt_id)
        if held is None:
            return None
        quote = replace(held.quote, limits=limits)
        granted = next_grant(quote, self._month_of(held.row).counters, held.row.granted)
        self._hold(held, granted)
        held.row = replace(held.row, seen_at=now, expires_at=expires_at)
        return granted

    async def answered(self, attempt_id: str, *, at: datetime, expires_at: datetime) -> bool:
        held = self._live(attempt_id)
        if held is None:
            return False
        held.row = replace(
            held.row,
            state=ReservationState.ACTIVE,
            answered_at=held.row.answered_at or at,
            seen_at=at,
            expires_at=expires_at,
        )
        return True

    async def void(self, attempt_id: str) -> bool:
        held = self._live(attempt_id)
        if held is not None:
            self._let_go(held, ReservationState.VOIDED)
        return held is not None

    async def reservations(self, attempt_ids: Sequence[str]) -> tuple[Reservation, ...]:
        self._ask()
        return tuple(self._held[key].row for key in sorted(set(attempt_ids)) if key in self._held)

    async def due(self, *, now: datetime, limit: int = 500) -> tuple[Reservation, ...]:
        self._ask()
        late = [
            held.row
            for held in self._held.values()
            if held.row.state.is_live and held.row.expires_at <= now
        ]
        return tuple(sorted(late, key=lambda row: (row.expires_at, row.attempt_id))[:limit])

    async def settle(self, entries: Sequence[Entry], *, now: datetime) -> tuple[Outcome, ...]:
        self._ask()
        self._open_past([entry.payer for entry in entries], now)
        return tuple([self._settle(entry, now) for entry in entries])

    def _settle(self, entry: Entry, now: datetime) -> Outcome:
        month = self._month(entry.payer, now)
        held = self._held.get(entry.attempt_id)
        if held is not None and (held.row.account, held.row.period_start) != (
            entry.payer.account,
            entry.payer.period.start,
        ):
            held = None
        is_secured = held is not None and held.row.state.is_live
        if entry.leg is None and not is_secured:
            return Outcome.GONE
        if is_secured and held and held.row.granted.seconds != entry.granted_seconds:
            return Outcome.CHANGED
        has_record = any(attempt_id == entry.attempt_id for _, attempt_id, _ in self._legs)
        if entry.leg is None and held is not None and has_record:
            # Its record was here before its reservation: nothing has to stand in for it.
            self._let_go(held, ReservationState.VOIDED)
            return Outcome.GONE
        if entry.leg is not None:
            self._suspended.pop(entry.leg.key, None)
            if entry.leg.key in self._legs:
                return Outcome.DUPLICATE
            self._legs.add(entry.leg.key)
        bears = self._bearing(month, now)
        done, day = entry.settlement, entry.payer.day if held is None else held.row.day
        if held is not None and is_secured:
            ended = ReservationState.EXPIRED if entry.leg is None else ReservationState.POSTED
            self._let_go(held, ended)
        elif held is not None and held.row.state is ReservationState.EXPIRED:
            self._take_back(held, month, bears, now)
        if not is_secured:
            left = max(0, month.counters.free_seconds)
            done = replace(done, pool_seconds=min(done.pool_seconds, left))
        self._use(month, bears, done, day, secured=is_secured, sign=1)
        if entry.leg is None and held is not None:
            held.presumed = done
        elif entry.leg is not None:
            self._keep_call(entry, entry.leg, done, bears, was_reserved=is_secured)
        for posting in postings.of_call(
            entry.payer.account,
            entry.attempt_id,
            done,
            currency=entry.payer.currency,
            presumed=entry.leg is None,
        ):
            self._post_of(month, bears, posting, now)
        return Outcome.SETTLED

    def _keep_call(
        self, entry: Entry, leg: Leg, done: Settlement, bears: _Month, *, was_reserved: bool
    ) -> None:
        not_drawn = entry.settlement.pool_seconds - done.pool_seconds
        row = CallRow(
            source=leg.source,
            attempt_id=leg.attempt_id,
            leg=leg.leg,
            line=entry.line,
            caller=leg.caller,
            destination=leg.destination,
            setup=leg.setup,
            duration_seconds=done.duration_seconds,
            mode=entry.mode,
            pool_seconds=done.pool_seconds,
            grace_seconds=done.grace_seconds,
            uncharged_seconds=done.slack_seconds + done.overrun_seconds + not_drawn,
            charge_micros=done.charge_micros,
            was_reserved=was_reserved,
            price=entry.price,
            inbound=leg.inbound,
            adjusts=_adjusted(entry.payer.period.start, bears),
        )
        self._calls.append((entry.payer.account, bears.payer.period.start, row))

    async def close_month(self, closing: Closing, *, now: datetime) -> ClosedStatement | None:
        month = self._month(closing.payer, now)
        key = (closing.payer.account, closing.payer.period.start)
        if key in self._closed:
            return self._closed[key]
        seen, made_of = month.counters, closing.counters
        if now < closing.payer.period.end + CLOSING or any(
            getattr(seen, name) != getattr(made_of, name) for name in CLOSED_COUNTERS
        ):
            return None
        self._month(replace(closing.payer, period=closing.payer.period.following), now)
        closed = ClosedStatement(
            account=closing.payer.account,
            period_start=closing.payer.period.start,
            number=len(self._closed) + 1,
            digest=closing.digest,
            closed_at=now,
            document=closing.document,
        )
        self._closed[key] = closed
        for posting in closing.postings:
            self._post(closing.payer, posting, now)
        return closed

    async def statements(self, account: str | None = None) -> tuple[ClosedStatement, ...]:
        self._ask()
        return tuple(one for one in self._closed.values() if account in (None, one.account))

    async def months(self, account: str | None = None) -> tuple[AccountMonth, ...]:
        self._ask()
        return tuple(
            AccountMonth(name, start, month.payer.period.end, month.payer.currency, month.counters)
            for (name, start), month in sorted(self._months.items())
            if account in (None, name)
        )

    async def plans(self, account: str, period_start: datetime) -> tuple[PlanHolder, ...]:
        self._ask()
        month = self._months.get((account, period_start))
        brought = {} if month is None else month.brought
        return tuple(
            PlanHolder(holder, month.plans[holder], seconds)
            for holder, seconds in sorted(brought.items())
            if month is not None
        )

    async def postings(self, account: str, period_start: datetime) -> tuple[StoredPosting, ...]:
        self._ask()
        key = (account, period_start)
        return tuple(stored for name, start, stored in self._postings if (name, start) == key)

    async def calls(self, account: str, period_start: datetime) -> tuple[CallRow, ...]:
        self._ask()
        key = (account, period_start)
        rows = [row for name, start, row in self._calls if (name, start) == key]
        return tuple(sorted(rows, key=lambda row: (row.setup, row.attempt_id, row.leg)))

    async def known(self, keys: Sequence[tuple[str, str, str]]) -> frozenset[tuple[str, str, str]]:
        self._ask()
        return frozenset(self._legs & set(keys))

    async def suspend(self, records: Sequence[Suspended], *, now: datetime) -> None:
        self._ask()
        for record in records:
            key = (record.source, record.attempt_id, record.leg)
            if key not in self._legs:
                _, since = self._suspended.get(key, (record, now))
                self._suspended[key] = (record, since)

    async def suspended(self) -> tuple[Suspended, ...]:
        self._ask()
        return tuple(self._suspended[key][0] for key in sorted(self._suspended))

    async def resume(self, keys: Sequence[tuple[str, str, str]]) -> None:
        self._ask()
        for key in keys:
            self._suspended.pop(key, None)

    async def redact(self, account: str, *, before: datetime) -> int:
        self._ask()
        count = 0
        for nth, (name, start, row) in enumerate(self._calls):
            if name == account and row.setup < before and (row.caller or row.destination):
                self._calls[nth] = (name, start, replace(row, caller="", destination=""))
                count += 1
        return count

    async def redact_suspense(self, *, before: datetime) -> int:
        self._ask()
        count = 0
        for key, (one, since) in self._suspended.items():
            shown = [name for name in SUSPENDED_DIGITS if one.record.get(name)]
            if since < before and shown:
                bare = {**one.record, **dict.fromkeys(shown, "")}
                self._suspended[key] = (replace(one, record=bare), since)
                count += 1
        return count

    def _ask(self) -> None:
        if not self.available:
            raise StoreUnavailable("the books are away")

    def _month(self, payer: Payer, now: datetime) -> _Month:
        self._ask()
        key = (payer.account, payer.period.start)
        if key not in self._months:
            month = self._months[key] = _Month(payer)
            self._entitle(month, now)
        return self._months[key]

    def _open_past(self, payers: Sequence[Payer], now: datetime) -> None:
        """Open months that ended before anybody used them: with no plan, if none was there yet."""
        for payer in payers:
            key, start = (payer.account, payer.period.start), payer.period.start
            had_plans = any(
                other.counters.entitlement_seconds
                for (account, begun), other in self._months.items()
                if account == payer.account and begun < start
            )
            if payer.period.end <= now and key not in self._months and not had_plans:
                self._months[key] = _Month(payer)

    def _bearing(self, month: _Month, now: datetime) -> _Month:
        """The month that bears what is charged for this one."""
        payer = month.payer
        while (payer.account, payer.period.start) in self._closed:
            payer = replace(payer, period=payer.period.following)
        return self._month(payer, now)

    def _month_of(self, row: Reservation) -> _Month:
        return self._months[(row.account, row.period_start)]

    def _entitle(self, month: _Month, now: datetime) -> None:
        account = month.payer.account
        held = [(one.holder, one.seconds) for one in self._holders.get(account, [])]
        for holder, seconds in sorted(entitlements.to_post(month.brought, held).items()):
            month.brought[holder] = month.brought.get(holder, 0) + seconds
            own = [one for one in self._holders[account] if one.holder == holder]
            month.plans[holder] = min(own, key=lambda one: (-one.seconds, one.plan)).plan
            self._post(month.payer, postings.entitlement(account, holder, seconds), now)
            total = month.counters.entitlement_seconds + seconds
            month.counters = replace(month.counters, entitlement_seconds=total)

    def _line(self, account: str, line: str, now: datetime) -> LineCounters:
        own = [
            held
            for held in self._held.values()
            if (held.row.account, held.row.line) == (account, line)
        ]
        return LineCounters(
            live_calls=sum(held.row.state.is_live for held in own),
            calls_last_minute=sum(held.reserved_at > now - MINUTE for held in own),
        )

    def _live(self, attempt_id: str) -> _Held | None:
        self._ask()
        held = self._held.get(attempt_id)
        return held if held is not None and held.row.state.is_live else None

    def _hold(self, held: _Held, granted: Grant) -> None:
        """Hold this in place of what the call held so far."""
        before, month = held.row.granted, self._month_of(held.row)
        now = month.counters
        micros = granted.hold_micros - before.hold_micros
        grace = granted.grace_seconds - before.grace_seconds
        month.counters = replace(
            now,
            held_seconds=now.held_seconds + granted.pool_seconds - before.pool_seconds,
            grace_held_seconds=now.grace_held_seconds + grace,
            held_micros=now.held_micros + micros,
            day_held_micros=now.day_held_micros + (micros if now.day == held.row.day else 0),
        )
        held.row = replace(held.row, granted=granted)

    def _let_go(self, held: _Held, state: ReservationState) -> None:
        granted, month = held.row.granted, self._month_of(held.row)
        self._hold(held, Grant())
        month.counters = replace(month.counters, live_calls=month.counters.live_calls - 1)
        held.row = replace(held.row, granted=granted, state=state)

    def _take_back(self, held: _Held, month: _Month, bears: _Month, now: datetime) -> None:
        """The record has come after all: what stood in for it is taken back."""
        if held.presumed is not None:
            self._use(month, bears, held.presumed, held.row.day, secured=True, sign=-1)
        for _, _, stored in list(self._postings):
            posting = stored.posting
            is_own = posting.attempt_id == held.row.attempt_id and posting.presumed
            if is_own and posting.reverses is None:
                self._post_of(month, bears, posting.reversal(stored.id), now)
        held.row = replace(held.row, state=ReservationState.POSTED)

    def _use(  # noqa: PLR0913 - what counts where, all named
        self,
        month: _Month,
        bears: _Month,
        done: Settlement,
        day: object,
        *,
        secured: bool,
        sign: int,
    ) -> None:
        """Minutes count in the month of a call, money in the month that bears it."""
        month.counters = replace(
            month.counters,
            used_seconds=month.counters.used_seconds + sign * done.pool_seconds,
            grace_used_seconds=month.counters.grace_used_seconds + sign * done.grace_seconds,
        )
        now, charge = bears.counters, sign * done.charge_micros
        bears.counters = replace(
            now,
            posted_micros=now.posted_micros + charge,
            unsecured_micros=now.unsecured_micros + (0 if secured else charge),
            day_micros=now.day_micros + (charge if now.day == day else 0),
        )

    def _post_of(self, month: _Month, bears: _Month, posting: Posting, now: datetime) -> None:
        if posting.unit == postings.SECONDS:
            bears = month
        adjusts = _adjusted(month.payer.period.start, bears)
        self._post(bears.payer, posting, now, adjusts=adjusts)

    def _post(
        self, payer: Payer, posting: Posting, now: datetime, *, adjusts: datetime | None = None
    ) -> None:
        stored = StoredPosting(len(self._postings) + 1, now, posting, adjusts)
        self._postings.append((payer.account, payer.period.start, stored))


def _adjusted(start: datetime, bears: _Month) -> datetime | None:
    """The month a call belongs to, where it is not the one that bears its charge."""
    return None if start == bears.payer.period.start else start
