"""Dashboards and alerts ask only for what the operator really exposes; each alert is explained."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import promql_parser
import pytest
import yaml

from callplane.apis import registry
from callplane.apis.reasons import Reason
from callplane.callcontrol.metrics import CallMetrics
from callplane.callcontrol.sbc_watching import SbcLook, SbcWatcher
from callplane.deployment import alerts, dashboards, grafana
from callplane.engine.keyed_queue import Priority
from callplane.server.metrics import ApiMetrics
from callplane.telemetry import AccountFigures, Telemetry

# What Prometheus itself adds to a scrape.
SCRAPED = {"up": frozenset({"job", "instance"})}
TARGET_LABELS = frozenset({"job", "instance", "namespace", "pod", "service", "endpoint"})
SECTION = re.compile(r"^### (Callplane\w+)$", re.MULTILINE)
Metrics = Mapping[str, frozenset[str]]


def exposed() -> Metrics:
    """Every series that our processes expose, with its labels; asked of registries that were
    used.
    """
    calls = CallMetrics()
    calls.answers.labels("Allowed").inc()
    calls.records.labels("outbound").inc()
    calls.registry.register(watched())
    telemetry = Telemetry()
    telemetry.waited(Priority.USER.name.lower(), 0.1)
    telemetry.passed(registry.KINDS[0].name, 0.1)
    telemetry.verdict(registry.KINDS[0].name, Reason.SUCCEEDED)
    telemetry.called("teams", "listUsers", "ok", 0.1)
    telemetry.status_written(registry.KINDS[0].name)
    telemetry.queue_depth.labels("user").set(1)
    telemetry.throttled.labels("a/b").set(1)
    telemetry.objects.labels(registry.KINDS[0].name, "True").set(1)
    telemetry.held_batches.labels("a/b").set(1)
    telemetry.credentials_left.labels("a/b").set(1)
    telemetry.notice_given("Allowance")
    telemetry.notice_delivery("Delivered")
    telemetry.spans_sent("sent", 1)
    telemetry.accounts_seen([AccountFigures("a/b", "GBP", {"used": 1}, {"posted": 1}, 0)])
    calls.spans_sent("sent", 1)
    api = ApiMetrics()
    api.requests.labels("/v1/numbers", "200").inc()
    api.certificate(b"")
    calls.certificate_of("127.0.0.1:8448")(b"")
    return {
        sample.name: frozenset(sample.labels)
        for used in (telemetry, calls, api)
        for family in used.registry.collect()
        for sample in family.samples
    } | dashboards.RTPENGINE


def watched() -> SbcWatcher:
    """What call control beside an SBC exposes of it."""
    seen = SbcLook(1, 0, False, {"teams": True}, {"INVITE": 1}, 0.5)
    return SbcWatcher({}, _seen={"127.0.0.1:8448": seen})


def queries() -> Iterator[tuple[str, str]]:
    """Every query that is shipped, with the name of who asks."""
    for alert in alerts.ALERTS:
        yield alert.name, alert.expression
    for dashboard in dashboards.DASHBOARDS:
        for panel in dashboard.panels:
            for expression in panel.queries.values():
                yield f"{dashboard.title}: {panel.title}", expression


def selectors(expression: str) -> list[promql_parser.VectorSelector]:
    """The series that a query selects. Raises ValueError for what is no PromQL."""
    found: list[promql_parser.VectorSelector] = []

    def look(node: promql_parser.Expr) -> bool:
        if isinstance(node, promql_parser.VectorSelector):
            found.append(node)
        return True

    promql_parser.walk(promql_parser.parse(expression), look)
    return found


def groupings(expression: str) -> set[str]:
    """The labels that a query groups by."""
    found: set[str] = set()

    def look(node: promql_parser.Expr) -> bool:
        if isinstance(node, promql_parser.AggregateExpr) and node.modifier is not None:
            found.update(node.modifier.labels)
        return True

    promql_parser.walk(promql_parser.parse(expression), look)
    return found


def mistakes(expression: str, metrics: Metrics) -> list[str]:
    """What a query asks for that nobody exposes."""
    found = []
    values = {
        # The last two are rtpengine's, of a session that ended.
        "reason": {reason.value for reason in Reason} | {"timeout", "silent_timeout"},
        "kind": {kind.name for kind in registry.KINDS},
        "outcome": {"ok", "throttled", "unavailable", "authentication", "unknown", "refused"}
        | {"Allowed", "Outage"},
        "ready": {"True", "False", "Unknown"},
        "part": {"entitled", "used", "held", "posted", "ceiling"},
    }
    labels: set[str] = set(TARGET_LABELS)
    for selector in selectors(expression):
        name = selector.name
        if name not in metrics and name not in SCRAPED:
            found.append(f"no metric {name}")
            continue
        known = metrics.get(name, SCRAPED.get(name, frozenset())) | TARGET_LABELS
        labels |= known
        for matcher in selector.matchers.matchers:
            if matcher.name not in known:
                found.append(f"{name} has no label {matcher.name}")
            asked = set(matcher.value.split("|"))
            if not asked <= values.get(matcher.name, asked):
                found.append(f"{matcher.name} is never {asked - values[matcher.name]}")
    found += [f"grouped by unknown {label}" for label in sorted(groupings(expression) - labels)]
    return found


def stem(series: str) -> str:
    """The metric that a series belongs to."""
    return re.sub(r"_(bucket|count|sum|created|total)$", "", series)


@pytest.mark.parametrize("expression", [pytest.param(text, id=name) for name, text in queries()])
def test_a_query_asks_for_what_is_exposed(expression: str) -> None:
    assert mistakes(expression, exposed()) == []


def test_every_metric_is_on_a_dashboard() -> None:
    asked = {
        str(selector.name)
        for dashboard in dashboards.DASHBOARDS
        for panel in dashboard.panels
        for expression in panel.queries.values()
        for selector in selectors(expression)
    }
    assert {stem(name) for name in exposed()} == {stem(name) for name in asked}


def test_every_metric_that_a_process_declares_was_used_above() -> None:
    """A metric without a value has no series, and would be passed over."""
    used = {stem(name) for name in exposed().keys() - dashboards.RTPENGINE.keys()}
    calls = CallMetrics().registry
    calls.register(watched())
    declared = {
        family.name
        for registry in (Telemetry().registry, calls, ApiMetrics().registry)
        for family in registry.collect()
    }
    assert declared == used


def test_a_series_that_an_alert_counts_is_there_before_anything_happened() -> None:
    """What happens once would begin its series with one, and a first value is no increase."""
    lost = re.search(r'state=~"([^"]+)"', _expression("CallplaneNoticesNotDelivered"))
    assert lost is not None
    for state in lost[1].split("|"):
        name, labels = "callplane_notice_deliveries_total", {"state": state}
        assert Telemetry().registry.get_sample_value(name, labels) == 0
    for metrics, name in (
        (CallMetrics(), "callplane_emergency_calls_total"),
        (ApiMetrics(), "callplane_api_unreviewed_total"),
    ):
        assert metrics.registry.get_sample_value(name) == 0


def _expression(name: str) -> str:
    (found,) = (alert.expression for alert in alerts.ALERTS if alert.name == name)
    return found


def test_every_alert_has_a_runbook(root: Path) -> None:
    sections = SECTION.findall((root / "docs/runbooks.md").read_text(encoding="utf-8"))
    assert sorted(sections) == sorted(alert.name for alert in alerts.ALERTS)
    assert len(set(sections)) == len(sections)


def test_rules_are_shipped_for_both_kinds_of_prometheus(root: Path) -> None:
    folder = root / "manifests/observability"
    plain = yaml.safe_load((folder / "rules.yaml").read_text())
    _, rule = yaml.safe_load_all((folder / "prometheus.yaml").read_text())
    assert plain["groups"] == rule["spec"]["groups"]
    assert [each["alert"] for each in plain["groups"][0]["rules"]] == [
        alert.name for alert in alerts.ALERTS
    ]


def test_dashboards_fit_the_grid_and_have_unique_names(root: Path) -> None:
    uids = [dashboard.uid for dashboard in dashboards.DASHBOARDS]
    assert len(set(uids)) == len(uids)
    for path in (root / "manifests/observability/dashboards").glob("*.json"):
        model = json.loads(path.read_text(encoding="utf-8"))
        places = [panel["gridPos"] for panel in model["panels"]]
        assert all(place["x"] + place["w"] <= grafana.GRID_WIDTH for place in places)
        assert len({(place["x"], place["y"]) for place in places}) == len(places)
        assert len({panel["title"] for panel in model["panels"]}) == len(places)


@pytest.mark.parametrize(
    "expression",
    [
        "callplane_no_such_thing > 0",
        'callplane_objects{colour="red"}',
        'callplane_passes_total{reason="NoSuchReason"}',
        'callplane_objects{kind="Dinosaur"}',
        "sum by (colour) (callplane_objects)",
    ],
)
def test_a_query_for_nothing_is_caught(expression: str) -> None:
    assert len(mistakes(expression, exposed())) == 1


def test_what_is_no_query_is_caught() -> None:
    with pytest.raises(ValueError, match="unclosed left parenthesis"):
        selectors("sum by (kind (callplane_objects)")
