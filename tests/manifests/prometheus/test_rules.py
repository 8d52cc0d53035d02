"""Each alert fires when it should and stays quiet when it should not, by Prometheus' own word."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

from callplane.deployment import alerts
from callplane.deployment.alerts import ALERTS, Alert
from callplane.deployment.options import NAME
from callplane.testing import promtool

Series = dict[str, str]


def up(job: str) -> str:
    return f'up{{job="{job}",instance="a"}}'


UP = up(NAME)
OBJECTS = f'callplane_objects{{job="{NAME}",kind="TeamsUser",ready="True"}}'
NOT_READY = f'callplane_objects{{job="{NAME}",kind="TeamsUser",ready="False"}}'
WORKED = f'callplane_pass_seconds_count{{job="{NAME}",kind="TeamsUser"}}'
HELD = 'callplane_gate_held_batches{connection="estate/example"}'
LEFT = 'callplane_credentials_left_seconds{connection="estate/example"}'
PARKED = 'callplane_write_budget_parked{connection="estate/example"}'
SLOW = 'callplane_provider_call_seconds_bucket{provider="teams",le="10"}'
ALL = 'callplane_provider_call_seconds_bucket{provider="teams",le="+Inf"}'
QUICK = 'callplane_provider_call_seconds_bucket{provider="teams",le="5"}'


WAITING = 'callplane_call_records_waiting{instance="a"}'
BEHIND = 'callplane_call_spool_behind_bytes{instance="a"}'
SBC_UP = 'callplane_sbc_up{instance="a",sbc="127.0.0.1:8448"}'
PEER = 'callplane_sbc_peer_up{instance="a",sbc="127.0.0.1:8448",peer="teams"}'
REFUSED = 'callplane_api_refusals_total{reason="UnknownToken"}'
ENDS = 'callplane_certificate_ends_timestamp_seconds{instance="a",certificate="admin-api"}'
READ_AT = "callplane_call_tables_read_timestamp_seconds"


def answers(outcome: str) -> str:
    return f'callplane_call_answers_total{{outcome="{outcome}"}}'


def passes(reason: str) -> str:
    return f'callplane_passes_total{{kind="TeamsUser",reason="{reason}"}}'


def calls(outcome: str) -> str:
    return f'callplane_provider_calls_total{{provider="teams",outcome="{outcome}"}}'


def deliveries(state: str) -> str:
    return f'callplane_notice_deliveries_total{{state="{state}"}}'


@dataclass(frozen=True, slots=True)
class Scene:
    """Two hours, a value a minute: what makes an alert fire, and what looks much like it.

    `labels` are those that the alert carries beside its severity.
    """

    fires: Series
    quiet: Series
    labels: dict[str, str] = field(default_factory=dict)


GROWING = "0+1x120"
STILL = "5x120"
SCENES = {
    "CallplaneSbcSilent": Scene({SBC_UP: "0x120"}, {SBC_UP: "1x120"}, {"instance": "a"}),
    "CallplanePeerUnreachable": Scene(
        {PEER: "0x120"}, {PEER: "1x120"}, {"instance": "a", "peer": "teams"}
    ),
    "CallplaneOperatorDown": Scene({UP: "0x120"}, {UP: "1x120"}),
    "CallplaneNobodyWorks": Scene(
        {WORKED: STILL, OBJECTS: "3x120"}, {WORKED: GROWING, OBJECTS: "3x120"}
    ),
    "CallplaneQueueStuck": Scene(
        {"callplane_queue_oldest_seconds": "121x120"}, {"callplane_queue_oldest_seconds": "119x120"}
    ),
    "CallplaneRegisterUnavailable": Scene(
        {passes("RegisterUnavailable"): GROWING},
        {passes("Succeeded"): GROWING},
        {"kind": "TeamsUser", "reason": "RegisterUnavailable"},
    ),
    "CallplaneCredentialsRefused": Scene(
        {passes("AuthenticationFailed"): GROWING},
        {passes("AuthenticationFailed"): STILL},
        {"kind": "TeamsUser", "reason": "AuthenticationFailed"},
    ),
    "CallplaneCredentialsExpiring": Scene(
        {LEFT: "1209599x120"}, {LEFT: "1209601x120"}, {"connection": "estate/example"}
    ),
    "CallplaneInternalError": Scene(
        {passes("InternalError"): GROWING},
        {passes("InternalError"): "0x120"},
        {"kind": "TeamsUser", "reason": "InternalError"},
    ),
    "CallplaneObjectsNotReady": Scene(
        {NOT_READY: "1x120"}, {NOT_READY: "0x120", OBJECTS: "9x120"}, {"kind": "TeamsUser"}
    ),
    "CallplaneChangesHeld": Scene(
        {HELD: "1x120"}, {HELD: "1x3 0x116"}, {"connection": "estate/example"}
    ),
    "CallplaneProviderFailing": Scene(
        {calls("ok"): "0+80x120", calls("unavailable"): "0+20x120"},
        {calls("ok"): "0+95x120", calls("unavailable"): "0+5x120"},
        {"provider": "teams"},
    ),
    "CallplaneProviderSlow": Scene(
        {QUICK: "0+90x120", SLOW: "0+100x120", ALL: "0+100x120"},
        {QUICK: "0+99x120", SLOW: "0+100x120", ALL: "0+100x120"},
        {"provider": "teams"},
    ),
    "CallplaneNoticesNotDelivered": Scene(
        {deliveries("GivenUp"): GROWING}, {deliveries("Delivered"): GROWING}
    ),
    "CallplaneWritesThrottled": Scene(
        {PARKED: "1x120"}, {PARKED: "0x120"}, {"connection": "estate/example"}
    ),
    "CallplaneCallControlDown": Scene(
        {up("callplane-callcontrol"): "0x120"}, {up("callplane-callcontrol"): "1x120"}
    ),
    "CallplaneApiDown": Scene({UP: "1x120"}, {up("callplane-api"): "1x120"}),
    # A fortnight from the end of the second hour, less or more a minute; or nobody knows.
    "CallplaneCertificateEnds": Scene(
        {ENDS: f"{14 * 86_400}x120"},
        {ENDS: f"{14 * 86_400 + 5_460}x120"},
        {"instance": "a", "certificate": "admin-api"},
    ),
    "CallplaneCallControlOutage": Scene(
        {answers("Outage"): GROWING}, {answers("Outage"): STILL, answers("Allowed"): GROWING}
    ),
    "CallplaneCallRecordsWaiting": Scene(
        {WAITING: "1001x120"}, {WAITING: "1000x120"}, {"instance": "a"}
    ),
    "CallplaneSpoolBehind": Scene({BEHIND: "1000001x120"}, {BEHIND: "1e6x120"}, {"instance": "a"}),
    # Two hours after 1970 began the look before last was at its beginning, or a minute ago.
    "CallplaneCallTablesStale": Scene({READ_AT: "0x120"}, {READ_AT: "0+60x120"}),
    "CallplaneCallEntriesRefused": Scene(
        {"callplane_call_entries_refused": "1x120"}, {"callplane_call_entries_refused": "0x120"}
    ),
    "CallplaneApiCannotDecide": Scene(
        {"callplane_api_unreviewed_total": GROWING}, {"callplane_api_unreviewed_total": STILL}
    ),
    "CallplaneApiRefusals": Scene({REFUSED: "0+20x120"}, {REFUSED: "0+5x120"}),
    "CallplaneEmergencyCall": Scene(
        {"callplane_emergency_calls_total": GROWING}, {"callplane_emergency_calls_total": STILL}
    ),
}


def run(folder: Path, alert: Alert, series: Series, fires: dict[str, str] | None) -> str:
    """What `promtool test rules` says; nothing when the alert is as it should be.

    `fires` are the labels it must carry, None when it must stay quiet.
    """
    rules = folder / "rules.yaml"
    rules.write_text(yaml.safe_dump({"groups": alerts.groups()}))
    expected = [] if fires is None else [_fired(alert, fires)]
    test = {
        "rule_files": [str(rules)],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [{"series": key, "values": row} for key, row in series.items()],
                "alert_rule_test": [
                    {"eval_time": "1h30m", "alertname": alert.name, "exp_alerts": expected}
                ],
            }
        ],
    }
    written = folder / "test.yaml"
    written.write_text(yaml.safe_dump(test))
    tool = promtool.find()
    assert tool is not None
    answer = subprocess.run(
        [str(tool), "test", "rules", str(written)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    return "" if answer.returncode == 0 else answer.stdout + answer.stderr


def _fired(alert: Alert, labels: dict[str, str]) -> dict[str, dict[str, str]]:
    rules = {rule["alert"]: rule for group in alerts.groups() for rule in group["rules"]}
    return {
        "exp_labels": {**labels, "severity": alert.severity},
        "exp_annotations": rules[alert.name]["annotations"],
    }


def test_each_alert_has_a_scene() -> None:
    assert sorted(SCENES) == sorted(alert.name for alert in ALERTS)


def test_prometheus_accepts_the_rules(root: Path) -> None:
    tool = promtool.find()
    assert tool is not None
    checked = [str(tool), "check", "rules", str(root / "manifests/observability/rules.yaml")]
    answer = subprocess.run(checked, capture_output=True, text=True, timeout=30, check=False)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert f"SUCCESS: {len(ALERTS)} rules found" in answer.stdout


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_an_alert_fires(alert: Alert, tmp_path: Path) -> None:
    scene = SCENES[alert.name]
    assert run(tmp_path, alert, scene.fires, scene.labels) == ""


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_an_alert_stays_quiet(alert: Alert, tmp_path: Path) -> None:
    assert run(tmp_path, alert, SCENES[alert.name].quiet, None) == ""


def test_a_scene_that_ends_otherwise_is_seen(tmp_path: Path) -> None:
    """The test itself can fail: the quiet scene does not make the alert fire."""
    alert = ALERTS[0]
    assert "exp" in run(tmp_path, alert, SCENES[alert.name].quiet, {})
