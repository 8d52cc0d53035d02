"""ChangePlan: a held batch made visible. The gate's rows are the truth; the object only shows
them.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from callplane.apis.change_approvals import ChangeApproval, Decision
from callplane.apis.change_plans import INLINE_CHANGES_MAX, ChangePlan
from callplane.apis.model import API_VERSION
from callplane.apis.reasons import Reason
from callplane.cluster.api_errors import AlreadyExists, Forbidden
from callplane.engine.connection_core import ConnectionCore
from callplane.engine.gathering import starts_again
from callplane.engine.intents import describe
from callplane.engine.keyed_queue import Priority
from callplane.engine.scope import Gone, Parked, Scope
from callplane.errors import Stalled, Waiting
from callplane.plan.change import plan_name
from callplane.plan.gate import GateRow, GateStatus
from callplane.status.conditions import Succeeded
from callplane.values import ObjectKey

LOOK_SECONDS = 5.0
FINISHED = ("Completed", "Withdrawn", "Detached")


async def publish(scope: Scope, runtime: ConnectionCore) -> None:
    """Make a ChangePlan for every held batch that has none yet."""
    for digest, rows in runtime.mirror.held_digests().items():
        key = ObjectKey("ChangePlan", runtime.key.namespace, plan_name(digest))
        if scope.engine.cache.get(key) is not None:
            continue
        try:
            body = await scope.engine.objects.create(
                scope.engine.kind("ChangePlan"), body=_manifest(runtime, digest, rows)
            )
        except AlreadyExists:
            continue
        except Forbidden:
            if scope.cached.is_deleting:
                # Nothing can be made in a namespace that goes; its objects say how they are let go.
                return
            raise
        scope.engine.offer(key, body)


def _manifest(runtime: ConnectionCore, digest: str, rows: list[GateRow]) -> dict[str, Any]:
    ordered = sorted(rows, key=lambda row: (row.proposer, row.change.sort_key))
    counts = Counter(row.change.operation.value for row in ordered)
    limits = runtime.gate.limits
    claims = runtime.claims()
    return {
        "apiVersion": API_VERSION,
        "kind": "ChangePlan",
        "metadata": {"name": plan_name(digest), "namespace": runtime.key.namespace},
        "spec": {
            "connectionRef": {"kind": runtime.key.kind, "name": runtime.key.name},
            "digest": digest,
            "closedAt": max(row.proposed_at for row in rows).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "explanation": (
                f"{len(rows)} changes take away or replace what people have; without an approval "
                f"at most {limits.max_count} may in {limits.window_seconds / 3600:g} h, and more "
                f"than {limits.floor} only up to {limits.max_percent} % of {claims} claims"
            ),
            "total": len(rows),
            "counts": [{"operation": name, "count": counts[name]} for name in sorted(counts)],
            "changes": [_inline(row) for row in ordered[:INLINE_CHANGES_MAX]],
        },
    }


def _inline(row: GateRow) -> dict[str, Any]:
    change = row.change
    entry: dict[str, Any] = {
        "id": row.change_id,
        "operation": change.operation.value,
        "subject": {"platform": change.platform.value, "id": change.subject},
        "irreversible": change.irreversible,
        "declaredBy": {
            "kind": row.proposer.kind,
            "namespace": row.proposer.namespace,
            "name": row.proposer.name,
        },
        "summary": f"{describe(change)} ({row.proposer.namespace}/{row.proposer.name})",
    }
    if change.before is not None:
        entry["from"] = dict(change.before)
    if change.after is not None:
        entry["to"] = dict(change.after)
    return entry


async def run(scope: Scope) -> Succeeded:
    """Show what has become of the batch."""
    if scope.cached.is_deleting:
        raise Gone
    plan = scope.resource
    assert isinstance(plan, ChangePlan)
    reference = plan.spec.connection_ref
    key = ObjectKey(reference.kind.value, scope.key.namespace, reference.name)
    runtime = scope.engine.at_work(key)
    rows = _rows(runtime, plan)
    finished = scope.cached.status.get("state") in FINISHED
    # The same people may be taken away a second time, under the same digest.
    if finished and not any(row.status is not GateStatus.CONSUMED for row in rows):
        return Succeeded(str(scope.cached.status["state"]), reason=Reason.COMPLETED)
    if runtime is None:
        if starts_again(scope, key):
            scope.engine.queue.add_later(scope.key, Priority.INITIAL, LOOK_SECONDS)
            raise Parked
        raise Waiting(Reason.DEPENDENCY_NOT_READY, f"{key} is not ready", after_seconds=60.0)
    counts = Counter(row.status for row in rows)
    held, approved = counts[GateStatus.HELD], counts[GateStatus.APPROVED]
    done = counts[GateStatus.CONSUMED]
    scope.status.update(
        pending=held, approved=approved, done=done, withdrawn=plan.spec.total - len(rows)
    )
    if held:
        scope.status["state"] = "Held"
        raise Stalled(
            Reason.APPROVAL_REQUIRED,
            f"{held} changes wait for a ChangeApproval of {plan.spec.digest}",
        )
    if approved:
        scope.status["state"] = "Approved"
        raise Waiting(
            Reason.APPROVED,
            f"{approved} approved changes are being made",
            after_seconds=LOOK_SECONDS,
        )
    if not done and _is_detached(scope, plan):
        scope.status["state"] = "Detached"
        return Succeeded(
            f"the objects of {plan.spec.total} changes were let go; nothing was written",
            reason=Reason.DETACHED,
        )
    scope.status["state"] = "Completed" if done else "Withdrawn"
    return Succeeded(
        f"{done} of {plan.spec.total} changes were made",
        reason=Reason.COMPLETED if done else Reason.WITHDRAWN,
    )


def _rows(runtime: ConnectionCore | None, plan: ChangePlan) -> list[GateRow]:
    if runtime is None:
        return []
    return [row for row in runtime.mirror.gate_rows.values() if row.digest == plan.spec.digest]


def _is_detached(scope: Scope, plan: ChangePlan) -> bool:
    """Has an answer let the objects of this batch go?"""
    return any(
        isinstance(cached.resource, ChangeApproval)
        and cached.key.namespace == scope.key.namespace
        and cached.resource.spec.digest == plan.spec.digest
        and cached.resource.spec.decision is Decision.DETACH
        and int(cached.status.get("matched") or 0) > 0
        for cached in scope.engine.cache.of_kind("ChangeApproval")
    )
