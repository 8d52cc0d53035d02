"""Every system that keeps a log of calls, simulated: its feed, its log, and what can go wrong."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from callplane.apis.carriers import CarrierCredentials, CarrierEndpoint, CarrierSpec, CarrierType
from callplane.apis.references import SecretKeyRef
from callplane.apis.teams_tenants import (
    ClientSecretCredentials,
    TeamsCredentials,
    TeamsEndpoint,
    TeamsTenantSpec,
)
from callplane.providers.call_reports import CallReports
from callplane.providers.registry import CarrierRegistry, Ingredients, Registry
from callplane.simulators.call_log import CallLog
from callplane.simulators.carriers.running import running_carrier
from callplane.simulators.carriers.seeding import DEFAULT_SECRET as CARRIER_SECRET
from callplane.simulators.carriers.seeding import AccountSeed
from callplane.simulators.carriers.seeding import WorldSeed as CarrierSeed
from callplane.simulators.faults import FaultScript
from callplane.simulators.graph.running import running_graph
from callplane.simulators.graph.seeding import (
    DEFAULT_CLIENT_ID,
    DEFAULT_SECRET,
    PersonSeed,
    TenantSeed,
    WorldSeed,
)
from callplane.simulators.graph.world import GraphWorld
from callplane.simulators.telnyx.surface import TelnyxSurface
from callplane.simulators.telnyx.world import TelnyxWorld
from callplane.simulators.twilio.surface import TwilioSurface
from callplane.simulators.twilio.world import DEFAULT_SID, TwilioWorld
from callplane.simulators.webex.running import running_webex
from callplane.simulators.webex.world import WebexWorld
from callplane.testing.manual_clock import ManualClock
from callplane.testing.webex_desk import SMALL_WORLD
from callplane.testing.webex_stage import WebexStage

NOW = datetime(2026, 11, 3, 12, tzinfo=UTC)
KEY = SecretKeyRef(name="calls", key="secret")
SYSTEMS = ("teams", "teams-pstn", "webex", "twilio", "telnyx")


@dataclass
class Stage:
    """One system at work. `kind` is how fault rules call the question; `user` is a person's id."""

    reports: CallReports
    log: CallLog
    faults: FaultScript
    clock: ManualClock
    kind: str
    user: str = ""


@asynccontextmanager
async def staged(system: str) -> AsyncIterator[Stage]:
    clock = ManualClock(NOW)
    opened: Any
    if system.startswith("teams"):
        opened = _teams(clock, is_pstn=system == "teams-pstn")
    elif system == "webex":
        opened = _webex(clock)
    else:
        opened = _carrier(clock, system)
    async with opened as stage:
        yield stage


@asynccontextmanager
async def _teams(clock: ManualClock, *, is_pstn: bool) -> AsyncIterator[Stage]:
    tenant = TenantSeed(domain="acme.example", people=(PersonSeed("anna@acme.example"),))
    world = GraphWorld(clock=clock, seed=WorldSeed(tenants=(tenant,)))
    world.change_settings({"call_page_size": 3})
    async with running_graph(world, sleep=clock.sleep) as graph:
        found = world.tenant()
        spec = TeamsTenantSpec(
            tenant_id=found.id,
            credentials=TeamsCredentials(
                client_secret=ClientSecretCredentials(client_id=DEFAULT_CLIENT_ID, secret_ref=KEY)
            ),
            endpoint=TeamsEndpoint(
                graph=graph.graph_url,
                authority=graph.login_url,
                ca_bundle=graph.ca_file.read_text(),
            ),
        )
        ingredients = Ingredients(spec=spec, clock=clock, secrets={KEY: DEFAULT_SECRET.encode()})
        provider = Registry().create("teams", ingredients)
        yield Stage(
            provider.call_reports,  # type: ignore[attr-defined]
            found.pstn_calls if is_pstn else found.direct_routing_calls,
            world.faults,
            clock,
            "getPstnCalls" if is_pstn else "getDirectRoutingCalls",
            str(found.user_id("anna@acme.example")),
        )
        await provider.close()


@asynccontextmanager
async def _webex(clock: ManualClock) -> AsyncIterator[Stage]:
    world = WebexWorld(clock=clock, seed=SMALL_WORLD)
    async with running_webex(world, sleep=clock.sleep) as webex:
        stage = WebexStage(webex, clock)
        reports = stage.provider.call_reports  # type: ignore[attr-defined]
        yield Stage(reports, stage.organisation.calls, world.faults, clock, "cdrFeed")
        await stage.provider.close()


@asynccontextmanager
async def _carrier(clock: ManualClock, system: str) -> AsyncIterator[Stage]:
    if system == "twilio":
        seed = CarrierSeed(accounts=(AccountSeed(DEFAULT_SID),))
        world: Any = TwilioWorld(clock=clock, seed=seed)
        surface: Any = TwilioSurface()
        kind, account, name = "listCalls", DEFAULT_SID, CarrierType.TWILIO
    else:
        world, surface = TelnyxWorld(clock=clock), TelnyxSurface()
        kind, account, name = "listDetailRecords", "example", CarrierType.TELNYX
    async with running_carrier(world, surface, sleep=clock.sleep) as carrier:
        spec = CarrierSpec(
            type=name,
            account=account,
            credentials=CarrierCredentials(secret_ref=KEY),
            endpoint=CarrierEndpoint(url=carrier.api_url),
        )
        ingredients = Ingredients(spec, clock, {KEY: CARRIER_SECRET.encode()})
        provider = CarrierRegistry().create(system, ingredients)
        reports = provider.call_reports  # type: ignore[attr-defined]
        yield Stage(reports, world.account().calls, world.faults, clock, kind)
        await provider.close()


@pytest.fixture(params=SYSTEMS)
async def stage(request: pytest.FixtureRequest) -> AsyncIterator[Stage]:
    async with staged(request.param) as found:
        yield found
