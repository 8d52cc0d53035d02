"""Calls as Twilio lists them, over its Elastic SIP Trunks.

Source: Twilio Programmable Voice, the Calls resource. What a trunk sends out is
`trunking-terminating` there, and what comes in by it `trunking-originating`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from callplane.providers.call_reports import (
    NotACall,
    ReportedCall,
    ReportPage,
    ReportTerms,
    number_in,
    page,
)
from callplane.providers.protocol import Unavailable
from callplane.providers.twilio.client import TwilioClient

PAGE_ROWS = 1000


class TwilioCallReports:
    """The calls of one account. Filters are whole seconds, and both ends belong to a window."""

    source = "twilio"
    terms = ReportTerms(
        window=timedelta(days=1),
        lag=timedelta(minutes=10),
        oldest=timedelta(days=30),
        overlap=timedelta(hours=6),
        pause_seconds=300,
    )

    def __init__(self, client: TwilioClient) -> None:
        self._client = client

    async def pages(self, start: datetime, end: datetime) -> AsyncIterator[ReportPage]:
        query = {
            "StartTime>": _text(start),
            "StartTime<": _text(end - timedelta(seconds=1)),
            "Status": "completed",
            "PageSize": str(PAGE_ROWS),
        }
        async for document, _ in self._client.pages("listCalls", "Calls.json", query):
            rows = document.get("calls")
            if not isinstance(rows, list):
                raise Unavailable("listCalls: the answer is no list")
            yield page(rows, reported)


def _text(instant: datetime) -> str:
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def reported(row: Mapping[str, Any]) -> ReportedCall:
    """A row of Calls.json. Durations are text."""
    inbound = {"trunking-originating": True, "inbound": True, "trunking-terminating": False}.get(
        row["direction"]
    )
    if inbound is None or row["status"] != "completed" or not int(row["duration"] or 0):
        raise NotACall
    caller, called = number_in(row["from"]), number_in(row["to"])
    if not row["sid"]:
        raise ValueError("a call without an id")
    begun = parsedate_to_datetime(row["start_time"])
    return ReportedCall(
        external_id=str(row["sid"]),
        inbound=inbound,
        holder=called if inbound else caller,
        other=caller if inbound else called,
        setup=begun.astimezone(UTC),
        duration_seconds=int(row["duration"]),
    )
