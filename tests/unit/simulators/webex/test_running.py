"""Over real sockets: a body with DELETE arrives, and another process steers the world."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest

from callplane.sandbox.simulator_control import SimulatorControl, SimulatorRefused
from callplane.simulators.webex import seeding
from callplane.simulators.webex.running import RunningWebex, running_webex
from callplane.simulators.webex.world import WebexWorld
from callplane.testing.webex_desk import FIRST, HELD, LONDON_MAIN, SMALL_WORLD


@pytest.fixture
async def webex() -> AsyncIterator[RunningWebex]:
    async with running_webex(WebexWorld(seed=SMALL_WORLD)) as webex:
        yield webex


async def signed_in(webex: RunningWebex, session: aiohttp.ClientSession) -> dict[str, str]:
    form = {
        "grant_type": "refresh_token",
        "client_id": seeding.DEFAULT_CLIENT_ID,
        "client_secret": seeding.DEFAULT_SECRET,
        "refresh_token": seeding.DEFAULT_REFRESH_TOKEN,
    }
    async with session.post(webex.token_url, data=form) as answer:
        return {"Authorization": f"Bearer {(await answer.json())['access_token']}"}


async def test_a_body_with_delete_arrives(webex: RunningWebex) -> None:
    organisation = webex.world.organisation()
    london = seeding.location_id(organisation, "London")
    url = f"{webex.base_url}/telephony/config/locations/{london}/numbers"
    async with aiohttp.ClientSession() as session:
        headers = await signed_in(webex, session)
        statuses = []
        for number in (LONDON_MAIN, FIRST):
            body = {"phoneNumbers": [number]}
            async with session.delete(url, json=body, headers=headers) as answer:
                statuses.append(answer.status)

    assert statuses == [400, 204]
    assert organisation.numbers.get(FIRST) is None


async def test_another_process_steers_the_world(webex: RunningWebex) -> None:
    def steer() -> None:
        control = SimulatorControl(webex.control_url)
        described = control.describe()
        assert "assign" in described["portal"]
        assert "assignLicences" in described["fault_kinds"]
        assert any("/_simulator/state" in line for line in described["endpoints"])
        holder = control.holder(HELD)
        assert control.user("cat@organisation.example")["id"] == holder
        control.portal("unassign", number=HELD)
        assert control.holder(HELD) is None
        assert [each["by"] for each in control.changes()] == ["portal"]
        assert control.change_settings(writes_per_second=10)["writes_per_second"] == 10
        assert control.add_fault(effect="refused-after", kinds=["createPerson"]) == 1
        assert control.faults()[0]["struck"] == 0
        control.clear_faults()
        assert control.writes() == []
        assert control.counters()["writes"] == 0
        assert control.state()["damage"] == []
        assert control.add_tenant(id="second", users=1) == "second"
        assert control.revoke_tokens() == 0
        for action, arguments in (("fly", {}), ("assign", {"number": HELD})):
            with pytest.raises(SimulatorRefused):
                control.portal(action, **arguments)

    await asyncio.to_thread(steer)


def test_the_ready_document_says_how_to_reach_it() -> None:
    async def document() -> dict[str, object]:
        async with running_webex(WebexWorld(seed=SMALL_WORLD)) as webex:
            return webex.document() | {"port": webex.served.port}

    found = asyncio.run(document())
    assert found["simulator"] == "webex"
    assert found["token_url"] == f"http://127.0.0.1:{found['port']}/v1/access_token"
    assert found["tenants"] == [seeding.DEFAULT_ORGANISATION_ID]
