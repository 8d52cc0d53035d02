"""Calls to our numbers depend on nothing but the files of the SBC."""

from __future__ import annotations

import pytest

from callplane.testing import sbc_estates, sbc_world
from callplane.testing.sbc_world import SbcWorld
from callplane.testing.sip_endpoint import answers


@pytest.mark.parametrize("state", ["dead", "silent"])
async def test_inbound_calls_arrive(world: SbcWorld, state: str) -> None:
    alpha, _, _ = await world.carriers()
    pbx = await world.pbx()
    stand_in = await world.call_control(sbc_world.silent) if state == "silent" else None
    for dialled in ("+442079460002", "442079460002", "02079460002"):
        pbx.received.clear()
        call = await alpha.call(world.uri(dialled), world.estate.core, caller="+441614960123")
        assert call.status == 200
        (invite,) = pbx.requests("INVITE")
        assert invite.user == "+442079460002"
        assert "+441614960123" in invite.get("From")
        assert (await call.bye()).status == 200
        await pbx.methods("INVITE", "ACK", "BYE")
    assert stand_in is None or stand_in.asked() == []


@pytest.mark.parametrize("dialled", ["+442079460999", "999", "112", "111", "+441614960123"])
async def test_a_carrier_reaches_our_numbers_and_nothing_else(
    world: SbcWorld, dialled: str
) -> None:
    alpha, bravo, _ = await world.carriers()
    call = await bravo.call(world.uri(dialled), world.estate.core)
    assert call.status == 404
    assert alpha.requests("INVITE") == []


async def test_a_ban_does_not_keep_callers_out(world: SbcWorld) -> None:
    alpha, _, _ = await world.carriers()
    await world.pbx()
    world.kamailio.rpc("htable.sets", "block", "+442079460002", "1")
    call = await alpha.call(world.uri("+442079460002"), world.estate.core)
    assert call.status == 200


async def test_a_number_that_called_an_emergency_service_is_called_back(world: SbcWorld) -> None:
    """For an hour it is reached even while the SBC drains; others are not."""
    _, bravo, _ = await world.carriers()
    pbx = await world.pbx()
    caller = "+442079460003"
    emergency = await pbx.call(world.uri("999"), world.estate.core, caller=caller)
    assert emergency.status == 200
    world.kamailio.rpc("htable.seti", "state", "drain", 1)
    for dialled in (caller, caller[1:], "0" + caller[3:]):
        assert (await bravo.call(world.uri(dialled), world.estate.core)).status == 200
    other = await bravo.call(world.uri("+442079460004"), world.estate.core)
    assert other.status == 503
    # A call that is up is not touched by the drain.
    assert (await emergency.bye()).status == 200


async def test_a_peer_is_told_of_the_drain(world: SbcWorld) -> None:
    pbx = await world.pbx()
    ping = pbx.request(
        "OPTIONS",
        f"sip:127.0.0.1:{world.estate.ports.core}",
        ("From", "<sip:pbx.example>;tag=1"),
        ("To", "<sip:127.0.0.1>"),
        ("Call-ID", "ping"),
        ("CSeq", "1 OPTIONS"),
    )
    assert (await pbx.transact(ping, world.estate.core)).status == 200
    world.kamailio.rpc("htable.seti", "state", "drain", 1)
    again = pbx.request("OPTIONS", ping.uri, *ping.headers[2:])
    assert (await pbx.transact(again, world.estate.core)).status == 503


async def test_a_stranger_is_not_even_told_that_somebody_is_there(world: SbcWorld) -> None:
    stranger = await world.at(sbc_estates.STRANGER)
    for method in ("OPTIONS", "REGISTER", "INVITE", "BYE", "NONSENSE"):
        request = stranger.request(
            method,
            world.uri("+442079460002"),
            ("From", "<sip:a@b.example>;tag=1"),
            ("To", "<sip:a@b.example>"),
            ("Call-ID", method),
            ("CSeq", f"1 {method}"),
        )
        with pytest.raises(TimeoutError):
            await stranger.transact(request, world.estate.core, seconds=0.3)
    assert stranger.answered == []


async def test_cancel_reaches_whoever_rings(world: SbcWorld) -> None:
    alpha, _, _ = await world.carriers()
    pbx = await world.pbx()
    pbx.answering = answers(180)
    call = alpha.begin(world.uri("+442079460002"))
    final = await alpha.cancelled(call, world.estate.core)
    assert final.status == 487
    assert pbx.requests("CANCEL") != []


async def test_a_service_at_a_sip_address_is_called_there_and_may_hang_up(world: SbcWorld) -> None:
    alpha, _, _ = await world.carriers()
    desk = await world.at(sbc_estates.SERVICE)
    call = await alpha.call(world.uri(str(sbc_estates.DESK)), world.estate.core)
    assert call.status == 200
    (invite,) = desk.requests("INVITE")
    assert invite.uri == f"sip:desk@{sbc_estates.SERVICE}:{world.estate.ports.peers}"
    assert (await call.bye()).status == 200
    await desk.methods("INVITE", "ACK", "BYE")


async def test_a_service_calls_nobody_but_those_that_everybody_may(world: SbcWorld) -> None:
    alpha, _, _ = await world.carriers()
    desk = await world.at(sbc_estates.SERVICE)
    assert (await desk.call(world.uri("+441614960123"), world.estate.core)).status == 503
    assert alpha.requests("INVITE") == []
    assert (await desk.call(world.uri("999"), world.estate.core)).status == 200


async def test_a_number_whose_holder_left_is_answered_elsewhere(world: SbcWorld) -> None:
    alpha, _, _ = await world.carriers()
    desk, pbx = await world.at(sbc_estates.SERVICE), await world.pbx()
    for dialled in (str(sbc_estates.LEAVER), "0" + str(sbc_estates.LEAVER)[3:]):
        desk.received.clear()
        call = await alpha.call(world.uri(dialled), world.estate.core)
        assert call.status == 200
        (invite,) = desk.requests("INVITE")
        assert str(sbc_estates.LEAVER) in invite.get("Diversion")
        assert (await call.bye()).status == 200
    assert pbx.requests("INVITE") == []


async def test_colleagues_who_dial_a_leaver_are_answered_elsewhere_too(world: SbcWorld) -> None:
    """Call control is away: the local map knows."""
    desk, pbx = await world.at(sbc_estates.SERVICE), await world.pbx()
    call = await pbx.call(
        world.uri(str(sbc_estates.LEAVER)), world.estate.core, caller="+442079460002"
    )
    assert call.status == 200
    assert len(desk.requests("INVITE")) == 1
