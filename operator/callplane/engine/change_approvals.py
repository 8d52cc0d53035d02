"""ChangeApproval: one human answer. It counts only in its connection's own namespace, until it
expires, once.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from callplane.apis.change_approvals import (
    APPROVAL_DAYS_MAX,
    ChangeApproval,
    ChangeApprovalSpec,
    Decision,
)
from callplane.apis.reasons import Reason
from callplane.engine.connections import ConnectionRuntime
from callplane.engine.keyed_queue import Priority
from callplane.engine.scope import Gone, Scope
from callplane.errors import Stalled
from callplane.plan.gate import GateRow, GateStatus
from callplane.status.conditions import Succeeded
from callplane.values import ObjectKey

LOOK_SECONDS = 5.0
# Creation timestamps are whole seconds, rounded down.
CREATION_GRAIN = timedelta(seconds=1)


async def run(scope: Scope) -> Succeeded:
    """Apply the answer to what waits now, and keep it for what its change ids name later."""
    approval = scope.resource
    assert isinstance(approval, ChangeApproval)
    runtime = _runtime(scope, approval.spec)
    if scope.cached.is_deleting:
        runtime.gate.forget_answer(scope.cached.uid)
        raise Gone
    expires_at = _as_datetime(approval.spec.expires_at)
    now = scope.engine.clock.now()
    covered = _covered(runtime, approval.spec)
    if expires_at <= now:
        runtime.gate.forget_answer(scope.cached.uid)
        raise Stalled(
            Reason.EXPIRED, f"expired at {expires_at:%Y-%m-%d %H:%M} UTC; it counts for nothing"
        )
    if expires_at > now + timedelta(days=APPROVAL_DAYS_MAX, minutes=5):
        raise Stalled(
            Reason.EXPIRES_TOO_LATE,
            f"expiresAt is more than {APPROVAL_DAYS_MAX} days away; it counts for nothing",
        )
    if approval.spec.digest is not None and not covered:
        if scope.cached.ready == "True":
            return Succeeded("its changes have been made", reason=Reason.CONSUMED)
        raise Stalled(
            Reason.UNKNOWN_PLAN,
            f"no batch of {runtime.key} waits under {approval.spec.digest}; it counts for nothing",
        )
    if approval.spec.decision is Decision.DETACH:
        return await _detach(scope, runtime, covered)
    return await _approve(scope, runtime, approval.spec, covered, expires_at)


def _as_datetime(value: object) -> datetime:
    return value if isinstance(value, datetime) else datetime.fromisoformat(str(value))


def _runtime(scope: Scope, spec: ChangeApprovalSpec) -> ConnectionRuntime:
    reference = spec.connection_ref
    key = ObjectKey(reference.kind.value, scope.key.namespace, reference.name)
    runtime = scope.engine.connections.get(key)
    if runtime is None:
        raise Stalled(
            Reason.WRONG_NAMESPACE,
            f"namespace {scope.key.namespace} has no {key.kind} {key.name} at work; an approval "
            "counts only in the namespace of its connection",
        )
    return runtime


def _covered(runtime: ConnectionRuntime, spec: ChangeApprovalSpec) -> list[GateRow]:
    rows = runtime.mirror.gate_rows
    if spec.digest is not None:
        return [row for row in rows.values() if row.digest == spec.digest]
    return [rows[change_id] for change_id in spec.change_ids or () if change_id in rows]


async def _approve(
    scope: Scope,
    runtime: ConnectionRuntime,
    spec: ChangeApprovalSpec,
    covered: list[GateRow],
    expires_at: datetime,
) -> Succeeded:
    uid = scope.cached.uid
    consumed_by_others = [
        row for row in covered if row.status is GateStatus.CONSUMED and row.approval != uid
    ]
    if covered and len(consumed_by_others) == len(covered):
        raise Stalled(Reason.CONSUMED, "its changes have been made already; it counts for nothing")
    ids = [row.change_id for row in covered]
    if spec.change_ids is not None:
        runtime.gate.remember_answer(uid, spec.change_ids, expires_at)
    await runtime.gate.approve(ids, approval=uid, expires_at=expires_at)
    rows = runtime.mirror.gate_rows
    mine = [rows[change_id] for change_id in ids if rows[change_id].approval == uid]
    consumed = sum(1 for row in mine if row.status is GateStatus.CONSUMED)
    scope.status.update(
        matched=len(mine),
        consumed=consumed,
        unknown=len(spec.change_ids or ()) - len(covered) if spec.change_ids else 0,
    )
    if consumed < len(mine) or spec.change_ids is not None:
        scope.engine.queue.add_later(scope.key, Priority.DRIFT, LOOK_SECONDS)
    return Succeeded(f"approves {len(mine)} changes; {consumed} made", reason=Reason.ACCEPTED)


async def _detach(scope: Scope, runtime: ConnectionRuntime, covered: list[GateRow]) -> Succeeded:
    """Objects that are being deleted are let go without a provider write.

    What was proposed after the answer was given is another question, even under the same digest.
    """
    answered_at = scope.resource.metadata.creation_timestamp
    waiting = [
        row
        for row in covered
        if row.status is not GateStatus.CONSUMED
        and (answered_at is None or row.proposed_at < answered_at + CREATION_GRAIN)
    ]
    if not waiting:
        raise Stalled(Reason.CONSUMED, "its objects were let go already; it counts for nothing")
    for row in waiting:
        runtime.detach_answers.add(row.proposer)
        scope.engine.queue.add(row.proposer, Priority.USER)
    scope.status.update(matched=len(waiting), consumed=0, unknown=0)
    return Succeeded(f"detaches the objects of {len(waiting)} changes", reason=Reason.ACCEPTED)
