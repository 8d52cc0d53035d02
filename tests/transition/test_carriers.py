"""A Carrier and the numbers it has for us: adoption, settings at the carrier, bad days."""

from __future__ import annotations

from typing import Any

import pytest

from callplane.providers.inmemory import carrier_world
from callplane.resources.carriers import TrunkRoute
from callplane.testing.carrier_estate import (
    TRUNK,
    declare_number,
    seed_carrier,
    seed_location,
)
from callplane.testing.carrier_stage import ON_SALE, OWNED
from callplane.testing.engine_world import EngineWorld, Worlds
from callplane.values import E164

pytestmark = pytest.mark.looptime

ROUTE = TrunkRoute("sbc", tuple(TRUNK["endpoints"]))


async def estate(worlds: Worlds, **spec: Any) -> EngineWorld:
    """An account with three numbers and ten on sale, its Carrier and an operator at work."""
    world = worlds.add(EngineWorld())
    world.carrier.offer(ON_SALE)
    world.carrier.give(OWNED)
    await seed_carrier(world, **spec)
    await world.start()
    return world


async def test_an_account_is_observed_and_shown(worlds: Worlds) -> None:
    world = await estate(worlds)
    await world.settle()
    assert await world.reason("main", kind="Carrier") == "Succeeded"
    status = await world.status("Carrier", "main")
    assert (status["owned"], status["ordering"], status["balance"]) == (3, 0, "1000.00 GBP")
    assert status["commercial"] == "Hosted"
    assert world.carrier.spent == []


async def test_an_owned_number_is_adopted_and_pointed_at_the_sbc(worlds: Worlds) -> None:
    world = await estate(worlds)
    await seed_location(world)
    await declare_number(world, "front", OWNED[0], emergencyLocationRef={"name": "office"})
    await world.settle()
    assert await world.reason("front", kind="PhoneNumber") == "Succeeded"
    row = world.carrier.owned[OWNED[0]]
    assert (row.route, row.deletion_locked) == (ROUTE, True)
    assert row.emergency_address is not None
    assert isinstance(row.marker, str)
    assert row.marker.startswith("cp-")
    assert world.carrier.owned[OWNED[1]].route is None
    status = await world.status("PhoneNumber", "front")
    assert status["carrier"]["trunk"] == "sbc"
    assert status["carrier"]["emergencyAddress"] is True
    assert status["carrier"]["monthlyFee"] == "1.50 GBP"
    writes = [call.name for call in world.carrier.journal if call.is_write]
    assert sorted(writes) == ["set_deletion_lock", "set_emergency_address", "set_route"]


async def test_nothing_is_written_when_nothing_differs(worlds: Worlds) -> None:
    """An emergency address may cost money at each submission."""
    world = await estate(worlds)
    await seed_location(world)
    await declare_number(world, "front", OWNED[0], emergencyLocationRef={"name": "office"})
    await world.settle()
    before = sum(call.is_write for call in world.carrier.journal)
    await world.restart()
    await world.settle(600)
    assert sum(call.is_write for call in world.carrier.journal) == before
    assert await world.reason("front", kind="PhoneNumber") == "Succeeded"


async def test_a_number_the_carrier_does_not_have_is_said(worlds: Worlds) -> None:
    world = await estate(worlds)
    await declare_number(world, "front", ON_SALE[0])
    await world.settle()
    assert await world.reason("front", kind="PhoneNumber") == "False NumberNotOwned"
    assert world.carrier.purchases == []


async def test_a_range_is_pointed_at_the_sbc(worlds: Worlds) -> None:
    world = await estate(worlds)
    spec = {
        "first": OWNED[0].text,
        "last": OWNED[2].text,
        "route": "DirectRouting",
        "carrierRef": {"name": "main"},
    }
    await world.apply("NumberRange", "manchester", spec)
    await world.settle()
    assert await world.reason("manchester", kind="NumberRange") == "Succeeded"
    assert {row.route for row in world.carrier.owned.values()} == {ROUTE}
    assert (await world.status("NumberRange", "manchester"))["atCarrier"] == 3


@pytest.mark.parametrize("route", ["CallingPlan", "OperatorConnect", "ForeignDirectRouting"])
async def test_r35_numbers_that_others_take_calls_of_keep_their_route(
    worlds: Worlds, route: str
) -> None:
    world = await estate(worlds)
    elsewhere = TrunkRoute("elsewhere")
    for number in OWNED:
        world.carrier.change(number, route=elsewhere)
    await declare_number(world, "front", OWNED[0], route=route)
    numbers = {"first": OWNED[1].text, "last": OWNED[2].text}
    await world.apply(
        "NumberRange", "manchester", {**numbers, "route": route, "carrierRef": {"name": "main"}}
    )
    await world.settle()
    assert await world.reason("front", kind="PhoneNumber") == "Succeeded"
    assert await world.reason("manchester", kind="NumberRange") == "Succeeded"
    assert {row.route for row in world.carrier.owned.values()} == {elsewhere}
    assert {row.deletion_locked for row in world.carrier.owned.values()} == {True}


async def test_what_a_listing_does_not_show_is_read_some_at_a_time(worlds: Worlds) -> None:
    world = worlds.add(EngineWorld())
    numbers = [E164(f"+4429201800{index:02}") for index in range(50)]
    world.carrier.give(numbers)
    world.carrier.listing_hides = frozenset({"route", "emergency_address"})
    await seed_carrier(world, driftReadsPerSecond=20)
    spec = {
        "first": numbers[0].text,
        "last": numbers[-1].text,
        "route": "DirectRouting",
        "carrierRef": {"name": "main"},
    }
    await world.apply("NumberRange", "cardiff", spec)
    await world.start()
    await world.settle(120)
    assert await world.reason("cardiff", kind="NumberRange") == "Succeeded"
    assert {row.route for row in world.carrier.owned.values()} == {ROUTE}
    reads = sum(call.name == "read_number" for call in world.carrier.journal)
    await world.settle(600)
    assert sum(call.name == "read_number" for call in world.carrier.journal) == reads


async def test_a_range_names_the_numbers_the_carrier_lacks(worlds: Worlds) -> None:
    world = await estate(worlds)
    spec = {
        "first": OWNED[0].text,
        "last": f"+{OWNED[2].digits + 1}",
        "route": "DirectRouting",
        "carrierRef": {"name": "main"},
    }
    await world.apply("NumberRange", "manchester", spec)
    await world.settle()
    _, reason, message = await world.condition("NumberRange", "manchester")
    assert reason == "NumberNotOwned"
    assert "1 of these numbers" in message


async def test_many_replaced_routes_wait_for_a_person(worlds: Worlds) -> None:
    """A route that is there is replaced only within the limits of the gate."""
    world = await estate(worlds, changeLimits={"maxCount": 1, "floor": 0, "settle": "1s"})
    for number in OWNED:
        world.carrier.change(number, route=TrunkRoute("elsewhere"))
    spec = {
        "first": OWNED[0].text,
        "last": OWNED[2].text,
        "route": "DirectRouting",
        "carrierRef": {"name": "main"},
    }
    await world.apply("NumberRange", "manchester", spec)
    await world.settle()
    assert await world.reason("manchester", kind="NumberRange") == "False ApprovalRequired"
    assert {row.route for row in world.carrier.owned.values()} == {TrunkRoute("elsewhere")}
    assert (await world.status("Carrier", "main"))["heldChanges"] == 3
    await world.answer()
    await world.settle()
    assert await world.reason("manchester", kind="NumberRange") == "Succeeded"
    assert {row.route for row in world.carrier.owned.values()} == {ROUTE}


async def test_an_observed_account_is_never_written(worlds: Worlds) -> None:
    world = await estate(worlds, managementPolicy="Observe")
    await declare_number(world, "front", OWNED[0])
    await world.settle()
    assert await world.reason("front", kind="PhoneNumber") == "Succeeded"
    assert (await world.condition("PhoneNumber", "front", "Drifted"))[0] == "True"
    assert not any(call.is_write for call in world.carrier.journal)


async def test_an_empty_listing_means_nothing(worlds: Worlds) -> None:
    """A listing that lost everything is unknown, never "all gone"."""
    world = await estate(worlds)
    many = world.carrier
    await declare_number(world, "front", OWNED[0])
    await world.settle()
    many.strike(carrier_world.Strike("list_pages", empties=True, times=2))
    await world.settle(150)
    assert await world.reason("front", kind="PhoneNumber") == "Succeeded"
    assert OWNED[0] in many.owned


async def test_refused_credentials_open_the_breaker_of_the_account(worlds: Worlds) -> None:
    world = await estate(worlds)
    await world.settle()
    for group in ("reads", "writes"):
        world.carrier.strike(carrier_world.locked_out(group, times=1000))
    await world.settle(120)
    assert await world.reason("main", kind="Carrier") == "False AuthenticationFailed"
    world.carrier.strikes.clear()
    await world.settle(400)
    assert await world.reason("main", kind="Carrier") == "Succeeded"


async def test_a_setting_whose_answer_is_lost_is_looked_at_and_not_sent_twice(
    worlds: Worlds,
) -> None:
    world = await estate(worlds, deletionLock=False)
    await world.settle()
    world.carrier.strike(carrier_world.answer_lost("set_route"))
    await declare_number(world, "front", OWNED[0])
    await world.settle()
    assert await world.reason("front", kind="PhoneNumber") == "Succeeded"
    assert [call.name for call in world.carrier.journal if call.is_write] == ["set_route"]


async def test_a_trunk_the_carrier_does_not_know_is_said(worlds: Worlds) -> None:
    world = await estate(worlds)
    world.carrier.trunks = {"another"}
    await declare_number(world, "front", OWNED[0])
    await world.settle()
    _, reason, message = await world.condition("PhoneNumber", "front")
    assert reason == "TrunkUnknown"
    assert "no trunk sbc" in message


async def test_a_refused_address_is_said_before_anything_is_sent(worlds: Worlds) -> None:
    world = await estate(worlds)
    await seed_location(world, street="Long " * 20)
    await declare_number(world, "front", OWNED[0], emergencyLocationRef={"name": "office"})
    await world.settle()
    _, reason, message = await world.condition("PhoneNumber", "front")
    assert reason == "AddressRefused"
    assert "street is longer" in message
    assert not any(call.is_write for call in world.carrier.journal)


async def test_a_carrier_of_the_customers_own_is_inventory(worlds: Worlds) -> None:
    world = await estate(worlds)
    await world.apply("Carrier", "own", {"type": "BringYourOwn", "account": "acme"})
    await declare_number(world, "front", OWNED[0], carrierRef={"name": "own"})
    await declare_number(world, "wish", ON_SALE[0], carrierRef={"name": "own"}, acquisition="Order")
    await world.settle()
    assert await world.reason("own", kind="Carrier") == "Succeeded"
    assert (await world.status("Carrier", "own"))["commercial"] == "BringYourOwn"
    assert await world.reason("front", kind="PhoneNumber") == "Succeeded"
    _, reason, message = await world.condition("PhoneNumber", "wish")
    assert reason == "Unsupported"
    assert "order the number from the carrier" in message


async def test_a_carrier_stays_while_numbers_name_it(worlds: Worlds) -> None:
    world = await estate(worlds)
    await declare_number(world, "front", OWNED[0])
    await world.settle()
    await world.delete("Carrier", "main")
    await world.settle()
    assert await world.reason("main", kind="Carrier") == "False InUse"
    await world.delete("PhoneNumber", "front")
    await world.settle(60)
    assert not await world.exists("Carrier", "main")
    assert OWNED[0] in world.carrier.owned
