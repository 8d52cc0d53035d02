"""Whether a process traces, by OpenTelemetry's own variables. Called by the processes' wiring.

Nothing of OpenTelemetry is loaded where no collector is named. A mistake in its variables is said
and costs the traces, never the process: calls and numbers do not wait for them.
"""

from __future__ import annotations

import importlib.util
import logging
import urllib.parse
from collections.abc import Callable, Mapping

from callplane.errors import CallplaneError
from callplane.tracing import NO_TRACES, Traces

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
PROTOCOL = "http/protobuf"
EXTRA = "callplane[tracing]"
#: How long the end of a process waits for the collector.
CLOSE_SECONDS = 2.0

log = logging.getLogger(__name__)


def chosen(
    environment: Mapping[str, str],
    *,
    service: str,
    instance: str,
    told: Callable[[str, int], None],
) -> Traces:
    """`NO_TRACES` unless the environment names a collector. `told` hears of spans that were sent or
    lost, on a thread of its own.
    """
    if not is_wanted(environment):
        return NO_TRACES
    problem = problem_of(environment)
    if problem:
        log.error("nothing is traced: %s", problem)
        return NO_TRACES
    from callplane.wiring import trace_export

    try:
        traces = trace_export.to_collector(service, instance, told)
    except CallplaneError as error:
        log.error("nothing is traced: %s", error)
        return NO_TRACES
    log.info("traces are sent to %s", place(environment))
    return traces


def is_wanted(environment: Mapping[str, str]) -> bool:
    """Is a collector named, and tracing not switched off?"""
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    exporters = environment.get("OTEL_TRACES_EXPORTER", "").strip()
    if exporters == "none":
        return False
    return bool(exporters) or any(environment.get(name) for name in ENDPOINTS)


def problem_of(environment: Mapping[str, str]) -> str:
    """Why there can be no traces; empty where there can."""
    exporters = environment.get("OTEL_TRACES_EXPORTER", "").strip()
    if exporters not in ("", "otlp"):
        return f"OTEL_TRACES_EXPORTER: {exporters!r} is not otlp or none"
    for name in PROTOCOLS:
        if environment.get(name, PROTOCOL) != PROTOCOL:
            return f"{name}: {environment[name]!r} is not {PROTOCOL}, the only one that is spoken"
    for name in ENDPOINTS:
        value = environment.get(name)
        parts = urllib.parse.urlsplit(value) if value else None
        if parts is not None and not (parts.scheme in ("http", "https") and parts.hostname):
            return f"{name} is no http or https URL"
    if importlib.util.find_spec("opentelemetry") is None:
        return f"OpenTelemetry is not installed; install {EXTRA}"
    return ""


def place(environment: Mapping[str, str]) -> str:
    """Where the collector is, without what a URL may hold beside that."""
    named = next((environment[name] for name in ENDPOINTS if environment.get(name)), "")
    parts = urllib.parse.urlsplit(named or "http://localhost:4318")
    return f"{parts.scheme}://{parts.hostname}" + (f":{parts.port}" if parts.port else "")
