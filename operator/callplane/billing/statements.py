"""A month as its payer reads it: lines, net, tax, gross in pence, and whether plans paid off.

A statement is computed from fees and charges and changes nothing. Its total is rounded to pence,
and the difference is a posting of its own, so that the ledger owes exactly what the paper says.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

from callplane.billing.fees import FeeLine
from callplane.billing.postings import Posting, Purpose, receivable_of
from callplane.billing.taxes import TaxRate, TaxTreatment
from callplane.values import Money, Period
from callplane.values.money import amount_text


class StatementState(Enum):
    """Open: the month runs. Closing: late records still come in. Closed: numbered, and final."""

    OPEN = "Open"
    CLOSING = "Closing"
    CLOSED = "Closed"


CLOSING_HOURS = 72


class Section(Enum):
    """What a line is for, in the order in which a statement shows it."""

    FEES = "Fees"
    CALLS = "Calls"
    ADJUSTMENTS = "Adjustments"


@dataclass(frozen=True, slots=True)
class FairUse:
    """A PBX from which more people called than its owner declares. It is billed as declared."""

    trunk: str
    declared_users: int
    observed_callers: int


@dataclass(frozen=True, slots=True)
class StatementLine:
    """One amount without tax. `treatment` says whether it bears tax; `section` what kind of thing
    it is for, `adjusts` (a month like 2026-10) which closed month it belongs to.
    """

    description: str
    quantity: int
    amount_micros: int
    treatment: TaxTreatment = TaxTreatment.STANDARD
    section: Section = Section.CALLS
    adjusts: str = ""


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
    fair_use: tuple[FairUse, ...] = ()


def state_of(period: Period, now: datetime, *, is_closed: bool) -> StatementState:
    """Where the statement of a month is in its life."""
    if is_closed:
        return StatementState.CLOSED
    return StatementState.OPEN if now < period.end else StatementState.CLOSING


def may_close(period: Period, now: datetime) -> bool:
    """Late records of a month are waited for so long."""
    return now >= period.end + timedelta(hours=CLOSING_HOURS)


def statement(  # noqa: PLR0913 - the parts of a statement, all named
    account: str,
    period: Period,
    *,
    currency: str,
    lines: Iterable[StatementLine],
    tax: TaxRate | None,
    usage: Usage | None = None,
    sample_prices: bool = False,
    fair_use: Iterable[FairUse] = (),
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
        fair_use=tuple(fair_use),
    )


def fee_lines(found: Iterable[FeeLine], treatment: TaxTreatment) -> Iterable[StatementLine]:
    """Fees as lines of a statement."""
    for line in found:
        yield StatementLine(
            line.description, line.quantity, line.amount_micros, treatment, Section.FEES
        )


def closing_postings(closed: Statement) -> Iterable[Posting]:
    """What closing a statement adds to the ledger: fees, tax and the rounding difference.

    With the charges of its calls, which were posted before, they are the total of the paper.
    """
    owed = receivable_of(closed.account)
    for line in closed.lines:
        if line.section is Section.FEES and line.amount_micros:
            pair = (owed, "revenue:fees")
            yield Posting(*pair, closed.currency, line.amount_micros, Purpose.FEE)
    for name, _, _, amount in closed.taxes:
        if amount:
            pair = (owed, f"tax:{name}") if amount > 0 else (f"tax:{name}", owed)
            yield Posting(*pair, closed.currency, abs(amount), Purpose.TAX)
    if closed.rounding_micros:
        pair = (owed, "rounding") if closed.rounding_micros > 0 else ("rounding", owed)
        yield Posting(*pair, closed.currency, abs(closed.rounding_micros), Purpose.ROUNDING)


def document(made: Statement) -> dict[str, Any]:
    """All that a statement says, as JSON: what is kept when it is closed, and what is printed."""
    usage = made.usage
    return {
        "account": made.account,
        "month": made.period.label,
        "timeZone": made.period.zone,
        "currency": made.currency,
        "lines": [
            {
                "section": line.section.value,
                "description": line.description,
                "quantity": line.quantity,
                "amount": amount_text(line.amount_micros),
                "taxed": line.treatment is TaxTreatment.STANDARD,
                **({"adjusts": line.adjusts} if line.adjusts else {}),
            }
            for line in made.lines
        ],
        "net": amount_text(made.net_micros),
        "taxes": [
            {
                "name": name,
                "percent": points / 100,
                "on": amount_text(net),
                "amount": amount_text(a),
            }
            for name, points, net, a in made.taxes
        ],
        "rounding": amount_text(made.rounding_micros),
        "total": amount_text(made.gross.micros),
        "poolSeconds": usage.pool_seconds,
        "entitlementSeconds": usage.entitlement_seconds,
        "graceSeconds": usage.grace_seconds,
        "unchargedSeconds": usage.uncharged_seconds,
        "planFees": amount_text(usage.plan_fee_micros),
        "planMinutesAtStandardRate": amount_text(usage.standard_micros),
        "plansPaidOff": usage.plans_paid_off,
        "fairUseExceeded": [
            {"trunk": one.trunk, "declared": one.declared_users, "observed": one.observed_callers}
            for one in made.fair_use
        ],
        "samplePrices": made.sample_prices,
    }


def digest(content: Mapping[str, Any]) -> str:
    """SHA-256 of a document, whatever the order of its keys."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
