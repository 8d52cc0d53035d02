"""Where phones, PBXes and SIP addresses say they are, for the carrier that sends help there.

Teams and Webex tell where their people are. A line at our SBC has only the carrier of its number,
so its own emergency location counts there before that of the number or range.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from callplane.apis.emergency_locations import EmergencyLocation
from callplane.desired.declarations import is_line
from callplane.engine.gathering import consenting
from callplane.engine.keyed_queue import Priority
from callplane.engine.scope import Scope
from callplane.errors import Waiting
from callplane.numbering.lifecycle import HELD
from callplane.store.ports import NumberRow
from callplane.values import E164, ObjectKey, Platform


@dataclass(frozen=True, slots=True)
class HolderLocations:
    """By number, the locations that holders name. `unknown`: a holder has the number, and where is
    not known now, so that what the carrier has stays.
    """

    named: dict[E164, EmergencyLocation] = field(default_factory=dict)
    unknown: set[E164] = field(default_factory=set)


async def look(scope: Scope, rows: Iterable[NumberRow]) -> HolderLocations:
    """The locations of those who have these numbers by our SBC and name one of their own."""
    found = HolderLocations()
    for row in rows:
        holder, by = row.holder, row.declared_by
        if holder is None or holder.platform is not Platform.SIP or row.state not in HELD:
            continue
        cached = scope.engine.cache.get(by.key) if by is not None else None
        resource = cached.resource if cached is not None else None
        if not is_line(resource):
            # Who declares it is gone or cannot be read; the holder may well be where it was.
            found.unknown.add(row.number)
            continue
        reference = resource.spec.emergency_location_ref
        if reference is None:
            continue
        try:
            location = await consenting(
                scope, "EmergencyLocation", reference, namespace=resource.namespace
            )
        except Waiting:
            # The holder's own pass says what is missing.
            found.unknown.add(row.number)
            continue
        assert isinstance(location, EmergencyLocation)
        found.named[row.number] = location
    return found


def tell_carrier(scope: Scope, rows: Iterable[NumberRow]) -> None:
    """What a holder at our SBC says of itself may have changed: the objects of its numbers look."""
    resource = scope.resource
    if not is_line(resource) or scope.priority > Priority.DEPENDENCY:
        return
    if resource.spec.emergency_location_ref is None and scope.priority is not Priority.USER:
        # Only an edit can have taken the reference out.
        return
    for row in rows:
        if row.holder is None or row.holder.platform is not Platform.SIP:
            continue
        namespace, _, name = row.range_name.partition("/")
        for kind in ("NumberRange", "PhoneNumber"):
            key = ObjectKey(kind, namespace, name)
            if scope.engine.cache.get(key) is not None:
                scope.engine.queue.add(key, Priority.DEPENDENCY)
