"""People in Webex, and numbers that go from a person in Teams to one in Webex and back."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest

from callplane.controller import probes
from callplane.engine import claims, guarding
from callplane.numbering.lifecycle import HELD
from callplane.plan.change import Operation
from callplane.providers.inmemory import Verb, World, lost_after_commit
from callplane.resources.lines import NumberType, PolicyOnLine
from callplane.resources.platforms import NumberOnPlatform
from callplane.store import commits
from callplane.testing.engine_world import START, EngineWorld, Worlds, number, user_id
from callplane.testing.webex_side import WebexSide, person_id
from callplane.values import E164

pytestmark = pytest.mark.looptime

NONE: dict[str, Any] = {"none": {}}


async def both(worlds: Worlds, **options: Any) -> EngineWorld:
    """A tenant and an organisation with ann and ben in each, and one range for all."""
    world = await worlds.make(("ann", "ben"), **options)
    WebexSide(world).seed_people(("ann", "ben"))
    await WebexSide(world).seed_organization()
    await world.settle()
    return world


async def in_teams(worlds: Worlds, **options: Any) -> EngineWorld:
    """Ann has number 1 in Teams and is declared in Webex without one."""
    world = await both(worlds, **options)
    await world.declare("ann", phoneNumber={"e164": number(1)})
    await WebexSide(world).declare("ann", phoneNumber=NONE)
    await world.settle()
    assert world.number_of("ann") == number(1)
    assert await world.all_ready()
    assert await world.all_ready("WebexUser")
    return world


async def hand(world: EngineWorld, order: tuple[str, ...], *, to_webex: bool) -> None:
    """Edit both objects, as one commit would, in either order."""
    wanted = {"e164": number(1)}
    for side in order:
        if side == "teams":
            await world.declare("ann", phoneNumber=NONE if to_webex else wanted)
        else:
            await WebexSide(world).declare("ann", phoneNumber=wanted if to_webex else NONE)


async def watch(world: EngineWorld, which: int = 1, *, seconds: float = 120.0) -> list[str]:
    """Let time pass, and at every instant hold the number to one holder, in both systems and in the
    register. Returns who the register said had it, in order.
    """
    seen: list[str] = []
    for _ in range(int(seconds / 0.1)):
        wanted = E164(number(which))
        really = [
            row.holder_id
            for platform in (world.platform, world.webex)
            if (row := platform.true.numbers.get(wanted)) is not None and row.holder_id
        ]
        assert len(really) <= 1
        row = await world.row(which)
        assert row is not None
        assert row.state in HELD
        holder = row.holder.platform.value if row.holder else ""
        if not seen or seen[-1] != holder:
            seen.append(holder)
        await world.settle(0.1)
    return seen


async def test_a_person_in_webex_gets_a_number(worlds: Worlds) -> None:
    world = await both(worlds)
    await WebexSide(world).declare("ann", extension="1001", licence="Webex Calling - Standard")
    await world.settle()
    assert await world.reason("ann", kind="WebexUser") == "Succeeded"
    assert WebexSide(world).number_of("ann") == number(0)
    status = await world.status("WebexUser", "ann")
    assert status["phoneNumber"] == {"e164": number(0), "type": "Webex"}
    assert (status["extension"], status["licence"]) == ("1001", "Standard")
    assert (status["location"], status["directNumbers"]) == ("London", 1)
    assert status["connection"] == {"kind": "WebexOrganization", "name": "org"}
    (change,) = WebexSide(world).changes()
    assert change.operation is Operation.ASSIGN_NUMBER
    assert change.after == {
        "number": number(0),
        "type": "webex",
        "location": "London",
        "licence": "Standard",
        "extension": "1001",
    }
    assert await world.state(0) == "Assigned"


async def test_somebody_without_a_licence_gets_the_usual_one(worlds: Worlds) -> None:
    world = await both(worlds)
    await WebexSide(world).declare("ann")
    await world.settle()
    (change,) = WebexSide(world).changes()
    assert change.after is not None
    assert change.after["licence"] == "Professional"


async def test_a_licence_that_the_system_passed_over_is_asked_for_again(worlds: Worlds) -> None:
    world = await both(worlds)
    await WebexSide(world).declare("ann", licence="Standard")
    await world.settle()
    row = world.webex.true.configurations[person_id("ann")]
    world.webex.put_configurations([type(row)(row.user_id, numbers=row.numbers)])
    await world.settle(120)
    assert WebexSide(world).changes()[-1].after == {
        "type": "CallingLicence",
        "name": "Standard",
        "location": "London",
    }
    assert await world.reason("ann", kind="WebexUser") == "Succeeded"


async def test_one_range_serves_both_and_gives_no_number_twice(worlds: Worlds) -> None:
    world = await both(worlds, numbers=4)
    for name in ("ann", "ben"):
        await world.declare(name)
        await WebexSide(world).declare(name)
    await world.settle(120)
    given = {world.number_of("ann"), world.number_of("ben")}
    given |= {WebexSide(world).number_of("ann"), WebexSide(world).number_of("ben")}
    assert given == {number(index) for index in range(4)}
    assert await world.all_ready()
    assert await world.all_ready("WebexUser")


async def test_a_leaver_of_webex_lets_the_number_rest(worlds: Worlds) -> None:
    world = await both(worlds)
    await WebexSide(world).declare("ann")
    await world.settle()
    await world.delete("WebexUser", "ann")
    await world.settle(120)
    assert not await world.exists("WebexUser", "ann")
    assert WebexSide(world).number_of("ann") is None
    assert await world.state(0) == "Quarantined"


async def test_a_number_of_another_route_is_not_for_webex(worlds: Worlds) -> None:
    world = await both(worlds)
    await world.seed_range("plan", first=number(20), last=number(29), route="CallingPlan")
    await WebexSide(world).declare("ann", phoneNumber={"rangeRef": {"name": "plan"}})
    await world.settle()
    status, reason, message = await world.condition("WebexUser", "ann")
    assert (status, reason) == ("False", "Unsupported")
    assert "Webex cannot use" in message
    assert WebexSide(world).changes() == []


async def test_an_emergency_location_must_be_that_of_the_place(worlds: Worlds) -> None:
    world = await both(worlds)
    address = {"street": "1 Example Street", "town": "Leeds", "postcode": "ZZ99 9ZZ"}
    await world.apply("EmergencyLocation", "leeds", {"address": address})
    await WebexSide(world).declare("ann", emergencyLocationRef={"name": "leeds"})
    await world.settle()
    assert await world.reason("ann", kind="WebexUser") == "False EmergencyLocationUnknown"
    await world.apply("EmergencyLocation", "leeds", {"address": address, "webexLocation": "Leeds"})
    await world.settle()
    status, reason, message = await world.condition("WebexUser", "ann")
    assert (status, reason) == ("False", "EmergencyLocationUnknown")
    assert "wrong address" in message
    assert WebexSide(world).changes() == []
    await WebexSide(world).declare("ann", location=None, emergencyLocationRef={"name": "leeds"})
    await world.settle()
    assert await world.reason("ann", kind="WebexUser") == "Succeeded"
    assert (await world.status("WebexUser", "ann"))["location"] == "Leeds"


@pytest.mark.parametrize("order", list(permutations(("teams", "webex"))))
async def test_a_number_moves_to_webex_and_back(worlds: Worlds, order: tuple[str, ...]) -> None:
    world = await in_teams(worlds)
    await hand(world, order, to_webex=True)
    assert await watch(world) == ["teams", "webex"]
    assert (world.number_of("ann"), WebexSide(world).number_of("ann")) == (None, number(1))
    assert await world.all_ready()
    assert await world.all_ready("WebexUser")
    row = await world.row(1)
    assert row is not None
    assert (row.connection.provider, row.number_type) == ("webex", "webex")
    await hand(world, order, to_webex=False)
    assert await watch(world) == ["webex", "teams"]
    assert (world.number_of("ann"), WebexSide(world).number_of("ann")) == (number(1), None)
    row = await world.row(1)
    assert row is not None
    assert (row.connection.provider, row.number_type) == ("teams", "directRouting")
    causes = await world.causes(1)
    assert causes.count("Transfer") == causes.count("Receive") == 2
    assert not {"Unassign", "Abandon"} & set(causes)
    sent = [change.operation.value for change in (*world.changes(), *WebexSide(world).changes())]
    # Assigned, moved away and back in Teams; assigned and moved away in Webex. Nothing twice.
    assert sorted(sent) == ["AssignNumber"] * 3 + ["UnassignNumber"] * 2


async def test_the_receiver_waits_for_the_giver(worlds: Worlds) -> None:
    world = await in_teams(worlds)
    await WebexSide(world).declare("ann", phoneNumber={"e164": number(1)})
    await world.settle()
    # The giver has not said that it gives anything up.
    assert await world.reason("ann", kind="WebexUser") == "False NumberTaken"
    world.platform.order_seconds = 20.0
    await world.declare("ann", phoneNumber=NONE)
    await world.until(lambda: world.sent()[-1] == "UnassignNumber")
    await world.settle(2)
    status, reason, message = await world.condition("WebexUser", "ann")
    assert (status, reason) == ("False", "NumberInTransfer")
    assert "TeamsUser default/ann" in message
    assert WebexSide(world).changes() == []
    await world.settle(60)
    assert WebexSide(world).number_of("ann") == number(1)


@pytest.mark.parametrize("moment", ["Transferring", "Claimed"])
async def test_a_crash_between_the_two_keeps_the_number_for_the_receiver(
    worlds: Worlds, moment: str
) -> None:
    world = await in_teams(worlds)
    await hand(world, ("webex", "teams"), to_webex=True)
    for _ in range(2000):
        if await world.state(1) == moment:
            break
        await world.settle(0.01)
    assert await world.state(1) == moment
    await world.kill()
    row = await world.row(1)
    assert row is not None
    kept_for = row.transfer_to if moment == "Transferring" else row.holder
    assert kept_for is not None
    assert kept_for.user_id == person_id("ann")
    await world.start()
    assert (await watch(world, seconds=200))[-1] == "webex"
    assert (world.number_of("ann"), WebexSide(world).number_of("ann")) == (None, number(1))
    assert not {"Unassign", "Abandon"} & set(await world.causes(1))


async def test_a_number_is_kept_for_a_receiver_whose_platform_is_away(worlds: Worlds) -> None:
    """Nobody can tell whether they still want it: it does not rest for ninety days meanwhile."""
    world = await in_teams(worlds, platform=World(order_seconds=20.0))
    await hand(world, ("webex", "teams"), to_webex=True)
    await world.until(lambda: "UnassignNumber" in world.sent())
    await world.kill()
    nowhere = {"name": "nowhere", "key": "secret"}
    app = {"clientId": "service-app", "clientSecretRef": nowhere, "refreshTokenRef": nowhere}
    await WebexSide(world).seed_organization(credentials={"serviceApp": app})
    await world.start()
    await world.settle(120)
    assert world.number_of("ann") is None
    assert await world.state(1) == "Transferring"
    assert await world.reason("ann") == "False DependencyNotReady"
    await WebexSide(world).seed_organization()
    await world.settle(300)
    assert WebexSide(world).number_of("ann") == number(1)
    assert await world.all_ready()
    assert await world.all_ready("WebexUser")
    assert "Abandon" not in await world.causes(1)


async def test_two_people_on_two_platforms_swap(worlds: Worlds) -> None:
    world = await both(worlds)
    await world.declare("ann", phoneNumber={"e164": number(1)})
    await WebexSide(world).declare("ben", phoneNumber={"e164": number(2)})
    await world.settle()
    await world.declare("ann", phoneNumber={"e164": number(2)})
    await WebexSide(world).declare("ben", phoneNumber={"e164": number(1)})
    await world.settle(200)
    assert (world.number_of("ann"), WebexSide(world).number_of("ben")) == (number(2), number(1))
    for index in (1, 2):
        assert not {"Unassign", "Abandon"} & set(await world.causes(index))
        assert await world.state(index) == "Assigned"


async def test_a_giver_who_changes_their_mind(worlds: Worlds) -> None:
    world = await in_teams(worlds)
    world.platform.order_seconds = 20.0
    await WebexSide(world).declare("ann", phoneNumber={"e164": number(1)})
    await world.annotate("TeamsUser", "ann", {})
    await world.declare("ann", phoneNumber=NONE)
    await world.declare("ann", phoneNumber={"e164": number(1)})
    await world.settle(200)
    assert world.number_of("ann") == number(1)
    assert await world.reason("ann") == "Succeeded"
    assert await world.reason("ann", kind="WebexUser") == "False NumberTaken"


async def test_a_receiver_whose_object_goes_meanwhile(worlds: Worlds) -> None:
    world = await in_teams(worlds)
    world.platform.order_seconds = 10.0
    await hand(world, ("webex", "teams"), to_webex=True)
    await world.until(lambda: world.sent()[-1] == "UnassignNumber")
    await world.delete("WebexUser", "ann")
    await world.settle(200)
    assert await world.state(1) == "Quarantined"
    row = await world.row(1)
    assert row is not None
    assert row.connection.provider == "teams"


async def test_a_number_that_rests_on_one_platform_rests_for_the_other(worlds: Worlds) -> None:
    world = await in_teams(worlds)
    await world.declare("ann", phoneNumber=NONE)
    await world.settle(60)
    assert await world.state(1) == "Quarantined"
    await WebexSide(world).declare("ann", phoneNumber={"e164": number(1)})
    await world.settle(60)
    assert await world.reason("ann", kind="WebexUser") == "False NumberQuarantined"


async def test_a_suspended_organisation_gives_nothing_up(worlds: Worlds) -> None:
    world = await in_teams(worlds)
    await hand(world, ("webex", "teams"), to_webex=True)
    await world.settle(120)
    await WebexSide(world).seed_organization(suspend=True)
    await world.settle()
    await hand(world, ("teams", "webex"), to_webex=False)
    await world.settle(120)
    assert WebexSide(world).number_of("ann") == number(1)
    assert world.number_of("ann") is None


async def test_credentials_that_are_about_to_end_are_warned_of(worlds: Worlds) -> None:
    world = await worlds.make(("ann",), start=False)
    world.credentials_end_at = START + timedelta(days=15)
    await WebexSide(world).seed_organization()
    await world.start()
    await world.settle()
    status = await world.status("WebexOrganization", "org")
    assert status["credentialsExpireAt"] == "2026-11-17T00:00:00Z"
    assert await world.condition("WebexOrganization", "org", "CredentialsExpiring") == ("", "", "")
    await world.settle(1.5 * 86400)
    status_text, reason, message = await world.condition(
        "WebexOrganization", "org", "CredentialsExpiring"
    )
    assert (status_text, reason) == ("True", "CredentialsExpiring")
    assert "2026-11-17" in message
    assert await world.reason("org", kind="WebexOrganization") == "Succeeded"
    assert credentials_left(world) == {"default/org": pytest.approx(13.5 * 86400, abs=60)}
    # A new refresh token in the Secret ends the warning by itself.
    world.credentials_end_at = START + timedelta(days=100)
    world.accepted_secret = b"renewed"
    await world.change_secret(b"renewed")
    await world.settle(120)
    assert await world.condition("WebexOrganization", "org", "CredentialsExpiring") == ("", "", "")
    assert await world.reason("org", kind="WebexOrganization") == "Succeeded"


def credentials_left(world: EngineWorld) -> dict[str, float]:
    """What /metrics tells, by connection."""
    assert world.engine is not None
    probes.measure(world.engine)
    (metric,) = [
        each
        for each in world.engine.telemetry.registry.collect()
        if each.name == "callplane_credentials_left_seconds"
    ]
    return {sample.labels["connection"]: sample.value for sample in metric.samples}


async def test_refused_credentials_open_the_breaker_until_the_secret_changes(
    worlds: Worlds,
) -> None:
    world = await both(worlds)
    await WebexSide(world).declare("ann")
    await world.settle()
    world.accepted_secret = b"renewed"
    await world.settle(120)
    reason = await world.reason("org", kind="WebexOrganization")
    assert reason == "False AuthenticationFailed"
    await world.change_secret(b"renewed")
    await world.settle(120)
    assert await world.reason("org", kind="WebexOrganization") == "Succeeded"
    assert await world.all_ready("WebexUser")


async def test_a_privilege_is_applied_and_its_edits_reach_everybody(worlds: Worlds) -> None:
    world = await both(worlds)
    webex = WebexSide(world)
    await world.apply("CallPrivilege", "plain", {"allowedClasses": ["Geographic"]})
    await webex.declare("ann", callPrivilegeRef={"name": "plain"})
    await world.settle(90)
    assert await world.reason("ann", kind="WebexUser") == "Succeeded"
    assert (await world.status("CallPrivilege", "plain"))["users"] == 1
    first = webex.changes()[-1].after
    assert first == {
        "type": "OutgoingPermissions",
        "name": "blocks CHARGEABLE_DIRECTORY_ASSISTED,INTERNATIONAL,PREMIUM_SERVICES_I,"
        "PREMIUM_SERVICES_II",
    }
    await world.apply("CallPrivilege", "plain", {"allowedClasses": ["International", "Premium"]})
    await world.settle(60)
    last = webex.changes()[-1].after
    assert last is not None
    assert last["name"] == "blocks CHARGEABLE_DIRECTORY_ASSISTED"
    await world.delete("CallPrivilege", "plain")
    await world.settle()
    assert await world.reason("ann", kind="WebexUser") == "False DependencyNotReady"
    assert len(webex.changes()) == 3


async def test_what_no_listing_shows_is_looked_at_once_an_hour(worlds: Worlds) -> None:
    world = await both(worlds)
    webex = WebexSide(world)
    await webex.declare("ann", callerId="LocationNumber")
    await world.settle()
    assert webex.changes()[-1].after == {"type": "CallerId", "name": "LOCATION_NUMBER"}
    row = world.webex.true.configurations[person_id("ann")]
    others = tuple(each for each in row.policies if each[0] != "CallerId")
    world.webex.put_configurations(
        [replace(row, policies=(*others, ("CallerId", PolicyOnLine("DIRECT_LINE"))))]
    )
    sent = len(webex.changes())
    await world.settle(7200)
    assert len(webex.changes()) == sent + 1
    assert await world.reason("ann", kind="WebexUser") == "Succeeded"


async def test_a_person_who_is_to_be_created_is_created_once(worlds: Worlds) -> None:
    world = await both(worlds)
    webex = WebexSide(world)
    names = {"firstName": "Dan", "lastName": "Example"}
    world.webex.faults.add(lost_after_commit(), verb=Verb.SEND, operation=Operation.CREATE_PERSON)
    await webex.declare("dan", create=names)
    await world.settle(120)
    assert await world.reason("dan", kind="WebexUser") == "Succeeded"
    sent = [change.operation for change in webex.changes()]
    assert sent == [Operation.CREATE_PERSON, Operation.ASSIGN_NUMBER]
    # Who was there and is gone is never made anew.
    (person,) = [p for p in world.webex.true.people.values() if p.user_id.startswith("created")]
    world.webex.remove_person(person.user_id)
    await world.settle(200)
    await world.annotate("WebexUser", "dan", {"callplane.dev/reconcile-requested-at": "again"})
    await world.settle(60)
    assert await world.reason("dan", kind="WebexUser") == "False UserNotFound"
    assert [change.operation for change in webex.changes()] == sent


async def test_nobody_is_created_who_was_not_asked_for(worlds: Worlds) -> None:
    world = await both(worlds)
    await WebexSide(world).declare("dan")
    await world.settle()
    assert await world.reason("dan", kind="WebexUser") == "False UserNotFound"
    assert WebexSide(world).changes() == []


async def numbers_of_others_are_never_written(worlds: Worlds) -> None:
    world = await both(worlds)
    webex = WebexSide(world)
    await webex.declare("ann", phoneNumber={"e164": number(1)})
    await world.settle()
    assert webex.number_of("ann") == number(1)
    sent = len(webex.changes())
    managed = "Example Integrated (INTEGRATED_CCP)"
    row = world.webex.true.numbers[E164(number(1))]
    other = NumberOnPlatform(E164(number(2)), NumberType.WEBEX, location_id="London")
    world.webex.put_numbers([replace(each, managed_by=managed) for each in (row, other)])
    await world.settle(70)
    await webex.declare("ann", phoneNumber=NONE)
    await webex.declare("ben", phoneNumber={"e164": number(2)})
    await world.settle(90)
    for name in ("ann", "ben"):
        status, reason, message = await world.condition("WebexUser", name)
        assert (status, reason) == ("False", "Unsupported")
        assert managed in message
    assert len(webex.changes()) == sent
    # A leaver's number cannot be taken away from here either: the object says so and stays.
    await world.delete("WebexUser", "ann")
    await world.settle(90)
    assert await world.exists("WebexUser", "ann")
    assert len(webex.changes()) == sent
    assert webex.number_of("ann") == number(1)


async def a_move_keeps_the_number(worlds: Worlds) -> None:
    world = await in_teams(worlds)
    await hand(world, ("webex", "teams"), to_webex=True)
    assert await watch(world) == ["teams", "webex"]
    assert WebexSide(world).number_of("ann") == number(1)
    row = await world.row(1)
    assert row is not None
    assert row.connection.provider == "webex"


def everything_is_managed_here(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(guarding, "check_managed_elsewhere", lambda *_: None)


def rows_stay_with_their_giver(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(commits, "connection_after", lambda _, connection: connection)


def receivers_do_not_wait(patch: pytest.MonkeyPatch) -> None:
    async def at_once(scope: Any, gathered: Any, holder: Any, row: Any) -> None:
        return None

    patch.setattr(claims, "_secure_elsewhere", at_once)


MUTANTS = {
    "managed elsewhere": (numbers_of_others_are_never_written, everything_is_managed_here),
    "change of connection": (a_move_keeps_the_number, rows_stay_with_their_giver),
    "giver first": (a_move_keeps_the_number, receivers_do_not_wait),
}


@pytest.mark.parametrize("guard", MUTANTS)
async def test_the_scenario_holds(worlds: Worlds, guard: str) -> None:
    await MUTANTS[guard][0](worlds)


@pytest.mark.parametrize("guard", MUTANTS)
async def test_without_its_guard_the_scenario_fails(
    worlds: Worlds, guard: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    scenario, mutate = MUTANTS[guard]
    mutate(monkeypatch)
    worlds.defects_are_expected = True
    with pytest.raises(AssertionError):
        await scenario(worlds)


@pytest.mark.parametrize("source", [{"e164": number(0)}, {"rangeRef": {"name": "london"}}])
async def test_what_somebody_has_in_teams_is_not_given_in_webex(
    worlds: Worlds, source: dict[str, Any]
) -> None:
    """Nothing declares ben, so the register does not know that he has number 0."""
    world = await both(worlds)
    world.platform.administrator_assigns(E164(number(0)), user_id("ben"))
    await world.settle(120)
    await WebexSide(world).declare("ann", phoneNumber=source)
    await world.settle(120)
    drawn = "rangeRef" in source
    wanted = "Succeeded" if drawn else "False Foreign"
    assert await world.reason("ann", kind="WebexUser") == wanted
    given = [row.number.text for row in world.webex.true.numbers.values() if row.holder_id]
    assert given == ([number(1)] if drawn else [])
    world.platform.administrator_assigns(E164(number(0)), None)
    await world.settle(200)
    assert await world.reason("ann", kind="WebexUser") == "Succeeded"
