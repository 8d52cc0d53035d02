"""All kinds, in the order in which a person reads them; the one list that others iterate."""

from __future__ import annotations

from callplane.apis import (
    call_privileges,
    calling_accounts,
    calling_plans,
    carriers,
    change_approvals,
    change_plans,
    destination_sets,
    emergency_locations,
    number_ranges,
    pbx_trunks,
    phone_numbers,
    provider_incidents,
    rate_cards,
    service_lines,
    session_border_controllers,
    sip_phones,
    teams_tenants,
    teams_users,
    webex_organizations,
    webex_users,
)
from callplane.apis.kinds import Kind

KINDS: tuple[Kind, ...] = (
    teams_tenants.KIND,
    carriers.KIND,
    webex_organizations.KIND,
    session_border_controllers.KIND,
    number_ranges.KIND,
    phone_numbers.KIND,
    teams_users.KIND,
    webex_users.KIND,
    sip_phones.KIND,
    pbx_trunks.KIND,
    service_lines.KIND,
    call_privileges.KIND,
    emergency_locations.KIND,
    calling_accounts.KIND,
    calling_plans.KIND,
    rate_cards.KIND,
    destination_sets.KIND,
    provider_incidents.KIND,
    change_plans.KIND,
    change_approvals.KIND,
)

BY_NAME: dict[str, Kind] = {kind.name: kind for kind in KINDS}
CONNECTION_KINDS: tuple[Kind, ...] = tuple(kind for kind in KINDS if kind.is_connection)


def kind_named(name: str) -> Kind:
    """The kind called `name`. Raises LookupError that names the known ones."""
    try:
        return BY_NAME[name]
    except KeyError:
        known = ", ".join(sorted(BY_NAME))
        raise LookupError(f"unknown kind {name!r}; known are {known}") from None
