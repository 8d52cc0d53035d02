"""The gate as a pure state machine: which gated changes of one connection may run, and which wait
for a person.

Proposals collect in one open batch. It closes `settle` after the last new proposal, at most
`settle_max` after the first. At close everything that is open, already held, or has run unapproved
within `window` is counted; above the limits the batch is held under a digest, else it is granted. A
granted or approved change is consumed by the write it allows, once.

State is rows, which the caller stores before it acts on them, so a failover at any point changes
nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum

from callplane.plan.change import Change, approval_digest
from callplane.values import ObjectKey

# Of one change; more within a window would have been held long before.
EARLIER_RUNS_KEPT = 100
# Longer than any approval lasts.
APPROVALS_REMEMBERED = timedelta(days=8)


@dataclass(frozen=True, slots=True)
class ChangeLimits:
    """`spec.changeLimits` of a connection."""

    max_count: int = 25
    max_percent: int = 10
    floor: int = 5
    window_seconds: float = 86_400.0
    settle_seconds: float = 5.0
    settle_max_seconds: float = 60.0


def strictest(first: ChangeLimits, others: Iterable[ChangeLimits]) -> ChangeLimits:
    """What all of these allow; how long a batch gathers is the first's to say."""
    limits = (first, *others)
    return replace(
        first,
        max_count=min(each.max_count for each in limits),
        max_percent=min(each.max_percent for each in limits),
        floor=min(each.floor for each in limits),
        window_seconds=max(each.window_seconds for each in limits),
    )


class GateStatus(Enum):
    """OPEN in the batch that collects; GRANTED below the limits; HELD for a person; APPROVED by
    one; CONSUMED by its write (kept for the window when nobody approved it)."""

    OPEN = "open"
    GRANTED = "granted"
    HELD = "held"
    APPROVED = "approved"
    CONSUMED = "consumed"


@dataclass(frozen=True, slots=True)
class GateRow:
    """One gated change on its way. `digest` names the batch it was held in, empty before.

    `approval` is the identity of the answer that let it through, `expires_at` when that ends.
    `used_approvals` are those that earlier runs of the same change have consumed: each counts once.
    `earlier_runs` are the times of its earlier runs that nobody approved: they count as any other.
    """

    change: Change
    proposer: ObjectKey
    range_name: str
    status: GateStatus
    proposed_at: datetime
    digest: str = ""
    approval: str = ""
    expires_at: datetime | None = None
    consumed_at: datetime | None = None
    used_approvals: tuple[str, ...] = ()
    earlier_runs: tuple[datetime, ...] = ()

    @property
    def change_id(self) -> str:
        return self.change.change_id


@dataclass(frozen=True, slots=True)
class Granted:
    """All of an object's gated changes may run."""


@dataclass(frozen=True, slots=True)
class Settling:
    """The batch is still open."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Held:
    """A person has to decide; the digests of the batches that hold these changes."""

    digests: tuple[str, ...]


GateAnswer = Granted | Settling | Held
GateRows = Mapping[str, GateRow]


def answer(
    rows: GateRows, change_ids: Iterable[str], *, now: datetime, limits: ChangeLimits
) -> GateAnswer:
    """Where one object's proposals stand; it starts only when all of them are granted or
    approved.
    """
    wanted = [rows[change_id] for change_id in change_ids if change_id in rows]
    held = sorted({row.digest for row in wanted if row.status is GateStatus.HELD})
    if held:
        return Held(tuple(held))
    if any(row.status is GateStatus.OPEN for row in wanted):
        closes_at = batch_closes_at(rows, limits)
        wait = (closes_at - now).total_seconds() if closes_at else limits.settle_seconds
        return Settling(max(wait, 0.05))
    return Granted()


def propose(
    rows: GateRows,
    changes: Sequence[Change],
    *,
    proposer: ObjectKey,
    range_names: Mapping[str, str],
    now: datetime,
) -> tuple[GateRow, ...]:
    """Rows to add: a change that is already on its way keeps its place, an expired approval or a
    consumed row of an earlier run opens anew."""
    added = []
    for change in changes:
        known = rows.get(change.change_id)
        if known is not None and not _is_over(known, now):
            continue
        added.append(
            GateRow(
                change=change,
                proposer=proposer,
                range_name=range_names.get(change.change_id, ""),
                status=GateStatus.OPEN,
                proposed_at=now,
                used_approvals=_used(known),
                earlier_runs=_earlier_runs(known),
            )
        )
    return tuple(added)


def _earlier_runs(known: GateRow | None) -> tuple[datetime, ...]:
    if known is None:
        return ()
    is_unapproved_run = known.status is GateStatus.CONSUMED and not known.approval
    if not is_unapproved_run or known.consumed_at is None:
        return known.earlier_runs
    return (*known.earlier_runs, known.consumed_at)[-EARLIER_RUNS_KEPT:]


def _used(known: GateRow | None) -> tuple[str, ...]:
    if known is None or not known.approval:
        return () if known is None else known.used_approvals
    return (*known.used_approvals, known.approval)


def _is_over(row: GateRow, now: datetime) -> bool:
    if row.status is GateStatus.APPROVED:
        return row.expires_at is not None and row.expires_at <= now
    return row.status is GateStatus.CONSUMED


def batch_closes_at(rows: GateRows, limits: ChangeLimits) -> datetime | None:
    """When the open batch closes; None when there is none."""
    proposed = [row.proposed_at for row in rows.values() if row.status is GateStatus.OPEN]
    if not proposed:
        return None
    settle = timedelta(seconds=limits.settle_seconds)
    settle_max = timedelta(seconds=limits.settle_max_seconds)
    return min(max(proposed) + settle, min(proposed) + settle_max)


def close(
    rows: GateRows,
    *,
    now: datetime,
    limits: ChangeLimits,
    claims: int,
    claims_by_range: Mapping[str, int],
) -> tuple[GateRow, ...]:
    """Freeze the open batch and decide it. Irreversible changes are always held. Returns the rows
    it changes.
    """
    batch = [row for row in rows.values() if row.status is GateStatus.OPEN]
    if not batch:
        return ()
    counting = counted(rows, now=now, limits=limits)
    held = _exceeds(counting, limits, claims) or any(
        _exceeds([row for row in counting if row.range_name == name], limits, claims_in_range)
        for name, claims_in_range in claims_by_range.items()
        if any(row.range_name == name for row in batch)
    )
    if not held:
        irreversible = [row for row in batch if row.change.irreversible]
        reversible = [row for row in batch if not row.change.irreversible]
        granted = tuple(replace(row, status=GateStatus.GRANTED) for row in reversible)
        return granted + _hold(irreversible)
    return _hold(batch)


def counted(rows: GateRows, *, now: datetime, limits: ChangeLimits) -> list[GateRow]:
    """The rows that the limits are compared with, each as often as it counts: under way, held, or
    run within the window without an approval.
    """
    return [
        row for row in rows.values() for _ in range(_times_counted(row, now=now, limits=limits))
    ]


def _times_counted(row: GateRow, *, now: datetime, limits: ChangeLimits) -> int:
    since = now - timedelta(seconds=limits.window_seconds)
    earlier = sum(1 for at in row.earlier_runs if at > since)
    if row.status is GateStatus.APPROVED:
        return earlier
    if row.status is not GateStatus.CONSUMED:
        return earlier + 1
    is_recent = row.consumed_at is not None and row.consumed_at > since
    return earlier + int(is_recent and not row.approval)


def _exceeds(counted: Sequence[GateRow], limits: ChangeLimits, claims: int) -> bool:
    count = len(counted)
    if count > limits.max_count:
        return True
    return count > limits.floor and count * 100 > limits.max_percent * claims


def _hold(batch: Sequence[GateRow]) -> tuple[GateRow, ...]:
    digest = approval_digest(row.change_id for row in batch)
    return tuple(replace(row, status=GateStatus.HELD, digest=digest) for row in batch)


def approve(
    rows: GateRows, change_ids: Iterable[str], *, approval: str, expires_at: datetime, now: datetime
) -> tuple[GateRow, ...]:
    """Membership: rows among `change_ids` that wait become approved. An expired approval changes
    nothing.
    """
    if expires_at <= now:
        return ()
    waiting = (GateStatus.OPEN, GateStatus.GRANTED, GateStatus.HELD)
    return tuple(
        replace(row, status=GateStatus.APPROVED, approval=approval, expires_at=expires_at)
        for change_id in change_ids
        if (row := rows.get(change_id)) is not None
        and row.status in waiting
        and approval not in row.used_approvals
    )


def revoke(rows: GateRows, approval: str) -> tuple[GateRow, ...]:
    """What an answer let through and has not run yet waits again: held as it was, or in the open
    batch.
    """
    return tuple(
        replace(
            row,
            status=GateStatus.HELD if row.digest else GateStatus.OPEN,
            approval="",
            expires_at=None,
        )
        for row in rows.values()
        if row.status is GateStatus.APPROVED and row.approval == approval
    )


def consume(rows: GateRows, change: Change, *, now: datetime) -> GateRow | None:
    """The row as its write will leave it, or None when this change may not run now."""
    row = rows.get(change.change_id)
    if row is None:
        return None
    if row.status is GateStatus.APPROVED and row.expires_at is not None and row.expires_at <= now:
        return None
    if row.status not in (GateStatus.GRANTED, GateStatus.APPROVED):
        return None
    return replace(row, status=GateStatus.CONSUMED, consumed_at=now)


def left(
    rows: GateRows,
    proposer: ObjectKey,
    still_proposed: Iterable[str],
    *,
    now: datetime,
    limits: ChangeLimits,
) -> tuple[str, ...]:
    """Change ids of a proposer that nobody proposes any more, and consumed rows that no longer
    count.
    """
    keep = set(still_proposed)
    return tuple(
        change_id
        for change_id, row in rows.items()
        if row.proposer == proposer
        and change_id not in keep
        and not _has_past(row, now=now, limits=limits)
    )


def withdrawn(
    rows: GateRows,
    proposer: ObjectKey,
    still_proposed: Iterable[str],
    *,
    now: datetime,
    limits: ChangeLimits,
) -> tuple[GateRow, ...]:
    """Rows of a proposer that nobody proposes any more and that stay for their past: earlier runs
    still count, and an approval that is used up must not be used again.
    """
    keep = set(still_proposed)
    return tuple(
        _as_past(row, now)
        for change_id, row in rows.items()
        if row.proposer == proposer
        and change_id not in keep
        and row.status is not GateStatus.CONSUMED
        and _has_past(row, now=now, limits=limits)
    )


def _as_past(row: GateRow, now: datetime) -> GateRow:
    past = replace(row, status=GateStatus.CONSUMED, digest="", approval="", expires_at=None)
    if row.used_approvals:
        return replace(
            past,
            used_approvals=row.used_approvals[:-1],
            approval=row.used_approvals[-1],
            consumed_at=now,
            expires_at=now + APPROVALS_REMEMBERED,
        )
    return replace(past, consumed_at=row.earlier_runs[-1], earlier_runs=row.earlier_runs[:-1])


def _has_past(row: GateRow, *, now: datetime, limits: ChangeLimits) -> bool:
    """Must the row be remembered although nobody proposes its change?"""
    since = now - timedelta(seconds=limits.window_seconds)
    if any(at > since for at in row.earlier_runs):
        return True
    if row.status is GateStatus.CONSUMED:
        return not _is_history(row, now=now, limits=limits)
    return bool(row.used_approvals)


def _is_history(row: GateRow, *, now: datetime, limits: ChangeLimits) -> bool:
    """A consumed row is kept while it counts, or while the approval it used could be used again."""
    ends = [row.expires_at] if row.expires_at is not None else []
    if row.consumed_at is not None:
        ends.append(row.consumed_at + timedelta(seconds=limits.window_seconds))
    return all(end <= now for end in ends)
