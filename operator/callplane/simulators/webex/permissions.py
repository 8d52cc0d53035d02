"""Outgoing permissions and digit patterns of people and locations.

Types nobody may change keep what they are; a person without permissions of their own shows the
location's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from callplane.simulators.exchange import Response, json_response
from callplane.simulators.webex import calls, refusals
from callplane.simulators.webex.calls import Call
from callplane.simulators.webex.people import unknown_person
from callplane.simulators.webex.rows import (
    BLOCKED_CALL_TYPES,
    CALL_TYPES,
    LocationRow,
    Permissions,
    PersonRow,
)

_ACTIONS = frozenset(
    {"ALLOW", "BLOCK", "AUTH_CODE", "TRANSFER_NUMBER_1", "TRANSFER_NUMBER_2", "TRANSFER_NUMBER_3"}
)
_PATTERN_FIELDS = ("name", "pattern", "action", "transferEnabled")


def read_old(call: Call) -> Response:
    """GET people/{id}/features/outgoingPermission, where the world still has it."""
    if not call.organisation.settings.serves_old_permission_path:
        raise refusals.not_found("The requested resource could not be found.")
    return read(call)


def configure_old(call: Call) -> Response:
    """PUT people/{id}/features/outgoingPermission, where the world still has it."""
    if not call.organisation.settings.serves_old_permission_path:
        raise refusals.not_found("The requested resource could not be found.")
    return configure(call)


def read_new(call: Call) -> Response:
    """GET telephony/config/people/{id}/outgoingPermission, where the world has it already."""
    if not call.organisation.settings.serves_new_permission_path:
        raise refusals.not_found("The requested resource could not be found.")
    return read(call)


def configure_new(call: Call) -> Response:
    """PUT telephony/config/people/{id}/outgoingPermission, where the world has it already."""
    if not call.organisation.settings.serves_new_permission_path:
        raise refusals.not_found("The requested resource could not be found.")
    return configure(call)


def read(call: Call) -> Response:
    """The permissions of the person or location in the path."""
    organisation = call.organisation
    if "location" in call.keys:
        location = organisation.read(organisation.locations, call.keys["location"])
        return json_response(document_of(_location(location).permissions, None))
    person = organisation.read(organisation.people, call.keys["person"])
    if person is None:
        raise unknown_person(call.keys["person"])
    place = organisation.locations.get(person.location_id or "")
    return json_response(
        document_of(person.permissions, place.permissions if place is not None else None)
    )


def configure(call: Call) -> Response:
    """Change the permissions of the person or location in the path, type by type."""
    call.allow("useCustomEnabled", "useCustomPermissions", "callingPermissions")
    before = _stored(call)
    wanted = dict(before.calls)
    for entry in call.mappings("callingPermissions") or []:
        name, action = calls.text_of(entry, "callType"), entry.get("action")
        transfers = entry.get("transferEnabled")
        if name is None or action not in _ACTIONS or not isinstance(transfers, bool):
            raise refusals.bad_request("callingPermissions: callType, action, transferEnabled")
        restriction = entry.get("isCallTypeRestrictionEnabled", False)
        if restriction is None and not call.organisation.settings.accepts_null_restriction:
            raise refusals.bad_request("isCallTypeRestrictionEnabled: true or false is wanted")
        asked = (str(action), transfers)
        if name in before.restricted and asked != effective(before, name):
            raise refusals.bad_request(f"Call type {name} is restricted by the system.")
        wanted[name] = asked
    uses = [call.body.get(name) for name in ("useCustomEnabled", "useCustomPermissions")]
    _store(
        call,
        replace(
            before,
            calls=wanted,
            uses_custom=before.uses_custom if uses[0] is None else uses[0] is True,
            uses_custom_permissions=(
                before.uses_custom_permissions if uses[1] is None else uses[1] is True
            ),
        ),
    )
    return Response(204)


def effective(permissions: Permissions, call_type: str) -> tuple[str, bool]:
    """Action and transfer of a call type: what was set, or the vendor's default."""
    if call_type in permissions.calls:
        return permissions.calls[call_type]
    blocked = call_type in BLOCKED_CALL_TYPES
    return ("BLOCK", False) if blocked else ("ALLOW", True)


def document_of(own: Permissions, inherited: Permissions | None) -> dict[str, object]:
    """As Webex shows it."""
    shown = own if inherited is None or own.uses_custom else inherited
    names = [*CALL_TYPES, *(name for name in shown.calls if name not in CALL_TYPES)]
    entries = []
    for name in names:
        action, transfers = effective(shown, name)
        entries.append(
            {
                "callType": name,
                "action": action,
                "transferEnabled": transfers,
                "isCallTypeRestrictionEnabled": name in shown.restricted,
            }
        )
    return {
        "useCustomEnabled": own.uses_custom,
        "useCustomPermissions": own.uses_custom_permissions,
        "callingPermissions": entries,
    }


# Digit patterns, which come before call types.


def list_patterns(call: Call) -> Response:
    """GET …/outgoingPermission/digitPatterns."""
    permissions = _stored(call)
    return json_response(
        {
            "useCustomDigitPatterns": permissions.uses_patterns,
            "digitPatterns": [
                {"id": key, **pattern} for key, pattern in permissions.patterns.items()
            ],
        }
    )


def create_pattern(call: Call) -> Response:
    """POST …/outgoingPermission/digitPatterns."""
    permissions = _stored(call)
    pattern = _pattern(call)
    if any(each["name"] == pattern["name"] for each in permissions.patterns.values()):
        raise refusals.conflict("A digit pattern with this name exists already.")
    key = call.organisation.new_id("DIGIT_PATTERNS")
    _store(call, replace(permissions, patterns={**permissions.patterns, key: pattern}))
    return json_response({"id": key}, status=201)


def switch_patterns(call: Call) -> Response:
    """PUT …/outgoingPermission/digitPatterns: whether they count."""
    uses = call.body.get("useCustomDigitPatterns")
    if not isinstance(uses, bool):
        raise refusals.bad_request("useCustomDigitPatterns: true or false is wanted")
    _store(call, replace(_stored(call), uses_patterns=uses))
    return Response(204)


def update_pattern(call: Call) -> Response:
    """PUT …/outgoingPermission/digitPatterns/{id}."""
    permissions, key = _stored(call), _known_pattern(call)
    _store(call, replace(permissions, patterns={**permissions.patterns, key: _pattern(call)}))
    return Response(204)


def delete_pattern(call: Call) -> Response:
    """DELETE …/outgoingPermission/digitPatterns/{id}."""
    permissions, key = _stored(call), _known_pattern(call)
    rest = {name: each for name, each in permissions.patterns.items() if name != key}
    _store(call, replace(permissions, patterns=rest))
    return Response(204)


def delete_patterns(call: Call) -> Response:
    """DELETE …/outgoingPermission/digitPatterns: all of them."""
    _store(call, replace(_stored(call), patterns={}))
    return Response(204)


def _pattern(call: Call) -> Mapping[str, object]:
    call.allow("id", *_PATTERN_FIELDS)
    if call.body.get("action") not in _ACTIONS:
        raise refusals.bad_request("action: an action of outgoing permissions is wanted")
    return {
        "name": call.needed("name"),
        "pattern": call.needed("pattern"),
        "action": call.needed("action"),
        "transferEnabled": call.body.get("transferEnabled") is True,
    }


def _known_pattern(call: Call) -> str:
    key = call.keys["pattern"]
    if key not in _stored(call).patterns:
        raise refusals.not_found("There is no such digit pattern.")
    return key


def _stored(call: Call) -> Permissions:
    return _holder(call).permissions


def _holder(call: Call) -> PersonRow | LocationRow:
    organisation = call.organisation
    if "location" in call.keys:
        return _location(organisation.locations.get(call.keys["location"]))
    person = organisation.people.get(call.keys["person"])
    if person is None:
        raise unknown_person(call.keys["person"])
    return person


def _location(row: LocationRow | None) -> LocationRow:
    if row is None or not row.is_calling:
        raise refusals.not_found("Unable to find location.")
    return row


def _store(call: Call, permissions: Permissions) -> None:
    organisation = call.organisation
    holder = _holder(call)
    at = organisation.now()
    values = (_summary(holder.permissions), _summary(permissions))
    if values[0] != values[1]:
        organisation.changes.add(at, holder.id, aspect="permissions", values=values, by=call.who)
    if isinstance(holder, PersonRow):
        organisation.put_person(replace(holder, permissions=permissions), at)
    else:
        organisation.locations.put(holder.id, replace(holder, permissions=permissions), at)


def _summary(permissions: Permissions) -> str:
    """In one line, for the change log: whether they are custom, and each type's action."""
    kinds = [f"{name}={effective(permissions, name)[0]}" for name in CALL_TYPES]
    return " ".join(["custom" if permissions.uses_custom else "default", *kinds])
