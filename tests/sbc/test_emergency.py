"""Promise one at a real SBC: emergency and exempt calls go through when everything else is dead."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from callplane.sbc import rendering
from callplane.testing import dialled_forms, polling, sbc_estates, sbc_world
from callplane.testing.dialled_forms import Form
from callplane.testing.kamailio_process import Kamailio, Mutation
from callplane.testing.sbc_estates import LoopbackSbc
from callplane.testing.sbc_world import SbcWorld
from callplane.testing.sip_endpoint import Call, answers

HELD = "+442079460001"
#: Enough of the corpus for a mutant.
SAMPLE = (*dialled_forms.SERVED[::23], *dialled_forms.NEAR_MISSES)


async def wrongly_treated(world: SbcWorld, forms: tuple[Form, ...]) -> list[str]:
    """Forms of the corpus that reached no carrier, another carrier, or another number."""
    alpha, bravo, charlie = await world.carriers()
    wrong = []
    for form in forms:
        caller = await world.pbx(form.outside_line)
        for carrier in (alpha, bravo, charlie):
            carrier.received.clear()
        call = await caller.call(form.request_uri("127.0.0.1"), world.estate.core, caller=HELD)
        # Bravo holds the caller's number, so its network is where the call belongs.
        reached = [invite.user for invite in bravo.requests("INVITE")]
        others = alpha.requests("INVITE") + charlie.requests("INVITE")
        if others or reached != ([form.code] if form.code else []):
            wrong.append(f"{form}: {call.final.start}, reached {reached}, others {len(others)}")
        elif (call.status == 200) != (form.code is not None):
            wrong.append(f"{form}: {call.final.start}")
        if call.status == 200:
            await call.bye()
    return wrong


async def test_every_form_after_a_cold_start_while_everything_else_is_dead(
    world: SbcWorld,
) -> None:
    assert world.connected() == 0
    assert await wrongly_treated(world, dialled_forms.SERVED) == []


async def test_every_form_while_call_control_hangs(world: SbcWorld) -> None:
    stand_in = await world.call_control(sbc_world.silent)
    assert await wrongly_treated(world, dialled_forms.SERVED) == []
    assert stand_in.asked() == []


async def test_every_form_after_call_control_died(world: SbcWorld) -> None:
    """It was there, was asked, and is gone with its connection."""
    await world.carriers()
    async with AsyncExitStack() as stack:
        dying = replace(world, stack=stack)
        await dying.call_control(sbc_world.allow(60))
        pbx = await world.pbx()
        allowed = await pbx.call(world.uri("+441614960123"), world.estate.core, caller=HELD)
        assert (await allowed.bye()).status == 200
    assert await wrongly_treated(world, dialled_forms.SERVED[::3]) == []


async def test_near_misses_are_not_served_and_are_asked_about(world: SbcWorld) -> None:
    assert await wrongly_treated(world, dialled_forms.NEAR_MISSES) == []


async def test_a_stranger_gets_nothing(world: SbcWorld) -> None:
    _, bravo, _ = await world.carriers()
    stranger = await world.at(sbc_estates.STRANGER)
    with pytest.raises(TimeoutError):
        await stranger.call(world.uri("999"), world.estate.core, seconds=1)
    assert stranger.answered == []
    assert bravo.requests("INVITE") == []


async def test_a_banned_source_gets_through(world: SbcWorld) -> None:
    _, bravo, _ = await world.carriers()
    pbx = await world.pbx()
    world.kamailio.rpc("htable.sets", "block", HELD, "1")
    world.kamailio.rpc("htable.sets", "block", "pbx", "1")
    blocked = await pbx.call(world.uri("+441614960123"), world.estate.core, caller=HELD)
    assert blocked.status == 403
    for dialled in ("999", "112", "18000", "111", "101"):
        call = await pbx.call(world.uri(dialled), world.estate.core, caller=HELD)
        assert call.status == 200
    assert len(bravo.requests("INVITE")) == 5


async def test_a_draining_sbc_lets_them_through(world: SbcWorld) -> None:
    await world.carriers()
    pbx = await world.pbx()
    world.kamailio.rpc("htable.seti", "state", "drain", 1)
    refused = await pbx.call(world.uri("+441614960123"), world.estate.core)
    assert refused.status == 503
    assert (await pbx.call(world.uri("999"), world.estate.core)).status == 200


async def test_the_next_carrier_after_three_seconds_of_silence(world: SbcWorld) -> None:
    """Bravo, which holds the number, takes the packet and says nothing."""
    alpha, bravo, charlie = await world.carriers()
    bravo.answering = answers()
    started = time.monotonic()
    call = await (await world.pbx()).call(world.uri("999"), world.estate.core, caller=HELD)
    took = time.monotonic() - started
    assert call.status == 200
    # Carriers of other calls have five seconds, which is what the mutant gives them and more.
    assert 2.5 < took < 6.5
    assert len(bravo.requests("INVITE")) == 1
    assert [invite.user for invite in alpha.requests("INVITE")] == ["999"]
    assert charlie.requests("INVITE") == []
    assert (await call.bye()).status == 200
    await alpha.methods("INVITE", "ACK", "BYE")


async def test_the_next_carrier_when_one_takes_the_call_and_gets_nowhere(world: SbcWorld) -> None:
    """Bravo's edge says 100 and what is behind it is dead. Alpha, the last, is waited for."""
    alpha, bravo, _ = await world.carriers()
    bravo.answering, alpha.answering = answers(100), answers(100)
    pbx = await world.pbx()
    invite = pbx.begin(world.uri("999"), caller=HELD)
    started = time.monotonic()
    calling = asyncio.create_task(pbx.transact(invite, world.estate.core, seconds=40))
    await asyncio.to_thread(
        polling.until, lambda: alpha.requests("INVITE"), "the next is tried", seconds=16
    )
    assert 6 < time.monotonic() - started < 16
    await asyncio.to_thread(polling.until, lambda: bravo.requests("CANCEL"), "it is cancelled")
    await asyncio.sleep(rendering.EMERGENCY_PROGRESS_MILLISECONDS / 1000 + 2)
    assert not calling.done()
    (taken,) = alpha.requests("INVITE")
    alpha.send(alpha.answer_to(taken, 200), world.estate.core)
    assert (await calling).status == 200


async def test_a_carrier_where_it_rings_keeps_an_emergency_call(world: SbcWorld) -> None:
    alpha, bravo, _ = await world.carriers()
    bravo.answering = answers(100, 180)
    pbx = await world.pbx()
    invite = pbx.begin(world.uri("112"), caller=HELD)
    calling = asyncio.create_task(pbx.transact(invite, world.estate.core, seconds=40))
    await asyncio.sleep(rendering.EMERGENCY_PROGRESS_MILLISECONDS / 1000 + 3)
    assert alpha.requests("INVITE") == []
    (taken,) = bravo.requests("INVITE")
    bravo.send(bravo.answer_to(taken, 200), world.estate.core)
    assert (await calling).status == 200


@pytest.mark.parametrize("status", [403, 404, 480, 486, 500, 503, 603])
async def test_whatever_one_carrier_answers_the_next_is_tried(world: SbcWorld, status: int) -> None:
    alpha, bravo, _ = await world.carriers()
    bravo.answering = answers(100, status)
    pbx = await world.pbx()
    # Twice: a carrier that failed is not marked as down for the next emergency call.
    for number in (1, 2):
        call = await pbx.call(world.uri("112"), world.estate.core, caller=HELD)
        assert call.status == 200
        assert len(bravo.requests("INVITE")) == number
        assert len(alpha.requests("INVITE")) == number


async def test_the_service_sees_a_number_it_can_call_back(world: SbcWorld) -> None:
    """The caller's number is none of ours: it is the site's, by the carrier that holds that one."""
    alpha, bravo, _ = await world.carriers()
    withheld = (
        ("Privacy", "id"),
        ("P-Preferred-Identity", "<sip:anonymous@anonymous.invalid>"),
        ("P-Asserted-Identity", "<sip:4001@pbx.example>"),
    )
    pbx = await world.pbx()
    call = await pbx.call(world.uri("999"), world.estate.core, caller="anonymous", headers=withheld)
    assert call.status == 200
    assert alpha.requests("INVITE") == []
    (invite,) = bravo.requests("INVITE")
    assert invite.all("Privacy") == []
    assert invite.all("P-Preferred-Identity") == []
    assert len(invite.all("P-Asserted-Identity")) == 1
    assert str(sbc_estates.SWITCHBOARD) in invite.get("P-Asserted-Identity")
    assert str(sbc_estates.SWITCHBOARD) in invite.get("From")
    assert "anonymous" not in invite.get("From")
    # The caller's side never learns of it, and the call can be ended by either.
    assert call.final.get("From") == call.invite.get("From")
    assert (await call.bye()).status == 200
    assert str(sbc_estates.SWITCHBOARD) in bravo.requests("BYE")[0].get("From")


async def test_a_caller_of_whom_nothing_is_known_leaves_by_the_first_carrier_that_can(
    world: SbcWorld,
) -> None:
    alpha, bravo, _ = await world.carriers()
    pbx = await world.pbx("81")
    call = await pbx.call(world.uri("81999"), world.estate.core, caller="+441632960999")
    assert call.status == 200
    assert [invite.user for invite in alpha.requests("INVITE")] == ["999"]
    assert bravo.requests("INVITE") == []


async def test_exempt_lines_are_no_emergency_service(world: SbcWorld) -> None:
    """They leave by the carrier that holds the number, emergency-capable or not, without alert."""
    _, bravo, _ = await world.carriers()
    stand_in = await world.call_control(sbc_world.silent)
    call = await (await world.pbx()).call(world.uri("111"), world.estate.core, caller=HELD)
    assert call.status == 200
    assert [invite.user for invite in bravo.requests("INVITE")] == ["111"]
    assert "emergency call" not in world.kamailio.spool.read_text("utf-8")
    assert [type(event).__name__ for event in stand_in.heard] == []


async def deaf(world: SbcWorld, *, questions: int) -> None:
    """A call control that is connected and reads nothing, and so many questions for it."""
    address = world.estate.sbc().call_control
    _, writer = await asyncio.open_connection(address.address, address.port, limit=64)
    world.stack.callback(writer.close)
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    await asyncio.to_thread(polling.until, lambda: world.connected() == 1, "connected")
    pbx = await world.pbx()
    long = (("Diversion", f"<sip:+442079460003@{'x' * 900}.example>"),)
    for _ in range(questions // 100):
        for _ in range(100):
            pbx.send(pbx.begin(world.uri("+441614960123"), headers=long), world.estate.core)
        await asyncio.sleep(0.05)


async def test_a_call_control_that_reads_nothing_holds_nobody(world: SbcWorld) -> None:
    """A connection that is full would hold the SBC's workers, one after the other."""
    await world.carriers()
    await deaf(world, questions=6000)
    pbx = await world.pbx()
    took = []
    for _ in range(10):
        started = time.monotonic()
        assert (await pbx.call(world.uri("999"), world.estate.core, caller=HELD)).status == 200
        took.append(time.monotonic() - started)
    # Workers that wait for it would do so every time; the answers to so many questions keep a
    # machine busy for a while.
    assert min(took) < 0.5


def without_signs_of_life(files: dict[str, str]) -> dict[str, str]:
    """The mutant that sends for ever to whoever reads nothing."""
    text = files["kamailio.cfg"]
    assert f">= {rendering.PENDING_MAX})" in text
    unbounded = text.replace(f"= {rendering.PENDING_MAX})", "= 1000000)")
    return {**files, "kamailio.cfg": unbounded}


async def test_sending_for_ever_would_hold_an_emergency_call(
    estate: LoopbackSbc, tmp_path: Path
) -> None:
    kamailio = Kamailio.rendered(estate.sbc(), tmp_path, without_signs_of_life)
    async with sbc_world.around(estate, kamailio) as world:
        await world.carriers()
        await deaf(world, questions=6000)
        pbx = await world.pbx()
        with pytest.raises(TimeoutError):
            await pbx.call(world.uri("999"), world.estate.core, caller=HELD, seconds=2)


async def test_a_full_disk_holds_nobody(estate: LoopbackSbc, kamailio: Kamailio) -> None:
    kamailio.log = Path("/dev/full")
    async with sbc_world.around(estate, kamailio) as world:
        await world.carriers()
        call = await (await world.pbx()).call(world.uri("999"), world.estate.core, caller=HELD)
        assert call.status == 200
        assert (await call.bye()).status == 200


@pytest.mark.parametrize(
    "sender",
    [
        "<sip:pbx.example>;tag=1",
        '"Anonymous" <sip:anonymous@anonymous.invalid>;tag=1',
        "<sip:%2B442079460001@pbx.example>;tag=1",
        "<tel:+442079460001>;tag=1",
        "sip:4001@pbx.example;tag=1",
        '"O\'Neill \\"x\\"" <sip:4001;phone-context=x@pbx.example>;tag=1',
    ],
)
async def test_whoever_the_caller_says_to_be(world: SbcWorld, sender: str) -> None:
    _, bravo, _ = await world.carriers()
    headers = (("From", sender),)
    call = await (await world.pbx()).call(world.uri("999"), world.estate.core, headers=headers)
    assert call.status == 200
    (invite,) = bravo.requests("INVITE")
    assert "+44207946000" in invite.get("P-Asserted-Identity")
    assert (await call.bye()).status == 200
    await bravo.methods("INVITE", "ACK", "BYE")


async def test_names_that_nobody_can_look_up(world: SbcWorld) -> None:
    """Both sides name themselves by host names: the call is answered and ended all the same."""
    _, bravo, _ = await world.carriers()
    pbx = await world.pbx()
    bravo.contact_host, pbx.contact_host = "carrier.invalid", "pbx.invalid"
    took = []
    for _ in range(3):
        bravo.received.clear()
        started = time.monotonic()
        call = await pbx.call(world.uri("999"), world.estate.core, caller=HELD)
        assert call.status == 200
        assert (await call.bye()).status == 200
        await bravo.methods("INVITE", "ACK", "BYE")
        took.append(time.monotonic() - started)
    # Whoever looks a name up waits a second for it, and every time.
    assert min(took) < 1


@pytest.mark.parametrize("way", ["<sip:127.0.0.1:{core};lr>", "<sip:192.0.2.66;lr>"])
async def test_a_way_that_the_caller_asks_for_does_not_reach_the_carrier(
    world: SbcWorld, way: str
) -> None:
    """PBXes with an outbound proxy begin with a Route to it. A carrier that is a proxy itself would
    follow what is left of it: back to us, or to somebody else.
    """
    _, bravo, _ = await world.carriers()
    headers = (("Route", way.format(core=world.estate.ports.core)),)
    call = await (await world.pbx()).call(world.uri("999"), world.estate.core, headers=headers)
    assert call.status == 200
    (invite,) = bravo.requests("INVITE")
    assert invite.all("Route") == []
    assert (await call.bye()).status == 200
    await bravo.methods("INVITE", "ACK", "BYE")


@pytest.mark.parametrize("hops", ["many", "-1", "", "99999999999"])
async def test_hops_that_nobody_can_read_keep_nobody_from_a_service(
    world: SbcWorld, hops: str
) -> None:
    _, bravo, _ = await world.carriers()
    pbx = await world.pbx()
    invite = pbx.begin(world.uri("999"))
    headers = ((name, hops if name == "Max-Forwards" else value) for name, value in invite.headers)
    invite = replace(invite, headers=tuple(headers))
    assert (await pbx.transact(invite, world.estate.core)).status == 200
    (sent,) = bravo.requests("INVITE")
    assert len(sent.all("Max-Forwards")) == 1
    assert 0 < int(sent.get("Max-Forwards")) <= 70


async def test_what_an_invitation_asks_of_proxies_keeps_nobody_from_a_service(
    world: SbcWorld,
) -> None:
    """RFC 3323 lets whoever withholds a number ask proxies for privacy; sanity knows no such wish.
    Anybody else is told so, and not left without an answer.
    """
    _, bravo, _ = await world.carriers()
    pbx = await world.pbx()
    headers = (("Proxy-Require", "privacy"), ("Privacy", "id"))
    for dialled in ("999", "111"):
        bravo.received.clear()
        invite = pbx.begin(world.uri(dialled), caller=HELD, headers=headers)
        call = Call(pbx, invite, world.estate.core, await pbx.transact(invite, world.estate.core))
        assert call.status == 200
        # Whoever asks once asks with every request of the call.
        for method, number in (("ACK", 1), ("BYE", 2)):
            request = pbx.in_dialog(call, method, number)
            request = replace(request, headers=(*request.headers, *headers))
            if method == "ACK":
                pbx.send(request, world.estate.core)
            else:
                assert (await pbx.transact(request, world.estate.core)).status == 200
        await bravo.methods("INVITE", "ACK", "BYE")
        assert [one.all("Proxy-Require") for one in bravo.received] == [[], [], []]
    refused = await pbx.call(world.uri("+441614960123"), world.estate.core, headers=headers)
    assert refused.status == 400


async def test_a_number_in_national_form_is_the_callers_own(world: SbcWorld) -> None:
    _, bravo, _ = await world.carriers()
    pbx = await world.pbx()
    call = await pbx.call(world.uri("999"), world.estate.core, caller="02079460001")
    assert call.status == 200
    (invite,) = bravo.requests("INVITE")
    assert HELD in invite.get("From")
    assert HELD in invite.get("P-Asserted-Identity")


def without_services(files: dict[str, str]) -> dict[str, str]:
    """The mutant without the emergency branch."""
    text = files["kamailio.cfg"]
    assert "  route(SERVICES);\n" in text
    return {**files, "kamailio.cfg": text.replace("  route(SERVICES);\n", "", 1)}


def after_call_control(files: dict[str, str]) -> dict[str, str]:
    """The mutant that asks call control first."""
    text = files["kamailio.cfg"].replace("  route(SERVICES);\n", "", 1)
    asked = "  if ($var(may) != 1) { route(OUTAGE); exit; }\n"
    assert asked in text
    return {**files, "kamailio.cfg": text.replace(asked, asked + "  route(SERVICES);\n", 1)}


def without_exempt(files: dict[str, str]) -> dict[str, str]:
    """The mutant whose pattern lacks one row."""
    text = files["services.cfg"]
    assert "|101" in text
    return {**files, "services.cfg": text.replace("|101", "")}


def by_prefix(files: dict[str, str]) -> dict[str, str]:
    """The mutant that takes whatever begins with a code for it."""
    return {**files, "services.cfg": files["services.cfg"].replace("#?$", "")}


@pytest.mark.parametrize(
    "mutant", [without_services, after_call_control, without_exempt, by_prefix]
)
async def test_the_corpus_catches_a_configuration_that_breaks_the_promise(
    estate: LoopbackSbc, tmp_path: Path, mutant: Mutation
) -> None:
    kamailio = Kamailio.rendered(estate.sbc(), tmp_path, mutant)
    async with sbc_world.around(estate, kamailio) as world:
        assert await wrongly_treated(world, SAMPLE) != []


def limits_first(files: dict[str, str]) -> dict[str, str]:
    """The mutant that looks at bans and drains before it looks at what was dialled."""
    services, limits = "  route(SERVICES);\n", "  route(LIMITS);\n"
    text = files["kamailio.cfg"]
    assert text.count(services) == text.count(limits) == 1
    late = text.replace(services, "").replace(limits, limits + services)
    return {**files, "kamailio.cfg": late}


def strangers_served(files: dict[str, str]) -> dict[str, str]:
    """The mutant to whom everybody is a PBX."""
    known = "  $var(kind) = allow_source_address_group();\n"
    text = files["kamailio.cfg"]
    assert known in text
    served = known + "  if ($var(kind) < 1) { $var(kind) = 3; }\n"
    return {**files, "kamailio.cfg": text.replace(known, served)}


def without_next_carrier(files: dict[str, str]) -> dict[str, str]:
    """The mutant that gives up with the first carrier."""
    tried = "    if (ds_next_dst()) { route(NEXT_HOP); }\n"
    text = files["kamailio.cfg"]
    assert tried in text
    return {**files, "kamailio.cfg": text.replace(tried, "")}


def as_patient_as_others(files: dict[str, str]) -> dict[str, str]:
    """The mutant that gives an emergency carrier as long as any other."""
    bound = f", {rendering.EMERGENCY_TRY_MILLISECONDS}); }}"
    text = files["kamailio.cfg"]
    assert bound in text
    return {**files, "kamailio.cfg": text.replace(bound, ", 7000); }")}


def content_with_100(files: dict[str, str]) -> dict[str, str]:
    """The mutant that waits for whoever has taken the call."""
    bound = f"t_set_fr({rendering.EMERGENCY_PROGRESS_MILLISECONDS}, "
    text = files["kamailio.cfg"]
    assert bound in text
    return {
        **files,
        "kamailio.cfg": text.replace(bound, f"t_set_fr({rendering.RING_MILLISECONDS}, "),
    }


def as_withheld_as_sent(files: dict[str, str]) -> dict[str, str]:
    """The mutant that passes on what the caller wants hidden."""
    number = '  if ($avp(class) != "inbound") { route(NETWORK_NUMBER); }\n'
    text = files["kamailio.cfg"]
    assert number in text
    return {**files, "kamailio.cfg": text.replace(number, "")}


def as_sane_as_others(files: dict[str, str]) -> dict[str, str]:
    """The mutant that looks at form before it looks at what was dialled."""
    asked = '  if (is_method("INVITE")) { route(ATTEMPT); route(SERVICE_OF); }\n'
    text = files["kamailio.cfg"]
    assert asked in text
    return {**files, "kamailio.cfg": text.replace(asked, "")}


@pytest.mark.parametrize(
    ("mutant", "test"),
    [
        (content_with_100, test_the_next_carrier_when_one_takes_the_call_and_gets_nowhere),
        (as_sane_as_others, test_what_an_invitation_asks_of_proxies_keeps_nobody_from_a_service),
        (limits_first, test_a_banned_source_gets_through),
        (limits_first, test_a_draining_sbc_lets_them_through),
        (strangers_served, test_a_stranger_gets_nothing),
        (without_next_carrier, test_the_next_carrier_after_three_seconds_of_silence),
        (as_patient_as_others, test_the_next_carrier_after_three_seconds_of_silence),
        (as_withheld_as_sent, test_the_service_sees_a_number_it_can_call_back),
    ],
)
async def test_each_guard_is_missed_when_it_is_gone(
    estate: LoopbackSbc,
    tmp_path: Path,
    mutant: Mutation,
    test: Callable[[SbcWorld], Awaitable[None]],
) -> None:
    kamailio = Kamailio.rendered(estate.sbc(), tmp_path, mutant)
    async with sbc_world.around(estate, kamailio) as world:
        with pytest.raises((AssertionError, pytest.fail.Exception)):
            await test(world)
