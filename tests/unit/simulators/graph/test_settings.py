"""Settings change by name, all or none."""

from __future__ import annotations

import pytest

from callplane.simulators.graph.settings import WorldSettings


def test_settings_change_by_name() -> None:
    settings = WorldSettings()
    settings.change({"writes_per_second": 30, "wraps_operations": True, "users_page_size": 5})
    settings.change({"writes_per_second": None})

    assert settings.document() == WorldSettings(wraps_operations=True, users_page_size=5).document()


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"speed": 1}, "settings.speed: unknown setting"),
        ({"wraps_operations": 1}, "settings.wraps_operations: true or false"),
        ({"read_lag_seconds": -1}, "settings.read_lag_seconds: a number that is not negative"),
        ({"read_lag_seconds": "1"}, "settings.read_lag_seconds: a number"),
        ({"users_page_size": 1.5}, "settings.users_page_size: a whole number"),
    ],
)
def test_a_bad_change_is_refused_and_changes_nothing(changes: dict[str, object], text: str) -> None:
    settings = WorldSettings()
    with pytest.raises(ValueError, match=text):
        settings.change({"token_seconds": 5.0, **changes})

    assert settings == WorldSettings()
