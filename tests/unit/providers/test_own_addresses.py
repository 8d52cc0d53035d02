"""Where a token may be sent."""

from __future__ import annotations

import pytest

from callplane.providers.own_addresses import OwnRoot

ROOT = "https://api.example.com/v1"


@pytest.mark.parametrize(
    ("url", "is_own"),
    [
        (f"{ROOT}/people", True),
        (f"{ROOT}/people?max=10", True),
        ("https://API.example.com/v1/people", True),
        (ROOT, False),
        ("https://api.example.com/v10/people", False),
        ("https://api.example.com/v1/../v2/people", False),
        ("https://somebody@api.example.com/v1/people", False),
        ("https://api.example.com:8443/v1/people", False),
        ("http://api.example.com/v1/people", False),
        ("https://api.example.com.example.net/v1/people", False),
        ("/v1/people", False),
        ("", False),
        ("https://[/v1/people", False),
    ],
)
def test_only_what_is_below_the_root_is_ours(url: str, is_own: bool) -> None:
    assert OwnRoot(ROOT).holds(url) is is_own
