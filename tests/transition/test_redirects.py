"""Calls to a leaver's number while it rests: who answers, and what is said when nobody can."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from callplane.testing.engine_world import EngineWorld, Worlds, number

pytestmark = pytest.mark.looptime

RANGE = "NumberRange"


async def leaver(worlds: Worlds, **spec: Any) -> EngineWorld:
    """Ann has number 1, ben had number 2 and left."""
    world = await worlds.make(("ann", "ben"))
    await world.declare("ann", phoneNumber={"e164": number(1)})
    await world.declare("ben", phoneNumber={"e164": number(2)})
    await world.settle()
    await world.delete("TeamsUser", "ben")
    await world.settle(60)
    assert await world.state(2) == "Quarantined"
    await world.seed_range(**spec)
    await world.settle(60)
    return world


def redirect(which: int, to: int, **more: Any) -> dict[str, Any]:
    return {"interimRedirects": [{"number": number(which), "to": number(to), **more}]}


async def test_a_colleague_answers_while_the_number_rests(worlds: Worlds) -> None:
    world = await leaver(worlds, **redirect(2, 1))
    assert await world.reason("london", kind=RANGE) == "Succeeded"
    assert (await world.status(RANGE, "london"))["redirected"] == 1


async def test_it_ends_by_itself(worlds: Worlds) -> None:
    world = await leaver(worlds)
    until = (world.clock.now() + timedelta(seconds=60)).strftime("%Y-%m-%dT%H:%M:%SZ")
    await world.seed_range(**redirect(2, 1, until=until))
    await world.settle(30)
    assert (await world.status(RANGE, "london"))["redirected"] == 1
    await world.settle(60)
    assert (await world.status(RANGE, "london"))["redirected"] == 0
    assert await world.reason("london", kind=RANGE) == "Succeeded"


async def test_a_target_that_nobody_has_is_waited_for(worlds: Worlds) -> None:
    world = await leaver(worlds, **redirect(2, 3))
    assert await world.reason("london", kind=RANGE) == "False DependencyNotReady"
    await world.declare("ben", phoneNumber={"e164": number(3)})
    await world.settle(120)
    assert await world.reason("london", kind=RANGE) == "Succeeded"


async def test_a_number_that_somebody_has_is_not_taken_from_them(worlds: Worlds) -> None:
    world = await leaver(worlds, **redirect(1, 3))
    assert await world.reason("london", kind=RANGE) == "False Conflict"
    assert world.number_of("ann") == number(1)


async def test_where_calls_do_not_cross_our_sbc_the_command_is_said(worlds: Worlds) -> None:
    world = await leaver(worlds)
    await world.apply(
        "PhoneNumber",
        "planned",
        {
            "e164": "+442079460999",
            "route": "CallingPlan",
            "interimRedirect": {"to": number(1)},
        },
    )
    await world.settle()
    status, reason, message = await world.condition("PhoneNumber", "planned")
    assert (status, reason) == ("False", "Unsupported")
    assert "New-CsTeamsUnassignedNumberTreatment" in message
    assert "redirectedTo" not in await world.status("PhoneNumber", "planned")


async def test_one_number_by_itself(worlds: Worlds) -> None:
    world = await leaver(worlds)
    spec = {"e164": "+442079460999", "route": "Sip", "interimRedirect": {"to": number(1)}}
    await world.apply("PhoneNumber", "single", spec)
    await world.settle()
    assert (await world.status("PhoneNumber", "single"))["redirectedTo"] == number(1)


async def test_a_redirected_number_is_given_to_nobody_until_that_ends(worlds: Worlds) -> None:
    """The SBC would go on diverting the calls of whoever got it."""
    world = await worlds.make(("ann", "ben", "cid"))
    await world.declare("ann", phoneNumber={"e164": number(1)})
    until = (world.clock.now() + timedelta(seconds=300)).strftime("%Y-%m-%dT%H:%M:%SZ")
    await world.seed_range(**redirect(0, 1, until=until))
    await world.settle()
    status = await world.status(RANGE, "london")
    assert (status["reserved"], status["nextFree"]) == (1, number(2))
    await world.declare("ben")
    await world.declare("cid", phoneNumber={"e164": number(0)})
    await world.settle(60)
    assert world.number_of("ben") == number(2)
    assert await world.reason("cid") == "False NumberReserved"
    assert "its calls are redirected" in (await world.condition("TeamsUser", "cid"))[2]
    await world.settle(300)
    assert world.number_of("cid") == number(0)
    assert (await world.status(RANGE, "london"))["reserved"] == 0


async def test_a_redirected_number_that_is_reserved_is_for_whom_it_is_kept(worlds: Worlds) -> None:
    world = await worlds.make(("ann", "ben"))
    await world.declare("ann", phoneNumber={"e164": number(1)})
    kept = [{"number": number(0), "holder": "ben@example.com"}]
    await world.seed_range(reservations=kept, **redirect(0, 1))
    await world.declare("ben")
    await world.settle(60)
    assert world.number_of("ben") == number(0)


async def test_a_single_number_that_is_redirected_is_given_to_nobody(worlds: Worlds) -> None:
    world = await worlds.make(("ann", "ben"))
    await world.seed_range(size=5)
    await world.declare("ann", phoneNumber={"e164": number(1)})
    spec = {"e164": number(7), "route": "DirectRouting"}
    await world.apply("PhoneNumber", "single", {**spec, "interimRedirect": {"to": number(1)}})
    await world.declare("ben", phoneNumber={"phoneNumberRef": {"name": "single"}})
    await world.settle(60)
    assert await world.reason("ben") == "False NumberReserved"
    await world.apply("PhoneNumber", "single", spec)
    await world.settle(120)
    assert world.number_of("ben") == number(7)
