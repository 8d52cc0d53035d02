"""A whole operator without a server: fake cluster, register in memory, platform in memory, virtual
time.

Tests apply manifests as a user would, let time pass until nothing moves, and look at the result.
Run them with `@pytest.mark.looptime`: the engine's clock is the event loop's.
"""

from __future__ import annotations

import asyncio
import base64
import random
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from callplane.apis import registry
from callplane.cluster.events import RecordedEvents
from callplane.cluster.resource_kinds import NAMESPACES, ResourceKind, callplane_kind
from callplane.cluster.secret_reading import ClusterSecrets
from callplane.engine.operator_engine import Engine, Surroundings
from callplane.providers.inmemory import InMemoryProvider, World
from callplane.providers.protocol import Provider
from callplane.providers.registry import Ingredients
from callplane.resources.lines import NumberType
from callplane.resources.teams import NumberOnTeams, Person, TeamsConfiguration
from callplane.settings import OperatorSettings
from callplane.store.memory import MemoryRegister
from callplane.store.ports import Register
from callplane.telemetry import Telemetry
from callplane.testing.fake_cluster import FakeCluster
from callplane.values import E164, ConnectionId, ObjectKey

TENANT_ID = "00000000-0000-4000-8000-00000000aaaa"
START = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
QUIET_SECONDS = 3.0
KINDS = tuple(kind.name for kind in registry.KINDS)


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


class EngineWorld:
    """One tenant, one operator. `platform` is the truth at the provider, `cluster` the API
    server.
    """

    def __init__(
        self,
        *,
        settings: OperatorSettings | None = None,
        register: Register | None = None,
        platform: World | None = None,
        cluster: FakeCluster | None = None,
    ) -> None:
        self.clock = LoopClock()
        self.cluster = cluster or FakeCluster(clock=self.clock)
        self.user = self.cluster.as_manager("kubectl")
        self.register = register or MemoryRegister()
        self.platform = platform or World(order_seconds=0.5)
        self.settings = settings or OperatorSettings(workers=8)
        self.fence = OpenFence()
        self.events = RecordedEvents()
        self.engine: Engine | None = None

    async def start(self) -> Engine:
        """Start an operator over what is there; call `stop` or `kill` before starting another
        one.
        """
        body = await self.cluster.get(NAMESPACES, name="kube-system")
        engine = Engine(
            Surroundings(
                clock=self.clock,
                objects=self.cluster,
                secrets=ClusterSecrets(self.cluster),
                events=self.events,
                fence=self.fence,
                register=self.register,
                provider_factory=self._provider,
                installation=body["metadata"]["uid"],
                telemetry=Telemetry(),
                chance=random.Random(7),
            ),
            self.settings,
        )
        self.engine = engine
        for kind in KINDS:
            listing = await self.cluster.list_all(engine.kind(kind))
            for item in listing.items:
                engine.offer(_key(kind, item), item)
        self.cluster.subscribe(self._watched)
        engine.start()
        return engine

    async def stop(self) -> None:
        if self.engine is not None:
            await self.engine.stop()
            self.engine = None

    def _watched(self, event: str, kind: ResourceKind, body: dict[str, Any]) -> None:
        if self.engine is None or body["kind"] not in KINDS:
            return
        key = _key(body["kind"], body)
        if event == "DELETED":
            self.engine.withdraw(key)
        else:
            self.engine.offer(key, body)

    def _provider(self, name: str, ingredients: Ingredients) -> Provider:
        return InMemoryProvider(
            ConnectionId(name, TENANT_ID), self.platform, clock=self.clock, page_rows=1000
        )

    # What users do

    def seed_namespace(self, name: str, labels: dict[str, str] | None = None) -> None:
        self.cluster.seed(
            {
                "apiVersion": "v1",
                "kind": "Namespace",
                "metadata": {"name": name, "labels": labels or {}},
            }
        )

    async def seed_tenant(self, *, namespace: str = "default", **spec: Any) -> None:
        """A TeamsTenant called `main` with its Secret; it admits every namespace."""
        self.cluster.seed(
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": "graph", "namespace": namespace},
                "data": {"secret": base64.b64encode(b"sample").decode()},
            }
        )
        await self.apply(
            "TeamsTenant",
            "main",
            {
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
            },
            namespace=namespace,
        )

    async def seed_range(self, name: str = "london", *, size: int = 10, **spec: Any) -> None:
        """+44 20 7946 0000 and on."""
        await self.apply(
            "NumberRange",
            name,
            {
                "first": "+442079460000",
                "last": f"+4420794600{size - 1:02d}",
                "route": "DirectRouting",
                "allowedNamespaces": [{"selector": {}}],
                **spec,
            },
        )

    def seed_people(self, names: Iterable[str]) -> None:
        """Licensed and ready people of the tenant, with user ids made from their names."""
        people = [Person(user_id(n), f"{n}@example.com", usage_location="GB") for n in names]
        self.platform.put_people(people)
        self.platform.put_configurations([TeamsConfiguration(p.user_id) for p in people])

    def seed_inventory(self, size: int = 10) -> None:
        self.platform.put_numbers(
            [
                NumberOnTeams(E164(f"+4420794600{n:02d}"), NumberType.DIRECT_ROUTING)
                for n in range(size)
            ]
        )

    async def apply(
        self, kind: str, name: str, spec: dict[str, Any], *, namespace: str = "default"
    ) -> None:
        """Create the object or replace its spec, as `kubectl apply` would."""
        await self.user.apply(
            callplane_kind(registry.kind_named(kind).plural),
            body={
                "apiVersion": "callplane.dev/v1alpha1",
                "kind": kind,
                "metadata": {"name": name, "namespace": namespace},
                "spec": spec,
            },
        )

    async def declare(self, name: str, *, namespace: str = "default", **spec: Any) -> None:
        """A TeamsUser for the person of that name; a number of range `london` unless told
        otherwise.
        """
        merged: dict[str, Any] = {
            "tenantRef": {"name": "main", "namespace": "default"},
            "userPrincipalName": f"{name}@example.com",
            "phoneNumber": {"rangeRef": {"name": "london", "namespace": "default"}},
        }
        merged.update(spec)
        merged = {key: value for key, value in merged.items() if value is not None}
        await self.apply("TeamsUser", name, merged, namespace=namespace)

    async def delete(self, kind: str, name: str, *, namespace: str = "default") -> None:
        assert self.engine is not None
        await self.user.delete(self.engine.kind(kind), name=name, namespace=namespace)

    # Looking

    async def settle(self, seconds: float = QUIET_SECONDS) -> None:
        """Let virtual time pass."""
        await asyncio.sleep(seconds)

    async def body(self, kind: str, name: str, *, namespace: str = "default") -> dict[str, Any]:
        assert self.engine is not None
        return await self.cluster.get(self.engine.kind(kind), name=name, namespace=namespace)

    async def condition(
        self, kind: str, name: str, condition: str = "Ready", *, namespace: str = "default"
    ) -> tuple[str, str, str]:
        """Status, reason and message; empty strings when the condition is absent."""
        body = await self.body(kind, name, namespace=namespace)
        for entry in body.get("status", {}).get("conditions", []):
            if entry["type"] == condition:
                return entry["status"], entry["reason"], entry["message"]
        return "", "", ""

    def number_of(self, name: str) -> str | None:
        """The number the person really has at the provider."""
        for row in self.platform.true.numbers.values():
            if row.holder_id == user_id(name):
                return row.number.text
        return None

    def sent(self) -> list[str]:
        """Operations of the writes the provider has received, in order."""
        return [
            call.change.operation.value
            for call in self.platform.journal
            if call.verb.name == "SEND" and call.change is not None
        ]


def user_id(name: str) -> str:
    """A stable made-up object id for a person."""
    chance = random.Random(name)
    return str(uuid.UUID(int=chance.getrandbits(128), version=4))


def _key(kind: str, body: dict[str, Any]) -> ObjectKey:
    metadata = body["metadata"]
    return ObjectKey(kind, metadata["namespace"], metadata["name"])
