"""The spool as a pod has it: the image's script, a real Kamailio, a disk that misbehaves."""

from __future__ import annotations

import asyncio
import stat
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from pathlib import Path

import pytest

from callplane.callcontrol.recording import SpoolFollower
from callplane.callcontrol.trimming import SpoolTrimmer
from callplane.clock import SystemClock
from callplane.testing import polling, sbc_world
from callplane.testing.call_authorisers import MemoryBook
from callplane.testing.kamailio_process import Kamailio
from callplane.testing.sbc_estates import LoopbackSbc
from callplane.testing.sbc_world import SbcWorld

ROOT = Path(__file__).parents[2]
SCRIPT = (str(ROOT / "images/sbc/callplane-spooled"),)
#: The mutant without a way out: no file, no calls.
STUBBORN = ("sh", "-c", 'exec "$@" 2>>"$0"')
HELD = "+442079460001"


def launched(
    estate: LoopbackSbc, kamailio: Kamailio, launcher: tuple[str, ...] = SCRIPT
) -> AbstractAsyncContextManager[SbcWorld]:
    kamailio.launcher = launcher
    return sbc_world.around(estate, kamailio)


async def calls(world: SbcWorld, *dialled: str) -> None:
    """Calls that are answered and end."""
    pbx = await world.pbx()
    for each in dialled:
        call = await pbx.call(world.uri(each), world.estate.core, caller=HELD)
        assert call.status == 200
        assert (await call.bye()).status == 200


async def recorded(path: Path, count: int) -> None:
    def written() -> bool:
        return path.read_bytes().count(b"log_write_cdr") == count

    await asyncio.to_thread(polling.until, written, f"{count} records are written")


async def take(path: Path, book: MemoryBook) -> None:
    follower = SpoolFollower(book, path, path.with_name("mark"))
    while await follower.step():
        pass


async def test_kamailio_writes_into_the_spool_by_itself(
    estate: LoopbackSbc, kamailio: Kamailio
) -> None:
    async with launched(estate, kamailio) as world:
        await world.carriers()
        await calls(world, "999", "111")
        await recorded(kamailio.spool, 2)
        # It holds numbers: for this user and nobody else.
        assert stat.S_IMODE(kamailio.spool.stat().st_mode) == 0o600
        assert (kamailio.folder / "container.log").read_bytes() == b""


async def test_what_a_dead_pod_left_is_taken_beside_what_the_next_one_writes(
    estate: LoopbackSbc, kamailio: Kamailio
) -> None:
    """Nobody took records, and both processes were killed; the file stays on the node."""
    async with launched(estate, kamailio) as world:
        await world.carriers()
        await calls(world, "999", "111", "112")
        await recorded(kamailio.spool, 3)
        kamailio.kill()
        await asyncio.to_thread(kamailio.start)
        await calls(world, "101")
        await recorded(kamailio.spool, 4)
        book = MemoryBook()
        await take(kamailio.spool, book)
        assert [record.dialled for record in book.posted.values()] == ["999", "111", "112", "101"]
        # What was taken is given back while Kamailio has the file open, and it writes on.
        mark = kamailio.spool.with_name("mark")
        trimmer = SpoolTrimmer(kamailio.spool, mark, SystemClock(), timedelta())
        size = kamailio.spool.stat().st_size
        assert await trimmer.step() > 0
        assert kamailio.spool.stat().st_size >= size
        await calls(world, "999")
        await recorded(kamailio.spool, 1)
        await take(kamailio.spool, book)
        assert len(book.posted) == 5


async def test_a_full_disk_holds_no_call(estate: LoopbackSbc, kamailio: Kamailio) -> None:
    kamailio.log = Path("/dev/full")
    async with launched(estate, kamailio) as world:
        await world.carriers()
        await calls(world, *["999", "+442079460002"] * 5)


async def without_a_folder(
    estate: LoopbackSbc, kamailio: Kamailio, launcher: tuple[str, ...]
) -> None:
    kamailio.log = kamailio.folder / "nowhere" / "sbc.log"
    async with launched(estate, kamailio, launcher) as world:
        await world.carriers()
        await calls(world, "999")
        await recorded(kamailio.folder / "container.log", 1)
        said = (kamailio.folder / "container.log").read_text(encoding="utf-8")
        assert "sbc.log cannot be written; call records are in this log" in said


async def test_a_spool_that_cannot_be_written_keeps_nobody_from_calling(
    estate: LoopbackSbc, kamailio: Kamailio
) -> None:
    await without_a_folder(estate, kamailio, SCRIPT)


async def test_a_script_that_insists_on_its_file_is_missed(
    estate: LoopbackSbc, kamailio: Kamailio
) -> None:
    with pytest.raises(RuntimeError, match="Kamailio ended at once"):
        await without_a_folder(estate, kamailio, STUBBORN)
