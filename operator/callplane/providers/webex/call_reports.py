"""Calls as Webex Calling reports them: the detailed call history of an organisation.

Source: Webex API, `cdr_feed`. A window is at most 12 hours, ends at least 5 minutes ago and begins
at most 30 days ago; one question a minute. Its host is another one than the API's, and a region's
own; keys have spaces, and every value is text.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from callplane.providers.call_reports import (
    NotACall,
    ReportedCall,
    ReportPage,
    ReportTerms,
    instant_in,
    number_in,
    page,
)
from callplane.providers.protocol import Unavailable
from callplane.providers.webex.client import InAnotherRegion, WebexClient

ANALYTICS_URL: Final = "https://analytics-calling.webexapis.com/v1"
#: The hosts that the token may be sent to, whatever an answer says.
_REGION: Final = re.compile(r"analytics-calling(?:-(?:eu|in|au|gov))?\.webexapis\.com")
_OVER_THE_NETWORK: Final = frozenset(
    {
        "SIP_NATIONAL",
        "SIP_INTERNATIONAL",
        "SIP_MOBILE",
        "SIP_PREMIUM",
        "SIP_TOLLFREE",
        "SIP_EMERGENCY",
        "SIP_SHORTCODE",
        "SIP_INBOUND",
    }
)


class WebexCallReports:
    """The feed of one organisation. `client_at` makes a client for an address of it."""

    source = "webex"
    # Times of a window are those of the report, and a call is reported when it has ended.
    terms = ReportTerms(
        window=timedelta(hours=12),
        lag=timedelta(minutes=6),
        oldest=timedelta(days=29),
        overlap=timedelta(hours=2),
        pause_seconds=65,
    )

    def __init__(self, url: str, client_at: Callable[[str], WebexClient]) -> None:
        self._client_at = client_at
        self._client = client_at(url)

    async def pages(self, start: datetime, end: datetime) -> AsyncIterator[ReportPage]:
        query = {"startTime": _text(start), "endTime": _text(end), "max": "500"}
        try:
            async for found in self._pages(query):
                yield found
        except InAnotherRegion as error:
            region = _REGION.search(error.text)
            if region is None:
                raise
            self._client = self._client_at(f"https://{region[0]}/v1")
            # The place is known from now on; a question has been used up, so the next one is later.
            raise Unavailable(f"cdrFeed: reads on at {region[0]}") from error

    async def _pages(self, query: Mapping[str, str]) -> AsyncIterator[ReportPage]:
        async for found in self._client.pages("cdrFeed", "/cdr_feed", **query):
            rows = found.content.get("items")
            if not isinstance(rows, list):
                raise Unavailable("cdrFeed: the answer is no list")
            yield page(rows, reported)


def _text(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def reported(row: Mapping[str, Any]) -> ReportedCall:
    """A row of the feed."""
    if str(row["Answered"]).lower() != "true" or row["Call type"] not in _OVER_THE_NETWORK:
        raise NotACall
    direction = row["Direction"]
    if direction not in ("ORIGINATING", "TERMINATING"):
        raise NotACall
    inbound = direction == "TERMINATING"
    if not inbound and row["Call type"] == "SIP_INBOUND":
        raise NotACall
    caller, called = number_in(row.get("Calling number")), number_in(row.get("Called number"))
    report_id = row["Report ID"]
    if not report_id:
        raise ValueError("a row without an id")
    answered = row.get("Answer time") or row["Start time"]
    return ReportedCall(
        external_id=str(report_id),
        inbound=inbound,
        holder=number_in(row.get("User number")) or (called if inbound else caller),
        other=caller if inbound else called,
        setup=instant_in(answered),
        duration_seconds=int(row["Duration"]),
        holder_id=str(row.get("User UUID") or ""),
    )
