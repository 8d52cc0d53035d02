"""An authoriser and a record book for tests, which do as they are told and remember everything."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from callplane.callcontrol.messages import (
    Authorise,
    CallRecord,
    EmergencyAlert,
    Registered,
    Started,
)
from callplane.callcontrol.ports import Granted, Refused, Send

Answer = Callable[[Authorise], Awaitable[Granted | Refused]]


def granting(seconds: int = 60) -> Answer:
    """Grant every call so long."""

    async def answer(question: Authorise) -> Granted | Refused:
        return Granted(seconds, "acme", f"r-{question.attempt_id}")

    return answer


@dataclass
class ScriptedAuthoriser:
    """Answers by `answer`; what else it is told stands in its lists."""

    answer: Answer = field(default_factory=granting)
    asked: list[Authorise] = field(default_factory=list)
    withdrawn: list[str] = field(default_factory=list)
    started: list[Started] = field(default_factory=list)
    alerts: list[EmergencyAlert] = field(default_factory=list)
    phones: list[Registered] = field(default_factory=list)

    async def authorise(self, question: Authorise) -> Granted | Refused:
        self.asked.append(question)
        return await self.answer(question)

    async def withdraw(self, attempt_id: str) -> None:
        self.withdrawn.append(attempt_id)

    async def answered(self, started: Started, send: Send) -> None:
        self.started.append(started)

    async def alert(self, alert: EmergencyAlert) -> None:
        self.alerts.append(alert)

    async def registered(self, registered: Registered) -> None:
        self.phones.append(registered)


@dataclass
class MemoryBook:
    """Takes each attempt once. While `broken` it takes nothing and raises."""

    broken: bool = False
    posted: dict[str, CallRecord] = field(default_factory=dict)
    batches: list[int] = field(default_factory=list)
    suspended: list[tuple[str, str]] = field(default_factory=list)

    async def post(self, records: Sequence[CallRecord]) -> None:
        if self.broken:
            raise ConnectionError("the book is away")
        self.batches.append(len(records))
        for record in records:
            self.posted.setdefault(record.attempt_id, record)

    async def suspend(self, line: str, problem: str) -> None:
        if self.broken:
            raise ConnectionError("the book is away")
        self.suspended.append((line, problem))
