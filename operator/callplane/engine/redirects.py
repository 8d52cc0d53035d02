"""Calls to a number that rests go to somebody who answers: can that be had, and is it in force?

The SBC carries it out, from its rendered configuration. So it is there for numbers whose calls
cross our SBC; for others the command to type is said. Called by the passes of ranges and numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from callplane.apis.number_ranges import FOREIGN_ROUTES, NumberRange, Redirect
from callplane.apis.phone_numbers import PhoneNumber
from callplane.apis.reasons import Reason
from callplane.engine.gathering import DEPENDENCY_LOOK_SECONDS
from callplane.engine.keyed_queue import Priority
from callplane.engine.scope import Scope
from callplane.errors import Stalled, Waiting
from callplane.numbering.lifecycle import HELD, NumberState
from callplane.rules import redirects
from callplane.values import E164

#: How late a pass may be that a redirect's end asked for, and still tell others of it.
JUST_ENDED = timedelta(minutes=10)
MANUAL_STEP = (
    "route calls to the unassigned number in Teams: New-CsTeamsUnassignedNumberTreatment -Identity "
    "<name> -Pattern <number> -TargetType ResourceAccount or User -Target <object id> "
    "-TreatmentPriority 1"
)


async def look(scope: Scope, source: NumberRange | PhoneNumber) -> Mapping[E164, E164]:
    """Where calls go, by number, for those that rest and are redirected now.

    Raises Stalled Unsupported where calls do not cross our SBC, Stalled Conflict for a number that
    somebody has, Waiting while nobody has the number that calls are to go to.
    """
    now = scope.engine.clock.now()
    asked = {
        number: redirect
        for number, (_, redirect) in redirects.of(source).items()
        if redirect.until is None or redirect.until > now
    }
    _wake_refused(scope, source, now)
    _look_again(scope, asked, now)
    if not asked:
        return {}
    if source.spec.route in FOREIGN_ROUTES:
        raise Stalled(
            Reason.UNSUPPORTED,
            f"calls of route {source.spec.route.value} do not cross our SBC, so nothing redirects "
            f"them there; by hand: {MANUAL_STEP}",
        )
    in_force: dict[E164, E164] = {}
    for number, redirect in asked.items():
        to = E164(redirect.to)
        state, of_target = await _state(scope, number), await _state(scope, to)
        if state in HELD:
            raise Stalled(
                Reason.CONFLICT,
                f"{number.masked} is redirected, and somebody has it; take the redirect out",
            )
        if of_target is not NumberState.ASSIGNED:
            raise Waiting(
                Reason.DEPENDENCY_NOT_READY,
                f"{number.masked} is redirected to {to.masked}, which nobody has",
                after_seconds=DEPENDENCY_LOOK_SECONDS / 20,
            )
        in_force[number] = to
    return in_force


async def _state(scope: Scope, number: E164) -> NumberState:
    rows = await scope.engine.register.numbers_in(number, number)
    return rows[0].state if rows else NumberState.FREE


def _wake_refused(scope: Scope, source: NumberRange | PhoneNumber, now: datetime) -> None:
    """Who states a number whose redirect ended just now was refused it until then."""
    cache = scope.engine.cache
    for number, (_, redirect) in redirects.of(source).items():
        until = redirect.until
        if until is not None and until <= now < until + JUST_ENDED:
            named = cache.dependents(scope.key) if isinstance(source, PhoneNumber) else ()
            for key in {*cache.stating(number), *named}:
                scope.engine.queue.add(key, Priority.DEPENDENCY)


def _look_again(scope: Scope, asked: Mapping[E164, Redirect], now: datetime) -> None:
    """When the next of them ends."""
    ends = [entry.until for entry in asked.values() if entry.until is not None]
    if ends:
        seconds = (min(ends) - now).total_seconds()
        scope.engine.queue.add_later(scope.key, Priority.DRIFT, max(seconds, 1.0))
