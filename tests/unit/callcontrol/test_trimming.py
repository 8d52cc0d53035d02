"""What was taken long ago is given back to the disk, and nothing else."""

from __future__ import annotations

import asyncio
import errno
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from callplane.callcontrol import trimming
from callplane.callcontrol.recording import SpoolFollower
from callplane.callcontrol.trimming import SpoolTrimmer
from callplane.testing.call_authorisers import MemoryBook
from callplane.testing.manual_clock import ManualClock

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
OTHER = b" 2(13475) ALERT: <script>: emergency call attempt=a-1 peer=pbx\n"
KEEP = timedelta(hours=72)


def line(number: int, *, hours_ago: float) -> bytes:
    end = (NOW - timedelta(hours=hours_ago)).timestamp()
    return (
        f" 3(1) CRITICAL: acc [acc_cdr.c:395]: log_write_cdr(): start_time={end - 2:.3f}; "
        f"end_time={end:.3f}; duration=2.000; attempt=a-{number}; class=outbound; account=acme; "
        "caller=+442079460001; dialled=+441614960123; ingress=pbx; reservation=r\n"
    ).encode()


async def follow(path: Path, book: MemoryBook) -> None:
    follower = SpoolFollower(book, path, path.with_name("mark"))
    while await follower.step():
        pass


def trimmer(path: Path) -> SpoolTrimmer:
    return SpoolTrimmer(path, path.with_name("mark"), ManualClock(NOW), KEEP)


async def test_what_is_old_and_taken_is_given_back_and_nothing_moves(tmp_path: Path) -> None:
    path = tmp_path / "sbc.log"
    old = b"".join(OTHER + line(number, hours_ago=80) for number in range(400))
    new = b"".join(OTHER + line(number, hours_ago=70) for number in range(400, 500))
    path.write_bytes(old + new)
    book = MemoryBook()
    await follow(path, book)
    before = path.stat()
    assert await trimmer(path).step() == len(old)
    after = path.stat()
    assert after.st_size == before.st_size
    # What lies in whole blocks of the disk is free again.
    assert before.st_blocks - after.st_blocks >= len(old) // 512 - 2 * after.st_blksize // 512
    assert path.read_bytes() == bytes(len(old)) + new
    # A second time there is nothing more, and what is written next is read as ever.
    assert await trimmer(path).step() == 0
    with path.open("ab") as file:
        file.write(line(500, hours_ago=0))
    await follow(path, book)
    assert list(book.posted) == [f"a-{number}" for number in range(501)]


async def test_a_lost_mark_takes_again_what_is_kept(tmp_path: Path) -> None:
    """As after a restore of the books: what is newer than the backup is not in them."""
    path = tmp_path / "sbc.log"
    old = b"".join(line(number, hours_ago=80) for number in range(100))
    path.write_bytes(old + line(100, hours_ago=1) + line(101, hours_ago=0.5))
    await follow(path, MemoryBook())
    await trimmer(path).step()
    (tmp_path / "mark").unlink()
    restored = MemoryBook()
    await follow(path, restored)
    assert list(restored.posted) == ["a-100", "a-101"]
    assert restored.suspended == []


async def test_what_was_not_taken_stays_however_old_it_is(tmp_path: Path) -> None:
    path = tmp_path / "sbc.log"
    path.write_bytes(line(1, hours_ago=500))
    assert await trimmer(path).step() == 0
    await follow(path, MemoryBook())
    with path.open("ab") as file:
        file.write(line(2, hours_ago=400))
    assert await trimmer(path).step() == len(line(1, hours_ago=500))
    book = MemoryBook()
    await follow(path, book)
    assert list(book.posted) == ["a-2"]


async def test_lines_without_a_record_stay_as_long_as_the_records_around_them(
    tmp_path: Path,
) -> None:
    path = tmp_path / "sbc.log"
    path.write_bytes(OTHER * 50)
    await follow(path, MemoryBook())
    assert await trimmer(path).step() == 0
    broken = line(1, hours_ago=90).replace(b"duration=2.000", b"duration=soon")
    path.write_bytes(broken + line(2, hours_ago=80) + OTHER + line(3, hours_ago=1))
    (tmp_path / "mark").unlink()
    await follow(path, MemoryBook())
    assert await trimmer(path).step() == len(broken + line(2, hours_ago=80))


async def test_without_a_spool_there_is_nothing_to_do(tmp_path: Path) -> None:
    assert await trimmer(tmp_path / "sbc.log").step() == 0


@pytest.mark.looptime
async def test_a_disk_that_knows_no_holes_is_said_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "sbc.log"
    path.write_bytes(line(1, hours_ago=80))
    await follow(path, MemoryBook())
    tried = []

    def refuse(_: int, length: int) -> None:
        tried.append(length)
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))

    monkeypatch.setattr(trimming, "_make_hole", refuse)
    task = asyncio.create_task(trimmer(path).run())
    await asyncio.sleep(2.5 * trimming.PAUSE_SECONDS)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert len(tried) == 3
    assert "grows" in caplog.text
    assert path.read_bytes() == line(1, hours_ago=80)


def test_a_hole_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "sbc.log"
    path.write_bytes(b"x" * 8192)
    with path.open("rb") as file, pytest.raises(OSError, match="Bad file descriptor"):
        trimming._make_hole(file.fileno(), 4096)
    assert path.read_bytes() == b"x" * 8192
