"""How large the database grows, and how long a backup, a restore and the check of it take.

    python benchmarks/size.py [--smoke]

Starts a PostgreSQL of its own and fills it through the same code that production uses: records of
calls that nothing was reserved for, calls with a reservation, and numbers given to people. Bytes
are pg_total_relation_size, indexes included, as the tables stand then. Afterwards pg_dump,
pg_restore into a new database, and what `callplane database verify` looks at. The last line is one
JSON object.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import psycopg

from callplane.callcontrol import intake
from callplane.store import examining, schema
from callplane.store.books_postgres import PostgresBooks
from callplane.store.ports import Commit
from callplane.store.postgres import PostgresRegister
from callplane.testing import backups
from callplane.testing.books_builders import NOW, entry, granted, holder, payer, request
from callplane.testing.control_plane import ThrowAwayPostgres
from callplane.testing.register_builders import NOW as THEN
from callplane.testing.register_builders import (
    TENANT,
    claim,
    confirm,
    hold,
    holder_row,
    person,
)
from callplane.values import E164
from intake import Feed

Result = TypeVar("Result")
ACCOUNTS = 1_000


@dataclass(frozen=True, slots=True)
class Sizes:
    records: int
    reserved: int
    numbers: int


FULL = Sizes(300_000, 20_000, 10_000)
SMOKE = Sizes(1_500, 200, 100)


def size_bytes(dsn: str) -> int:
    """All tables of ours with their indexes."""
    with psycopg.connect(dsn, autocommit=True) as session:
        row = session.execute(
            "select sum(pg_total_relation_size(c.oid)) from pg_class as c "
            "join pg_namespace as n on n.oid = c.relnamespace "
            "where n.nspname in ('register', 'books', 'calls') and c.relkind = 'r'"
        ).fetchone()
    return int(row[0]) if row is not None else 0


async def records(books: PostgresBooks, count: int) -> None:
    feed = Feed(ACCOUNTS)
    await intake.take(books, feed.take(count), lines=feed.lines, now=NOW + timedelta(days=2))


async def reserved(books: PostgresBooks, count: int) -> None:
    """Each held, answered and settled, as a call that was asked about."""
    whose = payer("bench/reserved")
    await books.set_plans(whose, [holder("anna", count * 2.0)], now=NOW)
    for nth in range(count):
        asked = request(f"held-{nth}", payer=whose, line=f"line-{nth % 100}")
        held = await granted(books, asked)
        await books.settle([entry(f"held-{nth}", 60, held, whose=whose)], now=NOW)


async def numbers(register: PostgresRegister, count: int) -> None:
    """Each claimed, confirmed, chained."""
    epoch = await hold(register)
    for nth in range(count):
        one, wanted = person(f"person-{nth}"), E164(f"+4420794{nth:06}")
        row = holder_row(f"person-{nth}", applied={"number": wanted.text, "location": "site-1"})
        taken = replace(claim(0, one, range_name="voice/london"), number=wanted)
        done = replace(confirm(0, one, range_name="voice/london"), number=wanted)
        for commit in (Commit(moves=(taken,), holders=(row,)), Commit(moves=(done,))):
            await register.commit(TENANT, commit, epoch=epoch, now=THEN)
    while await register.link_events():
        pass


async def filled(dsn: str, sizes: Sizes) -> dict[str, float]:
    """Fill the database part by part; bytes of each."""
    found: dict[str, float] = {}
    books, register = PostgresBooks(dsn), PostgresRegister(dsn)
    await books.open()
    await register.open()
    try:
        for name, count, part in (
            ("record_bytes", sizes.records, records(books, sizes.records)),
            ("reserved_call_bytes", sizes.reserved, reserved(books, sizes.reserved)),
            ("number_bytes", sizes.numbers, numbers(register, sizes.numbers)),
        ):
            before = size_bytes(dsn)
            await part
            found[name] = round((size_bytes(dsn) - before) / count)
            print(f"{name}: {found[name]:,.0f} over {count:,}", flush=True)
    finally:
        await books.close()
        await register.close()
    return found


def timed(work: Callable[[], Result]) -> tuple[Result, float]:
    began = time.perf_counter()
    return work(), round(time.perf_counter() - began, 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true")
    sizes = SMOKE if parser.parse_args().smoke else FULL
    load = os.getloadavg()[0]
    with ThrowAwayPostgres() as server, tempfile.TemporaryDirectory() as folder:
        dsn = server.create_database()
        schema.upgrade(dsn)
        found = asyncio.run(filled(dsn, sizes))
        file, dump_seconds = timed(lambda: backups.dump(server, dsn, Path(folder) / "dump"))
        restored, restore_seconds = timed(lambda: backups.restore(server, file))
        examined, verify_seconds = timed(lambda: examining.examine(restored))
        if examined.findings:
            raise SystemExit(f"the restored database is not whole: {examined.findings[:3]}")
        calls = sizes.records + sizes.reserved
        print(
            json.dumps(
                {
                    "benchmark": "size",
                    "calls": calls,
                    "numbers": sizes.numbers,
                    **found,
                    "dump_bytes_per_call": round(file.stat().st_size / calls),
                    "dump_seconds": dump_seconds,
                    "restore_seconds": restore_seconds,
                    "verify_seconds": verify_seconds,
                    "load_average_before": round(load, 2),
                }
            )
        )


if __name__ == "__main__":
    main()
