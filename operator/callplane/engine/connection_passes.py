"""What the pass of every connection does, whatever it connects to: read the credentials, hold the
connection in the register, bring it to work, take it from work, say how it is.

`platforms` adds what is particular to tenants and organisations, `carriers` what is particular to
carriers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from callplane.apis.carriers import Carrier
from callplane.apis.reasons import Reason
from callplane.apis.references import SecretKeyRef
from callplane.cluster import finalizers
from callplane.cluster.secret_reading import SecretFound, SecretMissing
from callplane.desired.declarations import PlatformObject
from callplane.engine import registered, restorations, secrets_in_use, write_ahead
from callplane.engine.connection_core import ConnectionCore
from callplane.engine.keyed_queue import Priority
from callplane.engine.object_cache import FORCE_DELETE
from callplane.engine.register_mirror import RegisterMirror
from callplane.engine.scope import Gone, Parked, Scope
from callplane.errors import Stalled, Waiting
from callplane.providers.protocol import AuthenticationFailed
from callplane.providers.registry import Ingredients
from callplane.status.conditions import NotKnown
from callplane.store.ports import ConnectionRow, HeldElsewhere
from callplane.values import ConnectionId, ObjectKey, Platform

SECRET_LOOK_SECONDS = 15.0
IN_USE_LOOK_SECONDS = 30.0
HELD_ELSEWHERE_LOOK_SECONDS = 30.0
REGISTER_LOOK_SECONDS = 5.0
_NAMED_BY_GUID = frozenset({Platform.TEAMS.value, Platform.WEBEX.value})

Runtime = TypeVar("Runtime", bound=ConnectionCore)


@dataclass(frozen=True, slots=True)
class Credentials:
    """Values of the Secrets that the spec names, and a fingerprint of them and of where they are
    sent.
    """

    values: Mapping[SecretKeyRef, bytes]
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Workplace(Generic[Runtime]):
    """Where connections of one sort are at work and how one is made; `system` is the external
    system of this one, `word` what messages call it.
    """

    at_work: MutableMapping[ObjectKey, Runtime]
    system: ConnectionId
    word: str
    make: Callable[[Ingredients, RegisterMirror], Runtime]


@dataclass(frozen=True, slots=True)
class Past:
    """What this process has seen of a connection before: the highest sequence of its register, and
    the one that the register went back to, from where it may have counted on since.
    """

    seen: int = 0
    went_back_to: int | None = None


async def bring_to_work(
    scope: Scope, connection: PlatformObject | Carrier, place: Workplace[Runtime]
) -> Runtime:
    """The runtime for the credentials as they are now: started where there is none, and anew where
    they changed or another installation had taken the connection.
    """
    runtime = place.at_work.get(scope.key)
    credentials = await _credentials(scope, connection, runtime)
    dropped: list[SecretKeyRef] = []
    past = Past()
    if runtime is not None:
        past = Past(
            seen=max(runtime.mirror.sequence, runtime.seen_sequence),
            went_back_to=runtime.mirror.went_back_to,
        )
        has_changed = runtime.fingerprint != credentials.fingerprint
        if has_changed:
            named = {reference.name for reference in credentials.values}
            dropped = [old for old in runtime.secrets if old.name not in named]
        if has_changed or runtime.health.lost_to:
            await stop(place.at_work, scope.key)
            runtime = None
    if runtime is None:
        runtime = await _start(scope, connection, credentials, place, past)
    if dropped:
        await secrets_in_use.free(scope, dropped)
    return runtime


async def _credentials(
    scope: Scope, connection: PlatformObject | Carrier, runtime: ConnectionCore | None
) -> Credentials:
    """Secrets are read by name. One that has gone while its connection works leaves the connection
    as it is: its token may still be valid, and a deletion may depend on it.
    """
    spec = connection.spec
    values: dict[SecretKeyRef, bytes] = {}
    stated = (spec.credentials, spec.endpoint)
    parts = [part.model_dump_json() for part in stated if part is not None]
    for reference in secrets_in_use.refs_of(connection):
        reading = await scope.engine.secrets.read(
            namespace=scope.key.namespace, name=reference.name, key=reference.key
        )
        if not isinstance(reading, SecretFound):
            if runtime is not None and not runtime.health.breaker:
                return Credentials({}, runtime.fingerprint)
            is_missing = isinstance(reading, SecretMissing)
            lacks = "does not exist" if is_missing else f"has no key {reference.key}"
            deleting = scope.cached.is_deleting
            raise Waiting(
                Reason.CREDENTIALS_GONE if deleting else Reason.SECRET_NOT_FOUND,
                f"Secret {scope.key.namespace}/{reference.name} {lacks}",
                after_seconds=SECRET_LOOK_SECONDS,
            )
        content = reading.value.reveal()
        values[reference] = content
        parts.append(hashlib.sha256(content).hexdigest())
    return Credentials(values, hashlib.sha256("|".join(parts).encode()).hexdigest())


async def _start(
    scope: Scope,
    connection: PlatformObject | Carrier,
    credentials: Credentials,
    place: Workplace[Runtime],
    past: Past,
) -> Runtime:
    engine = scope.engine
    held = await _hold(scope, place.system, word=place.word)
    mirror = RegisterMirror(
        engine.register,
        place.system,
        held.epoch,
        moved=engine.numbers_moved,
        handed=engine.number_handed,
    )
    await mirror.load()
    ingredients = Ingredients(
        spec=connection.spec,
        clock=engine.clock,
        secrets=credentials.values,
        observer=engine.called,
        token_file=engine.settings.federated_token_file or None,
        token_folders=engine.settings.token_folders,
        show_numbers=engine.settings.show_numbers,
        assigned=registered.assigned(place.system, mirror.numbers.values()),
    )
    try:
        runtime = place.make(ingredients, mirror)
    except LookupError as error:
        raise Stalled(Reason.UNSUPPORTED, f"no provider for {place.system.provider}") from error
    except AuthenticationFailed as error:
        raise Waiting(
            Reason.AUTHENTICATION_FAILED, str(error), after_seconds=SECRET_LOOK_SECONDS
        ) from error
    runtime.fingerprint = credentials.fingerprint
    runtime.secrets = tuple(credentials.values)
    back = past.went_back_to
    runtime.found_sequence = mirror.sequence if back is None else min(back, mirror.sequence)
    runtime.seen_sequence = past.seen
    runtime.known_shown = held.mirrored
    runtime.health.restored = _restored(scope, runtime, word=place.word)
    await secrets_in_use.keep(scope, credentials.values)
    place.at_work[scope.key] = runtime
    runtime.start()
    return runtime


async def _hold(scope: Scope, connection: ConnectionId, *, word: str) -> ConnectionRow:
    """Hold the connection in the register. Raises Stalled while somebody else works it."""
    engine = scope.engine
    await _check_letters(scope, connection, word=word)
    # A leader that was paused and overtaken must not take the connection back from its successor.
    write_ahead.check_fence(scope)
    held = await engine.register.hold_connection(
        connection,
        declared_by=scope.declaring,
        now=engine.clock.now(),
        stale_after_seconds=engine.settings.heartbeat_stale_seconds,
        new_epoch=True,
    )
    if not isinstance(held, HeldElsewhere):
        return held
    # Look again on our own, without a human: the other side's heartbeat may end.
    engine.queue.add_later(scope.key, Priority.RETRY, HELD_ELSEWHERE_LOOK_SECONDS)
    owner = held.row.declared_by
    is_here = owner.installation == engine.installation
    where = "this cluster" if is_here else f"installation {owner.installation}"
    raise Stalled(
        Reason.CONNECTION_HELD_ELSEWHERE,
        f"{owner} of {where} works this {word} (last seen "
        f"{held.row.heartbeat_at:%Y-%m-%d %H:%M:%S} UTC); it is taken over when that heartbeat "
        "ends, or by callplane connections take",
    )


async def _check_letters(scope: Scope, connection: ConnectionId, *, word: str) -> None:
    """A GUID in capitals is the same GUID, and to the register another system: two gates, and
    claims that nobody finds. Raises Stalled where it knows the id in other letters.
    """
    if connection.provider not in _NAMED_BY_GUID:
        return
    register, asked = scope.engine.register, connection.external_id
    worked = {row.connection.external_id for row in await register.connections()}
    for other in sorted(worked | {asked.lower(), asked.upper()}):
        if other == asked or other.lower() != asked.lower():
            continue
        state = await register.load(ConnectionId(connection.provider, other))
        if other in worked or state.numbers or state.holders:
            scope.engine.queue.add_later(scope.key, Priority.RETRY, HELD_ELSEWHERE_LOOK_SECONDS)
            raise Stalled(
                Reason.CONNECTION_HELD_ELSEWHERE,
                f"the number register knows this {word} as {other}, in other letters; state its id "
                "so, or it would be another one there",
            )


def _restored(scope: Scope, runtime: ConnectionCore, *, word: str) -> str:
    """Why nothing is written: register or cluster is older than what they said to each other. Empty
    when neither is.
    """
    return restorations.problem(
        scope,
        found=runtime.found_sequence,
        seen=runtime.seen_sequence,
        known_shown=runtime.known_shown,
        what=word,
    )


def is_forced(scope: Scope) -> bool:
    """Did a person say that this object goes, whatever depends on it?"""
    return scope.cached.annotations.get(FORCE_DELETE) == scope.cached.uid


async def stop(at_work: MutableMapping[ObjectKey, Runtime], key: ObjectKey) -> None:
    """Take a connection from work, where it is at work."""
    runtime = at_work.pop(key, None)
    if runtime is not None:
        await runtime.stop()


async def let_go(
    scope: Scope,
    at_work: MutableMapping[ObjectKey, Runtime],
    row: ConnectionRow | None = None,
) -> None:
    """The object goes: from work, out of the register, off its Secrets. `row` is what the register
    has where nothing is at work. Raises Gone.
    """
    runtime = at_work.get(scope.key)
    if runtime is not None:
        epoch = runtime.mirror.epoch
        await stop(at_work, scope.key)
        await scope.engine.register.release_connection(runtime.connection, epoch=epoch)
    elif row is not None:
        # A leader that was overtaken must not let go of what its successor works.
        write_ahead.check_fence(scope)
        await scope.engine.register.release_connection(row.connection, epoch=row.epoch)
    await secrets_in_use.free(scope, secrets_in_use.refs_of(scope.cached.resource))
    await finalizers.remove(
        scope.engine.objects, scope.engine.kind(scope.key.kind), body=scope.cached.body
    )
    raise Gone


def how_it_is(scope: Scope, runtime: ConnectionCore, *, word: str) -> NotKnown | None:
    """None where all is well. Raises Waiting or Stalled where the connection is not at work, Parked
    where that is no news.
    """
    health = runtime.health
    if health.breaker:
        raise Waiting(
            Reason.AUTHENTICATION_FAILED, health.breaker, after_seconds=SECRET_LOOK_SECONDS
        )
    if health.restored:
        health.restored = _restored(scope, runtime, word=word)
        if not health.restored:
            # Confirmed: the next pass shows where the register is now.
            scope.engine.queue.add(scope.key, Priority.DEPENDENCY)
            # A person has looked: the register counts from here on.
            runtime.seen_sequence = 0
    if health.restored:
        raise Stalled(Reason.REGISTER_RESTORED, health.restored)
    if health.register_problem:
        raise Waiting(
            Reason.REGISTER_UNAVAILABLE,
            f"the number register does not answer: {health.register_problem}",
            after_seconds=REGISTER_LOOK_SECONDS,
        )
    if not runtime.is_observed:
        if not health.listing_problem and _said_ready(scope):
            # A restart is no news; the end of the first listing brings this object back.
            raise Parked
        problem = f": {health.listing_problem}" if health.listing_problem else ""
        raise Waiting(
            Reason.SNAPSHOT_PENDING,
            f"the first listing is not complete yet{problem}",
            after_seconds=SECRET_LOOK_SECONDS,
        )
    if health.listing_problem:
        return NotKnown(health.listing_problem, is_long=runtime.is_stale_long)
    return None


def _said_ready(scope: Scope) -> bool:
    generation = scope.cached.status.get("observedGeneration")
    return scope.cached.ready == "True" and generation == scope.cached.generation
