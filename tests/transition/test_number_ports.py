"""Numbers that come from another carrier: on a day, after weeks, or not at all."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from callplane.providers.inmemory import carrier_world
from callplane.providers.inmemory.carrier_world import CarrierWorld
from callplane.resources.carriers import NumberOnCarrier, Obstacle, PortState
from callplane.testing.carrier_estate import declare_number, seed_carrier
from callplane.testing.carrier_stage import ELSEWHERE, ON_SALE, OWNED
from callplane.testing.engine_world import START, EngineWorld, Worlds, number
from callplane.values import E164

pytestmark = pytest.mark.looptime

BUYS = {"enabled": True, "limit": {"numbers": 10}}
DAY = 86_400.0
# A port under way is looked at every half an hour.
LOOK = 2_000.0
TERMS = {
    "losingCarrier": "001",
    "losingCarrierName": "Northern Example Telecom",
    "account": "A-1234",
    "postcode": "LS1 1AA",
    "contactEmail": "numbers@example.com",
}


async def estate(worlds: Worlds, **spec: Any) -> EngineWorld:
    world = worlds.add(EngineWorld())
    world.carrier.offer(ON_SALE)
    world.carrier.give(OWNED)
    world.carrier.portable = {ELSEWHERE}
    await seed_carrier(world, **{"purchasing": BUYS, **spec})
    await world.start()
    await world.settle(5)
    return world


async def port(world: EngineWorld, **terms: Any) -> None:
    await declare_number(
        world, "main-line", ELSEWHERE, acquisition="PortIn", portIn={**TERMS, **terms}
    )


async def ready(world: EngineWorld) -> tuple[str, str]:
    return (
        await world.reason("main-line", kind="PhoneNumber"),
        (await world.condition("PhoneNumber", "main-line"))[2],
    )


def asked(world: EngineWorld) -> int:
    return len([call for call in world.carrier.journal if call.name == "port_in"])


async def test_a_port_waits_for_weeks_and_is_done(worlds: Worlds) -> None:
    world = await estate(worlds)
    await port(world, wantedOn="2026-11-20")
    await world.settle(120)
    reason, message = await ready(world)
    assert reason == "False PortPending"
    assert "2026-11-20" in message
    assert await world.state(ELSEWHERE.text) == "PortingIn"
    world.carrier.move_port("port-1", state=PortState.DATED, due_on=datetime.date(2026, 11, 27))
    await world.settle(LOOK)
    assert "2026-11-27" in (await ready(world))[1]
    status = await world.status("PhoneNumber", "main-line")
    assert (status["portIn"]["state"], status["portIn"]["dueOn"]) == ("Dated", "2026-11-27")
    await world.restart()
    await world.settle(2 * DAY)
    assert (await ready(world))[0] == "False PortPending"
    world.carrier.move_port("port-1", state=PortState.DONE)
    await world.settle(LOOK)
    assert (await ready(world))[0] == "Succeeded"
    assert asked(world) == 1
    assert await world.causes(ELSEWHERE.text) == ["PortIn", "Activate"]


async def test_nothing_is_asked_for_before_its_day(worlds: Worlds) -> None:
    world = await estate(worlds)
    first_day = (START + datetime.timedelta(days=2)).date()
    await port(world, notBefore=first_day.isoformat())
    await world.settle(DAY)
    reason, message = await ready(world)
    assert reason == "False PortPending"
    assert f"not asked for before {first_day}" in message
    assert asked(world) == 0
    await world.settle(DAY)
    assert asked(world) == 1


async def test_a_number_that_cannot_be_ported_says_so(worlds: Worlds) -> None:
    world = await estate(worlds)
    world.carrier.portable = set()
    await port(world)
    await world.settle(3600)
    reason, message = await ready(world)
    assert reason == "False NotPortable"
    assert "NP1" in message
    assert asked(world) == 1


async def test_a_refused_detail_is_corrected_and_sent_again(worlds: Worlds) -> None:
    world = await estate(worlds)
    await port(world)
    await world.settle(120)
    world.carrier.move_port(
        "port-1",
        state=PortState.CORRECTABLE,
        detail="The postcode does not match.",
        code="POSTAL_CODE_MISMATCH",
        obstacle=Obstacle.PORT_DETAILS_WRONG,
    )
    await world.settle(3600)
    reason, message = await ready(world)
    assert reason == "False PortRejected"
    assert "postcode does not match" in message
    assert "POSTAL_CODE_MISMATCH" in message
    assert "port-1" in message
    assert asked(world) == 1
    await port(world, postcode="LS1 2BB", resubmits="port-1")
    await world.settle(120)
    assert (await ready(world))[0] == "False PortPending"
    assert asked(world) == 2


@pytest.mark.parametrize("committed", [True, False], ids=["taken", "lost"])
async def test_a_port_without_an_answer_is_asked_for_once(worlds: Worlds, committed: bool) -> None:
    world = await estate(worlds)
    strike = carrier_world.answer_lost if committed else carrier_world.request_lost
    world.carrier.strike(strike("port_in"))
    await port(world)
    await world.settle(400)
    assert (await ready(world))[0] == "False PortPending"
    assert len(world.carrier.ports) == 1


async def test_a_port_costs_money_and_needs_the_switch(worlds: Worlds) -> None:
    world = await estate(worlds, purchasing=None)
    await port(world)
    await world.settle()
    assert (await ready(world))[0] == "False PurchasingDisabled"
    assert asked(world) == 0


class ShowsLate(CarrierWorld):
    """Reads show nothing of a ported number for a while."""

    shows = False

    def seen(self, number: E164, now: float) -> NumberOnCarrier | None:
        is_shown = self.shows or number != ELSEWHERE
        return CarrierWorld.seen(self, number, now) if is_shown else None


async def test_a_number_just_ported_is_not_asked_for_again(worlds: Worlds) -> None:
    world = worlds.add(EngineWorld())
    world.carrier = carrier = ShowsLate(portable={ELSEWHERE}, read_lag_seconds=5.0)
    await seed_carrier(world, purchasing=BUYS)
    await world.start()
    await world.settle(5)
    await port(world)
    await world.settle(120)
    assert (await ready(world))[0] == "False PortPending"
    world.carrier.move_port("port-1", state=PortState.DONE)
    await world.settle(3600)
    assert (await ready(world))[0] == "False OrderPending"
    assert asked(world) == 1
    carrier.shows = True
    await world.settle(120)
    assert (await ready(world))[0] == "Succeeded"


async def test_a_port_whose_object_is_deleted_is_seen_to_its_end(worlds: Worlds) -> None:
    world = await estate(worlds)
    await port(world)
    await world.settle(120)
    await world.delete("PhoneNumber", "main-line")
    await world.settle(600)
    assert await world.state(ELSEWHERE.text) == "PortingIn"
    world.carrier.move_port("port-1", state=PortState.DONE)
    await world.settle(3600)
    assert await world.state(ELSEWHERE.text) == "Free"
    await world.delete("Carrier", "main")
    await world.settle(120)
    assert not await world.exists("Carrier", "main")


async def test_a_number_that_was_ported_away_is_not_brought_back(worlds: Worlds) -> None:
    """Whoever ported it away had a reason; to ask for it again would be to take it from them."""
    world = await estate(worlds)
    await port(world)
    await world.settle(120)
    world.carrier.move_port("port-1", state=PortState.DONE)
    await world.settle(LOOK)
    assert (await ready(world))[0] == "Succeeded"
    del world.carrier.owned[ELSEWHERE]
    await world.settle(LOOK)
    await world.restart()
    await world.settle(LOOK)
    reason, said = await ready(world)
    assert reason == "False NumberNotOwned"
    assert "does not show it any more" in said
    assert asked(world) == 1


async def test_a_number_that_was_ported_away_is_not_brought_back_for_a_new_object_either(
    worlds: Worlds,
) -> None:
    """A cluster that is made anew from git has the same manifests and other UIDs."""
    world = await estate(worlds)
    await port(world)
    await world.settle(120)
    world.carrier.move_port("port-1", state=PortState.DONE)
    await world.settle(LOOK)
    assert (await ready(world))[0] == "Succeeded"
    del world.carrier.owned[ELSEWHERE]
    await world.delete("PhoneNumber", "main-line")
    await world.settle(LOOK)
    await port(world)
    await world.settle(LOOK)
    assert (await ready(world))[0] == "False NumberNotOwned"
    assert asked(world) == 1


# Numbers that somebody has


async def used(worlds: Worlds, *, named: bool = False, **spec: Any) -> tuple[EngineWorld, E164]:
    """A number that Ann has in Teams, by another carrier so far."""
    world = await worlds.make(("ann", "ben"))
    line = E164(number(3))
    world.carrier.portable = {line}
    await seed_carrier(world, purchasing=BUYS, deletionLock=False, driftInterval="1h")
    await world.delete("NumberRange", "london")
    open_to_all = {"route": "DirectRouting", "allowedNamespaces": [{"selector": {}}]}
    stated = {"e164": line.text, **open_to_all, **spec}
    await world.apply("PhoneNumber", "main-line", stated)
    by_name = {"phoneNumberRef": {"name": "main-line", "namespace": "default"}}
    await world.declare("ann", phoneNumber=by_name if named else {"e164": line.text})
    await world.settle(60)
    assert await world.reason("ann") == "Succeeded"
    return world, line


async def bring(world: EngineWorld, line: E164, **terms: Any) -> None:
    await declare_number(world, "main-line", line, acquisition="PortIn", portIn={**TERMS, **terms})
    await world.settle(300)


async def is_anns_all_the_while(world: EngineWorld, line: E164, *, writes: int) -> None:
    assert world.number_of("ann") == line.text
    assert await world.state(line.text) == "Assigned"
    assert await world.reason("ann") == "Succeeded"
    assert len(world.sent()) == writes, "nothing is written to the platform"


@pytest.mark.parametrize("named", [False, True])
@pytest.mark.parametrize("restarts", [False, True])
async def test_a_number_that_somebody_has_comes_with_its_holder(
    worlds: Worlds, restarts: bool, named: bool
) -> None:
    world, line = await used(worlds, named=named)
    writes = len(world.sent())
    await bring(world, line)
    assert (await ready(world))[0] == "False PortPending"
    await is_anns_all_the_while(world, line, writes=writes)
    # Somebody else who wants it is told whose it is, and not to wait for the carrier.
    by_name = {"phoneNumberRef": {"name": "main-line", "namespace": "default"}}
    await world.declare("ben", phoneNumber=by_name if named else {"e164": line.text})
    await world.settle(60)
    assert await world.reason("ben") == "False NumberTaken"
    await is_anns_all_the_while(world, line, writes=writes)
    if restarts:
        await world.restart()
        await world.settle(60)
    world.carrier.move_port("port-1", state=PortState.DONE)
    await world.settle(LOOK)
    assert (await ready(world))[0] == "Succeeded"
    assert line in world.carrier.owned
    await is_anns_all_the_while(world, line, writes=writes)
    assert asked(world) == 1
    assert "PortIn" not in await world.causes(line.text)


@pytest.mark.parametrize("restarts", [False, True])
async def test_a_port_of_a_used_number_that_is_refused_leaves_it_where_it_is(
    worlds: Worlds, restarts: bool
) -> None:
    world, line = await used(worlds)
    writes = len(world.sent())
    await bring(world, line)
    world.carrier.move_port("port-1", state=PortState.REJECTED, detail="the account is closed")
    await world.settle(LOOK)
    if restarts:
        await world.restart()
        await world.settle(60)
    reason, message = await ready(world)
    assert reason == "False PortRejected"
    assert "the account is closed" in message
    assert asked(world) == 1, "it is asked again only when the object changes"
    await is_anns_all_the_while(world, line, writes=writes)
    await bring(world, line, account="A-5678")
    assert asked(world) == 2
    world.carrier.move_port("port-2", state=PortState.DONE)
    await world.settle(LOOK)
    assert (await ready(world))[0] == "Succeeded"
    await is_anns_all_the_while(world, line, writes=writes)


async def test_a_used_number_goes_from_one_carrier_to_another(worlds: Worlds) -> None:
    """`carrierRef` does not change once it is set: its object goes, and another one comes."""
    world, line = await used(worlds)
    await seed_carrier(world, "old", type="BringYourOwn", account="0001")
    await world.apply(
        "PhoneNumber",
        "at-the-old",
        {
            "e164": line.text,
            "route": "DirectRouting",
            "carrierRef": {"name": "old"},
            "allowedNamespaces": [{"selector": {}}],
        },
    )
    await world.delete("PhoneNumber", "main-line")
    await world.settle(60)
    await world.delete("PhoneNumber", "at-the-old")
    await bring(world, line)
    world.carrier.move_port("port-1", state=PortState.DONE)
    await world.settle(LOOK)
    assert (await ready(world))[0] == "Succeeded"
    assert world.number_of("ann") == line.text
    assert await world.reason("ann") == "Succeeded"
    assert "Unassign" not in await world.causes(line.text)


async def test_a_number_that_rests_comes_and_goes_on_resting(worlds: Worlds) -> None:
    world, line = await used(worlds)
    await world.delete("TeamsUser", "ann")
    await world.settle(60)
    assert await world.state(line.text) == "Quarantined"
    await bring(world, line)
    assert (await ready(world))[0] == "False PortPending"
    world.carrier.move_port("port-1", state=PortState.DONE)
    await world.settle(LOOK)
    assert (await ready(world))[0] == "Succeeded"
    assert await world.state(line.text) == "Quarantined"
