"""The whole API in memory: routes, door and front door are real, rights and rows are not."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

import pytest

from callplane.asgi import Receive, Scope, SendMessage
from callplane.cluster.events import EventSubject, RecordedEvents
from callplane.server.application import application
from callplane.server.attempts import AttemptLimits, FailedAttempts
from callplane.server.audit import AuditTrail
from callplane.server.door import Door
from callplane.server.front_door import FrontDoor
from callplane.server.metrics import ApiMetrics
from callplane.server.remembering import RememberingReader
from callplane.testing.admin_api_world import (
    HERE,
    STRANGERS,
    Answered,
    MemoryAccess,
    MemoryAdminReader,
)
from callplane.testing.asgi_calls import AsgiCaller
from callplane.testing.manual_clock import ManualClock


@dataclass
class MemoryApi:
    """`Api` without a socket. Parts may be replaced before the first request."""

    show_numbers: bool = True
    burst: int = 1_000_000
    clock: ManualClock = field(default_factory=ManualClock)
    access: Any = field(default_factory=MemoryAccess)
    reader: Any = field(default_factory=MemoryAdminReader)
    events: RecordedEvents = field(default_factory=RecordedEvents)
    metrics: ApiMetrics = field(default_factory=ApiMetrics)
    lines: list[dict[str, Any]] = field(default_factory=list)
    timeout_seconds: float = 15.0

    def __post_init__(self) -> None:
        self.rebuild()

    def rebuild(self) -> None:
        self.door = Door(
            tokens=RememberingReader(self.access, self.clock, key=b"k" * 32),
            reviewer=self.access,
            attempts=FailedAttempts(self.clock, AttemptLimits(burst=self.burst)),
            trail=AuditTrail(
                self.metrics,
                events=self.events,
                pod=EventSubject("v1", "Pod", "callplane-system", "api-1", "uid-1"),
            ),
            metrics=self.metrics,
            installation=lambda: HERE,
            show_numbers=self.show_numbers,
        )
        ids = itertools.count(1)
        self.front = FrontDoor(
            application(self.door, self.reader),
            self.door,
            clock=self.clock,
            new_id=lambda: f"id-{next(ids)}",
            timeout_seconds=self.timeout_seconds,
        )

    async def get(self, path: str, who: str, *, method: str = "GET", **headers: str) -> Answered:
        token = self.token_of(who)
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if token:
            sent["authorization"] = f"Bearer {token}"
        answer = await AsgiCaller(self._decoding, host="api.test").request(
            method, path, headers=sent
        )
        return Answered(answer.status, answer.headers, answer.body)

    async def _decoding(self, scope: Scope, receive: Receive, send: SendMessage) -> None:
        """As a server does: escapes are read in the path, and not in the raw one."""
        await self.front({**scope, "path": unquote(scope["path"])}, receive, send)

    def token_of(self, who: str) -> str:
        stranger = STRANGERS.get(who)
        if stranger is not None and stranger.token != "":
            return stranger.token or ""
        return f"token-of-{who}"

    async def trail(self) -> list[dict[str, Any]]:
        return list(self.lines)


class _Lines(logging.Handler):
    def __init__(self, lines: list[dict[str, Any]]) -> None:
        super().__init__()
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(record.__dict__["fields"])


@pytest.fixture
def api() -> Iterator[MemoryApi]:
    made = MemoryApi()
    handler = _Lines(made.lines)
    audit = logging.getLogger("callplane.audit")
    audit.addHandler(handler)
    yield made
    audit.removeHandler(handler)
