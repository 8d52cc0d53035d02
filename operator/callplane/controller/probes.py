"""/healthz, /readyz, /standbyz and /metrics: proof that the queue moves, not that the process
exists.

/readyz is ok while this process works. /standbyz is ok also while it could take over at once: what
a Deployment waits for, or its standbys would never count and no rollout would end.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import make_wsgi_app

from callplane.apis import registry
from callplane.engine.operator_engine import Engine
from callplane.values import ObjectKey

OLDEST_WAIT_LIMIT_SECONDS = 300.0
SILENT_LIMIT_SECONDS = 120.0

StartResponse = Callable[..., Any]


@dataclass(slots=True)
class Readiness:
    """Why the process is not ready; empty when it is. `stands_by`: only the Lease is missing."""

    reason: str = "starting"
    stands_by: bool = False


class Probes:
    """Answers on a thread of its own, so that a blocked event loop is seen and not hidden."""

    def __init__(self, engine: Engine, readiness: Readiness) -> None:
        self._engine = engine
        self._readiness = readiness
        self._metrics = make_wsgi_app(engine.telemetry.registry)
        self._server: WSGIServer | None = None
        self.beat_at = engine.clock.monotonic()

    def start(self, host: str, port: int) -> int:
        """Serve; returns the port."""
        server = make_server(
            host, port, self._answer, server_class=_Server, handler_class=_QuietHandler
        )
        self._server = server
        threading.Thread(target=server.serve_forever, daemon=True, name="probes").start()
        return int(server.server_port)

    def stop(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def beat(self) -> None:
        """Called from the event loop: it still turns."""
        self.beat_at = self._engine.clock.monotonic()

    def liveness_problem(self) -> str:
        """Empty when the event loop turns and no key waits for ever."""
        silent = self._engine.clock.monotonic() - self.beat_at
        if silent > SILENT_LIMIT_SECONDS:
            return f"the event loop has been silent for {silent:.0f} s"
        oldest = self._engine.queue.oldest_wait_seconds()
        if self._engine.barrier_passed and oldest > OLDEST_WAIT_LIMIT_SECONDS:
            return f"a key has waited for {oldest:.0f} s"
        return ""

    def _answer(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path == "/metrics":
            measure(self._engine)
            answer: Iterable[bytes] = self._metrics(environ, start_response)
            return answer
        if path == "/healthz":
            return _text(start_response, self.liveness_problem())
        if path == "/readyz":
            return _text(start_response, self._readiness.reason or self.liveness_problem())
        if path == "/standbyz":
            reason = "" if self._readiness.stands_by else self._readiness.reason
            return _text(start_response, reason or self.liveness_problem())
        start_response("404 Not Found", [("Content-Type", "text/plain")])
        return [b"/healthz /readyz /standbyz /metrics\n"]


def measure(engine: Engine) -> None:
    """Gauges that are computed when they are asked for."""
    telemetry = engine.telemetry
    for priority, depth in engine.queue.depth().items():
        telemetry.queue_depth.labels(priority.name.lower()).set(depth)
    telemetry.queue_age.set(engine.queue.oldest_wait_seconds())
    telemetry.objects.clear()
    for kind in registry.KINDS:
        counts: dict[str, int] = {}
        for cached in list(engine.cache.of_kind(kind.name)):
            counts[cached.ready] = counts.get(cached.ready, 0) + 1
        for ready, count in counts.items():
            telemetry.objects.labels(kind.name, ready).set(count)
    for runtime in engine.all_at_work():
        name = _name(runtime.key)
        telemetry.throttled.labels(name).set(runtime.writes.parked)
        telemetry.held_batches.labels(name).set(len(runtime.mirror.held_digests()))
    telemetry.credentials_left.clear()
    for platform in list(engine.connections.values()):
        ends_at = platform.provider.credentials_end_at
        if ends_at is not None:
            left_seconds = (ends_at - engine.clock.now()).total_seconds()
            telemetry.credentials_left.labels(_name(platform.key)).set(left_seconds)


def _name(key: ObjectKey) -> str:
    return f"{key.namespace}/{key.name}"


def _text(start_response: StartResponse, problem: str) -> list[bytes]:
    status = "503 Service Unavailable" if problem else "200 OK"
    start_response(status, [("Content-Type", "text/plain; charset=utf-8")])
    return [(problem or "ok").encode() + b"\n"]


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _QuietHandler(WSGIRequestHandler):
    """Probes come every few seconds; a log line for each would bury the others."""

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        return
