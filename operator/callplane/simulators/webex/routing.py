"""From method and path to what a request is: its name, its scopes, its handler.

Paths are kept here alone, because the vendor moves them; a part in braces is a key.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import unquote

from callplane.simulators.exchange import Response
from callplane.simulators.webex import (
    call_feed,
    emergency,
    inventory,
    licences,
    locations,
    number_jobs,
    number_listing,
    own_organisation,
    people,
    permissions,
    person_settings,
    premises,
    refusals,
    services,
)
from callplane.simulators.webex.calls import Call
from callplane.simulators.webex.identity import PREFIX
from callplane.simulators.webex.rows import SERVICE_KINDS

ROOT = "/v1/"
Handler = Callable[[Call], Response]


@dataclass(frozen=True, slots=True)
class Route:
    """A kind of request. One of `scopes` is enough."""

    kind: str
    handler: Handler
    scopes: frozenset[str]
    is_write: bool = False
    is_listing: bool = False


class _Scopes(NamedTuple):
    reads: frozenset[str]
    writes: frozenset[str]


def _scopes(reads: str, writes: str) -> _Scopes:
    return _Scopes(frozenset({PREFIX + reads, PREFIX + writes}), frozenset({PREFIX + writes}))


_PEOPLE = _scopes("people_read", "people_write")
_LICENCES = _scopes("licenses_read", "people_write")
_CONFIG = _scopes("telephony_config_read", "telephony_config_write")
_PSTN = _scopes("telephony_pstn_read", "telephony_pstn_write")
_PLACES = _scopes("locations_read", "locations_write")
_OWN = _scopes("organizations_read", "organizations_read")
_CALLS = _scopes("calling_cdr_read", "calling_cdr_read")

_CALLING = "telephony/config/"
_LOCATION = _CALLING + "locations/{location}"
_PERSON = _CALLING + "people/{person}"
_FEATURES = "people/{person}/features/"
_PSTN_LOCATION = "telephony/pstn/locations/{location}"
_JOBS = _CALLING + "jobs/numbers/manageNumbers"
_PREMISES = _CALLING + "premisePstn/"

_TABLE: tuple[tuple[str, str, str, Handler, _Scopes], ...] = (
    ("GET", "cdr_feed", "cdrFeed", call_feed.cdr_feed, _CALLS),
    ("GET", "people", "listPeople", people.list_people, _PEOPLE),
    ("POST", "people", "createPerson", people.create_person, _PEOPLE),
    ("GET", "people/me", "getMe", people.get_me, _PEOPLE),
    ("GET", "people/{person}", "getPerson", people.get_person, _PEOPLE),
    ("PUT", "people/{person}", "updatePerson", people.replace_person, _PEOPLE),
    ("DELETE", "people/{person}", "deletePerson", people.delete_person, _PEOPLE),
    ("GET", "licenses", "listLicences", licences.list_licences, _LICENCES),
    ("PATCH", "licenses/users", "assignLicences", licences.patch_user, _PEOPLE),
    ("GET", "licenses/{licence}", "getLicence", licences.get_licence, _LICENCES),
    ("GET", "organizations", "listOrganisations", own_organisation.list_organisations, _OWN),
    (
        "GET",
        "organizations/{organisation}",
        "getOrganisation",
        own_organisation.get_organisation,
        _OWN,
    ),
    ("GET", "locations", "listLocations", locations.list_locations, _PLACES),
    ("POST", "locations", "createLocation", locations.create_location, _PLACES),
    ("GET", "locations/{location}", "getLocation", locations.get_location, _PLACES),
    ("GET", _CALLING + "locations", "listCallingLocations", locations.list_calling, _CONFIG),
    ("POST", _CALLING + "locations", "enableCalling", locations.enable_calling, _CONFIG),
    ("GET", _LOCATION, "getCallingLocation", locations.get_calling, _CONFIG),
    ("PUT", _LOCATION, "updateCallingLocation", locations.update_calling, _CONFIG),
    (
        "GET",
        _PSTN_LOCATION + "/connectionOptions",
        "listPstnOptions",
        locations.list_pstn_options,
        _PSTN,
    ),
    ("GET", _PSTN_LOCATION + "/connection", "getPstn", locations.get_pstn, _PSTN),
    ("PUT", _PSTN_LOCATION + "/connection", "configurePstn", locations.configure_pstn, _PSTN),
    ("GET", _CALLING + "numbers", "listNumbers", number_listing.list_numbers, _CONFIG),
    ("POST", _LOCATION + "/numbers", "addNumbers", inventory.add_numbers, _CONFIG),
    ("PUT", _LOCATION + "/numbers", "manageNumberState", inventory.manage_state, _CONFIG),
    ("DELETE", _LOCATION + "/numbers", "removeNumbers", inventory.remove_numbers, _CONFIG),
    ("POST", _JOBS, "startNumberJob", number_jobs.start_job, _CONFIG),
    ("GET", _JOBS, "listNumberJobs", number_jobs.list_jobs, _CONFIG),
    ("GET", _JOBS + "/{job}", "getNumberJob", number_jobs.get_job, _CONFIG),
    ("GET", _JOBS + "/{job}/errors", "listNumberJobErrors", number_jobs.list_errors, _CONFIG),
    (
        "POST",
        _JOBS + "/{job}/actions/pause/invoke",
        "pauseNumberJob",
        number_jobs.pause_job,
        _CONFIG,
    ),
    (
        "POST",
        _JOBS + "/{job}/actions/resume/invoke",
        "resumeNumberJob",
        number_jobs.resume_job,
        _CONFIG,
    ),
    ("PUT", _PERSON + "/numbers", "updatePersonNumbers", person_settings.update_numbers, _CONFIG),
    ("GET", _FEATURES + "numbers", "getPersonNumbers", person_settings.read_numbers, _PEOPLE),
    ("GET", _FEATURES + "callerId", "getCallerId", person_settings.read_caller_id, _PEOPLE),
    (
        "PUT",
        _FEATURES + "callerId",
        "configureCallerId",
        person_settings.configure_caller_id,
        _PEOPLE,
    ),
    (
        "GET",
        _PERSON + "/emergencyCallbackNumber",
        "getPersonEmergency",
        person_settings.read_emergency,
        _CONFIG,
    ),
    (
        "PUT",
        _PERSON + "/emergencyCallbackNumber",
        "configurePersonEmergency",
        person_settings.configure_emergency,
        _CONFIG,
    ),
    ("GET", _FEATURES + "outgoingPermission", "getPermissions", permissions.read_old, _PEOPLE),
    (
        "PUT",
        _FEATURES + "outgoingPermission",
        "configurePermissions",
        permissions.configure_old,
        _PEOPLE,
    ),
    ("GET", _PERSON + "/outgoingPermission", "getPermissions", permissions.read_new, _CONFIG),
    (
        "PUT",
        _PERSON + "/outgoingPermission",
        "configurePermissions",
        permissions.configure_new,
        _CONFIG,
    ),
    ("GET", _LOCATION + "/outgoingPermission", "getPermissions", permissions.read, _CONFIG),
    (
        "PUT",
        _LOCATION + "/outgoingPermission",
        "configurePermissions",
        permissions.configure,
        _CONFIG,
    ),
    (
        "GET",
        _LOCATION + "/features/emergencyCallbackNumber",
        "getLocationEmergency",
        emergency.read_location,
        _CONFIG,
    ),
    (
        "PUT",
        _LOCATION + "/features/emergencyCallbackNumber",
        "configureLocationEmergency",
        emergency.configure_location,
        _CONFIG,
    ),
    (
        "POST",
        _PSTN_LOCATION + "/emergencyAddress",
        "addEmergencyAddress",
        emergency.add_address,
        _PSTN,
    ),
    (
        "PUT",
        _PSTN_LOCATION + "/emergencyAddresses/{address}",
        "updateEmergencyAddress",
        emergency.update_address,
        _PSTN,
    ),
    (
        "PUT",
        "telephony/pstn/numbers/{number}/emergencyAddress",
        "updateNumberEmergencyAddress",
        emergency.update_number_address,
        _PSTN,
    ),
    ("GET", _PREMISES + "trunks", "listTrunks", premises.list_trunks, _CONFIG),
    ("POST", _PREMISES + "trunks", "createTrunk", premises.create_trunk, _CONFIG),
    ("GET", _PREMISES + "trunks/{trunk}", "getTrunk", premises.get_trunk, _CONFIG),
    ("DELETE", _PREMISES + "trunks/{trunk}", "deleteTrunk", premises.delete_trunk, _CONFIG),
    ("GET", _PREMISES + "routeGroups", "listRouteGroups", premises.list_route_groups, _CONFIG),
    ("POST", _PREMISES + "routeGroups", "createRouteGroup", premises.create_route_group, _CONFIG),
    ("GET", _PREMISES + "routeLists", "listRouteLists", premises.list_route_lists, _CONFIG),
)
_LISTINGS = frozenset(
    {"listPeople", "listNumbers", "listLocations", "listCallingLocations", "listServices"}
)


def _pattern_rows() -> list[tuple[str, str, str, Handler, _Scopes]]:
    rows: list[tuple[str, str, str, Handler, _Scopes]] = []
    for base in (_PERSON, _LOCATION):
        path = base + "/outgoingPermission/digitPatterns"
        rows += [
            ("GET", path, "listDigitPatterns", permissions.list_patterns, _CONFIG),
            ("POST", path, "createDigitPattern", permissions.create_pattern, _CONFIG),
            ("PUT", path, "switchDigitPatterns", permissions.switch_patterns, _CONFIG),
            ("DELETE", path, "deleteDigitPatterns", permissions.delete_patterns, _CONFIG),
            ("PUT", path + "/{pattern}", "updateDigitPattern", permissions.update_pattern, _CONFIG),
            (
                "DELETE",
                path + "/{pattern}",
                "deleteDigitPattern",
                permissions.delete_pattern,
                _CONFIG,
            ),
        ]
    return rows


def _service_rows() -> list[tuple[str, str, str, Handler, _Scopes]]:
    path = _LOCATION + "/{collection}"
    one = path + "/{service}"
    return [
        ("GET", _CALLING + "{collection}", "listServices", services.list_services, _CONFIG),
        ("POST", path, "createService", services.create_service, _CONFIG),
        ("GET", one, "getService", services.get_service, _CONFIG),
        ("PUT", one, "updateService", services.update_service, _CONFIG),
        ("DELETE", one, "deleteService", services.delete_service, _CONFIG),
    ]


# Posted, and yet nothing is changed by them.
_QUESTIONS: tuple[tuple[str, str, str, Handler, frozenset[str]], ...] = (
    (
        "POST",
        _CALLING + "actions/validateNumbers/invoke",
        "validateNumbers",
        inventory.validate_numbers,
        _CONFIG.writes,
    ),
    (
        "POST",
        _PSTN_LOCATION + "/emergencyAddress/lookup",
        "lookUpEmergencyAddress",
        emergency.look_up_address,
        _PSTN.reads,
    ),
)

_Entry = tuple[tuple[str, ...], dict[str, Route]]


def _entries() -> dict[int, list[_Entry]]:
    """Routes by number of segments; paths without keys come before those with."""
    found: dict[tuple[str, ...], dict[str, Route]] = {}
    for method, path, kind, handler, scopes in (*_TABLE, *_pattern_rows(), *_service_rows()):
        is_write = method != "GET"
        route = Route(
            kind,
            handler,
            scopes.writes if is_write else scopes.reads,
            is_write=is_write,
            is_listing=kind in _LISTINGS,
        )
        found.setdefault(tuple(path.split("/")), {})[method] = route
    for method, path, kind, handler, wanted in _QUESTIONS:
        found.setdefault(tuple(path.split("/")), {})[method] = Route(kind, handler, wanted)
    by_length: dict[int, list[_Entry]] = {}
    for segments, methods in sorted(found.items(), key=lambda each: _keys_in(each[0])):
        by_length.setdefault(len(segments), []).append((segments, methods))
    return by_length


def _keys_in(segments: tuple[str, ...]) -> int:
    return sum(segment.startswith("{") for segment in segments)


_ENTRIES = _entries()

KINDS = frozenset(
    route.kind for rows in _ENTRIES.values() for _, methods in rows for route in methods.values()
)
"""The names of all requests, as fault rules and records use them."""


def route_of(method: str, raw_path: str) -> tuple[Route, dict[str, str]]:
    """The route of a request and the keys in its path. Raises Refusal (404 or 405)."""
    path = unquote(raw_path) if "%" in raw_path else raw_path
    parts = path.removeprefix(ROOT).split("/")
    seen = False
    for segments, methods in _ENTRIES.get(len(parts), ()):
        keys = _matched(segments, parts)
        if keys is None:
            continue
        seen = True
        if (route := methods.get(method)) is not None:
            return route, keys
    if seen:
        raise refusals.Refusal(405, (f"{method} is not allowed here.",))
    raise refusals.not_found("The requested resource could not be found.")


def _matched(segments: tuple[str, ...], parts: list[str]) -> dict[str, str] | None:
    keys: dict[str, str] = {}
    for segment, part in zip(segments, parts, strict=True):
        if segment.startswith("{"):
            name = segment[1:-1]
            if not part or (name == "collection" and part not in SERVICE_KINDS):
                return None
            keys[name] = part
        elif segment != part:
            return None
    return keys
