"""Tokens are remembered for a moment, by a hash that means nothing elsewhere."""

from __future__ import annotations

from callplane.cluster.reviews import Subject
from callplane.server.remembering import Memory, RememberingReader
from callplane.testing.manual_clock import ManualClock


class Reader:
    def __init__(self) -> None:
        self.asked: list[str] = []

    async def subject_of(self, token: str) -> Subject | None:
        self.asked.append(token)
        return Subject(token) if token.startswith("good") else None


async def test_a_token_is_read_once_in_a_while() -> None:
    inner, clock = Reader(), ManualClock()
    reader = RememberingReader(inner, clock, key=b"k")
    for _ in range(3):
        assert await reader.subject_of("good") == Subject("good")
        assert await reader.subject_of("bad") is None
    assert inner.asked == ["good", "bad"]
    clock.advance(10)
    assert await reader.subject_of("good") is not None
    assert await reader.subject_of("bad") is None
    assert inner.asked == ["good", "bad", "bad"]
    clock.advance(20)
    assert reader.remembered("good") is None
    await reader.subject_of("good")
    assert inner.asked[-1] == "good"


async def test_no_token_is_kept() -> None:
    reader = RememberingReader(Reader(), ManualClock(), key=b"k")
    await reader.subject_of("good-secret")
    assert "good-secret" not in repr(list(reader._seen))
    other = RememberingReader(Reader(), ManualClock(), key=b"l")
    await other.subject_of("good-secret")
    assert set(reader._seen) != set(other._seen)


async def test_the_oldest_is_forgotten_first() -> None:
    inner = Reader()
    reader = RememberingReader(inner, ManualClock(), key=b"k", memory=Memory(tokens=2))
    for token in ("good-1", "good-2", "good-3", "good-3", "good-1"):
        await reader.subject_of(token)
    assert inner.asked == ["good-1", "good-2", "good-3", "good-1"]
