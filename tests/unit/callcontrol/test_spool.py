"""Records of the spool: each whole line once, half a line later, nothing lost."""

from __future__ import annotations

import io

import pytest

from callplane.callcontrol import spool
from callplane.callcontrol.messages import MalformedMessage

RECORD = (
    b" 3(13476) CRITICAL: acc [acc_cdr.c:395]: log_write_cdr(): start_time=1795873114.424; "
    b"end_time=1795873116.424; duration=2.000; attempt=a-1; class=emergency; account=emergency; "
    b"caller=+442079460001; dialled=999; ingress=pbx; reservation=\n"
)
OTHER = b" 2(13475) ALERT: <script>: emergency call attempt=a-1 peer=pbx\n"


def test_records_among_other_lines() -> None:
    file = io.BytesIO(OTHER + RECORD + OTHER + RECORD + OTHER + OTHER[:9])
    passage = spool.read(file, 0)
    assert [entry.record.dialled for entry in passage.entries if entry.record] == ["999", "999"]
    first = spool.read(file, 0, entries_max=1)
    assert first == spool.Passage(passage.entries[:1], len(OTHER + RECORD))
    again = spool.read(file, first.next_offset)
    assert again == spool.Passage(passage.entries[1:], passage.next_offset)
    # Behind the last whole line, whatever it was.
    assert passage.next_offset == len(OTHER + RECORD + OTHER + RECORD + OTHER)
    assert spool.read(file, passage.next_offset) == spool.Passage((), passage.next_offset)


def test_half_a_line_is_read_when_it_is_whole() -> None:
    assert spool.read(io.BytesIO(RECORD[:-1]), 0) == spool.Passage((), 0)
    assert len(spool.read(io.BytesIO(RECORD), 0).entries) == 1


def test_a_record_that_cannot_be_read_is_not_lost() -> None:
    broken = RECORD.replace(b"duration=2.000", b"duration=soon")
    file = io.BytesIO(broken + RECORD)
    bad, good = spool.read(file, 0).entries
    assert bad.record is None
    assert bad.problem.startswith("duration")
    assert good.record is not None
    assert spool.read(file, 0, entries_max=1).next_offset == len(broken)


@pytest.mark.parametrize(
    "line",
    [
        RECORD.replace(b"dialled=999", b"dialled=999; dialled=112"),
        RECORD.replace(b"attempt=a-1; ", b""),
        b"log_write_cdr(): \n",
        b"log_write_cdr(): start_time=1; \xff\xfe\n",
    ],
)
def test_a_line_that_is_odd_is_said_to_be(line: bytes) -> None:
    with pytest.raises(MalformedMessage):
        spool.parse_line(line)


def test_a_line_without_an_end_is_cut_and_the_rest_read() -> None:
    endless = b"x" * (3 * spool.LINE_LIMIT_BYTES) + b"\n"
    assert len(spool.read(io.BytesIO(endless + RECORD), 0).entries) == 1
