"""What a connection's gate would say to the gated changes of a plan. Called by `planning`.

The gate itself decides (`plan.gate`), over the rows that the register has and the changes that the
plan adds, with the approvals of the tree.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from callplane.apis.change_approvals import (
    APPROVAL_DAYS_MAX,
    ChangeApproval,
    ChangeApprovalSpec,
    Decision,
)
from callplane.engine import change_approvals, guarding
from callplane.engine.planning_world import Declared, PlanningWorld
from callplane.engine.register_mirror import RegisterMirror
from callplane.plan import gate
from callplane.plan.change import Change, approval_digest
from callplane.plan.document import GateForecast
from callplane.plan.gate import GateRow, GateStatus
from callplane.values import ObjectKey


@dataclass(frozen=True, slots=True)
class ProposedChanges:
    """The gated changes that one object would propose."""

    proposer: ObjectKey
    changes: tuple[Change, ...]


def forecast(
    world: PlanningWorld,
    connection: ObjectKey,
    proposals: Sequence[ProposedChanges],
    tree: Sequence[Declared],
) -> GateForecast:
    """The gate at the end of the batch that this plan would open."""
    runtime = world.engine.at_work(connection)
    assert runtime is not None, f"{connection} is not at work"
    mirror, limits, now = runtime.mirror, runtime.gate.limits, world.engine.clock.now()
    rows = dict(mirror.gate_rows)
    mine: list[str] = []
    for each in proposals:
        names = _range_names(mirror, each)
        mine.extend(change.change_id for change in each.changes)
        _take(
            rows,
            gate.propose(rows, each.changes, proposer=each.proposer, range_names=names, now=now),
        )
    for approval, spec in _approvals(world, tree, connection):
        covered = (
            [row.change_id for row in rows.values() if row.digest == spec.digest]
            if spec.digest is not None
            else spec.change_ids or ()
        )
        _take(
            rows,
            gate.approve(rows, covered, approval=approval, expires_at=spec.expires_at, now=now),
        )
    counted = gate.counted(rows, now=now, limits=limits)
    _take(
        rows,
        gate.close(
            rows,
            now=now,
            limits=limits,
            claims=runtime.claims(),
            claims_by_range=mirror.claims_by_range(),
        ),
    )
    waiting = tuple(sorted(each for each in mine if rows[each].status is GateStatus.HELD))
    return GateForecast(
        connection=connection,
        connection_id=runtime.connection,
        limits=limits,
        claims=runtime.claims(),
        change_ids=tuple(sorted(mine)),
        waiting=waiting,
        counted=len(counted),
        digest=approval_digest(waiting or mine) if mine else "",
    )


def _range_names(mirror: RegisterMirror, proposed: ProposedChanges) -> dict[str, str]:
    """At a carrier the object that looks after the number is what is counted by."""
    if proposed.proposer.kind in ("NumberRange", "PhoneNumber"):
        name = f"{proposed.proposer.namespace}/{proposed.proposer.name}"
        return {change.change_id: name for change in proposed.changes}
    return guarding.range_names(mirror, proposed.changes)


def _take(rows: dict[str, GateRow], changed: Iterable[GateRow]) -> None:
    rows.update((row.change_id, row) for row in changed)


def _approvals(
    world: PlanningWorld, tree: Sequence[Declared], connection: ObjectKey
) -> Iterator[tuple[str, ChangeApprovalSpec]]:
    """Approvals of the tree that would count for the connection at that moment."""
    now = world.engine.clock.now()
    for declared in tree:
        approval = declared.resource
        if not isinstance(approval, ChangeApproval):
            continue
        spec = approval.spec
        if change_approvals.connection_of(declared.key.namespace, spec) != connection:
            continue
        latest = now + timedelta(days=APPROVAL_DAYS_MAX, minutes=5)
        if spec.decision is Decision.APPROVE and now < spec.expires_at <= latest:
            yield change_approvals.identity(spec), spec
