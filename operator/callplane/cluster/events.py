"""Kubernetes Events for people: few, useful, and never in the way of a pass.

The engine calls `EventRecorder.emit`, which only decides and remembers; `run` sends in its own
task. Events are events.k8s.io/v1, which `kubectl describe` and `kubectl get events` show like the
older form and which counts repeats in a `series`. The same news of the same object is one Event
whose series is patched. Each object has a token bucket (a burst of 25, then one per 5 minutes), as
in the Go client.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any, Literal

from callplane.clock import Clock
from callplane.cluster import api_errors, ports
from callplane.cluster.resource_kinds import EVENTS

log = logging.getLogger(__name__)

NOTE_LIMIT_BYTES = 1024
REPORTING_CONTROLLER = "callplane.dev/operator"


@dataclass(frozen=True, slots=True)
class EventSubject:
    """The object an event is about."""

    api_version: str
    kind: str
    namespace: str
    name: str
    uid: str

    @classmethod
    def of(cls, body: ports.Body) -> EventSubject:
        """The subject for an object as the API server returned it."""
        metadata = body["metadata"]
        return cls(
            body["apiVersion"],
            body["kind"],
            metadata["namespace"],
            metadata["name"],
            metadata["uid"],
        )


@dataclass(frozen=True, slots=True)
class ObjectEvent:
    """One piece of news. `reason` and `action` are CamelCase; `message` must be free of secrets."""

    subject: EventSubject
    reason: str
    message: str
    action: str = "Reconcile"
    type: Literal["Normal", "Warning"] = "Normal"


@dataclass(frozen=True, slots=True)
class EventSettings:
    """How much is too much."""

    burst: int = 25
    refill_seconds: float = 300.0
    repeat_window_seconds: float = 600.0
    remembered_objects: int = 4096
    queue_length: int = 1000


@dataclass(slots=True)
class _Bucket:
    tokens: float
    filled_at: float


@dataclass(slots=True)
class _Series:
    """One Event object: how often its news came, and what the server knows of it."""

    event: ObjectEvent
    name: str
    last_seen: float
    count: int = 1
    sent_count: int = 0
    queued: bool = False


@dataclass(slots=True)
class EventCounts:
    """What became of the events, for metrics."""

    sent: int = 0
    folded: int = 0
    dropped: int = 0
    failed: int = 0


class EventRecorder:
    """`ports.EventSink` over a cluster."""

    def __init__(
        self,
        objects: ports.ObjectWriter,
        *,
        clock: Clock,
        instance: str,
        settings: EventSettings | None = None,
        controller: str = REPORTING_CONTROLLER,
    ) -> None:
        self.counts = EventCounts()
        self._objects = objects
        self._clock = clock
        self._instance = instance[:128]
        self._controller = controller
        self._settings = settings or EventSettings()
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()
        self._series: OrderedDict[tuple[str, str], _Series] = OrderedDict()
        self._queue: asyncio.Queue[_Series] = asyncio.Queue(self._settings.queue_length)

    def emit(self, event: ObjectEvent) -> None:
        """Take an event: begin a series, add to one, or drop it. Returns at once."""
        now = self._clock.monotonic()
        series = self._series_of(event, now)
        if series.queued:
            self.counts.folded += 1
            return
        if not self._take_token(event.subject.uid, now):
            # The count of a known series is kept, so that its next patch tells the whole number.
            self.counts.dropped += 1
            return
        try:
            self._queue.put_nowait(series)
        except asyncio.QueueFull:
            self.counts.dropped += 1
            return
        series.queued = True

    async def run(self) -> None:
        """Send what was taken until cancelled. A failed send is counted and forgotten."""
        while True:
            series = await self._queue.get()
            series.queued = False
            await self._send(series)

    async def flush(self) -> None:
        """Send what is queued now; for a clean shutdown, under the caller's time-out."""
        while not self._queue.empty():
            series = self._queue.get_nowait()
            series.queued = False
            await self._send(series)

    def remembered(self) -> int:
        """How many pieces of news are kept for folding; bounded by the settings."""
        return len(self._series)

    def _series_of(self, event: ObjectEvent, now: float) -> _Series:
        digest = _digest(event)
        key = (event.subject.uid, digest)
        series = self._series.get(key)
        window = self._settings.repeat_window_seconds
        if series is not None and now - series.last_seen <= window:
            series.count += 1
            series.last_seen = now
        else:
            started = self._clock.now().isoformat()
            unique = hashlib.sha256(f"{digest} {self._instance} {started}".encode()).hexdigest()
            name = f"{event.subject.name[:200].rstrip('-.')}.{unique[:16]}"
            series = self._series[key] = _Series(event, name, now)
        self._series.move_to_end(key)
        if len(self._series) > self._settings.remembered_objects:
            self._series.popitem(last=False)
        return series

    def _take_token(self, uid: str, now: float) -> bool:
        settings = self._settings
        bucket = self._buckets.get(uid)
        if bucket is None:
            bucket = self._buckets[uid] = _Bucket(settings.burst, now)
            if len(self._buckets) > settings.remembered_objects:
                self._buckets.popitem(last=False)
        self._buckets.move_to_end(uid)
        gained = (now - bucket.filled_at) / settings.refill_seconds
        tokens = min(float(settings.burst), bucket.tokens + gained)
        if tokens < 1:
            return False
        # Written down only when a token is taken: small steps would lose parts of it to rounding.
        bucket.tokens, bucket.filled_at = tokens - 1, now
        return True

    async def _send(self, series: _Series) -> None:
        count = series.count
        try:
            if series.sent_count == 0:
                await self._objects.create(EVENTS, body=self._body(series))
            elif count > series.sent_count:
                await self._patch_series(series)
            else:
                return
        except api_errors.AlreadyExists:
            # An earlier create whose answer was lost.
            series.sent_count = 1
        except api_errors.ClusterError as error:
            self.counts.failed += 1
            log.warning(
                "Event %s of %s was not recorded: %s",
                series.event.reason,
                series.event.subject.kind,
                error,
            )
        else:
            series.sent_count = count
            self.counts.sent += 1

    async def _patch_series(self, series: _Series) -> None:
        try:
            await self._objects.merge_patch(
                EVENTS,
                namespace=series.event.subject.namespace,
                name=series.name,
                patch={"series": self._series_body(series)},
            )
        except api_errors.NotFound:
            # Events expire on the server after an hour or so: tell it anew.
            await self._objects.create(EVENTS, body=self._body(series))

    def _series_body(self, series: _Series) -> dict[str, Any]:
        return {"count": series.count, "lastObservedTime": self._micro_time()}

    def _body(self, series: _Series) -> ports.Body:
        event, subject = series.event, series.event.subject
        body: ports.Body = {
            "apiVersion": EVENTS.api_version,
            "kind": "Event",
            "metadata": {"name": series.name, "namespace": subject.namespace},
            "eventTime": self._micro_time(),
            "type": event.type,
            "reason": event.reason,
            "action": event.action,
            "note": cut_note(event.message),
            "reportingController": self._controller,
            "reportingInstance": self._instance,
            "regarding": {
                "apiVersion": subject.api_version,
                "kind": subject.kind,
                "namespace": subject.namespace,
                "name": subject.name,
                "uid": subject.uid,
            },
        }
        if series.count > 1:
            body["series"] = self._series_body(series)
        return body

    def _micro_time(self) -> str:
        return self._clock.now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@dataclass(slots=True)
class RecordedEvents:
    """An `EventSink` that keeps what it is given, for tests and for the command line."""

    events: list[ObjectEvent] = field(default_factory=list)

    def emit(self, event: ObjectEvent) -> None:
        """Keep the event."""
        self.events.append(event)


def cut_note(message: str) -> str:
    """A message within the server's limit, which counts bytes of UTF-8."""
    content = message.encode()
    if len(content) <= NOTE_LIMIT_BYTES:
        return message
    mark = "…"
    return content[: NOTE_LIMIT_BYTES - len(mark.encode())].decode(errors="ignore") + mark


def _digest(event: ObjectEvent) -> str:
    parts = (event.subject.uid, event.type, event.reason, event.action, event.message)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
