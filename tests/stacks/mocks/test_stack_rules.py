"""A stack's own alerts fire when they should and stay quiet when they should not, by promtool."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

import cloud_stack
import sample_stack
from callplane_stacks import given_cluster
from callplane_stacks.kubernetes import observability
from cloud_stack import Cloud

LEDGER = 'namespace="callplane-system",pod="callplane-ledger-1"'
OTHERS = 'namespace="shop",pod="orders-1"'
LAG = "cnpg_pg_replication_lag"
READY = "cnpg_collector_pg_wal_archive_status"
BACKUP = "barman_cloud_cloudnative_pg_io_last_available_backup_timestamp"


def up(name: str, port: str) -> str:
    return f'up{{namespace="callplane-sbc",job="{name}",endpoint="{port}"}}'


RUNS = {up(name, port): "1x120" for name in ("sbc1", "sbc2") for port in ("metrics", "probes")}
#: One alert, and the series of two hours, a value a minute.
FIRES: dict[str, tuple[str, Mapping[str, str]]] = {
    "relay": ("CallplaneSbcDown", {**RUNS, up("sbc2", "metrics"): "0x120"}),
    "node gone": ("CallplaneSbcDown", {key: row for key, row in RUNS.items() if "sbc2" not in key}),
    "lag": ("CallplaneReplicationLags", {f"{LAG}{{{LEDGER}}}": "301x120"}),
    "never archived": (
        "CallplaneArchiveFails",
        {f'{READY}{{{LEDGER},value="ready"}}': "1+1x120"},
    ),
    "no backup": ("CallplaneBackupFails", {f"{BACKUP}{{{LEDGER}}}": "-200000x120"}),
}
QUIET: dict[str, tuple[str, Mapping[str, str]]] = {
    "runs": ("CallplaneSbcDown", RUNS),
    "restarts": ("CallplaneSbcDown", {**RUNS, up("sbc2", "probes"): "1x85 0x3 1x32"}),
    "no lag": ("CallplaneReplicationLags", {f"{LAG}{{{LEDGER}}}": "299x120"}),
    "another's lag": ("CallplaneReplicationLags", {f"{LAG}{{{OTHERS}}}": "999x120"}),
    # Nobody calls at night, and there is nothing to archive.
    "quiet ledger": ("CallplaneArchiveFails", {f'{READY}{{{LEDGER},value="ready"}}': "0x120"}),
    "busy ledger": ("CallplaneArchiveFails", {f'{READY}{{{LEDGER},value="ready"}}': "3x70 0 3x49"}),
    "another's log": ("CallplaneArchiveFails", {f'{READY}{{{OTHERS},value="ready"}}': "9x120"}),
    "done": ("CallplaneArchiveFails", {f'{READY}{{{LEDGER},value="done"}}': "9x120"}),
    "backup": ("CallplaneBackupFails", {f"{BACKUP}{{{LEDGER}}}": "0x120"}),
}


@dataclass(frozen=True, slots=True)
class Rules:
    """Groups of rules, and promtool's opinion of them."""

    groups: list[Any]
    folder: Path
    tool: Path

    def fired(self, alert: str, series: Mapping[str, str]) -> str:
        """What promtool says when the alert is expected to stay quiet."""
        written = {
            "rule_files": ["rules.yaml"],
            "evaluation_interval": "1m",
            "tests": [
                {
                    "interval": "1m",
                    "input_series": [{"series": key, "values": row} for key, row in series.items()],
                    "alert_rule_test": [
                        {"eval_time": "1h30m", "alertname": alert, "exp_alerts": []}
                    ],
                }
            ],
        }
        (self.folder / "rules.yaml").write_text(yaml.safe_dump({"groups": self.groups}))
        (self.folder / "test.yaml").write_text(yaml.safe_dump(written))
        done = subprocess.run(
            [str(self.tool), "test", "rules", str(self.folder / "test.yaml")],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        return "" if done.returncode == 0 else done.stdout + done.stderr


@pytest.fixture
def rules(tmp_path: Path, promtool_program: Path) -> Rules:
    """Those of the stack on Kubernetes."""
    found = observability.rules(sample_stack.inputs().configuration)
    return Rules([{"name": "callplane-stack", "rules": found}], tmp_path, promtool_program)


@pytest.mark.parametrize("scene", FIRES)
def test_an_alert_fires(rules: Rules, scene: str) -> None:
    alert, series = FIRES[scene]
    said = rules.fired(alert, series)
    assert f'alertname="{alert}"' in said
    assert ("sbc2" in said) is (alert == "CallplaneSbcDown")
    assert "sbc1" not in said


@pytest.mark.parametrize("scene", QUIET)
def test_an_alert_stays_quiet(rules: Rules, scene: str) -> None:
    alert, series = QUIET[scene]
    assert rules.fired(alert, series) == ""


@pytest.mark.parametrize("cloud", cloud_stack.CLOUDS, ids=lambda cloud: cloud.name)
def test_a_machine_that_is_not_scraped_any_more_is_missed(
    cloud: Cloud, tmp_path: Path, promtool_program: Path
) -> None:
    configuration = cloud.inputs().configuration
    made = given_cluster.metrics(configuration, configuration.sbc)
    (scraped,) = (each["spec"]["staticConfigs"] for each in made if each["kind"] == "ScrapeConfig")
    (found,) = (
        each["spec"]["groups"]
        for each in made
        if each["kind"] == "PrometheusRule" and each["metadata"]["name"] == "callplane-stack"
    )
    rules = Rules(found, tmp_path, promtool_program)
    series = {
        f'up{{sbc="{each["labels"]["sbc"]}",instance="{target}"}}': "1x120"
        for each in scraped
        for target in each["targets"]
    }
    assert len(series) == 4
    assert rules.fired("CallplaneSbcDown", series) == ""
    for missing in series:
        said = rules.fired("CallplaneSbcDown", {**series, missing: "0x120"})
        assert missing.partition(",")[0].removeprefix("up{") in said
        rest = {key: row for key, row in series.items() if key != missing}
        assert rules.fired("CallplaneSbcDown", rest) != ""


def test_every_alert_has_scenes(rules: Rules) -> None:
    named = {rule["alert"] for group in rules.groups for rule in group["rules"]}
    assert {alert for alert, _ in FIRES.values()} == {alert for alert, _ in QUIET.values()} == named
