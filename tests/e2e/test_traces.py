"""Processes that are told of a collector send it whole traces, in which nobody is named."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from callplane.settings import OperatorSettings
from callplane.testing import polling
from callplane.testing.estates import Estate
from callplane.testing.live_world import LiveWorld, OperatorProcess
from callplane.testing.recorded_traces import Collector, SeenSpan, collecting, telling_words

SECRET = "a-client-secret-that-nobody-sees"


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    with collecting() as found:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", found.url)
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "200")
        yield found


@pytest.fixture
def traced(live_world: LiveWorld, collector: Collector) -> Iterator[OperatorProcess]:
    """The one operator that runs; it sends traces to the collector."""
    live_world.stop_operators()
    with live_world.operating() as operator:
        yield operator


def whole_path(collector: Collector, estate: Estate) -> SeenSpan | None:
    """A request to the provider that carries out a change that somebody's edit asked for."""
    seen = collector.seen()
    for span in seen.spans:
        if span.attributes.get("callplane.provider") == "teams" and seen.path_of(span)[:4] == [
            "watch TeamsUser",
            "pass TeamsUser",
            "apply",
            "write",
        ]:
            return span
    return None


def test_an_edit_is_followed_from_the_watch_to_the_provider_and_nobody_is_named(
    live_world: LiveWorld, collector: Collector, traced: OperatorProcess
) -> None:
    estate = live_world.estate()
    live_world.apply(*estate.base())
    live_world.base_ready(estate)
    live_world.apply(*estate.people(2))
    live_world.ready(estate)
    polling.until(lambda: whole_path(collector, estate), "a trace is whole", seconds=30)
    assert 'callplane_trace_spans_total{outcome="sent"}' in traced.metrics()
    traced.stop()
    seen = collector.seen()
    # What was at work at the end had no time to say so: every worker may have been.
    unended = {span.parent for span in seen.orphans()}
    assert len(unended) <= OperatorSettings().workers, [
        seen.path_of(span) for span in seen.orphans()
    ]
    request = whole_path(collector, estate)
    assert request is not None
    assert request.attributes["http.response.status_code"] in (200, 202, 204)
    assert request.service == "callplane-operator"
    assert any(span.name.startswith("teams ") and not span.parent for span in seen.spans)

    number = estate.number_of(1)
    assert number is not None
    untold = (number.lstrip("+"), estate.domain, "user-1", "user-2", "client_secret", "eyJ")
    assert telling_words(seen.spans, untold) == []
    lines = [line for line in traced.log().splitlines() if '"trace_id"' in line]
    assert any(request.trace in line for line in lines)


def test_a_collector_that_is_away_holds_up_nothing(
    live_world: LiveWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    live_world.stop_operators()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    with live_world.operating():
        estate = live_world.estate()
        live_world.apply(*estate.base(), *estate.people(3))
        live_world.ready(estate)
        assert len(estate.assigned()) == 3


def test_a_call_is_followed_down_to_the_books_and_nobody_is_named(
    live_world: LiveWorld, collector: Collector
) -> None:
    live_world.leader()
    process = live_world.start_call_control()
    try:
        attempt = "5b0ad9a4-59c7-4c1c-9a3e-8e6c4d2f7a10"
        verdict = process.ask(
            attempt_id=attempt, ingress="Teams", caller="+442079460999", dialled="999"
        )
        assert verdict["allow"]
        polling.until(
            lambda: collector.seen().named("authorise", attempt_id=attempt),
            "the question is told",
            seconds=30,
        )
    finally:
        process.stop()
    seen = collector.seen()
    (question,) = seen.named("authorise", attempt_id=attempt, outcome="Allowed", way="http")
    assert question.service == "callplane-callcontrol"
    assert telling_words(seen.spans, ("442079460999",)) == []
