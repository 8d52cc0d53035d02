"""Requests within a call go where its sides say that they are, also when they have moved."""

from __future__ import annotations

from dataclasses import replace

import pytest

from callplane.testing import sbc_world
from callplane.testing.sbc_world import SbcWorld
from callplane.testing.sip_endpoint import Call, Endpoint, Message

DOMESTIC = "+441614960123"
#: Of the side that has moved.
ELSEWHERE = "127.0.0.77"
#: Known behind a router only.
PRIVATE = "10.20.30.40"


async def call_through(world: SbcWorld, dialled: str = DOMESTIC) -> tuple[Call, Endpoint, Endpoint]:
    """A call that is up, its caller, and the carrier that has it."""
    alpha, *_ = await world.carriers()
    await world.call_control(sbc_world.allow(60))
    pbx = await world.pbx()
    call = await pbx.call(world.uri(dialled), world.estate.core)
    assert call.status == 200
    return call, pbx, alpha


def with_contact(message: Message, contact: str) -> Message:
    kept = [pair for pair in message.headers if pair[0] != "Contact"]
    return replace(message, headers=(*kept, ("Contact", contact)))


def of_the_callee(alpha: Endpoint, method: str, uri: str = "") -> Message:
    """A request of who took the call, within it."""
    bye = alpha.hang_up(alpha.requests("INVITE")[0])
    headers = ((name, f"3 {method}" if name == "CSeq" else value) for name, value in bye.headers)
    return Message(f"{method} {uri or bye.uri} SIP/2.0", tuple(headers))


def moved(call: Call, there: Endpoint) -> Call:
    """The call as its caller knows it once the other side has moved."""
    return replace(call, final=with_contact(call.final, there.contact))


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
async def test_a_callee_that_moves_is_found(world: SbcWorld, method: str) -> None:
    call, _, alpha = await call_through(world)
    there = await world.at(ELSEWHERE)
    told = with_contact(of_the_callee(alpha, method), there.contact)
    assert (await alpha.transact(told, world.estate.core)).status == 200
    assert (await moved(call, there).within("INVITE", 2)).status == 200
    assert (await moved(call, there).within("BYE", 3)).status == 200
    assert [one.method for one in there.received] == ["INVITE", "BYE"]


async def test_a_callee_that_moves_with_its_answer_is_found(world: SbcWorld) -> None:
    call, _, alpha = await call_through(world)
    there = await world.at(ELSEWHERE)
    alpha.contact_host = ELSEWHERE
    assert (await call.within("INVITE", 2)).status == 200
    assert (await moved(call, there).within("INVITE", 3)).status == 200
    assert len(there.requests("INVITE")) == 1


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
async def test_a_caller_that_moves_is_found(world: SbcWorld, method: str) -> None:
    call, pbx, alpha = await call_through(world)
    there = await world.at(ELSEWHERE)
    told = with_contact(pbx.in_dialog(call, method, 2), there.contact)
    assert (await pbx.transact(told, call.target)).status == 200
    for again in ("INVITE", "BYE"):
        request = of_the_callee(alpha, again, there.contact.strip("<>"))
        assert (await alpha.transact(request, world.estate.core)).status == 200
    assert [one.method for one in there.received] == ["INVITE", "BYE"]


@pytest.mark.parametrize("dialled", [DOMESTIC, "999"])
async def test_a_carrier_is_acknowledged_where_it_wants_to_be(
    world: SbcWorld, dialled: str
) -> None:
    """It answers from its edge, and the call is held by a machine behind it: without ACK that
    machine ends the call after half a minute.
    """
    there = await world.at(ELSEWHERE)
    for carrier in (carriers := await world.carriers()):
        carrier.contact_host = ELSEWHERE
    call, *_ = await call_through(world, dialled)
    await there.methods("ACK")
    assert (await call.bye()).status == 200
    await there.methods("ACK", "BYE")
    assert [each.requests("ACK") for each in carriers] == [[], [], []]


async def test_a_pbx_behind_a_router_is_found_where_it_speaks_from(world: SbcWorld) -> None:
    pbx = await world.pbx()
    pbx.contact_host = PRIVATE
    _, _, alpha = await call_through(world)
    assert (await alpha.transact(of_the_callee(alpha, "BYE"), world.estate.core)).status == 200
    assert len(pbx.requests("BYE")) == 1
