"""One function turns answers into types."""

from __future__ import annotations

from typing import Any

import pytest

from callplane import errors
from callplane.cluster import api_errors


@pytest.mark.parametrize(
    ("header", "details", "seconds"),
    [
        ("3", {}, 3.0),
        ("0", {}, 0.0),
        (None, {"retryAfterSeconds": 4}, 4.0),
        ("3", {"retryAfterSeconds": 4}, 3.0),
        ("Wed, 21 Oct 2026 07:28:00 GMT", {"retryAfterSeconds": 4}, 4.0),
        ("-1", {}, 1.0),
        ("inf", {}, 1.0),
        ("nan", {}, 1.0),
        (None, {"retryAfterSeconds": "x"}, 1.0),
        (None, None, 1.0),
    ],
)
def test_the_pause_a_server_asks_for(
    header: str | None, details: dict[str, Any] | None, seconds: float
) -> None:
    body = {"kind": "Status", "details": details}
    error = api_errors.from_status(429, body, request="GET /x", retry_after=header)
    assert isinstance(error, api_errors.Throttled)
    assert error.retry_after_seconds == seconds


@pytest.mark.parametrize("status", [408, 500, 502, 599])
def test_a_server_that_is_not_itself_is_unavailable(status: int) -> None:
    error = api_errors.from_status(status, None, request="GET /x")
    assert type(error) is api_errors.Unavailable


def test_every_type_is_one_of_ours() -> None:
    for status in range(300, 600):
        error = api_errors.from_status(status, {"kind": "Status"}, request="GET /x")
        assert isinstance(error, errors.CallplaneError)
        assert error.status == status
