"""Observability: what is scraped, the rules and the dashboards, from the operator's description."""

from __future__ import annotations

from callplane.deployment import alerts, dashboards, sbc_pod
from callplane_stacks import platform_component, sbc_rules
from callplane_stacks.kubernetes import ledger_database, sbc
from callplane_stacks.kubernetes.configuration import Configuration
from callplane_stacks.objects import Body, Component, labelled

COMPONENT = "observability"
MONITORING = "monitoring.coreos.com/v1"


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
            "spec": {"groups": [{"name": "callplane-stack", "rules": rules(configuration)}]},
        },
    ]


def rules(configuration: Configuration) -> list[Body]:
    """Alerts on what the stack stands up beside the operator, and on no other database."""
    ours = f'namespace="{configuration.platform.namespace}",pod=~"{ledger_database.CLUSTER}-[0-9]+"'
    place = configuration.sbc.namespace
    return [
        *sbc_rules.rules(
            {
                instance.name: tuple(
                    f'namespace="{place}",job="{instance.name}",endpoint="{port}"'
                    for port in ("metrics", "probes")
                )
                for instance in configuration.sbc.instances
            }
        ),
        sbc_rules.rule(
            "CallplaneReplicationLags",
            f"max by (pod) (cnpg_pg_replication_lag{{{ours}}}) > 300",
            "5m",
            "A standby of the ledger is five minutes behind.",
        ),
        # Not the time since the last one: a ledger that nobody writes to archives nothing for days.
        sbc_rules.rule(
            "CallplaneArchiveFails",
            "max by (pod) (min_over_time("
            f'cnpg_collector_pg_wal_archive_status{{{ours},value="ready"}}[1h])) > 0',
            "15m",
            "In an hour there was no moment when the ledger's write-ahead log was archived.",
        ),
        sbc_rules.rule(
            "CallplaneBackupFails",
            "time() - max(barman_cloud_cloudnative_pg_io_last_available_backup_timestamp"
            f"{{{ours}}}) > {2 * 86_400}",
            "1h",
            "The ledger has no base backup of the last two days.",
        ),
    ]
