"""A batch says of each call what is said of a single one."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from random import Random

import polars as pl
import pytest

from callplane.billing.batch import draw_down, estates, kernel, looking_up
from callplane.billing.batch.estates import estate
from callplane.billing.terms import Line
from callplane.testing.batch_builders import calls_by_chance, card_by_chance, lines_by_chance
from callplane.testing.batch_twin import differences
from callplane.testing.billing_builders import SETUP, account, increment, line, plan


def estate_by_chance(seed: int) -> tuple[list[Line], pl.DataFrame]:
    chance = Random(seed)
    cards = [card_by_chance(chance, 800), card_by_chance(chance, 40), None]
    lines = lines_by_chance(chance, 12, cards)
    return lines, calls_by_chance(chance, 6_000, len(lines))


def compared(seed: int = 1) -> list[str]:
    lines, calls = estate_by_chance(seed)
    return differences(kernel.rate(calls, estate(lines)), lines)


@pytest.mark.parametrize("seed", range(3))
def test_every_call_is_rated_as_if_it_were_alone(seed: int) -> None:
    assert compared(seed) == []


def test_every_outcome_and_column_occurs() -> None:
    """Else the comparison would compare nothing."""
    lines, calls = estate_by_chance(1)
    rated = kernel.rate(calls, estate(lines))
    assert set(rated["outcome"]) == set(kernel.OUTCOME.categories)
    for column in ("pool_seconds", "service_micros", "charge_micros", "uncharged_seconds"):
        assert rated[column].max() > 0
    parts = rated.filter((pl.col("pool_seconds") > 0) & (pl.col("charged_seconds") > 0))
    assert len(parts) > 5


def test_calls_of_a_line_whose_carrier_the_customer_pays_cost_nothing() -> None:
    lines, calls = estate_by_chance(1)
    lines = [replace(each, byoc=nth % 2 == 0) for nth, each in enumerate(lines)]
    rated = kernel.rate(calls, estate(lines))
    assert differences(rated, lines) == []
    own = rated.filter(pl.col("line") % 2 == 0)
    assert own["charge_micros"].max() == own["pool_seconds"].max() == 0


def test_slices_of_a_batch_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    lines, calls = estate_by_chance(2)
    rated_by = estate(lines)
    whole = kernel.rate(calls, rated_by)
    monkeypatch.setattr(kernel, "SLICE_ROWS", 701)
    assert kernel.rate(calls, rated_by).equals(whole)
    shuffled = calls.sample(fraction=1, shuffle=True, seed=1)
    assert kernel.rate(shuffled, rated_by).sort("attempt_id").equals(whole.sort("attempt_id"))


def test_a_card_of_many_dates_is_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estates, "DENSE_MAX", 0)
    assert compared(2) == []


def test_no_calls_are_no_batch() -> None:
    lines = [line(account(pay_as_you_go=True))]
    assert kernel.rate(pl.DataFrame(schema=kernel.CALLS), estate(lines)).is_empty()


def calls_of(*seconds: int) -> pl.DataFrame:
    return pl.DataFrame(
        [
            (str(nth), "1", 0, "+442079460123", SETUP + timedelta(hours=nth), each, *[False] * 3)
            for nth, each in enumerate(seconds)
        ],
        schema=kernel.CALLS,
        orient="row",
    )


def drawn(counted: str, minutes: int, *seconds: int) -> list[int]:
    lines = [line(account(), plan=plan(minutes, counted=increment(counted)))]
    return kernel.rate(calls_of(*seconds), estate(lines))["pool_seconds"].to_list()


def test_one_call_crosses_the_edge_of_a_pool_and_later_ones_get_nothing() -> None:
    assert drawn("1/1", 2, 50, 60, 40, 5) == [50, 60, 10, 0]


def test_what_a_first_step_cannot_have_is_left_over() -> None:
    assert drawn("60/60", 2, 61, 10, 10) == [120, 0, 0]
    assert drawn("30/6", 2, 119, 1, 1) == [120, 0, 0]
    # A first second and then minutes: 59 s are left, of which each further call gets its second.
    assert drawn("1/60", 2, 61, 61, 61) == [61, 1, 1]


def test_a_month_begins_with_its_pool() -> None:
    lines = [line(account(), plan=plan(1))]
    calls = calls_of(50, 50).with_columns(
        setup=pl.Series([SETUP, SETUP + timedelta(days=31)]).cast(kernel.CALLS["setup"])
    )
    assert kernel.rate(calls, estate(lines))["pool_seconds"].to_list() == [50, 50]


class TestMutants:
    """Each guard, taken out, is found by the comparison with single calls."""

    def test_services_that_are_charged(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def none(destinations: pl.Series) -> pl.Series:
            return pl.zeros(len(destinations), pl.Int64, eager=True)

        monkeypatch.setattr(looking_up, "services", none)
        assert compared() != []

    def test_rounding_down(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(kernel, "charged", lambda seconds, price: seconds * price // 60)
        assert compared() != []

    def test_utc_bands(self, monkeypatch: pytest.MonkeyPatch) -> None:
        honest = looking_up._minutes_of_week
        monkeypatch.setattr(
            looking_up, "_minutes_of_week", lambda micros, zone: honest(micros, "UTC")
        )
        assert compared() != []

    def test_a_pool_that_never_ends(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(kernel, "draw_down", lambda calls, pools: calls["needed"])
        assert compared() != []

    def test_one_round_only(self, monkeypatch: pytest.MonkeyPatch) -> None:
        honest = draw_down._round
        monkeypatch.setattr(
            draw_down, "_round", lambda waiting: honest(waiting).with_columns(is_decided=True)
        )
        assert compared() != []

    def test_a_missing_price_that_is_free(self, monkeypatch: pytest.MonkeyPatch) -> None:
        honest = kernel.priced
        monkeypatch.setattr(
            kernel,
            "priced",
            lambda calls, rated_by: honest(calls, rated_by).with_columns(may_cost=False),
        )
        assert compared() != []
