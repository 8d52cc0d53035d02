"""Calls as Telnyx keeps them: detail records of SIP trunking.

Source: Telnyx API v2, detail records. The published description has no schema for this type of
record; the fields read here are those of its sister `webrtc` in the developer documentation. A call
began `call_sec` before it finished.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final

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
from callplane.providers.telnyx.client import TelnyxClient

if TYPE_CHECKING:
    from telnyx import AsyncTelnyx

PAGE_ROWS: Final = 50
PAGES_MAX: Final = 10_000


class TelnyxCallReports:
    """The detail records of one account."""

    source = "telnyx"
    terms = ReportTerms(
        window=timedelta(hours=6),
        lag=timedelta(minutes=10),
        oldest=timedelta(days=30),
        overlap=timedelta(hours=6),
        pause_seconds=300,
    )

    def __init__(self, client: TelnyxClient) -> None:
        self._client = client

    async def pages(self, start: datetime, end: datetime) -> AsyncIterator[ReportPage]:
        wanted: dict[str, Any] = {
            "record_type": "sip-trunking",
            "created_at": {"gte": _text(start), "lt": _text(end)},
        }
        for number in range(1, PAGES_MAX):
            asked = partial(_listed, wanted, number)
            document = await self._client.read("detailRecords", asked)
            rows = document.get("data")
            if not isinstance(rows, list):
                raise Unavailable("detailRecords: the answer is no list")
            yield page(rows, reported)
            if number >= int((document.get("meta") or {}).get("total_pages") or 0):
                return


def _listed(
    wanted: dict[str, Any], number: int, sdk: AsyncTelnyx, name: Mapping[str, str]
) -> Awaitable[Any]:
    return sdk.detail_records.list(
        filter=wanted,  # type: ignore[arg-type]
        page_number=number,
        page_size=PAGE_ROWS,
        extra_headers=name,
    )


def _text(instant: datetime) -> str:
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def reported(row: Mapping[str, Any]) -> ReportedCall:
    """A detail record of a trunk."""
    seconds = int(row["call_sec"])
    if not seconds:
        raise NotACall
    if row["direction"] not in ("inbound", "outbound"):
        raise NotACall
    inbound = row["direction"] == "inbound"
    caller, called = number_in(row["cli"]), number_in(row["cld"])
    identity = row["id"]
    if not identity:
        raise ValueError("a record without an id")
    return ReportedCall(
        external_id=str(identity),
        inbound=inbound,
        holder=called if inbound else caller,
        other=caller if inbound else called,
        setup=instant_in(row["finished_at"]) - timedelta(seconds=seconds),
        duration_seconds=seconds,
    )
