"""Money as the books keep it: whole micro-units of a currency, never a float.

A micro-unit is 10⁻⁶ of the currency's main unit, so a tenth of a penny is 1,000 of them. Amounts
fit 64 bits, as the database's bigint does.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MICROS = 1_000_000
#: Micro-units in a penny or cent: what a statement's totals are rounded to.
MINOR_MICROS = 10_000
INT64_MAX = 2**63 - 1

_AMOUNT = re.compile(r"(-?)([0-9]{1,12})(?:\.([0-9]{1,6}))?\Z")
_CURRENCY = re.compile(r"[A-Z]{3}\Z")


@dataclass(frozen=True, slots=True)
class Money:
    """An amount of one currency (ISO 4217 code).

    >>> Money.parse("12.5", "GBP") + Money(7_500, "GBP")
    Money(micros=12507500, currency='GBP')
    >>> str(Money(12_507_500, "GBP"))
    '12.5075 GBP'
    """

    micros: int
    currency: str

    def __post_init__(self) -> None:
        if not _CURRENCY.match(self.currency):
            raise ValueError(f"{self.currency!r} is no currency: three capital letters, as in GBP")
        if abs(self.micros) > INT64_MAX:
            raise ValueError("an amount does not fit 64 bits")

    @classmethod
    def parse(cls, text: str, currency: str) -> Money:
        """Read `12`, `12.5` or `-0.000001`. Raises ValueError for everything else."""
        return cls(parse_micros(text), currency)

    @property
    def rounded_to_minor(self) -> Money:
        """To whole pence or cents, half away from zero."""
        size = (abs(self.micros) + MINOR_MICROS // 2) // MINOR_MICROS * MINOR_MICROS
        return Money(-size if self.micros < 0 else size, self.currency)

    def __add__(self, other: Money) -> Money:
        return Money(self.micros + self._same(other), self.currency)

    def __sub__(self, other: Money) -> Money:
        return Money(self.micros - self._same(other), self.currency)

    def __neg__(self) -> Money:
        return Money(-self.micros, self.currency)

    def __str__(self) -> str:
        return f"{amount_text(self.micros)} {self.currency}"

    def _same(self, other: Money) -> int:
        if other.currency != self.currency:
            raise ValueError(f"{other.currency} and {self.currency} do not add up")
        return other.micros


def parse_micros(text: str) -> int:
    """A decimal amount of the main unit, as micro-units. Raises ValueError.

    >>> parse_micros("0.015")
    15000
    """
    found = _AMOUNT.match(text)
    if found is None:
        raise ValueError(
            f"{text!r} is no amount: up to 12 digits, then up to 6 behind a point, as in 12.50"
        )
    sign, whole, fraction = found.groups()
    micros = int(whole) * MICROS + int((fraction or "").ljust(6, "0"))
    return -micros if sign else micros


def amount_text(micros: int) -> str:
    """Micro-units as a decimal of the main unit, with at least two digits behind the point.

    >>> amount_text(1_500_000), amount_text(-1)
    ('1.50', '-0.000001')
    """
    if micros < 0:
        return "-" + amount_text(-micros)
    whole, fraction = divmod(micros, MICROS)
    if fraction % MINOR_MICROS:
        return f"{whole}.{fraction:06}".rstrip("0")
    return f"{whole}.{fraction // MINOR_MICROS:02}"
