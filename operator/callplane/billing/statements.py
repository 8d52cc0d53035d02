"""A month as its payer reads it: lines, net, tax, gross in pence, and whether plans paid off.

A statement is computed from fees and charges and changes nothing. Its total is rounded to pence,
and the difference is a posting of its own, so that the ledger owes exactly what the paper says.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from callplane.billing.fees import FeeLine
from callplane.billing.postings import Posting, Purpose, receivable_of
from callplane.billing.taxes import TaxRate, TaxTreatment
from callplane.values import Money, Period


class StatementState(Enum):
    """Open: the month runs. Closing: late records still come in. Closed: numbered, and final."""

    OPEN = "Open"
    CLOSING = "Closing"
    CLOSED = "Closed"


CLOSING_HOURS = 72


@dataclass(frozen=True, slots=True)
class StatementLine:
    """One amount without tax. `treatment` says whether it bears tax."""

    description: str
    quantity: int
    amount_micros: int
    treatment: TaxTreatment = TaxTreatment.STANDARD


@dataclass(frozen=True, slots=True)
class Usage:
    """What is told about a month beside its lines.

    `standard_micros` is what the minutes from the pool would have cost on the card, and
    `plan_fee_micros` what the plans cost that gave them.
    """

    entitlement_seconds: int = 0
    pool_seconds: int = 0
    grace_seconds: int = 0
    uncharged_seconds: int = 0
    standard_micros: int = 0
    plan_fee_micros: int = 0

    @property
    def plans_paid_off(self) -> bool | None:
        """Were plans cheaper than the standard rate? None when there were none."""
        if not self.plan_fee_micros:
            return None
        return self.plan_fee_micros <= self.standard_micros


@dataclass(frozen=True, slots=True)
class Statement:
    """All of a month. Amounts are micro-units but for `gross`, which is whole pence."""

    account: str
    period: Period
    currency: str
    lines: tuple[StatementLine, ...]
    net_micros: int
    #: (name of the rate, basis points, net it was computed on, tax)
    taxes: tuple[tuple[str, int, int, int], ...]
    gross: Money
    rounding_micros: int
    usage: Usage
    sample_prices: bool = False


def statement(  # noqa: PLR0913 - the parts of a statement, all named
    account: str,
    period: Period,
    *,
    currency: str,
    lines: Iterable[StatementLine],
    tax: TaxRate | None,
    usage: Usage | None = None,
    sample_prices: bool = False,
) -> Statement:
    """Add a month up. `tax` is what lines of the standard treatment bear, by the month's end."""
    listed = tuple(lines)
    net = sum(line.amount_micros for line in listed)
    taxed = sum(line.amount_micros for line in listed if line.treatment is TaxTreatment.STANDARD)
    taxes = () if tax is None else ((tax.name, tax.basis_points, taxed, tax.of(taxed)),)
    exact = Money(net + sum(amount for *_, amount in taxes), currency)
    gross = exact.rounded_to_minor
    return Statement(
        account=account,
        period=period,
        currency=currency,
        lines=listed,
        net_micros=net,
        taxes=taxes,
        gross=gross,
        rounding_micros=(gross - exact).micros,
        usage=usage or Usage(),
        sample_prices=sample_prices,
    )


def fee_lines(found: Iterable[FeeLine], treatment: TaxTreatment) -> Iterable[StatementLine]:
    """Fees as lines of a statement."""
    for line in found:
        yield StatementLine(line.description, line.quantity, line.amount_micros, treatment)


def closing_postings(closed: Statement) -> Iterable[Posting]:
    """What closing a statement adds to the ledger: tax and the rounding difference."""
    owed = receivable_of(closed.account)
    for name, _, _, amount in closed.taxes:
        if amount:
            pair = (owed, f"tax:{name}") if amount > 0 else (f"tax:{name}", owed)
            yield Posting(*pair, closed.currency, abs(amount), Purpose.TAX)
    if closed.rounding_micros:
        pair = (owed, "rounding") if closed.rounding_micros > 0 else ("rounding", owed)
        yield Posting(*pair, closed.currency, abs(closed.rounding_micros), Purpose.ROUNDING)
