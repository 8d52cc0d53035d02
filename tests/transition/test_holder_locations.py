"""A line at our SBC has only its number's carrier to tell where it is: its own emergency location
goes there before that of the number.
"""

from __future__ import annotations

from typing import Any

import pytest

from callplane.engine import holder_locations
from callplane.engine.holder_locations import HolderLocations
from callplane.resources.carriers import EmergencyAddress
from callplane.testing.carrier_estate import declare_number, seed_carrier, seed_location
from callplane.testing.carrier_stage import OWNED
from callplane.testing.engine_world import EngineWorld, Worlds
from callplane.testing.sip_side import SipSide

pytestmark = pytest.mark.looptime

LINE, SECOND = OWNED[:2]
OPEN = [{"selector": {}}]
NONE: dict[str, Any] = {"none": {}}
#: So that a replaced address waits for nobody in these tests.
SOON = {"settle": "1s"}


async def estate(worlds: Worlds, *, by_range: bool = False) -> tuple[EngineWorld, SipSide]:
    """An SBC, and numbers whose own location is the office."""
    world = worlds.add(EngineWorld())
    world.carrier.give(OWNED)
    for name, where in (("office", "Sample Street"), ("barn", "Example Lane")):
        await seed_location(world, name, street=where)
    await seed_carrier(world, changeLimits=SOON)
    office = {"emergencyLocationRef": {"name": "office"}, "allowedNamespaces": OPEN}
    if by_range:
        block = {"first": OWNED[0].text, "last": OWNED[2].text, "route": "Sip"}
        await world.apply("NumberRange", "block", block | office | {"carrierRef": {"name": "main"}})
    else:
        await declare_number(world, "front", LINE, route="Sip", **office)
    sip = SipSide(world)
    sip.seed_secret()
    await sip.seed_sbc()
    await world.start()
    await world.settle(30)
    assert street(world) == "Sample Street"
    return world, sip


def street(world: EngineWorld, number: Any = LINE) -> str:
    address = world.carrier.owned[number].emergency_address
    return address.street if isinstance(address, EmergencyAddress) else ""


def sent(world: EngineWorld) -> int:
    return sum(call.name == "set_emergency_address" for call in world.carrier.journal)


async def phone(world: EngineWorld, sip: SipSide, at: str | None, **spec: Any) -> None:
    wanted = {"phoneNumber": {"e164": LINE.text}, **spec}
    where = {"name": at} if at is not None else None
    await sip.declare_phone("bob", emergencyLocationRef=where, **wanted)
    await world.settle(30)


@pytest.mark.parametrize("by_range", [False, True])
async def test_the_carrier_is_told_where_a_phone_is(worlds: Worlds, by_range: bool) -> None:
    world, sip = await estate(worlds, by_range=by_range)
    await phone(world, sip, "barn")
    assert await world.reason("bob", kind="SipPhone") == "Succeeded"
    assert street(world) == "Example Lane"
    if by_range:
        assert street(world, SECOND) == "Sample Street"
    # What is told once is not told again: some carriers charge for each.
    before = sent(world)
    await world.restart()
    await world.settle(4 * 3600)
    assert sent(world) == before
    # The location itself is corrected.
    await seed_location(world, "barn", street="Corrected Lane")
    await world.settle(30)
    assert street(world) == "Corrected Lane"
    # Its own reference goes, and then the phone: the number's location counts again.
    await phone(world, sip, None)
    assert street(world) == "Sample Street"
    await phone(world, sip, "barn")
    assert street(world) == "Corrected Lane"
    await world.delete("SipPhone", "bob")
    await world.settle(120)
    assert street(world) == "Sample Street"
    name = ("NumberRange", "block") if by_range else ("PhoneNumber", "front")
    assert (await world.condition(*name))[:2] == ("True", "Succeeded")


async def test_the_carrier_is_told_where_a_pbx_is(worlds: Worlds) -> None:
    world, sip = await estate(worlds)
    await sip.declare_trunk(numbers=[LINE.text], emergencyLocationRef={"name": "barn"})
    await world.settle(30)
    assert await world.reason("branch", kind="PbxTrunk") == "Succeeded"
    assert street(world) == "Example Lane"


async def test_a_location_that_is_away_changes_nothing_at_the_carrier(worlds: Worlds) -> None:
    world, sip = await estate(worlds)
    await phone(world, sip, "barn")
    before = sent(world)
    await world.delete("EmergencyLocation", "barn")
    await world.settle(3600)
    assert await world.reason("bob", kind="SipPhone") == "False DependencyNotReady"
    assert (street(world), sent(world)) == ("Example Lane", before)


async def test_a_location_that_the_carrier_does_not_take_is_said(worlds: Worlds) -> None:
    world, sip = await estate(worlds)
    await seed_location(world, "endless", street="Sample Street " * 10)
    await phone(world, sip, "endless")
    status, reason, message = await world.condition("PhoneNumber", "front")
    assert (status, reason) == ("False", "AddressRefused")
    assert "EmergencyLocation default/endless" in message
    assert street(world) == "Sample Street"


@pytest.mark.parametrize("sees", [True, False], ids=["as it is", "mutant"])
async def test_who_forgets_the_holder_sends_help_elsewhere(
    worlds: Worlds, monkeypatch: pytest.MonkeyPatch, sees: bool
) -> None:
    if not sees:

        async def blind(*_: object) -> HolderLocations:
            return HolderLocations()

        monkeypatch.setattr(holder_locations, "look", blind)
    world, sip = await estate(worlds)
    await phone(world, sip, "barn")
    assert (street(world) == "Example Lane") is sees
