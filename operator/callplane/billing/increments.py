"""Billing increments and the two roundings of money: holds up, charges half-up, once a charge line.

Everything is closed-form integer arithmetic: an answer costs the same for 3 minutes and for 3
hours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import polars

MINUTE_SECONDS = 60

#: A whole number, or a column of them in a batch: both are rounded by the same functions.
Whole = TypeVar("Whole", int, "polars.Expr")


def up_to_step(seconds: Whole, step: Whole) -> Whole:
    """The next multiple of a step at or above."""
    return -(-seconds // step) * step


def down_to_step(seconds: Whole, step: Whole) -> Whole:
    """The last multiple of a step at or below."""
    return seconds // step * step


@dataclass(frozen=True, slots=True)
class Increment:
    """How call time is counted: `first` seconds at least, then steps of `next`.

    >>> [Increment(30, 6).billable(seconds) for seconds in (0, 1, 31, 36, 37)]
    [0, 30, 36, 36, 42]
    """

    first: int = 1
    next: int = 1

    def __post_init__(self) -> None:
        if self.first < 1 or self.next < 1:
            raise ValueError(f"{self} is no increment: both parts are at least one second")

    def billable(self, seconds: int) -> int:
        """The seconds that are charged for a call of so many; none for a call without any."""
        if seconds <= 0:
            return 0
        return self.first + max(0, up_to_step(seconds - self.first, self.next))

    def whole(self, seconds: int) -> int:
        """The longest call that is charged no more than so many seconds; 0 when none is."""
        if seconds < self.first:
            return 0
        return self.first + down_to_step(seconds - self.first, self.next)

    def __str__(self) -> str:
        return f"{self.first}/{self.next}"


#: Every second as it is.
PER_SECOND = Increment()


def charged(seconds: Whole, per_minute_micros: Whole) -> Whole:
    """What so many seconds cost on one charge line: rounded half up, once, and nowhere else."""
    return (seconds * per_minute_micros + 30) // MINUTE_SECONDS


def held(seconds: int, per_minute_micros: int) -> int:
    """What is kept back for so many seconds: rounded up, so that no charge exceeds its hold."""
    return -(-seconds * per_minute_micros // MINUTE_SECONDS)


def affordable(micros: int, per_minute_micros: int) -> int:
    """The longest time whose hold is within `micros`: the inverse of `held`. The price is above 0.

    >>> held(affordable(100, 7), 7) <= 100 < held(affordable(100, 7) + 1, 7)
    True
    """
    return MINUTE_SECONDS * micros // per_minute_micros
