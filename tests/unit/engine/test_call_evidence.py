"""A log of calls that cannot be read is nobody's outage: it is read later."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from callplane.engine import connection_core
from callplane.engine.connection_core import ConnectionCore
from callplane.providers.call_reports import CallReports, ReportedCall, ReportPage, ReportTerms
from callplane.providers.protocol import PermissionMissing, Throttled, Unavailable
from callplane.store.books_memory import MemoryBooks
from callplane.store.evidence_memory import MemoryEvidence
from callplane.store.ports import StoreUnavailable
from callplane.testing.books_builders import NOW
from callplane.testing.manual_clock import ManualClock
from callplane.values import ObjectKey

ANNA = "+442079460001"


class Log:
    """One call an hour ago, or a failure."""

    source = "teams"
    terms = ReportTerms(
        timedelta(days=1), timedelta(minutes=30), timedelta(days=30), timedelta(hours=12), 600
    )

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error

    async def pages(self, start: datetime, end: datetime) -> AsyncIterator[ReportPage]:
        if self.error is not None:
            raise self.error
        known = ReportedCall("a", False, ANNA, "", NOW - timedelta(hours=1), 60)
        masked = ReportedCall("b", False, "", "", NOW - timedelta(hours=1), 60, holder_id="anna")
        yield ReportPage((known, masked), bad_rows=1)


def runtime(log: Log, *, is_ready: bool = True) -> tuple[Any, MemoryEvidence]:
    """As much of a connection at work as the step asks for."""
    evidence = MemoryEvidence(MemoryBooks())
    engine = SimpleNamespace(accounts=SimpleNamespace(evidence=evidence), clock=ManualClock(NOW))
    return (
        SimpleNamespace(
            engine=engine,
            call_reports=log,
            is_ready=is_ready,
            key=ObjectKey("TeamsTenant", "sales", "contoso"),
            connection="teams/contoso",
            number_of=lambda user: ANNA if user == "anna" else "",
            is_charged=lambda number: number.text == ANNA,
        ),
        evidence,
    )


async def test_the_log_is_read_on_from_where_it_was() -> None:
    connection, evidence = runtime(Log())
    assert await ConnectionCore._calls_step(connection) == 600
    assert [one.sighting.external_id for one in await evidence.sightings()] == ["a", "b"]
    assert {one.sighting.holder for one in await evidence.sightings()} == {ANNA}
    assert await evidence.position("teams:sales/contoso") == (
        (NOW - timedelta(minutes=30)).isoformat()
    )
    assert isinstance(connection.call_reports, CallReports)


@pytest.mark.parametrize(
    ("error", "pause_seconds"),
    [
        (Throttled(7.0), 7.0),
        (PermissionMissing("no"), connection_core.CALLS_FORBIDDEN_SECONDS),
        (Unavailable("away"), connection_core.CALLS_RETRY_SECONDS),
        (StoreUnavailable("away"), connection_core.CALLS_RETRY_SECONDS),
    ],
    ids=lambda case: type(case).__name__,
)
async def test_what_goes_wrong_is_tried_later(error: Exception, pause_seconds: float) -> None:
    connection, evidence = runtime(Log(error))
    assert await ConnectionCore._calls_step(connection) == pause_seconds
    assert await evidence.position("teams:sales/contoso") is None


async def test_nothing_is_read_before_the_connection_is_ready() -> None:
    connection, evidence = runtime(Log(), is_ready=False)
    assert await ConnectionCore._calls_step(connection) == connection_core.CALLS_RETRY_SECONDS
    assert await evidence.sightings() == ()
