"""A world that stands still: an engine over observations, for `planning` to run passes in.

It is the controller's own engine with the controller's own connections. Only what they ask is
different: reads answer from the observations, the register is a copy in memory that forgets, and
whatever would write is not there at all.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar, cast

from callplane.apis.carriers import Carrier
from callplane.apis.model import Resource
from callplane.apis.session_border_controllers import SessionBorderController
from callplane.desired.declarations import PlatformObject, carrier_system, is_platform, system_of
from callplane.engine.carrier_connections import CarrierRuntime
from callplane.engine.connection_status import limits_of
from callplane.engine.connections import ConnectionRuntime
from callplane.engine.keyed_queue import Priority
from callplane.engine.object_cache import CachedObject
from callplane.engine.observations import (
    Body,
    CarrierObservation,
    ConnectionObservation,
    Observations,
    key_of,
)
from callplane.engine.operator_engine import Engine, Surroundings
from callplane.engine.recorded_carrier import RecordedCarrier, SkillsOf
from callplane.engine.register_mirror import RegisterMirror
from callplane.engine.scope import Scope
from callplane.numbering.lifecycle import Cause, NumberState
from callplane.plan.change import Change
from callplane.providers.protocol import (
    Capabilities,
    Family,
    Observed,
    OperationStatus,
    Page,
    Provider,
    Unavailable,
    Unsupported,
)
from callplane.resources.platforms import CallingConfiguration, NumberOnPlatform, Person
from callplane.settings import OperatorSettings
from callplane.store import commits
from callplane.store.ports import (
    Commit,
    Committed,
    MoveRefused,
    NumberRow,
    Register,
    RegisterState,
)
from callplane.telemetry import Telemetry
from callplane.values import E164, ConnectionId, DeclaringObject, ObjectKey

#: What a provider cannot do, asked without a provider: the connection, the change.
Judge = Callable[[PlatformObject, Change], Unsupported | None]

NOTHING_KNOWN = RegisterState((), (), (), (), 0)


@dataclass(frozen=True, slots=True)
class Declared:
    """One object of the tree. `file` is where it stands, empty for one that only the cluster
    has.
    """

    key: ObjectKey
    body: Body
    resource: Resource | None
    file: str = ""


class StillClock:
    """Always the moment of the observation."""

    def __init__(self, moment: datetime) -> None:
        self._moment = moment

    def now(self) -> datetime:
        return self._moment

    def monotonic(self) -> float:
        return 0.0


class RecordedProvider:
    """Answers reads from an observation. Nothing can be sent through it."""

    def __init__(
        self, observation: ConnectionObservation, platform: PlatformObject, judge: Judge
    ) -> None:
        self.connection = observation.connection
        self.capabilities = Capabilities(read_after_write_lag_seconds=0.0)
        self.credentials_end_at: datetime | None = None
        self._platform = platform
        self._judge = judge
        self._observation = observation
        self._people: dict[str, Person] = {}
        self._numbers = {row.number: row for row in observation.numbers}
        self._configurations = {row.user_id: row for row in observation.configurations}
        services = Counter(service.user_principal_name for service in observation.services)
        self._ambiguous = {name for name, count in services.items() if count > 1}
        for service in observation.services:
            self._people[service.user_principal_name] = service
        # A name may be a deleted person's and somebody else's by now: the living one counts.
        for person in sorted(observation.people, key=lambda each: not each.deleted):
            self._people[person.user_id] = person
            self._people[person.user_principal_name] = person

    def unsupported(self, change: Change) -> Unsupported | None:
        return self._judge(self._platform, change)

    async def list_pages(self, family: Family) -> AsyncIterator[Page]:
        yield page(self._observation, family)

    async def read_person(self, key: str) -> Observed[Person]:
        if isinstance(self._platform, SessionBorderController):
            # Whoever is declared there exists.
            return Observed(Person(key, key), 0.0)
        if key in self._ambiguous:
            raise Unavailable(f"several services are called {key}")
        return Observed(self._people.get(key), 0.0)

    async def read_number(self, number: E164) -> Observed[NumberOnPlatform]:
        return Observed(self._numbers.get(number), 0.0)

    async def read_configuration(self, user_id: str) -> Observed[CallingConfiguration]:
        if isinstance(self._platform, SessionBorderController):
            return Observed(CallingConfiguration(user_id), 0.0)
        return Observed(self._configurations.get(user_id), 0.0)

    async def send(self, change: Change, *, request_id: str) -> Any:
        raise AssertionError("a plan writes to no provider")

    async def poll(self, operation: str) -> OperationStatus:
        raise AssertionError("a plan has no operations")

    async def close(self) -> None:
        """Nothing is open."""


def page(observation: ConnectionObservation, family: Family) -> Page:
    """A family of an observation as the only page of its listing."""
    rows: tuple[Person | NumberOnPlatform | CallingConfiguration, ...]
    match family:
        case Family.PEOPLE:
            rows = observation.people
        case Family.NUMBERS:
            rows = observation.numbers
        case Family.CONFIGURATIONS:
            rows = observation.configurations
    return Page(family, rows, observed_at=0.0, last=True)


class ForgetfulRegister:
    """The register of one connection in memory: later passes of one plan see the claims of earlier
    ones, by the same rules, and nobody else ever does.
    """

    def __init__(self, state: RegisterState) -> None:
        self._state = state
        self._rows = {row.number: row for row in state.numbers}
        #: Numbers given out from a range in this plan, which nobody may rely on.
        self.allocated: set[E164] = set()

    async def load(self, connection: ConnectionId, *, since: int = 0) -> RegisterState:
        return self._state

    async def commit(
        self, connection: ConnectionId, commit: Commit, *, epoch: int, now: datetime
    ) -> Committed:
        for move in commit.moves:
            row = self._rows.get(move.number)
            if commits.is_refused(move, row, connection=connection, now=now):
                raise MoveRefused(move.number, row)
        changed: list[NumberRow] = []
        for move in commit.moves:
            after = commits.row_after(move, connection=connection, now=now, version=0)
            self._rows.pop(move.number, None)
            if after is not None:
                self._rows[move.number] = after
                changed.append(after)
            if move.cause == Cause.ALLOCATE and move.expected is NumberState.FREE:
                self.allocated.add(move.number)
        # Never less than it was: a register that goes back stops whoever works on it.
        sequence = self._state.sequence
        return Committed(tuple(changed), tuple(commit.holders), sequence, found=sequence)


class PlanningWorld:
    """An engine over observations; `registers` by the object of their connection."""

    def __init__(
        self,
        observations: Observations,
        *,
        judge: Judge,
        skills: SkillsOf,
        namespace_labels: Mapping[str, Mapping[str, str]],
    ) -> None:
        self.observations = observations
        self.registers: dict[ObjectKey, ForgetfulRegister] = {}
        self._judge = judge
        self._skills = skills
        self._uids = _known_uids(observations)
        # A pass of a plan never gets as far as to ask for any of these.
        absent: Any = None
        self.engine = Engine(
            Surroundings(
                clock=StillClock(observations.taken_at),
                objects=absent,
                secrets=absent,
                events=absent,
                fence=absent,
                register=absent,
                provider_factory=absent,
                installation=_installation(observations),
                telemetry=Telemetry(),
                chance=random.Random(0),
            ),
            OperatorSettings(),
        )
        labels = {**observations.namespace_labels, **namespace_labels}
        self.engine.namespace_labels = {name: dict(of) for name, of in labels.items()}

    def put(self, declared: Declared, *, deleting: bool = False) -> None:
        """Let the engine know an object, with the identity that cluster and register have for
        it.
        """
        metadata = dict(declared.body["metadata"])
        known_uid, created = self._uids.get(declared.key, ("", ""))
        metadata["uid"] = known_uid or f"planned:{declared.key}"
        # An object that is not made yet is made at the moment of the plan: the youngest of all.
        metadata["creationTimestamp"] = (
            created or f"{self.observations.taken_at:%Y-%m-%dT%H:%M:%SZ}"
        )
        if deleting:
            metadata["deletionTimestamp"] = self.observations.taken_at.isoformat()
        self.engine.namespace_labels.setdefault(declared.key.namespace, {})
        body = {**declared.body, "metadata": metadata}
        if declared.resource is None:
            self.engine.cache.put(declared.key, body)
        else:
            self.engine.cache.place(CachedObject(declared.key, body, declared.resource, ()))

    def cached(self, key: ObjectKey) -> CachedObject:
        found = self.engine.cache.get(key)
        assert found is not None, f"{key} was not put"
        return found

    def scope(self, key: ObjectKey) -> Scope:
        return Scope(self.engine, self.cached(key), Priority.USER)

    async def connect(self, key: ObjectKey) -> bool:
        """Bring a connection to work on what was observed of it; False when nothing was."""
        tenant = self.cached(key).resource
        assert is_platform(tenant)
        observation = _observed(self.observations.connections, system_of(tenant))
        if observation is None:
            return False
        register = ForgetfulRegister(observation.register or NOTHING_KNOWN)
        mirror = RegisterMirror(cast("Register", register), observation.connection, epoch=0)
        await mirror.load()
        provider: Provider = RecordedProvider(observation, tenant, self._judge)
        runtime = ConnectionRuntime(
            self.engine, key, provider=provider, mirror=mirror, limits=limits_of(tenant.spec)
        )
        for family in Family:
            runtime.snapshot.begin(family, 0.0)
            runtime.snapshot.add_page(page(observation, family))
            runtime.snapshot.end(family, has_end_marker=True)
        self.registers[key] = register
        self.engine.connections[key] = runtime
        return True

    async def connect_carrier(self, key: ObjectKey) -> bool:
        """The same for an account with a carrier."""
        carrier = self.cached(key).resource
        assert isinstance(carrier, Carrier)
        system = carrier_system(carrier)
        observation = _observed(self.observations.carriers, system)
        if observation is None:
            return False
        register = ForgetfulRegister(observation.register or NOTHING_KNOWN)
        mirror = RegisterMirror(cast("Register", register), observation.connection, epoch=0)
        await mirror.load()
        recorded: Any = RecordedCarrier(observation, await self._skills(carrier.spec))
        runtime = CarrierRuntime(
            self.engine, key, provider=recorded, mirror=mirror, limits=limits_of(carrier.spec)
        )
        runtime.numbers.begin_listing(0.0)
        rows = ((row.number, row) for row in observation.numbers)
        runtime.numbers.add_page(rows, observed_at=0.0, bad_rows=0)
        runtime.numbers.end_listing(has_end_marker=True)
        runtime.balance = observation.balance
        self.registers[key] = register
        self.engine.carriers[key] = runtime
        return True

    def row_of(self, number: E164) -> NumberRow | None:
        """The register's row of a number, whichever connection has it."""
        for runtime in self.engine.all_at_work():
            row = runtime.mirror.numbers.get(number)
            if row is not None:
                return row
        return None

    def is_new(self, key: ObjectKey) -> bool:
        """Is the object in neither the cluster nor the register, as far as both were read?"""
        return key not in self._uids


Observation = TypeVar("Observation", ConnectionObservation, CarrierObservation)


def _observed(among: Iterable[Observation], system: ConnectionId) -> Observation | None:
    """By the system's own id: its object may have another name by now."""
    wanted = (system.provider, system.external_id.lower())
    return next(
        (
            each
            for each in among
            if (each.connection.provider, each.connection.external_id.lower()) == wanted
        ),
        None,
    )


def _installation(observations: Observations) -> str:
    """The cluster that was observed; without one, the cluster that the register knows."""
    if observations.installation:
        return observations.installation
    return next((each.installation for each in _declaring(observations)), "")


def _known_uids(observations: Observations) -> dict[ObjectKey, tuple[str, str]]:
    """UID and creation time by key; the register knows objects that the file was not saved from."""
    installation = _installation(observations)
    known = {
        each.key: (each.uid, "")
        for each in _declaring(observations)
        if each.installation == installation
    }
    for body in observations.objects:
        key, metadata = key_of(body), body["metadata"]
        uid = metadata.get("uid") or known.get(key, ("", ""))[0]
        known[key] = (uid, metadata.get("creationTimestamp") or "")
    return known


def _declaring(observations: Observations) -> Iterable[DeclaringObject]:
    registers = [each.register for each in observations.connections]
    registers += [each.register for each in observations.carriers]
    for register in registers:
        if register is not None:
            for row in register.holders:
                if row.declared_by is not None:
                    yield row.declared_by
