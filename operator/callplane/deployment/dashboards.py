"""The dashboards, as code.

A ConfigMap with the label that Grafana's sidecar looks for carries them into a cluster.
"""

from __future__ import annotations

from callplane.deployment import grafana
from callplane.deployment.grafana import Dashboard, Panel
from callplane.deployment.options import Body, Options, body

SIDECAR_LABEL = "grafana_dashboard"


def _quantiles(metric: str, *by: str) -> dict[str, str]:
    labels = ", ".join(("le", *by))
    legend = " ".join(f"{{{{{label}}}}}" for label in by)
    return {
        f"{legend} p{share}": (
            f"histogram_quantile(0.{share}, sum by ({labels}) (rate({metric}_bucket[5m])))"
        )
        for share in (50, 95, 99)
    }


PROVISIONING = Dashboard(
    "callplane-provisioning",
    "Callplane: provisioning",
    (
        Panel(
            "Objects that are not Ready",
            "short",
            {"{{kind}}": 'sum by (kind) (callplane_objects{ready!="True"})'},
            "By kind. The reason stands in `kubectl get callplane -A -o wide`.",
        ),
        Panel("Objects", "short", {"{{kind}}": "sum by (kind) (callplane_objects)"}),
        Panel(
            "Batches that wait for an answer",
            "short",
            {"{{connection}}": "max by (connection) (callplane_gate_held_batches)"},
        ),
        Panel(
            "Ends of passes, a minute",
            "short",
            {"{{reason}}": "sum by (reason) (rate(callplane_passes_total[5m])) * 60"},
        ),
        Panel("Time of a pass", "s", _quantiles("callplane_pass_seconds", "kind")),
        Panel("Wait in the queue", "s", _quantiles("callplane_queue_wait_seconds", "priority")),
        Panel(
            "Keys that wait", "short", {"{{priority}}": "max by (priority) (callplane_queue_depth)"}
        ),
        Panel("Longest wait", "s", {"oldest": "max(callplane_queue_oldest_seconds)"}),
        Panel(
            "Objects that wait for a write token",
            "short",
            {"{{connection}}": "max by (connection) (callplane_write_budget_parked)"},
        ),
        Panel(
            "Time until credentials end",
            "s",
            {"{{connection}}": "min by (connection) (callplane_credentials_left_seconds)"},
        ),
        Panel(
            "Calls to providers, a minute",
            "short",
            {
                "{{provider}} {{outcome}}": (
                    "sum by (provider, outcome) (rate(callplane_provider_calls_total[5m])) * 60"
                )
            },
        ),
        Panel(
            "Time of calls to providers",
            "s",
            _quantiles("callplane_provider_call_seconds", "provider", "operation"),
        ),
        Panel(
            "Spans of traces, a minute",
            "short",
            {"{{outcome}}": "sum by (outcome) (rate(callplane_trace_spans_total[5m])) * 60"},
            "Sent to the collector or lost; nothing where no collector is named.",
        ),
        Panel(
            "Status writes, a minute",
            "short",
            {"{{kind}}": "sum by (kind) (rate(callplane_status_writes_total[5m])) * 60"},
        ),
    ),
)

CALLS = Dashboard(
    "callplane-calls",
    "Callplane: calls and money",
    (
        Panel(
            "Pools, used part",
            "percentunit",
            {
                "{{account}}": (
                    'sum by (account) (callplane_pool_seconds{part=~"used|held"}) '
                    '/ (sum by (account) (callplane_pool_seconds{part="entitled"}) > 0)'
                )
            },
            "Of this month's minutes; those that live calls hold count as used.",
        ),
        Panel(
            "Minutes left",
            "m",
            {
                "{{account}}": (
                    '(sum by (account) (callplane_pool_seconds{part="entitled"}) '
                    '- sum by (account) (callplane_pool_seconds{part=~"used|held"})) / 60'
                )
            },
            "What new calls of the account may have.",
        ),
        Panel(
            "Ceilings, used part",
            "percentunit",
            {
                "{{account}}": (
                    'sum by (account) (callplane_account_micros{part=~"posted|held"}) '
                    '/ (sum by (account) (callplane_account_micros{part="ceiling"}) > 0)'
                )
            },
            "At 1 no call that costs money is allowed any more.",
        ),
        Panel(
            "Charges this month",
            "short",
            {
                "{{account}} {{currency}} {{part}}": (
                    "sum by (account, currency, part) "
                    '(callplane_account_micros{part=~"posted|held"}) / 1e6'
                )
            },
            "In the account's currency, without tax; statements say what is owed.",
        ),
        Panel(
            "Live calls that hold something",
            "short",
            {"{{account}}": "sum by (account) (callplane_account_live_calls)"},
        ),
        Panel(
            "Notices about accounts, an hour",
            "short",
            {"{{kind}}": "sum by (kind) (increase(callplane_notices_total[1h]))"},
        ),
        Panel(
            "Deliveries of notices, an hour",
            "short",
            {"{{state}}": "sum by (state) (increase(callplane_notice_deliveries_total[1h]))"},
        ),
        Panel(
            "Answers to SBCs, a minute",
            "short",
            {"{{outcome}}": "sum by (outcome) (rate(callplane_call_answers_total[5m])) * 60"},
            "Allowed, the reason of a refusal, or Outage.",
        ),
        Panel("Time of an answer", "s", _quantiles("callplane_call_answer_seconds")),
        Panel(
            "Emergency calls",
            "short",
            {"an hour": "sum(increase(callplane_emergency_calls_total[1h]))"},
        ),
        Panel(
            "Records taken into the books, a minute",
            "short",
            {"{{call_class}}": "sum by (call_class) (rate(callplane_call_records_total[5m])) * 60"},
        ),
        Panel(
            "Records that wait",
            "short",
            {"{{instance}}": "max by (instance) (callplane_call_records_waiting)"},
        ),
        Panel(
            "Spool that was not taken",
            "bytes",
            {"{{instance}}": "max by (instance) (callplane_call_spool_behind_bytes)"},
        ),
        Panel(
            "Records that cannot be read",
            "short",
            {"an hour": "sum(increase(callplane_call_records_unreadable_total[1h]))"},
        ),
        Panel(
            "SBCs that are connected",
            "short",
            {"{{instance}}": "max by (instance) (callplane_sbcs_connected)"},
        ),
        Panel(
            "Age of what calls are decided by",
            "s",
            {
                "{{instance}}": (
                    "time() - max by (instance) (callplane_call_tables_read_timestamp_seconds)"
                )
            },
        ),
        Panel(
            "Lines, and entries that cannot be read",
            "short",
            {
                "lines": "max(callplane_call_lines)",
                "not read": "max(callplane_call_entries_refused)",
                "version": "max(callplane_call_tables_version)",
            },
        ),
    ),
)

_CERTIFICATES = Panel(
    "Days until a certificate ends",
    "short",
    {
        "{{instance}} {{certificate}}": (
            "clamp_min(min by (instance, certificate) "
            "(callplane_certificate_ends_timestamp_seconds - time()) / 86400, 0)"
        )
    },
    "Of the one that is in use. Zero: it has ended, or nobody knows which one that is.",
)

SBC = Dashboard(
    "callplane-sbc",
    "Callplane: SBC",
    (
        Panel(
            "SBCs that answer",
            "short",
            {"{{instance}}": "min by (instance) (callplane_sbc_up)"},
            "1 as long as Kamailio answers the call control beside it.",
        ),
        Panel("Calls", "short", {"{{instance}}": "max by (instance) (callplane_sbc_calls)"}),
        Panel(
            "Requests, a second",
            "reqps",
            {
                "{{instance}} {{method}}": (
                    "sum by (instance, method) (rate(callplane_sbc_requests_total[5m]))"
                )
            },
        ),
        Panel(
            "Peers that calls are sent to",
            "short",
            {"{{instance}} {{peer}}": "min by (instance, peer) (callplane_sbc_peer_up)"},
            "0: no place of the peer answers its probes.",
        ),
        Panel("Draining", "short", {"{{instance}}": "max by (instance) (callplane_sbc_draining)"}),
        Panel(
            "Records that call control has not taken",
            "short",
            {"{{instance}}": "max by (instance) (callplane_sbc_records_waiting)"},
        ),
        Panel(
            "Shared memory of Kamailio",
            "percentunit",
            {"{{instance}}": "max by (instance) (callplane_sbc_memory_used_ratio)"},
        ),
        Panel(
            "Emergency calls",
            "short",
            {"{{instance}}": "sum by (instance) (increase(callplane_emergency_calls_total[1h]))"},
            "In an hour.",
        ),
        Panel(
            "Media sessions",
            "short",
            {"{{instance}}": 'sum by (instance) (rtpengine_sessions{type="own"})'},
            "Of rtpengine.",
        ),
        Panel(
            "Ports for media, used part",
            "percentunit",
            {
                "{{instance}}": (
                    "sum by (instance) (rtpengine_ports_used) / sum by (instance) (rtpengine_ports)"
                )
            },
        ),
        Panel(
            "Sessions without media one way, an hour",
            "short",
            {"{{instance}}": "sum by (instance) (increase(rtpengine_one_way_sessions_total[1h]))"},
        ),
        Panel(
            "Sessions that ended by a time-out, an hour",
            "short",
            {
                "{{instance}} {{reason}}": (
                    "sum by (instance, reason) "
                    '(increase(rtpengine_closed_sessions_total{reason=~"timeout|silent_timeout"}[1h]))'
                )
            },
        ),
        Panel(
            "Media, a second",
            "Bps",
            {"{{instance}}": "sum by (instance) (rate(rtpengine_bytes_total[5m]))"},
        ),
        _CERTIFICATES,
    ),
)

ADMIN_API = Dashboard(
    "callplane-api",
    "Callplane: admin API",
    (
        Panel(
            "Requests, a minute",
            "short",
            {"{{status}}": "sum by (status) (rate(callplane_api_requests_total[5m])) * 60"},
        ),
        Panel("Time of a request", "s", _quantiles("callplane_api_request_seconds")),
        Panel(
            "Requests turned away, a minute",
            "short",
            {"{{reason}}": "sum by (reason) (rate(callplane_api_refusals_total[5m])) * 60"},
            "Who, what and where stand in the log of `callplane.audit`.",
        ),
        Panel(
            "Requests nobody could decide about, a minute",
            "short",
            {"503": "sum(rate(callplane_api_unreviewed_total[5m])) * 60"},
            "The API server, or the issuer of tokens, does not answer: nobody is let in.",
        ),
        _CERTIFICATES,
    ),
)

#: What a real rtpengine exposes of the series above, with their labels; the SIP tests ask one.
RTPENGINE: dict[str, frozenset[str]] = {
    "rtpengine_sessions": frozenset({"type"}),
    "rtpengine_ports_used": frozenset({"name", "address"}),
    "rtpengine_ports": frozenset({"name", "address"}),
    "rtpengine_one_way_sessions_total": frozenset(),
    "rtpengine_closed_sessions_total": frozenset({"reason"}),
    "rtpengine_bytes_total": frozenset({"type"}),
}

DASHBOARDS: tuple[Dashboard, ...] = (PROVISIONING, CALLS, SBC, ADMIN_API)


def objects(options: Options) -> list[Body]:
    """A ConfigMap a dashboard, found by the sidecar of Grafana's chart."""
    made = []
    for dashboard in DASHBOARDS:
        files = {f"{dashboard.uid}.json": grafana.text(dashboard)}
        found = body("v1", "ConfigMap", dashboard.uid, options.namespace, data=files)
        found["metadata"]["labels"][SIDECAR_LABEL] = "1"
        made.append(found)
    return made
