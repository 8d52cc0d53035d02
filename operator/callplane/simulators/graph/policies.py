"""Policies by type and name: looking up ids, granting to people, taking away.

There is no list of policies and none called Global to assign: back to the default is to unassign.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from callplane.simulators.graph import refusals
from callplane.simulators.graph.rows import PolicyGrant
from callplane.simulators.graph.tenant import Tenant

MAXIMUM_ELEMENTS = 100
"""Elements a call; the vendor states no limit."""

_ELEMENT_FIELDS = ("@odata.type", "id", "userId", "policyType", "policyId")


class Deed(Protocol):
    """Something to do to a tenant at a time."""

    def __call__(self, *, at: float) -> None:
        """Do it."""


class PolicyDesk:
    """The policy actions of one tenant."""

    def __init__(self, tenant: Tenant) -> None:
        self._tenant = tenant

    def look_up(self, policy_type: str, name: str) -> list[dict[str, object]]:
        """The policy of that type and name, if there is one; an unknown type is refused."""
        ids = self._tenant.policy_ids.get(policy_type)
        if ids is None:
            raise refusals.bad_request(f"Policy type '{policy_type}' is not supported.")
        wanted = name.removeprefix("Tag:").lower()
        return [
            {"name": f"Tag:{known}", "policyId": policy_id}
            for known, policy_id in ids.items()
            if known.lower() == wanted
        ]

    def assign(self, body: Mapping[str, object], *, by: str) -> None:
        """Grant policies directly. All elements are good, or nothing is done. Raises Refusal."""
        grants: list[tuple[str, PolicyGrant]] = []
        for place, element in _elements(body):
            user_id, policy_type = self._person_and_type(place, element)
            policy_id = _text(place, element, "policyId")
            name = self._tenant.policy_name(policy_type, policy_id)
            if name is None:
                raise refusals.bad_request(f"{place}: policy '{policy_id}' was not found.")
            grants.append((user_id, PolicyGrant(policy_type, name, policy_id)))
        for user_id, grant in grants:
            self._later(functools.partial(set_direct, self._tenant, user_id, grant, by=by))

    def unassign(self, body: Mapping[str, object], *, by: str) -> None:
        """Take direct grants away; a group's grant, or Global, shows through. Raises Refusal."""
        removals = [self._person_and_type(place, element) for place, element in _elements(body)]
        for user_id, policy_type in removals:
            self._later(functools.partial(clear_direct, self._tenant, user_id, policy_type, by=by))

    def _later(self, deed: Deed) -> None:
        now = self._tenant.now()
        lag = self._tenant.settings.policy_lag_seconds
        if lag > 0:
            self._tenant.agenda.add(now + lag, lambda due: deed(at=due))
        else:
            deed(at=now)

    def _person_and_type(self, place: str, element: Mapping[str, object]) -> tuple[str, str]:
        user_id = _text(place, element, "userId")
        policy_type = _text(place, element, "policyType")
        if self._tenant.teams.get(user_id) is None:
            raise refusals.not_found(f"{place}: user '{user_id}' was not found.")
        if policy_type not in self._tenant.policy_ids:
            raise refusals.bad_request(f"{place}: policy type '{policy_type}' is not supported.")
        return user_id, policy_type


def set_direct(tenant: Tenant, user_id: str, grant: PolicyGrant, *, by: str, at: float) -> None:
    """Make `grant` the direct one of its type; nothing happens for a user who is gone."""
    _replace_direct(tenant, user_id, (grant.policy_type, grant), by=by, at=at)


def clear_direct(tenant: Tenant, user_id: str, policy_type: str, *, by: str, at: float) -> None:
    """Take the direct grant of a type away, if there is one."""
    _replace_direct(tenant, user_id, (policy_type, None), by=by, at=at)


def _replace_direct(
    tenant: Tenant, user_id: str, wanted: tuple[str, PolicyGrant | None], *, by: str, at: float
) -> None:
    row = tenant.teams.get(user_id)
    if row is None:
        return
    policy_type, grant = wanted
    before = next((g for g in row.grants if g.policy_type == policy_type and g.is_direct), None)
    others = tuple(g for g in row.grants if g is not before)
    grants = others if grant is None else (*others, grant)
    tenant.teams.put(
        user_id, replace(row, grants=grants, modified_date_time=tenant.timestamp()), at
    )
    names = (before.name if before else None, grant.name if grant else None)
    if names[0] != names[1]:
        tenant.changes.add(at, user_id, aspect=f"policy:{policy_type}", values=names, by=by)


def _elements(body: Mapping[str, object]) -> Sequence[tuple[str, Mapping[str, object]]]:
    """The elements of `value` with their places, checked as strictly as can be."""
    if set(body) != {"value"} or not isinstance(body["value"], list) or not body["value"]:
        raise refusals.bad_request("The request needs exactly 'value', a list that is not empty.")
    elements: list[object] = body["value"]
    if len(elements) > MAXIMUM_ELEMENTS:
        raise refusals.bad_request(f"At most {MAXIMUM_ELEMENTS} elements are allowed.")
    checked: list[tuple[str, Mapping[str, object]]] = []
    for index, element in enumerate(elements):
        place = f"value[{index}]"
        if not isinstance(element, dict):
            raise refusals.bad_request(f"{place}: an object is wanted.")
        if unknown := [name for name in element if name not in _ELEMENT_FIELDS]:
            raise refusals.bad_request(f"{place}: the property '{unknown[0]}' is not known.")
        checked.append((place, element))
    return checked


def _text(place: str, element: Mapping[str, object], name: str) -> str:
    value = element.get(name)
    if not isinstance(value, str) or not value:
        raise refusals.bad_request(f"{place}: '{name}' is missing or not a string.")
    return value
