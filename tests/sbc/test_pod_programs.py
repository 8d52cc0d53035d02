"""The programs of an SBC's pod start as its description says, in the versions of its image."""

from __future__ import annotations

import asyncio
import re
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from callplane.callcontrol.kamailio_rpc import KamailioRpc, RpcError
from callplane.deployment import sbc_pod
from callplane.deployment.options import Body
from callplane.sandbox import ports
from callplane.sbc.model import Sbc
from callplane.testing import pod_hooks, polling, sbc_programs
from callplane.testing.kamailio_process import Kamailio
from callplane.testing.sbc_estates import LoopbackSbc
from callplane.testing.sip_endpoint import Endpoint

IMAGE = Path(__file__).parents[2] / "images/sbc"


def container(values: Sbc, name: str) -> Body:
    pod = pod_hooks.described(values, drain_seconds=60, services_seconds=60)
    (found,) = [each for each in pod["containers"] if each["name"] == name]
    return dict(found)


@contextmanager
def started(found: Body, program: str, changes: dict[str, str]) -> Iterator[None]:
    """A container's command, with the places of this machine in it."""
    here = sbc_programs.find(program)
    assert here is not None
    command: list[str] = []
    for word in (*found["command"], *found["args"]):
        command += here.command if word == program else [changes.get(word, word)]
    process = subprocess.Popen(
        command,
        env=here.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        process.terminate()
        assert process.wait(60) == 0


async def test_kamailio_starts_as_in_its_pod(estate: LoopbackSbc, kamailio: Kamailio) -> None:
    places = {
        "callplane-spooled": str(IMAGE / "callplane-spooled"),
        sbc_pod.SPOOL: str(kamailio.spool),
    }
    rpc = KamailioRpc(kamailio.folder / "rpc.sock")

    def answers() -> bool:
        try:
            return bool(rpc.ask("core.uptime"))
        except RpcError:
            return False

    carrier = (kamailio.sbc.carriers[0].targets[0].address, estate.ports.peers)
    pbx = (kamailio.sbc.trunks[0].targets[0].address, estate.ports.peers)
    with started(container(kamailio.sbc, "kamailio"), "kamailio", places):
        await asyncio.to_thread(polling.until, answers, "Kamailio answers", seconds=40)
        async with Endpoint(carrier), Endpoint(pbx) as caller:
            call = await caller.call(f"sip:999@127.0.0.1:{estate.ports.core}", estate.core)
            assert call.status == 200
            assert (await call.bye()).status == 200
            await asyncio.to_thread(
                polling.until,
                lambda: b"log_write_cdr" in kamailio.spool.read_bytes(),
                "the spool has the record",
            )


def test_rtpengine_starts_as_in_its_pod(estate: LoopbackSbc) -> None:
    control, metrics = ports.free(2)
    values = estate.sbc()
    values = replace(values, media=replace(values.core, port=control))
    changes = {f"--listen-http={sbc_pod.METRICS_PORT}": f"--listen-http={metrics}"}

    def scraped() -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{metrics}/metrics", timeout=5) as answer:
                return b"rtpengine_" in answer.read()
        except OSError:
            return False

    with started(container(values, "rtpengine"), "rtpengine", changes):
        polling.until(scraped, "rtpengine answers", seconds=40)


@pytest.mark.parametrize(
    ("program", "option", "argument"),
    [("kamailio", "-v", "KAMAILIO"), ("rtpengine", "--version", "RTPENGINE")],
)
def test_the_image_has_the_versions_that_run_here(program: str, option: str, argument: str) -> None:
    here = sbc_programs.find(program)
    assert here is not None
    answer = subprocess.run(
        [*here.command, option], env=here.environment, capture_output=True, text=True, check=True
    )
    dockerfile = (IMAGE / "Dockerfile").read_text(encoding="utf-8")
    (pinned,) = re.findall(rf"^ARG {argument}=([\d.]+)-", dockerfile, re.MULTILINE)
    assert pinned in answer.stdout + answer.stderr
