"""The engine over each real carrier provider: bought, set up, and given back.

The provider is made by the registry as wiring makes it; in place of a network it has the simulator
of its carrier in the same process, so that time is virtual. What the providers promise one by one
is the carrier contract; here it is that the engine can live with what they say.
"""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pytest

from callplane.clock import Clock
from callplane.providers import carrier_access
from callplane.providers.registry import CarrierRegistry, Ingredients
from callplane.providers.transport import Answer, Request, Transport
from callplane.simulators.carriers.rest_app import RestApp
from callplane.simulators.carriers.seeding import AccountSeed, KeySeed, RangeSeed, WorldSeed
from callplane.simulators.carriers.surface import Surface
from callplane.simulators.carriers.world import CarrierWorld
from callplane.simulators.didww.surface import DidwwSurface
from callplane.simulators.didww.world import DidwwWorld
from callplane.simulators.faults import Effect, FaultRule
from callplane.simulators.telnyx.surface import TelnyxSurface
from callplane.simulators.telnyx.world import TelnyxWorld
from callplane.simulators.twilio.surface import TwilioSurface
from callplane.simulators.twilio.world import DEFAULT_SID, TwilioWorld
from callplane.testing import engine_world
from callplane.testing.asgi_calls import AsgiCaller
from callplane.testing.carrier_estate import declare_number, seed_carrier, seed_location
from callplane.testing.carrier_stage import ON_SALE
from callplane.testing.engine_world import SECRET, START, EngineWorld, Worlds

pytestmark = pytest.mark.looptime

WANTED = ON_SALE[3]
BUYS = {"enabled": True, "limit": {"numbers": 10}}
LONG_AGO = (START - datetime.timedelta(days=100)).date()
DAY = 86_400.0
URL = "https://carrier.test"


@dataclass(frozen=True, slots=True)
class Case:
    """A carrier, and what on it an account must have: `shelf` of trunks and the id of one."""

    type: str
    world: Callable[..., CarrierWorld]
    surface: Surface
    shelf: str
    trunk: str
    account: str = "930000"
    has_addresses: bool = True


CASES = (
    Case("Telnyx", TelnyxWorld, TelnyxSurface(), "fqdn_connections", "1521916448077770001"),
    Case("Twilio", TwilioWorld, TwilioSurface(), "trunks", "TK" + "0" * 32, DEFAULT_SID),
    Case(
        "Didww",
        DidwwWorld,
        DidwwSurface(),
        "voice_in_trunks",
        "0f1e2d3c-0000-4000-8000-000000000001",
        has_addresses=False,
    ),
)


class InProcess(Transport):
    """The transport with its judgement, over an application in place of a socket."""

    def __init__(self, provider: str, *, clock: Clock, app: RestApp) -> None:
        super().__init__(provider, clock=clock)
        self._calls = AsgiCaller(app, host="carrier.test")

    async def _send(self, request: Request) -> Answer:
        target = urlsplit(request.url)
        path = f"{target.path}?{target.query}" if target.query else target.path
        found = await self._calls.request(
            request.method, path, body=request.body, headers=dict(request.headers)
        )
        if not found.status:
            raise self._no_answer(request, "cut off")
        return Answer(found.status, found.headers, found.body)


@pytest.fixture(params=CASES, ids=lambda case: case.type)
def case(request: pytest.FixtureRequest) -> Case:
    found: Case = request.param
    return found


async def estate(
    worlds: Worlds, case: Case, monkeypatch: pytest.MonkeyPatch
) -> tuple[EngineWorld, CarrierWorld]:
    """An engine that manages an account with the carrier, which owns nothing yet."""
    world = worlds.add(EngineWorld())
    keys = (KeySeed(secret=SECRET.decode()),)
    seed = WorldSeed(
        accounts=(AccountSeed(case.account, keys=keys),),
        ranges=(RangeSeed(ON_SALE[0].text, len(ON_SALE)),),
    )
    carrier = case.world(clock=world.clock, seed=seed)
    carrier.account().shelf(case.shelf)[case.trunk] = {"sid": case.trunk, "connection_name": "sbc"}
    app = RestApp(carrier, case.surface, sleep=asyncio.sleep)

    def open_transport(provider: str, ingredients: Ingredients) -> Transport:
        return InProcess(provider, clock=ingredients.clock, app=app)

    def made(_: EngineWorld, name: str, ingredients: Ingredients) -> Any:
        provider: Any = CarrierRegistry().create(name, ingredients)
        if case.type == "Telnyx":
            # The SDK looks at the machine on a thread, during which virtual time would run on.
            provider._client._sdk._platform = "Unknown"
        return provider

    monkeypatch.setattr(carrier_access, "open_transport", open_transport)
    monkeypatch.setattr(engine_world, "carrier_provider", made)
    await seed_location(world)
    await seed_carrier(
        world,
        type=case.type,
        account=case.account,
        credentials={"secretRef": {"name": "graph", "key": "secret"}},
        endpoint={"url": f"{URL}{case.surface.api_path}"},
        trunk={"name": case.trunk},
        driftInterval="30m",
        purchasing=BUYS,
    )
    await world.start()
    await world.settle(10)
    return world, carrier


async def order(world: EngineWorld, case: Case, **spec: Any) -> None:
    location = {"name": "office"} if case.has_addresses else None
    terms = {"acquisition": "Order", "emergencyLocationRef": location, **spec}
    await declare_number(world, "front", WANTED, **terms)
    await world.settle(300)


def charges(carrier: CarrierWorld) -> int:
    paid = carrier.account().charges
    return sum((each.what, each.subject) == ("setup", WANTED.text) for each in paid)


async def reason(world: EngineWorld) -> str:
    return await world.reason("front", kind="PhoneNumber")


async def test_a_number_is_bought_set_up_and_given_back(
    worlds: Worlds, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, carrier = await estate(worlds, case, monkeypatch)
    await order(world, case)
    assert await reason(world) == "Succeeded"
    row = carrier.stock.get(WANTED.text)
    assert row is not None
    assert case.trunk in row.attributes.values()
    assert charges(carrier) == 1
    writes = len(carrier.recorder.writes())
    await world.settle(0.1 * DAY)
    assert len(carrier.recorder.writes()) == writes, "a settled number is written to again"
    acknowledgement = {"number": WANTED.text, "date": LONG_AGO.isoformat()}
    await order(
        world,
        case,
        releasePolicy="Release",
        releaseAcknowledgement=acknowledgement,
        quarantine={"days": 1},
    )
    await world.settle(1.1 * DAY)
    assert await reason(world) == "False ApprovalRequired"
    await world.answer()
    await world.settle(300)
    assert await reason(world) == "Released"
    row = carrier.stock.get(WANTED.text)
    assert row is not None
    assert row.owner is None


async def test_an_order_whose_answer_is_lost_buys_once(
    worlds: Worlds, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, carrier = await estate(worlds, case, monkeypatch)
    carrier.faults.add(FaultRule(Effect.DROP_AFTER, ("createOrder", "buyNumber"), times=1))
    await order(world, case)
    assert await reason(world) == "Succeeded"
    assert charges(carrier) == 1
