"""Calling settings of a person: numbers beside the primary one, caller ID, emergency call back."""

from __future__ import annotations

from dataclasses import replace

from callplane.simulators.exchange import Response, json_response
from callplane.simulators.webex import calls, holdings, refusals
from callplane.simulators.webex.calls import Call
from callplane.simulators.webex.people import unknown_person
from callplane.simulators.webex.rows import EmergencyChoice, LocationRow, PersonRow

_CALLER_ID_TYPES = ("DIRECT_LINE", "LOCATION_NUMBER", "MOBILE_NUMBER", "CUSTOM")
_NAME_POLICIES = ("DIRECT_LINE", "LOCATION", "OTHER")
_CALLER_ID_FIELDS = (
    "selected",
    "customNumber",
    "firstName",
    "lastName",
    "blockInForwardCallsEnabled",
    "externalCallerIdNamePolicy",
    "customExternalCallerIdName",
    "locationExternalCallerIdName",
    "directLineCallerIdName",
    "dialByName",
    "dialByFirstName",
    "dialByLastName",
    "additionalExternalCallerIdDirectLineEnabled",
    "additionalExternalCallerIdLocationNumberEnabled",
    "additionalExternalCallerIdCustomNumber",
)
_CALLER_ID_ECHOED = (
    "types",
    "directNumber",
    "extensionNumber",
    "locationNumber",
    "mobileNumber",
    "tollFreeLocationNumber",
    "displayName",
    "displayDetail",
)
_EMERGENCY_CHOICES = ("DIRECT_LINE", "LOCATION_ECBN", "LOCATION_MEMBER_NUMBER")


def read_numbers(call: Call) -> Response:
    """GET people/{id}/features/numbers."""
    row, location = _calling(call, is_read=True)
    prefix = location.routing_prefix or ""
    primary: dict[str, object] = {"primary": True}
    if row.number is not None:
        primary["directNumber"] = row.number
    if row.extension is not None:
        primary["extension"] = row.extension
        primary["esn"] = prefix + row.extension
    if prefix:
        primary["routingPrefix"] = prefix
    others: list[dict[str, object]] = [
        {"primary": False, "directNumber": number, "ringPattern": "NORMAL"}
        for number in row.alternates
    ]
    return json_response(
        {"distinctiveRingEnabled": row.rings_distinctively, "phoneNumbers": [primary, *others]}
    )


def update_numbers(call: Call) -> Response:
    """PUT telephony/config/people/{id}/numbers: alternate numbers only."""
    organisation = call.organisation
    row, location = _calling(call)
    call.allow("enableDistinctiveRingPattern", "phoneNumbers")
    entries = call.mappings("phoneNumbers")
    if entries is None:
        raise refusals.bad_request("phoneNumbers is required")
    added: list[str] = []
    removed: list[str] = []
    for entry in entries:
        number = calls.text_of(entry, "external")
        if entry.get("primary", False) is not False:
            raise refusals.bad_request("The primary number cannot be changed here.")
        if number is None or entry.get("action") not in ("ADD", "DELETE"):
            raise refusals.bad_request("phoneNumbers: external and action are wanted")
        if entry["action"] == "ADD":
            holdings.check_number(organisation, number, location_id=location.id, holder_id=row.id)
            if number == row.number:
                raise refusals.unavailable(number)
            added.append(number)
        elif number not in row.alternates:
            raise refusals.unavailable(number)
        else:
            removed.append(number)
    at = organisation.now()
    row = replace(row, rings_distinctively=call.body.get("enableDistinctiveRingPattern") is True)
    organisation.put_person(row, at)
    for number in removed:
        row = holdings.take_alternate(organisation, row, number, at=at, by=call.who)
    for number in added:
        if number not in row.alternates:
            row = holdings.give_alternate(organisation, row, number, at=at, by=call.who)
    return Response(204)


def read_caller_id(call: Call) -> Response:
    """GET people/{id}/features/callerId."""
    row, location = _calling(call, is_read=True)
    types = ["CUSTOM"]
    if row.number is not None:
        types.insert(0, "DIRECT_LINE")
    if location.main_number is not None:
        types.insert(1, "LOCATION_NUMBER")
    document: dict[str, object] = {
        "types": types,
        "selected": "DIRECT_LINE" if row.number is not None else "LOCATION_NUMBER",
        "directNumber": row.number,
        "extensionNumber": row.extension,
        "locationNumber": location.main_number,
        "firstName": row.first_name,
        "lastName": row.last_name,
        "blockInForwardCallsEnabled": False,
        "externalCallerIdNamePolicy": "DIRECT_LINE",
        "locationExternalCallerIdName": location.name,
    }
    document.update(row.caller_id)
    return json_response({name: each for name, each in document.items() if each is not None})


def configure_caller_id(call: Call) -> Response:
    """PUT people/{id}/features/callerId."""
    organisation = call.organisation
    row, location = _calling(call)
    call.allow(*_CALLER_ID_FIELDS, *_CALLER_ID_ECHOED)
    selected = call.text("selected")
    if selected is not None and selected not in _CALLER_ID_TYPES:
        raise refusals.bad_request(f"selected: one of {list(_CALLER_ID_TYPES)} is wanted")
    if selected == "DIRECT_LINE" and row.number is None:
        raise refusals.bad_request("selected: the person has no direct line")
    policy = call.text("externalCallerIdNamePolicy")
    if policy is not None and policy not in _NAME_POLICIES:
        raise refusals.bad_request(f"externalCallerIdNamePolicy: one of {list(_NAME_POLICIES)}")
    number = call.text("customNumber")
    if selected == "CUSTOM":
        known = organisation.numbers.get(number or "")
        place = organisation.locations.get(known.location_id) if known is not None else None
        same = (
            place is not None
            and place.country == location.country
            and (place.pstn_type, place.pstn_id) == (location.pstn_type, location.pstn_id)
        )
        if not same:
            raise refusals.bad_request("customNumber: another country or another PSTN provider")
    fresh = {name: call.body[name] for name in _CALLER_ID_FIELDS if name in call.body}
    at = organisation.now()
    before = str(row.caller_id.get("customNumber") or row.caller_id.get("selected"))
    after = str(fresh.get("customNumber") or fresh.get("selected"))
    if before != after:
        organisation.changes.add(
            at, row.id, aspect="caller-id", values=(before, after), by=call.who
        )
    organisation.put_person(replace(row, caller_id={**row.caller_id, **fresh}), at)
    return Response(204)


def read_emergency(call: Call) -> Response:
    """GET telephony/config/people/{id}/emergencyCallbackNumber."""
    row, location = _calling(call, is_read=True)
    organisation = call.organisation
    member = organisation.people.get(row.emergency.member_id or "")
    main = location.main_number
    effective, level = row.number, "DIRECT_LINE"
    if row.emergency.selected == "LOCATION_MEMBER_NUMBER" and member is not None:
        effective, level = member.number, "LOCATION_MEMBER_NUMBER"
    if row.emergency.selected == "LOCATION_ECBN" or effective is None:
        effective, level = main, "LOCATION_NUMBER"
    info = {
        "effectiveLevel": level if effective is not None else "NONE",
        "effectiveValue": effective,
        "quality": "RECOMMENDED" if effective is not None else "INVALID",
    }
    document: dict[str, object] = {
        "selected": row.emergency.selected,
        "directLineInfo": {"phoneNumber": row.number, **info},
        "locationECBNInfo": {"phoneNumber": main, **info},
        "defaultInfo": {"effectiveValue": effective, "quality": info["quality"]},
    }
    if member is not None:
        document["locationMemberInfo"] = {
            "phoneNumber": member.number,
            "firstName": member.first_name,
            "lastName": member.last_name,
            "memberId": member.id,
            "memberType": "PEOPLE",
            **info,
        }
    return json_response(document)


def configure_emergency(call: Call) -> Response:
    """PUT telephony/config/people/{id}/emergencyCallbackNumber."""
    organisation = call.organisation
    row, location = _calling(call)
    selected = call.needed("selected")
    if selected not in _EMERGENCY_CHOICES:
        raise refusals.bad_request(f"selected: one of {list(_EMERGENCY_CHOICES)} is wanted")
    member_id = None
    if selected == "LOCATION_MEMBER_NUMBER":
        member_id = call.needed("locationMemberId")
        member = organisation.people.get(member_id)
        if member is None or member.location_id != location.id or member.number is None:
            raise refusals.bad_request("locationMemberId: nobody there with a number")
    choice = EmergencyChoice(selected, member_id)
    organisation.put_person(replace(row, emergency=choice), organisation.now())
    return Response(204)


def _calling(call: Call, *, is_read: bool = False) -> tuple[PersonRow, LocationRow]:
    """The Calling user in the path and the location. Raises Refusal."""
    organisation, key = call.organisation, call.keys["person"]
    people = organisation.people
    row = organisation.read(people, key) if is_read else people.get(key)
    location = organisation.locations.get(row.location_id or "") if row is not None else None
    if row is None or location is None:
        raise unknown_person(key)
    return row, location
