"""Which number of a range somebody gets: always the same answer to the same question.

Called inside the transaction that claims. Numbers go out in ascending order, so that two operators
that look at the same rows choose alike, and a reviewer can say beforehand who gets which.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Iterator, Sequence

from callplane.values import E164, NumberSpan


def choose(
    spans: Sequence[NumberSpan],
    taken: Collection[E164],
    *,
    preferred: Iterable[E164] = (),
    excluded: Collection[E164] = (),
) -> E164 | None:
    """The number to claim, or None when the range is exhausted.

    `taken` is what nobody new may get: claimed, resting and reserved numbers. `preferred` names
    numbers that this holder has a right to (one it already has, one kept for it), in order of
    preference; they win over `taken` but not over `excluded`, and only within `spans`.
    `taken` and `excluded` should be sets: each candidate is looked up in them.
    """
    for number in preferred:
        if number not in excluded and any(number in span for span in spans):
            return number
    return next(free(spans, taken, excluded=excluded), None)


def free(
    spans: Sequence[NumberSpan],
    taken: Collection[E164],
    *,
    excluded: Collection[E164] = (),
) -> Iterator[E164]:
    """The free numbers in the order in which they are given out, each once."""
    for span in disjoint(spans):
        for number in span:
            if number not in taken and number not in excluded:
                yield number


def disjoint(spans: Iterable[NumberSpan]) -> list[NumberSpan]:
    """The same numbers as sorted spans that neither overlap nor touch."""
    merged: list[NumberSpan] = []
    for span in sorted(spans, key=lambda span: (len(span.first.text), span)):
        if merged and _joins(merged[-1], span):
            merged[-1] = NumberSpan(merged[-1].first, max(merged[-1].last, span.last))
        else:
            merged.append(span)
    return merged


def count(spans: Iterable[NumberSpan]) -> int:
    """How many numbers the spans hold, each counted once."""
    return sum(len(span) for span in disjoint(spans))


def count_within(spans: Iterable[NumberSpan], ordered: Sequence[E164]) -> int:
    """How many of the sorted numbers lie within the spans, without walking the spans."""
    return sum(
        bisect_right(ordered, span.last) - bisect_left(ordered, span.first)
        for span in disjoint(spans)
    )


def _joins(earlier: NumberSpan, later: NumberSpan) -> bool:
    same_length = len(earlier.first.text) == len(later.first.text)
    return same_length and later.first.digits <= earlier.last.digits + 1
