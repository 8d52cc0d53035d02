"""Tax on what is billed: rates with dates, and a treatment for each account and line.

Prices are without tax. Tax is computed once for each rate of a statement, on the sum of its lines.
Rates are data of the account; none is built in.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

BASIS_POINTS = 10_000


class TaxTreatment(StrEnum):
    """Why a line bears tax or none."""

    STANDARD = "Standard"
    REVERSE_CHARGE = "ReverseCharge"
    EXEMPT = "Exempt"
    OUT_OF_SCOPE = "OutOfScope"


@dataclass(frozen=True, slots=True)
class TaxRate:
    """One rate from a day on; `basis_points` is hundredths of a per cent."""

    name: str
    basis_points: int
    effective_from: date

    def __post_init__(self) -> None:
        if not 0 <= self.basis_points <= BASIS_POINTS:
            raise ValueError("a tax rate lies between 0 and 100 per cent")

    def of(self, net_micros: int) -> int:
        """The tax on a sum, rounded half up once; on a credit, as on the charge it takes back."""
        size = (abs(net_micros) * self.basis_points + BASIS_POINTS // 2) // BASIS_POINTS
        return -size if net_micros < 0 else size


def rate_on(rates: Iterable[TaxRate], day: date) -> TaxRate | None:
    """The rate in force on a day; None when none had begun."""
    begun = [rate for rate in rates if rate.effective_from <= day]
    return max(begun, key=lambda rate: rate.effective_from, default=None)
