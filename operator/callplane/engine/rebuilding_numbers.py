"""What a lost register is rebuilt from: the numbers of our ranges, and who has them now.

Called by `callplane numbers rebuild`, which shows it, and carries it out once a person has
confirmed its digest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from callplane.apis.model import Resource
from callplane.apis.number_ranges import NumberRange
from callplane.apis.phone_numbers import PhoneNumber
from callplane.engine.observations import ConnectionObservation
from callplane.resources.platforms import NumberOnPlatform
from callplane.store import rebuilding
from callplane.store.ports import Move, NumberRow, ObservedNumber
from callplane.values import E164, HolderId, NumberSpan, Platform


@dataclass(frozen=True, slots=True)
class Rest:
    """How unassigned numbers rest: how long, until when, and which need none because a file says
    that they were free.
    """

    days: int
    until: datetime
    known_free: frozenset[E164] = frozenset()


@dataclass(frozen=True, slots=True)
class Rebuild:
    """What would be written: `moves` against the rows there are. The digest is over what was
    observed and how long unassigned numbers are to rest, so a confirmation is of exactly this.
    """

    observed: tuple[ObservedNumber, ...]
    moves: tuple[Move, ...]
    quarantine_days: int

    @property
    def held(self) -> int:
        return sum(1 for each in self.observed if each.holder is not None)

    @property
    def resting(self) -> int:
        return len(self.observed) - self.held

    @property
    def digest(self) -> str:
        lines = [f"quarantine {self.quarantine_days}"]
        lines += [
            f"{each.number.text} {each.holder or '-'} {each.range_name} {each.number_type}"
            for each in self.observed
        ]
        return "sha256:" + hashlib.sha256("\n".join(lines).encode()).hexdigest()


def prepare(
    observation: ConnectionObservation,
    *,
    owners: Iterable[Resource],
    rows: Mapping[E164, NumberRow],
    rest: Rest,
    others: Iterable[ConnectionObservation] = (),
) -> Rebuild:
    """What a rebuild of one connection would do.

    `owners` are the ranges and numbers that are ours; numbers outside of them are left alone, as
    are unassigned ones that were free, and those that somebody has on one of the `others`: they are
    for the rebuild of that one. Raises MoveRefused for a number of another connection that somebody
    is seen with here.
    """
    inventory = {row.number: row for row in observation.numbers}
    elsewhere = {
        row.number for other in others for row in other.numbers if row.holder_id is not None
    }
    observed = tuple(
        sorted(
            (
                each
                for each in _observed(observation, owners, inventory, rest.known_free)
                if each.holder is not None or each.number not in elsewhere
            ),
            key=lambda each: each.number,
        )
    )
    moves = rebuilding.moves(
        rows,
        observed,
        connection=observation.connection,
        quarantined_until=rest.until,
    )
    return Rebuild(observed, moves, rest.days)


def _observed(
    observation: ConnectionObservation,
    owners: Iterable[Resource],
    inventory: Mapping[E164, NumberOnPlatform],
    known_free: Collection[E164],
) -> Iterator[ObservedNumber]:
    seen: set[E164] = set()
    for range_name, number in _ours(owners):
        if number in seen:
            continue
        seen.add(number)
        row = inventory.get(number)
        holder = _holder(observation, row)
        if holder is None and number in known_free:
            continue
        number_type = row.number_type.value if row is not None else ""
        yield ObservedNumber(number, holder, range_name, number_type)


def spans(owners: Iterable[Resource]) -> Iterator[NumberSpan]:
    """All that the owners hold."""
    for owner in owners:
        if isinstance(owner, PhoneNumber):
            number = E164(owner.spec.e164)
            yield NumberSpan(number, number)
        elif isinstance(owner, NumberRange):
            yield from owner.spec.spans


def _ours(owners: Iterable[Resource]) -> Iterator[tuple[str, E164]]:
    """Numbers with the name of what holds them; one stated by itself goes before its range."""
    for owner in sorted(owners, key=lambda each: (each.kind != "PhoneNumber", each.name)):
        name = f"{owner.namespace}/{owner.name}"
        if isinstance(owner, PhoneNumber):
            yield name, E164(owner.spec.e164)
        elif isinstance(owner, NumberRange):
            for span in owner.spec.spans:
                for number in span:
                    yield name, number


def _holder(observation: ConnectionObservation, row: NumberOnPlatform | None) -> HolderId | None:
    if row is None or row.holder_id is None:
        return None
    connection = observation.connection
    return HolderId(Platform(connection.provider), connection.external_id, row.holder_id)
