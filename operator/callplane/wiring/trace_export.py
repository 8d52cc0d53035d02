"""Traces to an OpenTelemetry collector, over OTLP and HTTP. The only module that knows
OpenTelemetry; loaded only where the environment names a collector.

The variables are OpenTelemetry's own (`OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_TRACES_SAMPLER`, ...).
Spans wait in a bounded queue and are sent by a thread of their own, so that a collector that is
slow or away costs spans and nothing else. No error of tracing reaches what is traced. No trace id
is sent to providers: which of our requests belong together is nobody's business there.
"""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from contextvars import Token
from types import TracebackType
from typing import Any, Final, Self, Unpack

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, SpanKind, Status, StatusCode

import callplane
from callplane.engine.scope import Gone, Parked
from callplane.errors import CallplaneError, Verdict, Waiting, scrub
from callplane.tracing import ACTIVE, NO_SPAN, Facts, Span, Trigger

#: What is told of a span, by the name it has there; nothing else is.
ATTRIBUTES: Final[Mapping[str, str]] = {
    "kind": "callplane.kind",
    "namespace": "k8s.namespace.name",
    "uid": "callplane.object.uid",
    "connection": "callplane.connection",
    "priority": "callplane.priority",
    "reason": "callplane.reason",
    "verdict": "callplane.verdict",
    "provider": "callplane.provider",
    "operation": "callplane.operation",
    "outcome": "callplane.outcome",
    "status_code": "http.response.status_code",
    "changes": "callplane.changes",
    "attempt": "callplane.attempt_id",
    "way": "callplane.way",
    "rows": "callplane.rows",
}
VALUE_CHARACTERS: Final = 200
NAME_CHARACTERS: Final = 100
NANOSECONDS: Final = 1_000_000_000
#: A whole number of so many digits could be a telephone number.
_LARGEST_COUNT: Final = 99_999_999
#: The person before the domain, of an address or of a SIP URI.
_PERSON = re.compile(r"[^\s@/:;,<>\"']+@")

log = logging.getLogger(__name__)

Told = Callable[[str, int], None]


def attributes_of(facts: Facts) -> dict[str, str | int]:
    """Facts made fit for a system of others: no secrets, no full numbers, no names of people."""
    found: dict[str, str | int] = {}
    for key, value in facts.items():
        name = ATTRIBUTES.get(key)
        if name is None:
            continue
        if isinstance(value, int) and abs(value) <= _LARGEST_COUNT:
            found[name] = value
        else:
            found[name] = scrubbed(str(value), VALUE_CHARACTERS)
    return found


def scrubbed(text: str, limit_characters: int) -> str:
    """Text without credentials, full numbers and people."""
    return scrub(_PERSON.sub("…@", text), limit_characters=limit_characters)


class OtelTraces:
    """Traces told to the processors of a tracer provider. `nanoseconds` is the time since 1970;
    `give_up` ends a sending that takes too long.
    """

    def __init__(
        self,
        provider: TracerProvider,
        *,
        nanoseconds: Callable[[], int] = time.time_ns,
        give_up: Callable[[], None] = lambda: None,
    ) -> None:
        self.provider = provider
        self._give_up = give_up
        self.nanoseconds = nanoseconds
        self._tracer = provider.get_tracer("callplane", callplane.__version__)
        self._has_failed = False

    def begin(
        self,
        name: str,
        *,
        if_followed: bool = False,
        about: Hashable = None,
        **facts: Unpack[Facts],
    ) -> Span:
        try:
            kind = SpanKind.CONSUMER if if_followed else SpanKind.SERVER
            span = self.start(name, facts, kind=kind)
            return OtelSpan(self, span, if_followed=if_followed, about=about)
        except Exception as error:  # noqa: BLE001 - see `failed`
            return self.failed(error)

    def queued(
        self,
        name: str,
        triggers: Sequence[Trigger],
        waited_seconds: float,
        **facts: Unpack[Facts],
    ) -> Span:
        try:
            own = next((trigger for trigger in triggers if trigger.is_own), None)
            links = [Link(trigger.span) for trigger in triggers if trigger is not own]
            since = self.nanoseconds() - round(waited_seconds * NANOSECONDS)
            if own is None:
                asked = str(facts.get("priority", "")) or "work"
                above = OtelSpan(self, self.start(f"{asked} {name}", facts, since=since))
                parent = above.span.get_span_context()
            else:
                above, parent = None, own.span
            self.start("queue", {}, parent=parent, since=since).end(self.nanoseconds())
            return OtelSpan(self, self.start(name, facts, parent=parent, links=links), above=above)
        except Exception as error:  # noqa: BLE001 - see `failed`
            return self.failed(error)

    def close(self, seconds: float) -> None:
        """Send what is left; a collector that does not answer by then loses it."""
        ending = threading.Thread(target=self.provider.shutdown, name="traces", daemon=True)
        ending.start()
        ending.join(seconds)
        if ending.is_alive():
            self._give_up()

    def start(  # noqa: PLR0913 - all that a span begins with
        self,
        name: str,
        facts: Facts,
        *,
        parent: SpanContext | None = None,
        links: Sequence[Link] = (),
        since: int | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
    ) -> trace.Span:
        """A span of the SDK. Without a parent it begins a trace, whatever else runs around it."""
        context = Context()
        if parent is not None:
            context = trace.set_span_in_context(NonRecordingSpan(parent), context)
        return self._tracer.start_span(
            scrubbed(name, NAME_CHARACTERS),
            context,
            kind=kind,
            attributes=attributes_of(facts),
            links=links,
            start_time=self.nanoseconds() if since is None else since,
        )

    def failed(self, error: Exception) -> Span:
        """Whatever goes wrong in here is said once, and the work goes on untraced."""
        if not self._has_failed:
            self._has_failed = True
            log.error("tracing failed; the work that is traced goes on", exc_info=error)
        return NO_SPAN


class OtelSpan:
    """One span of ours. `above` ends with it."""

    __slots__ = ("_about", "_above", "_has_ended", "_is_followed", "_token", "_traces", "span")

    def __init__(
        self,
        traces: OtelTraces,
        span: trace.Span,
        *,
        if_followed: bool = False,
        about: Hashable = None,
        above: OtelSpan | None = None,
    ) -> None:
        self.span = span
        self._traces = traces
        self._about = about
        self._above = above
        self._is_followed = not if_followed
        self._has_ended = False
        self._token: Token[Span] | None = None

    def __enter__(self) -> Self:
        self._token = ACTIVE.set(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._token is not None:
            ACTIVE.reset(self._token)
        try:
            if error is not None:
                self._note_error(error)
            self.end()
        except Exception as failure:  # noqa: BLE001 - see `failed`
            self._traces.failed(failure)

    def end(self) -> None:
        """It is over; what nobody follows is not told."""
        self._has_ended = True
        if self._is_followed:
            self.span.end(self._traces.nanoseconds())
        if self._above is not None:
            self._above.end()

    def step(self, name: str, **facts: Unpack[Facts]) -> Span:
        try:
            return OtelSpan(self._traces, self._start(name, facts))
        except Exception as error:  # noqa: BLE001 - see `failed`
            return self._traces.failed(error)

    def past(
        self, name: str, seconds: float, *, is_error: bool = False, **facts: Unpack[Facts]
    ) -> None:
        try:
            since = self._traces.nanoseconds() - round(seconds * NANOSECONDS)
            span = self._start(name, facts, since=since, kind=SpanKind.CLIENT)
            if is_error:
                span.set_status(Status(StatusCode.ERROR))
            span.end(self._traces.nanoseconds())
        except Exception as error:  # noqa: BLE001 - see `failed`
            self._traces.failed(error)

    def note(self, *, is_error: bool = False, **facts: Unpack[Facts]) -> None:
        try:
            self.span.set_attributes(attributes_of(facts))
            if is_error:
                self.span.set_status(Status(StatusCode.ERROR))
            if self._above is not None:
                self._above.note(is_error=is_error, **facts)
        except Exception as error:  # noqa: BLE001 - see `failed`
            self._traces.failed(error)

    def trigger(self, about: Hashable) -> Trigger | None:
        self._is_followed = True
        is_own = self._about is not None and self._about == about and not self._has_ended
        return Trigger(self.span.get_span_context(), is_own)

    @property
    def ids(self) -> tuple[str, str] | None:
        context = self.span.get_span_context()
        return trace.format_trace_id(context.trace_id), trace.format_span_id(context.span_id)

    def _start(
        self,
        name: str,
        facts: Facts,
        *,
        since: int | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
    ) -> trace.Span:
        """A part; of work that goes on after its span has ended, a trace that names it."""
        self._is_followed = True
        context = self.span.get_span_context()
        if self._has_ended:
            links = [Link(context)]
            return self._traces.start(name, facts, links=links, since=since, kind=kind)
        return self._traces.start(name, facts, parent=context, since=since, kind=kind)

    def _note_error(self, error: BaseException) -> None:
        """The kind of an error, never its text."""
        if isinstance(error, Verdict):
            is_error = not isinstance(error, Waiting)
            self.note(is_error=is_error, verdict=type(error).__name__, reason=error.reason)
        else:
            is_error = isinstance(error, Exception) and not isinstance(error, Parked | Gone)
            self.note(is_error=is_error, verdict=type(error).__name__)


class CountedExporter(SpanExporter):
    """An exporter that tells how many spans were sent and how many were lost."""

    def __init__(self, inner: SpanExporter, told: Told) -> None:
        self._inner = inner
        self._told = told

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = self._inner.export(spans)
        is_sent = result is SpanExportResult.SUCCESS
        self._told("sent" if is_sent else "lost", len(spans))
        return result

    def shutdown(self) -> None:
        self._inner.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._inner.force_flush(timeout_millis)


def to_collector(service: str, instance: str, told: Told) -> OtelTraces:
    """Traces of one process to the collector that the environment names. Raises CallplaneError for
    variables that cannot be.
    """
    named: dict[str, Any] = {
        "service.name": service,
        "service.namespace": "callplane",
        "service.version": callplane.__version__,
        "service.instance.id": instance,
    }
    try:
        # What OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES say goes before what we say.
        resource = Resource.create({**named, **OTELResourceDetector().detect().attributes})
        provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        exporter = CountedExporter(OTLPSpanExporter(), told)
        provider.add_span_processor(BatchSpanProcessor(exporter))
    except Exception as error:
        raise CallplaneError(scrub(f"{type(error).__name__}: {error}")) from error
    return OtelTraces(provider, give_up=exporter.shutdown)
