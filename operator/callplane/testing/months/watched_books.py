"""The books as one process reaches them: slow, now and then away, and gone once it is dead.

What is committed is written down, with the row of the account's month before and after. An answer
can be lost after its commit. A dead process is never answered again, which is all that a kill means
to the others; one that stands still is answered when it goes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from random import Random
from typing import Any, Protocol

from callplane.billing.clip import Grant
from callplane.billing.counters import Counters, LineCounters
from callplane.billing.quotes import RefusalReason
from callplane.billing.terms import Limits
from callplane.clock import Clock
from callplane.store.books_ports import (
    AccountMonth,
    Books,
    CallRow,
    ClosedStatement,
    Closing,
    Entry,
    Outcome,
    Payer,
    PlanHolder,
    Reservation,
    Reserve,
    StoredPosting,
    Suspended,
)
from callplane.store.ports import StoreUnavailable
from callplane.testing.months.journal import Fact, Journal, attempt_in_hand

USUAL_SECONDS = 0.02
SLOW_SECONDS = 1.5


class Life:
    """Whether one process runs."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.is_dead = False
        self._runs = asyncio.Event()
        self._runs.set()

    def stand_still(self) -> None:
        self._runs.clear()

    def go_on(self) -> None:
        self._runs.set()

    async def breathe(self) -> None:
        """Come back only to a process that runs."""
        await self._runs.wait()
        if self.is_dead:
            await asyncio.Event().wait()


class Weather:
    """How the database is: shared by all processes."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.is_away = False
        self.trouble = 0.004

    def delay_seconds(self) -> float:
        slow = self.random.random() < self.trouble
        return self.random.uniform(0, SLOW_SECONDS if slow else USUAL_SECONDS)


class Inner(Protocol):
    """The books themselves, which are asked at one moment of virtual time."""

    def ask(self, question: Callable[[Books], Any]) -> Any: ...


class WatchedBooks:
    """`Books` of one process."""

    def __init__(
        self, inner: Inner, life: Life, weather: Weather, journal: Journal, clock: Clock
    ) -> None:
        self._inner = inner
        self._life = life
        self._weather = weather
        self._journal = journal
        self._clock = clock

    async def set_plans(
        self, payer: Payer, holders: Sequence[PlanHolder], *, now: datetime
    ) -> None:
        def write(books: Books) -> Any:
            return books.set_plans(payer, holders, now=now)

        await self._commit("set_plans", payer.account, write, payer=payer, holders=holders)

    async def counters(self, payer: Payer) -> Counters:
        return await self._read(  # type: ignore[no-any-return]
            lambda books: books.counters(payer), "counters", payer=payer
        )

    async def free_seconds(self, payers: Sequence[Payer], *, now: datetime) -> tuple[int, ...]:
        return await self._read(  # type: ignore[no-any-return]
            lambda books: books.free_seconds(payers, now=now)
        )

    async def line_counters(self, account: str, line: str, *, now: datetime) -> LineCounters:
        return await self._read(  # type: ignore[no-any-return]
            lambda books: books.line_counters(account, line, now=now), "line_counters", line=line
        )

    async def reserve(self, request: Reserve) -> Grant | RefusalReason:
        return await self._commit(  # type: ignore[no-any-return]
            "reserve",
            request.payer.account,
            lambda books: books.reserve(request),
            payer=request.payer,
            attempt=request.attempt_id,
            line=request.line,
            limits=request.quote.limits,
            mode=request.quote.mode,
            asked_at=request.now,
        )

    async def extend(
        self, attempt_id: str, limits: Limits, *, now: datetime, expires_at: datetime
    ) -> Grant | None:
        return await self._commit(  # type: ignore[no-any-return]
            "extend",
            "",
            lambda books: books.extend(attempt_id, limits, now=now, expires_at=expires_at),
            attempt=attempt_id,
            limits=limits,
            asked_at=now,
        )

    async def answered(self, attempt_id: str, *, at: datetime, expires_at: datetime) -> bool:
        return await self._commit(  # type: ignore[no-any-return]
            "answered",
            "",
            lambda books: books.answered(attempt_id, at=at, expires_at=expires_at),
            attempt=attempt_id,
            answered_at=at,
        )

    async def void(self, attempt_id: str) -> bool:
        return await self._commit(  # type: ignore[no-any-return]
            "void", "", lambda books: books.void(attempt_id), attempt=attempt_id
        )

    async def reservations(self, attempt_ids: Sequence[str]) -> tuple[Reservation, ...]:
        return await self._read(lambda books: books.reservations(attempt_ids))  # type: ignore[no-any-return]

    async def due(self, *, now: datetime, limit: int = 500) -> tuple[Reservation, ...]:
        return await self._read(lambda books: books.due(now=now, limit=limit))  # type: ignore[no-any-return]

    async def settle(self, entries: Sequence[Entry], *, now: datetime) -> tuple[Outcome, ...]:
        what = [
            {
                "attempt": one.attempt_id,
                "account": one.payer.account,
                "period": one.payer.period.label,
                "presumed": one.leg is None,
                "known_grant": one.granted_seconds,
                "settlement": one.settlement,
                "mode": one.mode,
            }
            for one in entries
        ]
        return await self._commit(  # type: ignore[no-any-return]
            "settle", "", lambda books: books.settle(entries, now=now), entries=what
        )

    async def close_month(self, closing: Closing, *, now: datetime) -> ClosedStatement | None:
        raise NotImplementedError("nobody closes a month here")

    async def statements(self, account: str | None = None) -> tuple[ClosedStatement, ...]:
        return await self._read(lambda books: books.statements(account))  # type: ignore[no-any-return]

    async def plans(self, account: str, period_start: datetime) -> tuple[PlanHolder, ...]:
        return await self._read(lambda books: books.plans(account, period_start))  # type: ignore[no-any-return]

    async def months(self, account: str | None = None) -> tuple[AccountMonth, ...]:
        return await self._read(lambda books: books.months(account))  # type: ignore[no-any-return]

    async def postings(self, account: str, period_start: datetime) -> tuple[StoredPosting, ...]:
        return await self._read(lambda books: books.postings(account, period_start))  # type: ignore[no-any-return]

    async def calls(self, account: str, period_start: datetime) -> tuple[CallRow, ...]:
        return await self._read(lambda books: books.calls(account, period_start))  # type: ignore[no-any-return]

    async def known(self, keys: Sequence[tuple[str, str, str]]) -> frozenset[tuple[str, str, str]]:
        return await self._read(lambda books: books.known(keys))  # type: ignore[no-any-return]

    async def suspend(self, records: Sequence[Suspended], *, now: datetime) -> None:
        await self._commit(
            "suspend", "", lambda books: books.suspend(records, now=now), records=records
        )

    async def suspended(self) -> tuple[Suspended, ...]:
        return await self._read(lambda books: books.suspended())  # type: ignore[no-any-return]

    async def resume(self, keys: Sequence[tuple[str, str, str]]) -> None:
        await self._commit("resume", "", lambda books: books.resume(keys), keys=keys)

    async def redact(self, account: str, *, before: datetime) -> int:
        raise NotImplementedError("nobody redacts within three months")

    async def redact_suspense(self, *, before: datetime) -> int:
        raise NotImplementedError("nobody redacts within three months")

    async def _read(self, question: Callable[[Books], Any], said: str = "", **asked: Any) -> Any:
        await self._way()
        answer = self._inner.ask(question)
        if said and attempt_in_hand.get():
            self._journal.note(
                "read",
                self._clock.now(),
                attempt=attempt_in_hand.get(),
                process=self._life.name,
                said=said,
                answer=answer,
                **asked,
            )
        await self._way_back()
        return answer

    async def _commit(
        self, what: str, account: str, write: Callable[[Books], Any], **asked: Any
    ) -> Any:
        await self._way()
        whose = [account] if account else self._accounts(asked)
        before = self._rows(whose)
        answer = self._inner.ask(write)
        self._journal.note(
            "commit",
            self._clock.now(),
            what=what,
            process=self._life.name,
            hand=attempt_in_hand.get(),
            answer=answer,
            before=before,
            after=self._rows(whose),
            **asked,
        )
        await self._way_back()
        return answer

    async def _way(self) -> None:
        await asyncio.sleep(self._weather.delay_seconds())
        await self._life.breathe()
        if self._weather.is_away or self._weather.random.random() < self._weather.trouble:
            raise StoreUnavailable("the database is away")

    async def _way_back(self) -> None:
        await asyncio.sleep(self._weather.delay_seconds())
        await self._life.breathe()
        if self._weather.random.random() < self._weather.trouble:
            raise StoreUnavailable("the answer was lost")

    def _accounts(self, asked: Fact) -> list[str]:
        if "entries" in asked:
            return sorted({one["account"] for one in asked["entries"]})
        if "attempt" in asked:
            found = self._inner.ask(lambda books: books.reservations([asked["attempt"]]))
            return [one.account for one in found]
        return []

    def _rows(self, accounts: Sequence[str]) -> list[Fact]:
        rows: list[Fact] = []
        for account in accounts:
            rows += self._months(account)
        return rows

    def _months(self, account: str) -> list[Fact]:
        return [
            {
                "account": month.account,
                "period": month.period_start,
                "counters": month.counters,
            }
            for month in self._inner.ask(lambda books: books.months(account))
        ]
