"""The way in for other processes: what `controlling` offers, and this world's own.

    GET    /_simulator/state                 [?tenant=]  numbers, people, services, damage
    GET    /_simulator/state/{number|person} [?tenant=]  one of them; a person by id or address
    POST   /_simulator/tenants               an organisation description, as in a seed file
    POST   /_simulator/tokens/revoke         [?tenant=]  all access tokens become worthless

`tenant` names an organisation, so that one client steers every simulator.
"""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import unquote

from callplane.simulators import controlling
from callplane.simulators.controlling import ControlDesk
from callplane.simulators.exchange import Request
from callplane.simulators.webex import permissions, seeding
from callplane.simulators.webex.organisation import Organisation
from callplane.simulators.webex.rows import CALL_TYPES, NumberRow, PersonRow, ServiceRow
from callplane.simulators.webex.world import WebexWorld


def control_desk(world: WebexWorld, *, fault_kinds: Collection[str]) -> ControlDesk:
    """The control endpoints of a world."""

    def state(request: Request, rest: str) -> object:
        organisation = world.organisation(request.query.get("tenant"))
        organisation.advance()
        return one_of(organisation, unquote(rest)) if rest else state_of(organisation)

    def add_tenant(request: Request, rest: str) -> object:
        seed = seeding.organisation_seed_from(controlling.body_of(request))
        return {"id": world.add_organisation(seed).id}

    def revoke(request: Request, rest: str) -> object:
        return {"revoked": world.tokens.revoke_all(desk.realm_id(request))}

    desk = ControlDesk(world, fault_kinds=fault_kinds, endpoints=__doc__ or "")
    desk.add("GET", "state", state)
    desk.add("POST", "tenants", add_tenant)
    desk.add("POST", "tokens", revoke)
    return desk


def state_of(organisation: Organisation) -> dict[str, object]:
    """The truth about an organisation, without lags or faults: what an auditor compares with.

    `damage` is what a caller wrote to locations that somebody else manages.
    """
    return {
        "numbers": {row.number: _number_state(row) for row in organisation.numbers.rows()},
        "users": {row.id: _person_state(organisation, row) for row in organisation.people.rows()},
        "services": {row.id: _service_state(row) for row in organisation.services.rows()},
        "locations": {
            row.id: {
                "name": row.name,
                "pstn_type": row.pstn_type,
                "main_number": row.main_number,
                "externally_managed": row.is_externally_managed,
            }
            for row in organisation.locations.rows()
        },
        "open_jobs": sum(job.is_open for job in organisation.jobs.values()),
        "damage": list(organisation.damage),
    }


def one_of(organisation: Organisation, key: str) -> dict[str, object]:
    """A number, person or service by its key. ValueError when there is none."""
    number = organisation.numbers.get(key)
    if number is not None:
        return _number_state(number)
    person = organisation.people.get(organisation.person_id(key) or "")
    if person is not None:
        return {"id": person.id, **_person_state(organisation, person)}
    service = organisation.services.get(key)
    if service is not None:
        return {"id": service.id, **_service_state(service)}
    raise ValueError(f"no number, person or service {key!r}")


def _number_state(row: NumberRow) -> dict[str, object]:
    return {
        "holder": row.owner.id if row.owner is not None else None,
        "holder_type": row.owner.type if row.owner is not None else None,
        "state": row.state,
        "location_id": row.location_id,
        "category": row.category,
    }


def _person_state(organisation: Organisation, row: PersonRow) -> dict[str, object]:
    names = [organisation.licences[each].name for each in row.licences]
    return {
        "email": row.email,
        "display_name": row.display_name,
        "location_id": row.location_id,
        "numbers": [*([row.number] if row.number else []), *row.alternates],
        "extension": row.extension,
        "licences": names,
        "blocked": sorted(
            name
            for name in CALL_TYPES
            if permissions.effective(row.permissions, name)[0] == "BLOCK"
        ),
        "custom_permissions": row.permissions.uses_custom,
        "caller_id": dict(row.caller_id),
    }


def _service_state(row: ServiceRow) -> dict[str, object]:
    return {
        "name": row.name,
        "collection": row.collection,
        "location_id": row.location_id,
        "numbers": [row.number] if row.number is not None else [],
        "extension": row.extension,
    }
