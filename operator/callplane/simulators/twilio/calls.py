"""`GET Calls.json`: calls over trunks, by the time at which they began."""

from __future__ import annotations

import datetime
from email.utils import format_datetime

from callplane.simulators.call_log import LoggedCall, instant
from callplane.simulators.carriers.routing import Call
from callplane.simulators.exchange import Response
from callplane.simulators.twilio import wire

_EVER = datetime.timedelta(days=100 * 365)


def list_calls(call: Call) -> Response:
    """Newest first, as Twilio does."""
    now = call.world.clock.now()
    query = call.request.query
    try:
        start = instant(query["StartTime>"]) if "StartTime>" in query else now - _EVER
        end = instant(query["StartTime<"]) if "StartTime<" in query else now
    except ValueError:
        raise wire.refused(20001, "StartTime is not a time") from None
    # Both ends belong to it.
    end += datetime.timedelta(seconds=1)
    rows = call.account.calls.begun_within(start, end, now=now)
    if (status := query.get("Status")) is not None:
        rows = [row for row in rows if _status(row) == status]
    rows.sort(key=lambda row: row.begun, reverse=True)
    account = call.account.id
    return wire.old_page(call, "calls", rows, lambda row: _document(account, row))


def _status(row: LoggedCall) -> str:
    return "completed" if row.seconds else "no-answer"


def _document(account: str, row: LoggedCall) -> dict[str, object]:
    return {
        "sid": row.id,
        "account_sid": account,
        "from": row.caller,
        "to": row.called,
        "direction": "trunking-originating" if row.inbound else "trunking-terminating",
        "status": _status(row),
        "start_time": format_datetime(row.begun),
        "end_time": format_datetime(row.ended),
        "duration": str(row.seconds),
        "price": None,
        "price_unit": "GBP",
    }
