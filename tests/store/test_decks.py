"""Decks in both stores: whole or not at all, in one order, and never changed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import timedelta

import psycopg
import pytest

from callplane.billing.decks import DeckRow, digest_of
from callplane.billing.tariff import RateRow
from callplane.store import decks_postgres, schema
from callplane.store.deck_ports import DeckHeader, Decks
from callplane.store.decks_memory import MemoryDecks
from callplane.store.decks_postgres import PostgresDecks
from callplane.store.ports import StoreUnavailable
from callplane.testing.billing_builders import BEGIN, SETUP, row

LATER = BEGIN + timedelta(days=30)
PRICES = [
    row("44", 15_000, fee=1, counted="60/1", bands={"evening": 8_000}),
    row("44", 16_000, since=LATER),
    row("4480", 0),
    row("449", 0, service=(1_500_000, 500_000)),
    row("s118", 0, service=(0, 7)),
]


@pytest.fixture(params=["memory", "postgres"])
def decks(request: pytest.FixtureRequest) -> Iterator[Decks]:
    if request.param == "memory":
        yield MemoryDecks()
    else:
        yield PostgresDecks(request.getfixturevalue("migrated_dsn"))


def header(rows: list[RateRow], **changes: str) -> DeckHeader:
    digest = changes.get("digest", digest_of(rows, "GBP"))
    return DeckHeader(digest, "GBP", len(rows), len(rows), BEGIN, LATER, SETUP)


def put(decks: Decks, rates: list[RateRow]) -> bool:
    shuffled = [DeckRow(number, rate) for number, rate in enumerate(rates, start=2)]
    random.Random(3).shuffle(shuffled)
    with decks.staging() as staging:
        staging.add(shuffled)
        return staging.keep(header(rates))


def test_a_deck_comes_back_as_it_went_in(decks: Decks) -> None:
    assert put(decks, PRICES)
    kept = header(PRICES)
    assert decks.find(kept.digest) == kept
    assert list(decks.rates(kept.digest)) == PRICES
    assert digest_of(decks.rates(kept.digest), "GBP") == kept.digest


def test_a_few_prefixes_of_a_deck_can_be_read_alone(decks: Decks) -> None:
    put(decks, PRICES)
    digest = header(PRICES).digest
    assert decks.rates_of(digest, {"449", "44", "4"}) == [*PRICES[:2], PRICES[3]]
    assert decks.rates_of(digest, ()) == []
    assert decks.rates_of("b" * 64, {"44"}) == []


def test_the_same_deck_again_is_known(decks: Decks) -> None:
    assert put(decks, PRICES)
    assert not put(decks, PRICES)
    assert list(decks.rates(header(PRICES).digest)) == PRICES


def test_rows_come_in_the_order_of_prefix_date_and_file(decks: Decks) -> None:
    with decks.staging() as staging:
        staging.add([DeckRow(4, PRICES[0]), DeckRow(3, PRICES[2], until=LATER)])
        staging.add([DeckRow(2, PRICES[0]), DeckRow(9, PRICES[1])])
        numbers = [each.number for each in staging.in_order()]
        assert numbers == [2, 4, 9, 3]
        assert [each.until for each in staging.in_order()][-1] == LATER


def test_what_is_not_kept_leaves_nothing(decks: Decks) -> None:
    put(decks, PRICES[:1])
    with decks.staging() as staging:
        staging.add([DeckRow(2, rate) for rate in PRICES])
    assert decks.find(header(PRICES).digest) is None
    assert list(decks.rates(header(PRICES).digest)) == []
    assert list(decks.rates(header(PRICES[:1]).digest)) == PRICES[:1]


def test_the_service_adds_decks_and_changes_none(migrated_dsn: str) -> None:
    put(PostgresDecks(migrated_dsn), PRICES)
    with psycopg.connect(migrated_dsn, autocommit=True) as session:
        session.execute("create role decks_service")
        try:
            schema.upgrade(migrated_dsn, service_role="decks_service")
            session.execute("set role decks_service")
            found = session.execute("select count(*) from decks.prices").fetchone()
            assert found == (len(PRICES),)
            for statement in ("update decks.prices set name = ''", "delete from decks.decks"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    session.execute(statement)
        finally:
            session.execute("reset role")
            session.execute("drop owned by decks_service")
            session.execute("drop role decks_service")


def test_a_read_that_hangs_ends(migrated_dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    put(PostgresDecks(migrated_dsn), PRICES)
    monkeypatch.setattr(decks_postgres, "_ANSWER_SECONDS", 1)
    with psycopg.connect(migrated_dsn) as session:
        session.execute("lock table decks.prices in access exclusive mode")
        with pytest.raises(StoreUnavailable, match="timeout"):
            list(PostgresDecks(migrated_dsn).rates(header(PRICES).digest))


def test_a_database_that_is_away_says_so() -> None:
    with pytest.raises(StoreUnavailable):
        PostgresDecks("postgresql://127.0.0.1:9/nothing").find("0" * 64)
