"""Observability: what only AWS sees of a stack, as alarms of CloudWatch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_aws.cloudwatch as cloudwatch

from callplane_stacks.aws.configuration import Configuration
from callplane_stacks.aws.network import tags

RUNBOOKS = "docs/stacks.md"
GIB = 1 << 30


@dataclass(frozen=True, slots=True)
class Alarm:
    """One alarm: its name is that of its runbook."""

    name: str
    namespace: str
    metric: str
    statistic: str
    comparison: str
    threshold: float
    minutes: int
    says: str


DATABASE = (
    Alarm(
        *("CallplaneDatabaseStorageLow", "AWS/RDS", "FreeStorageSpace", "Minimum"),
        *("LessThanThreshold", 10 * GIB, 15),
        says="The ledger's database has less than 10 GiB left.",
    ),
)
MACHINE = (
    Alarm(
        *("CallplaneMachineFails", "AWS/EC2", "StatusCheckFailed", "Maximum"),
        *("GreaterThanThreshold", 0, 3),
        says="The machine of an SBC fails its checks: its calls are gone.",
    ),
)


class Observability(pulumi.ComponentResource):
    """Alarms on the database and on every machine."""

    def __init__(
        self,
        configuration: Configuration,
        database: pulumi.Input[str],
        machines: Mapping[str, pulumi.Input[str]],
        options: pulumi.ResourceOptions,
    ) -> None:
        super().__init__("callplane:aws:Observability", "alarms", None, options)
        self._topic = configuration.alarms
        for alarm in DATABASE:
            self._alarm("database", alarm, {"DBInstanceIdentifier": database})
        for machine, instance in machines.items():
            for alarm in MACHINE:
                self._alarm(machine, alarm, {"InstanceId": instance})
        self.register_outputs({})

    def _alarm(self, of: str, alarm: Alarm, dimensions: Mapping[str, pulumi.Input[str]]) -> None:
        cloudwatch.MetricAlarm(
            f"{of}-{alarm.name}",
            name=f"{alarm.name}-{of}",
            alarm_description=f"{alarm.says} {RUNBOOKS}#{alarm.name.lower()}",
            namespace=alarm.namespace,
            metric_name=alarm.metric,
            statistic=alarm.statistic,
            comparison_operator=alarm.comparison,
            threshold=alarm.threshold,
            period=60,
            evaluation_periods=alarm.minutes,
            # A machine that says nothing is not well.
            treat_missing_data="breaching",
            dimensions=dict(dimensions),
            alarm_actions=[self._topic],
            ok_actions=[self._topic],
            tags=tags(of),
            opts=pulumi.ResourceOptions(parent=self),
        )
