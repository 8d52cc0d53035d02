"""The way in for other processes: what `controlling` offers, and this world's own.

GET    /_simulator/state                [?tenant=]  holders, people, policies, ghosts
GET    /_simulator/state/{number|user}  [?tenant=]  one of them; a user by id or name
POST   /_simulator/tenants              a tenant description, as in a seed file
POST   /_simulator/applications         [?tenant=]  an app registration, new or changed
POST   /_simulator/tokens/revoke        [?tenant=]  all access tokens become worthless
POST   /_simulator/projected-token      {"subject": …}  a token for a federated credential
"""

from __future__ import annotations

from urllib.parse import unquote

from callplane.simulators import controlling
from callplane.simulators.controlling import ControlDesk
from callplane.simulators.exchange import Request, Response, json_response
from callplane.simulators.graph import routing, seeding
from callplane.simulators.graph.refusals import Refusal
from callplane.simulators.graph.rows import NumberRow, TeamsRow, UserRow
from callplane.simulators.graph.tenant import Tenant, normalise_number
from callplane.simulators.graph.world import GraphWorld


class Control(ControlDesk):
    """Answers control requests about one world."""

    def __init__(self, world: GraphWorld) -> None:
        super().__init__(world, fault_kinds=routing.KINDS, endpoints=__doc__ or "")
        self._graph = world
        self.add("GET", "state", self._state)
        self.add("POST", "tenants", self._add_tenant)
        self.add("POST", "applications", self._add_application)
        self.add("POST", "tokens", self._revoke)
        self.add("POST", "projected-token", self._projected_token)

    def answer(self, request: Request) -> Response:
        """Do what a control request asks."""
        try:
            return super().answer(request)
        except Refusal as refusal:
            return json_response({"error": refusal.message}, status=400)

    def _state(self, request: Request, rest: str) -> object:
        tenant = self._graph.tenant(request.query.get("tenant"))
        tenant.advance()
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

    def _add_tenant(self, request: Request, rest: str) -> object:
        return {
            "id": self._graph.add_tenant(seeding.tenant_seed_from(controlling.body_of(request))).id
        }

    def _add_application(self, request: Request, rest: str) -> object:
        seed = seeding.application_seed_from(controlling.body_of(request))
        tenant = self._graph.tenant(request.query.get("tenant"))
        self._graph.tokens.register(tenant.id, seed.application())
        return {"client_id": seed.client_id}

    def _revoke(self, request: Request, rest: str) -> object:
        return {"revoked": self._graph.tokens.revoke_all(self.realm_id(request))}

    def _projected_token(self, request: Request, rest: str) -> object:
        subject = controlling.body_of(request).get("subject")
        if not isinstance(subject, str):
            raise ValueError("projected-token.subject: a text is wanted")
        return {"token": self._graph.tokens.projected_token(subject)}


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
