"""Which row of a card a call is priced by, and how a destination set treats it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from callplane.billing.tariff import CardError, DestinationSet, RateCard, Treatment
from callplane.testing.billing_builders import (
    BEGIN,
    CARD,
    DOMESTIC_SET,
    EVENING,
    SETUP,
    card,
    row,
)

JUNE = datetime(2026, 6, 1, tzinfo=UTC)
LATER = datetime(2026, 12, 1, tzinfo=UTC)


def priced(prices: RateCard, destination: str, at: datetime = SETUP) -> tuple[str, int] | None:
    price = prices.price_at(destination, at)
    return None if price is None else (price.prefix, price.per_minute_micros)


def test_the_longest_prefix_wins() -> None:
    prices = card(row("4", 1), row("44", 2), row("447", 3), row("44770", 4))
    assert priced(prices, "+442079460123") == ("44", 2)
    assert priced(prices, "+447700900123") == ("44770", 4)
    assert priced(prices, "+4") == ("4", 1)
    assert priced(prices, "+12125550123") is None


def test_the_newest_row_that_has_begun_is_in_force() -> None:
    prices = card(row("44", 1), row("44", 2, since=JUNE), row("44", 3, since=LATER))
    assert priced(prices, "+442079460123", JUNE - timedelta(seconds=1)) == ("44", 1)
    assert priced(prices, "+442079460123", JUNE) == ("44", 2)
    assert priced(prices, "+442079460123") == ("44", 2)
    assert priced(prices, "+442079460123", BEGIN - timedelta(days=1)) is None


def test_a_longer_prefix_that_has_not_begun_leaves_the_shorter_one() -> None:
    prices = card(row("44", 1), row("4420", 2, since=LATER))
    assert priced(prices, "+442079460123") == ("44", 1)
    assert priced(prices, "+442079460123", LATER) == ("4420", 2)


@pytest.mark.parametrize(
    ("local", "micros"),
    [
        ("2026-11-02T18:59+00:00", 10), ("2026-11-02T19:00+00:00", 4),
        ("2026-11-03T06:59+00:00", 4), ("2026-11-03T07:00+00:00", 10),
        # Friday evening lasts into Saturday; Saturday evening is none.
        ("2026-11-07T06:59+00:00", 4), ("2026-11-07T19:00+00:00", 10),
        # In summer, seven in the evening is eighteen in UTC.
        ("2026-07-06T18:00+00:00", 4), ("2026-07-06T17:59+00:00", 10),
    ],
)  # fmt: skip
def test_bands_are_local_time(local: str, micros: int) -> None:
    prices = card(row("44", 10, bands={EVENING.name: 4}))
    price = prices.price_at("+442079460123", datetime.fromisoformat(local))
    assert price is not None
    assert price.per_minute_micros == micros
    assert price.band == (EVENING.name if micros == 4 else "")


def test_two_prices_from_one_date_collide() -> None:
    with pytest.raises(CardError, match="prefix 44 has two prices from one date"):
        card(row("44", 1), row("44", 2))


def test_a_service_charge_needs_an_access_charge() -> None:
    with pytest.raises(CardError, match="prefix 449 has a service charge before"):
        RateCard(
            name="x", currency="GBP", zone="Europe/London", rows=[row("449", 0, service=(1, 1))]
        )


def test_a_destination_set_treats_by_the_longest_prefix() -> None:
    assert DOMESTIC_SET.treatment("+442079460123") is Treatment.BUNDLED
    assert DOMESTIC_SET.treatment("+447000000000") is Treatment.OUTSIDE
    assert DOMESTIC_SET.treatment("+448081570123") is Treatment.FREE
    assert DOMESTIC_SET.treatment("+12125550123") is Treatment.OUTSIDE
    assert DOMESTIC_SET.treatment("118500") is Treatment.OUTSIDE


def test_a_short_code_is_never_taken_for_a_number_abroad() -> None:
    prices = card(row("1", 1), row("118", 2))
    assert priced(prices, "118500") is None
    assert priced(prices, "+11850055501") == ("118", 2)
    with_codes = card(row("1", 1), row("s118", 3, service=(1, 1)))
    price = with_codes.price_at("118500", SETUP)
    assert price is not None
    assert price.prefix == "s118"
    assert priced(with_codes, "1471") is None
    assert priced(with_codes, "02079460123") is None
    covers = DestinationSet("x", {"1": Treatment.BUNDLED, "s118": Treatment.FREE})
    assert covers.treatment("118500") is Treatment.FREE
    assert covers.treatment("1471") is Treatment.OUTSIDE


def test_a_card_without_rows_prices_nothing() -> None:
    assert priced(card(), "+442079460123") is None
    assert len(CARD) == 5
