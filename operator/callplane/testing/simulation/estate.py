"""What the company runs: a cluster, a number register, a Microsoft 365 tenant, a Webex
organisation, accounts with carriers, operator processes.

The cluster and the register are the in-memory twins of the real ones; tenant, organisation and
carriers are simulated worlds, and the operator is the real engine with the real providers. Bad luck
of the cluster and of the register is dealt out here; that of the others is the simulators' own.
"""

from __future__ import annotations

import asyncio
import base64
import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from callplane.apis import registry
from callplane.cluster import api_errors
from callplane.cluster.events import RecordedEvents
from callplane.cluster.resource_kinds import SECRETS, ResourceKind
from callplane.cluster.secret_reading import ClusterSecrets
from callplane.engine.operator_engine import Engine, Surroundings
from callplane.providers.protocol import Provider
from callplane.providers.registry import Ingredients
from callplane.settings import OperatorSettings
from callplane.simulators.graph import seeding
from callplane.simulators.graph.app import GraphApp
from callplane.simulators.graph.identity import Secret
from callplane.simulators.graph.portal import Portal
from callplane.simulators.graph.world import GraphWorld
from callplane.store.memory import MemoryRegister
from callplane.store.ports import (
    Commit,
    Committed,
    ConnectionRow,
    HeldElsewhere,
    RegisterState,
    StoreUnavailable,
)
from callplane.telemetry import Telemetry
from callplane.testing.cluster_state import ClusterState
from callplane.testing.condition_checks import ConditionWatch
from callplane.testing.fake_cluster import FakeCluster, Fault
from callplane.testing.simulation import graph_line, vendor_evidence
from callplane.testing.simulation.journal import Journal, row_json
from callplane.testing.simulation.processes import Fence, Life, belonging_to
from callplane.testing.simulation.vendors import Vendors
from callplane.testing.simulation.virtual_time import LoopClock
from callplane.values import E164, ConnectionId, DeclaringObject, ObjectKey

KINDS = tuple(kind.name for kind in registry.KINDS)
PLATFORM = "platform"
"""The namespace of the connection."""
ALWAYS = 10**9


@dataclass(slots=True)
class OperatorProcess:
    """One process: its life, its engine, and its own client of the API server."""

    life: Life
    engine: Engine
    client: FakeCluster
    unseen: list[tuple[str, ObjectKey, dict[str, Any]]]

    def watch(self, event: str, key: ObjectKey, body: dict[str, Any]) -> None:
        """An event of a watch; one that stands still reads it later."""
        if self.life.is_dead:
            return
        if self.life.stands_still:
            self.unseen.append((event, key, body))
        elif event == "DELETED":
            self.engine.withdraw(key)
        else:
            self.engine.offer(key, body)

    def go_on(self) -> None:
        self.life.go_on()
        unseen, self.unseen = self.unseen, []
        for event, key, body in unseen:
            self.watch(event, key, body)


class JournaledRegister:
    """One process's way to the register: what it commits is written down, and answers get lost."""

    def __init__(self, estate: Estate, life: Life) -> None:
        self._estate = estate
        self._life = life
        self._process = life.name
        self._loaded: dict[ConnectionId, tuple[tuple[int, int], RegisterState]] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._estate.memory, name)

    async def hold_connection(
        self,
        connection: ConnectionId,
        *,
        declared_by: DeclaringObject,
        now: datetime,
        stale_after_seconds: float,
        new_epoch: bool,
    ) -> ConnectionRow | HeldElsewhere:
        held = await self._estate.memory.hold_connection(
            connection,
            declared_by=declared_by,
            now=now,
            stale_after_seconds=stale_after_seconds,
            new_epoch=new_epoch,
        )
        if isinstance(held, ConnectionRow):
            self._estate.journal.note(
                "epochs", epoch=held.epoch, process=self._process, connection=str(connection)
            )
        return held

    async def load(self, connection: ConnectionId, *, since: int = 0) -> RegisterState:
        """Asked every few seconds and mostly for nothing: an idle fortnight must not cost much."""
        memory = self._estate.memory
        known, loaded = (since, memory._version), self._loaded.get(connection)
        if loaded is None or loaded[0] != known or not memory.available:
            loaded = (known, await memory.load(connection, since=since))
            self._loaded[connection] = loaded
        return loaded[1]

    async def commit(
        self, connection: ConnectionId, commit: Commit, *, epoch: int, now: datetime
    ) -> Committed:
        lost = self._estate.next_lost_commit()
        if lost == "before":
            raise StoreUnavailable("the session was lost")
        committed = await self._estate.memory.commit(connection, commit, epoch=epoch, now=now)
        self._estate.journal.committed(commit, connection, epoch=epoch, process=self._process)
        self._life.committed()
        if lost == "after":
            raise StoreUnavailable("the answer to the commit was lost")
        return committed


class Estate:
    """Everything but the people; the one tenant is declared by the company as any object is."""

    def __init__(
        self, world: seeding.WorldSeed, *, chance: random.Random, journal: Journal, clock: LoopClock
    ) -> None:
        self.clock = clock
        self.chance = chance
        self.journal = journal
        self.settings = OperatorSettings(workers=8)
        self.state = ClusterState(clock=clock)
        self.state.listeners.append(self._watched)
        self.user = FakeCluster(state=self.state, manager="kubectl")
        self.memory = MemoryRegister()
        self.graph = GraphWorld(clock=clock, seed=world)
        self.application = GraphApp(self.graph)
        self.vendors = Vendors(clock=clock, chance=chance, written=journal.vendor_wrote)
        self.conditions = ConditionWatch()
        self.leader: OperatorProcess | None = None
        self.lost_commits: list[str] = []
        self._started = 0
        self._processes: list[OperatorProcess] = []

    @property
    def portal(self) -> Portal:
        return self.graph.portal()

    @property
    def connection(self) -> ConnectionId:
        return ConnectionId("teams", self.graph.tenant().id)

    # Processes.

    async def start(self) -> OperatorProcess:
        """A process that has the Lease and has passed the start barrier."""
        self._started += 1
        name = f"operator-{self._started}"
        life = Life(name, self.clock)
        client = FakeCluster(state=self.state)
        objects = belonging_to(life, client)
        register: Any = belonging_to(life, JournaledRegister(self, life))

        def provider(kind: str, ingredients: Ingredients) -> Provider:
            if kind != "teams":
                return belonging_to(life, self.vendors.platform(kind, ingredients))
            made = graph_line.create(
                ingredients,
                application=self.application,
                process=name,
                written=self.journal.wrote,
            )
            return belonging_to(life, made)

        engine = Engine(
            Surroundings(
                clock=self.clock,
                objects=objects,
                secrets=ClusterSecrets(objects),
                events=RecordedEvents(),
                fence=Fence(life, self.clock, self.settings),
                register=register,
                provider_factory=provider,
                installation="cluster-of-the-company",
                telemetry=Telemetry(),
                chance=random.Random(self.chance.random()),
                carrier_factory=lambda name, ingredients: belonging_to(
                    life, self.vendors.carrier(name, ingredients)
                ),
            ),
            self.settings,
        )
        process = OperatorProcess(life, engine, client, [])
        for kind in KINDS:
            for body in self.state.list_objects(engine.kind(kind), namespace=None):
                engine.offer(key_of(body), body)
        self._processes.append(process)
        self.leader = process
        self.journal.note("processes", process=name, event="starts")
        engine.start()
        return process

    async def end(self, process: OperatorProcess, how: str) -> None:
        """The process is gone after this: `stops` as on SIGTERM, `dies` as on SIGKILL."""
        self.journal.note("processes", process=process.life.name, event=how)
        if how != "stops":
            process.life.kill()
        process.life.go_on()
        await process.engine.stop()
        process.life.kill()
        self._processes.remove(process)
        if self.leader is process:
            self.leader = None

    async def wait_for_lease(self) -> None:
        """What a standby waits when the leader is gone without a word."""
        await asyncio.sleep(self.settings.lease_seconds + self.chance.uniform(0.1, 3.0))

    def _watched(self, event: str, kind: ResourceKind, body: dict[str, Any]) -> None:
        if body["kind"] not in KINDS:
            return
        self.journal.watched(event, kind, body)
        self.conditions.saw(body)
        for process in self._processes:
            process.watch(event, key_of(body), body)

    # Bad luck.

    def next_lost_commit(self) -> str:
        return self.lost_commits.pop() if self.lost_commits else ""

    def lose_api_server(self) -> None:
        """From now on; the leader can neither read nor renew."""
        assert self.leader is not None
        self.leader.life.stop_renewing()
        error = api_errors.Unavailable("connection refused", status=0, reason="")
        self.leader.client.faults.append(Fault(error, times=ALWAYS))

    def set_accepted_secret(self, value: str) -> None:
        """The tenant's application takes this client secret from now on, and no other."""
        tenant = self.graph.tenant()
        application = self.graph.tokens.application(tenant.id, seeding.DEFAULT_CLIENT_ID)
        application.secrets[:] = [Secret(value)]

    async def put_secret(self, value: str) -> None:
        """The Secret of the tenant in the cluster."""
        await self.put_secrets({"graph": {"secret": value}})

    async def put_secrets(self, secrets: Mapping[str, Mapping[str, str]]) -> None:
        """Secrets by name, in the namespace of the connections."""
        for name, content in secrets.items():
            data = {
                key: base64.b64encode(value.encode()).decode() for key, value in content.items()
            }
            metadata = {"name": name, "namespace": PLATFORM}
            body = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data}
            await self.user.apply(SECRETS, body=body)

    # What is so.

    def snapshot(self) -> None:
        """Write down what is true everywhere now."""
        tenant = self.graph.tenant()
        at = tenant.advance()
        self.journal.content["changes"] = [
            {
                "at": change.at,
                "subject": change.subject,
                "aspect": change.aspect,
                "before": change.before,
                "after": change.after,
                "by": change.by,
            }
            for change in tenant.changes.changes
        ]
        numbers = {
            row.telephone_number: {
                "holder": row.assignment_target_id,
                "location": row.location_id,
                "type": row.number_type,
            }
            for row in tenant.numbers.rows()
        }
        people = {}
        for row in tenant.teams.rows():
            policies: dict[str, dict[str, Any]] = {}
            for grant in sorted(row.grants, key=lambda grant: grant.is_direct):
                policies[grant.policy_type] = {"name": grant.name, "direct": grant.is_direct}
            people[row.id] = {"ready": "PhoneSystem" in row.feature_types, "policies": policies}
        first, last = E164("+10000000"), E164("+999999999999999")
        self.journal.note(
            "snapshots",
            numbers=numbers,
            people=people,
            users={row.id: row.user_principal_name for row in tenant.users.rows()},
            rows=[
                row_json(row)
                for number, row in sorted(self.memory._numbers.items())
                if first <= number <= last
            ],
            objects=[
                {
                    "kind": body["kind"],
                    "namespace": body["metadata"]["namespace"],
                    "name": body["metadata"]["name"],
                    "uid": body["metadata"]["uid"],
                    "deleting": "deletionTimestamp" in body["metadata"],
                    "generation": body["metadata"]["generation"],
                    "spec": body["spec"],
                    "status": body.get("status") or {},
                }
                for (kind, _, _), body in sorted(
                    self.state.objects.items(), key=lambda item: (item[0][1] or "", item[0][2])
                )
                if body["kind"] in KINDS
            ],
            pendingOrders=len(tenant.pending),
            tenantTime=at,
            **vendor_evidence.snapshot(self.vendors),
        )
        self.journal.content |= vendor_evidence.so_far(self.vendors)

    async def write_history(self) -> None:
        """The life of every number, as the register tells it."""
        for number in sorted({event.number for event in self.memory._events}):
            for event in await self.memory.history(E164(number)):
                self.journal.note(
                    "events",
                    number=event.number.text,
                    sequence=event.sequence,
                    when=event.at.isoformat(),
                    cause=event.cause,
                    before=event.from_state.value,
                    after=event.to_state.value,
                    holder=event.holder,
                )


def key_of(body: dict[str, Any]) -> ObjectKey:
    metadata = body["metadata"]
    return ObjectKey(body["kind"], metadata["namespace"], metadata["name"])
