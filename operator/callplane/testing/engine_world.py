"""A whole operator without a server: fake cluster, register in memory, platform in memory, virtual
time.

Tests apply manifests as a user would, let time pass until nothing moves, and look at the result.
Run them with `@pytest.mark.looptime`: the engine's clock is the event loop's.

    world = await worlds.make(people=("ann", "ben"))
    await world.declare("ann")
    await world.settle()
    assert world.number_of("ann") == "+442079460000"

A second `start` after `kill` is a new process over the same cluster, register and platform.
"""

from __future__ import annotations

import asyncio
import base64
import random
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from callplane.apis import registry
from callplane.cluster import api_errors
from callplane.cluster.events import RecordedEvents
from callplane.cluster.resource_kinds import NAMESPACES, SECRETS, ResourceKind, callplane_kind
from callplane.cluster.secret_reading import ClusterSecrets
from callplane.engine.operator_engine import Engine, Surroundings
from callplane.plan.change import Change
from callplane.plan.gate import GateRow, GateStatus
from callplane.providers.inmemory import Call, Fault, Verb, World
from callplane.providers.inmemory.carrier_world import CarrierWorld
from callplane.providers.protocol import Provider
from callplane.providers.registry import Ingredients
from callplane.providers.sip import provider as sip_provider
from callplane.resources.lines import NumberType
from callplane.resources.platforms import CallingConfiguration, NumberOnPlatform, Person
from callplane.settings import OperatorSettings
from callplane.store.call_tables_memory import MemoryCallTables
from callplane.store.decks_memory import MemoryDecks
from callplane.store.memory import MemoryRegister
from callplane.store.ports import NumberRow
from callplane.telemetry import Telemetry
from callplane.testing.carrier_estate import answered_connection, carrier_provider
from callplane.testing.cluster_state import ClusterState
from callplane.testing.condition_checks import ConditionWatch
from callplane.testing.fake_cluster import FakeCluster
from callplane.testing.signed_in_provider import SignedInProvider
from callplane.testing.tripwire import (
    CARRIER_WRITES,
    CLUSTER_WRITES,
    PROVIDER_WRITES,
    REGISTER_WRITES,
    Tripwire,
    wired,
)
from callplane.tracing import NO_TRACES, Traces
from callplane.values import E164, ConnectionId, ObjectKey, Platform

TENANT_ID = "00000000-0000-4000-8000-00000000aaaa"
CONNECTION = ConnectionId("teams", TENANT_ID)
ORGANIZATION = ConnectionId("webex", "00000000-0000-4000-8000-00000000cccc")
START = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
QUIET_SECONDS = 30.0
KINDS = tuple(kind.name for kind in registry.KINDS)
SECRET = b"sample"


class LoopClock:
    """The running event loop's time, as wall time from a fixed start."""

    def now(self) -> datetime:
        return START + timedelta(seconds=asyncio.get_running_loop().time())

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()


class OpenFence:
    """Always the leader, unless told otherwise."""

    def __init__(self) -> None:
        self.is_open = True

    def may_write(self, write_timeout_seconds: float) -> bool:
        return self.is_open


@dataclass(frozen=True, slots=True)
class Writes:
    """How much had been written by one moment."""

    provider: int
    cluster: int
    register: int


class EngineWorld:
    """One tenant, one operator. `platform` is the truth at the provider, `cluster` the API
    server.
    """

    def __init__(
        self,
        *,
        settings: OperatorSettings | None = None,
        register: MemoryRegister | None = None,
        platform: World | None = None,
        cluster: FakeCluster | None = None,
        chance: int = 7,
    ) -> None:
        self.clock = LoopClock()
        self.cluster = cluster or FakeCluster(clock=self.clock)
        self.user = self.cluster.as_manager("kubectl")
        self.register = register or MemoryRegister()
        self.decks = MemoryDecks()
        self.platform = platform or World(order_seconds=0.5)
        self.carrier = CarrierWorld()
        self.webex = World(adds_numbers=True)
        self.credentials_end_at: datetime | None = None
        self.settings = settings or OperatorSettings(workers=8)
        self.fence = OpenFence()
        self.events = RecordedEvents()
        self.conditions = ConditionWatch()
        self.cluster.subscribe(self._watched)
        self.engine: Engine | None = None
        self.wire = Tripwire()
        # The client secret that is accepted, and how often another one was tried.
        self.call_tables = MemoryCallTables()
        self.accepted_secret = SECRET
        self.refused_sign_ins = 0
        self._chance = random.Random(chance)
        self.traces: Traces = NO_TRACES

    @classmethod
    def on_another_cluster(cls, other: EngineWorld, **options: Any) -> EngineWorld:
        """A second cluster (another kube-system UID) on the same platform and, unless told
        otherwise, the same register.
        """
        state = ClusterState(clock=LoopClock(), uid_seed=str(other._chance.random()))
        known = {"register": other.register, "settings": other.settings, **options}
        world = cls(cluster=FakeCluster(state=state), platform=other.platform, **known)
        world.webex = other.webex
        return world

    # The process

    async def start(self, wire: Tripwire | None = None) -> Engine:
        """Start an operator over what is there; call `stop` or `kill` before starting another
        one.
        """
        assert self.engine is None, "stop or kill the operator that runs"
        self.wire = wire = wire or Tripwire()
        objects = wired(self.cluster, wire, CLUSTER_WRITES)
        register = wired(self.register, wire, REGISTER_WRITES)
        body = await self.cluster.get(NAMESPACES, name="kube-system")

        def provider(name: str, ingredients: Ingredients) -> Provider:
            return wired(self._provider(name, ingredients), wire, PROVIDER_WRITES)

        engine = Engine(
            Surroundings(
                clock=self.clock,
                objects=objects,
                secrets=ClusterSecrets(objects),
                events=self.events,
                fence=self.fence,
                register=register,
                provider_factory=provider,
                installation=body["metadata"]["uid"],
                telemetry=Telemetry(),
                calls=self.call_tables,
                chance=self._chance,
                decks=self.decks,
                traces=self.traces,
                carrier_factory=lambda name, ingredients: wired(
                    carrier_provider(self, name, ingredients), wire, CARRIER_WRITES
                ),
            ),
            self.settings,
        )
        for kind in KINDS:
            listing = await self.cluster.list_all(engine.kind(kind))
            for item in listing.items:
                engine.offer(_key(kind, item), item)
        self.engine = engine
        engine.start()
        return engine

    async def stop(self) -> None:
        """As on SIGTERM."""
        if self.engine is not None:
            engine, self.engine = self.engine, None
            await engine.stop()

    async def kill(self) -> None:
        """As on SIGKILL: nothing that the process still does reaches anybody."""
        self.wire.kill()
        await self.stop()

    async def restart(self) -> Engine:
        await self.kill()
        return await self.start()

    @property
    def running(self) -> Engine:
        assert self.engine is not None
        return self.engine

    def _watched(self, event: str, kind: ResourceKind, body: dict[str, Any]) -> None:
        metadata = body["metadata"]
        if body["kind"] == "Namespace" and self.engine is not None:
            self.engine.namespace_seen(metadata["name"], dict(metadata.get("labels") or {}))
        if body["kind"] not in KINDS:
            return
        self.conditions.saw(body)
        if self.engine is None:
            return
        key = _key(body["kind"], body)
        self.engine.heard(key, body, is_gone=event == "DELETED")

    def _provider(self, name: str, ingredients: Ingredients) -> Provider:
        secret = next(iter(ingredients.secrets.values()), b"")
        if name == Platform.SIP.value:
            return sip_provider.create(ingredients)
        if name == CONNECTION.provider:
            return SignedInProvider(self, secret, CONNECTION, self.platform)
        provider = SignedInProvider(self, secret, ORGANIZATION, self.webex)
        provider.credentials_end_at = self.credentials_end_at
        return provider

    # What users do

    def seed_namespace(self, name: str, labels: dict[str, str] | None = None) -> None:
        self.cluster.seed(
            {
                "apiVersion": "v1",
                "kind": "Namespace",
                "metadata": {"name": name, "labels": labels or {}},
            }
        )

    def seed_secret(self, content: bytes = SECRET, *, namespace: str = "default") -> None:
        self.cluster.seed(
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": "graph", "namespace": namespace},
                "data": {"secret": base64.b64encode(content).decode()},
            }
        )

    async def change_secret(self, content: bytes, *, namespace: str = "default") -> None:
        await self.user.merge_patch(
            SECRETS,
            name="graph",
            namespace=namespace,
            patch={"data": {"secret": base64.b64encode(content).decode()}},
        )

    async def seed_tenant(
        self, *, namespace: str = "default", name: str = "main", **spec: Any
    ) -> None:
        """A TeamsTenant with its Secret; it admits every namespace."""
        if not any(key[0] == SECRETS and key[1] == namespace for key in self.cluster.state.objects):
            self.seed_secret(namespace=namespace)
        await self.apply_tenant(namespace=namespace, name=name, **spec)

    async def apply_tenant(
        self, *, namespace: str = "default", name: str = "main", **spec: Any
    ) -> None:
        merged = {
            "tenantId": TENANT_ID,
            "credentials": {
                "clientSecret": {
                    "clientId": "00000000-0000-4000-8000-00000000bbbb",
                    "secretRef": {"name": "graph", "key": "secret"},
                }
            },
            "writesPerSecond": 100,
            "driftInterval": "60s",
            "allowedNamespaces": [{"selector": {}}],
            **spec,
        }
        await self.apply("TeamsTenant", name, merged, namespace=namespace)

    async def seed_range(self, name: str = "london", *, size: int = 10, **spec: Any) -> None:
        """+44 20 7946 0000 and on."""
        merged = {
            "first": number(0),
            "last": number(size - 1),
            "route": "DirectRouting",
            "allowedNamespaces": [{"selector": {}}],
            **spec,
        }
        wanted = {key: value for key, value in merged.items() if value is not None}
        await self.apply("NumberRange", name, wanted)

    def seed_people(self, names: Iterable[str], **fields: Any) -> None:
        """Licensed and ready people of the tenant, with user ids made from their names."""
        people = [
            Person(user_id(n), f"{n}@example.com", **{"usage_location": "GB", **fields})
            for n in names
        ]
        self.platform.put_people(people)
        self.platform.put_configurations([CallingConfiguration(p.user_id) for p in people])

    def seed_inventory(self, size: int = 10) -> None:
        """That many numbers in the tenant; those that are there already stay as they are."""
        wanted = [E164(number(index)) for index in range(size)]
        self.platform.put_numbers(
            NumberOnPlatform(found, NumberType.DIRECT_ROUTING)
            for found in wanted
            if found not in self.platform.true.numbers
        )

    async def apply(
        self,
        kind: str,
        name: str,
        spec: dict[str, Any],
        *,
        namespace: str = "default",
        annotations: dict[str, str] | None = None,
    ) -> None:
        """Create the object or replace its spec, as `kubectl apply` would."""
        metadata: dict[str, Any] = {"name": name, "namespace": namespace}
        if annotations:
            metadata["annotations"] = annotations
        await self.user.apply(
            callplane_kind(registry.kind_named(kind).plural),
            body={
                "apiVersion": "callplane.dev/v1alpha1",
                "kind": kind,
                "metadata": metadata,
                "spec": spec,
            },
        )

    async def declare(
        self,
        name: str,
        *,
        namespace: str = "default",
        as_object: str | None = None,
        annotations: dict[str, str] | None = None,
        **spec: Any,
    ) -> None:
        """A TeamsUser for the person of that name; a number of range `london` unless told
        otherwise. A field given as None is left out.
        """
        merged: dict[str, Any] = {
            "tenantRef": {"name": "main", "namespace": "default"},
            "userPrincipalName": f"{name}@example.com",
            "phoneNumber": {"rangeRef": {"name": "london", "namespace": "default"}},
        }
        merged.update(spec)
        merged = {key: value for key, value in merged.items() if value is not None}
        await self.apply(
            "TeamsUser", as_object or name, merged, namespace=namespace, annotations=annotations
        )

    async def delete(self, kind: str, name: str, *, namespace: str = "default") -> None:
        await self.user.delete(_kind(kind), name=name, namespace=namespace)

    async def delete_namespace(self, name: str) -> None:
        await self.user.delete(NAMESPACES, name=name)

    async def annotate(
        self, kind: str, name: str, annotations: dict[str, str], *, namespace: str = "default"
    ) -> None:
        await self.user.merge_patch(
            _kind(kind),
            name=name,
            namespace=namespace,
            patch={"metadata": {"annotations": annotations}},
        )

    async def answer(
        self,
        decision: str = "Approve",
        *,
        name: str = "answer",
        namespace: str = "default",
        days: float = 1.0,
        **spec: Any,
    ) -> None:
        """A ChangeApproval: of `digest=` or `changeIds=`, else of the one batch that is held."""
        if "digest" not in spec and "changeIds" not in spec:
            spec["digest"] = self.held_digest()
        expires_at = self.clock.now() + timedelta(days=days)
        merged = {
            "connectionRef": answered_connection(self, spec),
            "decision": decision,
            "approvedBy": "maria",
            "expiresAt": expires_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            **spec,
        }
        await self.apply("ChangeApproval", name, merged, namespace=namespace)

    # Looking

    async def settle(self, seconds: float = QUIET_SECONDS) -> None:
        """Let virtual time pass."""
        await asyncio.sleep(seconds)

    async def until(self, holds: Callable[[], bool], *, seconds: float = 600.0) -> None:
        """Let virtual time pass until something holds; fails when it does not in that time."""
        deadline = self.clock.monotonic() + seconds
        while not holds():
            assert self.clock.monotonic() < deadline, "it did not come to pass"
            await asyncio.sleep(0.05)

    async def body(self, kind: str, name: str, *, namespace: str = "default") -> dict[str, Any]:
        return await self.user.get(_kind(kind), name=name, namespace=namespace)

    async def exists(self, kind: str, name: str, *, namespace: str = "default") -> bool:
        try:
            await self.body(kind, name, namespace=namespace)
        except api_errors.NotFound:
            return False
        return True

    async def status(self, kind: str, name: str, *, namespace: str = "default") -> dict[str, Any]:
        body = await self.body(kind, name, namespace=namespace)
        found: dict[str, Any] = body.get("status") or {}
        return found

    async def condition(
        self, kind: str, name: str, condition: str = "Ready", *, namespace: str = "default"
    ) -> tuple[str, str, str]:
        """Status, reason and message; empty strings when the condition is absent."""
        status = await self.status(kind, name, namespace=namespace)
        for entry in status.get("conditions", []):
            if entry["type"] == condition:
                return entry["status"], entry["reason"], entry["message"]
        return "", "", ""

    async def reason(
        self, name: str, *, kind: str = "TeamsUser", namespace: str = "default"
    ) -> str:
        """`Ready` in short: the reason when it is True, else the status and the reason."""
        status, reason, _ = await self.condition(kind, name, namespace=namespace)
        return reason if status == "True" else f"{status} {reason}"

    async def all_ready(self, kind: str = "TeamsUser") -> bool:
        """Is there any object of the kind, and every one of them Ready?"""
        listing = await self.user.list_all(_kind(kind))
        ready = [_ready(item) for item in listing.items]
        return bool(ready) and all(ready)

    async def names(self, kind: str, *, namespace: str | None = None) -> list[str]:
        listing = await self.user.list_all(_kind(kind), namespace=namespace)
        return [item["metadata"]["name"] for item in listing.items]

    async def row(self, which: int | str) -> NumberRow | None:
        """The register's row of a number, given as its index in the range or as text."""
        found = E164(number(which) if isinstance(which, int) else which)
        rows = await self.register.numbers_in(found, found)
        return rows[0] if rows else None

    async def state(self, which: int | str) -> str:
        row = await self.row(which)
        return row.state.value if row is not None else "Free"

    async def causes(self, which: int | str) -> list[str]:
        """Why the number moved, from its first day on."""
        text = number(which) if isinstance(which, int) else which
        return [str(event.cause) for event in await self.register.history(E164(text))]

    async def gate_rows(self) -> list[GateRow]:
        state = await self.register.load(CONNECTION)
        return list(state.gate_rows)

    def held_digests(self) -> list[str]:
        """Digests of the batches that wait, as the leader has them."""
        at_work = self.running.all_at_work()
        rows = [row for runtime in at_work for row in runtime.mirror.gate_rows.values()]
        return sorted({row.digest for row in rows if row.status is GateStatus.HELD})

    def held_digest(self) -> str:
        digests = self.held_digests()
        assert len(digests) == 1, f"{len(digests)} batches are held"
        return digests[0]

    def number_of(self, name: str) -> str | None:
        """The number the person really has at the provider."""
        held = [
            row.number.text
            for row in self.platform.true.numbers.values()
            if row.holder_id == user_id(name)
        ]
        assert len(held) <= 1, f"{name} has {len(held)} numbers"
        return held[0] if held else None

    def calls(self, verb: Verb) -> list[Call]:
        return [call for call in self.platform.journal if call.verb is verb]

    def changes(self) -> list[Change]:
        """The writes the provider has received, in order."""
        return [call.change for call in self.calls(Verb.SEND) if call.change is not None]

    def sent(self) -> list[str]:
        """Operations of the writes the provider has received, in order."""
        return [change.operation.value for change in self.changes()]

    async def written(self) -> Writes:
        """Marks this moment; see `written_since`."""
        return Writes(
            provider=len(self.calls(Verb.SEND)),
            cluster=len([request for request in self.cluster.writes if request.changed]),
            register=(await self.register.identity()).sequence,
        )

    async def written_since(self, mark: Writes) -> Writes:
        """How much has been written since a moment."""
        now = await self.written()
        return Writes(
            provider=now.provider - mark.provider,
            cluster=now.cluster - mark.cluster,
            register=now.register - mark.register,
        )

    def repeated_changes(self) -> list[str]:
        """Operations of changes that the provider was asked for more than once."""
        counts = Counter(change.change_id for change in self.changes())
        return [change.operation.value for change in self.changes() if counts[change.change_id] > 1]

    def fail(self, fault: Fault, **match: Any) -> None:
        """Something goes wrong at the provider; see `providers.inmemory.faults`."""
        self.platform.faults.add(fault, **match)


class Worlds:
    """Makes worlds for one test and remembers them, so that they can be looked at when it ends."""

    def __init__(self) -> None:
        self.made: list[EngineWorld] = []
        self.defects_are_expected = False

    def add(self, world: EngineWorld) -> EngineWorld:
        self.made.append(world)
        return world

    async def make(
        self,
        names: Iterable[str] = ("ann", "ben", "cid"),
        *,
        numbers: int = 10,
        start: bool = True,
        tenant: dict[str, Any] | None = None,
        **options: Any,
    ) -> EngineWorld:
        """One tenant, one range called london, people with licences, and an operator at work."""
        world = self.add(EngineWorld(**options))
        world.seed_people(names)
        world.seed_inventory(numbers)
        await world.seed_tenant(**(tenant or {}))
        await world.seed_range(size=numbers)
        if start:
            await world.start()
        return world

    def second_cluster(self, first: EngineWorld, **options: Any) -> EngineWorld:
        """An empty cluster beside the first one; nothing runs in it yet."""
        return self.add(EngineWorld.on_another_cluster(first, **options))


def number(index: int) -> str:
    """The sample number of that index: from +44 20 7946 0000 on."""
    return f"+44207946{index:04d}"


def user_id(name: str) -> str:
    """A stable made-up object id for a person."""
    chance = random.Random(name)
    return str(uuid.UUID(int=chance.getrandbits(128), version=4))


def people(count: int) -> Sequence[str]:
    """Names that sort as they count."""
    return [f"person-{index:04d}" for index in range(count)]


def _kind(name: str) -> ResourceKind:
    return callplane_kind(registry.kind_named(name).plural)


def _key(kind: str, body: dict[str, Any]) -> ObjectKey:
    metadata = body["metadata"]
    return ObjectKey(kind, metadata["namespace"], metadata["name"])


def _ready(body: dict[str, Any]) -> bool:
    conditions = (body.get("status") or {}).get("conditions") or []
    return any(entry["type"] == "Ready" and entry["status"] == "True" for entry in conditions)
