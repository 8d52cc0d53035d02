"""Call an ASGI application without a socket: for tests of simulated services."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

Application = Callable[[Any, Any, Any], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. A dropped connection has status 0."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        """The body as JSON, None when there is none."""
        return json.loads(self.body) if self.body else None

    @property
    def error(self) -> str:
        """The message of a Graph error."""
        message: str = self.document["error"]["message"]
        return message


class AsgiCaller:
    """Calls one application with the same headers each time. `host` shows up in its links."""

    def __init__(
        self, application: Application, *, bearer: str = "", host: str = "graph.test"
    ) -> None:
        self.application = application
        self.headers = {"host": host}
        if bearer:
            self.headers["authorization"] = f"Bearer {bearer}"

    async def get(self, path: str, **query: str) -> Answer:
        """GET with a query whose names get their leading `$` here."""
        return await self.request("GET", path, query={f"${n}": v for n, v in query.items()})

    async def post(self, path: str, body: object) -> Answer:
        """POST with a JSON body."""
        return await self.request("POST", path, body=body)

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: dict[str, str] | None = None,
        body: object = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """Any request. `path` may be a whole link of the application, query included."""
        path = path.removeprefix(f"http://{self.headers['host']}")
        path, _, text = path.partition("?")
        if query:
            text = urlencode(query, quote_via=quote)
        content = body if isinstance(body, bytes) else json.dumps(body).encode("utf-8")
        sent: list[MutableMapping[str, Any]] = []
        dropped: list[bool] = []
        scope = {
            "type": "http",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode("ascii"),
            "query_string": text.encode("ascii"),
            "headers": [
                (name.lower().encode("ascii"), value.encode("latin-1"))
                for name, value in {**self.headers, **(headers or {})}.items()
            ],
            "extensions": {"callplane.abort": lambda: dropped.append(True)},
        }

        async def receive() -> MutableMapping[str, Any]:
            if dropped:
                return {"type": "http.disconnect"}
            return {"type": "http.request", "body": content if body is not None else b""}

        async def send(message: MutableMapping[str, Any]) -> None:
            sent.append(message)

        await self.application(scope, receive, send)
        if dropped:
            return Answer(0, {}, b"")
        start, *rest = sent
        return Answer(
            start["status"],
            {name.decode("ascii"): value.decode("latin-1") for name, value in start["headers"]},
            b"".join(message.get("body", b"") for message in rest),
        )
