"""What is due each month whatever is called: platform, seats, hosted numbers, plans and bolt-ons.

Who pays the carrier decides: a customer who brings his own pays the platform fee alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from callplane.billing.active_users import SeatPlatform


class HostingStarts(StrEnum):
    """From which state on a hosted number bears its fee."""

    ORDER = "Order"
    ACCEPTANCE = "Acceptance"
    ACTIVATION = "Activation"


@dataclass(frozen=True, slots=True)
class Package:
    """Monthly fees in micro-units without tax, from a day on."""

    effective_from: date
    platform_micros: int = 0
    hosting_micros: int = 0
    bolt_on_micros: int = 0
    seat_micros: Mapping[SeatPlatform, int] = field(default_factory=dict)
    hosting_starts: HostingStarts = HostingStarts.ACCEPTANCE


@dataclass(frozen=True, slots=True)
class HostedNumber:
    """A number of a hosted carrier; assigned, spare and resting ones alike.

    `byoc`: the customer pays the carrier, so there is nothing to host. `each_micros`: what its
    carrier's hosting fee says, in place of the package's.
    """

    number: str
    byoc: bool = False
    each_micros: int | None = None


@dataclass(frozen=True, slots=True)
class Hosting:
    """What was hosted at any moment of a month, as it was seen while the month ran."""

    numbers: Sequence[HostedNumber] = ()
    has_bolt_on: bool = False


@dataclass(frozen=True, slots=True)
class Month:
    """What an account had in a month. `plans` lists (plan, price) once for each holder."""

    numbers: Sequence[HostedNumber] = ()
    seats: Mapping[SeatPlatform, int] = field(default_factory=dict)
    plans: Sequence[tuple[str, int]] = ()
    has_bolt_on: bool = False
    #: Whether any trunk or range of the account is on a hosted carrier.
    is_hosted: bool = True


@dataclass(frozen=True, slots=True)
class FeeLine:
    """One line of a statement: so many of something at a price each."""

    description: str
    quantity: int
    each_micros: int

    @property
    def amount_micros(self) -> int:
        return self.quantity * self.each_micros


def fees(package: Package, month: Month) -> Iterator[FeeLine]:
    """The lines of a month. A hosted number has one line of its own, so that it can be checked."""
    if package.platform_micros:
        yield FeeLine("Platform", 1, package.platform_micros)
    if month.has_bolt_on and package.bolt_on_micros:
        yield FeeLine("Extended provisioning", 1, package.bolt_on_micros)
    if not month.is_hosted:
        return
    for hosted in month.numbers:
        if not hosted.byoc:
            own = hosted.each_micros
            each = package.hosting_micros if own is None else own
            yield FeeLine(f"Hosting {hosted.number}", 1, each)
    for platform, count in sorted(month.seats.items()):
        if count:
            yield FeeLine(f"Users on {platform.value}", count, package.seat_micros.get(platform, 0))
    for plan in sorted(set(month.plans)):
        name, price = plan
        yield FeeLine(f"Calling plan {name}", month.plans.count(plan), price)


def package_on(packages: Sequence[Package], day: date) -> Package | None:
    """The package in force on a day; None when none had begun."""
    begun = [package for package in packages if package.effective_from <= day]
    return max(begun, key=lambda package: package.effective_from, default=None)
