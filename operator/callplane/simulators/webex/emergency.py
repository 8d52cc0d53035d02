"""Emergency: the call-back number of a location, and addresses of locations and numbers.

The addresses are written from the vendor's SDK alone; nothing is published about their answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import unquote

from callplane.simulators.exchange import Response, json_response
from callplane.simulators.webex import calls, refusals
from callplane.simulators.webex.calls import Call
from callplane.simulators.webex.locations import stored
from callplane.simulators.webex.rows import EmergencyChoice

_ADDRESS_FIELDS = ("address1", "address2", "city", "state", "postalCode", "country")
_NEEDED = ("address1", "city", "postalCode", "country")


def read_location(call: Call) -> Response:
    """GET locations/{id}/features/emergencyCallbackNumber."""
    organisation, location = call.organisation, stored(call)
    member = organisation.people.get(location.emergency.member_id or "")
    effective = member.number if member is not None else location.main_number
    document: dict[str, object] = {
        "selected": location.emergency.selected,
        "locationInfo": {
            "phoneNumber": location.main_number,
            "name": location.name,
            "effectiveLevel": location.emergency.selected,
            "effectiveValue": effective,
            "quality": "NOT_RECOMMENDED" if member is None else "RECOMMENDED",
        },
    }
    if member is not None:
        document["locationMemberInfo"] = {
            "phoneNumber": member.number,
            "firstName": member.first_name,
            "lastName": member.last_name,
            "memberId": member.id,
            "memberType": "PEOPLE",
            "effectiveLevel": "LOCATION_MEMBER_NUMBER",
            "effectiveValue": effective,
            "quality": "RECOMMENDED",
        }
    return json_response(document)


def configure_location(call: Call) -> Response:
    """PUT locations/{id}/features/emergencyCallbackNumber."""
    organisation, location = call.organisation, stored(call)
    selected, member_id = call.needed("selected"), None
    if selected == "LOCATION_MEMBER_NUMBER":
        member_id = call.needed("locationMemberId")
        member = organisation.people.get(member_id)
        if member is None or member.location_id != location.id or member.number is None:
            raise refusals.bad_request("locationMemberId: nobody there with a number")
    elif selected != "LOCATION_NUMBER":
        raise refusals.bad_request("selected: LOCATION_NUMBER or LOCATION_MEMBER_NUMBER")
    choice = EmergencyChoice(selected, member_id)
    organisation.locations.put(location.id, replace(location, emergency=choice), organisation.now())
    return Response(204)


def look_up_address(call: Call) -> Response:
    """POST pstn/locations/{id}/emergencyAddress/lookup: says what is wrong with an address."""
    stored(call)
    address = _address(call.body, is_checked=False)
    errors = [
        {"code": "MISSING", "title": name, "detail": f"{name} is required"}
        for name in _NEEDED
        if name not in address
    ]
    return json_response({"addresses": [{**address, "errors": errors} if errors else address]})


def add_address(call: Call) -> Response:
    """POST pstn/locations/{id}/emergencyAddress."""
    organisation, location = call.organisation, stored(call)
    if location.emergency_address is not None:
        raise refusals.conflict("The location has an emergency address already.")
    key = organisation.new_id("EMERGENCY_ADDRESS")
    row = replace(location, emergency_address=_address(call.body), emergency_address_id=key)
    organisation.locations.put(row.id, row, organisation.now())
    return json_response({"id": key}, status=201)


def update_address(call: Call) -> Response:
    """PUT pstn/locations/{id}/emergencyAddresses/{id}."""
    organisation, location = call.organisation, stored(call)
    if location.emergency_address_id != call.keys["address"]:
        raise refusals.not_found("There is no such emergency address.")
    row = replace(location, emergency_address=_address(call.body))
    organisation.locations.put(row.id, row, organisation.now())
    return Response(204)


def update_number_address(call: Call) -> Response:
    """PUT pstn/numbers/{number}/emergencyAddress; an empty object goes back to the location's."""
    organisation = call.organisation
    number = unquote(call.keys["number"])
    row = organisation.numbers.get(number)
    if row is None:
        raise refusals.not_found("There is no such number.")
    given = call.body.get("emergencyAddress")
    address = _address(given) if isinstance(given, Mapping) and given else None
    before, after = (str(dict(each)) if each else None for each in (row.emergency_address, address))
    at = organisation.now()
    if before != after:
        organisation.changes.add(
            at, number, aspect="emergency-address", values=(before, after), by=call.who
        )
    organisation.numbers.put(number, replace(row, emergency_address=address), at)
    return Response(204)


def _address(body: Mapping[str, object], *, is_checked: bool = True) -> Mapping[str, str]:
    found = {name: text for name in _ADDRESS_FIELDS if (text := calls.text_of(body, name))}
    for name in _NEEDED:
        if is_checked and name not in found:
            raise refusals.bad_request(f"{name} is required")
    return found
