"""ChangeApproval: one human answer. It counts only in its connection's own namespace, until it
expires, once.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import rfc8785

from callplane.apis.change_approvals import (
    APPROVAL_DAYS_MAX,
    ChangeApproval,
    ChangeApprovalSpec,
    Decision,
)
from callplane.apis.reasons import Reason
from callplane.engine.connection_core import ConnectionCore
from callplane.engine.gathering import starts_again
from callplane.engine.keyed_queue import Priority
from callplane.engine.scope import Gone, Parked, Scope
from callplane.errors import Stalled, Waiting
from callplane.plan.gate import GateRow, GateStatus
from callplane.status.conditions import Succeeded
from callplane.values import ObjectKey

if TYPE_CHECKING:
    from callplane.engine.operator_engine import Engine

LOOK_SECONDS = 5.0
# The connection wakes its approvals; this is only the longest silence.
CONNECTION_LOOK_SECONDS = 60.0
# Creation timestamps are whole seconds, rounded down.
CREATION_GRAIN = timedelta(seconds=1)


async def run(scope: Scope) -> Succeeded:
    """Apply the answer to what waits now, and keep it for what its change ids name later."""
    approval = scope.resource
    assert isinstance(approval, ChangeApproval)
    if scope.cached.is_deleting:
        raise Gone
    runtime = _runtime(scope, approval.spec)
    expires_at = _as_datetime(approval.spec.expires_at)
    now = scope.engine.clock.now()
    covered = _covered(runtime, approval.spec)
    if expires_at <= now:
        await runtime.gate.forget_answer(identity(approval.spec))
        raise Stalled(
            Reason.EXPIRED, f"expired at {expires_at:%Y-%m-%d %H:%M} UTC; it counts for nothing"
        )
    # Counted from the object's own beginning: what was too long must not become valid by waiting.
    made_at = datetime.fromisoformat(scope.cached.created)
    if expires_at > made_at + timedelta(days=APPROVAL_DAYS_MAX, minutes=5):
        raise Stalled(
            Reason.EXPIRES_TOO_LATE,
            f"expiresAt is more than {APPROVAL_DAYS_MAX} days after the object was made; it counts "
            "for nothing",
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


def connection_of(namespace: str, spec: ChangeApprovalSpec) -> ObjectKey:
    """The connection that an answer is for: always one of its own namespace."""
    return ObjectKey(spec.connection_ref.kind.value, namespace, spec.connection_ref.name)


def _runtime(scope: Scope, spec: ChangeApprovalSpec) -> ConnectionCore:
    key = connection_of(scope.key.namespace, spec)
    runtime = scope.engine.at_work(key)
    if runtime is not None and not runtime.health.lost_to:
        return runtime
    if scope.engine.cache.get(key) is None:
        raise Stalled(
            Reason.WRONG_NAMESPACE,
            f"namespace {scope.key.namespace} has no {key.kind} {key.name}; an approval counts "
            "only in the namespace of its connection",
        )
    if starts_again(scope, key):
        scope.engine.queue.add_later(scope.key, Priority.INITIAL, LOOK_SECONDS)
        raise Parked
    raise Waiting(
        Reason.DEPENDENCY_NOT_READY, f"{key} is not at work", after_seconds=CONNECTION_LOOK_SECONDS
    )


def identity(spec: ChangeApprovalSpec) -> str:
    """What makes two answers the same one: everything they say. The object's name and UID are left
    out, so that a file that is applied again is not a second answer.
    """
    content = spec.model_dump(mode="json", by_alias=True, exclude_none=True)
    return hashlib.sha256(rfc8785.dumps(content)).hexdigest()


def gone(engine: Engine, approval: ChangeApproval) -> None:
    """The object is gone: what it has not let through yet, it lets through no more."""
    runtime = engine.at_work(connection_of(approval.namespace, approval.spec))
    if runtime is not None:
        runtime.withdrawn_answers.add(identity(approval.spec))
        runtime.gate.ring()


def is_given(engine: Engine, connection: ObjectKey, answer: str) -> bool:
    """Is there an object that says this, and is it there to stay? The register remembers what was
    answered; whoever takes an answer back while nobody listens only leaves no object.
    """
    now = engine.clock.now()
    for cached in engine.cache.of_kind("ChangeApproval"):
        approval = cached.resource
        if not isinstance(approval, ChangeApproval) or cached.is_deleting:
            continue
        spec = approval.spec
        if connection_of(cached.key.namespace, spec) != connection:
            continue
        if _as_datetime(spec.expires_at) > now and identity(spec) == answer:
            return True
    return False


def _covered(runtime: ConnectionCore, spec: ChangeApprovalSpec) -> list[GateRow]:
    rows = runtime.mirror.gate_rows
    if spec.digest is not None:
        return [row for row in rows.values() if row.digest == spec.digest]
    return [rows[change_id] for change_id in spec.change_ids or () if change_id in rows]


async def _approve(
    scope: Scope,
    runtime: ConnectionCore,
    spec: ChangeApprovalSpec,
    covered: list[GateRow],
    expires_at: datetime,
) -> Succeeded:
    answer = identity(spec)
    runtime.withdrawn_answers.discard(answer)
    if covered and all(_is_over(scope, row, answer) for row in covered):
        raise Stalled(
            Reason.CONSUMED,
            "its changes have been made already; it counts for nothing. To allow them again, make "
            "another answer with another expiresAt or reason",
        )
    ids = [row.change_id for row in covered]
    if spec.change_ids is not None:
        runtime.gate.remember_answer(answer, spec.change_ids, expires_at)
    await runtime.gate.approve(ids, approval=answer, expires_at=expires_at)
    rows = [row for change_id in ids if (row := runtime.mirror.gate_rows.get(change_id))]
    mine = [row for row in rows if row.approval == answer]
    consumed = sum(1 for row in mine if row.status is GateStatus.CONSUMED)
    scope.status.update(
        matched=len(mine),
        consumed=consumed,
        unknown=len(spec.change_ids or ()) - len(covered) if spec.change_ids else 0,
    )
    if consumed < len(mine) or spec.change_ids is not None:
        scope.engine.queue.add_later(scope.key, Priority.DRIFT, LOOK_SECONDS)
    return Succeeded(f"approves {len(mine)} changes; {consumed} made", reason=Reason.ACCEPTED)


def _is_over(scope: Scope, row: GateRow, answer: str) -> bool:
    """Can this answer do nothing for a change: made by another one, made before this object came,
    or proposed anew after this answer let it through once?
    """
    if answer in row.used_approvals:
        return True
    if row.status is not GateStatus.CONSUMED:
        return False
    created_at = scope.resource.metadata.creation_timestamp
    is_older = (
        created_at is not None and row.consumed_at is not None and row.consumed_at < created_at
    )
    return row.approval != answer or is_older


async def _detach(scope: Scope, runtime: ConnectionCore, covered: list[GateRow]) -> Succeeded:
    """Objects that are being deleted are let go without a provider write.

    What was proposed after the answer was given is another question, even under the same digest.
    """
    answered_at = scope.resource.metadata.creation_timestamp
    waiting = [
        row
        for row in covered
        if row.status is not GateStatus.CONSUMED
        and (answered_at is None or row.proposed_at < answered_at + CREATION_GRAIN)
        and _is_leaving(scope, row.proposer)
    ]
    if not waiting and any(row.status is GateStatus.HELD for row in covered):
        raise Stalled(
            Reason.UNSUPPORTED,
            "none of its objects is being deleted, so there is nothing to let go; take the edits "
            "back, or approve them",
        )
    if not waiting:
        raise Stalled(Reason.CONSUMED, "its objects were let go already; it counts for nothing")
    for row in waiting:
        runtime.detach_answers.add(row.proposer)
        scope.engine.queue.add(row.proposer, Priority.USER)
    scope.status.update(matched=len(waiting), consumed=0, unknown=0)
    return Succeeded(f"detaches the objects of {len(waiting)} changes", reason=Reason.ACCEPTED)


def _is_leaving(scope: Scope, key: ObjectKey) -> bool:
    cached = scope.engine.cache.get(key)
    return cached is not None and cached.is_deleting
