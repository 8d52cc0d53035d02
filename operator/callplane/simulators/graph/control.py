"""The way in for other processes: read what happened, act as the administrator, set faults.

    GET    /_simulator                      this list
    GET    /_simulator/counters             [?tenant=]  reads, writes, committed writes, by kind
    GET    /_simulator/requests             [?tenant=&kind=&since=&limit=]  oldest first
    DELETE /_simulator/requests             forget requests, writes and counters
    GET    /_simulator/writes               [?tenant=&kind=&since=]  every attempt to write
    GET    /_simulator/changes              [?tenant=&since=]  what really changed, by whom
    GET    /_simulator/state                [?tenant=]  holders, people, policies, ghosts
    GET    /_simulator/state/{number|user}  [?tenant=]  one of them; a user by id or name
    GET    /_simulator/settings             [?tenant=]
    PATCH  /_simulator/settings             [?tenant=]  {name: value}
    GET    /_simulator/faults               rules in force, how often each matched and struck
    POST   /_simulator/faults               one rule; answers {"id": …}
    DELETE /_simulator/faults[/{id}]        one, or all
    POST   /_simulator/portal/{action}      [?tenant=]  arguments as JSON; actions as in `Portal`
    POST   /_simulator/tenants              a tenant description, as in a seed file
    POST   /_simulator/applications         [?tenant=]  an app registration, new or changed
    POST   /_simulator/tokens/revoke        [?tenant=]  all access tokens become worthless
    POST   /_simulator/projected-token      {"subject": …}  a token for a federated credential

No authentication: a simulator listens on loopback only. Mistakes are answered 400 with a reason.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from urllib.parse import unquote

from callplane.simulators.exchange import Request, Response, json_response
from callplane.simulators.faults import Effect, rule_from
from callplane.simulators.graph import routing, seeding
from callplane.simulators.graph.portal import Portal
from callplane.simulators.graph.refusals import Refusal
from callplane.simulators.graph.rows import NumberRow, TeamsRow, UserRow
from callplane.simulators.graph.tenant import Tenant, normalise_number
from callplane.simulators.graph.world import GraphWorld

_PREFIX = "/_simulator"


class Control:
    """Answers control requests about one world."""

    def __init__(self, world: GraphWorld) -> None:
        self._world = world
        self._handlers: dict[tuple[str, str], Callable[[Request, str], object]] = {
            ("GET", ""): self._help,
            ("GET", "counters"): self._counters,
            ("GET", "requests"): self._requests,
            ("DELETE", "requests"): self._forget,
            ("GET", "writes"): self._writes,
            ("GET", "changes"): self._changes,
            ("GET", "state"): self._state,
            ("GET", "settings"): self._settings,
            ("PATCH", "settings"): self._change_settings,
            ("GET", "faults"): self._faults,
            ("POST", "faults"): self._add_fault,
            ("DELETE", "faults"): self._remove_faults,
            ("POST", "portal"): self._portal,
            ("POST", "tenants"): self._add_tenant,
            ("POST", "applications"): self._add_application,
            ("POST", "tokens"): self._revoke,
            ("POST", "projected-token"): self._projected_token,
        }

    def answer(self, request: Request) -> Response:
        """Do what a control request asks."""
        name, _, rest = request.path.removeprefix(_PREFIX).strip("/").partition("/")
        handler = self._handlers.get((request.method, name))
        if handler is None:
            return json_response(
                {"error": f"no {request.method} {request.path}", "help": _PREFIX}, status=404
            )
        try:
            return json_response(handler(request, rest))
        except (ValueError, KeyError, TypeError) as error:
            return json_response({"error": str(error)}, status=400)
        except Refusal as refusal:
            return json_response({"error": refusal.message}, status=400)

    def _help(self, request: Request, rest: str) -> object:
        actions = {
            name: str(inspect.signature(method)).replace("(self, ", "(").partition(" ->")[0]
            for name, method in inspect.getmembers(Portal, inspect.isfunction)
            if not name.startswith("_")
        }
        endpoints = [line.strip() for line in (__doc__ or "").splitlines() if _PREFIX in line]
        return {
            "endpoints": endpoints,
            "portal": actions,
            "fault_kinds": ["*", "reads", "writes", "token", *sorted(routing.KINDS)],
            "fault_effects": [effect.value for effect in Effect],
            "tenants": list(self._world.tenants),
        }

    def _counters(self, request: Request, rest: str) -> object:
        return self._world.recorder.counters(self._tenant_id(request))

    def _requests(self, request: Request, rest: str) -> object:
        entries = self._world.recorder.requests(
            since=_whole(request, "since", 0),
            kind=request.query.get("kind"),
            tenant=self._tenant_id(request),
        )
        limit = _whole(request, "limit", 1000)
        return {"requests": [entry.document() for entry in entries[:limit]]}

    def _forget(self, request: Request, rest: str) -> object:
        self._world.recorder.clear()
        return {}

    def _writes(self, request: Request, rest: str) -> object:
        entries = self._world.recorder.writes(
            since=_whole(request, "since", 0),
            kind=request.query.get("kind"),
            tenant=self._tenant_id(request),
        )
        return {"writes": [entry.document() for entry in entries]}

    def _changes(self, request: Request, rest: str) -> object:
        tenant = self._advanced(request)
        since = _whole(request, "since", 0)
        return {
            "changes": [
                {
                    "sequence": change.sequence,
                    "at": change.at,
                    "subject": change.subject,
                    "aspect": change.aspect,
                    "before": change.before,
                    "after": change.after,
                    "by": change.by,
                }
                for change in tenant.changes.changes[since:]
            ]
        }

    def _state(self, request: Request, rest: str) -> object:
        tenant = self._advanced(request)
        if not rest:
            return state_of(tenant)
        key = unquote(rest)
        number = tenant.numbers.get(normalise_number(key))
        user_id = tenant.user_id(key)
        user = tenant.users.get(user_id) if user_id is not None else None
        if number is not None:
            return _number_state(number)
        if user is not None:
            return {"id": user.id, **_user_state(user, tenant.teams.get(user.id))}
        raise ValueError(f"no number and no user {key!r}")

    def _settings(self, request: Request, rest: str) -> object:
        key = request.query.get("tenant")
        settings = self._world.settings if key is None else self._world.tenant(key).settings
        return settings.document()

    def _change_settings(self, request: Request, rest: str) -> object:
        self._world.change_settings(_body(request), request.query.get("tenant"))
        return self._settings(request, rest)

    def _faults(self, request: Request, rest: str) -> object:
        return {"faults": self._world.faults.documents()}

    def _add_fault(self, request: Request, rest: str) -> object:
        return {"id": self._world.faults.add(rule_from(_body(request), "fault"))}

    def _remove_faults(self, request: Request, rest: str) -> object:
        if not rest:
            self._world.faults.clear()
        elif not rest.isdigit() or not self._world.faults.remove(int(rest)):
            raise ValueError(f"no fault {rest!r}")
        return {}

    def _portal(self, request: Request, rest: str) -> object:
        portal = self._world.portal(request.query.get("tenant"))
        if rest.startswith("_") or not inspect.ismethod(action := getattr(portal, rest, None)):
            raise ValueError(f"no portal action {rest!r}; GET {_PREFIX} lists them")
        arguments = _body(request)
        try:
            inspect.signature(action).bind(**arguments)
        except TypeError as error:
            raise ValueError(f"portal action {rest!r}: {error}") from None
        return {"result": action(**arguments)}

    def _add_tenant(self, request: Request, rest: str) -> object:
        return {"id": self._world.add_tenant(seeding.tenant_seed_from(_body(request))).id}

    def _add_application(self, request: Request, rest: str) -> object:
        seed = seeding.application_seed_from(_body(request))
        tenant = self._world.tenant(request.query.get("tenant"))
        self._world.tokens.register(tenant.id, seed.application())
        return {"client_id": seed.client_id}

    def _revoke(self, request: Request, rest: str) -> object:
        return {"revoked": self._world.tokens.revoke_all(self._tenant_id(request))}

    def _projected_token(self, request: Request, rest: str) -> object:
        subject = _body(request).get("subject")
        if not isinstance(subject, str):
            raise ValueError("projected-token.subject: a text is wanted")
        return {"token": self._world.tokens.projected_token(subject)}

    def _tenant_id(self, request: Request) -> str | None:
        key = request.query.get("tenant")
        return self._world.tenant(key).id if key is not None else None

    def _advanced(self, request: Request) -> Tenant:
        tenant = self._world.tenant(request.query.get("tenant"))
        tenant.advance()
        return tenant


def state_of(tenant: Tenant) -> dict[str, object]:
    """The truth about a tenant, without lags or faults: what an auditor compares with.

    `ghosts` are numbers held by an id that is in neither the directory nor in use by a service.
    """
    numbers = {row.telephone_number: row for row in tenant.numbers.rows()}
    people = {row.id: row for row in tenant.teams.rows()}
    return {
        "numbers": {number: _number_state(row) for number, row in numbers.items()},
        "users": {row.id: _user_state(row, people.get(row.id)) for row in tenant.users.rows()},
        "deleted_users": [row.id for row in tenant.deleted_users.rows()],
        "ghosts": [
            number
            for number, row in numbers.items()
            if row.assignment_status == "userAssigned"
            and tenant.users.get(row.assignment_target_id or "") is None
        ],
        "open_operations": len(tenant.pending),
    }


def _number_state(row: NumberRow) -> dict[str, object]:
    return {
        "holder": row.assignment_target_id,
        "status": row.assignment_status,
        "number_type": row.number_type,
        "location_id": row.location_id,
        "category": row.assignment_category,
    }


def _user_state(user: UserRow, teams: TeamsRow | None) -> dict[str, object]:
    grants = [grant for grant in teams.grants if grant.is_direct] if teams else []
    return {
        "user_principal_name": user.user_principal_name,
        "numbers": [number for number, _ in teams.telephone_numbers] if teams else [],
        "enterprise_voice": bool(teams and teams.is_enterprise_voice_enabled),
        "account_type": teams.account_type if teams else None,
        "policies": {grant.policy_type: grant.name for grant in grants},
    }


def _body(request: Request) -> dict[str, object]:
    if not request.body:
        return {}
    body = json.loads(request.body)
    if not isinstance(body, dict):
        raise ValueError("a JSON object is wanted")
    return body


def _whole(request: Request, name: str, default: int) -> int:
    return int(request.query.get(name, default))
