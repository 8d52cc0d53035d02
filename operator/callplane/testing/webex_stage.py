"""The Webex provider in front of the simulated organisation, both on one clock that stands still.

Locations: London over our own trunk (its main number is +44 20 7946 0000), Leeds with a provider
whose numbers we may write, Cardiff and Glasgow with others who do that themselves.
"""

from __future__ import annotations

from callplane.apis.references import SecretKeyRef
from callplane.apis.webex_organizations import (
    ServiceAppCredentials,
    WebexCredentials,
    WebexEndpoint,
    WebexOrganizationSpec,
)
from callplane.plan.change import Change, Operation
from callplane.providers.protocol import Provider
from callplane.providers.registry import Ingredients, Registry
from callplane.providers.transport import CallRecord
from callplane.simulators.faults import Effect, FaultRule
from callplane.simulators.webex.organisation import Organisation
from callplane.simulators.webex.portal import Portal
from callplane.simulators.webex.running import RunningWebex
from callplane.simulators.webex.seeding import (
    DEFAULT_CLIENT_ID,
    DEFAULT_REFRESH_TOKEN,
    DEFAULT_SECRET,
)
from callplane.simulators.webex.world import WebexWorld
from callplane.testing.manual_clock import ManualClock
from callplane.values import E164, Platform

SECRET = SecretKeyRef(name="webex", key="client-secret")
REFRESH = SecretKeyRef(name="webex", key="refresh-token")


def organization_spec(webex: RunningWebex, *, org_id: str = "") -> WebexOrganizationSpec:
    """The only organisation of a running simulator."""
    return WebexOrganizationSpec(
        org_id=org_id or webex.world.organisation().id,
        credentials=WebexCredentials(
            service_app=ServiceAppCredentials(
                client_id=DEFAULT_CLIENT_ID, client_secret_ref=SECRET, refresh_token_ref=REFRESH
            )
        ),
        endpoint=WebexEndpoint(api=webex.base_url),
    )


class WebexStage:
    """The provider as wiring makes it, and the organisation with its administrator."""

    def __init__(self, webex: RunningWebex, clock: ManualClock) -> None:
        self.webex = webex
        self.clock = clock
        self.world: WebexWorld = webex.world
        self.records: list[CallRecord] = []
        self.provider = self.make()

    def make(self, *, org_id: str = "", refresh_token: str = DEFAULT_REFRESH_TOKEN) -> Provider:
        """A provider of its own."""
        return Registry().create(
            "webex",
            Ingredients(
                spec=organization_spec(self.webex, org_id=org_id),
                clock=self.clock,
                secrets={SECRET: DEFAULT_SECRET.encode(), REFRESH: refresh_token.encode() + b"\n"},
                observer=self.records.append,
            ),
        )

    @property
    def organisation(self) -> Organisation:
        return self.world.organisation()

    @property
    def portal(self) -> Portal:
        return self.world.portal()

    def person(self, name: str) -> str:
        """The id of a person by what stands before the @."""
        for row in self.organisation.people.rows():
            if row.email.partition("@")[0] == name:
                return row.id
        raise AssertionError(f"there is no {name}")

    def licences_of(self, name: str) -> set[str]:
        row = self.organisation.people.get(self.person(name))
        assert row is not None
        return {self.organisation.licences[key].kind for key in row.licences}

    def owner(self, number: str) -> str | None:
        """The truth: who has a number, by what stands before the @."""
        row = self.organisation.numbers.get(number)
        if row is None or row.owner is None:
            return None
        person = self.organisation.people.get(row.owner.id)
        return person.email.partition("@")[0] if person is not None else row.owner.type

    def fault(self, effect: Effect, *kinds: str, **fields: object) -> None:
        """Something goes wrong; see `simulators.faults`."""
        self.world.faults.add(FaultRule(effect, kinds or ("*",), **fields))  # type: ignore[arg-type]

    def writes(self) -> list[str]:
        """Kinds of the writes that arrived, in order, refused and lost ones included."""
        return [entry.kind for entry in self.world.recorder.writes()]

    # Changes

    def assign(self, name: str, number: str, **more: str) -> Change:
        after = {"number": number, "type": "webex", "location": "London", **more}
        after = {key: value for key, value in after.items() if value}
        return self._change(Operation.ASSIGN_NUMBER, name, None, after)

    def unassign(self, name: str, number: str) -> Change:
        before = {"number": number, "type": "webex"}
        return self._change(Operation.UNASSIGN_NUMBER, name, before, None)

    def set(self, name: str, setting: str, value: str, **more: str) -> Change:
        return self._change(
            Operation.SET_POLICY, name, None, {"type": setting, "name": value, **more}
        )

    def move(self, name: str, number: str, location: str) -> Change:
        fields = {"number": number, "type": "webex", "location": location}
        return self._change(Operation.SET_LOCATION, name, None, fields)

    def _change(
        self,
        operation: Operation,
        name: str,
        before: dict[str, str] | None,
        after: dict[str, str] | None,
    ) -> Change:
        connection = self.provider.connection
        subject = self.person(name)
        return Change(connection, operation, Platform.WEBEX, subject, before, after)

    async def holder(self, number: str) -> str | None:
        """Who has a number as the provider reads it."""
        row = (await self.provider.read_number(E164(number))).row
        return row.holder_id if row is not None else None
