"""A small simulated tenant on a clock that stands still, called without a socket."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from callplane.simulators.faults import rule_from
from callplane.simulators.graph import seeding
from callplane.simulators.graph.app import GraphApp
from callplane.simulators.graph.identity import GRAPH_SCOPE
from callplane.simulators.graph.portal import Portal
from callplane.simulators.graph.seeding import (
    ApplicationSeed,
    PersonSeed,
    RangeSeed,
    TenantSeed,
    WorldSeed,
)
from callplane.simulators.graph.tenant import Tenant
from callplane.simulators.graph.world import GraphWorld
from callplane.testing.asgi_calls import Answer, AsgiCaller
from callplane.testing.manual_clock import ManualClock

NUMBERS = "/v1.0/admin/teams/telephoneNumberManagement/numberAssignments"
FIRST = "+442079460000"
SECOND = "+442079460001"
CALLING_PLAN = "+441614960000"
READER_ID = "c11e0000-0000-4000-8000-000000000002"

SMALL_WORLD = WorldSeed(
    seed=11,
    tenants=(
        TenantSeed(
            people=(
                PersonSeed("ada@tenant.example", display_name="Ada Example"),
                PersonSeed("bob@tenant.example"),
                PersonSeed("eve@tenant.example", licensed=False),
                PersonSeed("fay@tenant.example", usage_location="FR"),
                PersonSeed("hall@tenant.example", account_type="resourceAccount"),
            ),
            ranges=(
                RangeSeed(FIRST, 10),
                RangeSeed(CALLING_PLAN, 2, number_type="callingPlan"),
            ),
            applications=(
                ApplicationSeed(),
                ApplicationSeed(client_id=READER_ID, permissions=("User.Read.All",)),
            ),
        ),
    ),
)


@dataclass(slots=True)
class GraphDesk:
    """A world, a way to call it, and its administrator."""

    clock: ManualClock
    world: GraphWorld
    calls: AsgiCaller
    ids: dict[str, str] = field(default_factory=dict)

    @property
    def tenant(self) -> Tenant:
        """The only tenant."""
        return self.world.tenant()

    @property
    def portal(self) -> Portal:
        """Its administrator."""
        return Portal(self.tenant)

    def settings(self, **changes: object) -> None:
        """Change settings."""
        self.world.change_settings(changes)

    def fault(self, **rule: object) -> int:
        """Put a fault rule in force. Returns its id."""
        return self.world.faults.add(rule_from(rule, "rule"))

    async def assign(self, number: str, name: str, **more: object) -> Answer:
        """POST assignNumber for a person by name (or by id)."""
        body = {
            "telephoneNumber": number,
            "assignmentTargetId": self.ids.get(name, name),
            "numberType": "directRouting",
            **more,
        }
        return await self.calls.post(f"{NUMBERS}/assignNumber", body)

    async def unassign(self, number: str, number_type: str = "directRouting") -> Answer:
        """POST unassignNumber."""
        body = {"telephoneNumber": number, "numberType": number_type}
        return await self.calls.post(f"{NUMBERS}/unassignNumber", body)

    async def order(self, accepted: Answer) -> Any:
        """The order an accepted request made."""
        assert accepted.status == 202, accepted.document
        answer = await self.calls.get(accepted.headers["location"])
        assert answer.status == 200, answer.document
        return answer.document

    async def number(self, number: str = FIRST) -> Any:
        """A number as Graph shows it."""
        answer = await self.calls.get(NUMBERS, filter=f"telephoneNumber eq '{number}'")
        assert answer.status == 200, answer.document
        return answer.document["value"][0]

    async def person(self, name: str) -> Any:
        """A person's Teams configuration as Graph shows it."""
        path = f"/v1.0/admin/teams/userConfigurations/{self.ids[name]}"
        return (await self.calls.get(path)).document

    def bearer(self, client_id: str = seeding.DEFAULT_CLIENT_ID) -> str:
        """An access token for an application of the tenant."""
        form = {
            "grant_type": "client_credentials",
            "client_id": client_id,
            "client_secret": seeding.DEFAULT_SECRET,
            "scope": GRAPH_SCOPE,
        }
        token = self.world.tokens.issue(
            self.tenant.id, form, audience="", lifetime_seconds=self.tenant.settings.token_seconds
        )
        return str(token["access_token"])


def open_desk(seed: WorldSeed = SMALL_WORLD) -> GraphDesk:
    """A desk over a world with one tenant; without a seed: five people, ten Direct Routing numbers
    and two of a Calling Plan.
    """
    clock = ManualClock()
    world = GraphWorld(clock=clock, seed=seed)
    desk = GraphDesk(clock, world, AsgiCaller(GraphApp(world, sleep=clock.sleep)))
    desk.calls.headers["authorization"] = f"Bearer {desk.bearer()}"
    for row in desk.tenant.users.rows():
        desk.ids[row.user_principal_name.partition("@")[0]] = row.id
    return desk
