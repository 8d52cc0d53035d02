"""`/organizations`: the one the token belongs to."""

from __future__ import annotations

from callplane.simulators.exchange import Response, json_response
from callplane.simulators.webex import refusals
from callplane.simulators.webex.calls import Call


def list_organisations(call: Call) -> Response:
    """GET organizations."""
    return json_response({"items": [_document(call)]})


def get_organisation(call: Call) -> Response:
    """GET organizations/{id}."""
    if call.keys["organisation"] != call.organisation.webex_id:
        raise refusals.not_found("Could not find the organization.")
    return json_response(_document(call))


def _document(call: Call) -> dict[str, object]:
    organisation = call.organisation
    return {
        "id": organisation.webex_id,
        "displayName": organisation.name,
        "created": "2020-01-01T00:00:00.000Z",
    }
