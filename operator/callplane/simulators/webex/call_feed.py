"""`GET cdr_feed`: the detailed call history, in windows of report times; keys have spaces.

A window is at most 12 hours long, ends at least 5 minutes ago and begins at most 30 days ago. One
question a minute, and ten pages beside it.
"""

from __future__ import annotations

import datetime

from callplane.simulators.call_log import LoggedCall, instant
from callplane.simulators.exchange import Response
from callplane.simulators.webex import calls, refusals
from callplane.simulators.webex.calls import Call
from callplane.simulators.webex.organisation import timestamp

_PAGE_ROWS_MAX = 500
_WINDOW = datetime.timedelta(hours=12)
_YOUNGEST = datetime.timedelta(minutes=5)
_OLDEST = datetime.timedelta(days=30)
_QUESTION_SECONDS = 60.0


def cdr_feed(call: Call) -> Response:
    """One page of a window."""
    organisation = call.organisation
    now = organisation.wall_time()
    try:
        start = instant(call.request.query.get("startTime", ""))
        end = instant(call.request.query.get("endTime", ""))
    except ValueError:
        raise _refused("startTime and endTime are required") from None
    if not start < end or end - start > _WINDOW:
        raise _refused("the window must be at most 12 hours")
    if end > now - _YOUNGEST or start < now - _OLDEST:
        raise _refused("the window must end 5 minutes ago and begin within 30 days")
    if "start" not in call.request.query:
        _take_question(call)
    size = call.whole("max", default=_PAGE_ROWS_MAX, largest=_PAGE_ROWS_MAX)
    rows = organisation.calls.ended_within(start, end, now=now)
    shown, headers = calls.page(call, rows, size=size)
    return calls.listing(call, "items", [_document(row) for row in shown], headers)


def _take_question(call: Call) -> None:
    organisation = call.organisation
    if not organisation.settings.limits_call_feed:
        return
    now, before = organisation.now(), organisation.call_feed_asked_at
    if before is not None and now - before < _QUESTION_SECONDS:
        wait = _QUESTION_SECONDS - (now - before)
        raise refusals.Refusal(
            429, ["Too many questions for this token."], headers={"Retry-After": f"{wait:.0f}"}
        )
    organisation.call_feed_asked_at = now


def _refused(text: str) -> refusals.Refusal:
    return refusals.Refusal(400, [text])


def _document(row: LoggedCall) -> dict[str, str]:
    return {
        "Start time": timestamp(row.begun - datetime.timedelta(seconds=5)),
        "Answer time": timestamp(row.begun) if row.seconds else "",
        "Release time": timestamp(row.ended),
        "Report time": timestamp(row.ended),
        "Report ID": row.id,
        "Duration": str(row.seconds),
        "Answered": "true" if row.seconds else "false",
        "Answer indicator": "Yes" if row.seconds else "No",
        "Direction": "TERMINATING" if row.inbound else "ORIGINATING",
        "Call type": "SIP_INBOUND" if row.inbound else "SIP_NATIONAL",
        "Calling number": row.caller,
        "Called number": row.called,
        "Dialed digits": "" if row.inbound else row.called,
        "User number": row.called if row.inbound else row.caller,
        "User UUID": row.user,
        "User type": "User",
        "Correlation ID": row.id,
        "Call outcome": "Success",
        "International country": "NA",
    }
