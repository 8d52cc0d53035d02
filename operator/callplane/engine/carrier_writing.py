"""Apply at a carrier: one write, once, with its intent committed before it is sent.

gate → budget → turn → compare before write → last look → fence → intent and move committed → sent

What an answer means for the number's row is the caller's to say: each write comes with the move
that goes with its intent, and with the move that takes it back.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from callplane.apis.reasons import Reason
from callplane.engine import carrier_changes, carrier_gathering, carrier_memory, write_ahead
from callplane.engine.carrier_gathering import CarrierSide
from callplane.engine.scope import Parked, Scope
from callplane.errors import Failed, OutcomeUnknown, Waiting
from callplane.plan.change import Change
from callplane.plan.gate_policy import is_gated
from callplane.providers.carrier_protocol import CarrierRefused
from callplane.providers.protocol import AuthenticationFailed, ProviderError, Throttled
from callplane.store.ports import Commit, Intent, IntentState, Move
from callplane.tracing import step
from callplane.values import E164

log = logging.getLogger(__name__)

UNKNOWN_LOOK_SECONDS = 2.0
STALE_LOOK_SECONDS = 0.5
BREAKER_LOOK_SECONDS = 60.0

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Write:
    """One write: what it is, the move that is committed with its intent, and the one that undoes
    that move when nothing was done.

    `gated` is False for a step that belongs to a change which has passed the gate already.
    `last_look` is done right before the intent, when nothing is waited for any more, and raises
    what is in the way.
    """

    change: Change
    move: Move | None = None
    undo: Move | None = None
    gated: bool = True
    last_look: Callable[[], None] = lambda: None


async def pass_gate(scope: Scope, side: CarrierSide, changes: Sequence[Change]) -> None:
    """The object goes on only when all its gated changes are granted."""
    gated = [change for change in changes if is_gated(change)]
    name = f"{scope.key.namespace}/{scope.key.name}"
    ranges = {change.change_id: name for change in gated}
    await write_ahead.pass_gate(scope, side.runtime, gated, ranges)


async def send(
    scope: Scope, side: CarrierSide, write: Write, call: Callable[[Intent], Awaitable[Answer]]
) -> tuple[Intent, Answer]:
    """Send once. `call` gets the open intent, whose request id is the reference of an order.

    A refusal (CarrierRefused) is raised with the intent closed and the move undone; whatever else
    is not a yes becomes a verdict. OutcomeUnknown leaves the intent open: it is settled by looking.
    """
    runtime = side.runtime
    if not runtime.writes.take(scope.key, scope.priority):
        raise Parked
    async with runtime.in_flight:
        # Only now, so that no wait lies between what is compared, the fence and the send.
        if is_gated(write.change):
            await _compare_before_write(side, write.change)
        carrier_gathering.check_still_writable(scope, side, write.change)
        write.last_look()
        intent = await _open_intent(scope, side, write)
        try:
            with step("write", operation=write.change.operation.value):
                answer = await call(intent)
        except CarrierRefused as refused:
            await close(
                scope, side, intent, IntentState.REFUSED, undo=write.undo, detail=str(refused)
            )
            raise
        except OutcomeUnknown as unknown:
            runtime.touch(E164(write.change.subject))
            raise Waiting(
                Reason.OPERATION_RUNNING,
                f"{carrier_changes.describe(write.change)}: no answer came; looking what is true",
                after_seconds=UNKNOWN_LOOK_SECONDS,
            ) from unknown
        except Throttled as throttled:
            await close(scope, side, intent, undo=write.undo, detail="throttled")
            runtime.writes.close_for(throttled.retry_after_seconds)
            runtime.writes.take(scope.key, scope.priority)
            raise Parked from throttled
        except AuthenticationFailed as error:
            await close(scope, side, intent, undo=write.undo, detail="authentication failed")
            runtime.open_breaker(str(error))
            raise Waiting(
                Reason.DEPENDENCY_NOT_READY,
                "the carrier refused our credentials",
                after_seconds=BREAKER_LOOK_SECONDS,
            ) from error
        except ProviderError as error:
            await close(scope, side, intent, undo=write.undo, detail=str(error))
            raise Failed(Reason.PROVIDER_UNAVAILABLE, str(error)) from error
    log.info("%s for %s: sent", carrier_changes.describe(write.change), scope.key)
    runtime.touch(E164(write.change.subject))
    return intent, answer


async def _compare_before_write(side: CarrierSide, change: Change) -> None:
    """What takes away runs only on exactly the `from` value that a person could have reviewed, and
    so does each step that belongs to it.
    """
    if change.before is None:
        return
    try:
        row = await side.runtime.read_number_in_flight(E164(change.subject))
    except ProviderError as error:
        raise Failed(Reason.PROVIDER_UNAVAILABLE, str(error)) from error
    if not carrier_changes.still_from(row, change):
        raise Waiting(
            Reason.PLAN_STALE,
            f"{carrier_changes.describe(change)}: what it was planned on has changed; planning "
            "anew",
            after_seconds=STALE_LOOK_SECONDS,
        )


async def _open_intent(scope: Scope, side: CarrierSide, write: Write) -> Intent:
    """Committed before the send, under the fence; a gated change consumes its grant with it."""
    change = write.change
    intended = write_ahead.Intended(
        change,
        carrier_changes.subject(side.runtime.connection, E164(change.subject)),
        carrier_changes.describe(change),
        needs_grant=write.gated and is_gated(change),
        moves=(write.move,) if write.move is not None else (),
    )
    return await write_ahead.open_intent(scope, side.runtime, intended)


async def close(  # noqa: PLR0913 - all named, and all of one commit
    scope: Scope,
    side: CarrierSide,
    intent: Intent,
    state: IntentState = IntentState.ABANDONED,
    *,
    undo: Move | None = None,
    detail: str = "",
) -> None:
    """End an intent that changed nothing; a grant that it consumed comes back."""
    runtime = side.runtime
    done = replace(intent, state=state, detail=detail)
    restored = runtime.gate.restored(Change.from_json(intent.change))
    moves = (undo,) if undo is not None else ()
    await runtime.mirror.commit(
        Commit(moves=moves, intents=(done,), gate_rows=restored), now=scope.engine.clock.now()
    )


async def confirm(
    scope: Scope, side: CarrierSide, intent: Intent, *, move: Move | None = None
) -> None:
    """What was wanted is seen: the intent ends, the number moves with it, and what was done to it
    is remembered.
    """
    runtime, now = side.runtime, scope.engine.clock.now()
    change = Change.from_json(intent.change)
    done = replace(intent, state=IntentState.CONFIRMED)
    moves = (move,) if move is not None else ()
    remembered = carrier_memory.after(runtime.mirror, change, now=now)
    await runtime.mirror.commit(
        Commit(
            moves=moves,
            intents=(done,),
            holders=remembered.holders,
            dropped_holders=remembered.dropped,
        ),
        now=now,
    )
    runtime.recall(E164(change.subject))
