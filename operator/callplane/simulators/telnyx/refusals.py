"""How Telnyx says no: a list of errors whose codes are texts; the useful part is `detail`."""

from __future__ import annotations

from callplane.simulators.carriers.refusals import Refusal
from callplane.simulators.exchange import Response, json_response

_TITLES = {
    "10005": "Resource not found",
    "10007": "Unexpected error",
    "10009": "Authentication failed",
    "10010": "Authorization failed",
    "10011": "Too many requests",
    "10015": "Bad Request",
}


def unprocessable(detail: str, pointer: str = "") -> Refusal:
    """The request is understood and cannot be done."""
    return Refusal(422, "10015", detail, field=pointer)


def not_found(what: str) -> Refusal:
    """There is no such thing in this account."""
    return Refusal(404, "10005", f"The requested resource {what} could not be found.")


def response(refusal: Refusal) -> Response:
    """In Telnyx's shape. A fault rule's own code stays as it is."""
    source = {"source": {"pointer": refusal.field}} if refusal.field else {}
    error = {
        "code": refusal.code,
        "title": _TITLES.get(refusal.code, "Unexpected error"),
        "detail": refusal.message,
        "meta": {"url": f"https://developers.telnyx.example/docs/errors/{refusal.code}"},
        **source,
    }
    return json_response({"errors": [error]}, status=refusal.status, headers=refusal.headers)
