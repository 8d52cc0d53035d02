"""What a world was asked and what it did: the evidence that tests, demo and benchmarks read.

`Recorder` holds the requests; `ChangeLog` holds what really changed, whoever did it. A test that
says "nothing was written" reads the first, an auditor that says "no number was ever held twice" the
second.
"""

from __future__ import annotations

import dataclasses
import enum
from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass

KEPT_REQUESTS = 200_000
"""Requests kept in full; the counters and the writes go on counting beyond it."""


class Outcome(enum.Enum):
    """What became of a request, as the world knows it; the caller may know less."""

    ANSWERED = "answered"
    REFUSED = "refused"
    THROTTLED = "throttled"
    DROPPED_BEFORE = "dropped-before"
    DROPPED_AFTER = "dropped-after"


@dataclass(frozen=True, slots=True)
class Entry:
    """One request. `at` is seconds since the epoch at which it arrived, `answered_at` when it left.

    `committed` is true when the request was accepted as a write, even when its answer got lost.
    `subject` says whom or what it was about: a number, a user id, or nothing.
    """

    sequence: int
    at: float
    answered_at: float
    tenant: str
    who: str
    kind: str
    method: str
    path: str
    status: int
    outcome: Outcome
    is_write: bool
    committed: bool
    subject: str
    request_id: str

    def document(self) -> dict[str, object]:
        """As JSON."""
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return fields | {"outcome": self.outcome.value}


class Recorder:
    """Every request in order, all writes, and counts by kind and outcome."""

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque(maxlen=KEPT_REQUESTS)
        self._writes: list[Entry] = []
        self._counts: Counter[tuple[str, str, str, bool]] = Counter()
        self._sequence = 0

    def next_sequence(self) -> int:
        """A number for a request that has just arrived."""
        self._sequence += 1
        return self._sequence

    def add(self, entry: Entry) -> None:
        """Note one finished request."""
        self._entries.append(entry)
        if entry.is_write:
            self._writes.append(entry)
        self._counts[(entry.tenant, entry.kind, entry.outcome.value, entry.is_write)] += 1

    def clear(self) -> None:
        """Forget everything: the start of a measurement. Sequence numbers go on."""
        self._entries.clear()
        self._writes.clear()
        self._counts.clear()

    def requests(
        self, *, since: int = 0, kind: str | None = None, tenant: str | None = None
    ) -> list[Entry]:
        """Requests with a sequence number above `since`, oldest first."""
        return list(_matching(self._entries, since=since, kind=kind, tenant=tenant))

    def writes(
        self, *, since: int = 0, kind: str | None = None, tenant: str | None = None
    ) -> list[Entry]:
        """All attempts to write, refused and lost ones included. `[]` means: nobody tried."""
        return list(_matching(self._writes, since=since, kind=kind, tenant=tenant))

    def counters(self, tenant: str | None = None) -> dict[str, object]:
        """`{reads, writes, committed_writes, by_kind: {kind: {outcome: count}}}`."""
        by_kind: dict[str, dict[str, int]] = {}
        totals = {"reads": 0, "writes": 0}
        for (of_tenant, kind, outcome, is_write), count in sorted(self._counts.items()):
            if tenant is not None and of_tenant != tenant:
                continue
            outcomes = by_kind.setdefault(kind, {})
            outcomes[outcome] = outcomes.get(outcome, 0) + count
            totals["writes" if is_write else "reads"] += count
        committed = sum(entry.committed for entry in self.writes(tenant=tenant))
        return {**totals, "committed_writes": committed, "by_kind": by_kind}


def _matching(
    entries: Iterable[Entry], *, since: int, kind: str | None, tenant: str | None
) -> Iterable[Entry]:
    return (
        entry
        for entry in entries
        if entry.sequence > since
        and (kind is None or entry.kind == kind)
        and (tenant is None or entry.tenant == tenant)
    )


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that is now otherwise. `by` is a client id, or "portal" for an administrator."""

    sequence: int
    at: float
    subject: str
    aspect: str
    before: str | None
    after: str | None
    by: str


class ChangeLog:
    """What changed in a world, oldest first. Times are seconds of the world's monotonic clock."""

    def __init__(self) -> None:
        self.changes: list[Change] = []

    def add(
        self,
        at: float,
        subject: str,
        *,
        aspect: str,
        values: tuple[str | None, str | None],
        by: str,
    ) -> None:
        """Note that `aspect` of `subject` went from the first of `values` to the second."""
        before, after = values
        self.changes.append(Change(len(self.changes) + 1, at, subject, aspect, before, after, by))
