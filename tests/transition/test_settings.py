"""Policies and emergency locations: first set, replaced, removed, not managed, inherited."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from callplane.plan.change import Change, Operation
from callplane.providers.inmemory import refuse
from callplane.providers.inmemory.provider import InMemoryProvider
from callplane.providers.protocol import RefusalClass, Unsupported
from callplane.resources.lines import PolicyOnLine
from callplane.testing.engine_world import EngineWorld, Worlds, number, user_id
from callplane.values import E164

pytestmark = pytest.mark.looptime

ROUTING = "OnlineVoiceRoutingPolicy"
CALLING = "TeamsCallingPolicy"
VOICEMAIL = "OnlineVoicemailPolicy"
EMERGENCY = "TeamsEmergencyCallRoutingPolicy"
HOME = "11111111-0000-4000-8000-000000000001"
AWAY = "11111111-0000-4000-8000-000000000002"


def policy(world: EngineWorld, policy_type: str, name: str = "ann") -> str | None:
    row = world.platform.true.configurations[user_id(name)]
    found = dict(row.policies).get(policy_type)
    return found.name if found is not None else None


async def with_policies(worlds: Worlds, **policies: str) -> EngineWorld:
    world = await worlds.make()
    await declare(world, **policies)
    await world.settle()
    assert await world.all_ready()
    return world


async def declare(world: EngineWorld, **policies: str) -> None:
    listed = [{"type": kind, "name": name} for kind, name in policies.items()]
    await world.declare("ann", policies=listed)


def gated(world: EngineWorld) -> int:
    return sum(1 for row in next(iter(world.running.connections.values())).mirror.gate_rows)


async def test_first_time_policies_are_not_gated(worlds: Worlds) -> None:
    world = await with_policies(worlds, **{ROUTING: "UK", CALLING: "A"})
    assert (policy(world, ROUTING), policy(world, CALLING)) == ("UK", "A")
    assert gated(world) == 0
    shown = (await world.status("TeamsUser", "ann"))["policies"]
    assert {"type": ROUTING, "name": "UK", "origin": "Direct"} in shown


@pytest.mark.parametrize(
    ("kind", "is_gated"), [(ROUTING, True), (CALLING, True), (EMERGENCY, True), (VOICEMAIL, False)]
)
async def test_replacing_a_policy(worlds: Worlds, kind: str, is_gated: bool) -> None:
    world = await with_policies(worlds, **{kind: "UK"})
    await declare(world, **{kind: "France"})
    await world.settle(3)
    assert policy(world, kind) == ("UK" if is_gated else "France")
    await world.settle()
    assert policy(world, kind) == "France"
    assert gated(world) == (1 if is_gated else 0)


@pytest.mark.parametrize(("kind", "is_gated"), [(ROUTING, True), (VOICEMAIL, False)])
async def test_an_empty_name_removes_the_direct_assignment(
    worlds: Worlds, kind: str, is_gated: bool
) -> None:
    world = await with_policies(worlds, **{kind: "UK"})
    await declare(world, **{kind: ""})
    await world.settle()
    assert policy(world, kind) is None
    assert await world.all_ready()
    assert gated(world) == (1 if is_gated else 0)


async def test_an_absent_policy_is_not_managed(worlds: Worlds) -> None:
    world = await with_policies(worlds, **{ROUTING: "UK", CALLING: "A"})
    sent = len(world.sent())
    await declare(world, **{CALLING: "A"})
    await world.settle()
    assert policy(world, ROUTING) == "UK"
    assert len(world.sent()) == sent
    # Somebody else's change of it is none of ours either.
    row = world.platform.true.configurations[user_id("ann")]
    policies = {**dict(row.policies), ROUTING: PolicyOnLine("Other")}
    world.platform.put_configurations([replace(row, policies=tuple(policies.items()))])
    await world.settle(120)
    assert policy(world, ROUTING) == "Other"
    assert len(world.sent()) == sent


async def test_a_policy_in_effect_through_a_group_satisfies(worlds: Worlds) -> None:
    world = await worlds.make(start=False)
    world.platform.administrator_groups(user_id("ann"), ROUTING, "UK")
    await world.start()
    await declare(world, **{ROUTING: "UK"})
    await world.settle()
    assert world.sent() == ["AssignNumber"]
    shown = (await world.status("TeamsUser", "ann"))["policies"]
    assert shown == [{"type": ROUTING, "name": "UK", "origin": "Group"}]
    # A direct one above it, and back to the group's.
    await declare(world, **{ROUTING: "France"})
    await world.settle()
    assert policy(world, ROUTING) == "France"
    await declare(world, **{ROUTING: ""})
    await world.settle()
    assert policy(world, ROUTING) == "UK"
    assert await world.all_ready()


async def test_a_policy_changed_behind_our_back_is_repaired(worlds: Worlds) -> None:
    world = await with_policies(worlds, **{VOICEMAIL: "A"})
    row = world.platform.true.configurations[user_id("ann")]
    world.platform.put_configurations([replace(row, policies=())])
    await world.settle(120)
    assert policy(world, VOICEMAIL) == "A"
    assert await world.all_ready()


async def test_tenant_defaults_are_for_who_names_nothing(worlds: Worlds) -> None:
    world = await worlds.make(tenant={"defaultPolicies": [{"type": CALLING, "name": "Default"}]})
    await world.declare("ann", policies=[{"type": CALLING, "name": "Own"}])
    await world.declare("ben")
    await world.settle()
    assert (policy(world, CALLING), policy(world, CALLING, "ben")) == ("Own", "Default")


async def test_a_policy_that_does_not_exist(worlds: Worlds) -> None:
    world = await worlds.make()
    world.platform.known_policies = {(CALLING, "A")}
    await world.settle()
    await declare(world, **{CALLING: "Missing"})
    await world.settle(300)
    status, reason, message = await world.condition("TeamsUser", "ann", "Stalled")
    assert (status, reason) == ("True", "PolicyNotFound")
    assert "Missing" in message
    # Once at first, and once when the listing showed the new number.
    assert world.sent().count("SetPolicy") == 2
    # The number is not kept from the person by it.
    assert world.number_of("ann") == number(0)
    await declare(world, **{CALLING: "A"})
    await world.settle()
    assert await world.all_ready()


async def test_what_the_system_cannot_do_is_said_with_the_step_by_hand(
    worlds: Worlds, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unsupported(self: InMemoryProvider, change: Change) -> Unsupported | None:
        if change.operation is Operation.SET_POLICY:
            return Unsupported(
                "no API for it", "Grant-CsTeamsCallingPolicy -Identity … -PolicyName A"
            )
        return None

    monkeypatch.setattr(InMemoryProvider, "unsupported", unsupported)
    world = await worlds.make()
    await declare(world, **{CALLING: "A"})
    await world.settle(120)
    status, reason, message = await world.condition("TeamsUser", "ann", "Stalled")
    assert (status, reason) == ("True", "Unsupported")
    assert "Grant-CsTeamsCallingPolicy" in message
    # Everything else is done, and done once.
    assert world.sent() == ["AssignNumber"]
    row = world.platform.true.configurations[user_id("ann")]
    world.platform.put_configurations([replace(row, policies=((CALLING, PolicyOnLine("A")),))])
    await world.settle(120)
    assert await world.reason("ann") == "Succeeded"


async def location(world: EngineWorld, name: str, teams_id: str | None) -> None:
    address = {"street": "1 Sample Street", "town": "London", "postcode": "N1 9GU"}
    spec: dict[str, Any] = {"address": {"organisation": "Sample Ltd", **address}}
    if teams_id is not None:
        spec["teamsLocationId"] = teams_id
    await world.apply("EmergencyLocation", name, spec)


def location_of(world: EngineWorld, index: int = 0) -> str | None:
    return world.platform.true.numbers[E164(number(index))].location_id


async def test_an_emergency_location_is_set_with_the_number(worlds: Worlds) -> None:
    world = await worlds.make()
    await location(world, "home", HOME)
    await world.declare("ann", emergencyLocationRef={"name": "home"})
    await world.settle()
    assert location_of(world) == HOME
    assert world.sent() == ["AssignNumber"]
    assert (await world.status("TeamsUser", "ann"))["emergencyLocationId"] == HOME
    assert await world.reason("ann") == "Succeeded"


async def test_an_emergency_location_set_later_is_not_gated_and_changed_is(
    worlds: Worlds,
) -> None:
    world = await worlds.make()
    await location(world, "home", HOME)
    await location(world, "away", AWAY)
    await world.declare("ann")
    await world.settle()
    await world.declare("ann", emergencyLocationRef={"name": "home"})
    await world.settle(3)
    assert location_of(world) == HOME
    assert gated(world) == 0
    await world.declare("ann", emergencyLocationRef={"name": "away"})
    await world.settle(3)
    assert location_of(world) == HOME
    await world.settle()
    assert location_of(world) == AWAY
    assert gated(world) == 1
    assert await world.all_ready()


async def test_an_emergency_location_no_longer_declared_stays(worlds: Worlds) -> None:
    world = await worlds.make()
    await location(world, "home", HOME)
    await world.declare("ann", emergencyLocationRef={"name": "home"})
    await world.settle()
    await world.declare("ann")
    await world.settle(120)
    assert location_of(world) == HOME
    assert world.sent() == ["AssignNumber"]


async def test_an_edited_location_moves_all_who_name_it_through_the_gate(worlds: Worlds) -> None:
    names = [f"user-{index:02d}" for index in range(40)]
    world = await worlds.make(names, numbers=40)
    await location(world, "home", HOME)
    for name in names:
        await world.declare(name, emergencyLocationRef={"name": "home"})
    await world.settle(60)
    await location(world, "home", AWAY)
    await world.settle(60)
    assert "SetEmergencyLocation" not in world.sent()
    assert await world.reason(names[0]) == "False ApprovalRequired"
    await world.answer()
    await world.settle(60)
    assert {location_of(world, index) for index in range(40)} == {AWAY}


async def test_a_location_without_an_id_in_teams(worlds: Worlds) -> None:
    world = await worlds.make()
    await location(world, "home", None)
    await world.declare("ann", emergencyLocationRef={"name": "home"})
    await world.settle()
    status, reason, message = await world.condition("TeamsUser", "ann", "Stalled")
    assert (status, reason) == ("True", "EmergencyLocationUnknown")
    assert "New-CsOnlineLisLocation" in message
    assert world.sent() == []
    await location(world, "home", HOME)
    await world.settle()
    assert location_of(world) == HOME


async def test_a_location_object_deleted_keeps_what_was_applied(worlds: Worlds) -> None:
    world = await worlds.make()
    await location(world, "home", HOME)
    await world.declare("ann", emergencyLocationRef={"name": "home"})
    await world.settle()
    await world.delete("EmergencyLocation", "home")
    await world.settle(120)
    assert await world.reason("ann") == "False DependencyNotReady"
    assert location_of(world) == HOME
    assert world.sent() == ["AssignNumber"]


async def test_the_range_says_the_location_of_who_says_none(worlds: Worlds) -> None:
    world = await worlds.make()
    await location(world, "home", HOME)
    await world.seed_range(emergencyLocationRef={"name": "home"})
    await world.declare("ann")
    await world.settle()
    assert location_of(world) == HOME


async def test_a_location_moved_in_the_portal_is_moved_back_through_the_gate(
    worlds: Worlds,
) -> None:
    world = await worlds.make()
    await location(world, "home", HOME)
    await world.declare("ann", emergencyLocationRef={"name": "home"})
    await world.settle()
    row = world.platform.true.numbers[E164(number(0))]
    world.platform.put_numbers([replace(row, location_id=AWAY)])
    await world.settle(120)
    assert location_of(world) == HOME
    assert gated(world) == 1


async def test_a_transient_refusal_of_a_policy_is_tried_again(worlds: Worlds) -> None:
    world = await worlds.make()
    await world.settle()
    world.fail(refuse(RefusalClass.TRANSIENT, "try again"), operation=Operation.SET_POLICY, times=2)
    await declare(world, **{CALLING: "A"})
    await world.settle(120)
    assert policy(world, CALLING) == "A"
    assert await world.all_ready()
