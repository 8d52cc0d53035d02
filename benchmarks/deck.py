"""How long a deck takes to import, and how much memory the import needs.

    python benchmarks/deck.py [--rows N] [--once]

Starts a PostgreSQL of its own. The deck is imported as `callplane rate import` does it, once into
an empty database, and once more with every fifth price changed, so that the second import also
compares the two. Memory is what the process has grown by since it was ready to begin. The last line
is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from callplane.apis.rate_cards import RateCard
from callplane.billing import reading
from callplane.cli import deck_import
from callplane.store import schema
from callplane.store.decks_postgres import PostgresDecks
from callplane.testing.control_plane import ThrowAwayPostgres

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def lines(rows: int, *, changed: bool) -> Iterator[str]:
    yield "prefix,name,per_minute,increment,currency\n"
    for number in range(rows):
        price = number % 90 + (11 if changed and number % 5 == 0 else 10)
        yield f"{10_000_000 + number},Place {number},0.0{price},60/1,GBP\n"


def card(digest: str = "0" * 64) -> RateCard:
    return RateCard.model_validate(
        {
            "apiVersion": "callplane.dev/v1alpha1",
            "kind": "RateCard",
            "metadata": {"name": "standard", "namespace": "platform"},
            "spec": {"currency": "GBP", "sample": True, "deck": {"digest": digest}},
        }
    )


def peak_kilobytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def imported(dsn: str, file: Path, of: RateCard) -> tuple[deck_import.Imported, float]:
    began = time.perf_counter()
    found = deck_import.load(
        file,
        card=of,
        decks=PostgresDecks(dsn),
        terms=reading.deck_terms(of, effective_from=BEGIN, rows_max=1_000_000),
        calls=[],
        month="2026-10",
        now=BEGIN,
    )
    return found, time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--once", action="store_true", help="leave the comparison out")
    arguments = parser.parse_args()
    rows = arguments.rows
    with (
        ThrowAwayPostgres(durable=not arguments.once) as server,
        server.database() as dsn,
        tempfile.TemporaryDirectory() as folder,
    ):
        schema.upgrade(dsn)
        files = Path(folder, "deck.csv"), Path(folder, "changed.csv")
        for nth, file in enumerate(files):
            with file.open("w", encoding="utf-8") as opened:
                opened.writelines(lines(rows, changed=nth == 1))
        before = peak_kilobytes()
        first, alone_seconds = imported(dsn, files[0], card())
        second, compared_seconds = first, 0.0
        if not arguments.once:
            second, compared_seconds = imported(dsn, files[1], card(first.header.digest))
        grown = peak_kilobytes() - before
    print(
        json.dumps(
            {
                "benchmark": "deck",
                "cores": os.cpu_count(),
                "load_average_before": round(os.getloadavg()[0], 2),
                "rows": first.header.rows,
                "import_seconds": round(alone_seconds, 1),
                "compared_import_seconds": round(compared_seconds, 1),
                "rows_per_second": round(rows / alone_seconds),
                "changes": {change.value: count for change, count in second.changes.items()},
                "grown_megabytes": round(grown / 1024, 1),
            }
        )
    )


if __name__ == "__main__":
    main()
