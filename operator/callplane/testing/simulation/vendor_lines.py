"""Webex and the carriers without a socket: their real providers, led to simulated worlds.

Factories, requests, time-outs and the meaning of answers are the providers' own. Only the last step
differs: what `Transport` would send to a host is handed to the application behind that host. That
is put in place for the whole process, which lives through one simulation and does nothing else.
"""

from __future__ import annotations

import asyncio
import json
import urllib.parse
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from telnyx import _base_client as telnyx_client

from callplane.clock import Clock
from callplane.providers.protocol import Unavailable
from callplane.providers.transport import Answer, Request, Transport
from callplane.testing.asgi_calls import Application, AsgiCaller


@dataclass(frozen=True, slots=True)
class VendorWrite:
    """One write as it left a provider; `status` is 0 when no answer came. Times are seconds of the
    loop.
    """

    at: float
    answered_at: float
    host: str
    operation: str
    method: str
    path: str
    body: Any
    status: int


class VendorLines:
    """All hosts that can be reached, by name."""

    def __init__(self, clock: Clock, *, written: Callable[[VendorWrite], None]) -> None:
        self._clock = clock
        self._written = written
        self._calls: dict[str, AsgiCaller] = {}
        self._served: set[asyncio.Task[Any]] = set()

    def connect(self, host: str, application: Application) -> None:
        """From now on this host is that application."""
        self._calls[host] = AsgiCaller(application, host=host)

    def install(self) -> None:
        """In the place of every connection that this process would open."""

        async def send(transport: Transport, request: Request) -> Answer:
            return await self._send(transport, request)

        # The SDK of one carrier asks for its platform in a thread, and time is virtual here.
        places: tuple[tuple[Any, str, Any], ...] = (
            (Transport, "_send", send),
            (telnyx_client, "asyncify", _at_once),
        )
        for place, name, instead in places:
            getattr(place, name)
            setattr(place, name, instead)

    async def _send(self, transport: Any, request: Request) -> Answer:
        if transport._closed:
            raise Unavailable("the connection is closed")
        limits = transport._limits
        limit = limits.write_seconds if request.writes else limits.read_seconds
        if request.seconds is not None:
            limit = min(limit, request.seconds)
        began, status = self._clock.monotonic(), 0
        # The token of Webex is the SDK's business; it goes on the request where the SDK would.
        token = getattr(transport, "access_token", "")
        try:
            async with asyncio.timeout(limit):
                answer = await asyncio.shield(self._serve(request, token))
            status = answer.status
        except TimeoutError as error:
            raise transport._no_answer(request, "timed out") from error
        finally:
            if request.writes:
                self._note(request, began, status)
        if status == 0:
            raise transport._no_answer(request, "the connection was dropped")
        return answer

    def _serve(self, request: Request, token: str) -> asyncio.Task[Answer]:
        """The service carries a request out whether or not its caller still listens."""
        task = asyncio.create_task(self._answer(request, token), name="vendor")
        self._served.add(task)
        task.add_done_callback(self._served.discard)
        return task

    async def _answer(self, request: Request, token: str) -> Answer:
        parts = urllib.parse.urlsplit(request.url)
        calls = self._calls[parts.netloc]
        headers = {**request.headers, "x-forwarded-proto": "https"}
        if token:
            headers["authorization"] = f"Bearer {token}"
            headers["content-type"] = "application/json"
        path = f"{parts.path}?{parts.query}" if parts.query else parts.path
        answer = await calls.request(request.method, path, body=request.body, headers=headers)
        lower = {name.lower(): value for name, value in answer.headers.items()}
        return Answer(answer.status, lower, answer.body)

    def _note(self, request: Request, began: float, status: int) -> None:
        parts = urllib.parse.urlsplit(request.url)
        self._written(
            VendorWrite(
                at=began,
                answered_at=self._clock.monotonic(),
                host=parts.netloc,
                operation=request.operation,
                method=request.method,
                path=urllib.parse.unquote(parts.path),
                body=_document(request.body),
                status=status,
            )
        )


def _at_once(work: Callable[[], Any]) -> Callable[[], Awaitable[Any]]:
    async def call() -> Any:
        return work()

    return call


def _document(body: bytes | None) -> Any:
    """JSON or a form, as plain values."""
    if not body:
        return None
    try:
        return json.loads(body)
    except ValueError:
        return dict(urllib.parse.parse_qsl(body.decode("utf-8", errors="replace")))
