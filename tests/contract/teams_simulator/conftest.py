"""The Teams provider in front of the Graph simulator, both on one clock that stands still."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from callplane.apis.references import SecretKeyRef
from callplane.apis.teams_tenants import (
    ClientSecretCredentials,
    TeamsCredentials,
    TeamsEndpoint,
    TeamsTenantSpec,
)
from callplane.clock import SystemClock
from callplane.providers.protocol import Provider
from callplane.providers.registry import Ingredients, Registry
from callplane.providers.transport import CallRecord
from callplane.simulators.faults import Effect, FaultRule
from callplane.simulators.graph.identity import Application, Secret
from callplane.simulators.graph.portal import Portal
from callplane.simulators.graph.running import RunningGraph, running_graph
from callplane.simulators.graph.seeding import (
    DEFAULT_CLIENT_ID,
    DEFAULT_SECRET,
    PersonSeed,
    RangeSeed,
    TenantSeed,
    WorldSeed,
)
from callplane.simulators.graph.world import GraphWorld
from callplane.testing.manual_clock import ManualClock
from callplane.testing.provider_contract import changes
from callplane.testing.provider_stage import (
    CALLING_PLAN_NUMBER,
    DOMAIN,
    NUMBERS,
    POLICY_TYPE,
    RETRY_AFTER_SECONDS,
    Misfortune,
    upn,
)
from callplane.values import E164

__all__ = ["changes"]

SECRET_REF = SecretKeyRef(name="graph", key="client-secret")
LISTING = ("listNumberAssignments",)
LICENCE_SECONDS = 3600.0

SEED = WorldSeed(
    tenants=(
        TenantSeed(
            domain=DOMAIN,
            people=(
                PersonSeed(upn("anna")),
                PersonSeed(upn("ben")),
                PersonSeed(upn("cara"), licensed=False),
            ),
            ranges=(
                RangeSeed(NUMBERS[0].text, len(NUMBERS)),
                RangeSeed(CALLING_PLAN_NUMBER.text, 1, "callingPlan"),
            ),
        ),
    )
)

# What goes wrong in the simulator's words. Reads fail for good, because the client library may
# repeat one by itself; a write fails once, and must not be seen twice.
RULES = {
    Misfortune.READS_CUT: FaultRule(Effect.DROP_BEFORE, ("reads",)),
    Misfortune.READS_THROTTLED: FaultRule(
        Effect.STATUS, ("reads",), status=429, retry_after_seconds=RETRY_AFTER_SECONDS
    ),
    Misfortune.LISTING_CUT: FaultRule(Effect.DROP_BEFORE, LISTING, skip=1),
    Misfortune.BAD_ROW: FaultRule(Effect.LISTING_INVALID_ROW, LISTING, times=1),
    Misfortune.REQUEST_LOST: FaultRule(Effect.DROP_BEFORE, ("writes",), times=1),
    Misfortune.ANSWER_LOST: FaultRule(Effect.DROP_AFTER, ("writes",), times=1),
    Misfortune.WRITE_THROTTLED: FaultRule(
        Effect.STATUS, ("writes",), times=1, status=429, retry_after_seconds=RETRY_AFTER_SECONDS
    ),
    Misfortune.ORDER_FAILS: FaultRule(
        Effect.ORDER_FAILS, ("writes",), times=1, message="No capacity."
    ),
    Misfortune.ORDER_FORGOTTEN: FaultRule(Effect.ORDER_LOST, ("writes",), times=1),
}


def tenant_spec(graph: RunningGraph, credentials: TeamsCredentials) -> TeamsTenantSpec:
    """The only tenant of a running simulator."""
    return TeamsTenantSpec(
        tenant_id=graph.world.tenant().id,
        credentials=credentials,
        endpoint=TeamsEndpoint(
            graph=graph.graph_url,
            authority=graph.login_url,
            ca_bundle=graph.ca_file.read_text(),
        ),
    )


def client_secret() -> TeamsCredentials:
    return TeamsCredentials(
        client_secret=ClientSecretCredentials(client_id=DEFAULT_CLIENT_ID, secret_ref=SECRET_REF)
    )


class SimulatorStage:
    """The provider as wiring makes it, and the world with its administrator."""

    def __init__(self, graph: RunningGraph, clock: ManualClock) -> None:
        self.graph = graph
        self.clock = clock
        self.world = graph.world
        self.records: list[CallRecord] = []
        self._tenant = graph.world.tenant()
        self._portal = graph.world.portal()
        # dora is licensed in the directory, and Teams takes her licence in later.
        graph.world.change_settings({"licence_lag_seconds": LICENCE_SECONDS})
        self._portal.add_user(upn("dora"))
        self.people = {
            name: self._tenant.user_id(upn(name)) or "" for name in ("anna", "ben", "cara", "dora")
        }
        self.provider: Provider = Registry().create(
            "teams",
            Ingredients(
                spec=tenant_spec(graph, client_secret()),
                clock=clock,
                secrets={SECRET_REF: DEFAULT_SECRET.encode()},
                observer=self.records.append,
            ),
        )

    def strike(self, misfortune: Misfortune) -> None:
        if misfortune is Misfortune.CREDENTIALS_WITHDRAWN:
            other = Application(client_id=DEFAULT_CLIENT_ID, secrets=[Secret("another")])
            self.world.tokens.register(self._tenant.id, other)
            self.world.tokens.revoke_all()
            return
        self.world.faults.add(RULES[misfortune])

    def calm(self) -> None:
        self.world.faults.clear()

    def orders_take(self, seconds: float) -> None:
        self.world.change_settings({"operation_seconds": seconds})

    def administrator_assigns(self, number: E164, name: str | None) -> None:
        if name is None:
            self._portal.unassign(number.text)
        else:
            self._portal.assign(number.text, upn(name))

    def administrator_groups(self, name: str, policy: str) -> None:
        self._portal.set_group_policy(upn(name), POLICY_TYPE, policy)

    def administrator_deletes(self, name: str) -> None:
        self._portal.delete_user(upn(name))

    def add_numbers(self, count: int) -> None:
        for n in range(count):
            self._portal.add_number(f"+{442920180000 + n}")

    def holder(self, number: E164) -> str | None:
        row = self._tenant.numbers.get(number.text)
        assert row is not None
        return row.assignment_target_id

    def attempts(self) -> int:
        return len(self.world.recorder.writes())


@pytest.fixture
async def stage() -> AsyncIterator[SimulatorStage]:
    # TLS looks at the machine's own clock, so the world begins where that stands.
    clock = ManualClock(SystemClock().now())
    async with running_graph(GraphWorld(clock=clock, seed=SEED), sleep=clock.sleep) as graph:
        stage = SimulatorStage(graph, clock)
        yield stage
        await stage.provider.close()


@pytest.fixture
def world(stage: SimulatorStage) -> GraphWorld:
    return stage.world


@pytest.fixture
def portal(stage: SimulatorStage) -> Portal:
    """The tenant's administrator."""
    return stage.world.portal()


@pytest.fixture
def records(stage: SimulatorStage) -> list[CallRecord]:
    """Every call that the provider made."""
    return stage.records
