"""Observability: what is scraped, the rules and the dashboards, from the operator's description."""

from __future__ import annotations

from callplane.deployment import alerts, dashboards, sbc_pod
from callplane_stacks import platform_component
from callplane_stacks.kubernetes import ledger_database, sbc
from callplane_stacks.kubernetes.configuration import Configuration
from callplane_stacks.objects import Body, Component, labelled

COMPONENT = "observability"
MONITORING = "monitoring.coreos.com/v1"
CERTIFICATE_DAYS = 14
RUNBOOKS = "docs/stacks.md"


class Observability(Component):
    """Monitors, rules and dashboards."""


def objects(configuration: Configuration) -> list[Body]:
    """The operator's own, and those of the database and of the SBCs."""
    options = platform_component.options(configuration)
    place = configuration.platform.namespace
    return [
        *alerts.objects(options),
        *dashboards.objects(options),
        {
            "apiVersion": MONITORING,
            "kind": "PodMonitor",
            "metadata": labelled(ledger_database.CLUSTER, COMPONENT, place),
            "spec": {
                "selector": {"matchLabels": {"cnpg.io/cluster": ledger_database.CLUSTER}},
                "podMetricsEndpoints": [{"port": "metrics", "interval": "30s"}],
            },
        },
        {
            "apiVersion": MONITORING,
            "kind": "ServiceMonitor",
            "metadata": labelled(sbc_pod.ACCOUNT, COMPONENT, configuration.sbc.namespace),
            "spec": {
                "selector": {"matchLabels": {"app.kubernetes.io/component": sbc.COMPONENT}},
                "endpoints": [
                    {"port": port, "path": "/metrics", "interval": "15s"}
                    for port in ("metrics", "probes")
                ],
            },
        },
        {
            "apiVersion": MONITORING,
            "kind": "PrometheusRule",
            "metadata": labelled("callplane-stack", COMPONENT, place),
            "spec": {"groups": [{"name": "callplane-stack", "rules": rules()}]},
        },
    ]


def rules() -> list[Body]:
    """Alerts on what the stack stands up beside the operator."""
    seconds = CERTIFICATE_DAYS * 24 * 3600
    return [
        _rule(
            "CallplaneCertificateEnds",
            f"certmanager_certificate_expiration_timestamp_seconds - time() < {seconds}",
            "1h",
            f"A certificate ends within {CERTIFICATE_DAYS} days and was not renewed.",
        ),
        _rule(
            "CallplaneReplicationLags",
            "max by (pod) (cnpg_pg_replication_lag) > 300",
            "5m",
            "A standby of the ledger is five minutes behind.",
        ),
        _rule(
            "CallplaneBackupFails",
            "max by (pod) (cnpg_pg_stat_archiver_seconds_since_last_archival) > 3600",
            "15m",
            "No write-ahead log of the ledger has been archived for an hour.",
        ),
    ]


def _rule(name: str, expression: str, wait: str, summary: str) -> Body:
    return {
        "alert": name,
        "expr": expression,
        "for": wait,
        "labels": {"severity": "critical"},
        "annotations": {"summary": summary, "runbook": f"{RUNBOOKS}#{name.lower()}"},
    }
