"""Apply: one change after the other, each exactly once.

budget → turn → compare before write → fence → intent committed → sent → answer recorded → read back
"""

from __future__ import annotations

import logging
from dataclasses import replace

from callplane.apis.reasons import Reason
from callplane.engine import guarding, intents, write_ahead
from callplane.engine.gathering import Gathered
from callplane.engine.scope import Parked, Scope
from callplane.errors import Failed, OutcomeUnknown, Stalled, Waiting
from callplane.plan import effects
from callplane.plan.change import Cause, Change, Operation
from callplane.plan.gate_policy import is_gated
from callplane.providers.protocol import (
    Accepted,
    AuthenticationFailed,
    Done,
    ProviderError,
    RefusalClass,
    Refused,
    Throttled,
)
from callplane.store.ports import Commit, HolderRow, Intent, IntentState
from callplane.tracing import step
from callplane.values import E164, HolderId

# What a provider may be sure of; a person has to do something about each of them.
_KNOWN_REASONS = frozenset(
    {
        Reason.POLICY_NOT_FOUND,
        Reason.USER_NOT_LICENSED,
        Reason.USAGE_LOCATION_MISMATCH,
        Reason.EMERGENCY_LOCATION_MISSING,
        Reason.NUMBER_ON_PREMISES,
        Reason.PERMISSION_MISSING,
        Reason.UNSUPPORTED,
        Reason.LOCATION_MISSING,
        Reason.NUMBER_NOT_IN_INVENTORY,
    }
)
log = logging.getLogger(__name__)

UNKNOWN_LOOK_SECONDS = 2.0
STALE_LOOK_SECONDS = 0.5
LEASE_LOOK_SECONDS = 5.0


async def apply(
    scope: Scope, gathered: Gathered, holder: HolderId, allowed: guarding.Allowed
) -> None:
    """Carry the changes out in order. Raises the verdict of the first that does not end at once."""
    for change in allowed.changes:
        with step("write", operation=change.operation.value):
            await _carry_out(scope, gathered, holder, change)
    if allowed.then is not None:
        raise allowed.then
    if allowed.changes:
        raise Waiting(Reason.PROGRESSING, "changes were made and are read back", after_seconds=0.0)


async def _carry_out(scope: Scope, gathered: Gathered, holder: HolderId, change: Change) -> None:
    runtime = gathered.runtime
    if not runtime.writes.take(scope.key, scope.priority):
        raise Parked
    async with runtime.in_flight:
        # Only now, so that no wait lies between what is compared, the fence and the send.
        if is_gated(change) or change.operation is Operation.SET_LOCATION:
            await _compare_before_write(scope, gathered, change)
        _check_declares(scope, gathered, holder)
        intent = await _open_intent(scope, gathered, holder, change)
        answer = await _send(scope, gathered, intent, change)
    log.info("%s for %s: sent", intents.describe(change), scope.key)
    runtime.writes.took(answer.requests)
    runtime.touch(change)
    undone = _undone(scope, gathered, holder, change)
    if isinstance(answer, Accepted):
        accepted = replace(intent, operation=answer.operation)
        await runtime.mirror.commit(
            Commit(intents=(accepted,), holders=undone), now=scope.engine.clock.now()
        )
        intents.watch(scope, gathered, change, answer.operation)
        raise Waiting(
            Reason.OPERATION_RUNNING,
            f"{intents.describe(change)} is under way",
            after_seconds=intents.OPERATION_LOOK_SECONDS,
        )
    if undone:
        await runtime.mirror.commit(Commit(holders=undone), now=scope.engine.clock.now())
    await intents.settle(scope, gathered, holder)


def _undone(
    scope: Scope, gathered: Gathered, holder: HolderId, change: Change
) -> tuple[HolderRow, ...]:
    """A repair that was accepted counts as one more time that others undid our write."""
    row = gathered.runtime.mirror.holders.get(holder)
    if change.cause is not Cause.DRIFT or row is None:
        return ()
    return (intents.count_undone(row, change, now=scope.engine.clock.now())[0],)


async def _compare_before_write(scope: Scope, gathered: Gathered, change: Change) -> None:
    """A gated change runs only on exactly the `from` value that a person could have reviewed, and
    an emergency location is set only on the number of whom it is for: the system names no person.
    """
    runtime = gathered.runtime
    row = configuration = None
    try:
        if change.operation is Operation.SET_POLICY:
            configuration = await runtime.read_configuration_in_flight(change.subject)
        elif change.number is not None:
            row = await runtime.read_number_in_flight(E164(change.number))
    except ProviderError as error:
        raise Failed(Reason.PROVIDER_UNAVAILABLE, str(error)) from error
    if effects.still_from(row, configuration, change):
        return
    raise Waiting(
        Reason.PLAN_STALE,
        f"{intents.describe(change)}: what it was planned on has changed; planning anew",
        after_seconds=STALE_LOOK_SECONDS,
    )


def _check_declares(scope: Scope, gathered: Gathered, holder: HolderId) -> None:
    """Whoever writes for a person still declares them: another object may have come meanwhile, and
    what a leaver's object takes away is theirs then. Raises Waiting.
    """
    row = gathered.runtime.mirror.holders.get(holder)
    owner = row.declared_by if row is not None else None
    if owner is not None and owner.uid != scope.cached.uid:
        raise Waiting(
            Reason.PLAN_STALE,
            f"{owner} declares the person now; planning anew",
            after_seconds=STALE_LOOK_SECONDS,
        )


async def _open_intent(
    scope: Scope, gathered: Gathered, holder: HolderId, change: Change
) -> Intent:
    """Committed before the send, under the fence; a gated change consumes its grant with it."""
    intended = write_ahead.Intended(
        change, holder, intents.describe(change), needs_grant=is_gated(change)
    )
    return await write_ahead.open_intent(scope, gathered.runtime, intended)


async def _send(
    scope: Scope, gathered: Gathered, intent: Intent, change: Change
) -> Done | Accepted:
    """Send once; an answer that is not a yes becomes a verdict, with the intent to match."""
    runtime = gathered.runtime
    try:
        return await runtime.provider.send(change, request_id=intent.request_id)
    except OutcomeUnknown as unknown:
        runtime.touch(change)
        raise Waiting(
            Reason.OPERATION_RUNNING,
            f"{intents.describe(change)}: no answer came; reading what is true",
            after_seconds=UNKNOWN_LOOK_SECONDS,
        ) from unknown
    except Throttled as throttled:
        await intents.abandon(scope, gathered, intent, change, "throttled")
        runtime.writes.close_for(throttled.retry_after_seconds)
        runtime.writes.take(scope.key, scope.priority)
        raise Parked from throttled
    except AuthenticationFailed as error:
        await intents.abandon(scope, gathered, intent, change, "authentication failed")
        runtime.open_breaker(str(error))
        raise Waiting(
            Reason.DEPENDENCY_NOT_READY, "the tenant refused our credentials", after_seconds=60.0
        ) from error
    except Refused as refused:
        await intents.finish(scope, gathered, intent, IntentState.REFUSED, detail=str(refused))
        raise _verdict_of(refused, change) from refused
    except ProviderError as error:
        await intents.abandon(scope, gathered, intent, change, str(error))
        raise Failed(Reason.PROVIDER_UNAVAILABLE, str(error)) from error


def _verdict_of(refused: Refused, change: Change) -> Waiting | Stalled | Failed:
    text = f"{intents.describe(change)}: {refused}"
    if refused.reason in _KNOWN_REASONS:
        return Stalled(refused.reason, text)
    if refused.refusal is RefusalClass.NOT_READY:
        return Waiting(Reason.LICENCE_PENDING, text, after_seconds=guarding.LICENCE_LOOK_SECONDS)
    if refused.refusal is RefusalClass.PERMISSION:
        return Stalled(Reason.PERMISSION_MISSING, text)
    if refused.refusal is RefusalClass.CONFLICT:
        return Failed(Reason.CONFLICT, text)
    if refused.refusal is RefusalClass.PRECONDITION:
        return Stalled(Reason.PROVIDER_REFUSED, text)
    if refused.refusal is RefusalClass.NOT_FOUND and change.operation is Operation.SET_POLICY:
        return Stalled(Reason.POLICY_NOT_FOUND, text)
    return Failed(Reason.PROVIDER_REFUSED, text)
