"""Spans as a test looks at them: traces that are kept in memory, and a collector on loopback that
processes send theirs to.
"""

from __future__ import annotations

import gzip
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span as ProtoSpan
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from callplane.wiring.trace_export import OtelTraces


@dataclass(frozen=True, slots=True)
class SeenSpan:
    """One span. `links` are ids of spans; `text` is everything in it that somebody could read."""

    name: str
    trace: str
    span: str
    parent: str
    links: tuple[str, ...]
    attributes: Mapping[str, Any]
    is_error: bool
    begin_nanoseconds: int
    end_nanoseconds: int
    text: str
    service: str = ""


@dataclass(frozen=True, slots=True)
class SeenSpans:
    """Spans of a test, in the order in which they ended."""

    spans: tuple[SeenSpan, ...]

    def named(self, name: str, **attributes: Any) -> list[SeenSpan]:
        """Those of that name and with these attributes, whose names are without `callplane.`."""
        wanted = {f"callplane.{key}": value for key, value in attributes.items()}
        return [
            span
            for span in self.spans
            if span.name == name and wanted.items() <= span.attributes.items()
        ]

    def parent_of(self, span: SeenSpan) -> SeenSpan | None:
        """The span it is a part of; None for the first of a trace."""
        return next((each for each in self.spans if each.span == span.parent), None)

    def path_of(self, span: SeenSpan) -> list[str]:
        """Names from the first span of the trace down to this one."""
        above = self.parent_of(span)
        return [*(self.path_of(above) if above is not None else []), span.name]

    def orphans(self) -> list[SeenSpan]:
        """Spans that name a parent nobody was told of."""
        known = {span.span for span in self.spans}
        return [span for span in self.spans if span.parent and span.parent not in known]


class RecordedTraces:
    """Traces of this process, kept in memory."""

    def __init__(self, nanoseconds: Callable[[], int]) -> None:
        self._exporter = InMemorySpanExporter()
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.traces = OtelTraces(provider, nanoseconds=nanoseconds)

    def clear(self) -> None:
        """Forget what was seen."""
        self._exporter.clear()

    def seen(self) -> SeenSpans:
        """All spans that have ended."""
        return SeenSpans(tuple(_of_sdk(span) for span in self._exporter.get_finished_spans()))


def _of_sdk(span: ReadableSpan) -> SeenSpan:
    context = span.get_span_context()
    assert context is not None
    return SeenSpan(
        name=span.name,
        trace=f"{context.trace_id:032x}",
        span=f"{context.span_id:016x}",
        parent=f"{span.parent.span_id:016x}" if span.parent else "",
        links=tuple(f"{link.context.span_id:016x}" for link in span.links),
        attributes=dict(span.attributes or {}),
        is_error=span.status.status_code is StatusCode.ERROR,
        begin_nanoseconds=span.start_time or 0,
        end_nanoseconds=span.end_time or 0,
        text=span.to_json(),
    )


@dataclass
class Collector:
    """What a collector of traces was sent, by any process. `refuse` is a status to answer with."""

    url: str = ""
    refuse: int = 0
    headers: list[Mapping[str, str]] = field(default_factory=list)
    _requests: list[ExportTraceServiceRequest] = field(default_factory=list)

    def take(self, headers: Mapping[str, str], body: bytes) -> int:
        """Take a request; the status of its answer."""
        self.headers.append(headers)
        if self.refuse:
            return self.refuse
        content = gzip.decompress(body) if headers.get("content-encoding") == "gzip" else body
        self._requests.append(ExportTraceServiceRequest.FromString(content))
        return 200

    def seen(self) -> SeenSpans:
        """All spans that were taken."""
        return SeenSpans(
            tuple(
                _of_protocol(span, {each.key: each.value.string_value for each in about})
                for request in tuple(self._requests)
                for resource in request.resource_spans
                for about in [resource.resource.attributes]
                for scope in resource.scope_spans
                for span in scope.spans
            )
        )


def _of_protocol(span: ProtoSpan, about: Mapping[str, str]) -> SeenSpan:
    return SeenSpan(
        name=span.name,
        trace=span.trace_id.hex(),
        span=span.span_id.hex(),
        parent=span.parent_span_id.hex(),
        links=tuple(link.span_id.hex() for link in span.links),
        attributes={each.key: _value(each.value) for each in span.attributes},
        is_error=span.status.code == span.status.STATUS_CODE_ERROR,
        begin_nanoseconds=span.start_time_unix_nano,
        end_nanoseconds=span.end_time_unix_nano,
        text=f"{span} {sorted(about.items())}",
        service=about.get("service.name", ""),
    )


def _value(value: Any) -> Any:
    return getattr(value, value.WhichOneof("value"))


@contextmanager
def collecting() -> Iterator[Collector]:
    """A collector on loopback for the length of a block."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(int(headers["content-length"]))
            status = collector.take(headers, body) if self.path == "/v1/traces" else 404
            self.send_response(status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    collector.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield collector
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def telling_words(spans: Sequence[SeenSpan], secrets: Sequence[str]) -> list[str]:
    """Which of the words that nobody may be told stand in a span, with the span's name."""
    return [f"{span.name}: {word}" for span in spans for word in secrets if word in span.text]
