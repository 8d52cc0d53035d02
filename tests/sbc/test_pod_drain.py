"""A pod goes with calls up: the commands of its own description beside a real Kamailio and SIPp."""

from __future__ import annotations

import asyncio
import copy
import os
import signal
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from callplane.callcontrol.messages import CallRecord
from callplane.deployment.options import Body
from callplane.testing import pod_hooks, polling, sbc_estates, sbc_world
from callplane.testing.pod_hooks import Hooks
from callplane.testing.sbc_world import SbcWorld
from callplane.testing.sipp import Load, Sipp

SCENARIOS = Path(__file__).parent / "scenarios"
HELD, OTHER = "+442079460001", "+442079460002"
ABROAD = "+441614960123"
CALLS = 8
HooksOf = Callable[..., Hooks]


async def eventually(check: Callable[[], Any], what: str, *, seconds: float = 20.0) -> None:
    await asyncio.to_thread(polling.until, check, what, seconds=seconds)


@pytest.fixture
def hooks_of(world: SbcWorld, tmp_path: Path) -> Iterator[HooksOf]:
    made: list[Hooks] = []

    def make(mutation: Callable[[Body], None] = lambda _: None, **seconds: int) -> Hooks:
        pod = copy.deepcopy(pod_hooks.described(world.kamailio.sbc, **seconds))
        mutation(pod)
        made.append(Hooks(pod, tmp_path / "hooks.log"))
        return made[-1]

    yield make
    for hooks in made:
        hooks.kill()


def records(world: SbcWorld) -> list[str]:
    text = world.kamailio.spool.read_text(encoding="utf-8", errors="replace")
    return [line for line in text.splitlines() if "log_write_cdr" in line]


def calls_up(world: SbcWorld) -> int:
    return int(world.kamailio.rpc("dlg.stats_active")["all"])


async def ping(world: SbcWorld) -> int:
    """What a peer's OPTIONS gets, by which Teams decides whether an SBC takes calls."""
    pbx = await world.pbx()
    identity = (("From", "<sip:pbx.example>;tag=1"), ("To", "<sip:127.0.0.1>"))
    call = (("Call-ID", "ping"), ("CSeq", "1 OPTIONS"))
    uri = f"sip:127.0.0.1:{world.estate.ports.core}"
    request = pbx.request("OPTIONS", uri, *identity, *call)
    return (await pbx.transact(request, world.estate.core)).status


async def story(world: SbcWorld, hooks: Hooks, tmp_path: Path) -> None:
    """Calls are up, the pod is asked to go, and goes when the last of them has ended."""
    await world.at(sbc_estates.BRAVO)
    pbx = await world.pbx()
    stand_in = await world.call_control(sbc_world.allow(600))
    peers = world.estate.ports.peers
    callee = Sipp(SCENARIOS / "callee.xml", (sbc_estates.ALPHA, peers), tmp_path)
    caller = Sipp(SCENARIOS / "caller.xml", (sbc_estates.PBXES[""], peers + 1), tmp_path)
    async with callee.taking():
        load = Load(calls_per_second=CALLS, calls=CALLS, hold_milliseconds=6000)
        placing = asyncio.create_task(caller.place(world.estate.core, load, seconds=60))
        await eventually(lambda: calls_up(world) == CALLS, "all calls are up")
        # One is up however long it takes the hooks to start: an SBC without calls is quiet at once.
        lasting = await pbx.call(world.uri("999"), world.estate.core, caller=HELD)
        assert lasting.status == 200
        for name in ("kamailio", "rtpengine", "callcontrol"):
            hooks.start(name)
        await eventually(
            lambda: world.state("drain") == 1 or hooks.has_returned("kamailio"),
            "the SBC drains",
            seconds=60,
        )
        assert world.state("drain") == 1
        # Without Retry-After: with it, no request at all would come here, an emergency call
        # included (RFC 3261, 21.5.4).
        refused = await pbx.call(world.uri(ABROAD), world.estate.core, caller=HELD)
        assert refused.final.start == "SIP/2.0 503 Draining"
        assert "retry-after" not in {name.lower() for name, _ in refused.final.headers}
        assert await ping(world) == 503
        emergency = await pbx.call(world.uri("999"), world.estate.core, caller=OTHER)
        assert emergency.status == 200
        assert (await lasting.bye()).status == 200
        result = await placing
    assert (result.successful, result.failed) == (CALLS, 0)
    await eventually(lambda: calls_up(world) == 1, "only the emergency call is up")
    # For as long as it is up: whoever is in a hurry has left by now.
    await asyncio.sleep(4)
    assert [hooks.code(name) for name in hooks.started] == [None, None, None]
    assert (await emergency.bye()).status == 200
    await eventually(lambda: hooks.has_returned("kamailio"), "Kamailio's hook returns")
    assert hooks.code("kamailio") == 0
    # What a kubelet does next. Whatever serves Kamailio is still there.
    assert len(records(world)) == CALLS + 2

    def heard() -> int:
        return len([event for event in stand_in.heard if isinstance(event, CallRecord)])

    await eventually(lambda: heard() == CALLS + 2, "call control has every record")
    assert not hooks.has_returned("callcontrol")
    assert not hooks.has_returned("rtpengine")
    process = world.kamailio.process
    assert process is not None
    os.kill(process.pid, signal.SIGTERM)
    assert await asyncio.to_thread(process.wait, 60) == 0
    for name in ("rtpengine", "callcontrol"):
        await eventually(partial(hooks.has_returned, name), f"{name}'s hook returns")
        assert hooks.code(name) == 0


async def test_new_calls_are_refused_old_ones_finish_and_the_pod_goes(
    world: SbcWorld, hooks_of: HooksOf, tmp_path: Path
) -> None:
    await story(world, hooks_of(drain_seconds=120, services_seconds=120), tmp_path)


def _hook(pod: Body, name: str) -> list[str]:
    (found,) = [each for each in pod["containers"] if each["name"] == name]
    command = found["lifecycle"]["preStop"]["exec"]["command"]
    assert isinstance(command, list)
    return command


def returns_at_once(pod: Body) -> None:
    """The hook that does nothing."""
    _hook(pod, "kamailio")[:] = ["true"]


def says_and_does_not_wait(pod: Body) -> None:
    """The hook that has new calls refused and leaves the old ones to their fate."""
    command = _hook(pod, "kamailio")
    _hook(pod, "kamailio")[:] = [*command[:4], "--limit=1s"]


def call_control_leaves_first(pod: Body) -> None:
    """The hook by which call control waits for nothing."""
    _hook(pod, "callcontrol")[:] = ["true"]


@pytest.mark.parametrize(
    "mutant", [returns_at_once, says_and_does_not_wait, call_control_leaves_first]
)
async def test_a_hook_that_does_not_wait_is_missed(
    world: SbcWorld, hooks_of: HooksOf, tmp_path: Path, mutant: Callable[[Body], None]
) -> None:
    hooks = hooks_of(mutant, drain_seconds=120, services_seconds=120)
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        await story(world, hooks, tmp_path)


async def test_a_call_that_outlasts_the_drain_is_ended_on_both_sides_with_a_record(
    world: SbcWorld, hooks_of: HooksOf
) -> None:
    """An emergency call is not, nor the call back to its caller."""
    alpha, bravo, _ = await world.carriers()
    pbx = await world.pbx()
    # Kamailio forgets the other side of a call whose BYE is answered too soon: see `test_cuts`.
    alpha.bye_seconds = pbx.bye_seconds = 0.3
    stand_in = await world.call_control(sbc_world.allow(600))
    ordinary = await pbx.call(world.uri(ABROAD), world.estate.core, caller=HELD)
    emergency = await pbx.call(world.uri("999"), world.estate.core, caller=OTHER)
    back = await bravo.call(world.uri(OTHER), world.estate.core)
    assert [each.status for each in (ordinary, emergency, back)] == [200, 200, 200]
    hooks = hooks_of(drain_seconds=2, services_seconds=120)
    hooks.start("kamailio")
    await eventually(lambda: calls_up(world) == 2, "the ordinary call is ended")
    await eventually(lambda: pbx.requests("BYE") and alpha.requests("BYE"), "both sides are told")
    assert len(pbx.requests("BYE")) == len(alpha.requests("BYE")) == 1

    def heard() -> list[str]:
        return [each.call_class for each in stand_in.heard if isinstance(each, CallRecord)]

    await eventually(lambda: heard() == ["outbound"], "it has a record")
    await asyncio.sleep(2)
    assert (calls_up(world), hooks.code("kamailio")) == (2, None)
    assert (await emergency.bye()).status == (await back.bye()).status == 200
    await eventually(lambda: hooks.has_returned("kamailio"), "the hook returns")
    assert hooks.code("kamailio") == 0
    await eventually(lambda: len(heard()) == 3, "all of them have records")
    assert sorted(heard()) == ["emergency", "inbound", "outbound"]
    assert "1 call ended" in hooks.log.read_text(encoding="utf-8")


async def test_without_call_control_a_pod_still_goes(world: SbcWorld, hooks_of: HooksOf) -> None:
    """Its records are in the spool, where the next pod finds them."""
    await world.carriers()
    pbx = await world.pbx()
    call = await pbx.call(world.uri("999"), world.estate.core, caller=HELD)
    assert (await call.bye()).status == 200

    def impatient(pod: Body) -> None:
        _hook(pod, "kamailio")[-1] = "--records=2s"

    hooks = hooks_of(impatient, drain_seconds=120, services_seconds=120)
    hooks.start("kamailio")
    await eventually(lambda: hooks.has_returned("kamailio"), "the hook returns")
    assert "not quiet after 2s: 0 calls up, 1 record to take" in hooks.log.read_text("utf-8")
    assert len(records(world)) == 1


async def test_a_hook_waits_no_longer_than_its_limit(world: SbcWorld, hooks_of: HooksOf) -> None:
    """An emergency call is up at the end: the hook says so, and Kubernetes decides."""
    await world.carriers()
    pbx = await world.pbx()
    emergency = await pbx.call(world.uri("999"), world.estate.core, caller=HELD)
    assert emergency.status == 200
    hooks = hooks_of(drain_seconds=1, services_seconds=1)
    hooks.start("kamailio")
    await eventually(lambda: hooks.has_returned("kamailio"), "the hook returns")
    assert hooks.code("kamailio") == 1
    assert "not quiet after 2s: 1 call up" in hooks.log.read_text(encoding="utf-8")
    assert calls_up(world) == 1
    assert pbx.requests("BYE") == []
