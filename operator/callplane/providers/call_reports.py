"""What systems say about calls that crossed them: logs that confirm our own records and charge
nothing.

Reports are read in windows of time, over and over: they come late, twice and out of order. A row
that cannot be read is counted and passed over, because nothing depends on it alone.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol, runtime_checkable

from callplane.numbering.destinations import destination_of


@dataclass(frozen=True, slots=True)
class ReportedCall:
    """One answered leg as a system reports it.

    `holder` is our number in E.164, or empty where it is masked and `holder_id`, the system's own
    id of the user, says who it was. `other` is the far number, empty where it is masked.
    """

    external_id: str
    inbound: bool
    holder: str
    other: str
    setup: datetime
    duration_seconds: int
    holder_id: str = ""


@dataclass(frozen=True, slots=True)
class ReportPage:
    """Part of a window. `bad_rows` could not be read."""

    calls: tuple[ReportedCall, ...]
    bad_rows: int = 0


@dataclass(frozen=True, slots=True)
class ReportTerms:
    """How a log may be read: the longest window, how old its end must be, how far back it goes,
    how long rows may come after, and the pause after one window.
    """

    window: timedelta
    lag: timedelta
    oldest: timedelta
    overlap: timedelta
    pause_seconds: float = 60.0


@runtime_checkable
class CallReports(Protocol):
    """A system that has such a log. `source` names the feed."""

    @property
    def source(self) -> str: ...

    @property
    def terms(self) -> ReportTerms: ...

    def pages(self, start: datetime, end: datetime) -> AsyncIterator[ReportPage]:
        """Everything from `start` up to and without `end`. Raises ProviderError."""
        ...


class NotACall(Exception):
    """A row that is none of the calls we look for: not answered, or not over the network."""


def page(rows: Iterable[Any], read: Callable[[Mapping[str, Any]], ReportedCall]) -> ReportPage:
    """The calls among some rows. `read` raises NotACall, and anything else for a broken row."""
    calls: list[ReportedCall] = []
    bad_rows = 0
    for row in rows:
        try:
            calls.append(read(row))
        except NotACall:
            continue
        except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError):
            bad_rows += 1
    return ReportPage(tuple(calls), bad_rows)


def number_in(text: object) -> str:
    """A number in E.164 as far as it is one; empty for a masked, withheld or missing one."""
    if not isinstance(text, str) or "*" in text:
        return ""
    bare = text.strip().removeprefix("sip:").partition("@")[0]
    if not bare.removeprefix("+").isdigit():
        return ""
    return destination_of(bare)


def instant_in(text: object) -> datetime:
    """A time with a zone, in UTC. Raises ValueError, also for year 1, Graph's word for none."""
    found = datetime.fromisoformat(str(text))
    if found.tzinfo is None or found.year <= 1:
        raise ValueError("no time with a zone")
    return found.astimezone(UTC)
