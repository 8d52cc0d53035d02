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


def flags(world: SbcWorld) -> dict[str, str]:
    """State of each carrier as the SBC sees it: A active, I inactive; P is probed."""
    listed: Any = world.kamailio.rpc("dispatcher.list")
    for entry in listed["RECORDS"]:
        if str(entry["SET"]["ID"]) == CARRIERS:
            targets = (target["DEST"] for target in entry["SET"]["TARGETS"])
            return {one["URI"].split(":")[1]: one["FLAGS"] for one in targets}
    raise AssertionError("there is no set of carriers")


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
    assert time.monotonic() - started < 1
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
