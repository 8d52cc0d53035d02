"""Allocation: the lowest free number, and always the same answer to the same question."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from callplane.numbering import allocation
from callplane.values import E164, NumberSpan


def number(index: int) -> E164:
    return E164(f"+44207946{index:04d}")


def span(first: int, last: int) -> NumberSpan:
    return NumberSpan(number(first), number(last))


def test_numbers_go_out_in_ascending_order() -> None:
    taken: set[E164] = set()
    given_out = []
    while chosen := allocation.choose([span(4, 6), span(1, 2)], taken):
        given_out.append(chosen)
        taken.add(chosen)
    assert given_out == [number(1), number(2), number(4), number(5), number(6)]


def test_an_exhausted_range_gives_nothing() -> None:
    assert allocation.choose([span(1, 2)], {number(1), number(2)}) is None


def test_what_the_holder_has_a_right_to_wins_over_what_is_taken() -> None:
    chosen = allocation.choose([span(1, 9)], {number(7)}, preferred=[number(7)])
    assert chosen == number(7)


def test_a_preferred_number_of_another_range_is_passed_over() -> None:
    assert allocation.choose([span(1, 9)], set(), preferred=[number(12)]) == number(1)


def test_excluded_numbers_are_never_given_even_when_preferred() -> None:
    chosen = allocation.choose(
        [span(1, 9)], set(), preferred=[number(1)], excluded={number(1), number(2)}
    )
    assert chosen == number(3)


def test_spans_that_overlap_or_touch_are_joined() -> None:
    assert allocation.disjoint([span(5, 9), span(1, 4), span(3, 6), span(11, 12)]) == [
        span(1, 9),
        span(11, 12),
    ]


def test_spans_of_different_length_stay_apart() -> None:
    short = NumberSpan(E164("+44161496000"), E164("+44161496001"))
    assert allocation.disjoint([span(1, 2), short]) == [short, span(1, 2)]


indexes = st.integers(min_value=0, max_value=40)
spans = st.lists(
    st.tuples(indexes, indexes).map(lambda ends: span(min(ends), max(ends))), max_size=6
)
numbers = st.sets(indexes.map(number), max_size=20)


@given(spans=spans, taken=numbers, excluded=numbers)
def test_free_numbers_are_exactly_the_rest_in_order(
    spans: list[NumberSpan], taken: set[E164], excluded: set[E164]
) -> None:
    held = {entry for block in spans for entry in block}
    expected = sorted(held - taken - excluded)
    assert list(allocation.free(spans, taken, excluded=excluded)) == expected
    assert allocation.choose(spans, taken, excluded=excluded) == (expected[0] if expected else None)


@given(spans=spans, taken=numbers)
def test_counts_agree_with_walking(spans: list[NumberSpan], taken: set[E164]) -> None:
    held = {entry for block in spans for entry in block}
    assert allocation.count(spans) == len(held)
    assert allocation.count_within(spans, sorted(taken)) == len(held & taken)


@given(spans=spans, taken=numbers)
def test_the_order_in_which_spans_are_named_does_not_matter(
    spans: list[NumberSpan], taken: set[E164]
) -> None:
    assert allocation.choose(spans, taken) == allocation.choose(spans[::-1], taken)
