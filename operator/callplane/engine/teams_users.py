"""The pass of a TeamsUser. `run` is the table of contents; each step is one call into a module of
its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from callplane.apis.reasons import Reason
from callplane.apis.teams_tenants import TeamsTenant
from callplane.apis.teams_users import TeamsUser
from callplane.cluster import finalizers
from callplane.desired.teams_users import desired_line
from callplane.engine import (
    claims,
    evidence,
    gathering,
    guarding,
    holders,
    intents,
    leaving,
    leftovers,
    writing,
)
from callplane.engine.claims import WantedNumber
from callplane.engine.gathering import Gathered
from callplane.engine.scope import Gone, Scope
from callplane.plan.change import Change
from callplane.plan.diff import LinePlan, plan
from callplane.resources.lines import (
    LOCATION,
    Line,
    NumberType,
    PolicyOnLine,
    SettingKind,
)
from callplane.status.conditions import NotKnown, Succeeded
from callplane.values import HolderId


async def run(scope: Scope) -> Succeeded | NotKnown:
    """Gather, desired, observe, plan, guard, apply; what comes back is reported by the caller."""
    if scope.cached.is_deleting:
        return await leaving.run(scope)
    user = scope.resource
    assert isinstance(user, TeamsUser)
    gathered = await gathering.gather(scope, user)
    writable = gathering.may_write(scope, user, gathered)
    holder = await holders.resolve(scope, user, gathered)
    if writable:
        await ensure_finalizer(scope)
        await intents.settle(scope, gathered, holder)
    planned = await plan_line(scope, user, gathered, holder, writable=writable)
    if isinstance(planned, NotKnown):
        return planned
    show(scope, gathered.tenant, planned.observed, planned.desired)
    if not writable:
        return _observed_only(scope, planned.line_plan)
    await holders.adopt(scope, gathered, holder, planned.desired, planned.observed)
    await leftovers.give_back(scope, gathered, holder, planned.number, planned.observed)
    changes = await guarding.guard(scope, gathered, holder, planned.number, planned.line_plan)
    await writing.apply(scope, gathered, holder, changes)
    return Succeeded(_sentence(planned.observed))


@dataclass(frozen=True, slots=True)
class PlannedLine:
    """One person's line as it ought to be and as it is, and what has to change."""

    number: WantedNumber
    desired: Line
    observed: Line
    line_plan: LinePlan


async def plan_line(
    scope: Scope, user: TeamsUser, gathered: Gathered, holder: HolderId, *, writable: bool
) -> PlannedLine | NotKnown:
    """Desired, observe, plan: the part of a pass that `callplane plan` runs as well."""
    number = await claims.desired_number(scope, user, gathered, holder, writable=writable)
    observed = await evidence.observe(scope, gathered, holder, number)
    if isinstance(observed, NotKnown):
        return observed
    desired = desired_line(
        holder,
        user.spec,
        number=number.desired,
        default_policies=gathered.tenant.spec.default_policies,
        location_id=await gathering.location_id(
            scope, user.spec.emergency_location_ref, number.location
        ),
    )
    last_applied = holders.last_applied(gathered, holder)
    line_plan = plan(gathered.runtime.connection, desired, observed, last_applied)
    return PlannedLine(number, desired, observed, line_plan)


async def ensure_finalizer(scope: Scope) -> None:
    """Our finalizer stands before the first write anywhere."""
    if finalizers.has_finalizer(scope.cached.body, finalizers.PROVIDER_CLEANUP):
        return
    body = await finalizers.add(
        scope.engine.objects, scope.engine.kind(scope.key.kind), body=scope.cached.body
    )
    if body is None:
        raise Gone
    scope.engine.offer(scope.key, body)
    latest = scope.engine.cache.get(scope.key)
    if latest is None or not finalizers.has_finalizer(body, finalizers.PROVIDER_CLEANUP):
        raise Gone
    scope.cached = latest


def show(scope: Scope, tenant: TeamsTenant, observed: Line, desired: Line) -> None:
    """What the status says the person has, with the origin of every managed policy."""
    status: dict[str, Any] = scope.status
    status["connection"] = {"kind": "TeamsTenant", "name": tenant.name}
    status["userId"] = observed.holder.user_id
    number = observed.number
    status["phoneNumber"] = (
        {"e164": number.number.text, "type": ROUTES[number.number_type]} if number else None
    )
    location = observed.get(LOCATION)
    status["emergencyLocationId"] = location if isinstance(location, str) else None
    policies = []
    for setting in sorted(desired.settings):
        if setting.kind is not SettingKind.POLICY:
            continue
        found = observed.get(setting)
        if isinstance(found, PolicyOnLine):
            origin = found.origin.value.capitalize()
            policies.append({"type": setting.detail, "name": found.name, "origin": origin})
        else:
            policies.append({"type": setting.detail, "name": "", "origin": "Global"})
    status["policies"] = policies
    status["drift"] = []


ROUTES = {
    NumberType.DIRECT_ROUTING: "DirectRouting",
    NumberType.CALLING_PLAN: "CallingPlan",
    NumberType.OPERATOR_CONNECT: "OperatorConnect",
    NumberType.WEBEX: "Webex",
    NumberType.SIP: "Sip",
}


def _observed_only(scope: Scope, line_plan: LinePlan) -> Succeeded:
    """Observe mode and suspension: every difference is reported, nothing is written."""
    scope.status["drift"] = drift_rows(line_plan.changes)
    differences = tuple(
        f"{row['field']}: {row['observed'] or 'nothing'} instead of {row['desired'] or 'nothing'}"
        for row in scope.status["drift"]
    )
    return Succeeded("observed, never written", reason=Reason.OBSERVE_ONLY, differences=differences)


def drift_rows(changes: tuple[Change, ...]) -> list[dict[str, str]]:
    """One row a field: what is there and what would be."""
    rows: dict[str, dict[str, str]] = {}
    for change in changes:
        before, after = change.before or {}, change.after or {}
        policy = (
            (after.get("type") or before.get("type") or "") if "name" in {**before, **after} else ""
        )
        name = f"policies[{policy}]" if policy else _FIELDS[change.operation.value]
        value = "name" if policy else _VALUES[change.operation.value]
        row = rows.setdefault(name, {"field": name, "observed": "", "desired": ""})
        row["observed"] = row["observed"] or before.get(value, "")
        row["desired"] = row["desired"] or after.get(value, "")
    return [rows[name] for name in sorted(rows)]


_FIELDS = {
    "UnassignNumber": "phoneNumber",
    "AssignNumber": "phoneNumber",
    "SetEmergencyLocation": "emergencyLocation",
}
_VALUES = {
    "UnassignNumber": "number",
    "AssignNumber": "number",
    "SetEmergencyLocation": "location",
}


def _sentence(observed: Line) -> str:
    return f"has {observed.number.number.masked}" if observed.number else "has no number"
