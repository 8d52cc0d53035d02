"""Money is whole micro-units, read totally and printed back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callplane.values import Money
from callplane.values.money import INT64_MAX, amount_text, parse_micros


@pytest.mark.parametrize(
    ("text", "micros"),
    [("12", 12_000_000), ("0.015", 15_000), ("-0.000001", -1), ("007.50", 7_500_000)],
)
def test_amounts_are_read(text: str, micros: int) -> None:
    assert parse_micros(text) == micros


@pytest.mark.parametrize(
    "text",
    ["", ".5", "1.", "1e3", "1,000", "+1", " 1", "1 ", "0.0000001", "1234567890123", "١", "=1+1"],
)
def test_everything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no amount"):
        parse_micros(text)


@given(st.integers(-(10**17), 10**17))
def test_what_is_printed_reads_back(micros: int) -> None:
    assert parse_micros(amount_text(micros)) == micros


def test_currencies_do_not_mix() -> None:
    with pytest.raises(ValueError, match="do not add up"):
        Money(1, "GBP") + Money(1, "EUR")
    with pytest.raises(ValueError, match="is no currency"):
        Money(1, "gbp")


def test_an_amount_fits_64_bits() -> None:
    with pytest.raises(ValueError, match="64 bits"):
        Money(INT64_MAX, "GBP") + Money(1, "GBP")


@pytest.mark.parametrize(
    ("micros", "rounded"),
    [(4_999, 0), (5_000, 10_000), (14_999, 10_000), (-5_000, -10_000), (-4_999, 0)],
)
def test_pence_round_half_away_from_zero(micros: int, rounded: int) -> None:
    assert Money(micros, "GBP").rounded_to_minor == Money(rounded, "GBP")


def test_signs_and_text() -> None:
    assert str(-(Money(3, "GBP") - Money(1_000_003, "GBP"))) == "1.00 GBP"
