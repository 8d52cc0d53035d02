"""Requests and answers of a simulated HTTP service, and the one place that speaks ASGI.

Deliberately small: the benchmarks run a simulator beside everything else on two cores, so a request
must cost it well under a third of a millisecond.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

ABORT_EXTENSION = "callplane.abort"
"""Key in the scope's extensions of a callable that drops the connection without a word."""

_JSON_HEADER = (b"content-type", b"application/json")


@dataclass(slots=True)
class Request:
    """One request. `path` is still percent-encoded: a key may hold an encoded slash."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[bytes, bytes]
    body: bytes
    scheme: str

    def header(self, name: str) -> str:
        """The value of a header, empty when it was not sent."""
        return self.headers.get(name.encode("ascii"), b"").decode("latin-1")

    def origin(self) -> str:
        """Scheme and host as the caller wrote them, for links that lead back here.

        A caller behind something that takes off TLS says so in X-Forwarded-Proto.
        """
        scheme = self.header("x-forwarded-proto") or self.scheme
        return f"{scheme}://{self.header('host')}"


@dataclass(slots=True)
class Response:
    """One answer: status, body, and headers beyond content type and length."""

    status: int
    body: bytes = b""
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)


def json_response(
    document: object, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """An answer that carries `document` as JSON."""
    extra = [(n.lower().encode("ascii"), v.encode("latin-1")) for n, v in (headers or {}).items()]
    return Response(status, json.dumps(document, separators=(",", ":")).encode("utf-8"), extra)


async def receive_request(scope: Scope, receive: Receive) -> Request:
    """Read a whole request from ASGI."""
    method: str = scope["method"]
    body = b""
    if method != "GET":
        more = True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
    query: bytes = scope["query_string"]
    return Request(
        method=method,
        path=scope["raw_path"].decode("ascii"),
        query=dict(parse_qsl(query.decode("latin-1"), keep_blank_values=True)) if query else {},
        headers=dict(scope["headers"]),
        body=body,
        scheme=scope["scheme"],
    )


async def send_response(send: Send, response: Response) -> None:
    """Send a whole answer through ASGI."""
    headers = [(b"content-length", b"%d" % len(response.body)), *response.headers]
    if response.body and not any(name == b"content-type" for name, _ in response.headers):
        headers.append(_JSON_HEADER)
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": response.body})


async def drop_connection(scope: Scope, receive: Receive) -> None:
    """Cut the connection so that the caller never learns what became of the request."""
    scope["extensions"][ABORT_EXTENSION]()
    while (await receive())["type"] != "http.disconnect":
        pass
