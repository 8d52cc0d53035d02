"""Decks in PostgreSQL: rows are copied in, sorted there, and read back through a cursor.

A million rows need no more memory here than a thousand.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from callplane.billing.decks import DeckRow
from callplane.billing.increments import Increment
from callplane.billing.prices import LineKind, PricePart
from callplane.billing.tariff import RateRow
from callplane.errors import scrub
from callplane.store import addresses, schema
from callplane.store.deck_ports import DeckHeader
from callplane.store.ports import StoreUnavailable

_ROWS_AT_ONCE = 5_000
_PRICE = """prefix, effective_from, name, per_minute_micros, connection_micros, first_seconds,
    next_seconds, bands, service_minute_micros, service_call_micros"""
_STAGE = f"""
create temporary table staged on commit drop as
select {_PRICE}, null::bigint as row, null::timestamptz as until from decks.prices limit 0
"""
_COPY = f"copy staged ({_PRICE}, row, until) from stdin"
_IN_ORDER = f"""
select {_PRICE}, row, until from staged order by prefix collate "C", effective_from, row
"""
_HEADER = "digest, currency, rows, prefixes, first_from, last_from, imported_at"
_KEEP_HEADER = f"""
insert into decks.decks ({_HEADER}) values (%s, %s, %s, %s, %s, %s, %s)
on conflict (digest) do nothing
"""
_KEEP = f"insert into decks.prices (digest, {_PRICE}) select %s, {_PRICE} from staged"
_FIND = f"select {_HEADER} from decks.decks where digest = %s"
_RATES = f"""
select {_PRICE} from decks.prices where digest = %s order by prefix collate "C", effective_from
"""
_RATES_OF = f"""
select {_PRICE} from decks.prices where digest = %s and prefix = any(%s)
order by prefix collate "C", effective_from
"""
#: For any one answer: whoever reads a deck must not wait for ever for a server that hangs.
_ANSWER_SECONDS = 30
#: Copying in and sorting a large deck is one statement each, and nobody's call waits for them.
_STAGING_SECONDS = 1_800
_UNAVAILABLE = (psycopg.OperationalError, psycopg.InterfaceError)


class PostgresDecks:
    """`Decks` in the database at `dsn`, a `postgresql://` URI. A session is opened for each use."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn

    @contextmanager
    def staging(self) -> Iterator[_PostgresStaging]:
        with self._session(_STAGING_SECONDS) as session:
            session.execute(_STAGE)
            yield _PostgresStaging(session)

    def find(self, digest: str) -> DeckHeader | None:
        with self._session() as session:
            found = session.execute(_FIND, (digest,)).fetchone()
        return None if found is None else DeckHeader(*found)

    def rates(self, digest: str) -> Iterator[RateRow]:
        with self._session() as session:
            for row in _read(session, _RATES, (digest,)):
                yield _rate(row)

    def rates_of(self, digest: str, prefixes: Collection[str]) -> list[RateRow]:
        with self._session() as session:
            found = session.execute(_RATES_OF, (digest, sorted(prefixes)))
            return [_rate(row) for row in found.fetchall()]

    @contextmanager
    def _session(self, answer_seconds: int | None = None) -> Iterator[psycopg.Connection]:
        """One transaction, which is rolled back unless somebody commits it."""
        answer_seconds = answer_seconds or _ANSWER_SECONDS
        try:
            with psycopg.connect(
                addresses.current(self._dsn),
                connect_timeout=2,
                application_name="callplane",
                options=f"-c timezone=UTC -c statement_timeout={answer_seconds * 1_000}",
                # A server that is gone is noticed while waiting for it, too.
                tcp_user_timeout=_ANSWER_SECONDS * 1_000,
                keepalives_idle=10,
                keepalives_interval=5,
                keepalives_count=4,
            ) as session:
                _check(session)
                yield session
                session.rollback()
        except _UNAVAILABLE as error:
            raise StoreUnavailable(f"PostgreSQL: {scrub(str(error))}") from error


class _PostgresStaging:
    def __init__(self, session: psycopg.Connection) -> None:
        self._session = session

    def add(self, rows: Iterable[DeckRow]) -> None:
        with self._session.cursor() as cursor, cursor.copy(_COPY) as copy:
            for row in rows:
                copy.write_row((*_columns(row.rate), row.number, row.until))

    def in_order(self) -> Iterator[DeckRow]:
        for row in _read(self._session, _IN_ORDER, ()):
            yield DeckRow(row[-2], _rate(row[:-2]), row[-1])

    def keep(self, header: DeckHeader) -> bool:
        values = (
            *(header.digest, header.currency, header.rows, header.prefixes),
            *(header.first_from, header.last_from, header.imported_at),
        )
        is_new = self._session.execute(_KEEP_HEADER, values).rowcount == 1
        if is_new:
            self._session.execute(_KEEP, (header.digest,))
        self._session.commit()
        return is_new


def _check(session: psycopg.Connection) -> None:
    try:
        found = session.execute(schema.VERSION_QUERY).fetchone()
    except psycopg.errors.UndefinedTable:
        session.rollback()
        found = None
    schema.check(None if found is None else found[0])


def _read(session: psycopg.Connection, query: str, parameters: tuple[str, ...]) -> Iterator[Any]:
    with session.cursor(name="decks") as cursor:
        cursor.itersize = _ROWS_AT_ONCE
        cursor.execute(query, parameters)
        yield from cursor


def _columns(rate: RateRow) -> tuple[Any, ...]:
    service = rate.service
    return (
        rate.prefix,
        rate.effective_from,
        rate.name,
        rate.per_minute_micros,
        rate.connection_micros,
        rate.increment.first,
        rate.increment.next,
        None if not rate.band_micros else json.dumps(dict(rate.band_micros)),
        None if service is None else service.per_minute_micros,
        None if service is None else service.per_call_micros,
    )


def _rate(row: tuple[Any, ...]) -> RateRow:
    prefix, begins, name, minute, fee, first, following, bands, service_minute, service_call = row
    service = None
    if service_minute is not None:
        service = PricePart(LineKind.SERVICE_CHARGE, service_minute, service_call)
    return RateRow(
        prefix=prefix,
        name=name,
        per_minute_micros=minute,
        effective_from=begins,
        increment=Increment(first, following),
        connection_micros=fee,
        band_micros=bands,
        service=service,
    )
