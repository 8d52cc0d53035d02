"""What happens between the steps of a release: nothing that was called off goes on, and nothing is
left half done.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from callplane.engine import carrier_writing
from callplane.providers.carrier_protocol import CarrierRefused
from callplane.providers.inmemory import carrier_world
from callplane.providers.inmemory.carrier_provider import InMemoryCarrier
from callplane.resources.carriers import Obstacle
from callplane.testing.carrier_estate import seed_carrier
from callplane.testing.engine_world import EngineWorld, Worlds
from callplane.testing.release_estate import LINE, ask, estate, needs, reason, released
from callplane.values import E164

pytestmark = pytest.mark.looptime

DAY = 86_400.0


async def slow_unlocking(world: EngineWorld, patch: pytest.MonkeyPatch) -> None:
    """A release that is approved, and whose first step takes a while."""
    unlock = InMemoryCarrier.set_deletion_lock

    async def slowly(provider: InMemoryCarrier, line: E164, *, locked: bool) -> None:
        await unlock(provider, line, locked=locked)
        if not locked:
            await asyncio.sleep(20.0)

    patch.setattr(InMemoryCarrier, "set_deletion_lock", slowly)
    await ask(world)
    await world.settle(60)
    await world.answer()
    await world.until(lambda: world.carrier.owned[LINE].deletion_locked is False)


async def test_a_release_called_off_in_the_midst_of_its_steps_is_not_sent(
    worlds: Worlds, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = await estate(worlds)
    await slow_unlocking(world, monkeypatch)
    await ask(world, releasePolicy="Keep")
    await world.settle(120)
    assert released(world) == 0
    assert await reason(world) == "Succeeded"
    assert world.carrier.owned[LINE].deletion_locked is True
    assert world.carrier.owned[LINE].emergency_address is not None


async def test_an_object_deleted_in_the_midst_of_its_release_releases_nothing(
    worlds: Worlds, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = await estate(worlds)
    await slow_unlocking(world, monkeypatch)
    await world.delete("PhoneNumber", "front")
    await world.settle(300)
    assert released(world) == 0
    assert world.carrier.owned[LINE].deletion_locked is True


async def test_whoever_names_the_number_in_the_midst_of_its_release_keeps_it(
    worlds: Worlds, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = await estate(worlds)
    await slow_unlocking(world, monkeypatch)
    range_of_it = {"numbers": [LINE.text], "route": "DirectRouting"}
    await world.apply("NumberRange", "reception", range_of_it)
    await world.settle(120)
    assert released(world) == 0
    assert await reason(world) == "False ReleaseRefused"
    assert "NumberRange default/reception" in await needs(world)


@pytest.mark.parametrize("how", ["incident", "suspended", "observed"])
async def test_what_is_frozen_in_the_midst_of_a_release_is_not_released(
    worlds: Worlds, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    world = await estate(worlds)
    await slow_unlocking(world, monkeypatch)
    if how == "incident":
        incident = {
            "connectionRef": {"kind": "Carrier", "name": "main"},
            "text": "The carrier is ill",
            "since": "2026-11-02T08:00:00Z",
            "freeze": "Destructive",
        }
        await world.apply("ProviderIncident", "outage", incident)
    elif how == "suspended":
        await seed_carrier(world, suspend=True)
    else:
        await seed_carrier(world, managementPolicy="Observe")
    await world.settle(120)
    assert released(world) == 0
    assert LINE in world.carrier.owned


def steps(world: EngineWorld) -> list[str]:
    """Writes of a release, and what came after them."""
    names = [call.name for call in world.carrier.journal if call.is_write]
    return names[3:]


async def test_an_overtaken_leader_takes_nothing_off_a_number(
    worlds: Worlds, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = await estate(worlds)
    await ask(world)
    await world.settle(60)
    pass_gate = carrier_writing.pass_gate

    async def overtaken_in_the_gate(*details: Any) -> None:
        await pass_gate(*details)
        world.fence.is_open = False

    monkeypatch.setattr(carrier_writing, "pass_gate", overtaken_in_the_gate)
    await world.answer()
    await world.settle(120)
    assert not world.fence.is_open
    assert steps(world) == []
    assert world.carrier.owned[LINE].emergency_address is not None
    assert world.carrier.owned[LINE].deletion_locked is True


@pytest.mark.parametrize("restarts", [False, True])
async def test_a_refused_release_leaves_the_number_as_it_was(
    worlds: Worlds, restarts: bool
) -> None:
    world = await estate(worlds)
    before = world.carrier.owned[LINE]
    refusal = CarrierRefused(Obstacle.OTHER, "the contract has not ended")
    world.carrier.strike(carrier_world.Strike("release", refusal, times=10))
    await ask(world)
    await world.settle(60)
    await world.answer()
    await world.settle(3600)
    if restarts:
        # Asking again would take the emergency address off for a while.
        await world.restart()
        await world.settle(3600)
    assert await reason(world) == "False ReleaseRefused"
    assert "the contract has not ended" in (await world.condition("PhoneNumber", "front"))[2]
    after = world.carrier.owned[LINE]
    assert after.emergency_address == before.emergency_address
    assert after.deletion_locked is True
    assert steps(world).count("release") == 1


@pytest.mark.parametrize("call", ["set_emergency_address", "set_deletion_lock"])
@pytest.mark.parametrize("is_done", [True, False])
async def test_a_step_of_a_release_without_an_answer_is_looked_at(
    worlds: Worlds, call: str, is_done: bool
) -> None:
    world = await estate(worlds)
    await ask(world)
    await world.settle(60)
    world.carrier.strike(
        (carrier_world.answer_lost if is_done else carrier_world.request_lost)(call)
    )
    await world.answer()
    await world.settle(400)
    assert await reason(world) == "Released"
    assert steps(world).count(call) == (1 if is_done else 2)
    assert world.carrier.released == [LINE]


@pytest.mark.parametrize("restarts", [False, True])
async def test_an_incident_between_the_steps_gives_the_address_back(
    worlds: Worlds, restarts: bool
) -> None:
    world = await estate(worlds)
    before = world.carrier.owned[LINE]
    await ask(world)
    await world.settle(60)
    world.carrier.strike(carrier_world.request_lost("set_deletion_lock"))
    await world.answer()
    await world.until(lambda: "set_deletion_lock" in steps(world))
    assert world.carrier.owned[LINE].emergency_address is None
    incident = {
        "connectionRef": {"kind": "Carrier", "name": "main"},
        "text": "The carrier is ill",
        "since": "2026-11-02T08:00:00Z",
        "freeze": "Destructive",
    }
    await world.apply("ProviderIncident", "outage", incident)
    if restarts:
        await world.restart()
    await world.settle(400)
    assert await reason(world) == "False ReleaseWaiting"
    assert world.carrier.owned[LINE].emergency_address == before.emergency_address
    assert world.carrier.released == []


async def test_a_release_whose_object_is_deleted_is_seen_to_its_end(worlds: Worlds) -> None:
    world = await estate(worlds)
    await ask(world)
    await world.settle(60)
    world.carrier.strike(carrier_world.answer_lost("release"))
    await world.answer()
    await world.until(lambda: "release" in steps(world))
    await world.delete("PhoneNumber", "front")
    await world.settle(400)
    assert await world.state(LINE.text) == "Released"
    await world.delete("Carrier", "main")
    await world.settle(120)
    assert not await world.exists("Carrier", "main")


@pytest.mark.parametrize("restarts", [False, True])
async def test_a_release_called_off_between_its_steps_gives_back_what_nobody_declares(
    worlds: Worlds, restarts: bool
) -> None:
    world = await estate(worlds)
    await seed_carrier(world, deletionLock=False)
    before = world.carrier.owned[LINE]
    await ask(world, emergencyLocationRef=None)
    await world.settle(60)
    world.carrier.strike(carrier_world.request_lost("set_deletion_lock"))
    await world.answer()
    await world.until(lambda: world.carrier.owned[LINE].emergency_address is None)
    if restarts:
        await world.restart()
    await ask(world, releasePolicy="Keep", day=None, emergencyLocationRef=None)
    await world.settle(400)
    assert await reason(world) == "Succeeded"
    assert world.carrier.owned[LINE] == before
    assert world.carrier.released == []


@pytest.mark.parametrize("restarts", [False, True])
async def test_an_object_deleted_between_the_steps_of_its_release_leaves_the_number_whole(
    worlds: Worlds, restarts: bool
) -> None:
    world = await estate(worlds)
    before = world.carrier.owned[LINE]
    await ask(world)
    await world.settle(60)
    world.carrier.strike(carrier_world.request_lost("set_deletion_lock"))
    await world.answer()
    await world.until(lambda: world.carrier.owned[LINE].emergency_address is None)
    if restarts:
        await world.stop()
    await world.delete("PhoneNumber", "front")
    await world.delete("Carrier", "main")
    if restarts:
        await world.start()
    await world.settle(1200)
    assert world.carrier.owned[LINE] == before
    assert world.carrier.released == []
    assert not await world.exists("Carrier", "main")
