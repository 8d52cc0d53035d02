"""Calls as Microsoft logs them: Direct Routing, and its own calling plans and operators.

Source: Microsoft Graph v1.0, callRecord getDirectRoutingCalls and getPstnCalls. The end of the one
is exclusive, of the other inclusive; numbers may be masked, so the user's id is what counts.
"""

from __future__ import annotations

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
from callplane.providers.teams.graph_client import GraphClient

_ROOT: Final = "/communications/callRecords"


class TeamsCallReports:
    """Both logs of one tenant, as one feed."""

    source = "teams"
    # Microsoft keeps 90 days in a question; rows of a day are there within the next one.
    terms = ReportTerms(
        window=timedelta(days=2),
        lag=timedelta(minutes=30),
        oldest=timedelta(days=30),
        overlap=timedelta(hours=24),
        pause_seconds=600,
    )

    def __init__(self, client: GraphClient) -> None:
        self._client = client

    async def pages(self, start: datetime, end: datetime) -> AsyncIterator[ReportPage]:
        async for found in self._log("getDirectRoutingCalls", start, end, direct_routing):
            yield found
        # A millisecond before an exclusive end is the same for whole seconds.
        before = end - timedelta(milliseconds=1)
        async for found in self._log("getPstnCalls", start, before, pstn):
            yield found

    async def _log(
        self,
        name: str,
        start: datetime,
        end: datetime,
        read: Callable[[Mapping[str, Any]], ReportedCall],
    ) -> AsyncIterator[ReportPage]:
        window = f"(fromDateTime={_text(start)},toDateTime={_text(end)})"
        url: str | None = self._client.url(f"{_ROOT}/{name}{window}")
        while url is not None:
            content = await self._client.read(name, url)
            rows = None if content is None else content.get("value")
            if content is None or not isinstance(rows, list):
                raise Unavailable(f"{name}: the answer is no list")
            yield page(rows, read)
            link = content.get("@odata.nextLink")
            if link == url:
                raise Unavailable(f"{name}: a page names itself as its next")
            url = link if isinstance(link, str) else None


def _text(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def direct_routing(row: Mapping[str, Any]) -> ReportedCall:
    """A row of getDirectRoutingCalls. Call types are ByotIn, ByotOut, and both with a suffix."""
    if not row["successfulCall"] or not row["duration"]:
        raise NotACall
    kind = str(row["callType"])
    if not kind.startswith(("ByotIn", "ByotOut")):
        raise NotACall
    return _call(f"dr-{_id(row)}", row, inbound=kind.startswith("ByotIn"))


def pstn(row: Mapping[str, Any]) -> ReportedCall:
    """A row of getPstnCalls; its call types say who called by `_in` and `_out`."""
    if not row["duration"]:
        raise NotACall
    kind = str(row["callType"]).lower()
    if not kind.endswith(("in", "out")):
        raise NotACall
    return _call(f"pstn-{_id(row)}", row, inbound=kind.endswith("in"))


def _id(row: Mapping[str, Any]) -> str:
    found = row["id"]
    if not isinstance(found, str) or not found:
        raise ValueError("a row without an id")
    return found


def _call(external_id: str, row: Mapping[str, Any], *, inbound: bool) -> ReportedCall:
    caller, callee = number_in(row.get("callerNumber")), number_in(row.get("calleeNumber"))
    return ReportedCall(
        external_id=external_id,
        inbound=inbound,
        holder=callee if inbound else caller,
        other=caller if inbound else callee,
        setup=instant_in(row["startDateTime"]),
        duration_seconds=int(row["duration"]),
        holder_id=str(row.get("userId") or ""),
    )
