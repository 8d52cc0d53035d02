"""Observability: what only Azure sees of a stack, as alerts of Azure Monitor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_azure_native.monitor as monitor

from callplane_stacks.azure.configuration import Configuration
from callplane_stacks.azure.network import Network, tags

RUNBOOKS = "docs/stacks.md"


@dataclass(frozen=True, slots=True)
class Alarm:
    """One alarm: its name is that of its runbook."""

    name: str
    metric: str
    aggregation: str
    operator: str
    threshold: float
    minutes: int
    says: str


DATABASE = Alarm(
    *("CallplaneDatabaseStorageLow", "storage_percent", "Maximum", "GreaterThan", 85, 15),
    says="The ledger's database is filled to more than 85 %.",
)
MACHINE = Alarm(
    *("CallplaneMachineFails", "VmAvailabilityMetric", "Average", "LessThan", 1, 5),
    says="The machine of an SBC is not available: its calls are gone.",
)


class Observability(pulumi.ComponentResource):
    """Alerts on the database and on every machine."""

    def __init__(
        self,
        configuration: Configuration,
        network: Network,
        database: pulumi.Input[str],
        machines: Mapping[str, pulumi.Input[str]],
        options: pulumi.ResourceOptions,
    ) -> None:
        super().__init__("callplane:azure:Observability", "alarms", None, options)
        self._actions = configuration.alarms
        self._group = network.ground.group
        self._alarm("database", DATABASE, database)
        for machine, scope in machines.items():
            self._alarm(machine, MACHINE, scope)
        self.register_outputs({})

    def _alarm(self, of: str, alarm: Alarm, scope: pulumi.Input[str]) -> None:
        criterion = monitor.MetricCriteriaArgs(
            name=alarm.metric,
            criterion_type="StaticThresholdCriterion",
            metric_name=alarm.metric,
            time_aggregation=alarm.aggregation,
            operator=alarm.operator,
            threshold=alarm.threshold,
        )
        monitor.MetricAlert(
            f"{of}-{alarm.name}",
            rule_name=f"{alarm.name}-{of}",
            resource_group_name=self._group,
            location="global",
            description=f"{alarm.says} {RUNBOOKS}#{alarm.name.lower()}",
            severity=1,
            enabled=True,
            auto_mitigate=True,
            scopes=[scope],
            evaluation_frequency="PT1M",
            window_size=f"PT{alarm.minutes}M",
            criteria=monitor.MetricAlertSingleResourceMultipleMetricCriteriaArgs(
                odata_type="Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria",
                all_of=[criterion],
            ),
            actions=[monitor.MetricAlertActionArgs(action_group_id=self._actions)],
            tags=tags(of),
            opts=pulumi.ResourceOptions(parent=self),
        )
