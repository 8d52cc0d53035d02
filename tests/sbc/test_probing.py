"""Peers that OPTIONS look after: one that is down is passed over, and none is given up for good."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from callplane.testing import polling, sbc_world
from callplane.testing.kamailio_process import Kamailio
from callplane.testing.sbc_estates import ALPHA, BRAVO, CHARLIE, LoopbackSbc
from callplane.testing.sbc_world import SbcWorld
from callplane.testing.sip_endpoint import answers

HELD = "+442079460001"
DOMESTIC = "+441614960123"
CARRIERS = "2"


@pytest.fixture(scope="module")
def estate() -> LoopbackSbc:
    return LoopbackSbc(probed=True)


@pytest.fixture
async def world(estate: LoopbackSbc, tmp_path: Path) -> AsyncGenerator[SbcWorld]:
    kamailio = Kamailio.rendered(estate.sbc(), tmp_path)
    async with sbc_world.around(estate, kamailio) as running:
        yield running


def flags(world: SbcWorld, wanted: str = CARRIERS) -> dict[str, str]:
    """State of each target of a set as the SBC sees it: A active, I inactive; P is probed."""
    listed: Any = world.kamailio.rpc("dispatcher.list")
    for entry in listed["RECORDS"]:
        if str(entry["SET"]["ID"]) == wanted:
            targets = (target["DEST"] for target in entry["SET"]["TARGETS"])
            return {one["URI"].split(":")[1]: one["FLAGS"] for one in targets}
    raise AssertionError(f"there is no set {wanted}")


async def all_of(world: SbcWorld, flag: str, *addresses: str) -> None:
    await asyncio.to_thread(
        polling.until,
        lambda: {flags(world)[address] for address in addresses} == {flag},
        f"{addresses} are {flag}",
        seconds=40,
    )


async def test_a_carrier_that_is_down_costs_no_time_and_an_emergency_call_no_carrier(
    world: SbcWorld,
) -> None:
    """Alpha is away: ordinary calls leave by bravo at once. When all seem to be away, they are
    tried all the same, and 999 never looks at what OPTIONS say.
    """
    await world.at(BRAVO)
    await world.at(CHARLIE)
    await all_of(world, "IP", ALPHA)
    await world.call_control(sbc_world.allow(60))
    pbx = await world.pbx()
    started = time.monotonic()
    call = await pbx.call(world.uri(DOMESTIC), world.estate.core)
    assert call.status == 200
    # Its silence would take five seconds.
    assert time.monotonic() - started < 4.5
    assert len(world.peers[BRAVO].requests("INVITE")) == 1
    for address in (BRAVO, CHARLIE):
        world.peers.pop(address).close()
    await all_of(world, "IP", ALPHA, BRAVO, CHARLIE)
    # They are back, and the SBC does not know yet.
    await world.carriers()
    assert set(flags(world).values()) == {"IP"}
    assert (await pbx.call(world.uri("999"), world.estate.core, caller=HELD)).status == 200
    assert (await pbx.call(world.uri(DOMESTIC), world.estate.core)).status == 200
    await all_of(world, "AP", ALPHA, BRAVO, CHARLIE)


async def test_a_peer_that_nobody_looks_after_is_never_given_up(world: SbcWorld) -> None:
    """The PBX restarts and refuses what comes meanwhile. Nothing would tell that it is back, and a
    number that called 999 may be called back at any time.
    """
    carrier, pbx = await world.at(ALPHA), await world.pbx()
    pbx.answering = answers(503)
    for number in range(1, 6):
        refused = await carrier.call(world.uri(HELD), world.estate.core, caller=DOMESTIC)
        assert refused.status >= 500
        assert len(pbx.requests("INVITE")) == number
    pbx.answering = answers(180, 200)
    called = await carrier.call(world.uri(HELD), world.estate.core, caller=DOMESTIC)
    assert called.status == 200


async def test_a_trunk_that_seems_to_be_away_is_tried_rather_than_refused(tmp_path: Path) -> None:
    estate = LoopbackSbc(probed=True, probed_trunks=True)
    kamailio = Kamailio.rendered(estate.sbc(), tmp_path)
    async with sbc_world.around(estate, kamailio) as world:
        await asyncio.to_thread(
            polling.until,
            lambda: set(flags(world, "10").values()) == {"IP"},
            "the PBX seems to be away",
            seconds=40,
        )
        carrier, _ = await world.at(ALPHA), await world.pbx()
        assert set(flags(world, "10").values()) == {"IP"}
        called = await carrier.call(world.uri(HELD), world.estate.core, caller=DOMESTIC)
        assert called.status == 200
