"""The engine: everything a pass stands on, the workers that run passes, and the intake of events.

It knows nothing of Kopf. The controller feeds it bodies and tells it when the start barrier has
passed; tests feed it the same way.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from callplane.apis import registry
from callplane.apis.change_approvals import ChangeApproval
from callplane.apis.provider_incidents import ProviderIncident
from callplane.billing.active_users import TeamsIdentity
from callplane.clock import Clock
from callplane.cluster.namespaces import namespace_labels
from callplane.cluster.ports import EventSink, ObjectStore, SecretReader, WriteFence
from callplane.cluster.resource_kinds import ResourceKind, callplane_kind
from callplane.desired.account_months import NumbersOnTheirWay
from callplane.engine import change_approvals, pass_traces, provider_incidents
from callplane.engine.account_keeping import AccountKeeping, KeepingTimes
from callplane.engine.account_notices import AccountBooks
from callplane.engine.call_lines import CallSurroundings, owner_of
from callplane.engine.call_projection import CallProjection
from callplane.engine.carrier_connections import CarrierRuntime
from callplane.engine.connection_core import ConnectionCore
from callplane.engine.connections import ConnectionRuntime
from callplane.engine.keyed_queue import KeyedQueue, Priority, Taken
from callplane.engine.object_cache import Arrival, CachedObject, ObjectCache
from callplane.engine.progress import UnreportedProgress
from callplane.engine.reconcile import reconcile
from callplane.engine.waiters import NumberWaiters
from callplane.numbering.lifecycle import NumberState
from callplane.plan.change import Operation
from callplane.providers.carrier_protocol import CarrierProvider
from callplane.providers.protocol import Provider
from callplane.providers.registry import CarrierRegistry, Ingredients
from callplane.providers.transport import CallRecord
from callplane.resources.lines import NumberType
from callplane.resources.platforms import LicenceState
from callplane.settings import OperatorSettings
from callplane.store.call_tables import CallTables
from callplane.store.call_tables_memory import MemoryCallTables
from callplane.store.deck_ports import DeckHeader, Decks
from callplane.store.ports import Move, NumberRow, Register
from callplane.telemetry import Telemetry
from callplane.tracing import NO_TRACES, Traces, current
from callplane.values import E164, ConnectionId, HolderId, ObjectKey, Platform

log = logging.getLogger(__name__)

RECOUNT_SECONDS = 5.0
# New objects beyond so many at one time are a mass change, not somebody who waits for an answer.
FLOOD = 50

ProviderFactory = Callable[[str, Ingredients], Provider]
CarrierFactory = Callable[[str, Ingredients], CarrierProvider]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the engine is given: the cluster, the register, the providers, time and chance."""

    clock: Clock
    objects: ObjectStore
    secrets: SecretReader
    events: EventSink
    fence: WriteFence
    register: Register
    provider_factory: ProviderFactory
    installation: str
    telemetry: Telemetry
    chance: random.Random
    carrier_factory: CarrierFactory = field(default_factory=lambda: CarrierRegistry().create)
    calls: CallTables = field(default_factory=MemoryCallTables)
    decks: Decks | None = None
    #: What is kept for accounts; None where nobody is charged for calls.
    accounts: AccountBooks | None = None
    traces: Traces = NO_TRACES


class Engine:
    """One operator's engine; all of it lives in one event loop."""

    def __init__(self, surroundings: Surroundings, settings: OperatorSettings) -> None:
        self.settings = settings
        self.clock = clock = surroundings.clock
        self.objects = surroundings.objects
        self.secrets = surroundings.secrets
        self.events = surroundings.events
        self.fence = surroundings.fence
        self.register = surroundings.register
        self.provider_factory = surroundings.provider_factory
        self.carrier_factory = surroundings.carrier_factory
        self._decks = surroundings.decks
        self.installation = surroundings.installation
        self.telemetry = surroundings.telemetry
        self.traces = surroundings.traces
        self.accounts = surroundings.accounts
        # What is said of PBXs that are called through by more people than are declared.
        self.fair_use: dict[ObjectKey, str] = {}
        self.chance = chance = surroundings.chance
        self.queue = KeyedQueue(clock.monotonic, chance)
        self.cache = ObjectCache()
        self.connections: dict[ObjectKey, ConnectionRuntime] = {}
        self.carriers: dict[ObjectKey, CarrierRuntime] = {}
        # How many numbers a range has lost in a month, and when that was asked.
        self.drains: dict[ObjectKey, tuple[float, int]] = {}
        self.namespace_labels: dict[str, dict[str, str]] = {}
        self.waiters = NumberWaiters(self.cache, self.queue)
        self.progress = UnreportedProgress(clock.monotonic)
        self.calls = CallProjection(
            surroundings.calls, self.installation, clock, CallSurroundings(self)
        )
        self.barrier_passed = False
        self.last_pass_at = clock.monotonic()
        self._workers: list[asyncio.Task[None]] = []

    # Intake

    def heard(self, key: ObjectKey, body: dict[str, Any], *, is_gone: bool) -> None:
        """What the watch says of an object."""
        with pass_traces.heard(self.traces, key, body):
            if is_gone:
                self.withdraw(key)
            else:
                self.offer(key, body)

    def offer(self, key: ObjectKey, body: dict[str, Any]) -> None:
        """A body as the watch or a listing gave it, or as our own write was answered."""
        metadata = body["metadata"]
        if metadata.get("deletionTimestamp") and not metadata.get("finalizers"):
            # The last thing that is ever told of an object: the server has let it go.
            known = self.cache.get(key)
            if known is not None and known.uid == metadata["uid"]:
                self.withdraw(key)
            return
        arrival, woken = self.cache.put(key, body)
        if arrival is Arrival.USER:
            self.queue.add(key, Priority.USER)
        elif arrival is Arrival.FIRST:
            fresh = body.get("status", {}).get("observedGeneration") != body["metadata"].get(
                "generation"
            )
            deleting = body["metadata"].get("deletionTimestamp") is not None
            urgent = self.barrier_passed and (fresh or deleting) and not self._is_flooded()
            self.queue.add(key, Priority.USER if urgent else Priority.INITIAL)
        if woken:
            self.wake_dependents(key)

    def _is_flooded(self) -> bool:
        """Do so many wait that one more new object would stand in the way of an edit?"""
        return self.queue.waiting(Priority.USER) >= FLOOD

    def withdraw(self, key: ObjectKey) -> None:
        """The object is gone from the API server."""
        last = self.cache.get(key)
        if self.cache.remove(key):
            resource = last.resource if last is not None else None
            if isinstance(resource, ProviderIncident):
                provider_incidents.gone(self, resource)
            elif isinstance(resource, ChangeApproval):
                change_approvals.gone(self, resource)
            self.calls.gone(owner_of(key))
            self.calls.gone(f"{owner_of(key)}#phone")
            self.waiters.begin(key)
            self.wake_dependents(key)
            self.queue.add(key, Priority.USER)

    def wake_dependents(self, key: ObjectKey) -> None:
        """Those who name the object; for a range or number also those who state one of it."""
        for dependent in self.cache.dependents(key):
            self.queue.add(dependent, Priority.DEPENDENCY)
        if key.kind in ("NumberRange", "PhoneNumber"):
            for stating in self.cache.stating_numbers():
                self.queue.add(stating, Priority.DEPENDENCY)
            for cached in self.cache.of_kind("NumberRange"):
                # One that was refused for its neighbour may be valid now, and the reverse.
                if cached.key != key:
                    self.queue.add(cached.key, Priority.DEPENDENCY)
        self.waiters.wake_for(key)

    def numbers_moved(self, moves: Sequence[Move]) -> None:
        """Numbers have moved: wake who waits for them, and count their ranges again soon, many
        moves together.
        """
        for range_name in {move.range_name for move in moves if move.range_name}:
            namespace, _, name = range_name.partition("/")
            for kind in ("NumberRange", "PhoneNumber"):
                key = ObjectKey(kind, namespace, name)
                if self.cache.get(key) is not None:
                    self.queue.add_later(key, Priority.DRIFT, RECOUNT_SECONDS)
        self.waiters.moved(moves)

    # Look-ups that passes share

    def at_work(self, key: ObjectKey) -> ConnectionCore | None:
        """What runs for a connection, whatever it connects to."""
        return self.connections.get(key) or self.carriers.get(key)

    def all_at_work(self) -> list[ConnectionCore]:
        """Everything that runs for a connection."""
        return [*self.connections.values(), *self.carriers.values()]

    def kind(self, name: str) -> ResourceKind:
        return callplane_kind(registry.kind_named(name).plural)

    def holder_on(self, connection: ConnectionId, user_id: str) -> HolderId:
        return HolderId(Platform(connection.provider), connection.external_id, user_id)

    def runtime_on(self, connection: ConnectionId) -> ConnectionRuntime | None:
        """What works a connection in this process."""
        for runtime in self.connections.values():
            if runtime.connection == connection:
                return runtime
        return None

    def row_elsewhere(self, number: E164, here: ConnectionRuntime) -> NumberRow | None:
        """The register's row of a number that another connection of this process has."""
        for runtime in self.connections.values():
            row = runtime.mirror.numbers.get(number) if runtime is not here else None
            if row is not None:
                return row
        return None

    def answer_stands(self, connection: ObjectKey, answer: str) -> bool:
        """Does any object still give this answer to the connection? Until everything is listed,
        nobody can tell that none does.
        """
        return not self.barrier_passed or change_approvals.is_given(self, connection, answer)

    async def deck(self, digest: str) -> DeckHeader | None:
        """What is known of an imported deck of prices; None for one that is not there."""
        return None if self._decks is None else await asyncio.to_thread(self._decks.find, digest)

    def number_handed(self, row: NumberRow) -> None:
        """A number went over to another connection: who works that one hears of it at once."""
        runtime = self.runtime_on(row.connection)
        if runtime is not None:
            runtime.mirror.take(row)

    async def labels_of(self, namespace: str) -> dict[str, str]:
        """Labels of a namespace, read once and then kept by its events."""
        if namespace not in self.namespace_labels:
            found = await namespace_labels(self.objects, namespace)
            self.namespace_labels[namespace] = found or {}
        return self.namespace_labels[namespace]

    def namespace_seen(self, namespace: str, labels: dict[str, str]) -> None:
        """A namespace as its watch gave it; consent may hang on its labels."""
        known = self.namespace_labels.get(namespace)
        self.namespace_labels[namespace] = labels
        if known is None or known == labels:
            return
        for key in self.cache.known():
            if key.namespace == namespace:
                self.queue.add(key, Priority.DEPENDENCY)

    def called(self, call: CallRecord) -> None:
        """A provider has made a call."""
        self.telemetry.called(call.provider, call.operation, call.outcome, call.seconds)
        pass_traces.called(call)

    def live(self, uid: str) -> CachedObject | None:
        """The object of that UID, unless it is gone or being deleted."""
        cached = self.cache.by_uid(uid)
        return None if cached is None or cached.is_deleting else cached

    # Work

    def start(self) -> None:
        """Start the workers: only after every kind is listed, and with the Lease."""
        self.barrier_passed = True
        for number in range(self.settings.workers):
            task = asyncio.create_task(self._work(), name=f"worker:{number}")
            self._workers.append(task)
        self._workers.append(asyncio.create_task(self.calls.run(), name="calls"))
        if self.accounts is not None:
            keeping = AccountKeeping(
                self.accounts,
                cache=self.cache,
                secrets=self.secrets,
                events=self.events,
                clock=self.clock,
                telemetry=self.telemetry,
                times=KeepingTimes(redact_days=self.settings.redact_days),
                standing=self._standing,
                decks=self._decks,
                on_their_way=self._on_their_way,
                exceeded=self.say_fair_use,
            )
            self._workers.append(asyncio.create_task(keeping.run(), name="accounts"))

    def say_fair_use(self, found: Mapping[ObjectKey, str]) -> None:
        """PBXs from which more people call than are declared, by object: their passes say so."""
        for key in found.keys() | self.fair_use.keys():
            if found.get(key) != self.fair_use.get(key):
                self.queue.add(key, Priority.DEPENDENCY)
        self.fair_use = dict(found)

    def _on_their_way(self) -> NumbersOnTheirWay:
        """Numbers at carriers that are not ours to use yet."""
        rows = [row for each in self.carriers.values() for row in each.mirror.numbers.values()]
        ordering = {row.number for row in rows if row.state is NumberState.ORDERING}
        porting_in = {row.number for row in rows if row.state is NumberState.PORTING_IN}
        for each in self.carriers.values():
            ordering |= each.acquiring(Operation.ORDER_NUMBER)
            porting_in |= each.acquiring(Operation.PORT_NUMBER_IN)
        return NumbersOnTheirWay(
            ordering={number.text for number in ordering},
            porting_in={number.text for number in porting_in},
        )

    def _standing(self, holder: HolderId, number: E164) -> TeamsIdentity | None:
        """What the snapshot says of somebody in Teams, as far as seats are billed by it."""
        runtime = self.runtime_on(holder.connection)
        if runtime is None or not runtime.is_ready:
            return None
        person, row = runtime.snapshot.person(holder.user_id), runtime.snapshot.number(number)
        return TeamsIdentity(
            identity=str(holder),
            is_user=person is not None and not person.deleted,
            is_resource_account=False,
            has_phone_licence=person is not None and person.licence is not LicenceState.ABSENT,
            on_hosted_direct_routing=(
                row is not None
                and row.holder_id == holder.user_id
                and row.number_type is NumberType.DIRECT_ROUTING
            ),
        )

    async def stop(self) -> None:
        for task in self._workers:
            task.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)
        self._workers.clear()
        for runtime in self.all_at_work():
            await runtime.stop()
        self.connections.clear()
        self.carriers.clear()

    async def _work(self) -> None:
        while True:
            taken = await self.queue.take()
            self.telemetry.waited(taken.priority.name.lower(), taken.waited_seconds)
            began = self.clock.monotonic()
            try:
                cached = self.cache.get(taken.key)
                body = cached.body if cached is not None else {}
                with pass_traces.begun(self.traces, taken, body):
                    await self._pass(taken)
            finally:
                self.queue.done(taken.key)
                self.last_pass_at = self.clock.monotonic()
                self.telemetry.passed(taken.key.kind, self.last_pass_at - began)

    async def _pass(self, taken: Taken) -> None:
        try:
            await reconcile(self, taken.key, taken.priority)
        except Exception as error:
            delay = self.queue.failed(taken.key)
            current().note(is_error=True, outcome=type(error).__name__)
            log.exception("pass of %s failed; next try in %.0f s", taken.key, delay)
