"""A simulator is steered from outside its process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from callplane.sandbox.simulator_control import SimulatorControl, SimulatorRefused
from callplane.simulators.graph.running import running_graph
from callplane.simulators.graph.seeding import DEFAULT_TENANT_ID, TenantSeed, WorldSeed
from callplane.simulators.graph.world import GraphWorld

FIRST, SECOND = "+442079460000", "+442079460001"
ADA, BOB = "user00001@tenant.example", "user00002@tenant.example"

ask = asyncio.to_thread
"""The control blocks, and the world it asks lives in this loop."""


@pytest.fixture
async def control() -> AsyncIterator[SimulatorControl]:
    world = GraphWorld(seed=WorldSeed(tenants=(TenantSeed(users=3, holders=1),)))
    async with running_graph(world) as graph:
        yield SimulatorControl(graph.control_url)


async def test_it_acts_as_the_administrator_and_sees_what_changed(
    control: SimulatorControl,
) -> None:
    ada = (await ask(control.user, ADA))["id"]
    assert await ask(control.holder, FIRST) == ada

    await ask(control.portal, "unassign", number=FIRST)
    await ask(control.portal, "assign", number=SECOND, user=BOB)
    state = await ask(control.state)

    assert await ask(control.holder, FIRST) is None
    assert (await ask(control.user, BOB))["numbers"] == [SECOND]
    assert state["numbers"][SECOND]["status"] == "userAssigned"
    assert [(c["subject"], c["by"]) for c in await ask(control.changes)] == [
        (FIRST, "portal"),
        (SECOND, "portal"),
    ]
    assert len(await ask(control.changes, since=1)) == 1
    assert await ask(control.writes) == []


async def test_a_ghost_is_seen(control: SimulatorControl) -> None:
    await ask(control.portal, "delete_user", user=ADA)
    state = await ask(control.state)

    assert state["ghosts"] == [FIRST]
    assert len(state["deleted_users"]) == 1


async def test_it_sets_faults_and_settings_and_takes_them_back(control: SimulatorControl) -> None:
    rule_id = await ask(control.add_fault, effect="drop-after", kinds=["writes"], times=1)
    settings = await ask(control.change_settings, writes_per_second=30)

    assert settings["writes_per_second"] == 30
    assert (await ask(control.settings))["writes_per_second"] == 30
    assert [rule["id"] for rule in await ask(control.faults)] == [rule_id]
    await ask(control.clear_faults)
    assert await ask(control.faults) == []


async def test_it_adds_tenants_credentials_and_tokens(control: SimulatorControl) -> None:
    added = await ask(control.add_tenant, id="second", domain="second.example", users=1)
    await ask(control.wait_until_ready)
    assert added == "second"
    described = await ask(control.describe)
    assert set(described["tenants"]) == {DEFAULT_TENANT_ID, "second"}
    assert {"writes", "token", "assignNumber", "findUser"} <= set(described["fault_kinds"])
    assert "reuse_name" in described["portal"]

    with pytest.raises(SimulatorRefused, match="there are 2 tenants: name one"):
        await ask(control.state)
    assert (await ask(control.projected_token, "operator")).count(".") == 2
    assert await ask(control.revoke_tokens) == 0
    assert await ask(control.requests) == []
    await ask(control.forget)
    assert (await ask(control.counters))["writes"] == 0


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda c: c.portal("explode"), "no portal action 'explode'"),
        (lambda c: c.portal("_user", user=ADA), "no portal action '_user'"),
        (lambda c: c.portal("unassign"), "missing a required argument: 'number'"),
        (lambda c: c.portal("unassign", number="+441614960999"), "no number"),
        (lambda c: c.add_fault(effect="explode"), "fault.effect: 'explode'"),
        (lambda c: c.change_settings(speed=1), "settings.speed: unknown setting"),
        (lambda c: c.add_tenant(user=1), "tenant.user: unknown field"),
        (lambda c: c.set_application(secret="x"), "application.secret: unknown field"),
        (lambda c: c.holder("nobody"), "no number and no user 'nobody'"),
    ],
)
async def test_a_mistake_is_told_with_its_reason(
    control: SimulatorControl, call: Callable[[SimulatorControl], Any], text: str
) -> None:
    with pytest.raises(SimulatorRefused, match=text):
        await ask(call, control)


async def test_a_simulator_that_is_not_there_is_waited_for_and_given_up() -> None:
    control = SimulatorControl("http://127.0.0.1:9/_simulator")

    with pytest.raises(TimeoutError, match="does not answer"):
        await ask(control.wait_until_ready, seconds=0.0)
