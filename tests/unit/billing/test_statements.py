"""Statements: net, tax once a rate, gross in pence, and what closing one posts."""

from __future__ import annotations

from datetime import date

import pytest

from callplane.billing.fees import FeeLine, HostingStarts, Package, package_on
from callplane.billing.postings import Posting, Purpose, balances, entitlement
from callplane.billing.statements import (
    Section,
    StatementLine,
    closing_postings,
    fee_lines,
    statement,
)
from callplane.billing.taxes import TaxRate, TaxTreatment, rate_on
from callplane.values import Money, Period

OCTOBER = Period.parse("2026-10", "Europe/London")
TWENTY = TaxRate("VAT 20 %", 2_000, date(2011, 1, 4))
FIVE = TaxRate("VAT 5 %", 500, date(2026, 12, 1))


def test_tax_is_computed_once_on_the_sum() -> None:
    lines = [StatementLine("calls", 1, 3), StatementLine("calls", 1, 4)]
    found = statement("a/b", OCTOBER, currency="GBP", lines=lines, tax=TWENTY)
    assert found.taxes == (("VAT 20 %", 2_000, 7, 1),)
    assert found.net_micros == 7


def test_gross_is_whole_pence_and_the_difference_is_posted() -> None:
    lines = [
        StatementLine("calls", 1, 1_003_000),
        StatementLine("exports", 1, 500_000, TaxTreatment.OUT_OF_SCOPE),
    ]
    found = statement("a/b", OCTOBER, currency="GBP", lines=lines, tax=TWENTY)
    assert found.taxes[0][2:] == (1_003_000, 200_600)
    assert found.gross == Money.parse("1.70", "GBP")
    assert found.rounding_micros == -3_600
    posted = list(closing_postings(found))
    assert [posting.purpose for posting in posted] == [Purpose.TAX, Purpose.ROUNDING]
    owed = found.net_micros + balances(posted)[("receivable:a/b", "GBP")]
    assert owed == found.gross.micros


def test_an_account_without_a_rate_has_no_tax() -> None:
    found = statement(
        "a/b", OCTOBER, currency="EUR", lines=[StatementLine("x", 1, 1_000_000)], tax=None
    )
    assert (found.taxes, found.gross) == ((), Money.parse("1.00", "EUR"))
    assert list(closing_postings(found)) == []


def test_rates_and_packages_have_dates() -> None:
    rates = [FIVE, TWENTY]
    assert rate_on(rates, date(2026, 11, 30)) == TWENTY
    assert rate_on(rates, date(2026, 12, 1)) == FIVE
    assert rate_on(rates, date(2010, 1, 1)) is None
    old, new = Package(date(2026, 1, 1)), Package(date(2026, 6, 1), platform_micros=1)
    assert package_on([new, old], date(2026, 5, 31)) == old
    assert package_on([new, old], date(2026, 6, 1)) == new
    assert package_on([new], date(2026, 5, 31)) is None
    assert old.hosting_starts is HostingStarts.ACCEPTANCE


@pytest.mark.parametrize(("net", "tax"), [(25, 5), (2, 0), (3, 1), (-25, -5), (-3, -1)])
def test_tax_rounds_half_up_on_charges_and_credits_alike(net: int, tax: int) -> None:
    assert TWENTY.of(net) == tax


def test_a_rate_of_more_than_everything_is_refused() -> None:
    with pytest.raises(ValueError, match="between 0 and 100"):
        TaxRate("too much", 10_001, date(2026, 1, 1))


def test_fees_become_lines() -> None:
    (found,) = fee_lines([FeeLine("Users", 3, 5)], TaxTreatment.EXEMPT)
    assert found == StatementLine("Users", 3, 15, TaxTreatment.EXEMPT, Section.FEES)


def test_a_posting_is_positive_and_moves_something() -> None:
    with pytest.raises(ValueError, match="positive amount"):
        Posting("a", "b", "GBP", 0, Purpose.FEE)
    with pytest.raises(ValueError, match="from one account to another"):
        Posting("a", "a", "GBP", 1, Purpose.FEE)
    brought = entitlement("a/b", "anna", 18_000)
    back = brought.reversal(7)
    assert (back.debit, back.credit, back.reverses) == (brought.credit, brought.debit, 7)
