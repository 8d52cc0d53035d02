"""Numbers that are kept back: for whom, until when. Called by `claims` and `number_ranges`.

A number whose calls go elsewhere is kept back as well: the SBC would go on diverting the calls of
whoever got it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime

from callplane.apis.number_ranges import FOREIGN_ROUTES, NumberRange, NumberReservation
from callplane.apis.phone_numbers import PhoneNumber
from callplane.rules import redirects
from callplane.values import E164


def of(source: NumberRange | PhoneNumber) -> tuple[NumberReservation, ...]:
    """The reservations of a range, or the one of a single number, after one for each number that is
    redirected: of two that are in force, what somebody reserved goes before.
    """
    if isinstance(source, NumberRange):
        return (*_redirected(source), *source.spec.reservations)
    reservation = source.spec.reservation
    if reservation is None:
        return tuple(_redirected(source))
    return (
        *_redirected(source),
        NumberReservation(
            number=source.spec.e164,
            holder=reservation.holder,
            until=reservation.until,
            reason=reservation.reason,
        ),
    )


def _redirected(source: NumberRange | PhoneNumber) -> Iterator[NumberReservation]:
    """Where calls do not cross our SBC, nothing redirects them."""
    if source.spec.route in FOREIGN_ROUTES:
        return
    for number, (_, redirect) in redirects.of(source).items():
        yield NumberReservation(
            number=number.text, until=redirect.until, reason="its calls are redirected"
        )


def in_force(entries: Sequence[NumberReservation], now: datetime) -> dict[E164, NumberReservation]:
    """Those that have not ended, by number; of several of one number, the last."""
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
