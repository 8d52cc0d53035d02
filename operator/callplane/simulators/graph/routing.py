"""From method and path to what a request is: its name, its permissions, its handler.

Actions and functions have two forms each, short and qualified with their namespace; keys of
operations may stand behind a slash or in parentheses. Both lead to the same place.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote

from callplane.simulators.graph import call_records, refusals, service
from callplane.simulators.graph.service import Handler

_NUMBERS = "/v1.0/admin/teams/telephoneNumberManagement/numberAssignments"
_POLICY = "/v1.0/admin/teams/policy"
_NAMESPACE = "microsoft.graph.teamsAdministration."
_POLICY_KEY = re.compile(r"getPolicyId\(type='((?:[^']|'')*)',name='((?:[^']|'')*)'\)")

_READS_NUMBERS = frozenset({"TeamsTelephoneNumber.Read.All", "TeamsTelephoneNumber.ReadWrite.All"})
_WRITES_NUMBERS = frozenset({"TeamsTelephoneNumber.ReadWrite.All"})
_POLICIES = frozenset({"TeamsPolicyUserAssign.ReadWrite.All"})
_CONFIGURATIONS = frozenset({"TeamsUserConfiguration.Read.All"})
_USERS = frozenset({"User.Read.All"})
_HEALTH = frozenset({"ServiceHealth.Read.All"})
_CALLS = frozenset({"CallRecords.Read.All"})
_CALL_RECORDS = "/v1.0/communications/callRecords/"
_CALL_NAMESPACE = "microsoft.graph.callRecords."
_CALL_WINDOW = re.compile(r"(\w+)\(fromDateTime=([^,()]+),toDateTime=([^,()]+)\)")


@dataclass(frozen=True, slots=True)
class Route:
    """A kind of request. One of `permissions` is enough."""

    kind: str
    handler: Handler
    permissions: frozenset[str]
    is_write: bool = False
    is_listing: bool = False


_LIST_NUMBERS = Route(
    "listNumberAssignments", service.list_numbers, _READS_NUMBERS, is_listing=True
)
_FIND_NUMBER = Route("findNumberAssignment", service.list_numbers, _READS_NUMBERS)
_LIST_USERS = Route("listUsers", service.list_users, _USERS, is_listing=True)
_FIND_USER = Route("findUser", service.list_users, _USERS)

_STATIC: dict[tuple[str, str], Route] = {
    ("GET", _NUMBERS): _LIST_NUMBERS,
    ("GET", "/v1.0/users"): _LIST_USERS,
    ("GET", "/v1.0/admin/teams/userConfigurations"): Route(
        "listUserConfigurations",
        service.list_user_configurations,
        _CONFIGURATIONS,
        is_listing=True,
    ),
    ("GET", "/v1.0/directory/deletedItems/microsoft.graph.user"): Route(
        "listDeletedUsers", service.list_deleted_users, _USERS, is_listing=True
    ),
    ("GET", "/v1.0/admin/serviceAnnouncement/healthOverviews"): Route(
        "listHealthOverviews", service.list_health, _HEALTH
    ),
    ("GET", "/v1.0/admin/serviceAnnouncement/issues"): Route(
        "listServiceIssues", service.list_issues, _HEALTH
    ),
}
for _kind, _handler in (
    ("assignNumber", service.assign_number),
    ("unassignNumber", service.unassign_number),
    ("updateNumber", service.update_number),
):
    _route = Route(_kind, _handler, _WRITES_NUMBERS, is_write=True)
    _STATIC["POST", f"{_NUMBERS}/{_kind}"] = _route
    _STATIC["POST", f"{_NUMBERS}/{_NAMESPACE}{_kind}"] = _route
for _name, _kind, _handler in (
    ("assign", "assignPolicies", service.assign_policies),
    ("unassign", "unassignPolicies", service.unassign_policies),
):
    _route = Route(_kind, _handler, _POLICIES, is_write=True)
    _STATIC["POST", f"{_POLICY}/userAssignments/{_name}"] = _route
    _STATIC["POST", f"{_POLICY}/userAssignments/{_NAMESPACE}{_name}"] = _route

_STATIC_PATHS = frozenset(path for _, path in _STATIC)

_OPERATION = Route("getOperation", service.get_operation, _READS_NUMBERS)
_POLICY_ID = Route("getPolicyId", service.get_policy_id, _POLICIES)

_CALL_LOGS = {
    route.kind: route
    for route in (
        Route("getDirectRoutingCalls", call_records.direct_routing_calls, _CALLS, is_listing=True),
        Route("getPstnCalls", call_records.pstn_calls, _CALLS, is_listing=True),
    )
}

# The longest prefix of a family first: `numberAssignments/` would swallow nothing else here.
_KEYED: tuple[tuple[str, str, Route], ...] = (
    (f"{service.OPERATIONS_PATH}('", "')", _OPERATION),
    (f"{service.OPERATIONS_PATH}/", "", _OPERATION),
    ("/v1.0/users/", "", Route("getUser", service.get_user, _USERS)),
    (
        "/v1.0/admin/teams/userConfigurations/",
        "",
        Route("getUserConfiguration", service.get_user_configuration, _CONFIGURATIONS),
    ),
    (f"{_NUMBERS}/", "", Route("getNumberAssignment", service.get_number, _READS_NUMBERS)),
    (
        "/v1.0/directory/deletedItems/",
        "",
        Route("getDeletedUser", service.get_deleted_user, _USERS),
    ),
    (
        "/v1.0/admin/serviceAnnouncement/healthOverviews/",
        "",
        Route("getHealthOverview", service.get_health, _HEALTH),
    ),
)


KINDS = frozenset(
    route.kind
    for route in (
        *_STATIC.values(),
        *(keyed for *_, keyed in _KEYED),
        *_CALL_LOGS.values(),
        _FIND_NUMBER,
        _FIND_USER,
        _POLICY_ID,
    )
)
"""The names of all requests, as fault rules and records use them."""


def route_of(method: str, raw_path: str, filter_expression: str) -> tuple[Route, str]:
    """The route of a request and the key in its path. Raises Refusal (404 or 405)."""
    path = unquote(raw_path) if "%" in raw_path else raw_path
    route = _STATIC.get((method, path))
    if route is not None:
        # A filter for one key is a targeted read, and is counted and struck as one.
        if filter_expression:
            if route is _LIST_NUMBERS and filter_expression.startswith("telephoneNumber eq "):
                return _FIND_NUMBER, ""
            if route is _LIST_USERS and filter_expression.startswith(
                ("userPrincipalName eq ", "id eq ")
            ):
                return _FIND_USER, ""
        return route, ""
    if path in _STATIC_PATHS:
        raise refusals.Refusal(405, "Request_BadRequest", "Specified HTTP method is not allowed.")
    if path.startswith(f"{_POLICY}/") and method == "GET":
        found = _POLICY_KEY.fullmatch(path[len(_POLICY) + 1 :].removeprefix(_NAMESPACE))
        if found is not None:
            return _POLICY_ID, "\0".join(part.replace("''", "'") for part in found.groups())
    if path.startswith(_CALL_RECORDS) and method == "GET":
        name = path.removeprefix(_CALL_RECORDS).removeprefix(_CALL_NAMESPACE)
        asked = _CALL_WINDOW.fullmatch(name)
        if asked is not None and asked[1] in _CALL_LOGS:
            return _CALL_LOGS[asked[1]], f"{asked[2]}\0{asked[3]}"
    for prefix, suffix, route in _KEYED:
        if path.startswith(prefix) and path.endswith(suffix):
            key = path[len(prefix) : len(path) - len(suffix)]
            if key and "/" not in key:
                if method != "GET":
                    break
                return route, key
    raise refusals.not_found(f"Resource not found for the segment in '{path}'.", code="BadRequest")
