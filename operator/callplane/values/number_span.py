"""A block of consecutive numbers of one length."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from callplane.values.e164 import E164


@dataclass(frozen=True, slots=True, order=True)
class NumberSpan:
    """Both ends belong to the span. Raises ValueError when they are reversed or of different
    length.
    """

    first: E164
    last: E164

    def __post_init__(self) -> None:
        if len(self.first.text) != len(self.last.text):
            raise ValueError(f"{self.first} and {self.last} have different lengths")
        if self.first > self.last:
            raise ValueError(f"first {self.first} is greater than last {self.last}")

    def __len__(self) -> int:
        return self.last.digits - self.first.digits + 1

    def __contains__(self, number: object) -> bool:
        if not isinstance(number, E164):
            return False
        return (
            len(number.text) == len(self.first.text)
            and self.first.text <= number.text <= self.last.text
        )

    def __iter__(self) -> Iterator[E164]:
        for digits in range(self.first.digits, self.last.digits + 1):
            yield E164(f"+{digits}")

    def overlaps(self, other: NumberSpan) -> bool:
        same_length = len(self.first.text) == len(other.first.text)
        return same_length and self.first <= other.last and other.first <= self.last
