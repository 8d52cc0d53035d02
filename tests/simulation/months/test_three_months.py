"""Seeded quarters of callers, administrators and accidents, audited by a program that imports
nothing of ours and computes every entitlement, charge, balance and decision anew.

The seed is the bug report: what fails says which command lives the same months again. Odd seeds
hold the clock change of spring, even ones that of autumn. More than the two of the tier:
`CALLPLANE_SEEDS=40 pytest tests/simulation/months`, from the first one on.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import quarters

from callplane.store import schema
from callplane.testing.control_plane import ThrowAwayPostgres

# Lives are processes of their own, some of them minutes long.
pytestmark = pytest.mark.timeout(900)

SEEDS = range(1, int(os.environ.get("CALLPLANE_SEEDS", "2")) + 1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("quarters")


@pytest.fixture(scope="module")
def lived(folder: Path) -> Mapping[str, quarters.Outcome]:
    return quarters.live_all({str(seed): ("--seed", str(seed)) for seed in SEEDS}, folder)


@pytest.mark.parametrize("seed", SEEDS)
def test_an_auditor_finds_the_books_right(lived: Mapping[str, quarters.Outcome], seed: int) -> None:
    assert not lived[str(seed)].rules, lived[str(seed)].report


def test_much_has_happened(lived: Mapping[str, quarters.Outcome], folder: Path) -> None:
    """A quarter in which nothing went wrong would prove nothing."""
    happened = Counter(word for seed in lived for word in words(folder / f"{seed}.json"))
    for word, least in {
        "call": 5_000,
        "kill": 20,
        "boot": 5,
        "terms": 100,
        "vanished": 3,
        "outage": 20,
        "presumed": 3,
        "voided": 50,
        "PoolExhausted": 50,
        "CeilingReached": 50,
        "DailyCapReached": 2,
        "ConcurrencyLimit": 5,
        "NoPlan": 5,
        "NoRate": 5,
        "RateCardDisabled": 5,
        "emergency": 20,
    }.items():
        assert happened[word] >= least, (word, happened)


def words(journal: Path) -> Iterator[str]:
    """What the facts of a journal are about."""
    for line in journal.read_text(encoding="ascii").splitlines()[1:]:
        fact = json.loads(line)
        yield fact["kind"]
        if fact["kind"] == "call":
            yield from (str(fact.get(name)) for name in ("outcome", "reason", "class"))
        elif fact["kind"] == "commit" and fact["what"] == "settle":
            yield from ("presumed" for entry in fact["entries"] if entry["presumed"])
        elif fact["kind"] == "commit" and fact["what"] == "void":
            yield "voided"


def test_the_same_over_the_database(folder: Path) -> None:
    """A shorter life over PostgreSQL: clean, and fact for fact the life over its twin."""
    life = ("--seed", "3", "--days", "40", "--calls", "300")
    with ThrowAwayPostgres() as server, server.database() as dsn:
        schema.upgrade(dsn)
        outcome = quarters.audited((*life, "--dsn", dsn), folder / "database.json")
    assert not outcome.rules, outcome.report
    quarters.live(life, folder / "twin.json")
    assert read(folder / "database.json") == read(folder / "twin.json")


def read(journal: Path) -> list[object]:
    return [without_ids(json.loads(line)) for line in journal.read_text().splitlines()]


def without_ids(fact: dict[str, object]) -> object:
    """Postings are numbered by their books; one that takes back another names it by number."""
    if fact.get("kind") != "month":
        return fact
    postings = fact["postings"]
    assert isinstance(postings, list)
    bare = [{**one, "id": 0, "reverses": one["reverses"] is not None} for one in postings]
    return {**fact, "postings": sorted(bare, key=json.dumps)}


def test_the_same_seed_lives_the_same_months(folder: Path) -> None:
    life = ("--seed", "5", "--days", "5", "--calls", "150")
    quarters.live(life, folder / "first.json")
    quarters.live(life, folder / "second.json")
    assert (folder / "first.json").read_bytes() == (folder / "second.json").read_bytes()
