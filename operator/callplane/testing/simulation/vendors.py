"""The company's other systems: a Webex organisation, and accounts with five carriers.

Four carriers are simulated worlds; the fifth is one that cannot be asked, whose numbers are only
declared. What each has is in the seeds here, what goes wrong with it is drawn by the happenings.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from callplane.clock import Clock
from callplane.providers.carrier_protocol import CarrierProvider
from callplane.providers.protocol import Provider
from callplane.providers.registry import CarrierRegistry, Ingredients, Registry
from callplane.simulators.carriers.portal import Portal as CarrierPortal
from callplane.simulators.carriers.rest_app import RestApp
from callplane.simulators.carriers.seeding import (
    DEFAULT_ACCOUNT,
    DEFAULT_SECRET,
    DEFAULT_USER,
    AccountSeed,
    RangeSeed,
    WorldSeed,
)
from callplane.simulators.carriers.surface import Surface
from callplane.simulators.carriers.world import Account, CarrierWorld
from callplane.simulators.didww.surface import DidwwSurface
from callplane.simulators.didww.world import DidwwWorld
from callplane.simulators.simwood.surface import SimwoodSurface
from callplane.simulators.simwood.world import SimwoodWorld
from callplane.simulators.telnyx.surface import TelnyxSurface
from callplane.simulators.telnyx.world import TelnyxWorld
from callplane.simulators.twilio.surface import TwilioSurface
from callplane.simulators.twilio.world import DEFAULT_SID, TwilioWorld
from callplane.simulators.webex import seeding as webex_seeding
from callplane.simulators.webex.app import WebexApp
from callplane.simulators.webex.world import WebexWorld
from callplane.testing.simulation.vendor_lines import VendorLines

WEBEX = "webex"
WEBEX_HOST = "webex.test"
SIMWOOD, TELNYX, TWILIO, DIDWW = "simwood", "telnyx", "twilio", "didww"
BRING_YOUR_OWN = "bringyourown"
BALANCE_MINOR = 10_000_000
NUMBERS_EACH = 60
OWNED_FROM, PORTABLE_FROM = 30, 45
"""Of each carrier's numbers: on sale, then owned from the beginning, then another carrier's."""
PORT_STEP_SECONDS = 4 * 3600.0
OTHER_NUMBER = "+442896496999"
"""The one number that Webex has at first; all others come to it when somebody gets them there."""


@dataclass(frozen=True, slots=True)
class CarrierFacts:
    """How a carrier is called and reached. `first` is the first of its numbers."""

    kind: str
    account: str
    first: str
    host: str
    path: str
    world: type[CarrierWorld]
    surface: type[Surface]
    port_done: str = ""
    """The carrier's word for a port that is complete; empty where ports are not supported."""


CARRIERS: Mapping[str, CarrierFacts] = {
    SIMWOOD: CarrierFacts(
        "Simwood",
        DEFAULT_ACCOUNT,
        "+441914980000",
        "simwood.test",
        SimwoodSurface.api_path,
        SimwoodWorld,
        SimwoodSurface,
        port_done="complete",
    ),
    TELNYX: CarrierFacts(
        "Telnyx",
        DEFAULT_ACCOUNT,
        "+442920180000",
        "telnyx.test",
        TelnyxSurface.api_path,
        TelnyxWorld,
        TelnyxSurface,
        port_done="ported",
    ),
    TWILIO: CarrierFacts(
        "Twilio",
        DEFAULT_SID,
        "+442896496000",
        "twilio.test",
        TwilioSurface.api_path,
        TwilioWorld,
        TwilioSurface,
    ),
    DIDWW: CarrierFacts(
        "Didww",
        DEFAULT_ACCOUNT,
        "+441184960000",
        "didww.test",
        DidwwSurface.api_path,
        DidwwWorld,
        DidwwSurface,
    ),
}
OWN_FIRST = "+441214960000"
"""Numbers of the carrier that cannot be asked."""


@dataclass(slots=True)
class AtCarrier:
    """One carrier, and the people who work there."""

    facts: CarrierFacts
    world: CarrierWorld
    surface: Surface

    @property
    def account(self) -> Account:
        return self.world.account()

    @property
    def portal(self) -> CarrierPortal:
        return self.surface.portal(self.world, self.account)

    def number(self, index: int) -> str:
        return f"+{int(self.facts.first[1:]) + index}"

    def owns(self, number: str) -> bool:
        row = self.world.stock.get(number)
        return row is not None and row.owner == self.account.id


class Vendors:
    """Worlds, and the providers that reach them."""

    def __init__(self, *, clock: Clock, chance: random.Random, written: Any) -> None:
        self._clock = clock
        self.lines = VendorLines(clock, written=written)
        self.webex = WebexWorld(clock=clock, seed=_webex_seed(chance))
        self.lines.connect(WEBEX_HOST, WebexApp(self.webex, sleep=asyncio.sleep))
        self.carriers = {name: self._carrier(facts, chance) for name, facts in CARRIERS.items()}
        self.lines.install()

    def _carrier(self, facts: CarrierFacts, chance: random.Random) -> AtCarrier:
        world = facts.world(clock=self._clock, seed=_carrier_seed(facts, chance))
        surface = facts.surface()
        self.lines.connect(facts.host, RestApp(world, surface, sleep=asyncio.sleep))
        return AtCarrier(facts, world, surface)

    def platform(self, name: str, ingredients: Ingredients) -> Provider:
        """The provider of a WebexOrganization, as production makes it."""
        return Registry().create(name, ingredients)

    def carrier(self, name: str, ingredients: Ingredients) -> CarrierProvider:
        """The provider of a Carrier, as production makes it."""
        return CarrierRegistry().create(name, ingredients)


def organization_spec() -> dict[str, Any]:
    """How the company declares its organisation."""
    app = {
        "clientId": webex_seeding.DEFAULT_CLIENT_ID,
        "clientSecretRef": {"name": WEBEX, "key": "client-secret"},
        "refreshTokenRef": {"name": WEBEX, "key": "refresh-token"},
    }
    return {
        "orgId": webex_seeding.DEFAULT_ORGANISATION_ID,
        "credentials": {"serviceApp": app},
        "endpoint": {"api": f"https://{WEBEX_HOST}/v1"},
        "writesPerSecond": 10,
        "driftInterval": "30m",
    }


def carrier_spec(name: str) -> dict[str, Any]:
    """How the company declares its account with a carrier."""
    if name == BRING_YOUR_OWN:
        return {"type": "BringYourOwn", "account": "own"}
    facts = CARRIERS[name]
    credentials = {"secretRef": {"name": "carriers", "key": "secret"}}
    user = {"user": DEFAULT_USER} if name == SIMWOOD else {}
    return {
        "type": facts.kind,
        "account": facts.account,
        "credentials": {**user, **credentials},
        "endpoint": {"url": f"https://{facts.host}{facts.path}"},
        "purchasing": {"enabled": True, "limit": {"numbers": 1000}},
        "writesPerSecond": 10,
        "driftInterval": "2h",
    }


def secrets() -> dict[str, dict[str, str]]:
    """Contents of the Secrets that the connections name."""
    return {
        WEBEX: {
            "client-secret": webex_seeding.DEFAULT_SECRET,
            "refresh-token": webex_seeding.DEFAULT_REFRESH_TOKEN,
        },
        "carriers": {"secret": DEFAULT_SECRET},
    }


def own_number(index: int) -> str:
    return f"+{int(OWN_FIRST[1:]) + index}"


def _webex_seed(chance: random.Random) -> webex_seeding.WorldSeed:
    organisation = webex_seeding.OrganisationSeed(
        ranges=(webex_seeding.RangeSeed(OTHER_NUMBER),),
        settings={"read_lag_seconds": 2.0, "listing_lag_seconds": 10.0},
    )
    return webex_seeding.WorldSeed(seed=chance.randrange(10**6), organisations=(organisation,))


def _carrier_seed(facts: CarrierFacts, chance: random.Random) -> WorldSeed:
    first = int(facts.first[1:])
    return WorldSeed(
        seed=chance.randrange(10**6),
        settings={
            "order_seconds": 20.0,
            "port_step_seconds": PORT_STEP_SECONDS,
            "read_lag_seconds": 2.0,
            "listing_lag_seconds": 5.0,
        },
        accounts=(AccountSeed(facts.account, balance_minor=BALANCE_MINOR),),
        ranges=(
            RangeSeed(f"+{first}", OWNED_FROM),
            RangeSeed(f"+{first + OWNED_FROM}", PORTABLE_FROM - OWNED_FROM, owner=facts.account),
            RangeSeed(f"+{first + PORTABLE_FROM}", NUMBERS_EACH - PORTABLE_FROM, on_sale=False),
        ),
    )
