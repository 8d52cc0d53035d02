"""Settings of the Kubernetes API that need no server to be tried."""

from __future__ import annotations

import pytest

from callplane.sandbox import control_plane
from callplane.sandbox.failures import SandboxError

VARIABLE = control_plane.START_TIMEOUT_VARIABLE


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90.0), ("1m30s", 90.0), ("500ms", 0.5), ("1.5h", 5400.0)]
)
def test_the_start_timeout_is_a_go_duration(text: str, seconds: float) -> None:
    assert control_plane.start_timeout_seconds({VARIABLE: text}) == seconds


def test_the_start_timeout_has_a_default() -> None:
    assert control_plane.start_timeout_seconds({}) == control_plane.START_TIMEOUT_SECONDS


@pytest.mark.parametrize("text", ["", "90", "s", "1m 30s", "-5s", "soon"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(SandboxError, match=VARIABLE):
        control_plane.start_timeout_seconds({VARIABLE: text})
