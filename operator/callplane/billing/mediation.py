"""Call records as feeds write them, made into legs of one form, or held back with a reason.

A row that cannot be read is the file's fault and named by its place. A leg that can be read and
makes no sense (it ends before it begins, it lies in the future) is kept in suspense: nothing is
lost and nothing is guessed.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from callplane.numbering.destinations import destination_of
from callplane.values import Seconds

#: The columns of a CSV file of calls; the last two may be missing.
REQUIRED = ("attempt_id", "caller", "dialled", "ingress", "setup", "answered", "released")
OPTIONAL = ("leg", "direction")
DURATION_SECONDS_MAX = 7 * 86_400
#: How far a clock of a feed may be ahead of ours.
AHEAD = timedelta(minutes=5)
_PAST = timedelta(days=400)


class SuspenseReason(StrEnum):
    """Why a leg is not rated yet."""

    NEGATIVE_TIME = "NegativeTime"
    ABSURD_TIME = "AbsurdTime"
    UNKNOWN_LINE = "UnknownLine"
    NO_PLAN = "NoPlan"
    NO_RATE = "NoRate"
    STILL_CHANGING = "StillChanging"
    OTHER_FEED = "OtherFeed"


@dataclass(frozen=True, slots=True)
class Leg:
    """One leg of one call, of one source. Instants are in UTC; `answered` None: it never was.

    (source, attempt_id, leg) is its key: what was charged under it is never charged again.
    """

    source: str
    attempt_id: str
    leg: str
    caller: str
    dialled: str
    destination: str
    ingress: str
    setup: datetime
    answered: datetime | None
    released: datetime
    inbound: bool = False
    on_net: bool = False

    @property
    def key(self) -> tuple[str, str, str]:
        return (self.source, self.attempt_id, self.leg)

    @property
    def duration_seconds(self) -> int:
        """From answer to release, rounded up once; 0 for a call that was not answered."""
        return 0 if self.answered is None else Seconds.between(self.answered, self.released).count


@dataclass(frozen=True, slots=True)
class RowError:
    """Why a row of a file is no call; rows count from 1, the header's."""

    row: int
    column: str
    message: str

    def __str__(self) -> str:
        return f"row {self.row}, {self.column}: {self.message}"


def objection(leg: Leg, *, now: datetime) -> SuspenseReason | None:
    """Why a leg that can be read is still not to be believed."""
    answered = leg.answered or leg.released
    if not leg.setup <= answered <= leg.released:
        return SuspenseReason.NEGATIVE_TIME
    too_long = leg.duration_seconds > DURATION_SECONDS_MAX
    if too_long or leg.released > now + AHEAD or leg.setup < now - _PAST:
        return SuspenseReason.ABSURD_TIME
    return None


def read_csv(lines: Iterable[str], *, source: str) -> Iterator[Leg | RowError]:
    """Legs of a file with a header, and a reason for each row that is none.

    A header without the columns that are needed gives reasons for row 1, and nothing else.
    """
    reader = csv.DictReader(lines, strict=True, restval=None, restkey="")
    try:
        heads = tuple(reader.fieldnames or ())
        missing = [name for name in REQUIRED if name not in heads]
        unknown = [name for name in heads if name not in REQUIRED + OPTIONAL]
        if missing or unknown or len(set(heads)) != len(heads):
            yield from (RowError(1, name, "the column is missing") for name in missing)
            yield from (RowError(1, name or "-", "no such column") for name in unknown)
            if len(set(heads)) != len(heads):
                yield RowError(1, "-", "a column is there twice")
            return
        for row in reader:
            yield from _leg(row, reader.line_num, source)
    except csv.Error as error:
        yield RowError(reader.line_num, "-", f"is not CSV: {error}")


def _leg(row: Mapping[str, str | None], number: int, source: str) -> Iterator[Leg | RowError]:
    errors: list[RowError] = []

    def text(column: str, *, limit: int) -> str:
        value = (row.get(column) or "").strip()
        if not value:
            errors.append(RowError(number, column, "is empty"))
        elif len(value) > limit or not value.isprintable():
            errors.append(RowError(number, column, f"is not text of at most {limit} characters"))
        return value

    def instant(column: str, *, optional: bool = False) -> datetime | None:
        value = (row.get(column) or "").strip()
        if not value and optional:
            return None
        try:
            found = datetime.fromisoformat(value)
        except ValueError:
            found = None
        if found is None or found.tzinfo is None:
            message = "is no time with a zone, as in 2026-11-02T09:30:00Z"
            errors.append(RowError(number, column, message))
            return None
        return found.astimezone(UTC)

    if "" in row or any(row.get(name) is None for name in REQUIRED):
        yield RowError(number, "-", "has another number of columns than the header")
        return
    direction = (row.get("direction") or "outbound").strip().lower()
    if direction not in ("outbound", "inbound"):
        errors.append(RowError(number, "direction", "must be outbound or inbound"))
    attempt_id = text("attempt_id", limit=128)
    caller, dialled = text("caller", limit=256), text("dialled", limit=256)
    ingress = text("ingress", limit=253)
    setup, released = instant("setup"), instant("released")
    answered = instant("answered", optional=True)
    if errors or setup is None or released is None:
        yield from errors
        return
    yield Leg(
        source=source,
        attempt_id=attempt_id,
        leg=(row.get("leg") or "1").strip() or "1",
        caller=destination_of(caller),
        dialled=dialled,
        destination=destination_of(dialled),
        ingress=ingress,
        setup=setup,
        answered=answered,
        released=released,
        inbound=direction == "inbound",
    )
