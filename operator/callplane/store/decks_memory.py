"""Decks without a database: the twin of `decks_postgres`, for tests and what-ifs."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager

from callplane.billing.decks import DeckRow, sort_key
from callplane.billing.tariff import RateRow
from callplane.store.deck_ports import DeckHeader


class MemoryDecks:
    """`Decks` in a dictionary."""

    def __init__(self) -> None:
        self._decks: dict[str, tuple[DeckHeader, list[RateRow]]] = {}

    @contextmanager
    def staging(self) -> Iterator[_MemoryStaging]:
        yield _MemoryStaging(self._decks)

    def find(self, digest: str) -> DeckHeader | None:
        found = self._decks.get(digest)
        return None if found is None else found[0]

    def rates(self, digest: str) -> Iterator[RateRow]:
        found = self._decks.get(digest)
        return iter(()) if found is None else iter(found[1])

    def rates_of(self, digest: str, prefixes: Collection[str]) -> list[RateRow]:
        return [rate for rate in self.rates(digest) if rate.prefix in prefixes]


class _MemoryStaging:
    def __init__(self, decks: dict[str, tuple[DeckHeader, list[RateRow]]]) -> None:
        self._decks = decks
        self._rows: list[DeckRow] = []

    def add(self, rows: Iterable[DeckRow]) -> None:
        self._rows.extend(rows)

    def in_order(self) -> Iterator[DeckRow]:
        return iter(sorted(self._rows, key=sort_key))

    def keep(self, header: DeckHeader) -> bool:
        if header.digest in self._decks:
            return False
        self._decks[header.digest] = (header, [row.rate for row in self.in_order()])
        return True
