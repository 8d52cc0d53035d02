"""Nobody goes on with a call, or begins one, behind the back of the record."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from callplane.testing import polling, sbc_estates, sbc_world
from callplane.testing.kamailio_process import Kamailio
from callplane.testing.sbc_estates import LoopbackSbc
from callplane.testing.sbc_world import SbcWorld
from callplane.testing.sip_endpoint import Address, Call, Endpoint, Message

DOMESTIC = "+441614960123"
PREMIUM = "+449098790123"
COLLEAGUE = "+442079460002"
#: A request within a call is numbered below this.
NUMBERS = 2**31


async def charged_call(world: SbcWorld) -> tuple[Call, Endpoint, Endpoint]:
    """A call that somebody pays for, who placed it, and the carrier that has it."""
    alpha, *_ = await world.carriers()
    await world.call_control(sbc_world.allow(60))
    pbx = await world.pbx()
    call = await pbx.call(world.uri(DOMESTIC), world.estate.core)
    assert call.status == 200
    return call, pbx, alpha


def through(request: Message, host: str, port: int) -> Message:
    """The request by a way of one more."""
    at = [name for name, _ in request.headers].index("From")
    way = ("Route", f"<sip:{host}:{port};lr>")
    return Message(request.start, (*request.headers[:at], way, *request.headers[at:]))


def to_itself(bye: Message, world: SbcWorld) -> Message:
    return through(bye, sbc_estates.PBXES[""], world.estate.ports.peers)


def as_if_from_the_other_side(bye: Message, world: SbcWorld) -> Message:
    turned = {"From": bye.get("To"), "To": bye.get("From")}
    headers = ((name, turned.get(name, value)) for name, value in bye.headers)
    here = f"sip:test@{sbc_estates.PBXES['']}:{world.estate.ports.peers}"
    return Message(f"BYE {here} SIP/2.0", tuple(headers))


def to_nobody(bye: Message, world: SbcWorld) -> Message:
    return through(bye, "nobody.callplane.example", world.estate.ports.peers)


def straight(bye: Message, world: SbcWorld) -> Message:
    return bye


def refusing_once(endpoint: Endpoint) -> None:
    """Its first BYE is not taken."""
    usual = endpoint._answer

    def answer(request: Message, target: Address) -> None:
        if request.method == "BYE" and len(endpoint.requests("BYE")) == 1:
            endpoint.send(endpoint.answer_to(request, 420), target)
        else:
            usual(request, target)

    endpoint._answer = answer  # type: ignore[method-assign]


def byes(endpoint: Endpoint) -> int:
    return len(endpoint.requests("BYE"))


def numbered(request: Message) -> int:
    return int(request.get("CSeq").split()[0])


Forge = Callable[[Message, SbcWorld], Message]


async def ends_at_the_carrier(world: SbcWorld, forge: Forge) -> bool:
    """Does the carrier hear of the end when it should not by that BYE?"""
    call, pbx, alpha = await charged_call(world)
    await pbx.transact(forge(pbx.in_dialog(call, "BYE", 2), world), call.target)
    assert byes(alpha) == 0
    await asyncio.sleep(4.5)
    return byes(alpha) == 1


@pytest.mark.parametrize("forge", [to_itself, as_if_from_the_other_side])
async def test_a_bye_that_goes_elsewhere_ends_the_call_all_the_same(
    world: SbcWorld, forge: Forge
) -> None:
    """Its record ends with it, and the carrier would go on with a call that nobody counts."""
    assert await ends_at_the_carrier(world, forge)


async def test_who_says_that_the_other_side_is_here_ends_the_call_all_the_same(
    world: SbcWorld,
) -> None:
    """He answers his own INVITE, as if the carrier had moved to him, and then his own BYE."""
    call, pbx, alpha = await charged_call(world)
    moved = to_itself(pbx.in_dialog(call, "INVITE", 2), world)
    await pbx.transact(moved, call.target)
    bye = to_itself(pbx.in_dialog(call, "BYE", 3), world)
    await pbx.transact(bye, call.target)
    await asyncio.to_thread(polling.until, lambda: byes(alpha) == 1, "the carrier is told")


async def test_a_bye_that_cannot_be_sent_where_it_says_goes_where_the_call_is(
    world: SbcWorld,
) -> None:
    call, pbx, alpha = await charged_call(world)
    bye = to_nobody(pbx.in_dialog(call, "BYE", 2), world)
    assert (await pbx.transact(bye, call.target)).status == 200
    assert byes(alpha) == 1


@pytest.mark.parametrize("number", [5000, 2_000_000_000])
async def test_a_bye_that_a_side_refuses_is_followed_by_one_that_it_takes(
    world: SbcWorld, number: int
) -> None:
    call, pbx, alpha = await charged_call(world)
    refusing_once(alpha)
    assert (await call.within("BYE", number)).status == 420
    await asyncio.to_thread(polling.until, lambda: byes(alpha) == 2, "it is told again")
    first, second = alpha.requests("BYE")
    assert number < numbered(second) < NUMBERS
    await asyncio.to_thread(polling.until, lambda: byes(pbx) == 1, "so is who hung up")
    assert numbered(pbx.requests("BYE")[0]) < NUMBERS
    assert [second.get(name) for name in ("From", "To", "Call-ID")] == [
        first.get(name) for name in ("From", "To", "Call-ID")
    ]


async def test_calls_under_one_call_id_do_not_speak_for_one_another(world: SbcWorld) -> None:
    """Both sides of the first were told that it is cut: that is no BYE of the second."""
    alpha, *_ = await world.carriers()
    await world.call_control(sbc_world.allow(1))
    pbx = await world.pbx()
    same = (("Call-ID", "the-same@pbx.example"),)
    assert (await pbx.call(world.uri(DOMESTIC), world.estate.core, headers=same)).status == 200
    await asyncio.to_thread(polling.until, lambda: byes(alpha) == 1, "the first is cut")
    await world.call_control(sbc_world.allow(60))
    call = await pbx.call(world.uri(DOMESTIC), world.estate.core, headers=same)
    assert call.status == 200
    await pbx.transact(to_itself(pbx.in_dialog(call, "BYE", 2), world), call.target)
    await asyncio.to_thread(polling.until, lambda: byes(alpha) == 2, "the carrier is told")


@pytest.mark.parametrize("number", [NUMBERS - 1, NUMBERS, 2**32 - 1])
async def test_who_leaves_no_number_for_a_bye_has_no_call_and_999_all_the_same(
    world: SbcWorld, number: int
) -> None:
    """A cut needs a number after the last, and what is no number is no greater one to Kamailio."""
    alpha, *_ = await world.carriers()
    await world.call_control(sbc_world.allow(60))
    pbx = await world.pbx()
    last = (("CSeq", f"{number} INVITE"),)
    refused = await pbx.call(world.uri(DOMESTIC), world.estate.core, headers=last)
    assert refused.status == 400
    assert alpha.requests("INVITE") == []
    assert (await pbx.call(world.uri("999"), world.estate.core, headers=last)).status == 200
    call = await pbx.call(world.uri(DOMESTIC), world.estate.core)
    for method in ("INVITE", "INFO", "BYE"):
        assert (await call.within(method, number)).status == 400
    assert [one.method for one in alpha.received if DOMESTIC in one.get("To")] == ["INVITE", "ACK"]
    assert (await call.bye()).status == 200


@pytest.mark.parametrize("who", ["caller", "callee"])
async def test_who_hangs_up_as_usual_is_heard_once(world: SbcWorld, who: str) -> None:
    call, pbx, alpha = await charged_call(world)
    if who == "caller":
        assert (await call.bye()).status == 200
    else:
        (invite,) = alpha.requests("INVITE")
        assert (await alpha.transact(alpha.hang_up(invite), world.estate.core)).status == 200
    await asyncio.sleep(4.5)
    assert (byes(pbx), byes(alpha)) == ((0, 1) if who == "caller" else (1, 0))


async def test_a_bye_before_the_answer_is_between_the_two(world: SbcWorld) -> None:
    alpha, *_ = await world.carriers()
    alpha.answering = lambda _: (180,)
    await world.call_control(sbc_world.allow(60))
    pbx = await world.pbx()
    invite = pbx.begin(world.uri(DOMESTIC))
    pbx.send(invite, world.estate.core)

    def ringing() -> list[Message]:
        return [one for one in pbx.answered if one.status == 180]

    (answer,) = await asyncio.to_thread(polling.until, ringing, "it rings")
    refusing_once(alpha)
    early = Call(pbx, invite, world.estate.core, answer)
    assert (await early.bye()).status == 420
    await asyncio.sleep(3.5)
    assert (byes(pbx), byes(alpha)) == (0, 1)


# Requests within calls that are none


def out_of_nowhere(world: SbcWorld, pbx: Endpoint, method: str = "INVITE") -> Message:
    """A request within a call that has never been, to a number that costs."""
    ports = world.estate.ports
    return pbx.request(
        method,
        f"sip:{PREMIUM}@{sbc_estates.ALPHA}:{ports.peers}",
        ("Route", f"<sip:127.0.0.1:{ports.core};lr;ftag=abc>"),
        ("Route", f"<sip:{sbc_estates.ALPHA}:{ports.peers};lr>"),
        ("From", f"<sip:+442079460001@{sbc_estates.PBXES['']}>;tag=abc"),
        ("To", f"<sip:{PREMIUM}@127.0.0.1>;tag=def"),
        ("Call-ID", "nobody@pbx.example"),
        ("CSeq", f"7 {method}"),
        ("Contact", pbx.contact),
    )


def has_run_for_hours(files: dict[str, str]) -> dict[str, str]:
    """An SBC that knows all calls that there can be."""
    text = files["kamailio.cfg"]
    young = "$TS - $Tb < 14400"
    assert young in text
    return {**files, "kamailio.cfg": text.replace(young, "$TS - $Tb < 0")}


@pytest.mark.parametrize("method", ["INVITE", "REFER"])
async def test_what_belongs_to_no_call_begins_none(
    estate: LoopbackSbc, tmp_path: Path, method: str
) -> None:
    kamailio = Kamailio.rendered(estate.sbc(), tmp_path, has_run_for_hours)
    async with sbc_world.around(estate, kamailio) as world:
        alpha, *_ = await world.carriers()
        pbx = await world.pbx()
        answer = await pbx.transact(out_of_nowhere(world, pbx, method), world.estate.core)
        assert answer.status == 481
        assert alpha.received == []


@pytest.mark.parametrize("method", ["INVITE", "BYE"])
async def test_a_call_outlives_the_sbc_that_began_it(world: SbcWorld, method: str) -> None:
    """Killed and started anew, it knows nothing of the call, and still lets it go on and end."""
    call, _, alpha = await charged_call(world)
    world.kamailio.kill()
    await asyncio.to_thread(world.kamailio.start)
    assert (await call.within(method, 2)).status == 200
    assert [one.get("CSeq") for one in alpha.requests(method)][-1:] == [f"2 {method}"]


async def test_a_free_call_leads_to_no_carrier(world: SbcWorld) -> None:
    """Two of our own may say to one another what they like, and nothing to a third."""
    alpha, *_ = await world.carriers()
    pbx = await world.pbx()
    call = await pbx.call(world.uri(COLLEAGUE), world.estate.core)
    assert call.status == 200
    again = pbx.in_dialog(call, "INVITE", 2)
    port = world.estate.ports.peers
    forged = Message(f"INVITE sip:{PREMIUM}@{sbc_estates.ALPHA}:{port} SIP/2.0", again.headers)
    forged = through(forged, sbc_estates.ALPHA, port)
    assert (await pbx.transact(forged, call.target)).status == 481
    assert alpha.received == []
    assert (await call.within("INVITE", 3)).status == 200


async def test_whoever_calls_a_carriers_address_his_own_gets_no_further(world: SbcWorld) -> None:
    alpha, *_ = await world.carriers()
    pbx = await world.pbx()
    port = world.estate.ports.peers
    theirs = (("Contact", f"<sip:test@{sbc_estates.ALPHA}:{port}>"),)
    call = await pbx.call(world.uri(COLLEAGUE), world.estate.core, headers=theirs)
    assert call.status == 200
    again = pbx.in_dialog(call, "INVITE", 2)
    forged = Message(f"INVITE sip:{PREMIUM}@{sbc_estates.ALPHA}:{port} SIP/2.0", again.headers)
    forged = through(forged, sbc_estates.ALPHA, port)
    assert (await pbx.transact(forged, call.target)).status == 481
    assert alpha.requests("INVITE") == []
    assert (await call.within("INVITE", 3)).status == 200


async def test_no_carrier_is_asked_to_call_somebody_else(world: SbcWorld) -> None:
    call, pbx, alpha = await charged_call(world)
    refer = pbx.in_dialog(call, "REFER", 2)
    to = ("Refer-To", f"<sip:{PREMIUM}@{sbc_estates.ALPHA}>")
    answer = await pbx.transact(Message(refer.start, (*refer.headers, to)), call.target)
    assert answer.status == 405
    assert alpha.requests("REFER") == []
    assert (await call.bye()).status == 200


# Mutants


def believing(files: dict[str, str]) -> dict[str, str]:
    """The mutant to which every BYE that is answered is one."""
    looked = "    if ($avp(bye_to_callee) != $null) { route(BYE_GOES); }\n"
    text = files["kamailio.cfg"]
    assert looked in text
    return {**files, "kamailio.cfg": text.replace(looked, "")}


@pytest.mark.parametrize("forge", [to_itself, as_if_from_the_other_side])
async def test_an_sbc_that_believes_a_bye_is_found_out(
    estate: LoopbackSbc, tmp_path: Path, forge: Forge
) -> None:
    kamailio = Kamailio.rendered(estate.sbc(), tmp_path, believing)
    async with sbc_world.around(estate, kamailio) as world:
        assert not await ends_at_the_carrier(world, forge)


def trusting(files: dict[str, str]) -> dict[str, str]:
    """The mutant that relays whatever says that it is within a call."""
    text = has_run_for_hours(files)["kamailio.cfg"]
    looked = '    if (is_method("INVITE|REFER")) { route(WITHIN_CALL); }\n'
    assert looked in text
    return {**files, "kamailio.cfg": text.replace(looked, "")}


async def test_an_sbc_that_relays_what_belongs_to_no_call_is_found_out(
    estate: LoopbackSbc, tmp_path: Path
) -> None:
    kamailio = Kamailio.rendered(estate.sbc(), tmp_path, trusting)
    async with sbc_world.around(estate, kamailio) as world:
        alpha, *_ = await world.carriers()
        pbx = await world.pbx()
        answer = await pbx.transact(out_of_nowhere(world, pbx), world.estate.core)
        assert answer.status == 200
        assert alpha.requests("INVITE") != []
