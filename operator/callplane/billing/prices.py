"""The price of one call, chosen at its set-up and pinned from then on.

A price has one part, or two for the ranges where the caller's provider sets an access charge and
the number's holder a service charge (084, 087, 09 and 118 in the United Kingdom). Each part is a
charge line and is rounded by itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from callplane.billing.increments import Increment, charged, held


class LineKind(StrEnum):
    """What a charge line is for."""

    CALL = "Call"
    ACCESS_CHARGE = "AccessCharge"
    SERVICE_CHARGE = "ServiceCharge"


@dataclass(frozen=True, slots=True)
class PricePart:
    """One charge line to be: micro-units a minute and once an answered call, without tax."""

    kind: LineKind
    per_minute_micros: int
    per_call_micros: int = 0

    def __post_init__(self) -> None:
        if self.per_minute_micros < 0 or self.per_call_micros < 0:
            raise ValueError("a price is not negative")


@dataclass(frozen=True, slots=True)
class Price:
    """What a destination costs at an instant, and which row of which card says so."""

    card: str
    version: str
    prefix: str
    name: str
    band: str
    effective_from: datetime
    increment: Increment
    parts: tuple[PricePart, ...]
    #: Sums over the parts, which is what a hold and a limit look at.
    per_minute_micros: int = field(init=False)
    per_call_micros: int = field(init=False)

    def __post_init__(self) -> None:
        if not self.parts:
            raise ValueError("a price has at least one part")
        per_minute = sum(part.per_minute_micros for part in self.parts)
        object.__setattr__(self, "per_minute_micros", per_minute)
        object.__setattr__(self, "per_call_micros", sum(p.per_call_micros for p in self.parts))

    @property
    def hold_base_micros(self) -> int:
        """What a hold has besides the time: the fees, and room for each further part's rounding."""
        return self.per_call_micros + len(self.parts) - 1

    @property
    def steepest_micros(self) -> int:
        """What a limit on prices is compared with: the larger of a minute's and a call's price."""
        return max(self.per_minute_micros, self.per_call_micros)

    def hold(self, seconds: int, *, with_fee: bool) -> int:
        """What is kept back for so many billable seconds; 0 for none."""
        if seconds == 0:
            return 0
        base = self.hold_base_micros if with_fee else len(self.parts) - 1
        return held(seconds, self.per_minute_micros) + base

    def charge(self, part: PricePart, seconds: int, *, with_fee: bool) -> int:
        """What one part charges for so many billable seconds; 0 for none."""
        if seconds == 0:
            return 0
        fee = part.per_call_micros if with_fee else 0
        return charged(seconds, part.per_minute_micros) + fee
