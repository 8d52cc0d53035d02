"""Evidence under one suite: over PostgreSQL, and over its twin; a guard taken out is missed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import psycopg
import pytest

from callplane.billing import matching
from callplane.callcontrol import intake
from callplane.store import evidence_memory, evidence_postgres
from callplane.store.books_memory import MemoryBooks
from callplane.store.books_ports import Books
from callplane.store.books_postgres import PostgresBooks
from callplane.store.evidence_memory import MemoryEvidence
from callplane.store.evidence_ports import EvidenceBook
from callplane.store.evidence_postgres import PostgresEvidence
from callplane.testing.evidence_contract import CHECKS, Check

Pair = tuple[Books, EvidenceBook]


@pytest.fixture(params=["memory", "postgres"])
async def pair(request: pytest.FixtureRequest) -> AsyncIterator[Pair]:
    if request.param == "memory":
        books = MemoryBooks()
        yield books, MemoryEvidence(books)
        return
    dsn = request.getfixturevalue("migrated_dsn")
    stored, evidence = PostgresBooks(dsn), PostgresEvidence(dsn)
    await stored.open()
    await evidence.open()
    yield stored, evidence
    await evidence.close()
    await stored.close()


@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
async def test_evidence(pair: Pair, check: Check) -> None:
    await check(*pair)


def _all_pairs(candidates: Any) -> dict[Any, Any]:
    """In place of the choice of one leg for each: every pair counts."""
    return {one.sighting: one.leg for one in candidates}


def _everybody_charges(source: str) -> str:
    return "the same"


@pytest.mark.parametrize(
    ("owner", "name", "new", "misses"),
    [
        (evidence_memory, "assign", _all_pairs, "a_feed_confirms_a_leg_once_and_every_feed_may"),
        (evidence_memory, "assign", _all_pairs, "the_likeliest_pairs_are_made_first"),
        (intake, "family", _everybody_charges, "the_first_feed_of_an_ingress_charges_it"),
        (
            evidence_memory,
            "TOLERANCE",
            matching.PATIENCE,
            "another_holder_direction_or_time_is_another_call",
        ),
        (
            evidence_memory,
            "PATIENCE",
            matching.PATIENCE * 1000,
            "a_record_that_does_not_come_is_missing_until_it_does",
        ),
    ],
)
async def test_a_mutant_of_the_twin_is_caught(
    owner: Any, name: str, new: Any, misses: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owner, name, new)
    books = MemoryBooks()
    with pytest.raises(AssertionError):
        await CHECKS[misses](books, MemoryEvidence(books))


@pytest.mark.parametrize(
    ("statement", "old", "new", "misses"),
    [
        (
            "CANDIDATES",
            "c.inbound = e.inbound",
            "true",
            "another_holder_direction_or_time_is_another_call",
        ),
        (
            "CANDIDATES",
            "and before.leg = c.leg",
            "and false",
            "a_feed_confirms_a_leg_once_and_every_feed_may",
        ),
        (
            "CANDIDATES",
            "and c.source <> e.source",
            "",
            "another_holder_direction_or_time_is_another_call",
        ),
    ],
)
async def test_a_mutant_of_a_statement_is_caught(  # noqa: PLR0913 - a case has as many parts
    migrated_dsn: str,
    statement: str,
    old: str,
    new: str,
    misses: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = getattr(evidence_postgres, statement)
    assert text.count(old) == 1
    monkeypatch.setattr(evidence_postgres, statement, text.replace(old, new))
    books, evidence = PostgresBooks(migrated_dsn), PostgresEvidence(migrated_dsn)
    await books.open()
    await evidence.open()
    try:
        with pytest.raises((AssertionError, psycopg.errors.IntegrityError)):
            await CHECKS[misses](books, evidence)
    finally:
        await evidence.close()
        await books.close()
