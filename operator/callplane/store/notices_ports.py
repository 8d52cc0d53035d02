"""What is asked of notices: each threshold once, and each delivery at most once.

A delivery is marked before it is sent. Whoever finds the mark after a crash cannot know whether the
receiver has it, and does not send it again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Protocol

from callplane.billing.notices import Threshold
from callplane.store.books_ports import Payer


class DeliveryState(Enum):
    """Waiting: not sent, or refused by the receiver. Unknown: sent, and nobody knows more."""

    WAITING = "Waiting"
    SENDING = "Sending"
    DELIVERED = "Delivered"
    UNKNOWN = "Unknown"
    GIVEN_UP = "GivenUp"


@dataclass(frozen=True, slots=True)
class Notice:
    """A threshold of an account's month that was crossed at `at`."""

    account: str
    period_start: datetime
    threshold: Threshold
    at: datetime

    @property
    def key(self) -> tuple[str, datetime, str, int, int]:
        one = self.threshold
        return (self.account, self.period_start, one.what, one.percent, one.limit_amount)


@dataclass(frozen=True, slots=True)
class Delivery:
    """One notice for one target; `attempts` counts this one."""

    notice: Notice
    target: str
    attempts: int


class NoticeBook(Protocol):
    """Methods raise StoreUnavailable."""

    async def cross(
        self,
        payer: Payer,
        thresholds: Sequence[Threshold],
        *,
        targets: Sequence[str],
        now: datetime,
    ) -> tuple[Notice, ...]:
        """Write down thresholds with a delivery for each target; those that are new come back."""
        ...

    async def take(self, *, now: datetime, limit: int = 50) -> tuple[Delivery, ...]:
        """Deliveries that are due, marked as being sent: whoever takes one sends it."""
        ...

    async def end(
        self, delivery: Delivery, state: DeliveryState, *, next_at: datetime | None = None
    ) -> None:
        """What became of a delivery that was taken; one that waits again does so until then."""
        ...

    async def abandon(self) -> int:
        """After a crash: what was being sent is unknown from now on. How many were there?"""
        ...

    async def states(self) -> dict[DeliveryState, int]:
        """How many deliveries are in each state."""
        ...
