"""Alerts as data, and the PrometheusRule they become. Each has a section in docs/runbooks.md."""

from __future__ import annotations

from dataclasses import dataclass

from callplane.apis.reasons import Reason
from callplane.deployment import call_control_workload
from callplane.deployment.options import API_NAME, NAME, Body, Options, body

GROUP = "callplane-operator"
RUNBOOKS = "docs/runbooks.md"


@dataclass(frozen=True, slots=True)
class Alert:
    """A query that is true for `minutes` before somebody hears of it.

    `severity`: critical wakes a person, warning waits for the morning.
    """

    name: str
    expression: str
    minutes: int
    severity: str
    summary: str


def _passes_ended(*reasons: Reason) -> str:
    names = "|".join(reason.value for reason in reasons)
    return f'sum by (kind, reason) (increase(callplane_passes_total{{reason=~"{names}"}}[15m])) > 0'


ALERTS: tuple[Alert, ...] = (
    Alert(
        "CallplaneOperatorDown",
        f'absent(up{{job="{NAME}"}} == 1)',
        5,
        "critical",
        "No operator answers: nothing is reconciled. Calls and numbers stay as they are.",
    ),
    Alert(
        "CallplaneNobodyWorks",
        f'sum(rate(callplane_pass_seconds_count{{job="{NAME}"}}[15m])) == 0'
        f' and sum(callplane_objects{{job="{NAME}"}}) > 0',
        15,
        "critical",
        "Operators run, and none of them has worked an object for a quarter of an hour.",
    ),
    Alert(
        "CallplaneQueueStuck",
        "max(callplane_queue_oldest_seconds) > 120",
        5,
        "critical",
        "An object has waited for more than two minutes to be looked at.",
    ),
    Alert(
        "CallplaneRegisterUnavailable",
        _passes_ended(Reason.REGISTER_UNAVAILABLE),
        2,
        "critical",
        "The number register's database does not answer; nothing is written meanwhile.",
    ),
    Alert(
        "CallplaneCredentialsRefused",
        _passes_ended(
            Reason.AUTHENTICATION_FAILED,
            Reason.PERMISSION_MISSING,
            Reason.CREDENTIALS_GONE,
            Reason.SECRET_NOT_FOUND,
        ),
        5,
        "critical",
        "A connection cannot sign in, or may not do what it must.",
    ),
    Alert(
        "CallplaneCredentialsExpiring",
        f"min by (connection) (callplane_credentials_left_seconds) < {14 * 86_400}",
        60,
        "warning",
        "The credentials of a connection end within two weeks, and a person has to renew them.",
    ),
    Alert(
        "CallplaneInternalError",
        _passes_ended(Reason.INTERNAL_ERROR),
        1,
        "critical",
        "A defect of the operator stopped passes. Nothing was guessed.",
    ),
    Alert(
        "CallplaneObjectsNotReady",
        'sum by (kind) (callplane_objects{ready="False"}) > 0',
        30,
        "warning",
        "Objects of this kind have not been Ready for half an hour.",
    ),
    Alert(
        "CallplaneChangesHeld",
        "sum by (connection) (callplane_gate_held_batches) > 0",
        15,
        "warning",
        "Destructive changes wait for a person's answer.",
    ),
    Alert(
        "CallplaneProviderFailing",
        "sum by (provider) "
        '(rate(callplane_provider_calls_total{outcome=~"unavailable|unknown"}[10m]))'
        " / sum by (provider) (rate(callplane_provider_calls_total[10m])) > 0.1",
        10,
        "warning",
        "More than a tenth of the calls to this provider got no useful answer.",
    ),
    Alert(
        "CallplaneProviderSlow",
        "histogram_quantile(0.95, sum by (le, provider) "
        "(rate(callplane_provider_call_seconds_bucket[10m]))) > 5",
        15,
        "warning",
        "A twentieth of the calls to this provider take longer than five seconds.",
    ),
    Alert(
        "CallplaneNoticesNotDelivered",
        'sum(increase(callplane_notice_deliveries_total{state=~"GivenUp|Unknown"}[1h])) > 0',
        1,
        "warning",
        "A notice about an account did not verifiably reach its webhook, and is not sent again.",
    ),
    Alert(
        "CallplaneWritesThrottled",
        "max by (connection) (callplane_write_budget_parked) > 0",
        30,
        "warning",
        "Objects have waited for half an hour for the connection's write budget.",
    ),
    Alert(
        "CallplaneCallControlDown",
        f'absent(up{{job="{call_control_workload.NAME}"}} == 1)',
        5,
        "warning",
        "No call control of the install answers: what calls have left behind may stay reserved.",
    ),
    Alert(
        "CallplaneCallControlOutage",
        'sum(rate(callplane_call_answers_total{outcome="Outage"}[5m])) > 0',
        2,
        "critical",
        "Calls are answered by the fail policy: the books do not answer in time.",
    ),
    Alert(
        "CallplaneCallRecordsWaiting",
        "max by (instance) (callplane_call_records_waiting) > 1000",
        10,
        "critical",
        "Call records are not taken into the books; the SBC's spool keeps them.",
    ),
    Alert(
        "CallplaneSpoolBehind",
        "max by (instance) (callplane_call_spool_behind_bytes) > 1e6",
        10,
        "critical",
        "An SBC's spool is not taken into the books, and grows on its node.",
    ),
    Alert(
        "CallplaneCallTablesStale",
        "time() - min(callplane_call_tables_read_timestamp_seconds) > 120",
        2,
        "critical",
        "Edits of lines and accounts do not reach call control.",
    ),
    Alert(
        "CallplaneCallEntriesRefused",
        "max(callplane_call_entries_refused) > 0",
        15,
        "warning",
        "Call control cannot read some of what the operator wrote, and decides by what was before.",
    ),
    Alert(
        "CallplaneSbcSilent",
        "min by (instance) (callplane_sbc_up) == 0",
        2,
        "critical",
        "Kamailio does not answer the call control beside it.",
    ),
    Alert(
        "CallplanePeerUnreachable",
        "min by (instance, peer) (callplane_sbc_peer_up) == 0",
        5,
        "critical",
        "No place of a peer answers an SBC; its calls take another way or fail.",
    ),
    Alert(
        "CallplaneCertificateEnds",
        "min by (instance, certificate) (callplane_certificate_ends_timestamp_seconds) - time()"
        f" < {14 * 86_400}",
        60,
        "critical",
        "The certificate that an SBC or the admin API uses ends within two weeks.",
    ),
    Alert(
        "CallplaneApiDown",
        f'absent(up{{job="{API_NAME}"}} == 1)',
        5,
        "warning",
        "No admin API answers. Calls and provisioning do not need it.",
    ),
    Alert(
        "CallplaneApiCannotDecide",
        "sum(increase(callplane_api_unreviewed_total[10m])) > 0",
        5,
        "warning",
        "The admin API answers 503: it cannot ask who somebody is or what they may see.",
    ),
    Alert(
        "CallplaneApiRefusals",
        "sum(increase(callplane_api_refusals_total[10m])) > 100",
        5,
        "warning",
        "The admin API turns away many requests: somebody guesses tokens or has lost a right.",
    ),
    Alert(
        "CallplaneEmergencyCall",
        "sum(increase(callplane_emergency_calls_total[5m])) > 0",
        0,
        "critical",
        "Somebody called an emergency service.",
    ),
)


def groups() -> list[Body]:
    """The rule groups, as Prometheus itself reads them."""
    rules = [
        {
            "alert": alert.name,
            "expr": alert.expression,
            "for": f"{alert.minutes}m",
            "labels": {"severity": alert.severity},
            "annotations": {
                "summary": alert.summary,
                "runbook": f"{RUNBOOKS}#{alert.name.lower()}",
            },
        }
        for alert in ALERTS
    ]
    return [{"name": GROUP, "rules": rules}]


def objects(options: Options) -> list[Body]:
    """For the Prometheus operator: what to scrape, and the rules."""
    return [
        body(
            *("monitoring.coreos.com/v1", "ServiceMonitor", NAME, options.namespace),
            spec={
                "selector": {"matchLabels": {"app.kubernetes.io/name": "callplane"}},
                "endpoints": [{"port": "probes", "path": "/metrics", "interval": "30s"}],
            },
        ),
        body(
            *("monitoring.coreos.com/v1", "PrometheusRule", NAME, options.namespace),
            spec={"groups": groups()},
        ),
    ]
