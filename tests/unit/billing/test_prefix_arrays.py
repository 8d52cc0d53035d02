"""Prefixes laid flat find what probing longest-first finds."""

from __future__ import annotations

from bisect import bisect_right

from hypothesis import given
from hypothesis import strategies as st

from callplane.billing.prefix_arrays import flatten, key_of

digits = st.text("0159", max_size=5)
prefixes = st.sets(
    st.builds(lambda mark, text: mark + text, st.sampled_from(["", "s"]), digits).filter(
        lambda prefix: prefix.removeprefix("s") != ""
    ),
    max_size=12,
)
looked_up = st.builds(
    lambda mark, text, tail: mark + text + tail,
    st.sampled_from(["", "s"]),
    st.text("0159", max_size=17),
    st.sampled_from(["", "x", "#1"]),
)


@given(prefixes, looked_up)
def test_the_interval_of_a_destination_names_its_prefixes(found: set[str], text: str) -> None:
    listed = sorted(found)
    flat = flatten(listed)
    owners = flat.owners[bisect_right(flat.begins, key_of(text)) - 1]
    matching = [prefix for prefix in listed if text.startswith(prefix)]
    assert [listed[owner] for owner in owners] == sorted(matching, key=len, reverse=True)


@given(prefixes)
def test_intervals_are_sorted_and_begin_below_everything(found: set[str]) -> None:
    begins = list(flatten(found).begins)
    assert begins == sorted(set(begins))
    assert begins[0] == 0


def test_a_shorter_destination_is_not_taken_for_one_that_goes_on_with_zeros() -> None:
    flat = flatten(["4420"])
    assert flat.owners[bisect_right(flat.begins, key_of("442")) - 1] == ()
    assert flat.owners[bisect_right(flat.begins, key_of("4420")) - 1] == (0,)
