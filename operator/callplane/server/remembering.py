"""Tokens that were read lately, by a keyed hash: never the token itself.

A token that was taken back counts for `known_seconds` more at most. Rights are not remembered.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass

from callplane.clock import Clock
from callplane.cluster.reviews import Subject
from callplane.server.ports import TokenReader


@dataclass(frozen=True, slots=True)
class Memory:
    """How long an answer is kept, and how many."""

    known_seconds: float = 30.0
    unknown_seconds: float = 10.0
    tokens: int = 4096


class RememberingReader:
    """A reader that asks another one, and remembers. `key` is chance, made anew by each process."""

    def __init__(
        self, inner: TokenReader, clock: Clock, *, key: bytes, memory: Memory | None = None
    ) -> None:
        self._inner = inner
        self._clock = clock
        self._key = key
        self._memory = memory or Memory()
        self._seen: OrderedDict[bytes, tuple[float, Subject | None]] = OrderedDict()

    def remembered(self, token: str) -> Subject | None:
        """Whose token it was when it was read a moment ago; nobody is asked."""
        known = self._seen.get(self._hash(token))
        return known[1] if known is not None and self._clock.monotonic() < known[0] else None

    async def subject_of(self, token: str) -> Subject | None:
        digest = self._hash(token)
        known = self._seen.get(digest)
        if known is not None and self._clock.monotonic() < known[0]:
            return known[1]
        subject = await self._inner.subject_of(token)
        memory = self._memory
        kept = memory.unknown_seconds if subject is None else memory.known_seconds
        self._seen[digest] = (self._clock.monotonic() + kept, subject)
        self._seen.move_to_end(digest)
        if len(self._seen) > memory.tokens:
            self._seen.popitem(last=False)
        return subject

    def _hash(self, token: str) -> bytes:
        return hashlib.blake2b(token.encode(), key=self._key, digest_size=32).digest()
