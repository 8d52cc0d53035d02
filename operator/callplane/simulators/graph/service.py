"""What each Graph request does: from a checked call to an answer. No transport, no faults of its
own.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from callplane.simulators.exchange import Request, Response, json_response
from callplane.simulators.faults import Effect, FaultRule
from callplane.simulators.graph import listings, odata, refusals
from callplane.simulators.graph.operations import Fate, Operation
from callplane.simulators.graph.orders import LUCKY, Fortune, Orders
from callplane.simulators.graph.policies import PolicyDesk
from callplane.simulators.graph.rows import NumberRow, TeamsRow, UserRow
from callplane.simulators.graph.tenant import Tenant
from callplane.simulators.shelves import Shelf

AnyRow = TypeVar("AnyRow", NumberRow, UserRow, TeamsRow)

OPERATIONS_PATH = "/v1.0/admin/teams/telephoneNumberManagement/operations"

_UNFILTERABLE_NUMBER_FIELDS = frozenset({"id", "city"})
_USER_FIELDS = frozenset(UserRow("", "", "", None).document())
_TEAMS_FIELDS = frozenset(TeamsRow("", "", "").document())
_SHOWS_UNKNOWN = "include-unknown-enum-members"
_FATES = {
    Effect.ORDER_FAILS: Fate.FAILS,
    Effect.ORDER_PARTIAL: Fate.PARTIAL,
    Effect.ORDER_SKIPPED: Fate.SKIPPED,
}


@dataclass(slots=True)
class Call:
    """An admitted request: whose tenant, who asks, what the path's key is, what will go wrong."""

    request: Request
    tenant: Tenant
    who: str
    key: str
    body: dict[str, object] = field(default_factory=dict)
    strikes: list[FaultRule] = field(default_factory=list)


Handler = Callable[[Call], Response]


# Numbers.


def list_numbers(call: Call) -> Response:
    """GET numberAssignments."""
    tenant = call.tenant
    expression = call.request.query.get("$filter", "")
    window = listings.number_window(call.request)
    number = odata.single_equality(expression, "telephoneNumber")
    rows: list[NumberRow]
    if number is not None:
        row = _read(tenant, tenant.numbers, number)
        rows = [row] if row is not None else []
    else:
        rows = tenant.numbers.rows(_listing_cutoff(tenant))
        if expression:
            holds = odata.predicate_of(expression, refused_fields=_UNFILTERABLE_NUMBER_FIELDS)
            rows = [row for row in rows if holds(row.document())]
    shown, more = listings.page(rows, window, call.strikes)
    link = None
    if more and tenant.settings.numbers_have_next_link:
        link = listings.next_link(call.request, "$skip", window.offset + window.size)
    return listings.page_response(
        (row.json() for row in shown),
        context="admin/teams/telephoneNumberManagement/numberAssignments",
        next_link=link,
        strikes=call.strikes,
    )


def get_number(call: Call) -> Response:
    """GET numberAssignments/{id}."""
    tenant = call.tenant
    row = _read(tenant, tenant.numbers, tenant.number_ids.get(call.key, ""))
    if row is None:
        raise refusals.not_found(f"Number assignment '{call.key}' was not found.")
    return Response(200, row.json())


def assign_number(call: Call) -> Response:
    """POST assignNumber."""
    operation = Orders(call.tenant).assign(call.body, by=call.who, fortune=_fortune(call))
    return _accepted(call, operation)


def unassign_number(call: Call) -> Response:
    """POST unassignNumber."""
    operation = Orders(call.tenant).unassign(call.body, by=call.who, fortune=_fortune(call))
    return _accepted(call, operation)


def update_number(call: Call) -> Response:
    """POST updateNumber."""
    Orders(call.tenant).update(call.body, by=call.who)
    return Response(200)


def get_operation(call: Call) -> Response:
    """GET operations/{id} and operations('{id}')."""
    operation = call.tenant.operations.get(call.key)
    if operation is None or operation.is_lost:
        raise refusals.not_found(f"Operation '{call.key}' was not found.")
    document: dict[str, object] = operation.document()
    if call.tenant.settings.wraps_operations:
        document = {"value": document}
    return json_response(document)


def _accepted(call: Call, operation: Operation) -> Response:
    location = f"{call.request.origin()}{OPERATIONS_PATH}('{operation.id}')"
    return Response(202, b"", [(b"location", location.encode("ascii"))])


def _fortune(call: Call) -> Fortune:
    """What the strikes on this request mean for the order it makes."""
    if not call.strikes:
        return LUCKY
    fate, detail, is_lost = Fate.SUCCEEDS, None, False
    seconds: float | None = None
    for rule in call.strikes:
        if rule.effect in _FATES:
            fate, detail = _FATES[rule.effect], rule.message
        elif rule.effect is Effect.ORDER_LOST:
            is_lost = True
        elif rule.effect is Effect.ORDER_SLOW:
            seconds = rule.seconds
    return Fortune(fate, detail, is_lost, seconds)


# Policies.


def get_policy_id(call: Call) -> Response:
    """GET getPolicyId(type='…',name='…'); the key is `type`, a zero byte, `name`."""
    policy_type, _, name = call.key.partition("\0")
    return json_response({"value": PolicyDesk(call.tenant).look_up(policy_type, name)})


def assign_policies(call: Call) -> Response:
    """POST userAssignments/assign."""
    PolicyDesk(call.tenant).assign(call.body, by=call.who)
    return Response(204)


def unassign_policies(call: Call) -> Response:
    """POST userAssignments/unassign."""
    PolicyDesk(call.tenant).unassign(call.body, by=call.who)
    return Response(204)


# Teams user configurations.


def list_user_configurations(call: Call) -> Response:
    """GET userConfigurations."""
    tenant, query = call.tenant, call.request.query
    selected = _selected(call, _TEAMS_FIELDS, "teamsUserConfiguration")
    window = listings.token_window(
        call.request, default=tenant.settings.users_page_size, largest=1000
    )
    shows = _SHOWS_UNKNOWN in call.request.header("prefer")
    rows = tenant.teams.rows(_listing_cutoff(tenant))
    if expression := query.get("$filter", ""):
        holds = odata.predicate_of(expression)
        rows = [row for row in rows if holds(row.document(shows_unknown_members=shows))]
    shown, more = listings.page(rows, window, call.strikes)
    return listings.page_response(
        (row.json(selected, shows_unknown_members=shows) for row in shown),
        context="admin/teams/userConfigurations",
        next_link=_next(call, window) if more else None,
        strikes=call.strikes,
    )


def get_user_configuration(call: Call) -> Response:
    """GET userConfigurations/{id}."""
    selected = _selected(call, _TEAMS_FIELDS, "teamsUserConfiguration")
    row = _read(call.tenant, call.tenant.teams, call.key)
    if row is None:
        raise refusals.not_found(f"User '{call.key}' was not found.")
    shows = _SHOWS_UNKNOWN in call.request.header("prefer")
    return Response(200, row.json(selected, shows_unknown_members=shows))


# The directory.


def list_users(call: Call) -> Response:
    """GET users."""
    return _list_people(call, call.tenant.users, context="users")


def list_deleted_users(call: Call) -> Response:
    """GET directory/deletedItems/microsoft.graph.user."""
    return _list_people(call, call.tenant.deleted_users, context="users")


def get_user(call: Call) -> Response:
    """GET users/{id or user principal name}."""
    selected = _selected(call, _USER_FIELDS, "user")
    user_id = call.tenant.user_id(call.key)
    row = _read(call.tenant, call.tenant.users, user_id) if user_id is not None else None
    if row is None:
        raise refusals.resource_not_found(call.key)
    return Response(200, row.json(selected))


def get_deleted_user(call: Call) -> Response:
    """GET directory/deletedItems/{id}."""
    row = _read(call.tenant, call.tenant.deleted_users, call.key)
    if row is None:
        raise refusals.resource_not_found(call.key)
    return Response(200, row.json(_selected(call, _USER_FIELDS, "user")))


def _list_people(call: Call, shelf: Shelf[UserRow], *, context: str) -> Response:
    tenant, query = call.tenant, call.request.query
    selected = _selected(call, _USER_FIELDS, "user")
    window = listings.token_window(
        call.request, default=tenant.settings.users_page_size, largest=999
    )
    expression = query.get("$filter", "")
    rows = _people(tenant, shelf, expression)
    if rows is None:
        rows = shelf.rows(_listing_cutoff(tenant))
        if expression:
            _check_advanced(call, expression)
            holds = odata.predicate_of(expression)
            rows = [row for row in rows if holds(row.document())]
    shown, more = listings.page(rows, window, call.strikes)
    counted = query.get("$count") == "true" and _is_eventual(call)
    return listings.page_response(
        (row.json(selected) for row in shown),
        context=context,
        next_link=_next(call, window) if more else None,
        count=len(rows) if counted else None,
        strikes=call.strikes,
    )


def _people(tenant: Tenant, shelf: Shelf[UserRow], expression: str) -> list[UserRow] | None:
    """People named by id or by user principal name, from the index; None for any other filter."""
    user_id = odata.single_equality(expression, "id")
    name = odata.single_equality(expression, "userPrincipalName")
    if user_id is None and (name is None or shelf is not tenant.users):
        return None
    if user_id is None:
        user_id = tenant.user_id(name or "") or ""
    row = _read(tenant, shelf, user_id)
    return [row] if row is not None else []


def _check_advanced(call: Call, expression: str) -> None:
    """`ne`, `not` and `endswith` are answered only from the eventually consistent index."""
    words = expression.split()
    needs_index = "ne" in words or "not" in words or "endswith(" in expression.lower()
    if needs_index and not (_is_eventual(call) and call.request.query.get("$count") == "true"):
        raise refusals.Refusal(
            400,
            "Request_UnsupportedQuery",
            "Unsupported query: ConsistencyLevel and $count are needed.",
        )


def _is_eventual(call: Call) -> bool:
    return call.request.header("consistencylevel").lower() == "eventual"


# Service health.


def list_health(call: Call) -> Response:
    """GET healthOverviews."""
    return json_response({"value": [_health(call, service) for service in _SERVICES]})


def get_health(call: Call) -> Response:
    """GET healthOverviews/{service}."""
    if call.key not in _SERVICES:
        raise refusals.not_found(f"Service '{call.key}' was not found.")
    return json_response(_health(call, call.key))


def list_issues(call: Call) -> Response:
    """GET serviceAnnouncement/issues."""
    issues = call.tenant.health_issues
    if expression := call.request.query.get("$filter", ""):
        holds = odata.predicate_of(expression)
        issues = [issue for issue in issues if holds(issue)]
    return json_response({"value": [_issue(call, issue) for issue in issues]})


_SERVICES = ("Exchange Online", "Microsoft Teams", "SharePoint Online")


def _health(call: Call, service: str) -> dict[str, object]:
    is_teams = service == "Microsoft Teams"
    status = call.tenant.health if is_teams else "serviceOperational"
    document: dict[str, object] = {
        "id": service,
        "service": service,
        "status": _cased(call, status),
    }
    if call.request.query.get("$expand") == "issues":
        document["issues"] = (
            [_issue(call, issue) for issue in call.tenant.health_issues] if is_teams else []
        )
    return document


def _issue(call: Call, issue: dict[str, object]) -> dict[str, object]:
    return {**issue, "status": _cased(call, str(issue["status"]))}


def _cased(call: Call, status: str) -> str:
    pascal = call.tenant.settings.health_in_pascal_case
    return status[:1].upper() + status[1:] if pascal else status


# Shared by the handlers above.


def _read(tenant: Tenant, shelf: Shelf[AnyRow], key: str) -> AnyRow | None:
    """A single row, as old as single reads are."""
    lag = tenant.settings.read_lag_seconds
    return shelf.seen(key, tenant.now() - lag) if lag > 0 else shelf.get(key)


def _listing_cutoff(tenant: Tenant) -> float | None:
    lag = tenant.settings.listing_lag_seconds
    return tenant.now() - lag if lag > 0 else None


def _selected(call: Call, known: frozenset[str], type_name: str) -> tuple[str, ...]:
    if "$expand" in call.request.query:
        raise refusals.bad_request("This simulator does not expand navigation properties.")
    selected = odata.selected_fields(call.request.query.get("$select", ""))
    for name in selected:
        if name not in known:
            raise refusals.bad_request(
                f"Parsing OData Select and Expand failed: Could not find a property named '{name}'"
                f" on type 'microsoft.graph.{type_name}'."
            )
    return selected


def _next(call: Call, window: listings.Window) -> str:
    return listings.next_link(call.request, "$skiptoken", window.offset + window.size)


def parsed_body(request: Request) -> dict[str, object]:
    """The JSON object of a request. Raises Refusal."""
    try:
        body = json.loads(request.body)
    except ValueError:
        raise refusals.bad_request("Unable to read JSON request payload.") from None
    if not isinstance(body, dict):
        raise refusals.bad_request("Unable to read JSON request payload.")
    return body
