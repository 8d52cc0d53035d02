"""Guard: which of the planned changes may run now. Everything that can say no is asked before
anything is sent.

foreign number → managed elsewhere → contested → incident → readiness of the person → capability →
gate
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from callplane.apis.provider_incidents import Freeze
from callplane.apis.reasons import Reason
from callplane.apis.service_lines import ServiceLine
from callplane.desired import service_readiness, teams_readiness, webex_readiness
from callplane.desired.declarations import WORDS
from callplane.engine import intents, transfers, write_ahead
from callplane.engine.claims import WantedNumber
from callplane.engine.gathering import Gathered
from callplane.engine.provider_incidents import freeze_of
from callplane.engine.register_mirror import RegisterMirror
from callplane.engine.scope import Scope
from callplane.errors import Stalled, Waiting
from callplane.numbering import plan_table
from callplane.numbering.lifecycle import HELD
from callplane.plan.change import Cause, Change, Operation
from callplane.plan.diff import LinePlan
from callplane.plan.gate_policy import is_gated
from callplane.resources.lines import LineNumber, NumberType
from callplane.values import E164, HolderId, Platform

UNDONE_LIMIT = 3
LICENCE_LOOK_SECONDS = 300.0
# What Teams shows of a number that was just taken away is usually right within a minute.
LAG_LOOK_SECONDS = 15.0
TRANSFER_LOOK_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Allowed:
    """Changes to carry out in order; afterwards `then` is raised, if anything is left undone."""

    changes: tuple[Change, ...]
    then: Stalled | Waiting | None = None


async def guard(
    scope: Scope,
    gathered: Gathered,
    holder: HolderId,
    number: WantedNumber,
    line_plan: LinePlan,
) -> Allowed:
    """Raises Stalled or Waiting when nothing may run."""
    if line_plan.is_empty:
        await gathered.runtime.gate.withdraw(scope.key)
        return Allowed(())
    changes = line_plan.changes
    check_foreign(gathered, holder, changes)
    check_managed_elsewhere(gathered, changes)
    check_contested(scope, gathered, holder, changes)
    check_incident(scope, gathered, changes)
    await check_readiness(
        gathered,
        holder,
        changes,
        is_awaited=number.waits_for_transfer is not None,
        is_service=isinstance(scope.cached.resource, ServiceLine),
    )
    supported, unsupported = split_unsupported(gathered, changes)
    await pass_gate(scope, gathered, supported)
    transfers.let_receivers_ask(scope, gathered, supported)
    if number.waits_for_transfer is not None:
        row = number.waits_for_transfer
        waiting = Waiting(
            Reason.NUMBER_IN_TRANSFER,
            f"{row.number.masked} is being given up by {row.declared_by}",
            after_seconds=TRANSFER_LOOK_SECONDS,
        )
        if not transfers.goes_first(scope, holder, row):
            raise waiting
        first = tuple(c for c in supported if c.operation is Operation.UNASSIGN_NUMBER)
        return Allowed(first, waiting)
    return Allowed(supported, unsupported)


def check_foreign(gathered: Gathered, holder: HolderId, changes: tuple[Change, ...]) -> None:
    """A number that nobody gave this holder through us is shown and never taken away."""
    for change in changes:
        if change.operation is not Operation.UNASSIGN_NUMBER or change.before is None:
            continue
        number = E164(change.before["number"])
        row = gathered.runtime.mirror.numbers.get(number)
        if row is None or row.holder != holder or row.state not in HELD:
            raise Stalled(
                Reason.FOREIGN,
                f"the person has {number.masked}, which was not assigned from here; declare that "
                f"number to adopt it, or unassign it in {WORDS[holder.platform].name}",
            )


def check_managed_elsewhere(gathered: Gathered, changes: tuple[Change, ...]) -> None:
    """Numbers whose telephone network somebody else manages are shown and never written."""
    for change in changes:
        row = gathered.runtime.snapshot.number(E164(change.number)) if change.number else None
        if row is not None and row.managed_by:
            raise Stalled(
                Reason.UNSUPPORTED,
                f"{row.number.masked} is managed by {row.managed_by}; by hand: change it there, "
                "then state here what is true",
            )


def check_contested(
    scope: Scope, gathered: Gathered, holder: HolderId, changes: tuple[Change, ...]
) -> None:
    """Somebody else keeps undoing us: after the third time in 24 hours writing stops."""
    row = gathered.runtime.mirror.holders.get(holder)
    if row is None:
        return
    for change in changes:
        if change.cause is not Cause.DRIFT:
            continue
        _, undone = intents.count_undone(row, change, now=scope.engine.clock.now())
        if undone >= UNDONE_LIMIT:
            raise Stalled(
                Reason.CONTESTED,
                f"{intents.setting_name(change)} has been undone by others {undone} times in 24 "
                "hours; find out who else writes it, then change this object or the setting",
            )


def check_incident(scope: Scope, gathered: Gathered, changes: tuple[Change, ...]) -> None:
    freeze = freeze_of(scope.engine, gathered.connection)
    if freeze is None or freeze.freeze is Freeze.NONE:
        return
    if freeze.freeze is Freeze.ALL or any(is_gated(change) for change in changes):
        raise Waiting(
            Reason.FROZEN_BY_INCIDENT,
            f"{freeze.text}: writes wait until the incident ends",
            after_seconds=LICENCE_LOOK_SECONDS,
        )


_PREFLIGHTS = {
    Platform.TEAMS: teams_readiness.preflight,
    Platform.WEBEX: webex_readiness.preflight,
    Platform.SIP: service_readiness.preflight,
}


async def check_readiness(
    gathered: Gathered,
    holder: HolderId,
    changes: tuple[Change, ...],
    *,
    is_awaited: bool = False,
    is_service: bool = False,
) -> None:
    """Can this person have this number? Asked before the first write of the chain, with a reason of
    its own. `is_awaited`: its holder is about to give it up.
    """
    wanted = next((c.after for c in changes if c.operation is Operation.ASSIGN_NUMBER), None)
    if wanted is None:
        return
    runtime = gathered.runtime
    configuration = runtime.snapshot.configurations.get(holder.user_id)
    if configuration is None or configuration.row is None:
        row = await runtime.read_configuration(holder.user_id)
    else:
        row = configuration.row
    number = E164(wanted["number"])
    given_up = frozenset(
        E164(c.before["number"])
        for c in changes
        if c.operation is Operation.UNASSIGN_NUMBER and c.before is not None
    )
    number_row = runtime.snapshot.number(number)
    if number_row is not None and is_awaited:
        number_row = replace(number_row, holder_id=None)
    preflight = service_readiness.preflight if is_service else _PREFLIGHTS[holder.platform]
    obstacles = preflight(
        teams_readiness.Candidate(
            person=runtime.snapshot.person(holder.user_id),
            configuration=row,
            wanted=LineNumber(number, NumberType(wanted["type"])),
            row=number_row,
            held=tuple(
                held
                for held in runtime.snapshot.numbers_of(holder.user_id)
                if held.number not in given_up
            ),
            given_up=given_up,
            location_id=wanted.get("location"),
            countries=plan_table.usage_locations(number),
        )
    )
    obstacles = tuple(obstacle for obstacle in obstacles if not obstacle.warns)
    if not obstacles:
        return
    message = "; ".join(obstacle.message for obstacle in obstacles)
    first = next((o for o in obstacles if not o.waits), obstacles[0])
    if first.waits:
        is_lag = first.reason is Reason.NUMBER_ON_PREMISES
        seconds = LAG_LOOK_SECONDS if is_lag else LICENCE_LOOK_SECONDS
        raise Waiting(first.reason, message, after_seconds=seconds)
    raise Stalled(first.reason, message)


def split_unsupported(
    gathered: Gathered, changes: tuple[Change, ...]
) -> tuple[tuple[Change, ...], Stalled | None]:
    """What the system cannot do is left out and said with its manual step; the rest goes on."""
    supported, said = [], []
    for change in changes:
        cannot = gathered.runtime.provider.unsupported(change)
        if cannot is None:
            supported.append(change)
        else:
            said.append(f"{cannot.reason}; by hand: {cannot.manual_step}")
    verdict = Stalled(Reason.UNSUPPORTED, " | ".join(said)) if said else None
    return tuple(supported), verdict


def range_names(mirror: RegisterMirror, gated: Iterable[Change]) -> dict[str, str]:
    """The range that each gated change counts against, by change id; empty where it is none's."""
    names = {}
    for change in gated:
        row = mirror.numbers.get(E164(change.number)) if change.number is not None else None
        names[change.change_id] = row.range_name if row is not None else ""
    return names


async def pass_gate(scope: Scope, gathered: Gathered, changes: tuple[Change, ...]) -> None:
    """The object's chain starts only when all its gated changes are granted."""
    gated = [change for change in changes if is_gated(change)]
    ranges = range_names(gathered.runtime.mirror, gated)
    await write_ahead.pass_gate(scope, gathered.runtime, gated, ranges)
