"""`callplane rate import` over decks and books in memory."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from callplane.billing.mediation import Leg
from callplane.billing.rating import Call, Rated, rate
from callplane.cli import app, connecting
from callplane.clock import SystemClock
from callplane.store.books_memory import MemoryBooks
from callplane.store.books_ports import Entry, Payer
from callplane.store.decks_memory import MemoryDecks
from callplane.testing.billing_builders import account, card, row
from callplane.values import Period

SAMPLES = Path(__file__).parents[3] / "manifests" / "samples"
URL = "--database-url=postgresql://localhost/memory"
DECK = """prefix,name,per_minute,currency,effective_from
44,United Kingdom,0.02,GBP,2026-01-01
447,United Kingdom mobile,0.03,GBP,2026-01-01
353,Ireland,0.05,GBP,2026-01-01
"""
Run = Callable[..., str]


@pytest.fixture
def decks(monkeypatch: pytest.MonkeyPatch) -> MemoryDecks:
    made, books = MemoryDecks(), MemoryBooks()
    asyncio.run(use_last_month(books))

    @asynccontextmanager
    async def opened(_: str) -> AsyncIterator[MemoryBooks]:
        yield books

    monkeypatch.setattr(connecting, "books", opened)
    monkeypatch.setattr(connecting, "decks", lambda url: made)
    return made


async def use_last_month(books: MemoryBooks) -> None:
    """Two priced calls of the account of the samples: to the United Kingdom, and to America."""
    this_month = Period.of(SystemClock().now(), "Europe/London").start
    setup = this_month - timedelta(days=9)
    setup -= timedelta(days=setup.weekday()) - timedelta(hours=12)
    prices = card(row("44", 15_000), row("1", 20_000))
    payer = account(name="default/example", card=prices, pay_as_you_go=True)
    entries = []
    for number, destination in enumerate(("+442079460123", "+12125550123")):
        call = Call(destination, setup, 600)
        rated = rate(call, account=payer, plan=None, free_seconds=0)
        assert isinstance(rated, Rated)
        leg = Leg(
            source="csv", attempt_id=f"call-{number}", leg="1", caller="+442079460001",
            dialled=destination, destination=destination, ingress="trunks/teams", setup=setup,
            answered=setup, released=setup + timedelta(minutes=10),
        )  # fmt: skip
        entries.append(
            Entry(
                leg.attempt_id,
                Payer.at("default/example", "GBP", "Europe/London", setup),
                "+442079460001",
                rated.mode,
                rated.settlement,
                leg,
                rated.price,
            )
        )
    await books.settle(entries, now=SystemClock().now())


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def ran(*arguments: str, code: int = 0) -> str:
        ended = app.run(list(arguments))
        printed = capsys.readouterr()
        assert ended == code, printed
        return printed.out if code == 0 else printed.out + printed.err

    return ran


@pytest.fixture
def load(run: Run, tmp_path: Path) -> Run:
    def loaded(text: str, *arguments: str, code: int = 0, paths: Path = SAMPLES) -> str:
        file = tmp_path / "deck.csv"
        file.write_text(text, encoding="utf-8")
        return run(
            "rate", "import", str(file), str(paths), "--card=standard", URL, *arguments, code=code
        ).replace(str(file), "deck.csv")

    return loaded


def test_an_import_says_what_it_changes(decks: MemoryDecks, load: Run) -> None:
    lines = load(DECK).splitlines()
    digest = lines[0].removeprefix("deck ")
    header = decks.find(digest)
    assert header is not None
    assert (header.rows, header.currency) == (3, "GBP")
    assert lines[1] == "3 prices of 3 prefixes in GBP, in force from 2026-01-01"
    assert lines[2] == (
        "against the card's own rows: 1 added, 1 changed otherwise, 3 removed, 1 same"
    )
    assert "  353 added: no price → 0.05 a minute, 1/1" in lines
    month = Period.of(
        Period.of(SystemClock().now(), "Europe/London").start - timedelta(days=1), "Europe/London"
    ).label
    # The sample card has 0.015 a minute to 44, and a connection fee and 0.02 to 1.
    assert lines[-4:] == [
        f"calls of {month}: 2 priced, 0.15 GBP as it is, 0.20 by the new deck, difference +0.05",
        "  to United Kingdom: +0.05",
        "  to North America: 1 call would have no price and be refused",
        "to charge by it: spec.deck.digest of default/standard",
    ]


def test_the_same_prices_again_are_known(decks: MemoryDecks, load: Run) -> None:
    first = json.loads(load(DECK, "--json"))
    head, *rows = DECK.splitlines(keepends=True)
    again = json.loads(load(head + "".join(reversed(rows)), "--json"))
    assert (first["wasNew"], again["wasNew"]) == (True, False)
    assert first["digest"] == again["digest"]


def test_a_deck_is_compared_with_the_one_in_use(
    decks: MemoryDecks, load: Run, tmp_path: Path
) -> None:
    digest = json.loads(load(DECK, "--json"))["digest"]
    folder = tmp_path / "git"
    folder.mkdir()
    for name in ("ratecard", "callingaccount"):
        manifest = yaml.safe_load((SAMPLES / f"{name}.yaml").read_text(encoding="utf-8"))
        if name == "ratecard":
            del manifest["spec"]["rows"]
            manifest["spec"]["deck"] = {"digest": digest}
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(manifest), encoding="utf-8")
    lines = load(DECK.replace("0.05", "0.04"), paths=folder).splitlines()
    assert lines[2] == f"against deck {digest[:12]}: 1 cheaper, 2 same"
    assert "  353 cheaper: 0.05 a minute, 1/1 → 0.04 a minute, 1/1" in lines


def test_a_dry_run_keeps_nothing(decks: MemoryDecks, load: Run) -> None:
    found = json.loads(load(DECK, "--json", "--dry-run"))
    assert found["wasNew"]
    assert decks.find(found["digest"]) is None


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        (DECK + "44,United Kingdom,0.09,GBP,2026-01-01\n", (),
         "deck.csv: row 5, prefix: prefix 44 of row 2 again from the same date"),
        (DECK.replace("GBP", "EUR"), (), "row 4, currency: 'EUR' is not the card's GBP"),
        (DECK.replace("Ireland", "=1+1"), (), "row 4, name: begins like a formula"),
        (DECK, ("--deck-rows-max=2",), "row 4, -: more than 2 rows, which deckRowsMax allows"),
        (DECK + "x,y,z,GBP,2026-01-01\n" * 120, (), "and 140 more reasons"),
        (DECK, ("--effective-from=soon",), "--effective-from: 'soon' is no day"),
        (DECK, ("--card=nothing",), "there is no RateCard nothing"),
        ("", (), "the column is missing"),
    ],
)  # fmt: skip
def test_a_bad_deck_is_refused_whole(
    decks: MemoryDecks, load: Run, text: str, options: tuple[str, ...], message: str
) -> None:
    kept = json.loads(load(DECK, "--json"))["digest"]
    assert message in load(text, *options, code=1)
    assert len(decks._decks) == 1
    assert len(list(decks.rates(kept))) == 3


def test_a_file_that_is_not_there_or_not_text_is_refused(
    decks: MemoryDecks, run: Run, tmp_path: Path
) -> None:
    gone = run("rate", "import", "/no/deck", str(SAMPLES), "--card=standard", URL, code=1)
    assert "/no/deck: No such file" in gone
    file = tmp_path / "deck.csv"
    file.write_bytes(DECK.encode() + b"\xff\xfe\n")
    found = run("rate", "import", str(file), str(SAMPLES), "--card=standard", URL, code=1)
    assert "is not CSV in UTF-8" in found
