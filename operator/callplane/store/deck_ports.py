"""Where decks lie: in the database, whole and by their digest, and never changed.

Importing is for people at a terminal and reading for whoever makes a card ready, so this is the one
part of the store that is not asynchronous; callers on a loop ask from a thread.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from callplane.billing.decks import DeckRow
from callplane.billing.tariff import RateRow


@dataclass(frozen=True, slots=True)
class DeckHeader:
    """What is known of a deck beside its rows. From `last_from` on all of it is in force."""

    digest: str
    currency: str
    rows: int
    prefixes: int
    first_from: datetime
    last_from: datetime
    imported_at: datetime


class Staging(Protocol):
    """Rows on their way in. They are gone at the end unless they were kept."""

    def add(self, rows: Iterable[DeckRow]) -> None: ...

    def in_order(self) -> Iterator[DeckRow]:
        """All rows by prefix, date and place in the file."""
        ...

    def keep(self, header: DeckHeader) -> bool:
        """Make the rows a deck, at once or not at all. False: it has been there before."""
        ...


class Decks(Protocol):
    """Decks by digest. Methods raise StoreUnavailable."""

    def staging(self) -> AbstractContextManager[Staging]: ...

    def find(self, digest: str) -> DeckHeader | None: ...

    def rates(self, digest: str) -> Iterator[RateRow]:
        """The prices of a deck by prefix and date; none of one that is not there."""
        ...

    def rates_of(self, digest: str, prefixes: Collection[str]) -> list[RateRow]:
        """The same of these prefixes alone: few rows, of however large a deck."""
        ...
