"""Money as carriers write it."""

from __future__ import annotations

import pytest

from callplane.resources.carriers import Price


@pytest.mark.parametrize(
    ("text", "micros", "shown"),
    [
        ("12.32", 12_320_000, "12.32 GBP"),
        ("0", 0, "0.00 GBP"),
        ("-1.5", -1_500_000, "-1.50 GBP"),
        ("0.000001", 1, "0.000001 GBP"),
        ("0.00500", 5_000, "0.005 GBP"),
    ],
)
def test_an_amount_is_read_to_the_millionth(text: str, micros: int, shown: str) -> None:
    price = Price.from_decimal(text, "gbp")
    assert price == Price(micros, "GBP")
    assert str(price) == shown


@pytest.mark.parametrize("text", ["", "free", "NaN", "Infinity", "0.0000001"])
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"millionth|amount"):
        Price.from_decimal(text, "GBP")
