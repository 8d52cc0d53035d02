"""When a range runs low, and how long it lasts."""

from __future__ import annotations

from typing import Any

import pytest

from callplane.apis.number_ranges import LowStock
from callplane.engine import stock_forecast


@pytest.mark.parametrize(
    ("limits", "free", "low"),
    [
        ({"min_free": 10}, 10, False),
        ({"min_free": 10}, 9, True),
        ({"min_free_percent": 10}, 10, False),
        ({"min_free_percent": 10}, 9, True),
        ({"min_free": 1, "min_free_percent": 50}, 40, True),
        ({"min_free": 50, "min_free_percent": 1}, 40, True),
        ({"min_free": 0}, 0, False),
    ],
)
def test_either_limit_is_enough(limits: dict[str, Any], free: int, low: bool) -> None:
    assert stock_forecast.is_low(LowStock(**limits), free=free, total=100) is low


@pytest.mark.parametrize(
    ("free", "drained", "days"),
    [(30, 30, 30), (10, 30, 10), (0, 30, 0), (100, 7, 428), (10, 0, None), (10, -3, None)],
)
def test_days_to_empty_follow_the_pace(free: int, drained: int, days: int | None) -> None:
    assert stock_forecast.days_to_empty(free, drained) == days
