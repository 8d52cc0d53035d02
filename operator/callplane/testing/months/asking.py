"""Books that answer at one moment of virtual time, whichever they are."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from callplane.store.books_memory import MemoryBooks
from callplane.store.books_ports import Books
from callplane.store.books_postgres import PostgresBooks


class BooksAtOnce(Protocol):
    """Books whose answers take no virtual time."""

    def ask(self, question: Callable[[Books], Coroutine[Any, Any, Any]]) -> Any: ...


class InMemory:
    """The twin, which never waits."""

    def __init__(self) -> None:
        self.books = MemoryBooks()

    def ask(self, question: Callable[[Books], Coroutine[Any, Any, Any]]) -> Any:
        asked = question(self.books)
        try:
            asked.send(None)
        except StopIteration as done:
            return done.value
        raise RuntimeError("the books in memory have waited for something")


class InPostgres:
    """The database, spoken to on real time by another thread while this one waits."""

    def __init__(self, dsn: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.books = PostgresBooks(dsn)
        self._do(self.books.open())

    def ask(self, question: Callable[[Books], Coroutine[Any, Any, Any]]) -> Any:
        return self._do(question(self.books))

    def close(self) -> None:
        self._do(self.books.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()


@contextmanager
def books_of(dsn: str) -> Iterator[BooksAtOnce]:
    """Those of the database, or the twin where none is named."""
    if not dsn:
        yield InMemory()
        return
    books = InPostgres(dsn)
    try:
        yield books
    finally:
        books.close()
