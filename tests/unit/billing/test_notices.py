"""Thresholds are reached by what was used, at their percentage and not before."""

from __future__ import annotations

import pytest

from callplane.billing.counters import Counters
from callplane.billing.notices import NoticeKind, crossed, of_fair_use
from callplane.billing.statements import FairUse


@pytest.mark.parametrize(
    ("used", "percents"),
    [(0, []), (499, []), (500, [50]), (799, [50]), (800, [50, 80]), (1_000, [50, 80, 100])],
)
def test_r24_thresholds_of_a_pool(used: int, percents: list[int]) -> None:
    counters = Counters(entitlement_seconds=1_000, used_seconds=used, held_seconds=1_000 - used)
    found = crossed(
        counters, pool_percents=(80, 50, 100), ceiling_percents=(80,), ceiling_micros=None
    )
    assert [one.percent for one in found] == percents
    assert {one.kind for one in found} <= {NoticeKind.POOL}


@pytest.mark.parametrize(("posted", "is_crossed"), [(79_999_999, False), (80_000_000, True)])
def test_r24_the_ceiling_is_approached_at_eighty_per_cent(posted: int, is_crossed: bool) -> None:
    counters = Counters(posted_micros=posted, held_micros=50_000_000)
    found = crossed(counters, pool_percents=(), ceiling_percents=(80,), ceiling_micros=100_000_000)
    assert [one.limit_amount for one in found] == [100_000_000] * is_crossed


def test_nothing_is_reached_of_nothing() -> None:
    found = crossed(
        Counters(posted_micros=5), pool_percents=(50,), ceiling_percents=(80,), ceiling_micros=0
    )
    assert found == ()


def test_sentences_name_amounts_and_nobodys_number() -> None:
    counters = Counters(entitlement_seconds=6_000, used_seconds=6_000, posted_micros=9_000_000)
    pool, money = crossed(
        counters, pool_percents=(100,), ceiling_percents=(80,), ceiling_micros=10_000_000
    )
    assert pool.sentence("sales/acme", "2026-11", "GBP") == (
        "sales/acme has used 100 of 100 minutes of 2026-11: 100 %"
    )
    assert money.sentence("sales/acme", "2026-11", "GBP") == (
        "calls of sales/acme have cost 9.00 of at most 10.00 GBP in 2026-11: 80 %"
    )
    (pbx,) = of_fair_use([FairUse("sales/pbx", 50, 80)])
    assert (pbx.what, "declares 50 users, and 80" in pbx.sentence("a", "m", "GBP")) == (
        "FairUse sales/pbx",
        True,
    )
