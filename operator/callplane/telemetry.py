"""Metrics and logs of the processes: names here, numbers from whoever calls. No metric carries a
number or a name.

Called by the engine and the providers through `Telemetry`; the controller serves the registry on
/metrics.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from callplane import tracing
from callplane.errors import mask_number

#: States of a notice that nobody sends again; one of them is worth an alert.
LOST_DELIVERIES = ("GivenUp", "Unknown")


@dataclass(frozen=True, slots=True)
class AccountFigures:
    """What one account has used this month. `micros` are millionths of its currency."""

    account: str
    currency: str
    pool_seconds: Mapping[str, int]
    micros: Mapping[str, int]
    live_calls: int


class Telemetry:
    """The metrics of one process, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._waits = Histogram(
            "callplane_queue_wait_seconds",
            "Time a key waited in the queue, by priority.",
            ["priority"],
            registry=self.registry,
        )
        self._passes = Histogram(
            "callplane_pass_seconds", "Time of one pass, by kind.", ["kind"], registry=self.registry
        )
        self._verdicts = Counter(
            "callplane_passes_total",
            "Passes by kind and reason they ended with.",
            ["kind", "reason"],
            registry=self.registry,
        )
        self._calls = Counter(
            "callplane_provider_calls_total",
            "Calls to providers by operation and outcome.",
            ["provider", "operation", "outcome"],
            registry=self.registry,
        )
        self._call_seconds = Histogram(
            "callplane_provider_call_seconds",
            "Time of calls to providers.",
            ["provider", "operation"],
            registry=self.registry,
        )
        self._status_writes = Counter(
            "callplane_status_writes_total",
            "Status patches sent to the API server, by kind.",
            ["kind"],
            registry=self.registry,
        )
        self._count_notices()
        self._measure_accounts()
        self._spans = spans_counter(self.registry)
        self.queue_depth = Gauge(
            "callplane_queue_depth",
            "Keys waiting, by priority.",
            ["priority"],
            registry=self.registry,
        )
        self.queue_age = Gauge(
            "callplane_queue_oldest_seconds",
            "Age of the longest-waiting key that is not a drift check.",
            registry=self.registry,
        )
        self.throttled = self._of_connections(
            "callplane_write_budget_parked",
            "Objects that wait for a write token, by connection.",
        )
        self.objects = Gauge(
            "callplane_objects",
            "Objects by kind and Ready condition.",
            ["kind", "ready"],
            registry=self.registry,
        )
        self.held_batches = self._of_connections(
            "callplane_gate_held_batches",
            "Batches that wait for an approval, by connection.",
        )
        self.credentials_left = self._of_connections(
            "callplane_credentials_left_seconds",
            "Time until the credentials of a connection end, where that is known.",
        )

    def _count_notices(self) -> None:
        self._notices = Counter(
            "callplane_notices_total",
            "Notices given about accounts, by what ran out.",
            ["kind"],
            registry=self.registry,
        )
        self._notice_deliveries = Counter(
            "callplane_notice_deliveries_total",
            "Attempts to deliver notices to webhooks, by the state they left behind.",
            ["state"],
            registry=self.registry,
        )
        # Each happens once and for all: a series that began with it would never have increased.
        for state in LOST_DELIVERIES:
            self._notice_deliveries.labels(state)

    def _measure_accounts(self) -> None:
        self._pool_seconds = Gauge(
            "callplane_pool_seconds",
            "Seconds of an account's pool this month: entitled, used, held by live calls.",
            ["account", "part"],
            registry=self.registry,
        )
        self._micros = Gauge(
            "callplane_account_micros",
            "Millionths of an account's currency this month: posted, held by live calls, ceiling.",
            ["account", "currency", "part"],
            registry=self.registry,
        )
        self._live_calls = Gauge(
            "callplane_account_live_calls",
            "Calls of an account that are up and hold something.",
            ["account"],
            registry=self.registry,
        )
        self._shown: dict[Gauge, set[tuple[str, ...]]] = {}

    def accounts_seen(self, accounts: Sequence[AccountFigures]) -> None:
        """Show these accounts, and those that were shown before no more."""
        pools: dict[tuple[str, ...], int] = {}
        money: dict[tuple[str, ...], int] = {}
        for each in accounts:
            pools |= {(each.account, part): value for part, value in each.pool_seconds.items()}
            money |= {
                (each.account, each.currency, part): value for part, value in each.micros.items()
            }
        self._show(self._pool_seconds, pools)
        self._show(self._micros, money)
        self._show(self._live_calls, {(each.account,): each.live_calls for each in accounts})

    def _show(self, gauge: Gauge, values: Mapping[tuple[str, ...], int]) -> None:
        for labels, value in values.items():
            gauge.labels(*labels).set(value)
        for labels in self._shown.get(gauge, set()) - values.keys():
            gauge.remove(*labels)
        self._shown[gauge] = set(values)

    def spans_sent(self, outcome: str, count: int) -> None:
        """Spans that were sent to the collector of traces or lost; called from its thread."""
        self._spans.labels(outcome).inc(count)

    def notice_given(self, kind: str) -> None:
        self._notices.labels(kind).inc()

    def notice_delivery(self, state: str) -> None:
        self._notice_deliveries.labels(state).inc()

    def _of_connections(self, name: str, text: str) -> Gauge:
        """A gauge with a value a connection."""
        return Gauge(name, text, ["connection"], registry=self.registry)

    def waited(self, priority: str, seconds: float) -> None:
        self._waits.labels(priority).observe(seconds)

    def passed(self, kind: str, seconds: float) -> None:
        self._passes.labels(kind).observe(seconds)

    def verdict(self, kind: str, reason: str) -> None:
        self._verdicts.labels(kind, reason).inc()

    def called(self, provider: str, operation: str, outcome: str, seconds: float) -> None:
        self._calls.labels(provider, operation, outcome).inc()
        self._call_seconds.labels(provider, operation).observe(seconds)

    def status_written(self, kind: str) -> None:
        self._status_writes.labels(kind).inc()


def spans_counter(registry: CollectorRegistry) -> Counter:
    """What became of spans, where a process traces."""
    return Counter(
        "callplane_trace_spans_total",
        "Spans by whether the collector of traces took them: sent or lost.",
        ["outcome"],
        registry=registry,
    )


def certificate_gauge(registry: CollectorRegistry) -> Gauge:
    """When certificates end, in a process that has one or looks after one; 0: nobody knows."""
    return Gauge(
        "callplane_certificate_ends_timestamp_seconds",
        "When the certificate in use ends, in seconds since 1970; 0 while that is not known.",
        ["certificate"],
        registry=registry,
    )


def certificate_ends(chain: bytes) -> float:
    """When the first of these certificates ends, in seconds since 1970; 0 for what is none."""
    # Imported here: it is slow to load, and most processes have no certificate.
    from cryptography import x509

    try:
        found = x509.load_pem_x509_certificates(chain)
    except ValueError:
        return 0.0
    return min(each.not_valid_after_utc.timestamp() for each in found)


_NUMBER = re.compile(r"\+\d{9,15}\b")


class JsonLines(logging.Formatter):
    """One JSON object a line; numbers masked unless told otherwise. Secrets never get this far."""

    def __init__(self, *, show_numbers: bool) -> None:
        super().__init__()
        self._show_numbers = show_numbers

    def format(self, record: logging.LogRecord) -> str:
        message = record.getMessage()
        if record.exc_info:
            message += "\n" + self.formatException(record.exc_info)
        if not self._show_numbers:
            message = _NUMBER.sub(lambda found: mask_number(found.group()), message)
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line: dict[str, str] = {
            "at": at,
            "level": record.levelname,
            "logger": record.name,
            "message": message,
        }
        ids = tracing.current().ids
        if ids is not None:
            line["trace_id"], line["span_id"] = ids
        # Facts that programs read, such as the audit trail's; whoever gives them has scrubbed them.
        fields = getattr(record, "fields", None)
        return json.dumps({**line, **fields} if fields else line)


def log_as_json(level: str, *, show_numbers: bool) -> None:
    """Send every log line of the process to standard error as JSON."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines(show_numbers=show_numbers))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # Kopf logs a line for every event of every object; those lines say nothing that we do not know.
    logging.getLogger("kopf.objects").setLevel(logging.WARNING)
    logging.getLogger("alembic").setLevel(logging.WARNING)
