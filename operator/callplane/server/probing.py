"""/healthz, /readyz and /metrics of the admin API, on a port of their own without tokens.

Ready means that requests are answered; whether PostgreSQL and the API server answer too is told by
the answers themselves (503) and by metrics: taking every replica away would tell nobody why.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from callplane.server.front_door import Receive, Scope, SendMessage
from callplane.server.metrics import ApiMetrics


@dataclass(frozen=True, slots=True)
class Probes:
    """The ASGI application. `problem` is why the process is not ready; empty when it is."""

    metrics: ApiMetrics
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
                return 200, generate_latest(self.metrics.registry), CONTENT_TYPE_LATEST
            case "/healthz":
                return 200, b"ok\n", plain
            case "/readyz":
                problem = self.problem()
                return (503 if problem else 200), (problem or "ok").encode() + b"\n", plain
            case _:
                return 404, b"/healthz /readyz /metrics\n", plain
