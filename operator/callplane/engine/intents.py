"""Our own writes that have not been seen to end: each is settled before anything new is planned.

An intent is committed before its request is sent. Whatever happens after that (an answer lost, a
process killed), the next pass finds it and asks the system what is true, and never sends on a
guess.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from callplane.apis.reasons import Reason
from callplane.engine import carrier_changes, evidence, transfers
from callplane.engine.gathering import Gathered
from callplane.engine.holders import parse_setting, to_json
from callplane.engine.keyed_queue import Priority
from callplane.engine.object_cache import CachedObject
from callplane.engine.scope import Scope
from callplane.errors import Failed, Stalled, Waiting
from callplane.numbering.lifecycle import HELD, Cause, NumberState
from callplane.plan.change import Change, Operation
from callplane.providers.protocol import OperationState, OperationStatus, ProviderError
from callplane.resources.lines import LOCATION, NUMBER, PolicyOnLine, policy_setting
from callplane.store.ports import Commit, HolderRow, Intent, IntentState, Move, NumberRow
from callplane.values import E164, HolderId, ObjectKey, Platform

READ_BACK_PAUSE_SECONDS = 0.5
READ_BACK_DEADLINE_SECONDS = 120.0
OPERATION_LOOK_SECONDS = 60.0
DEFAULT_QUARANTINE_DAYS = 90


async def settle(scope: Scope, gathered: Gathered, holder: HolderId) -> None:
    """Settle every open intent of a holder. Raises Waiting while one runs, Failed if one did."""
    for intent in gathered.runtime.mirror.open_intents(holder):
        await _settle_one(scope, gathered, intent)


async def _settle_one(scope: Scope, gathered: Gathered, intent: Intent) -> None:
    change = Change.from_json(intent.change)
    runtime = gathered.runtime
    ended: OperationStatus | None = None
    if intent.operation:
        ended = runtime.operations.take_ended(intent.operation)
        if ended is None:
            watch(scope, gathered, change, intent.operation)
            raise Waiting(
                Reason.OPERATION_RUNNING,
                f"{describe(change)} is under way",
                after_seconds=OPERATION_LOOK_SECONDS,
            )
        if ended.state is OperationState.FAILED:
            await finish(scope, gathered, intent, IntentState.REFUSED, detail=ended.detail)
            if (change.after or {}).get("use") == "service":
                raise Stalled(
                    Reason.UNSUPPORTED,
                    f"{describe(change)}: {ended.detail}; by hand: assign the number where the "
                    "service is administered, Ready follows by itself",
                )
            raise Failed(Reason.PROVIDER_REFUSED, f"{describe(change)}: {ended.detail}")
    try:
        visible = await evidence.shows_effect(runtime, change)
    except ProviderError as error:
        if ended is not None:
            runtime.operations.put_back(intent.operation, ended)
        raise Failed(Reason.PROVIDER_UNAVAILABLE, f"read-back failed: {error}") from error
    if visible:
        await confirm(scope, gathered, intent, change)
        return
    if _may_still_appear(scope, intent, ended):
        if ended is not None:
            runtime.operations.put_back(intent.operation, ended)
        raise Waiting(
            Reason.OPERATION_RUNNING,
            f"{describe(change)} was sent and is not seen yet",
            after_seconds=max(
                runtime.provider.capabilities.read_after_write_lag_seconds, READ_BACK_PAUSE_SECONDS
            ),
        )
    await abandon(scope, gathered, intent, change, "never seen to take effect")


def _may_still_appear(scope: Scope, intent: Intent, ended: OperationStatus | None) -> bool:
    """A good order may lag for a while; a request without an answer may still take effect."""
    settings = scope.engine.settings
    seconds = settings.unknown_outcome_seconds
    if ended is not None and ended.state is OperationState.SUCCEEDED:
        seconds = READ_BACK_DEADLINE_SECONDS
    if intent.epoch < scope_epoch(scope, intent):
        # Sent by an earlier leader: its write may have left just before it lost the Lease.
        seconds = max(seconds, settings.lease_seconds + settings.write_timeout_seconds)
    return scope.engine.clock.now() < intent.sent_at + timedelta(seconds=seconds)


def scope_epoch(scope: Scope, intent: Intent) -> int:
    for runtime in scope.engine.connections.values():
        if runtime.connection == intent.connection:
            return runtime.mirror.epoch
    return intent.epoch


def watch(scope: Scope, gathered: Gathered, change: Change, token: str) -> None:
    """Have the order watched; its end brings this object back."""
    number = change.number
    expected = change.subject if change.operation is Operation.ASSIGN_NUMBER else None
    gathered.runtime.operations.watch(
        token,
        scope.key,
        number=E164(number) if number is not None else None,
        expected_holder=expected,
    )


async def abandon(
    scope: Scope, gathered: Gathered, intent: Intent, change: Change, detail: str
) -> None:
    """The write did nothing: the intent ends, and a grant that it consumed comes back."""
    done = replace(intent, state=IntentState.ABANDONED, detail=detail)
    await gathered.runtime.mirror.commit(
        Commit(intents=(done,), gate_rows=gathered.runtime.gate.restored(change)),
        now=scope.engine.clock.now(),
    )


async def finish(
    scope: Scope, gathered: Gathered, intent: Intent, state: IntentState, *, detail: str = ""
) -> None:
    """Close an intent that changed nothing; a grant that it consumed comes back."""
    done = replace(intent, state=state, detail=detail)
    restored = gathered.runtime.gate.restored(Change.from_json(intent.change))
    await gathered.runtime.mirror.commit(
        Commit(intents=(done,), gate_rows=restored), now=scope.engine.clock.now()
    )


async def confirm(scope: Scope, gathered: Gathered, intent: Intent, change: Change) -> None:
    """A read shows the effect: move the number, remember what was applied, close the intent."""
    mirror = gathered.runtime.mirror
    moves, receiver = _moves_of(scope, gathered, intent, change)
    done = replace(intent, state=IntentState.CONFIRMED)
    holder = mirror.holders.get(intent.holder)
    holders = (_applied(holder, change),) if holder is not None else ()
    await mirror.commit(
        Commit(moves=moves, holders=holders, intents=(done,)), now=scope.engine.clock.now()
    )
    if receiver is not None:
        scope.engine.queue.add(receiver, Priority.USER)


def _moves_of(
    scope: Scope, gathered: Gathered, intent: Intent, change: Change
) -> tuple[tuple[Move, ...], ObjectKey | None]:
    """What a number change that took effect means for the number's row, and who gets it now."""
    number = E164(change.number) if change.number is not None else None
    row = gathered.runtime.mirror.numbers.get(number) if number is not None else None
    if row is None or row.holder != intent.holder:
        return (), None
    if change.operation is Operation.ASSIGN_NUMBER and row.state is NumberState.CLAIMED:
        move = Move(
            number=row.number,
            expected=row.state,
            to=NumberState.ASSIGNED,
            cause=Cause.CONFIRM,
            expected_holder=row.holder,
            holder=row.holder,
            declared_by=row.declared_by,
            range_name=row.range_name,
            number_type=row.number_type,
        )
        return (move,), None
    if change.operation is Operation.UNASSIGN_NUMBER and row.state in HELD:
        days = quarantine_days(scope, row)
        move, receiver = transfers.after_unassign(scope, gathered, row, quarantine_days=days)
        return (move,), receiver
    return (), None


def quarantine_days(scope: Scope, row: NumberRow) -> int:
    """Days of rest as the range or number says, or the one that has taken its place; the default
    when there is none. The register calls a range and a PhoneNumber of one name the same: then the
    latter counts for its own number only.
    """
    namespace, _, name = row.range_name.partition("/")
    found: list[Any] = []
    for kind in ("NumberRange", "PhoneNumber"):
        cached: CachedObject | None = scope.engine.cache.get(ObjectKey(kind, namespace, name))
        spec: Any = getattr(cached.resource, "spec", None) if cached is not None else None
        if spec is not None:
            found.append(spec)
    if not found:
        others = scope.engine.cache.holding(row.number)
        found = [getattr(each.resource, "spec", None) for each in others]
        found = [spec for spec in found if spec is not None]
    own = [spec for spec in found if getattr(spec, "e164", None) == row.number.text]
    chosen = next(iter(own or found), None)
    return int(chosen.quarantine.days) if chosen is not None else DEFAULT_QUARANTINE_DAYS


def _applied(row: HolderRow, change: Change) -> HolderRow:
    """What the change leaves behind, per setting."""
    applied: dict[str, Any] = dict(row.applied)
    after = dict(change.after or {})
    if change.operation is Operation.ASSIGN_NUMBER:
        applied[str(NUMBER)] = {"number": after["number"], "type": after["type"]}
        if "location" in after:
            applied[str(LOCATION)] = after["location"]
    elif change.operation is Operation.UNASSIGN_NUMBER:
        applied[str(NUMBER)] = None
        applied.pop(str(LOCATION), None)
    elif change.operation is Operation.SET_LOCATION:
        applied[str(LOCATION)] = after.get("location") or None
    else:
        name = after.get("name", "")
        setting = policy_setting(after.get("type", ""))
        applied[str(setting)] = to_json(PolicyOnLine(name) if name else None)
    return replace(row, applied=applied)


def count_undone(row: HolderRow, change: Change, *, now: datetime) -> tuple[HolderRow, int]:
    """The row with one more undone write of the setting, and how many 24 hours have seen."""
    name = setting_name(change)
    since = now - timedelta(hours=24)
    recent = [at for at in row.undone.get(name, ()) if datetime.fromisoformat(at) > since]
    undone = {**row.undone, name: [*recent, now.isoformat()]}
    return replace(row, undone=undone), len(recent) + 1


def setting_name(change: Change) -> str:
    """The setting a change is about, as the register names it."""
    if change.platform is Platform.CARRIER:
        return carrier_changes.setting_name(change)
    if change.operation is Operation.SET_POLICY:
        fields = change.after or change.before or {}
        return str(policy_setting(fields.get("type", "")))
    if change.operation is Operation.SET_LOCATION:
        return str(LOCATION)
    return str(parse_setting(str(NUMBER)))


def describe(change: Change) -> str:
    """A change in words for status, with the number masked."""
    if change.platform is Platform.CARRIER:
        return carrier_changes.describe(change)
    after, before = change.after or {}, change.before or {}
    if change.operation is Operation.CREATE_PERSON:
        return f"creating {change.subject}"
    if change.operation is Operation.ASSIGN_NUMBER:
        return f"assigning {E164(after['number']).masked}"
    if change.operation is Operation.UNASSIGN_NUMBER:
        return f"unassigning {E164(before['number']).masked}"
    if change.operation is Operation.SET_LOCATION:
        return "setting the emergency location"
    return (
        f"setting {after.get('type') or before.get('type')} to {after.get('name') or 'the default'}"
    )
