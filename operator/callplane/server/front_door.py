"""What every request goes through before a route sees it, and every answer before it is sent.

Only GET, only plain paths, only with a token; the document of the API alone is open to all. Answers
are never stored by anybody on the way, carry the request's id, and a tag by which an unchanged one
is not sent again.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from callplane.asgi import Application, Message, Receive, Scope, SendMessage
from callplane.clock import Clock
from callplane.server import problems
from callplane.server.door import Door
from callplane.server.problems import Problem

log = logging.getLogger(__name__)

DOCUMENT_PATH: Final = "/openapi.json"
#: Names and numbers need no more. What a proxy could read otherwise than we do is no path of ours.
_PLAIN: Final = re.compile(rb"(?:/(?:[A-Za-z0-9_:+-]|%2B|%3A|\.(?!\.?(?:/|\Z)))+)+")
QUERY_LIMIT_BYTES: Final = 4096
#: The server stops reading at some length too, but takes what comes in one piece.
HEAD_LIMIT_BYTES: Final = 16 * 1024
ALWAYS: Final = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Strict-Transport-Security": "max-age=31536000",
    "Referrer-Policy": "no-referrer",
}


@dataclass(slots=True)
class _Answer:
    """An answer while it is collected."""

    status: int
    headers: dict[str, str]
    body: bytes


class FrontDoor:
    """The ASGI application around the routes. `new_id` makes an id nobody can guess or choose."""

    def __init__(
        self,
        routes: Application,
        door: Door,
        *,
        clock: Clock,
        new_id: Callable[[], str],
        timeout_seconds: float = 15.0,
    ) -> None:
        self._routes = routes
        self._door = door
        self._clock = clock
        self._new_id = new_id
        self._timeout_seconds = timeout_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: SendMessage) -> None:
        if scope["type"] != "http":
            raise ValueError("only HTTP is spoken here")
        began = self._clock.monotonic()
        request_id = self._new_id()
        scope.setdefault("state", {})["request_id"] = request_id
        try:
            async with asyncio.timeout(self._timeout_seconds):
                answer = await self._answer(scope, receive, request_id)
        except Problem as problem:
            answer = of_problem(problem, request_id)
        except TimeoutError:
            answer = of_problem(problems.unavailable("Timeout", "It took too long."), request_id)
        except Exception:
            # Whatever it is, its text is for the log and not for whoever asked.
            log.exception("request %s failed", request_id)
            answer = of_problem(problems.failed(), request_id)
        self._count(scope, answer.status, began)
        await _send(answer, scope, request_id, send)

    async def _answer(self, scope: Scope, receive: Receive, request_id: str) -> _Answer:
        if scope["method"] != "GET":
            raise problems.method_not_allowed()
        if sum(len(name) + len(value) for name, value in scope["headers"]) > HEAD_LIMIT_BYTES:
            raise problems.headers_too_large()
        path: bytes = scope.get("raw_path") or scope["path"].encode()
        if path != DOCUMENT_PATH.encode():
            authorization = [
                value.decode("latin-1")
                for name, value in scope["headers"]
                if name.lower() == b"authorization"
            ]
            source = (scope.get("client") or ("unknown", 0))[0]
            scope["state"]["visitor"] = await self._door.enter(
                authorization, request_id=request_id, source=source
            )
        if not _PLAIN.fullmatch(path):
            raise problems.not_found()
        if len(scope["query_string"]) > QUERY_LIMIT_BYTES:
            raise problems.bad_request((), "The query is too long.")
        return await _collected(self._routes, scope, receive)

    def _count(self, scope: Scope, status: int, began: float) -> None:
        route = getattr(scope.get("route"), "path", "none")
        if route.startswith("/") and route != DOCUMENT_PATH:
            # A route knows its own part of the path only.
            where = "/namespaces/{namespace}" if "namespace" in scope["path_params"] else ""
            route = f"/v1{where}{route}"
        metrics = self._door.metrics
        metrics.requests.labels(route, str(status)).inc()
        metrics.seconds.observe(self._clock.monotonic() - began)


def of_problem(problem: Problem, request_id: str) -> _Answer:
    """The answer that a problem is."""
    answer = problem.answer
    headers = {"Content-Type": problems.MEDIA_TYPE, **answer.headers}
    return _Answer(answer.status, headers, answer.body(request_id))


async def _collected(routes: Application, scope: Scope, receive: Receive) -> _Answer:
    """What the routes answer, whole: pages are small, and a tag needs all of it."""
    answer = _Answer(500, {}, b"")

    async def keep(message: Message) -> None:
        if message["type"] == "http.response.start":
            answer.status = message["status"]
            answer.headers = {
                name.decode("latin-1").title(): value.decode("latin-1")
                for name, value in message["headers"]
            }
        else:
            answer.body += message.get("body", b"")

    await routes(scope, receive, keep)
    return answer


async def _send(answer: _Answer, scope: Scope, request_id: str, send: SendMessage) -> None:
    headers = {**answer.headers, **ALWAYS, "X-Request-Id": request_id}
    status, body = answer.status, answer.body
    if status == 200:
        headers["ETag"] = tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
        if _is_known(tag, scope["headers"]):
            status, body = 304, b""
            headers.pop("Content-Type", None)
    if status != 304:
        headers["Content-Length"] = str(len(body))
    else:
        headers.pop("Content-Length", None)
    await send({"type": "http.response.start", "status": status, "headers": _encoded(headers)})
    await send({"type": "http.response.body", "body": body})


def _is_known(tag: str, headers: list[tuple[bytes, bytes]]) -> bool:
    known = [value.decode("latin-1") for name, value in headers if name == b"if-none-match"]
    return any(each.strip().removeprefix("W/") in (tag, "*") for each in ",".join(known).split(","))


def _encoded(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
