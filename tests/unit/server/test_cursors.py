"""A cursor tells nothing, changes nothing and opens one list only."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callplane.server import cursors

KEY, OTHER = bytes(range(64)), bytes(range(1, 65))
PLACES = st.lists(st.text(max_size=40), min_size=1, max_size=2).map(tuple)


@given(PLACES, st.text(max_size=50))
def test_what_was_sealed_is_found_again(place: tuple[str, ...], question: str) -> None:
    cursor = cursors.seal(place, KEY, question)
    assert cursor is not None
    assert cursors.opened(cursor, KEY, question) == place
    assert cursor == cursors.seal(place, KEY, question)
    for key, asked in ((OTHER, question), (KEY, question + "x")):
        with pytest.raises(ValueError, match="not one of this list"):
            cursors.opened(cursor, key, asked)


@given(st.text(max_size=200))
def test_text_that_is_no_cursor_opens_nothing(text: str) -> None:
    with pytest.raises(ValueError, match="cursor"):
        cursors.opened(text, KEY, "list")


def test_numbers_of_any_length_look_alike() -> None:
    lengths = {len(cursors.seal((f"+{'4' * n}",), KEY, "list") or "") for n in range(7, 16)}
    assert len(lengths) == 1
    assert cursors.seal(None, KEY, "list") is None
    with pytest.raises(ValueError, match="not that long"):
        cursors.opened("A" * 2000, KEY, "list")
