"""Media go through rtpengine where it is there; calls do not wait for it where it is not."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import time
import urllib.request
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from callplane.deployment import dashboards
from callplane.sandbox import ports
from callplane.testing import polling, sbc_programs, sbc_world
from callplane.testing.kamailio_process import Kamailio, Mutation
from callplane.testing.sbc_estates import LoopbackSbc
from callplane.testing.sbc_world import SbcWorld
from callplane.testing.sip_endpoint import Call

HELD = "+442079460001"
#: Eight calls beside a relay that hangs take two seconds, and fifteen where each asks it again.
HUNG_SECONDS = 7.0


@pytest.fixture(scope="module")
def estate() -> LoopbackSbc:
    return LoopbackSbc(media=True)


@contextmanager
def rtpengine(port: int, *further: str) -> Iterator[None]:
    """A real rtpengine in user space, with a few ports on loopback."""
    program = sbc_programs.find("rtpengine")
    assert program is not None
    options = ["--table=-1", "--interface=127.0.0.1", f"--listen-ng=127.0.0.1:{port}"]
    limits = ["--port-min=34000", "--port-max=34100", "--foreground", "--log-stderr"]
    process = subprocess.Popen(
        [*program.command, *options, *limits, "--log-level=3", *further],
        env=program.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        polling.until(lambda: _pong(port), "rtpengine answers")
        yield
    finally:
        process.kill()
        process.wait()


def test_dashboards_ask_rtpengine_only_for_what_it_exposes() -> None:
    media, scraped = ports.free(2)

    def scrape() -> str:
        try:
            with urllib.request.urlopen(
                f"http://127.0.0.1:{scraped}/metrics", timeout=20
            ) as answer:
                return str(answer.read().decode())
        except OSError:
            return ""

    with rtpengine(media, f"--listen-http=127.0.0.1:{scraped}"):
        text = polling.until(scrape, "rtpengine shows its metrics")
    found = {
        sample.name: frozenset(sample.labels)
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert found.items() >= dashboards.RTPENGINE.items()
    # The kinds of ends that are asked for are among those that it counts.
    for reason in ("timeout", "silent_timeout"):
        assert f'rtpengine_closed_sessions_total{{reason="{reason}"}}' in text
    assert 'rtpengine_sessions{type="own"}' in text


def _pong(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(0.2)
        try:
            client.sendto(b"1 d7:command4:pinge", ("127.0.0.1", port))
            return b"pong" in client.recv(1000)
        except OSError:
            return False


@pytest.fixture
async def world(estate: LoopbackSbc, tmp_path: Path) -> AsyncGenerator[SbcWorld]:
    kamailio = Kamailio.rendered(estate.sbc(), tmp_path)
    async with sbc_world.around(estate, kamailio) as running:
        yield running


async def test_media_go_through_the_relay(estate: LoopbackSbc, tmp_path: Path) -> None:
    with rtpengine(estate.ports.media):
        kamailio = Kamailio.rendered(estate.sbc(), tmp_path)
        async with sbc_world.around(estate, kamailio) as world:
            _, bravo, _ = await world.carriers()
            pbx = await world.pbx()

            async def relayed() -> bool:
                bravo.received.clear()
                call = await pbx.call(world.uri("999"), world.estate.core, caller=HELD)
                assert call.status == 200
                (invite,) = bravo.requests("INVITE")
                assert (await call.bye()).status == 200
                bodies = (invite.body, call.final.body)
                found = [int(body.partition("m=audio ")[2].split()[0]) for body in bodies]
                return all(34000 <= port <= 34100 for port in found)

            for _ in range(5):
                if await relayed():
                    return
                # A relay that took a third of a second is passed over for a while, as it should be
                # and as a machine that is busy may bring about.
                world.kamailio.rpc("htable.flush", "media")
                world.kamailio.rpc("rtpengine.enable", "all", 1)
            pytest.fail("no call of five went through the relay")


async def test_a_dead_relay_stops_no_call(world: SbcWorld) -> None:
    _, bravo, _ = await world.carriers()
    pbx = await world.pbx()
    for _ in range(3):
        started = time.monotonic()
        call = await pbx.call(world.uri("999"), world.estate.core, caller=HELD)
        assert call.status == 200
        assert time.monotonic() - started < 4
        assert (await call.bye()).status == 200
    assert len(bravo.requests("INVITE")) == 3


def without_memory(files: dict[str, str]) -> dict[str, str]:
    """The mutant that asks a relay that hangs again and again."""
    remembered = "  if ($sht(media=>hangs) != $null) { return(1); }\n"
    assert remembered in files["kamailio.cfg"]
    return {**files, "kamailio.cfg": files["kamailio.cfg"].replace(remembered, "")}


async def eight_emergency_calls(
    estate: LoopbackSbc, folder: Path, mutation: Mutation
) -> tuple[list[int], float]:
    """How eight calls end while the relay is bound and silent, and how long that takes."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as hung:
        hung.bind(("127.0.0.1", estate.ports.media))
        kamailio = Kamailio.rendered(estate.sbc(), folder, mutation)
        async with sbc_world.around(estate, kamailio) as world:
            await world.carriers()
            pbx = await world.pbx()
            started = time.monotonic()
            calls = (
                pbx.call(world.uri("999"), world.estate.core, caller=HELD, seconds=15)
                for _ in range(8)
            )
            ended = await asyncio.gather(*calls, return_exceptions=True)
            # 0 is a call that got no answer at all.
            statuses = [call.status if isinstance(call, Call) else 0 for call in ended]
            return statuses, time.monotonic() - started


async def test_a_relay_that_hangs_stops_no_call(estate: LoopbackSbc, tmp_path: Path) -> None:
    statuses, seconds = await eight_emergency_calls(estate, tmp_path, lambda files: files)
    assert statuses == [200] * 8
    assert seconds < HUNG_SECONDS


async def test_asking_it_again_and_again_would(estate: LoopbackSbc, tmp_path: Path) -> None:
    statuses, seconds = await eight_emergency_calls(estate, tmp_path, without_memory)
    assert statuses != [200] * 8 or seconds > HUNG_SECONDS
