"""What the carrier contract needs of a carrier: numbers, money, and ways to disturb it.

Each `CarrierStage` puts one provider in front of one world: the in-memory one, or a simulator that
is written without knowledge of our providers. Time stands still until a test moves it.
"""

from __future__ import annotations

import datetime
import enum
from typing import Protocol

from callplane.providers.carrier_protocol import CarrierProvider
from callplane.resources.carriers import EmergencyAddress, TrunkRoute
from callplane.testing.manual_clock import ManualClock
from callplane.values import E164

ON_SALE = tuple(E164(f"+44207946{last:04}") for last in range(10))
OWNED = tuple(E164(f"+44161496{last:04}") for last in range(3))
ELSEWHERE = E164("+441134960000")
"""A number of another carrier, which can be ported in."""
UNKNOWN_NUMBER = E164("+441144960000")
PREFIX = "442079"
MARKER = "cp-6f1c2a9b7d3e"
ADDRESS = EmergencyAddress(
    organisation="Example Ltd",
    building="12",
    street="Sample Street",
    town="London",
    postcode="SW1A 1AA",
)
RETRY_AFTER_SECONDS = 3.0
PORT_DAY = datetime.date(2026, 4, 2)


class CarrierMisfortune(enum.Enum):
    """What goes wrong, until `CarrierStage.calm`; faults of writes strike once."""

    READS_CUT = "every read loses its answer"
    READS_THROTTLED = "every read is told to wait"
    REQUEST_LOST = "the next write is lost on its way"
    ANSWER_LOST = "the answer to the next write is lost"
    FAILED_AFTER = "the next write is done and answered with 500"
    WRITE_THROTTLED = "the next write is told to wait"
    CREDENTIALS_WITHDRAWN = "the credentials are not accepted any more"


class CarrierStage(Protocol):
    """One provider and the world behind it: `ON_SALE` is on sale, `OWNED` is the account's."""

    provider: CarrierProvider
    clock: ManualClock
    route: TrunkRoute
    """A route that the account can use."""

    def strike(self, misfortune: CarrierMisfortune) -> None: ...

    def calm(self) -> None:
        """End all misfortunes but withdrawn credentials."""
        ...

    def add_numbers(self, count: int) -> None:
        """Further owned numbers, from +44 29 2018 0000 on."""
        ...

    def owns(self, number: E164) -> bool:
        """The truth, whatever readers see."""
        ...

    def purchases(self, number: E164) -> int:
        """How often the account has paid for buying it."""
        ...

    def attempts(self) -> int:
        """Writes that were sent so far, lost and refused ones included."""
        ...

    def sell(self, number: E164) -> None:
        """Another customer buys it."""
        ...

    def empty_the_balance(self) -> None: ...

    def orders_take(self, seconds: float) -> None: ...

    def orders_need_paperwork(self) -> None: ...

    def approve(self, reference: str) -> None: ...

    def reject(self, reference: str, reason: str) -> None: ...

    def port_is_refused(self, port_id: str, text: str) -> None:
        """For a detail that can be corrected."""
        ...

    def port_is_dated(self, port_id: str, day: datetime.date) -> None: ...

    def port_is_done(self, port_id: str) -> None: ...
