"""Giving numbers back: two keys, a rest, a person's approval, and every missing one named."""

from __future__ import annotations

import datetime

import pytest

from callplane.providers.inmemory import carrier_world
from callplane.resources.lines import NumberType
from callplane.resources.platforms import NumberOnPlatform
from callplane.testing.carrier_estate import declare_number, seed_carrier, seed_location
from callplane.testing.carrier_stage import OWNED
from callplane.testing.engine_world import SECRET, START, EngineWorld, Worlds, number, user_id
from callplane.testing.release_estate import LINE, ask, estate, needs, reason, released
from callplane.testing.sip_side import SipSide
from callplane.values import E164

pytestmark = pytest.mark.looptime

DAY = 86_400.0
TODAY = START.date()


async def test_one_key_is_not_enough(worlds: Worlds) -> None:
    world = await estate(worlds)
    await ask(world, day=None)
    assert await reason(world) == "False ReleaseRefused"
    assert "releaseAcknowledgement" in await needs(world)
    await ask(world, releasePolicy="Keep")
    assert await reason(world) == "Succeeded"
    assert await needs(world) == ""
    await world.settle(0.2 * DAY)
    assert LINE in world.carrier.owned


async def test_an_acknowledgement_of_a_day_to_come_waits_for_it(worlds: Worlds) -> None:
    world = await estate(worlds)
    tomorrow = TODAY + datetime.timedelta(days=1)
    await ask(world, day=tomorrow)
    assert await reason(world) == "False ReleaseWaiting"
    assert f"day of the acknowledgement, {tomorrow}" in await needs(world)


async def test_both_keys_still_wait_for_the_rest_and_for_a_person(worlds: Worlds) -> None:
    world = await estate(worlds)
    await ask(world, day=TODAY, quarantine={"days": 1})
    assert await reason(world) == "False ReleaseWaiting"
    assert "end of its rest, 2026-11-03" in await needs(world)
    await world.settle(0.65 * DAY)
    assert await reason(world) == "False ApprovalRequired"
    assert LINE in world.carrier.owned
    await world.answer()
    await world.settle(60)
    assert await reason(world) == "Released"
    assert world.carrier.released == [LINE]
    assert await world.state(LINE.text) == "Released"
    assert await world.causes(LINE.text) == ["RestForRelease", "RequestRelease", "Release"]
    writes = [call.name for call in world.carrier.journal if call.is_write]
    # What hangs on the number goes first.
    assert writes[-3:] == ["set_emergency_address", "set_deletion_lock", "release"]
    await world.restart()
    await world.settle(0.1 * DAY)
    assert await reason(world) == "Released"
    assert world.carrier.released == [LINE]


async def test_a_release_whose_answer_is_lost_happens_once(worlds: Worlds) -> None:
    world = await estate(worlds)
    world.carrier.strike(carrier_world.answer_lost("release"))
    await ask(world)
    await world.settle(60)
    await world.answer()
    await world.settle(120)
    assert await reason(world) == "Released"
    assert [call.name for call in world.carrier.journal].count("release") == 1


async def test_a_release_that_is_lost_on_its_way_is_sent_again(worlds: Worlds) -> None:
    world = await estate(worlds)
    world.carrier.strike(carrier_world.request_lost("release"))
    await ask(world)
    await world.settle(60)
    await world.answer()
    await world.settle(400)
    assert await reason(world) == "Released"
    assert world.carrier.released == [LINE]


@pytest.mark.parametrize("restarts", [False, True])
async def test_a_release_that_is_lost_on_its_way_is_not_sent_again_without_its_approval(
    worlds: Worlds, restarts: bool
) -> None:
    """The approval is taken back while nobody knows yet what became of the first attempt."""
    world = await estate(worlds)
    world.carrier.strike(carrier_world.request_lost("release"))
    await ask(world)
    await world.settle(60)
    await world.answer()
    await world.until(lambda: released(world) == 1)
    await world.delete("ChangeApproval", "answer")
    if restarts:
        await world.restart()
    await world.settle(900)
    assert released(world) == 1
    assert LINE in world.carrier.owned
    assert await reason(world) == "False ApprovalRequired"


@pytest.mark.parametrize("freeze", ["Destructive", "All"])
async def test_nothing_is_released_in_an_incident(worlds: Worlds, freeze: str) -> None:
    world = await estate(worlds)
    incident = {
        "connectionRef": {"kind": "Carrier", "name": "main"},
        "text": "The carrier is ill",
        "since": "2026-11-02T08:00:00Z",
        "freeze": freeze,
    }
    await world.apply("ProviderIncident", "outage", incident)
    await ask(world)
    assert await reason(world) == "False ReleaseWaiting"
    assert "The carrier is ill" in await needs(world)
    assert LINE in world.carrier.owned
    await world.delete("ProviderIncident", "outage")
    await world.settle(400)
    assert await reason(world) == "False ApprovalRequired"


async def test_a_live_holder_keeps_the_number(worlds: Worlds) -> None:
    """By the register, by the platform, and by the manifest that names it."""
    line = E164(number(3))
    world = await worlds.make()
    world.carrier.give([line])
    await seed_carrier(world)
    await seed_location(world)
    await declare_number(world, "front", line, quarantine={"days": 1})
    await world.apply("NumberRange", "london", {"numbers": [number(1)], "route": "DirectRouting"})
    await world.declare("ann", phoneNumber={"phoneNumberRef": {"name": "front"}})
    await world.settle()
    assert world.number_of("ann") == line.text
    await ask(world, line=line, quarantine={"days": 1})
    assert await reason(world) == "False ReleaseRefused"
    said = await needs(world)
    assert said.count("TeamsUser default/ann") == 2
    await world.delete("TeamsUser", "ann")
    await world.settle(120)
    assert await reason(world) == "False ReleaseWaiting"
    assert "end of its rest, 2026-11-03" in await needs(world)
    await world.settle(1.01 * DAY)
    assert await reason(world) == "False ApprovalRequired"
    assert line in world.carrier.owned


async def test_another_object_that_has_the_number_keeps_it(worlds: Worlds) -> None:
    world = await estate(worlds)
    await declare_number(world, "twin", LINE)
    block = {"first": OWNED[0].text, "last": OWNED[1].text, "route": "DirectRouting"}
    await world.apply("NumberRange", "block", block)
    await ask(world)
    assert await reason(world) == "False ReleaseRefused"
    assert "NumberRange default/block" in await needs(world)
    assert "PhoneNumber default/twin" in await needs(world)


async def test_a_holder_that_nothing_declares_keeps_the_number(worlds: Worlds) -> None:
    line = E164(number(3))
    world = await worlds.make()
    world.carrier.give([line])
    await seed_carrier(world)
    await seed_location(world)
    await world.apply("NumberRange", "london", {"numbers": [number(1)], "route": "DirectRouting"})
    world.platform.administrator_assigns(line, "somebody-else")
    await world.settle(120)
    await ask(world, line=line)
    assert await reason(world) == "False ReleaseRefused"
    assert "its holder in TeamsTenant default/main" in await needs(world)


async def approved_late(worlds: Worlds) -> tuple[EngineWorld, E164]:
    """A number that may be given back but for an answer, and a tenant that is listed seldom."""
    line = E164(number(3))
    world = await worlds.make(tenant={"driftInterval": "24h"})
    world.carrier.give([line])
    await seed_carrier(world)
    await seed_location(world)
    await world.apply("NumberRange", "london", {"numbers": [number(1)], "route": "DirectRouting"})
    await world.settle(120)
    await ask(world, line=line)
    await world.settle(60)
    assert await reason(world) == "False ApprovalRequired"
    return world, line


async def test_whoever_got_the_number_since_the_last_listing_keeps_it(worlds: Worlds) -> None:
    world, line = await approved_late(worlds)
    world.platform.administrator_assigns(line, "somebody-else")
    await world.answer()
    await world.settle(120)
    assert line in world.carrier.owned
    assert world.carrier.owned[line].emergency_address is not None
    assert await reason(world) == "False ReleaseRefused"
    assert "its holder in TeamsTenant default/main" in await needs(world)


async def test_nothing_is_released_while_a_tenant_does_not_answer(worlds: Worlds) -> None:
    world, line = await approved_late(worlds)
    world.accepted_secret = b"another"
    await world.answer()
    await world.settle(120)
    assert line in world.carrier.owned
    assert await reason(world) == "False ReleaseWaiting"
    assert "an answer of TeamsTenant default/main" in await needs(world)
    world.accepted_secret = SECRET
    await world.settle(1200)
    assert await reason(world) == "Released"
    assert world.carrier.released == [line]


@pytest.mark.parametrize("named", ["numbers", "emergencyCallbackNumber"])
async def test_a_pbx_that_names_the_number_keeps_it(worlds: Worlds, named: str) -> None:
    """Also one that is only observed, and has no claim in the register."""
    world = await estate(worlds)
    states = {named: [LINE.text] if named == "numbers" else LINE.text}
    await SipSide(world).declare_trunk("works", managementPolicy="Observe", **states)
    await ask(world)
    assert await reason(world) == "False ReleaseRefused"
    assert "PbxTrunk default/works" in await needs(world)


async def test_more_keys_are_missing_than_status_may_hold(worlds: Worlds) -> None:
    world = await estate(worlds)
    for which in range(20):
        await declare_number(world, f"twin-{which}", LINE)
    incident = {
        "connectionRef": {"kind": "Carrier", "name": "main"},
        "text": "The carrier is ill. " * 20,
        "since": "2026-11-02T08:00:00Z",
        "freeze": "Destructive",
    }
    await world.apply("ProviderIncident", "outage", incident)
    await ask(world)
    found = (await world.status("PhoneNumber", "front"))["releaseNeeds"]
    assert len(found) == 16
    assert max(map(len, found)) == 256
    assert await reason(world) == "False ReleaseRefused"


async def test_deleting_everything_releases_nothing(worlds: Worlds) -> None:
    world = await estate(worlds)
    await world.delete("PhoneNumber", "front")
    await world.delete("Carrier", "main")
    await world.settle(2 * DAY)
    assert LINE in world.carrier.owned
    assert world.carrier.released == []


async def test_a_release_can_be_called_off_while_it_waits(worlds: Worlds) -> None:
    world = await estate(worlds)
    await ask(world)
    await world.settle(60)
    assert await reason(world) == "False ApprovalRequired"
    await ask(world, releasePolicy="Keep", day=None)
    await world.settle(60)
    assert await reason(world) == "Succeeded"
    assert (await world.status("Carrier", "main"))["heldChanges"] == 0


async def test_a_number_that_comes_back_after_its_release_is_not_released_again(
    worlds: Worlds,
) -> None:
    world = await estate(worlds)
    await ask(world)
    await world.settle(60)
    await world.answer()
    await world.settle(60)
    assert world.carrier.released == [LINE]
    world.carrier.give([LINE])
    await world.settle(3600)
    assert await reason(world) == "False ReleaseRefused"
    assert world.carrier.released == [LINE]
    await ask(world, releasePolicy="Keep", day=None)
    await world.settle(120)
    assert await reason(world) == "Succeeded"
    assert await world.state(LINE.text) == "Free"


async def test_what_was_given_back_is_not_bought_again_whatever_the_register_says(
    worlds: Worlds,
) -> None:
    world = await estate(worlds, purchasing={"enabled": True, "limit": {"numbers": 10}})
    world.carrier.take(LINE)
    world.carrier.offer([LINE])
    await ask(world, acquisition="Order")
    await world.settle(120)
    assert await reason(world) == "Released"
    assert world.carrier.purchases == []


async def test_an_observed_carrier_releases_nothing(worlds: Worlds) -> None:
    world = await estate(worlds)
    await seed_carrier(world, managementPolicy="Observe")
    await ask(world)
    await world.settle(120)
    assert (await world.condition("PhoneNumber", "front", "Drifted"))[0] == "True"
    assert LINE in world.carrier.owned


async def test_a_tenant_that_is_not_at_work_may_have_the_number(worlds: Worlds) -> None:
    """Its Secret is missing after a restart; when it is back, its user is seen with the number."""
    world = await estate(worlds)
    world.seed_people(("ben",))
    row = NumberOnPlatform(LINE, NumberType.DIRECT_ROUTING, holder_id=user_id("ben"))
    world.platform.put_numbers([row])
    nowhere = {"name": "nowhere", "key": "secret"}
    client = "00000000-0000-4000-8000-00000000bbbb"
    secret = {"clientId": client, "secretRef": nowhere}
    await world.apply_tenant(credentials={"clientSecret": secret})
    await ask(world)
    await world.settle(60)
    assert await reason(world) == "False ReleaseWaiting"
    listing = "a listing of TeamsTenant default/main, to see that nobody has the number there"
    assert await needs(world) == listing
    assert world.held_digests() == []
    await world.seed_tenant()
    await world.settle(120)
    assert await reason(world) == "False ReleaseRefused"
    assert await needs(world) == "that its holder in TeamsTenant default/main gives the number up"
    assert LINE in world.carrier.owned
