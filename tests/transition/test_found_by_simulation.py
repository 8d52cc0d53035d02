"""Moments that the simulated fortnights have found, each by itself."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from callplane.plan.change import Change
from callplane.providers.inmemory.provider import InMemoryProvider
from callplane.providers.protocol import Done
from callplane.resources.platforms import Person
from callplane.testing.carrier_estate import declare_number, seed_carrier
from callplane.testing.engine_world import ORGANIZATION, EngineWorld, Worlds, number, user_id
from callplane.testing.webex_side import WebexSide
from callplane.values import E164

pytestmark = pytest.mark.looptime

TWO_A_DAY = {"changeLimits": {"maxCount": 0, "floor": 0, "settle": "1s"}}


async def test_a_name_reused_while_the_leaver_is_held_is_the_new_persons(worlds: Worlds) -> None:
    world = await worlds.make(tenant={"driftInterval": "1h", **TWO_A_DAY})
    await world.declare("ann")
    await world.settle()
    await world.delete("TeamsUser", "ann")
    await world.settle()
    assert await world.reason("ann") == "False ApprovalRequired"
    _gives_name_to_new_person(world, "ann")
    await world.declare("ann", as_object="ann-the-second")
    await world.settle()
    assert await world.reason("ann-the-second") == "Succeeded"
    assert world.number_of("new-ann") == "+442079460001"
    assert await world.reason("ann") == "False ApprovalRequired"
    assert world.number_of("ann") == "+442079460000"


async def test_a_leaver_is_taken_away_although_a_new_person_has_the_name(worlds: Worlds) -> None:
    world = await worlds.make(tenant={"driftInterval": "1h", **TWO_A_DAY})
    await world.declare("ann")
    await world.settle()
    await world.delete("TeamsUser", "ann")
    await world.settle()
    _gives_name_to_new_person(world, "ann")
    await world.declare("ann", as_object="ann-the-second")
    await world.settle()
    await world.answer()
    await world.settle()
    assert not await world.exists("TeamsUser", "ann")
    assert world.number_of("ann") is None
    assert await world.state(0) == "Quarantined"


async def test_what_a_moved_object_had_proposed_leaves_the_gate(worlds: Worlds) -> None:
    world = await worlds.make(tenant=TWO_A_DAY)
    await world.declare("ann")
    await world.settle()
    await world.delete("TeamsUser", "ann")
    await world.settle()
    assert await world.reason("ann") == "False ApprovalRequired"
    await world.declare("ann", as_object="ann-elsewhere")
    await world.settle()
    assert await world.reason("ann-elsewhere") == "Succeeded"
    assert not await world.exists("TeamsUser", "ann")
    assert await world.gate_rows() == []


async def test_an_approval_for_too_long_does_not_become_valid_by_waiting(worlds: Worlds) -> None:
    world = await worlds.make(tenant={"driftInterval": "1h", **TWO_A_DAY})
    await world.declare("ann")
    await world.settle()
    await world.delete("TeamsUser", "ann")
    await world.settle()
    await world.answer(days=9)
    await world.settle(3 * 86_400)
    assert await world.reason("answer", kind="ChangeApproval") == "False ExpiresTooLate"
    await world.annotate(
        "ChangeApproval", "answer", {"callplane.dev/reconcile-requested-at": "now"}
    )
    await world.settle()
    assert await world.reason("answer", kind="ChangeApproval") == "False ExpiresTooLate"
    assert world.number_of("ann") == "+442079460000"


async def test_the_same_change_twice_a_day_counts_twice(worlds: Worlds) -> None:
    limits = {"maxCount": 2, "maxPercent": 100, "floor": 10, "settle": "1s"}
    world = await worlds.make(tenant={"changeLimits": limits})
    for _ in range(2):
        await world.declare("ann")
        await world.settle()
        assert world.number_of("ann") == "+442079460000"
        await world.delete("TeamsUser", "ann")
        await world.settle()
        assert world.number_of("ann") is None
    await world.declare("ann")
    await world.settle()
    await world.delete("TeamsUser", "ann")
    await world.settle()
    assert await world.reason("ann") == "False ApprovalRequired"
    await world.settle(86_400)


def _gives_name_to_new_person(world: EngineWorld, name: str) -> None:
    """The old account keeps its id under another name, a new one has the name."""
    old = world.platform.true.people[user_id(name)]
    freed = dataclasses.replace(old, user_principal_name=f"gone-{name}@example.com")
    world.seed_people([f"new-{name}"])
    new = world.platform.true.people[user_id(f"new-{name}")]
    world.platform.put_people(
        [freed, Person(new.user_id, old.user_principal_name, usage_location="GB")]
    )


async def test_a_number_that_a_read_does_not_show_is_not_given_to_another_yet(
    worlds: Worlds, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Webex took nothing away, and its list of numbers was empty for a while: two had the number in
    the end, one in Webex and one in Teams.
    """
    world = await worlds.make(("ann", "ben"))
    webex = WebexSide(world)
    webex.seed_people(("ann",))
    await webex.seed_organization()
    await webex.declare("ann", phoneNumber={"e164": number(1)})
    await world.settle()
    assert webex.number_of("ann") == number(1)
    send, read = InMemoryProvider.send, InMemoryProvider.read_number

    async def done_nothing(provider: InMemoryProvider, change: Change, *, request_id: str) -> Any:
        if change.connection == ORGANIZATION:
            return Done()
        return await send(provider, change, request_id=request_id)

    async def shown_nothing(provider: InMemoryProvider, wanted: E164) -> Any:
        seen = await read(provider, wanted)
        return dataclasses.replace(seen, row=None) if provider.connection == ORGANIZATION else seen

    with monkeypatch.context() as lies:
        await webex.declare("ann", phoneNumber={"none": {}})
        await world.declare("ben", phoneNumber={"e164": number(1)})
        await world.settle(2)
        lies.setattr(InMemoryProvider, "send", done_nothing)
        lies.setattr(InMemoryProvider, "read_number", shown_nothing)
        await world.settle(60)
        assert webex.number_of("ann") == number(1)
        assert world.number_of("ben") is None
    await world.settle(600)
    assert webex.number_of("ann") is None
    assert world.number_of("ben") == number(1)


async def test_a_number_that_was_sold_meanwhile_is_nobodys_by_stating_it(worlds: Worlds) -> None:
    """It stood in a PhoneNumber that had never been bought: somebody else's number was given."""
    world = await worlds.make()
    await seed_carrier(world, purchasing={"enabled": True, "limit": {"numbers": 10}})
    world.seed_inventory(40)
    wanted = E164(number(31))
    await declare_number(world, "desk", wanted, acquisition="Order")
    await world.declare("ann", phoneNumber={"e164": wanted.text})
    await world.settle(120)
    assert await world.reason("desk", kind="PhoneNumber") == "False NumberSold"
    assert world.number_of("ann") is None
    assert await world.reason("ann") == "False DependencyNotReady"
    world.carrier.offer([wanted])
    await world.annotate("PhoneNumber", "desk", {"callplane.dev/reconcile-requested-at": "now"})
    await world.settle(120)
    assert await world.reason("desk", kind="PhoneNumber") == "Succeeded"
    assert world.number_of("ann") == wanted.text
