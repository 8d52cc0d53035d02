"""A machine's Kamailio is stopped with calls up: the script of its unit beside a real Kamailio.

Either way to drain is played: by the operator's image, for which a stand-in of podman starts the
program itself, and by Kamailio's other socket, where that image is not on the machine.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from callplane.callcontrol.messages import CallRecord
from callplane.testing import polling, sbc_programs, sbc_world
from callplane.testing.sbc_world import SbcWorld

SCRIPT = Path(__file__).parents[2] / "stacks/callplane_stacks/machine_files/callplane-drain"
HELD, OTHER, ABROAD = "+442079460001", "+442079460002", "+441614960123"
#: Whether its image is there, and what is run instead of a container: everything behind its name.
PODMAN = """#!/bin/bash
[ "$1" = image ] && exit {absent}
while [ "$1" != an-image ]; do
    [ "$1" = --env ] && export "$2"
    shift
done
shift
exec {program} "$@"
"""
Mutation = Callable[[str], str]


@pytest.fixture(params=[0, 1], ids=["by its image", "by the socket"])
def programs(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A folder with podman, and with kamcmd where that lies elsewhere."""
    folder = tmp_path / "programs"
    folder.mkdir()
    podman = folder / "podman"
    podman.write_text(
        PODMAN.format(absent=request.param, program=Path(sys.executable).with_name("callplane"))
    )
    podman.chmod(0o755)
    kamcmd = sbc_programs.find("kamcmd")
    assert kamcmd is not None
    (folder / "kamcmd").symlink_to(kamcmd.path)
    return folder


class Drain:
    """The script, as systemd would run it."""

    def __init__(
        self,
        world: SbcWorld,
        programs: Path,
        *,
        limit_seconds: int,
        mutation: Mutation = lambda text: text,
    ) -> None:
        folder = world.kamailio.folder
        settings = folder / "machine.env"
        settings.write_text(
            f"MACHINE_IMAGE=an-image\nMACHINE_RUN={folder}\n"
            f"MACHINE_DRAIN_SECONDS={limit_seconds // 2}\nMACHINE_LIMIT_SECONDS={limit_seconds}\n"
        )
        script = folder / "callplane-drain"
        script.write_text(mutation(SCRIPT.read_text(encoding="utf-8")))
        kamcmd = sbc_programs.find("kamcmd")
        assert kamcmd is not None
        self.said = folder / "said.log"
        with self.said.open("wb") as said:
            self.process = subprocess.Popen(
                ["bash", str(script)],
                env={
                    **os.environ,
                    **kamcmd.environment,
                    "MACHINE_SETTINGS": str(settings),
                    "PATH": f"{programs}:{os.environ['PATH']}",
                },
                stdout=said,
                stderr=subprocess.STDOUT,
            )

    def end(self) -> tuple[int, str]:
        """Its exit code and what it said, when it has returned."""
        code = self.process.wait(timeout=60)
        return code, self.said.read_text(encoding="utf-8")


async def story(world: SbcWorld, programs: Path, mutation: Mutation = lambda text: text) -> None:
    """New calls are refused but emergency ones; the script returns when the last has ended."""
    await world.carriers()
    pbx = await world.pbx()
    stand_in = await world.call_control(sbc_world.allow(600))
    call = await pbx.call(world.uri(ABROAD), world.estate.core, caller=HELD)
    assert call.status == 200
    drain = Drain(world, programs, limit_seconds=120, mutation=mutation)
    try:
        await asyncio.to_thread(polling.until, lambda: world.state("drain") == 1, "it drains")
        refused = await pbx.call(world.uri(ABROAD), world.estate.core, caller=HELD)
        assert refused.final.start == "SIP/2.0 503 Draining"
        emergency = await pbx.call(world.uri("999"), world.estate.core, caller=OTHER)
        assert emergency.status == 200
        assert (await call.bye()).status == 200
        # One that waits for ordinary calls only would be about to return.
        await asyncio.to_thread(
            polling.until,
            lambda: len([each for each in stand_in.heard if isinstance(each, CallRecord)]) == 1,
            "the record of the first call",
        )
        # Nor would one that waits for no call be there, however slowly its programs start.
        await asyncio.sleep(3)
        assert drain.process.poll() is None
        assert (await emergency.bye()).status == 200
        code, said = await asyncio.to_thread(drain.end)
        assert code == 0, said
    finally:
        drain.process.kill()
        drain.process.wait()
    await asyncio.to_thread(
        polling.until,
        lambda: len([each for each in stand_in.heard if isinstance(each, CallRecord)]) == 2,
        "the record of the second call",
    )


async def test_a_machines_calls_end_before_its_kamailio_does(
    world: SbcWorld, programs: Path
) -> None:
    await story(world, programs)


async def test_after_the_limit_it_says_what_is_left(world: SbcWorld, programs: Path) -> None:
    await world.carriers()
    pbx = await world.pbx()
    await world.call_control(sbc_world.allow(600))
    assert (await pbx.call(world.uri("999"), world.estate.core, caller=OTHER)).status == 200
    code, said = await asyncio.to_thread(Drain(world, programs, limit_seconds=2).end)
    assert code == 1
    assert "not quiet after 2" in said


async def test_where_kamailio_is_gone_nothing_is_waited_for(
    world: SbcWorld, programs: Path
) -> None:
    world.kamailio.kill()
    _, said = await asyncio.to_thread(Drain(world, programs, limit_seconds=120).end)
    assert said


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(" htable.seti state drain 1", " htable.seti state drain 0", id="refuses none"),
        pytest.param('[ "$calls" -eq 0 ] &&', "", id="waits for no call"),
    ],
)
@pytest.mark.parametrize("programs", [1], indirect=True)
async def test_a_script_that_does_less_is_caught(
    world: SbcWorld, programs: Path, before: str, after: str
) -> None:
    def mutation(text: str) -> str:
        assert before in text
        return text.replace(before, after)

    with pytest.raises((AssertionError, TimeoutError)):
        await story(world, programs, mutation)
