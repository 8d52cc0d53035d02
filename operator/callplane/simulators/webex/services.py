"""Auto attendants, call queues and hunt groups, as far as numbers and extensions go.

What else they are (menus, agents, policies) is kept as it was sent and given back.
"""

from __future__ import annotations

from dataclasses import replace

from callplane.simulators.exchange import Response, json_response
from callplane.simulators.webex import calls, holdings, refusals
from callplane.simulators.webex.calls import Call
from callplane.simulators.webex.locations import stored
from callplane.simulators.webex.organisation import Organisation
from callplane.simulators.webex.rows import SERVICE_KINDS, ServiceRow

_PAGE_SIZE = 2000
_OWN = ("id", "name", "phoneNumber", "extension", "locationId", "locationName")


def list_services(call: Call) -> Response:
    """GET telephony/config/{collection}."""
    organisation, collection = call.organisation, call.keys["collection"]
    rows = [
        row
        for row in organisation.listing(organisation.services)
        if row.collection == collection
        and call.query("locationId") in (None, row.location_id)
        and call.query("phoneNumber") in (None, row.number)
        and (call.query("name") or "").lower() in row.name.lower()
    ]
    size = call.whole("max", default=_PAGE_SIZE, largest=_PAGE_SIZE)
    shown, headers = calls.page(call, rows, size=size)
    documents = [_summary(organisation, row) for row in shown]
    return calls.listing(call, collection, documents, headers)


def get_service(call: Call) -> Response:
    """GET telephony/config/locations/{id}/{collection}/{id}."""
    organisation = call.organisation
    row = organisation.read(organisation.services, call.keys["service"])
    row = _checked(call, row)
    summary = _summary(organisation, row)
    return json_response({"enabled": True, **row.body, **summary})


def create_service(call: Call) -> Response:
    """POST telephony/config/locations/{id}/{collection}."""
    organisation, location = call.organisation, stored(call)
    row = ServiceRow(
        id=organisation.new_id(SERVICE_KINDS[call.keys["collection"]]),
        collection=call.keys["collection"],
        name=call.needed("name"),
        location_id=location.id,
    )
    if call.text("phoneNumber") is None and call.text("extension") is None:
        raise refusals.bad_request("phoneNumber or extension is required")
    _put(call, row)
    return json_response({"id": row.id}, status=201)


def update_service(call: Call) -> Response:
    """PUT telephony/config/locations/{id}/{collection}/{id}: fields that are left out stay."""
    _put(call, _checked(call, call.organisation.services.get(call.keys["service"])))
    return Response(204)


def delete_service(call: Call) -> Response:
    """DELETE telephony/config/locations/{id}/{collection}/{id}: the number is free again."""
    organisation = call.organisation
    row = _checked(call, organisation.services.get(call.keys["service"]))
    holdings.put_service(organisation, None, service_id=row.id, at=organisation.now(), by=call.who)
    return Response(204)


def _put(call: Call, row: ServiceRow) -> None:
    organisation = call.organisation
    number = call.text("phoneNumber") if "phoneNumber" in call.body else row.number
    extension = call.text("extension") if "extension" in call.body else row.extension
    name = call.text("name") or row.name
    if any(
        other.name == name and other.id != row.id and other.location_id == row.location_id
        for other in organisation.services.rows()
    ):
        raise refusals.conflict(f"[Error 8393] The name is in use : {name}")
    if extension is not None:
        holdings.check_extension(
            organisation, extension, location_id=row.location_id, holder_id=row.id
        )
    if number is not None:
        holdings.check_number(
            organisation,
            number,
            location_id=row.location_id,
            holder_id=row.id,
            holder_type=SERVICE_KINDS[row.collection],
        )
    body = {key: value for key, value in call.body.items() if key not in _OWN}
    row = replace(row, name=name, number=number, extension=extension, body={**row.body, **body})
    holdings.put_service(organisation, row, service_id=row.id, at=organisation.now(), by=call.who)


def _checked(call: Call, row: ServiceRow | None) -> ServiceRow:
    if (
        row is None
        or row.collection != call.keys["collection"]
        or row.location_id != call.keys["location"]
    ):
        raise refusals.not_found("There is no such service in this location.")
    return row


def _summary(organisation: Organisation, row: ServiceRow) -> dict[str, object]:
    location = organisation.locations.get(row.location_id)
    number = organisation.numbers.get(row.number or "")
    document: dict[str, object] = {
        "id": row.id,
        "name": row.name,
        "locationId": row.location_id,
        "locationName": location.name if location is not None else "",
        "tollFreeNumber": number is not None and number.is_toll_free,
    }
    if row.number is not None:
        document["phoneNumber"] = row.number
    if row.extension is not None:
        document["extension"] = row.extension
    return document
