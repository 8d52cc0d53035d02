"""A small simulated Webex organisation on a clock that stands still, called without a socket."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from callplane.simulators.faults import rule_from
from callplane.simulators.webex import seeding
from callplane.simulators.webex.app import WebexApp
from callplane.simulators.webex.organisation import Organisation
from callplane.simulators.webex.portal import Portal
from callplane.simulators.webex.rows import CISCO_PSTN, INTEGRATED, NON_INTEGRATED
from callplane.simulators.webex.seeding import (
    LocationSeed,
    OrganisationSeed,
    PersonSeed,
    RangeSeed,
    ServiceAppSeed,
    ServiceSeed,
    WorldSeed,
)
from callplane.simulators.webex.world import WebexWorld
from callplane.testing.asgi_calls import Answer, AsgiCaller
from callplane.testing.manual_clock import ManualClock

LONDON_MAIN = "+442079460000"
FIRST = "+442079460001"
SECOND = "+442079460002"
HELD = "+442079460008"
SERVED = "+442079460009"
LEEDS = "+441134960000"
CARDIFF = "+442920180000"
GLASGOW = "+441414960000"
READER_ID = "C1e57000000000000000000000000002"
READER_REFRESH = "reader-refresh-token"

SMALL_WORLD = WorldSeed(
    seed=11,
    organisations=(
        OrganisationSeed(
            locations=(
                LocationSeed("London", main_number=LONDON_MAIN, routing_prefix="80"),
                LocationSeed("Leeds", pstn_type=NON_INTEGRATED),
                LocationSeed("Cardiff", pstn_type=CISCO_PSTN),
                LocationSeed("Glasgow", pstn_type=INTEGRATED),
            ),
            ranges=(
                RangeSeed(LONDON_MAIN, 10),
                RangeSeed(LEEDS, 5, "Leeds"),
                RangeSeed(CARDIFF, 2, "Cardiff"),
                RangeSeed(GLASGOW, 2, "Glasgow"),
            ),
            people=(
                PersonSeed("ada@organisation.example", "Ada", "Example"),
                PersonSeed("bob@organisation.example", "Bob", "Example"),
                PersonSeed(
                    "cat@organisation.example",
                    "Cat",
                    "Example",
                    location="London",
                    number=HELD,
                    extension="1008",
                    licences=("professional", "messaging"),
                ),
                PersonSeed(
                    "eve@organisation.example",
                    "Eve",
                    "Example",
                    location="London",
                    extension="1010",
                    licences=("professional",),
                ),
            ),
            services=(ServiceSeed("Reception", number=SERVED, extension="1009"),),
            service_apps=(
                ServiceAppSeed(),
                ServiceAppSeed(
                    client_id=READER_ID,
                    refresh_token=READER_REFRESH,
                    scopes=("spark-admin:people_read",),
                ),
            ),
        ),
    ),
)


@dataclass(slots=True)
class WebexDesk:
    """A world, a way to call it, and its administrator. Paths are given without `/v1/`."""

    clock: ManualClock
    world: WebexWorld
    calls: AsgiCaller
    ids: dict[str, str] = field(default_factory=dict)
    """People by the name before the @, locations, services and licence kinds by name."""

    @property
    def organisation(self) -> Organisation:
        """The only organisation."""
        return self.world.organisation()

    @property
    def portal(self) -> Portal:
        """Its administrator."""
        return self.world.portal()

    def settings(self, **changes: object) -> None:
        """Change settings."""
        self.world.change_settings(changes)

    def fault(self, **rule: object) -> int:
        """Put a fault rule in force. Returns its id."""
        return self.world.faults.add(rule_from(rule, "rule"))

    async def get(self, path: str, **query: str) -> Answer:
        """GET; a link of the application may be given whole."""
        whole = path if path.startswith("http") else f"/v1/{path}"
        return await self.calls.request("GET", whole, query=query)

    async def send(self, method: str, path: str, body: object = None, **query: str) -> Answer:
        """Any other request."""
        return await self.calls.request(method, f"/v1/{path}", query=query, body=body)

    async def number(self, number: str) -> Any:
        """A number as the list shows it, None when it is not there."""
        found = (await self.get("telephony/config/numbers", phoneNumber=number)).document
        return next(iter(found["phoneNumbers"]), None)

    async def person(self, name: str) -> Any:
        """A person with the Calling fields."""
        return (await self.get(f"people/{self.ids.get(name, name)}", callingData="true")).document

    async def give(self, name: str, number: str | None, **properties: object) -> Answer:
        """PATCH licences: a Professional licence with a line, for a person by name."""
        line = {"phoneNumber": number, **properties}
        wanted = {"id": self.ids["professional"], "properties": line}
        body = {"personId": self.ids[name], "licenses": [wanted]}
        return await self.send("PATCH", "licenses/users", body)

    def bearer(
        self,
        client_id: str = seeding.DEFAULT_CLIENT_ID,
        refresh_token: str = seeding.DEFAULT_REFRESH_TOKEN,
    ) -> str:
        """An access token for a service app of the organisation."""
        form = {
            "grant_type": "refresh_token",
            "client_id": client_id,
            "client_secret": seeding.DEFAULT_SECRET,
            "refresh_token": refresh_token,
        }
        settings = self.organisation.settings
        return str(self.world.tokens.refresh(form, lambda _: settings)["access_token"])


def open_desk(seed: WorldSeed = SMALL_WORLD) -> WebexDesk:
    """A desk over a world with one organisation; without a seed: four people, of whom one holds a
    number and one an extension, an auto attendant, and a location of each kind of PSTN.
    """
    clock = ManualClock()
    world = WebexWorld(clock=clock, seed=seed)
    desk = WebexDesk(
        clock, world, AsgiCaller(WebexApp(world, sleep=clock.sleep), host="webex.test")
    )
    desk.calls.headers["authorization"] = f"Bearer {desk.bearer()}"
    organisation = desk.organisation
    for licence in organisation.licences.values():
        desk.ids.setdefault(licence.kind, licence.id)
    desk.ids |= {row.name: row.id for row in organisation.locations.rows()}
    desk.ids |= {row.name: row.id for row in organisation.services.rows()}
    for person in organisation.people.rows():
        desk.ids[person.email.partition("@")[0]] = person.id
    return desk
