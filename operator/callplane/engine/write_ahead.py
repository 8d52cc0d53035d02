"""What comes before every write, to a platform or to a carrier: the gate, the fence, the intent.

Called by `writing` and `guarding` for platforms, by `carrier_writing` for carriers.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from callplane.apis.reasons import Reason
from callplane.engine.connection_core import ConnectionCore
from callplane.engine.scope import Scope
from callplane.errors import Stalled, Waiting
from callplane.plan import gate
from callplane.plan.change import Change
from callplane.plan.gate import GateRow
from callplane.store.ports import Commit, EpochLost, Intent, Move
from callplane.tracing import step
from callplane.values import HolderId

LEASE_LOOK_SECONDS = 5.0
STALE_LOOK_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Intended:
    """One write that is about to be sent. `says` is the change in words; `needs_grant` of one that
    must have passed the gate; `moves` are committed with the intent.
    """

    change: Change
    holder: HolderId
    says: str
    needs_grant: bool
    moves: tuple[Move, ...] = ()


async def pass_gate(
    scope: Scope, runtime: ConnectionCore, gated: Sequence[Change], ranges: Mapping[str, str]
) -> None:
    """The object goes on only when all its gated changes are granted. `ranges` are what each counts
    against, by change id. Raises Waiting or Stalled.
    """
    if not gated:
        await runtime.gate.withdraw(scope.key)
        return
    with step("gate", changes=len(gated)) as span:
        answer = await runtime.gate.propose(gated, proposer=scope.key, range_names=ranges)
        span.note(outcome=type(answer).__name__)
    if isinstance(answer, gate.Settling):
        raise Waiting(
            Reason.SETTLING,
            f"{len(gated)} changes wait for the batch to settle",
            after_seconds=answer.seconds + 30.0,
        )
    if isinstance(answer, gate.Held):
        raise Stalled(
            Reason.APPROVAL_REQUIRED,
            "held for a person; see ChangePlan with digest " + ", ".join(answer.digests),
        )


async def open_intent(scope: Scope, runtime: ConnectionCore, intended: Intended) -> Intent:
    """Committed before the send, under the fence; a gated change consumes its grant with it."""
    engine, change = scope.engine, intended.change
    check_still_declared(scope)
    check_fence(scope)
    now = engine.clock.now()
    intent = Intent(
        change_id=change.change_id,
        connection=runtime.connection,
        epoch=runtime.mirror.epoch,
        holder=intended.holder,
        change=change.to_json(),
        request_id=str(uuid.UUID(int=engine.chance.getrandbits(128), version=4)),
        sent_at=now,
    )
    gate_rows: tuple[GateRow, ...] = ()
    if intended.needs_grant:
        consumed = runtime.gate.consumed(change)
        if consumed is None:
            raise Waiting(
                Reason.PLAN_STALE,
                f"{intended.says}: its grant is gone; proposing it anew",
                after_seconds=STALE_LOOK_SECONDS,
            )
        gate_rows = (consumed,)
    try:
        await runtime.mirror.commit(
            Commit(moves=intended.moves, intents=(intent,), gate_rows=gate_rows), now=now
        )
    except EpochLost as lost:
        runtime.health.lost_to = "another installation has taken the connection"
        raise Stalled(Reason.CONNECTION_HELD_ELSEWHERE, runtime.health.lost_to) from lost
    # The database may have taken its time: an intent that is never sent is settled by looking.
    check_fence(scope)
    return intent


def check_still_declared(scope: Scope) -> None:
    """A pass may wait long for its turn and for what it reads: nothing is begun on what its object
    does not say any more. Raises Waiting.
    """
    then, cached = scope.cached, scope.engine.cache.get(scope.key)
    if (
        cached is None
        or (cached.uid, cached.generation) != (then.uid, then.generation)
        or cached.is_deleting is not then.is_deleting
    ):
        raise Waiting(
            Reason.PROGRESSING,
            "the object has changed while its pass was under way; looking again",
            after_seconds=STALE_LOOK_SECONDS,
        )


def check_fence(scope: Scope) -> None:
    """Raises Waiting unless a write begun now must end while we still lead."""
    if not scope.engine.fence.may_write(scope.engine.settings.write_timeout_seconds):
        raise Waiting(
            Reason.PROGRESSING,
            "the Lease must be renewed before anything is written",
            after_seconds=LEASE_LOOK_SECONDS,
        )
