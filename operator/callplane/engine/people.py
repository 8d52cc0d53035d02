"""The pass of a person on a calling platform. `run` is the table of contents; each step is one call
into a module of its own, and what kinds of people differ in is in `desired.declarations` and in
`teams_users`, `webex_users` and `sip_phones`.
"""

from __future__ import annotations

from dataclasses import dataclass

from callplane.apis.reasons import Reason
from callplane.apis.sip_phones import SipPhone
from callplane.apis.teams_users import TeamsUser
from callplane.apis.webex_users import WebexUser
from callplane.desired.declarations import PersonObject, is_person
from callplane.desired.webex_users import unlisted_types
from callplane.engine import (
    call_lines,
    claims,
    creating,
    evidence,
    gathering,
    guarding,
    holder_locations,
    holders,
    intents,
    leaving,
    leftovers,
    service_lines,
    sip_phones,
    teams_users,
    webex_users,
    writing,
)
from callplane.engine.claims import WantedNumber
from callplane.engine.finalizing import ensure_finalizer
from callplane.engine.gathering import Gathered
from callplane.engine.keyed_queue import Priority
from callplane.engine.scope import Scope
from callplane.plan.change import Change
from callplane.plan.diff import LinePlan, plan
from callplane.resources.lines import Line
from callplane.status.conditions import NotKnown, Succeeded
from callplane.tracing import step
from callplane.values import E164, HolderId


async def run(scope: Scope) -> Succeeded | NotKnown:
    """Gather, desired, observe, plan, guard, apply; what comes back is reported by the caller."""
    if scope.cached.is_deleting:
        with step("leave"):
            return await leaving.run(scope)
    user = scope.resource
    assert is_person(user)
    with step("gather"):
        gathered = await gathering.gather(scope, user)
    writable = gathering.may_write(scope, user, gathered)
    if isinstance(user, SipPhone):
        await sip_phones.check_credentials(scope, user, gathered)
    if writable:
        await creating.ensure_person(scope, user, gathered)
    holder = await holders.resolve(scope, user, gathered)
    if writable:
        await ensure_finalizer(scope)
        await intents.settle(scope, gathered, holder)
    planned = await plan_line(scope, user, gathered, holder, writable=writable)
    if isinstance(planned, NotKnown):
        return planned
    _show(scope, user, gathered, planned)
    if not writable:
        return _observed_only(scope, planned.line_plan)
    await holders.adopt(scope, gathered, holder, planned.desired, planned.observed)
    await leftovers.give_back(scope, gathered, holder, planned.number, planned.observed)
    if planned.number_is_there:
        # Who pays and what may be dialled does not wait for what providers are told.
        call_lines.say(scope, user, gathered, holder, planned.wanted)
    with step("guard", changes=len(planned.line_plan.changes)):
        changes = await guarding.guard(scope, gathered, holder, planned.number, planned.line_plan)
    with step("apply", changes=len(changes.changes)):
        await writing.apply(scope, gathered, holder, changes)
    call_lines.say(scope, user, gathered, holder, planned.wanted)
    if isinstance(user, SipPhone):
        await sip_phones.tell_call_control(scope, user, gathered)
    holder_locations.tell_carrier(scope, gathered.runtime.mirror.rows_of(holder))
    return Succeeded(_sentence(planned.observed))


@dataclass(frozen=True, slots=True)
class PlannedLine:
    """One person's line as it ought to be and as it is, and what has to change."""

    number: WantedNumber
    desired: Line
    observed: Line
    line_plan: LinePlan

    @property
    def wanted(self) -> E164 | None:
        """The number that the line has when all is done."""
        desired = self.number.desired
        found = desired.number if desired.managed else self.observed.number
        return found.number if found is not None else None

    @property
    def number_is_there(self) -> bool:
        """Does the line have that number already?"""
        observed = self.observed.number
        return self.wanted == (observed.number if observed is not None else None)


async def plan_line(
    scope: Scope, user: PersonObject, gathered: Gathered, holder: HolderId, *, writable: bool
) -> PlannedLine | NotKnown:
    """Desired, observe, plan: the part of a pass that `callplane plan` runs as well."""
    number = await claims.desired_number(scope, user, gathered, holder, writable=writable)
    unlisted = _unlisted_types(user)
    with step("observe"):
        observed = await evidence.observe(scope, gathered, holder, number, unlisted=unlisted)
    if unlisted:
        scope.engine.queue.add_later(scope.key, Priority.DRIFT, evidence.UNLISTED_AGE_SECONDS)
    if isinstance(observed, NotKnown):
        return observed
    desired = await _desired(scope, user, gathered, holder, number)
    last_applied = holders.last_applied(gathered, holder)
    with step("plan") as span:
        line_plan = plan(gathered.runtime.connection, desired, observed, last_applied)
        span.note(changes=len(line_plan.changes))
    return PlannedLine(number, desired, observed, line_plan)


def _unlisted_types(user: PersonObject) -> frozenset[str]:
    return unlisted_types(user.spec) if isinstance(user, WebexUser) else frozenset()


async def _desired(
    scope: Scope, user: PersonObject, gathered: Gathered, holder: HolderId, number: WantedNumber
) -> Line:
    if isinstance(user, TeamsUser):
        return await teams_users.desired(scope, user, gathered, holder, number)
    if isinstance(user, WebexUser):
        return await webex_users.desired(scope, user, holder, number)
    if isinstance(user, SipPhone):
        return await sip_phones.desired(scope, user, holder, number)
    return await service_lines.desired(scope, user, holder, number)


def _show(scope: Scope, user: PersonObject, gathered: Gathered, planned: PlannedLine) -> None:
    """What the status says the person has."""
    reference = {"kind": gathered.connection.kind, "name": gathered.connection.name}
    scope.status["connection"] = reference
    if isinstance(user, TeamsUser):
        teams_users.show(scope, planned.observed, planned.desired)
    elif isinstance(user, WebexUser):
        webex_users.show(scope, gathered, planned.observed)
    elif isinstance(user, SipPhone):
        sip_phones.show(scope, planned.observed)
    else:
        service_lines.show(scope, planned.observed)


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
