"""What a provider says, made fit for people: no secret, no full number, no query string, not too
long.
"""

from __future__ import annotations

import pytest

from callplane.errors import MESSAGE_LIMIT_CHARACTERS, mask_number, scrub


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("taken: +442079460001", "taken: +44…0001"),
        ("taken: 442079460001.", "taken: 442…0001."),
        ("id 7e5a1d00-0000-4000-8000-000000000001", "id 7e5a1d00-0000-4000-8000-000000000001"),
        ("Authorization: Bearer abc.def", "Authorization: Bearer ***"),
        ("client_secret=hush&x=1", "client_secret=***&x=1"),
        ("at https://example.com/a?token=hush b", "at https://example.com/a?… b"),
        ("two\n  lines", "two lines"),
    ],
)
def test_text_is_scrubbed(text: str, shown: str) -> None:
    assert scrub(text) == shown


def test_text_is_capped() -> None:
    assert len(scrub("long " * 1000)) == MESSAGE_LIMIT_CHARACTERS


def test_a_masked_number_keeps_its_ends() -> None:
    assert mask_number("+442079460001") == "+44…0001"
