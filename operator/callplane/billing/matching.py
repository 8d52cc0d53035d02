"""Calls as feeds that do not charge saw them, and which charged call each of them confirms.

Every ingress has one feed that charges its calls. The others are evidence: a sighting is matched by
whose line it was, its direction and its time. It confirms one charged leg, or, when none turns up,
says that a record is missing. It never charges anything.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from callplane.billing.mediation import Leg

#: The SBC's record begins with the answer, other feeds' with the invitation; and clocks differ.
TOLERANCE = timedelta(seconds=120)
#: So long after a call its record may still come before somebody should look.
PATIENCE = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Sighting:
    """One leg as a feed reports it. (source, external_id) is its key; numbers are E.164.

    `holder` is the number of ours: the caller's, or of an inbound call the one that was called;
    `other` the far one, empty where the feed does not say. `setup` is in UTC.
    """

    source: str
    external_id: str
    ingress: str
    inbound: bool
    holder: str
    other: str
    setup: datetime
    duration_seconds: int


@dataclass(frozen=True, slots=True)
class Candidate:
    """A charged leg that a sighting may be of; no other sighting of its feed confirms it.

    `apart_seconds` lies between their beginnings, `longer_seconds` between their durations.
    """

    sighting: tuple[str, str]
    leg: tuple[str, str, str]
    same_other: bool
    apart_seconds: float
    longer_seconds: int


def sighting_of(leg: Leg) -> Sighting:
    """A leg of a file, as evidence."""
    ours, far = leg.caller, leg.destination
    if leg.inbound:
        ours, far = far, ours
    return Sighting(
        source=leg.source,
        external_id=f"{leg.attempt_id}/{leg.leg}",
        ingress=leg.ingress,
        inbound=leg.inbound,
        holder=ours,
        other=far,
        setup=leg.setup,
        duration_seconds=leg.duration_seconds,
    )


def assign(candidates: Iterable[Candidate]) -> dict[tuple[str, str], tuple[str, str, str]]:
    """Which leg each sighting confirms: the likeliest pairs first, and each leg once a feed.

    The same far number speaks louder than time; time louder than duration.
    """
    found: dict[tuple[str, str], tuple[str, str, str]] = {}
    taken: set[tuple[str, tuple[str, str, str]]] = set()
    for one in sorted(
        candidates,
        key=lambda each: (
            not each.same_other,
            each.apart_seconds,
            each.longer_seconds,
            each.sighting,
            each.leg,
        ),
    ):
        feed = one.sighting[0]
        if one.sighting not in found and (feed, one.leg) not in taken:
            found[one.sighting] = one.leg
            taken.add((feed, one.leg))
    return found


def family(source: str) -> str:
    """The feed that a source belongs to: several SBCs of one estate charge as one, `sbc:name`."""
    return source.partition(":")[0]
