"""What leaves the process names nobody; a collector that is away costs spans and nothing else."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider

from callplane import tracing
from callplane.errors import CallplaneError, Failed, Stalled, Waiting
from callplane.telemetry import JsonLines, Telemetry
from callplane.testing import polling
from callplane.testing.recorded_traces import (
    Collector,
    RecordedTraces,
    collecting,
    telling_words,
)
from callplane.tracing import Facts
from callplane.wiring import trace_export
from callplane.wiring.trace_export import OtelTraces

#: What a careless caller might hand over.
HOSTILE = Facts(
    kind="+442079460001",
    namespace="sip:anna.example@sbc.example.com",
    uid="anna@example.com",
    connection="https://graph.example/users?$filter=anna",
    reason="Bearer eyJhbGciOi",
    verdict="client_secret=hunter2",
    outcome="442079460001",
    status_code=442079460001,
    attempt="0" * 5000,
)
UNTOLD = ("42079460001", "anna", "eyJhbGciOi", "hunter2", "0" * 300)


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    with collecting() as found:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", found.url)
        yield found


def told(telemetry: Telemetry, outcome: str) -> float:
    name = "callplane_trace_spans_total"
    return telemetry.registry.get_sample_value(name, {"outcome": outcome}) or 0.0


def work(traces: OtelTraces, count: int) -> None:
    for _ in range(count):
        with traces.begin("work", kind="TeamsUser"):
            pass


def test_every_fact_has_its_attribute() -> None:
    assert trace_export.ATTRIBUTES.keys() == Facts.__annotations__.keys()
    assert len(set(trace_export.ATTRIBUTES.values())) == len(trace_export.ATTRIBUTES)


def everywhere(found: RecordedTraces) -> None:
    """Every way by which facts come into a span."""
    with found.traces.begin("pass of anna@example.com", **HOSTILE) as span:
        span.note(**HOSTILE)
        span.past("read +442079460001", 0.1, is_error=True, **HOSTILE)
        with pytest.raises(LookupError), span.step("step", **HOSTILE):
            raise LookupError("+442079460001 of anna@example.com: client_secret=hunter2")
    triggers = [tracing.Trigger(span.span.get_span_context(), is_own=False)]  # type: ignore[attr-defined]
    with found.traces.queued("pass", triggers, 1.0, **HOSTILE):
        pass


def test_hostile_facts_leave_scrubbed() -> None:
    found = RecordedTraces(time.time_ns)
    everywhere(found)
    seen = found.seen()
    assert len(seen.spans) == 6
    assert telling_words(seen.spans, UNTOLD) == []


def test_that_test_fails_when_facts_are_not_scrubbed(monkeypatch: pytest.MonkeyPatch) -> None:
    def careless(facts: Facts) -> dict[str, Any]:
        return {trace_export.ATTRIBUTES[name]: value for name, value in facts.items()}

    monkeypatch.setattr(trace_export, "attributes_of", careless)
    found = RecordedTraces(time.time_ns)
    everywhere(found)
    assert len(telling_words(found.seen().spans, UNTOLD)) > 20


def test_that_test_fails_when_names_are_not_scrubbed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace_export, "scrubbed", lambda text, _: text)
    found = RecordedTraces(time.time_ns)
    everywhere(found)
    assert any("pass of anna" in word for word in telling_words(found.seen().spans, UNTOLD))


def test_facts_that_nobody_listed_are_not_told() -> None:
    assert trace_export.attributes_of({"name": "anna"}) == {}  # type: ignore[typeddict-unknown-key]


@pytest.mark.parametrize(
    ("error", "is_error", "attributes"),
    [
        (
            Waiting("Settling", "anna", after_seconds=1),
            False,
            {"callplane.verdict": "Waiting", "callplane.reason": "Settling"},
        ),
        (
            Stalled("Foreign", "anna"),
            True,
            {"callplane.verdict": "Stalled", "callplane.reason": "Foreign"},
        ),
        (
            Failed("Conflict", "anna"),
            True,
            {"callplane.verdict": "Failed", "callplane.reason": "Conflict"},
        ),
        (LookupError("anna"), True, {"callplane.verdict": "LookupError"}),
    ],
)
def test_errors_are_told_by_their_kind(
    error: Exception, is_error: bool, attributes: dict[str, str]
) -> None:
    found = RecordedTraces(time.time_ns)
    with pytest.raises(type(error)), found.traces.begin("pass"):
        raise error
    (span,) = found.seen().spans
    assert span.is_error is is_error
    assert span.attributes == attributes
    assert "anna" not in span.text


class Broken(SpanProcessor):
    """Fails whenever it is asked."""

    def on_start(self, *_: object, **__: object) -> None:
        raise OSError("no memory")

    def on_end(self, span: ReadableSpan) -> None:
        raise OSError("no memory")


def test_tracing_that_fails_stops_nothing_and_is_said_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(Broken())
    traces = OtelTraces(provider)
    done = 0
    for _ in range(3):
        with traces.begin("pass") as span, span.step("plan"):
            done += 1
        with traces.queued("pass", (), 1.0):
            done += 1
    assert done == 6
    assert tracing.current() is tracing.NO_SPAN
    assert caplog.text.count("tracing failed") == 1


def test_log_lines_name_the_trace_they_belong_to() -> None:
    found = RecordedTraces(time.time_ns)
    record = logging.LogRecord("a", logging.INFO, "a.py", 1, "sent", None, None)
    assert "trace_id" not in JsonLines(show_numbers=False).format(record)
    with found.traces.begin("pass"):
        line = JsonLines(show_numbers=False).format(record)
    (span,) = found.seen().spans
    assert f'"trace_id": "{span.trace}", "span_id": "{span.span}"' in line


def test_spans_reach_the_collector_with_the_names_of_the_process(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=platform")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
    telemetry = Telemetry()
    traces = trace_export.to_collector("callplane-operator", "pod-1", telemetry.spans_sent)
    with traces.begin("pass", kind="TeamsUser") as span, span.step("plan"):
        pass
    traces.close(10)
    seen = collector.seen()
    (part,) = seen.named("plan")
    assert seen.path_of(part) == ["pass", "plan"]
    assert part.service == "callplane-operator"
    for said in ("pod-1", "deployment.environment.name"):
        assert said in part.text
    assert collector.headers[0]["x-tenant"] == "platform"
    assert told(telemetry, "sent") == 2


def test_the_environment_names_the_service_if_it_wants_to(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", "phones")
    traces = trace_export.to_collector("callplane-operator", "pod-1", Telemetry().spans_sent)
    work(traces, 1)
    traces.close(10)
    assert [span.service for span in collector.seen().spans] == ["phones"]


def test_who_samples_gets_whole_traces_or_none(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_traceidratio")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "0.5")
    traces = trace_export.to_collector("callplane-operator", "pod-1", Telemetry().spans_sent)
    for _ in range(100):
        with traces.begin("pass") as span, span.step("plan"):
            pass
    traces.close(10)
    seen = collector.seen()
    assert 0 < len(seen.named("pass")) < 100
    assert len(seen.named("pass")) == len(seen.named("plan"))
    assert not seen.orphans()


@pytest.mark.parametrize("refusal", [400, 401, 500])
def test_a_collector_that_refuses_costs_the_spans(collector: Collector, refusal: int) -> None:
    collector.refuse = refusal
    telemetry = Telemetry()
    traces = trace_export.to_collector("callplane-operator", "pod-1", telemetry.spans_sent)
    work(traces, 3)
    traces.close(0.5)
    polling.until(lambda: told(telemetry, "lost") == 3, "they are given up", seconds=20)
    assert told(telemetry, "sent") == 0


def test_a_collector_that_is_away_fills_a_bounded_queue_and_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "64")
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "16")
    telemetry = Telemetry()
    traces = trace_export.to_collector("callplane-operator", "pod-1", telemetry.spans_sent)
    work(traces, 5000)
    (processor,) = traces.provider._active_span_processor._span_processors
    assert len(processor._batch_processor._queue) <= 64  # type: ignore[attr-defined]
    traces.close(0.5)
    polling.until(lambda: told(telemetry, "lost") > 0, "a batch is given up", seconds=20)
    assert told(telemetry, "sent") == 0


def test_a_collector_that_never_answers_does_not_hold_up_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv(
            "OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}"
        )
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "30")
        traces = trace_export.to_collector("callplane-operator", "pod-1", Telemetry().spans_sent)
        work(traces, 1)
        ended = threading.Event()

        def end() -> None:
            traces.close(0.2)
            ended.set()

        threading.Thread(target=end, daemon=True).start()
        # Far less than the half minute for which a request would wait.
        assert ended.wait(15)


def test_variables_that_cannot_be_are_one_clear_error(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "-5")
    with pytest.raises(CallplaneError, match="max_queue_size must be a positive integer"):
        trace_export.to_collector("callplane-operator", "pod-1", Telemetry().spans_sent)
