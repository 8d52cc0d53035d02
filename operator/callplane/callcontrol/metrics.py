"""Metrics of call control: names here, numbers from whoever calls. None carries a telephone number
or a line.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from callplane.callcontrol.messages import (
    Authorise,
    CallRecord,
    EmergencyAlert,
    Registered,
    Started,
)
from callplane.callcontrol.ports import Authoriser, Granted, RecordBook, Refused, Send
from callplane.clock import Clock
from callplane.telemetry import certificate_ends, certificate_gauge, spans_counter

_BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 0.8)


class CallMetrics:
    """The metrics of one process, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self.answers = Counter(
            "callplane_call_answers_total",
            "Questions of SBCs by outcome: Allowed, a reason of refusal, or Outage.",
            ["outcome"],
            registry=registry,
        )
        self.answer_seconds = Histogram(
            "callplane_call_answer_seconds",
            "Time from a question to its answer.",
            registry=registry,
            buckets=_BUCKETS,
        )
        self.emergencies = Counter(
            "callplane_emergency_calls_total", "Emergency calls that began.", registry=registry
        )
        self.records = Counter(
            "callplane_call_records_total",
            "Call records taken into the books, copies included, by class.",
            ["call_class"],
            registry=registry,
        )
        self.records_waiting = Gauge(
            "callplane_call_records_waiting",
            "Call records that wait to be taken into the books.",
            registry=registry,
        )
        self.spool_behind = Gauge(
            "callplane_call_spool_behind_bytes",
            "Bytes of the spools that were not taken into the books yet.",
            registry=registry,
        )
        self.suspended = Counter(
            "callplane_call_records_unreadable_total",
            "Lines of the spool that are records and cannot be read.",
            registry=registry,
        )
        self.sbcs = Gauge(
            "callplane_sbcs_connected", "SBCs that are connected now.", registry=registry
        )
        self.tables_version = Gauge(
            "callplane_call_tables_version",
            "Version of the tables that calls are decided by.",
            registry=registry,
        )
        self.tables_read_at = Gauge(
            "callplane_call_tables_read_timestamp_seconds",
            "When the tables were last looked at, in seconds since 1970.",
            registry=registry,
        )
        self.lines = Gauge("callplane_call_lines", "Lines that may call.", registry=registry)
        self._spans = spans_counter(registry)
        self._certificates = certificate_gauge(registry)
        self.entries_refused = Gauge(
            "callplane_call_entries_refused",
            "Entries of the tables that this version cannot read.",
            registry=registry,
        )

    def certificate_of(self, sbc: str) -> Callable[[bytes], None]:
        """What is told which certificate an SBC uses; until then nobody knows when it ends."""
        shown = self._certificates.labels(sbc)
        return lambda chain: shown.set(certificate_ends(chain))

    def spans_sent(self, outcome: str, count: int) -> None:
        """Spans that were sent to the collector of traces or lost; called from its thread."""
        self._spans.labels(outcome).inc(count)


@dataclass(frozen=True, slots=True)
class CountingAuthoriser:
    """An authoriser whose answers are counted."""

    inner: Authoriser
    metrics: CallMetrics
    clock: Clock

    async def authorise(self, question: Authorise) -> Granted | Refused:
        began = self.clock.monotonic()
        outcome = "Outage"
        try:
            answer = await self.inner.authorise(question)
            outcome = "Allowed" if isinstance(answer, Granted) else answer.reason
            return answer
        finally:
            self.metrics.answers.labels(outcome).inc()
            self.metrics.answer_seconds.observe(self.clock.monotonic() - began)

    async def withdraw(self, attempt_id: str) -> None:
        await self.inner.withdraw(attempt_id)

    async def answered(self, started: Started, send: Send) -> None:
        await self.inner.answered(started, send)

    async def alert(self, alert: EmergencyAlert) -> None:
        self.metrics.emergencies.inc()
        await self.inner.alert(alert)

    async def registered(self, registered: Registered) -> None:
        await self.inner.registered(registered)


@dataclass(frozen=True, slots=True)
class CountingRecordBook:
    """A record book whose records are counted."""

    inner: RecordBook
    metrics: CallMetrics

    async def post(self, records: Sequence[CallRecord]) -> None:
        await self.inner.post(records)
        for record in records:
            self.metrics.records.labels(record.call_class).inc()

    async def suspend(self, line: str, problem: str) -> None:
        await self.inner.suspend(line, problem)
        self.metrics.suspended.inc()
