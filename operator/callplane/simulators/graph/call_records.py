"""Graph's logs of calls: Direct Routing, and Microsoft's own plans and operators.

Both are functions whose arguments stand in the path. Pages hold 1,000 rows, and say nothing of how
many there are.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable

from callplane.simulators.call_log import CallLog, LoggedCall, instant
from callplane.simulators.exchange import Response
from callplane.simulators.graph import listings, refusals
from callplane.simulators.graph.service import Call
from callplane.simulators.graph.tenant import timestamp

PAGE_ROWS = 1000
_UNSET = "0001-01-01T00:00:00Z"
_RANGE_MAX = datetime.timedelta(days=90)
_MASK_DIGITS = 3


def direct_routing_calls(call: Call) -> Response:
    """GET getDirectRoutingCalls: from the one time on and before the other."""
    return _answer(call, call.tenant.direct_routing_calls, _direct_routing_row, inclusive=False)


def pstn_calls(call: Call) -> Response:
    """GET getPstnCalls: from the one time up to and with the other, 90 days at most."""
    return _answer(call, call.tenant.pstn_calls, _pstn_row, inclusive=True)


def _answer(
    call: Call,
    log: CallLog,
    shown: Callable[[Call, LoggedCall], dict[str, object]],
    *,
    inclusive: bool,
) -> Response:
    try:
        # A day alone is its first instant.
        times = (
            f"{one}T00:00:00Z" if len(one) == len("2026-01-01") else one
            for one in call.key.split("\0")
        )
        start, end = map(instant, times)
    except ValueError:
        raise refusals.bad_request("A time in the path is not valid.") from None
    if end - start > _RANGE_MAX or end < start:
        raise refusals.bad_request("The range of times must be at most 90 days.")
    if inclusive:
        end += datetime.timedelta(microseconds=1)
    rows = log.begun_within(start, end, now=call.tenant.wall_time())
    window = listings.Window(
        int(call.request.query.get("$skip", "0")), call.tenant.settings.call_page_size
    )
    page, more = listings.page(rows, window, call.strikes)
    link = listings.next_link(call.request, "$skip", window.offset + window.size) if more else None
    return listings.page_response(
        [json.dumps(shown(call, row)).encode() for row in page],
        context="communications/callRecords",
        next_link=link,
        strikes=call.strikes,
    )


def _person(call: Call, row: LoggedCall) -> dict[str, object]:
    user = call.tenant.users.get(row.user)
    name = "" if user is None else user.user_principal_name
    return {"userId": row.user or None, "userPrincipalName": name, "userDisplayName": name}


def _number(call: Call, text: str, *, own: bool) -> str:
    """Numbers of others are masked where the tenant has it so."""
    if own or not call.tenant.settings.masks_call_numbers:
        return text
    return text[:-_MASK_DIGITS] + "*" * _MASK_DIGITS


def _numbers(call: Call, row: LoggedCall) -> dict[str, object]:
    return {
        "callerNumber": _number(call, row.caller, own=not row.inbound),
        "calleeNumber": _number(call, row.called, own=row.inbound),
    }


def _direct_routing_row(call: Call, row: LoggedCall) -> dict[str, object]:
    answered = row.seconds > 0
    return {
        "id": row.id,
        "correlationId": row.id,
        **_person(call, row),
        "startDateTime": timestamp(row.begun) if answered else _UNSET,
        "inviteDateTime": timestamp(row.begun - datetime.timedelta(seconds=6)),
        "failureDateTime": _UNSET if answered else timestamp(row.begun),
        "endDateTime": timestamp(row.ended),
        "duration": row.seconds,
        "callType": "ByotIn" if row.inbound else "ByotOut",
        "successfulCall": answered,
        **_numbers(call, row),
        "mediaPathLocation": "UKSO",
        "signalingLocation": "UKSO",
        "finalSipCode": 0 if answered else 486,
        "callEndSubReason": 540000 if answered else 0,
        "finalSipCodePhrase": "BYE" if answered else "Busy Here",
        "trunkFullyQualifiedDomainName": f"sbc.{call.tenant.domain}",
        "mediaBypassEnabled": False,
    }


def _pstn_row(call: Call, row: LoggedCall) -> dict[str, object]:
    return {
        "id": row.id,
        "callId": row.id,
        **_person(call, row),
        "startDateTime": timestamp(row.begun),
        "endDateTime": timestamp(row.ended),
        "duration": row.seconds,
        "charge": 0.0,
        "callType": "user_in" if row.inbound else "user_out",
        "currency": "GBP",
        **_numbers(call, row),
        "usageCountryCode": "GB",
        "tenantCountryCode": "GB",
        "connectionCharge": 0.0,
        "destinationContext": "Domestic",
        "destinationName": "United Kingdom",
        "conferenceId": None,
        "licenseCapability": "MCOPSTNU",
        "inventoryType": "Subscriber",
        "operator": "Microsoft",
        "callDurationSource": "microsoft",
    }
