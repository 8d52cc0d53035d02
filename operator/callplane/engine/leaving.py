"""The pass of a person whose object is being deleted. It needs the register row and the connection,
never references.

the row names another object        only our finalizer goes
suspended, observed, or Detach      the claim stays, without a declaring object; nothing is written
else                                unassign through the gate; quarantine; the finalizer goes when a
read shows it
"""

from __future__ import annotations

from dataclasses import replace

from callplane.apis.reasons import Reason
from callplane.apis.references import ManagementPolicy
from callplane.apis.teams_users import OnDelete
from callplane.cluster import finalizers
from callplane.desired.declarations import (
    PLATFORM_KINDS,
    connection_key,
    connection_of,
    is_line,
    is_person,
    is_platform,
    person_key,
    system_of,
)
from callplane.engine import guarding, holders, intents, leftovers, write_ahead, writing
from callplane.engine.connections import ConnectionRuntime
from callplane.engine.gathering import Gathered, may_write
from callplane.engine.keyed_queue import Priority
from callplane.engine.object_cache import DETACH, CachedObject
from callplane.engine.scope import Gone, Scope
from callplane.errors import Failed, Waiting
from callplane.numbering.lifecycle import HELD, Cause
from callplane.plan.change import Cause as ChangeCause
from callplane.plan.change import Change, Operation
from callplane.providers.protocol import ProviderError
from callplane.status.conditions import Succeeded
from callplane.store.ports import Commit, HolderRow, NumberRow
from callplane.values import ObjectKey

CREDENTIALS_LOOK_SECONDS = 60.0
CONNECTION_LOOK_SECONDS = 0.5


async def run(scope: Scope) -> Succeeded:
    """Let the object go. Raises Gone when its finalizer is off."""
    if not finalizers.has_finalizer(scope.cached.body, finalizers.PROVIDER_CLEANUP):
        raise Gone
    runtime, row = find(scope)
    if runtime is None:
        await without_connection(scope)
    if runtime is None or row is None:
        if runtime is not None:
            # Another object has taken the person over: nobody wants any more what this one had
            # proposed, and a row that stays would be held and approved for nothing.
            await runtime.gate.withdraw(scope.key)
        await let_go(scope)
        raise Gone
    successor = successor_of(scope, runtime, row)
    if successor is not None and await _still_names(runtime, row, successor):
        await hand_over(scope, runtime, row, successor)
        scope.engine.queue.add(successor.key, Priority.DEPENDENCY)
        await let_go(scope)
        raise Gone
    gathered = ready(scope, runtime)
    if gathered is None or detaches(scope, gathered):
        await detach(scope, runtime, row)
        await let_go(scope)
        raise Gone
    await intents.settle(scope, gathered, row.holder)
    await _give_up_number(scope, gathered, row)
    await forget_holder(scope, runtime, row)
    await let_go(scope)
    raise Gone


def find(scope: Scope) -> tuple[ConnectionRuntime | None, HolderRow | None]:
    """The connection whose register says that this object declares somebody."""
    for runtime in scope.engine.connections.values():
        row = runtime.mirror.holder_declared_by(scope.cached.uid)
        if row is not None:
            return runtime, row
    user = scope.cached.resource
    if is_line(user):
        key = connection_key(user, namespace=scope.key.namespace)
        return scope.engine.connections.get(key), None
    return None, None


async def without_connection(scope: Scope) -> None:
    """No connection is at work: only a detach, or a tenant that never was, lets it go."""
    if scope.cached.annotations.get(DETACH):
        return
    user = scope.cached.resource
    kind = "connection"
    if is_line(user):
        kind, _ = connection_of(user)
        key = connection_key(user, namespace=scope.key.namespace)
        status = scope.cached.status
        was_resolved = any(status.get(name) for name in ("userId", "personId", "holderId"))
        if scope.engine.cache.get(key) is None and not was_resolved:
            return
    raise Waiting(
        Reason.CREDENTIALS_GONE,
        f"the {kind} is not at work, so the number cannot be unassigned; bring it back, or "
        f'detach with annotation {DETACH}: "<reason>"',
        after_seconds=CREDENTIALS_LOOK_SECONDS,
    )


def successor_of(scope: Scope, runtime: ConnectionRuntime, row: HolderRow) -> CachedObject | None:
    """A live object that declares the same person: a rename or a move, not a leaver."""
    person = runtime.snapshot.person(row.holder.user_id)
    names = {row.holder.user_id, row.user_name}
    if person is not None:
        names.add(person.user_principal_name)
    for name in sorted(names):
        named = runtime.snapshot.person_by_name(name)
        if named is not None and named.user_id != row.holder.user_id:
            continue
        for key in _names_of(scope, runtime):
            for other in scope.engine.cache.declaring(key, name):
                if other.uid != scope.cached.uid and not other.is_deleting:
                    return other
    return None


def _names_of(scope: Scope, runtime: ConnectionRuntime) -> list[ObjectKey]:
    """The objects that stand for the connection's system: its own, and one that takes its place
    under another name.
    """
    others = (
        cached.key
        for kind in PLATFORM_KINDS
        for cached in scope.engine.cache.of_kind(kind)
        if is_platform(cached.resource)
        and not cached.is_deleting
        and system_of(cached.resource) == runtime.connection
    )
    return list(dict.fromkeys((runtime.key, *others)))


def is_there(scope: Scope, runtime: ConnectionRuntime, cached: CachedObject) -> bool:
    """Does the object name the connection, under whichever name?"""
    if not is_line(cached.resource):
        return False
    key = connection_key(cached.resource, namespace=cached.key.namespace)
    return key in _names_of(scope, runtime)


async def _still_names(runtime: ConnectionRuntime, row: HolderRow, successor: CachedObject) -> bool:
    """Does the successor mean this very person? A leaver's name may be somebody else's by now, and
    then nobody would be left to take the leaver's number away.
    """
    user = successor.resource
    if not is_person(user):
        return False
    try:
        person = await runtime.read_person(person_key(user))
    except ProviderError as error:
        raise Failed(Reason.PROVIDER_UNAVAILABLE, str(error)) from error
    return person is not None and person.user_id == row.holder.user_id


def ready(scope: Scope, runtime: ConnectionRuntime) -> Gathered | None:
    """What the write path needs; None when the connection's own object is gone."""
    cached = scope.engine.cache.get(runtime.key)
    if cached is None or not is_platform(cached.resource):
        return None
    if not runtime.is_ready or runtime.health.restored:
        raise Waiting(
            Reason.DEPENDENCY_NOT_READY,
            f"{runtime.key} is not ready; the number is unassigned when it is",
            after_seconds=CREDENTIALS_LOOK_SECONDS,
        )
    return Gathered(cached.resource, runtime, None)


def detaches(scope: Scope, gathered: Gathered) -> bool:
    user = scope.cached.resource
    if not is_line(user) or scope.cached.annotations.get(DETACH):
        return True
    if scope.key in gathered.runtime.detach_answers or _connection_detaches(scope, gathered):
        return True
    return user.spec.on_delete is OnDelete.DETACH or not may_write(scope, user, gathered)


def _connection_detaches(scope: Scope, gathered: Gathered) -> bool:
    """The connection's own annotation lets all go: the answer where no ChangeApproval can be made,
    in a namespace that is itself being deleted.
    """
    cached = scope.engine.cache.get(gathered.runtime.key)
    return cached is not None and bool(cached.annotations.get(DETACH))


async def _give_up_number(scope: Scope, gathered: Gathered, row: HolderRow) -> None:
    """Unassign through the gate; a claim that was never sent is simply given up."""
    runtime = gathered.runtime
    for number_row in runtime.mirror.rows_of(row.holder):
        if number_row.holder != row.holder or number_row.state not in HELD:
            continue
        if await leftovers.settle_row(scope, gathered, number_row):
            continue
        change = unassignment(runtime, row, number_row)
        guarding.check_managed_elsewhere(gathered, (change,))
        guarding.check_incident(scope, gathered, (change,))
        await guarding.pass_gate(scope, gathered, (change,))
        await writing.apply(scope, gathered, row.holder, guarding.Allowed((change,)))


def unassignment(runtime: ConnectionRuntime, row: HolderRow, number_row: NumberRow) -> Change:
    return Change(
        connection=runtime.connection,
        operation=Operation.UNASSIGN_NUMBER,
        platform=row.holder.platform,
        subject=row.holder.user_id,
        before={"number": number_row.number.text, "type": number_row.number_type},
        after=None,
        cause=ChangeCause.DECLARED,
    )


async def detach(scope: Scope, runtime: ConnectionRuntime, row: HolderRow) -> None:
    """Claims stay without a declaring object; re-applying the same holder adopts them."""
    moves = tuple(
        holders.same_state(
            number_row,
            cause=Cause.DETACH,
            declared_by=None,
            reason=scope.cached.annotations.get(DETACH, ""),
        )
        for number_row in runtime.mirror.rows_of(row.holder)
        if number_row.holder == row.holder
        and number_row.declared_by is not None
        and number_row.state in HELD
    )
    await runtime.mirror.commit(
        Commit(moves=moves, holders=(replace(row, declared_by=None),)),
        now=scope.engine.clock.now(),
    )
    runtime.detach_answers.discard(scope.key)
    await runtime.gate.withdraw(scope.key)


async def hand_over(
    scope: Scope, runtime: ConnectionRuntime, row: HolderRow, successor: CachedObject
) -> None:
    """Leave the holder and their numbers to the object that now declares them.

    It carries our finalizer before it has them: its own pass may be held up for days, and it may be
    deleted before that, and then somebody must still take the numbers away. An object that is only
    observed is never given any.
    """
    user = successor.resource
    if not is_line(user) or user.spec.suspend:
        return await detach(scope, runtime, row)
    if user.spec.management_policy is not ManagementPolicy.MANAGE:
        return await detach(scope, runtime, row)
    engine = scope.engine
    body = await finalizers.add(
        engine.objects, engine.kind(successor.key.kind), body=successor.body
    )
    if body is None or not finalizers.has_finalizer(body, finalizers.PROVIDER_CLEANUP):
        raise Waiting(
            Reason.PROGRESSING,
            f"{successor.key}, which declares the same person, is going too",
            after_seconds=CONNECTION_LOOK_SECONDS,
        )
    engine.offer(successor.key, body)
    theirs = replace(
        scope.declaring,
        namespace=successor.key.namespace,
        name=successor.key.name,
        uid=successor.uid,
    )
    moves = tuple(
        holders.same_state(number_row, cause=Cause.TAKE_OVER, declared_by=theirs)
        for number_row in runtime.mirror.rows_of(row.holder)
        if number_row.holder == row.holder and number_row.state in HELD
    )
    await runtime.mirror.commit(
        Commit(moves=moves, holders=(replace(row, declared_by=theirs),)), now=engine.clock.now()
    )
    return await runtime.gate.withdraw(scope.key)


async def forget_holder(scope: Scope, runtime: ConnectionRuntime, row: HolderRow) -> None:
    await runtime.gate.withdraw(scope.key)
    await runtime.mirror.commit(Commit(dropped_holders=(row.holder,)), now=scope.engine.clock.now())


async def let_go(scope: Scope) -> None:
    write_ahead.check_fence(scope)
    body = await finalizers.remove(
        scope.engine.objects, scope.engine.kind(scope.key.kind), body=scope.cached.body
    )
    if body is not None:
        scope.engine.offer(scope.key, body)
    for key in scope.engine.connections:
        connection = scope.engine.cache.get(key)
        if connection is not None and connection.is_deleting:
            # It waits for the last claim; many objects that go at once wake it once.
            scope.engine.queue.add_later(key, Priority.DEPENDENCY, CONNECTION_LOOK_SECONDS)
