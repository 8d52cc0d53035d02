"""What changes at a carrier without git: shown field by field, repaired, or left alone when
somebody keeps changing it back; and what a restart must not forget.
"""

from __future__ import annotations

from typing import Any

import pytest

from callplane.engine import carrier_connections, carrier_memory, intents
from callplane.plan.change import Change
from callplane.providers.inmemory import carrier_world
from callplane.resources.carriers import EmergencyAddress, TrunkRoute
from callplane.testing.carrier_estate import TRUNK, declare_number, seed_carrier, seed_location
from callplane.testing.carrier_stage import ON_SALE, OWNED
from callplane.testing.engine_world import EngineWorld, Worlds

pytestmark = pytest.mark.looptime

LINE = OWNED[0]
ROUTE = TrunkRoute("sbc", tuple(TRUNK["endpoints"]))
ELSEWHERE = TrunkRoute("elsewhere")
DAY = 86_400.0
BLOCK = {
    "first": OWNED[0].text,
    "last": OWNED[2].text,
    "route": "DirectRouting",
    "carrierRef": {"name": "main"},
}


async def estate(worlds: Worlds, **spec: Any) -> EngineWorld:
    """Three numbers of ours, of which one is declared with an address."""
    world = worlds.add(EngineWorld())
    world.carrier.offer(ON_SALE)
    world.carrier.give(OWNED)
    await seed_location(world)
    await seed_carrier(world, **spec)
    await declare_number(world, "front", LINE, emergencyLocationRef={"name": "office"})
    return world


async def at_work(worlds: Worlds, **spec: Any) -> EngineWorld:
    world = await estate(worlds, **spec)
    await world.start()
    await world.settle(10)
    return world


def writes(world: EngineWorld, name: str = "") -> int:
    return sum(call.is_write and call.name in (name or call.name) for call in world.carrier.journal)


async def drift(world: EngineWorld, kind: str = "PhoneNumber", name: str = "front") -> Any:
    return (await world.status(kind, name)).get("drift") or []


# Shadow mode


async def test_an_observed_account_shows_every_field_that_differs(worlds: Worlds) -> None:
    world = await estate(worlds, managementPolicy="Observe")
    world.carrier.change(LINE, route=ELSEWHERE)
    await world.start()
    await world.settle()
    rows = {row["field"]: row for row in await drift(world)}
    assert sorted(rows) == ["deletionLock", "emergencyAddress", "route"]
    assert rows["route"]["observed"] == "elsewhere"
    assert rows["route"]["desired"].startswith("sbc, ")
    assert rows["emergencyAddress"]["observed"] == ""
    assert "London" in rows["emergencyAddress"]["desired"]
    assert (await world.condition("PhoneNumber", "front", "Synced"))[0] == "False"


async def test_a_long_shadow_follows_what_happens_and_writes_nothing(worlds: Worlds) -> None:
    """One number and one range over days, in which others change things at the carrier."""
    world = await estate(worlds, managementPolicy="Observe", deletionLock=False, driftInterval="1h")
    await world.apply("NumberRange", "block", {**BLOCK, "first": OWNED[1].text})
    for number in OWNED:
        world.carrier.change(number, route=ROUTE)
    await world.start()
    await world.settle(60)
    assert await drift(world, "NumberRange", "block") == []
    await world.settle(DAY)
    world.carrier.change(OWNED[1], route=ELSEWHERE)
    await world.settle(2 * 3600)
    (row,) = await drift(world, "NumberRange", "block")
    assert row["field"] == f"route[{OWNED[1].masked}]"
    assert (await world.status("NumberRange", "block"))["drifted"] == 1
    await world.settle(DAY)
    world.carrier.change(OWNED[1], route=ROUTE)
    await world.settle(2 * 3600)
    assert await drift(world, "NumberRange", "block") == []
    assert (await world.status("NumberRange", "block"))["drifted"] == 0
    assert [each["field"] for each in await drift(world)] == ["emergencyAddress"]
    assert writes(world) == 0


async def test_what_would_be_bought_is_drift_too(worlds: Worlds) -> None:
    world = await estate(worlds, managementPolicy="Observe", purchasing={"enabled": True})
    await declare_number(world, "wanted", ON_SALE[0], acquisition="Order")
    await world.start()
    await world.settle()
    (row,) = await drift(world, name="wanted")
    assert row == {"field": "number", "observed": "not owned", "desired": "ordered"}
    assert world.carrier.purchases == []


async def test_drift_that_ends_is_shown_no_more(worlds: Worlds) -> None:
    world = await estate(worlds, managementPolicy="Observe")
    await world.start()
    await world.settle()
    assert await drift(world)
    await seed_carrier(world, managementPolicy="Manage")
    await world.settle()
    assert await drift(world) == []
    assert world.carrier.owned[LINE].route == ROUTE


@pytest.mark.parametrize("kind", ["PhoneNumber", "NumberRange"])
async def test_drift_of_what_no_listing_shows_is_found(worlds: Worlds, kind: str) -> None:
    world = await estate(worlds)
    world.carrier.listing_hides = frozenset({"route", "emergency_address"})
    if kind == "NumberRange":
        await world.delete("PhoneNumber", "front")
        await world.apply("NumberRange", "block", BLOCK)
    await world.start()
    await world.settle(60)
    assert world.carrier.owned[LINE].route == ROUTE
    reads = sum(call.name == "read_number" for call in world.carrier.journal)
    world.carrier.change(LINE, route=ELSEWHERE)
    await world.settle(carrier_connections.UNLISTED_AGE_SECONDS + 600)
    assert world.carrier.owned[LINE].route == ROUTE
    # Once an hour a number, and not with every listing.
    now = sum(call.name == "read_number" for call in world.carrier.journal)
    assert now - reads <= 5 + (2 * len(OWNED) if kind == "NumberRange" else 0)


# Contested


async def somebody_keeps_changing_the_route_back(worlds: Worlds) -> None:
    world = await at_work(worlds)
    for _ in range(6):
        world.carrier.change(LINE, route=ELSEWHERE)
        await world.restart()
        await world.settle(120)
    assert writes(world, "set_route") == 1 + 2


async def test_somebody_who_keeps_changing_it_back_wins_and_is_named(worlds: Worlds) -> None:
    await somebody_keeps_changing_the_route_back(worlds)
    (world,) = worlds.made
    status, reason, message = await world.condition("PhoneNumber", "front", "Stalled")
    assert (status, reason) == ("True", "Contested")
    assert "route of" in message
    assert "3 times" in message
    assert LINE.text not in message
    (row,) = await drift(world)
    assert (row["field"], row["observed"]) == ("route", "elsewhere")
    # A day later it is tried again.
    await world.settle(DAY + 7200)
    assert world.carrier.owned[LINE].route == ROUTE


async def test_what_nobody_contests_is_written_all_the_same(worlds: Worlds) -> None:
    await somebody_keeps_changing_the_route_back(worlds)
    (world,) = worlds.made
    world.carrier.change(LINE, emergency_address=None)
    await world.restart()
    await world.settle(120)
    assert isinstance(world.carrier.owned[LINE].emergency_address, EmergencyAddress)
    assert world.carrier.owned[LINE].route == ELSEWHERE


async def test_another_declaration_is_no_contest(worlds: Worlds) -> None:
    """A route that a manifest changes again and again is written each time."""
    world = await at_work(worlds)
    for index in range(5):
        trunk = {"name": f"sbc-{index}", "endpoints": TRUNK["endpoints"]}
        await seed_carrier(world, trunk=trunk)
        await world.settle(120)
        assert await world.reason("front", kind="PhoneNumber") == "Succeeded"
    assert writes(world, "set_route") == 6


async def test_without_the_count_the_contest_never_ends(
    worlds: Worlds, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(row: Any, change: Change, *, now: object) -> tuple[Any, int]:
        return row, 1

    monkeypatch.setattr(intents, "count_undone", never)
    worlds.defects_are_expected = True
    with pytest.raises(AssertionError):
        await somebody_keeps_changing_the_route_back(worlds)


# What a restart must not forget


async def a_number_just_bought_is_known_after_a_restart(worlds: Worlds) -> None:
    world = await at_work(worlds, purchasing={"enabled": True, "limit": {"numbers": 10}})
    world.carrier.read_lag_seconds = 600.0
    await declare_number(world, "wanted", ON_SALE[0], acquisition="Order")
    await world.until(lambda: world.carrier.purchases == [ON_SALE[0]])
    await world.settle(3)
    said = set()
    for _ in range(3):
        await world.restart()
        await world.settle(100)
        said.add(await world.reason("wanted", kind="PhoneNumber"))
    assert said == {"False OrderPending"}


async def test_a_restart_within_the_lag_asks_for_nothing_twice(worlds: Worlds) -> None:
    await a_number_just_bought_is_known_after_a_restart(worlds)
    (world,) = worlds.made
    assert (await world.status("Carrier", "main"))["owned"] == len(OWNED) + 1
    await world.settle(3600)
    assert await world.reason("wanted", kind="PhoneNumber") == "Succeeded"
    assert len([call for call in world.carrier.journal if call.name == "order"]) == 1
    assert (await world.status("Carrier", "main"))["owned"] == len(OWNED) + 1


async def test_a_memory_that_forgets_what_came_is_noticed(
    worlds: Worlds, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(carrier_memory, "arrived", lambda mirror: set())
    worlds.defects_are_expected = True
    with pytest.raises(AssertionError):
        await a_number_just_bought_is_known_after_a_restart(worlds)


async def test_a_number_that_came_is_forgotten_once_it_was_seen(worlds: Worlds) -> None:
    """Else one that is given away by hand years later would be waited for for ever."""
    world = await at_work(worlds, purchasing={"enabled": True, "limit": {"numbers": 10}})
    await declare_number(world, "wanted", ON_SALE[0], acquisition="Order")
    await world.settle(60)
    assert await world.reason("wanted", kind="PhoneNumber") == "Succeeded"
    await world.restart()
    world.carrier.take(ON_SALE[0])
    await world.settle(3 * 3600)
    assert await world.reason("wanted", kind="PhoneNumber") == "False NumberNotOwned"
    assert world.carrier.purchases == [ON_SALE[0]]


async def test_a_number_that_was_given_back_leaves_nothing_behind(worlds: Worlds) -> None:
    world = await at_work(worlds)
    acknowledgement = {"number": LINE.text, "date": "2026-01-01"}
    await declare_number(
        world, "front", LINE, releasePolicy="Release", releaseAcknowledgement=acknowledgement
    )
    await world.settle(120)
    await world.answer()
    await world.settle(600)
    assert world.carrier.released == [LINE]
    (row,) = await world.register.connections()
    state = await world.register.load(row.connection)
    assert [each.holder.user_id for each in state.holders] == []


async def test_a_lost_answer_and_a_restart_buy_once(worlds: Worlds) -> None:
    world = await at_work(worlds, purchasing={"enabled": True, "limit": {"numbers": 10}})
    world.carrier.read_lag_seconds = 60.0
    world.carrier.strike(carrier_world.answer_lost("order"))
    await declare_number(world, "wanted", ON_SALE[0], acquisition="Order")
    for _ in range(6):
        await world.settle(10)
        await world.restart()
    await world.settle(1200)
    assert world.carrier.purchases == [ON_SALE[0]]
    assert await world.reason("wanted", kind="PhoneNumber") == "Succeeded"
