"""A call that is cut ends on both sides, also when an endpoint is quicker than Kamailio 5.6.3."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

from callplane.testing import polling, sbc_estates, sbc_world
from callplane.testing.kamailio_process import Kamailio, Mutation
from callplane.testing.sbc_estates import LoopbackSbc
from callplane.testing.sbc_world import SbcWorld

DOMESTIC = "+441614960123"
CALLS = 150
GRANT_SECONDS = 3


@pytest.fixture(scope="module")
def estate() -> LoopbackSbc:
    return LoopbackSbc(verdict_milliseconds=sbc_estates.PATIENT_MILLISECONDS)


async def test_every_side_hears_of_a_cut_whose_bye_is_answered_at_once(world: SbcWorld) -> None:
    """Kamailio forgets the other side of about one such call in a hundred."""
    carriers = await world.carriers()
    pbx = await world.pbx()
    for endpoint in (pbx, *carriers):
        endpoint.bye_seconds = 0
    stand_in = await world.call_control(sbc_world.allow(GRANT_SECONDS))
    for _ in range(CALLS):
        call = await pbx.call(world.uri(DOMESTIC), world.estate.core)
        assert call.status == 200
    assert len(stand_in.asked()) == CALLS

    def cut() -> tuple[int, int]:
        callees = {one.get("Call-ID") for peer in carriers for one in peer.requests("BYE")}
        return len({one.get("Call-ID") for one in pbx.requests("BYE")}), len(callees)

    await asyncio.to_thread(polling.until, lambda: cut() == (CALLS, CALLS), "all sides were told")


def forgetful(files: dict[str, str]) -> dict[str, str]:
    """The configuration whose dialogs tell nobody: what the race does to one side."""
    said = 'modparam("dialog", "send_bye", 1)\n'
    text = files["kamailio.cfg"]
    assert said in text
    return {**files, "kamailio.cfg": text.replace(said, "")}


def nobody_looks(files: dict[str, str]) -> dict[str, str]:
    """The mutant of it that does not look after cuts either."""
    text = forgetful(files)["kamailio.cfg"]
    looked = re.sub(r"(?m)^.*timer=cutcheck;.*\n", "", text)
    assert looked != text
    return {**files, "kamailio.cfg": looked}


async def told(estate: LoopbackSbc, kamailio: Kamailio) -> bool:
    """Were both sides of a cut call told?"""
    async with sbc_world.around(estate, kamailio) as world:
        alpha, *_ = await world.carriers()
        await world.call_control(sbc_world.allow(1))
        pbx = await world.pbx()
        assert (await pbx.call(world.uri(DOMESTIC), world.estate.core)).status == 200
        try:
            await asyncio.to_thread(
                polling.until,
                lambda: pbx.requests("BYE") and alpha.requests("BYE"),
                "both are told",
                seconds=12,
            )
        except AssertionError:
            return False
        byes = [*pbx.requests("BYE"), *alpha.requests("BYE")]
        # By its tags a peer knows which call ends: both of them, and no other.
        (invite,) = alpha.requests("INVITE")
        tags = {_tag(invite.get("From")), _tag(alpha.answer_to(invite, 200).get("To"))}
        assert all({_tag(one.get("From")), _tag(one.get("To"))} == tags for one in byes), byes
        return True


def _tag(value: str) -> str:
    return value.partition(";tag=")[2]


@pytest.mark.parametrize(("files", "expected"), [(forgetful, True), (nobody_looks, False)])
async def test_what_a_dialog_forgets_is_ended_two_seconds_later(
    estate: LoopbackSbc, tmp_path: Path, files: Mutation, expected: bool
) -> None:
    assert await told(estate, Kamailio.rendered(estate.sbc(), tmp_path, files)) is expected


async def test_a_side_that_was_told_is_not_told_again(world: SbcWorld) -> None:
    alpha, *_ = await world.carriers()
    await world.call_control(sbc_world.allow(1))
    pbx = await world.pbx()
    # Late enough for both BYEs to be on their way, and before either is sent again.
    alpha.bye_seconds = pbx.bye_seconds = 0.3
    assert (await pbx.call(world.uri(DOMESTIC), world.estate.core)).status == 200
    await alpha.methods("INVITE", "ACK", "BYE")
    await pbx.methods("BYE")
    await asyncio.to_thread(
        polling.stays,
        lambda: len(pbx.requests("BYE")) == len(alpha.requests("BYE")) == 1,
        "one BYE each",
        seconds=4,
    )
