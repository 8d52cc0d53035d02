"""What our small HTTP servers have in common: ASGI's types, probes, and a server in the running
loop. Call control and the admin API use it, which may not import one another.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, MutableMapping
from dataclasses import dataclass
from typing import Any, Final

import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

START_SECONDS: Final = 10.0
_POLL_SECONDS: Final = 0.005

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
SendMessage = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, SendMessage], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Probes:
    """/healthz, /readyz and /metrics as an application, answered by the loop that works: when it is
    blocked, so are they. `problem` is why the process is not ready; empty when it is.
    """

    registry: CollectorRegistry
    problem: Callable[[], str]

    async def __call__(self, scope: Scope, receive: Receive, send: SendMessage) -> None:
        if scope["type"] != "http":
            raise ValueError("only HTTP is spoken here")
        status, body, kind = self._answer(scope["path"])
        headers = [(b"content-type", kind.encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _answer(self, path: str) -> tuple[int, bytes, str]:
        plain = "text/plain; charset=utf-8"
        match path:
            case "/metrics":
                return 200, generate_latest(self.registry), CONTENT_TYPE_LATEST
            case "/healthz":
                return 200, b"ok\n", plain
            case "/readyz":
                problem = self.problem()
                return (503 if problem else 200), (problem or "ok").encode() + b"\n", plain
            case _:
                return 404, b"/healthz /readyz /metrics\n", plain


class _Server(uvicorn.Server):
    """Signals stay with the process."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


@contextlib.asynccontextmanager
async def running(config: uvicorn.Config, listener: socket.socket) -> AsyncGenerator[int]:
    """Serves in the running loop until the block ends; yields the listener's port."""
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        async with asyncio.timeout(START_SECONDS):
            while not server.started:
                if task.done():
                    await task
                    raise RuntimeError("the server stopped while it was starting")
                await asyncio.sleep(_POLL_SECONDS)
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        await task
