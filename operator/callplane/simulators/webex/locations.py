"""Locations, their Calling attributes and their PSTN connection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from callplane.simulators.exchange import Response, json_response
from callplane.simulators.webex import calls, refusals
from callplane.simulators.webex.calls import Call
from callplane.simulators.webex.organisation import Organisation
from callplane.simulators.webex.rows import (
    LOCAL_GATEWAY,
    NON_INTEGRATED,
    PSTN_SERVICES,
    WRITABLE_PSTN_TYPES,
    LocationRow,
)

_PAGE_SIZE = 1000
_ADDRESS_FIELDS = ("address1", "city", "postalCode", "country")
_CALLING_FIELDS = (
    "announcementLanguage",
    "chargeNumber",
    "connection",
    "enforceOutsideDialDigit",
    "externalCallerIdName",
    "pAccessNetworkInfo",
)


def list_locations(call: Call) -> Response:
    """GET locations."""
    organisation = call.organisation
    rows = organisation.listing(organisation.locations)
    if (name := call.query("name")) is not None:
        rows = [row for row in rows if row.name.lower().startswith(name.lower())]
    if (key := call.query("id")) is not None:
        rows = [row for row in rows if row.id == key]
    size = call.whole("max", default=_PAGE_SIZE, largest=_PAGE_SIZE)
    shown, headers = calls.page(call, rows, size=size)
    documents = [row.document(organisation.webex_id) for row in shown]
    return calls.listing(call, "items", documents, headers)


def get_location(call: Call) -> Response:
    """GET locations/{id}."""
    row = _read(call, is_calling=False)
    return json_response(row.document(call.organisation.webex_id))


def create_location(call: Call) -> Response:
    """POST locations."""
    organisation = call.organisation
    address = call.body.get("address")
    if not isinstance(address, Mapping):
        raise refusals.bad_request("address is required")
    texts = {name: text for name in address if (text := calls.text_of(address, name))}
    if missing := [name for name in _ADDRESS_FIELDS if name not in texts]:
        raise refusals.bad_request(f"address.{missing[0]} is required")
    name = call.needed("name")
    if any(row.name == name for row in organisation.locations.rows()):
        raise refusals.conflict(f"A location named {name!r} exists already.")
    row = LocationRow(
        id=organisation.new_id("LOCATION"),
        name=name,
        address=texts,
        time_zone=call.needed("timeZone"),
        language=call.needed("preferredLanguage"),
        is_calling=False,
        pstn_type=None,
    )
    organisation.locations.put(row.id, row, organisation.now())
    return json_response({"id": row.id}, status=201)


def list_calling(call: Call) -> Response:
    """GET telephony/config/locations."""
    organisation = call.organisation
    rows = [row for row in organisation.listing(organisation.locations) if row.is_calling]
    if (name := call.query("name")) is not None:
        rows = [row for row in rows if row.name.lower().startswith(name.lower())]
    size = call.whole("max", default=_PAGE_SIZE, largest=_PAGE_SIZE)
    shown, headers = calls.page(call, rows, size=size)
    documents = [row.calling_document() for row in shown]
    return calls.listing(call, "locations", documents, headers)


def enable_calling(call: Call) -> Response:
    """POST telephony/config/locations: a location that exists gets Calling."""
    organisation = call.organisation
    row = organisation.locations.get(call.needed("id"))
    if row is None:
        raise refusals.not_found("Unable to find location.")
    if row.is_calling:
        raise refusals.conflict("Calling is enabled for the location already.")
    if len(row.name) > 80:
        raise refusals.bad_request("The name of a Calling location has at most 80 characters.")
    organisation.locations.put(row.id, replace(row, is_calling=True), organisation.now())
    return json_response({"id": row.id}, status=201)


def get_calling(call: Call) -> Response:
    """GET telephony/config/locations/{id}."""
    return json_response(_read(call).calling_document())


def update_calling(call: Call) -> Response:
    """PUT telephony/config/locations/{id}: main number, prefix and the like."""
    organisation = call.organisation
    row = stored(call)
    line = call.body.get("callingLineId")
    if isinstance(line, Mapping) and (number := calls.text_of(line, "phoneNumber")) is not None:
        known = organisation.numbers.get(number)
        if known is None or known.location_id != row.id:
            raise refusals.unavailable(number)
        row = replace(row, main_number=number)
    if "routingPrefix" in call.body:
        row = replace(row, routing_prefix=call.text("routingPrefix"))
    if "outsideDialDigit" in call.body:
        row = replace(row, outside_dial_digit=call.text("outsideDialDigit"))
    custom = {name: call.body[name] for name in _CALLING_FIELDS if name in call.body}
    row = replace(row, custom={**row.custom, **custom})
    organisation.locations.put(row.id, row, organisation.now())
    return Response(204)


def list_pstn_options(call: Call) -> Response:
    """GET telephony/pstn/locations/{id}/connectionOptions."""
    organisation = call.organisation
    stored(call)
    options: list[dict[str, object]] = [
        {
            "id": option.id,
            "displayName": option.name,
            "pstnServices": list(option.services),
            "pstnConnectionType": option.pstn_type,
            "routeType": _route_type(option.pstn_type),
        }
        for option in organisation.pstn_options.values()
    ]
    routes = [(trunk.id, trunk.name, "TRUNK") for trunk in organisation.trunks.values()]
    routes += [
        (key, str(group["name"]), "ROUTE_GROUP") for key, group in organisation.route_groups.items()
    ]
    options += [
        {
            "displayName": name,
            "pstnServices": list(PSTN_SERVICES),
            "pstnConnectionType": LOCAL_GATEWAY,
            "routeType": route_type,
            "routeId": key,
        }
        for key, name, route_type in routes
    ]
    return json_response({"items": options})


def get_pstn(call: Call) -> Response:
    """GET telephony/pstn/locations/{id}/connection."""
    row = _read(call)
    if row.pstn_type is None:
        raise refusals.not_found("The location has no PSTN connection.")
    document = {
        "id": row.pstn_id,
        "displayName": row.pstn_name,
        "pstnServices": list(PSTN_SERVICES),
        "pstnConnectionType": row.pstn_type,
        "routeType": row.route_type or _route_type(row.pstn_type),
        "routeId": row.route_id,
    }
    return json_response({name: value for name, value in document.items() if value is not None})


def configure_pstn(call: Call) -> Response:
    """PUT telephony/pstn/locations/{id}/connection."""
    organisation = call.organisation
    row = stored(call)
    call.allow("id", "premiseRouteType", "premiseRouteId")
    if row.pstn_type is not None and row.pstn_type not in WRITABLE_PSTN_TYPES:
        raise refusals.managed_elsewhere(row.pstn_type)
    option = organisation.pstn_options.get(call.text("id") or "")
    if call.text("id") is not None:
        if option is None or option.pstn_type != NON_INTEGRATED:
            raise refusals.bad_request("id: no non-integrated provider has this id")
        row = replace(
            row,
            pstn_type=NON_INTEGRATED,
            pstn_id=option.id,
            pstn_name=option.name,
            route_type=None,
            route_id=None,
        )
    else:
        route_type, route_id = call.needed("premiseRouteType"), call.needed("premiseRouteId")
        known = {"TRUNK": set(organisation.trunks), "ROUTE_GROUP": set(organisation.route_groups)}
        if route_id not in known.get(route_type, set()):
            raise refusals.bad_request("premiseRouteId: there is no such trunk or route group")
        row = replace(
            row,
            pstn_type=LOCAL_GATEWAY,
            pstn_id=None,
            pstn_name="Premises",
            route_type=route_type,
            route_id=route_id,
        )
    organisation.locations.put(row.id, row, organisation.now())
    return Response(204)


def stored(call: Call) -> LocationRow:
    """The Calling location in the path, as it is now. Raises Refusal."""
    return find_calling(call.organisation, call.keys["location"])


def find_calling(organisation: Organisation, location_id: str) -> LocationRow:
    """A Calling location as it is now. Raises Refusal."""
    return _calling(organisation.locations.get(location_id))


def _read(call: Call, *, is_calling: bool = True) -> LocationRow:
    organisation = call.organisation
    row = organisation.read(organisation.locations, call.keys["location"])
    if is_calling or row is None:
        return _calling(row)
    return row


def _calling(row: LocationRow | None) -> LocationRow:
    if row is None or not row.is_calling:
        raise refusals.not_found("Unable to find location.")
    return row


def _route_type(pstn_type: str) -> str:
    if pstn_type == LOCAL_GATEWAY:
        return "TRUNK"
    return "CISCO_PSTN" if pstn_type == "CISCO_PSTN" else "CLOUD_CONNECTED_PSTN"
