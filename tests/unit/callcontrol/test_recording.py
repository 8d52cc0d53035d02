"""No record is let go before the book has it, and none is posted twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from callplane.callcontrol.messages import CallRecord
from callplane.callcontrol.recording import BATCH_MAX, Recorder, SpoolFollower
from callplane.testing.call_authorisers import MemoryBook

MOMENT = datetime(2026, 11, 1, tzinfo=UTC)
RECORD = CallRecord(
    "a-0", "outbound", "acme", "+442079460001", "999", "pbx", "r-0", MOMENT, MOMENT, 1000
)


def line(number: int, *, duration: str = "2.000") -> bytes:
    return (
        f" 3(1) CRITICAL: acc [acc_cdr.c:395]: log_write_cdr(): start_time=1795873114.424; "
        f"end_time=1795873116.424; duration={duration}; attempt=a-{number}; class=outbound; "
        "account=acme; caller=+442079460001; dialled=+441614960123; ingress=pbx; reservation=r\n"
    ).encode()


@asynccontextmanager
async def running(recorder: Recorder) -> AsyncGenerator[None]:
    task = asyncio.create_task(recorder.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.mark.looptime
async def test_records_wait_while_the_book_is_away() -> None:
    book = MemoryBook(broken=True)
    recorder = Recorder(book)
    async with running(recorder):
        for number in range(1200):
            recorder.take(replace(RECORD, attempt_id=f"a-{number}"))
        await asyncio.sleep(10)
        assert (recorder.waiting, book.posted) == (1200, {})
        book.broken = False
        await asyncio.sleep(2)
        assert recorder.waiting == 0
        assert list(book.posted) == [f"a-{number}" for number in range(1200)]
        assert max(book.batches) <= BATCH_MAX


async def test_a_record_that_is_being_posted_when_the_process_ends_is_not_forgotten() -> None:
    class SlowBook(MemoryBook):
        async def post(self, records: object) -> None:
            await asyncio.Event().wait()

    recorder = Recorder(SlowBook())
    async with running(recorder):
        recorder.take(RECORD)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert recorder.waiting == 0
    assert recorder.waiting == 1


async def followed(follower: SpoolFollower) -> int:
    """Batches until there is nothing more."""
    batches = 0
    while await follower.step():
        batches += 1
    return batches


async def test_the_spool_is_followed_from_where_it_was_committed(tmp_path: Path) -> None:
    book = MemoryBook()
    path = tmp_path / "spool.log"
    follower = SpoolFollower(book, path, tmp_path / "mark")
    assert await followed(follower) == 0
    path.write_bytes(b"".join(line(number) for number in range(1200)) + line(9999)[:50])
    assert await followed(follower) == 3
    assert len(book.posted) == 1200
    with path.open("ab") as file:
        file.write(line(9999)[50:] + line(1200))
    # Another process goes on.
    assert await followed(SpoolFollower(book, path, tmp_path / "mark")) == 1
    assert book.batches == [500, 500, 200, 2]


async def test_what_could_not_be_posted_is_read_again(tmp_path: Path) -> None:
    book = MemoryBook(broken=True)
    path = tmp_path / "spool.log"
    path.write_bytes(line(1) + line(2, duration="soon"))
    follower = SpoolFollower(book, path, tmp_path / "mark")
    for _ in range(2):
        with pytest.raises(ConnectionError):
            await follower.step()
    assert follower.offset() == 0
    assert follower.behind() == len(line(1) + line(2, duration="soon"))
    book.broken = False
    assert await followed(follower) == 1
    assert follower.behind() == 0
    path.unlink()
    assert follower.behind() == 0
    assert list(book.posted) == ["a-1"]
    ((kept, problem),) = book.suspended
    assert "attempt=a-2" in kept
    assert problem.startswith("duration")


async def test_other_lines_are_read_once_too(tmp_path: Path) -> None:
    """A log at a high level grows by far more than its records."""
    path = tmp_path / "spool.log"
    other = b" 2(13475) ALERT: <script>: something else\n" * 1000
    path.write_bytes(line(1) + other + line(2)[:40])
    book = MemoryBook()
    follower = SpoolFollower(book, path, tmp_path / "mark")
    assert await followed(follower) == 1
    assert follower.offset() == len(line(1) + other)
    with path.open("ab") as file:
        file.write(line(2)[40:])
    assert await followed(follower) == 1
    assert await followed(follower) == 0
    assert list(book.posted) == ["a-1", "a-2"]
    # Without any record as well, and what was remembered is not written again.
    with path.open("ab") as file:
        file.write(other)
    assert not await follower.step()
    written = (tmp_path / "mark").stat().st_mtime_ns
    assert follower.offset() == path.stat().st_size
    assert not await follower.step()
    assert (tmp_path / "mark").stat().st_mtime_ns == written


@pytest.mark.parametrize("mark", ["", "soon", "-5", "999999999", "5 6 7", None])
async def test_a_lost_mark_reads_everything_again(tmp_path: Path, mark: str | None) -> None:
    path = tmp_path / "spool.log"
    path.write_bytes(line(1))
    if mark is not None:
        (tmp_path / "mark").write_text(mark, encoding="ascii")
    book = MemoryBook()
    assert await followed(SpoolFollower(book, path, tmp_path / "mark")) == 1
    assert list(book.posted) == ["a-1"]


async def test_another_file_in_its_place_is_read_from_its_beginning(tmp_path: Path) -> None:
    """Longer than the one before: the offset alone would pass over its first records."""
    path, mark = tmp_path / "spool.log", tmp_path / "mark"
    path.write_bytes(line(1))
    assert await followed(SpoolFollower(MemoryBook(), path, mark)) == 1
    other = tmp_path / "other"
    other.write_bytes(line(2) + line(3))
    other.replace(path)
    book = MemoryBook()
    assert await followed(SpoolFollower(book, path, mark)) == 1
    assert list(book.posted) == ["a-2", "a-3"]


@pytest.mark.looptime
async def test_following_goes_on_after_a_failure(tmp_path: Path) -> None:
    path = tmp_path / "spool.log"
    path.write_bytes(line(1))
    book = MemoryBook(broken=True)
    task = asyncio.create_task(SpoolFollower(book, path, tmp_path / "mark").run())
    await asyncio.sleep(5)
    assert book.posted == {}
    book.broken = False
    # The loop's time is the clock's while a thread reads the disk: so long as that may take.
    await asyncio.sleep(20)
    assert list(book.posted) == ["a-1"]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
