"""What a release still needs: the keys of those who ask, a rest, and nobody who has the number.

Each that is missing is named, not only the first, and says whether it comes by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any

from callplane.apis.number_ranges import NumberRange
from callplane.apis.phone_numbers import PhoneNumber
from callplane.apis.reasons import Reason
from callplane.engine import gathering
from callplane.engine.carrier_gathering import CarrierSide
from callplane.engine.scope import Scope
from callplane.errors import Stalled, Waiting
from callplane.numbering.lifecycle import HELD, NumberState
from callplane.store.ports import NumberEvent, NumberRow
from callplane.values import E164, ObjectKey

LONGEST_LOOK_SECONDS = 6 * 3600.0
LOOK_SECONDS = 300.0
# The bounds of status.releaseNeeds.
NEEDS_SHOWN = 16
NEED_CHARACTERS = 256


@dataclass(frozen=True, slots=True)
class Missing:
    """One key that a release lacks; `until` where it comes by itself."""

    what: str
    until: datetime | None = None


async def missing(
    scope: Scope, side: CarrierSide, phone: PhoneNumber, row: NumberRow | None
) -> list[Missing]:
    """Every key that is not there, not only the first."""
    number, now = E164(phone.spec.e164), scope.engine.clock.now()
    found = []
    acknowledged = phone.spec.release_acknowledgement
    if acknowledged is None:
        found.append(Missing("releaseAcknowledgement with the number and the day"))
    elif acknowledged.date > now.date():
        begins = datetime.combine(acknowledged.date, time(), tzinfo=UTC)
        found.append(
            Missing(f"the day of the acknowledgement, {acknowledged.date:%Y-%m-%d}", begins)
        )
    if side.incident is not None and side.is_frozen:
        found.append(
            Missing(
                f"the end of the incident: {side.incident.text}",
                now + timedelta(seconds=LOOK_SECONDS),
            )
        )
    found += in_the_way(scope, number, row)
    found += await _rest(scope, phone, row, now)
    return found


def in_the_way(scope: Scope, number: E164, row: NumberRow | None) -> list[Missing]:
    """Who has the number, by the register, by the platforms, or by a manifest."""
    found = []
    if row is not None and row.state in HELD:
        owner = row.declared_by or row.holder
        found.append(Missing(f"that {owner} gives the number up"))
    found += [Missing(f"that {key} no longer names the number") for key in _naming(scope, number)]
    soon = scope.engine.clock.now() + timedelta(seconds=gathering.LISTING_LOOK_SECONDS)
    found += [
        Missing(f"a listing of {key}, to see that nobody has the number there", soon)
        for key in gathering.unlisted(scope)
    ]
    for runtime in scope.engine.connections.values():
        seen = runtime.snapshot.number(number)
        if seen is not None and seen.holder_id is not None and row is None:
            found.append(Missing(f"that its holder in {runtime.key} gives the number up"))
    return found


def _naming(scope: Scope, number: E164) -> list[ObjectKey]:
    """Other objects that name the number: by this object, by itself, or in a range of theirs."""
    cache = scope.engine.cache
    keys = {*cache.dependents(scope.key), *cache.stating(number)}
    for cached in cache.of_kind("PbxTrunk"):
        spec: Any = getattr(cached.resource, "spec", None)
        if getattr(spec, "emergency_callback_number", None) == number.text:
            keys.add(cached.key)
    for kind in ("NumberRange", "PhoneNumber"):
        keys |= {
            cached.key
            for cached in cache.of_kind(kind)
            if cached.key != scope.key and _contains(cached.resource, number)
        }
    return sorted(keys)


def _contains(resource: object, number: E164) -> bool:
    if isinstance(resource, NumberRange):
        return any(number in span for span in resource.spec.spans)
    return isinstance(resource, PhoneNumber) and resource.spec.e164 == number.text


async def _rest(
    scope: Scope, phone: PhoneNumber, row: NumberRow | None, now: datetime
) -> list[Missing]:
    """Has the number rested its full time since anybody had it, or since it was acknowledged?"""
    days = timedelta(days=phone.spec.quarantine.days)
    if row is not None and row.state is NumberState.QUARANTINED:
        until = row.quarantined_until
        if until is None:
            return [Missing("an end of its rest: its history is unknown")]
        return [Missing(f"the end of its rest, {until:%Y-%m-%d}", until)] if until > now else []
    since = _left_at(await scope.engine.register.history(E164(phone.spec.e164)))
    if since is None:
        # Nobody ever had it here; it may have been in use before it came to us.
        acknowledged = phone.spec.release_acknowledgement
        if acknowledged is None:
            return []
        since = datetime.combine(acknowledged.date, time(), tzinfo=UTC)
    until = since + days
    return [Missing(f"the end of its rest, {until:%Y-%m-%d}", until)] if until > now else []


def _left_at(history: tuple[NumberEvent, ...]) -> datetime | None:
    """When a holder last had the number."""
    times = [event.at for event in history if event.from_state in HELD or event.to_state in HELD]
    return max(times, default=None)


def show(scope: Scope, found: list[Missing]) -> None:
    """As many as status may hold, each as long as it may be."""
    shown = [each.what[:NEED_CHARACTERS] for each in found[:NEEDS_SHOWN]]
    scope.status["releaseNeeds"] = shown


def verdict(scope: Scope, number: E164, found: list[Missing]) -> Stalled | Waiting:
    """What is missing, as the verdict of a pass: it waits for what comes by itself, if all does."""
    text = f"{number.masked} is kept; a release needs: " + "; ".join(m.what for m in found)
    days = [each.until for each in found if each.until is not None]
    if len(days) < len(found):
        return Stalled(Reason.RELEASE_REFUSED, text)
    seconds = (min(days) - scope.engine.clock.now()).total_seconds()
    return Waiting(
        Reason.RELEASE_WAITING, text, after_seconds=min(max(seconds, 1.0), LONGEST_LOOK_SECONDS)
    )
