"""The metrics that dashboards and alerts are checked against are what real processes serve."""

from __future__ import annotations

from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from callplane.callcontrol.metrics import CallMetrics
from callplane.server.metrics import ApiMetrics
from callplane.telemetry import Telemetry
from callplane.testing import admin_api_process, admin_api_rows
from callplane.testing.live_world import LiveWorld, OperatorProcess


def served(text: str) -> set[str]:
    """Families of a scrape; when a series began is told of each counter besides."""
    names = {family.name for family in text_string_to_metric_families(text)}
    return {name for name in names if not name.endswith("_created")}


def declared(registry: CollectorRegistry) -> set[str]:
    return {family.name for family in registry.collect()}


def test_processes_serve_what_is_declared(live_world: LiveWorld, operator: OperatorProcess) -> None:
    assert served(operator.metrics()) == declared(Telemetry().registry)
    calls = live_world.start_call_control()
    try:
        assert served(calls.metrics()) == declared(CallMetrics().registry)
    finally:
        calls.stop()


def test_the_admin_api_serves_what_is_declared(live_world: LiveWorld) -> None:
    dsn = live_world.postgres.create_database()
    api = admin_api_process.start(
        live_world, "api-of-metrics", database_url=admin_api_rows.as_reader(dsn)
    )
    try:
        assert served(api.metrics()) == declared(ApiMetrics().registry)
    finally:
        api.stop()
