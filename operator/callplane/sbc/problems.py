"""One thing that is wrong with the values of an SBC, where it stands and why it matters."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """`path` as in `numbers[2].carrier`; the message ends a sentence that begins with it."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path or 'the file'} {self.message}"
