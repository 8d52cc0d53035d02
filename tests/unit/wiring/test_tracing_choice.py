"""Nothing is traced, nor loaded, unless a collector is named; a mistake there stops no process."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Mapping

import pytest

from callplane.tracing import NO_TRACES, Traces
from callplane.wiring import tracing_choice
from callplane.wiring.trace_export import OtelTraces

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
COLLECTOR = "http://127.0.0.1:4318"


def chosen(environment: Mapping[str, str]) -> Traces:
    return tracing_choice.chosen(
        environment, service="callplane-operator", instance="pod-1", told=lambda *_: None
    )


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"OTEL_SERVICE_NAME": "phones"},
        {ENDPOINT: ""},
        {ENDPOINT: COLLECTOR, "OTEL_SDK_DISABLED": "true"},
        {ENDPOINT: COLLECTOR, "OTEL_TRACES_EXPORTER": "none"},
    ],
)
def test_nothing_is_traced_unless_a_collector_is_named(
    environment: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    assert chosen(environment) is NO_TRACES
    assert caplog.text == ""


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({ENDPOINT: "collector:4318"}, f"{ENDPOINT} is no http or https URL"),
        ({ENDPOINT: "grpc://collector:4317"}, f"{ENDPOINT} is no http or https URL"),
        ({ENDPOINT: "http://"}, f"{ENDPOINT} is no http or https URL"),
        (
            {ENDPOINT: COLLECTOR, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
            "OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' is not http/protobuf",
        ),
        ({"OTEL_TRACES_EXPORTER": "zipkin"}, "OTEL_TRACES_EXPORTER: 'zipkin' is not otlp"),
    ],
)
def test_what_cannot_be_is_said_and_costs_only_the_traces(
    environment: dict[str, str], said: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert chosen(environment) is NO_TRACES
    assert f"nothing is traced: {said}" in caplog.text


def test_a_missing_package_is_named(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    assert chosen({ENDPOINT: COLLECTOR}) is NO_TRACES
    assert "install callplane[tracing]" in caplog.text


def test_a_mistake_that_only_the_exporter_finds_costs_only_the_traces(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "-5")
    assert chosen({ENDPOINT: COLLECTOR}) is NO_TRACES
    assert "nothing is traced: ValueError: max_queue_size" in caplog.text


def test_a_named_collector_is_told_and_said_without_its_password(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    traces = chosen({ENDPOINT: "https://anna:hunter2@collector.example:4318/otlp?key=hunter2"})
    try:
        assert isinstance(traces, OtelTraces)
        assert "traces are sent to https://collector.example:4318" in caplog.text
        assert "hunter2" not in caplog.text
    finally:
        traces.close(5)


def test_nothing_of_opentelemetry_is_loaded_by_a_process_that_does_not_trace() -> None:
    program = (
        "import sys\n"
        "from callplane.wiring import callcontrol_process, operator_process, tracing_choice\n"
        "from callplane.tracing import NO_TRACES\n"
        "found = tracing_choice.chosen({}, service='a', instance='b', told=print)\n"
        "assert found is NO_TRACES\n"
        "print([name for name in sys.modules if name.startswith('opentelemetry')])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.strip() == "[]"
