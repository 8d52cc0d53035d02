"""The SBC's local spool: call records as lines of its log, which survive whatever dies.

Kamailio writes one line a call into its log, and its log straight into a file. Reading starts at
an offset that is advanced only after the records were committed, so that a record is read twice
rather than never; whoever posts them drops the copy by the attempt's id.
"""

from __future__ import annotations

import errno
import os
import re
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO, Final

from callplane.callcontrol import messages
from callplane.callcontrol.messages import CallRecord, MalformedMessage

#: What stands before the fields in a record's line; the function's name is part of Kamailio's log.
MARK: Final = b"log_write_cdr(): "
LINE_LIMIT_BYTES: Final = 16 * 1024
_CHUNK_BYTES: Final = 64 * 1024
_FIELD: Final = re.compile(r"([a-z_]+)=([^;]*)")


@dataclass(frozen=True, slots=True)
class Entry:
    """One record. `record` is None for a record that cannot be read, of which `problem` says why:
    it goes to suspense and is not lost.
    """

    record: CallRecord | None
    line: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Passage:
    """What was read, and where the next line begins: other lines are read once as well."""

    entries: tuple[Entry, ...]
    next_offset: int


def read(file: BinaryIO, offset: int, *, entries_max: int | None = None) -> Passage:
    """Records from an offset on, up to the last whole line; other lines are passed over."""
    entries: list[Entry] = []
    file.seek(offset)
    while len(entries) != entries_max and (line := file.readline(LINE_LIMIT_BYTES)):
        if not line.endswith(b"\n") and len(line) < LINE_LIMIT_BYTES:
            break
        offset += len(line)
        try:
            record = parse_line(line)
        except MalformedMessage as error:
            entries.append(Entry(None, line.decode("utf-8", "replace").strip(), str(error)))
        else:
            if record is not None:
                entries.append(Entry(record))
    return Passage(tuple(entries), offset)


def first_data(file: BinaryIO, offset: int) -> int:
    """Where the text begins, from an offset on: what was given back to the disk reads as zeros."""
    try:
        found = os.lseek(file.fileno(), offset, os.SEEK_DATA)
    except OSError as error:
        if error.errno != errno.ENXIO:
            raise
        return os.fstat(file.fileno()).st_size
    file.seek(found)
    while chunk := file.read(_CHUNK_BYTES):
        if text := chunk.lstrip(b"\0"):
            return found + len(chunk) - len(text)
        found += len(chunk)
    return found


def kept_from(file: BinaryIO, begin: int, end: int, cutoff: datetime) -> int:
    """Where to keep from, of what stands between two offsets: behind the last record before the
    first one that ended at the cutoff or later; from `begin` on where no record is that old.
    """
    file.seek(begin)
    offset = found = begin
    while offset < end and (line := file.readline(LINE_LIMIT_BYTES)):
        offset += len(line)
        try:
            record = parse_line(line)
        except MalformedMessage:
            continue
        if record is not None and record.released_at >= cutoff:
            break
        if record is not None:
            found = min(offset, end)
    return found


def parse_line(line: bytes) -> CallRecord | None:
    """The record in a line of the log; None for a line that holds none. Raises MalformedMessage."""
    _, mark, text = line.partition(MARK)
    if not mark:
        return None
    pairs = [
        (found[1], found[2])
        for part in text.decode("utf-8", "replace").strip().split("; ")
        if (found := _FIELD.fullmatch(part))
    ]
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise MalformedMessage("record: has a field twice")
    return messages.parse_record(fields)
