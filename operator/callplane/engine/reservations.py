"""Numbers that are kept back: for whom, until when. Called by `claims` and `number_ranges`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from callplane.apis.number_ranges import NumberRange, NumberReservation
from callplane.apis.phone_numbers import PhoneNumber
from callplane.values import E164


def of(source: NumberRange | PhoneNumber) -> tuple[NumberReservation, ...]:
    """The reservations of a range, or the one of a single number."""
    if isinstance(source, NumberRange):
        return source.spec.reservations
    reservation = source.spec.reservation
    if reservation is None:
        return ()
    return (
        NumberReservation(
            number=source.spec.e164,
            holder=reservation.holder,
            until=reservation.until,
            reason=reservation.reason,
        ),
    )


def in_force(entries: Sequence[NumberReservation], now: datetime) -> dict[E164, NumberReservation]:
    """Those that have not ended, by number."""
    return {
        E164(entry.number): entry
        for entry in entries
        if entry.until is None or _as_datetime(entry.until) > now
    }


def next_end(entries: Sequence[NumberReservation], now: datetime) -> datetime | None:
    """When the next of them ends."""
    ends = [_as_datetime(entry.until) for entry in entries if entry.until is not None]
    return min((end for end in ends if end > now), default=None)


def is_for(entry: NumberReservation, names: Iterable[str]) -> bool:
    """`names` are the person's object id and user principal name."""
    return entry.holder is not None and entry.holder.lower() in {name.lower() for name in names}


def _as_datetime(until: object) -> datetime:
    if isinstance(until, datetime):
        return until
    return datetime.fromisoformat(str(until)).replace(tzinfo=UTC)
