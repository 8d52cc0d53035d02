"""What `callplane database verify`, `database rehearse` and `ledger audit` print about a database,
and the record they keep.

A restore that nobody has checked is a hope. The answer is one line at the end, and an exit code.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from callplane.cli import connecting, output
from callplane.clock import SystemClock
from callplane.errors import CallplaneError

if TYPE_CHECKING:
    from callplane.store.examining import Examination, Record
    from callplane.store.ports import ChainReport, Checkpoint

#: Whole, and something of the record is not there: what came after the backup.
OLDER = 2
NOT_WHOLE = 1


def run(url: str, *, against: Path | None, save: Path | None) -> int:
    """Print what a database holds and whether it is whole; the exit code."""
    from callplane.store import examining

    record = None if against is None else _read(against)
    with connecting.answering():
        found = examining.examine(url, record=record)
    chain, head, missing_links = asyncio.run(_chain(url, record))
    for line in _of_numbers(found, chain):
        typer.echo(line)
    _print_books(found, record)
    missing = list(found.missing)
    if missing_links:
        missing.insert(0, f"{output.count(missing_links, 'event')} of numbers are not there")
    problems = [*chain.details, *found.findings]
    if save is not None and missing and against is not None and save.resolve() == against.resolve():
        # It is the only evidence of what is missing.
        typer.echo(f"{save} is left as it was, for it has what is missing")
    elif save is not None and not problems:
        kept = examining.to_json(examining.recorded(found, head, now=SystemClock().now()))
        _write(save, json.dumps(kept, indent=1) + "\n")
        typer.echo(f"recorded in {save}")
    return _verdict(problems, missing)


def run_books(url: str, *, against: Path | None) -> int:
    """The same of the books alone: numbers may have taken another way since the record."""
    from callplane.store import examining

    record = None if against is None else _read(against)
    with connecting.answering():
        found = examining.examine_books(url, record=record)
    _print_books(found, record)
    return _verdict(found.findings, found.missing)


def _verdict(problems: Sequence[str], missing: Sequence[str]) -> int:
    for text in problems:
        typer.echo(f"NOT WHOLE: {text}")
    for text in missing:
        typer.echo(f"missing: {text}")
    if problems:
        typer.echo(f"not verified: {output.count(len(problems), 'finding')}")
        return NOT_WHOLE
    if missing:
        typer.echo("whole, and older than the record: what is missing came after this backup")
        return OLDER
    typer.echo("verified")
    return 0


async def _chain(url: str, record: Record | None) -> tuple[ChainReport, Checkpoint, int]:
    """The chain's report, its head, and how many links the record had beyond it."""
    async with connecting.register(url) as opened:
        # An operator links events a moment after they were made; nobody does it in a copy.
        head = await opened.checkpoint()
        known = record.head if record is not None and record.head.position else None
        beyond = 0 if known is None else max(0, known.position - head.position)
        report = await opened.verify(checkpoint=None if beyond else known)
        return report, head, beyond


def _of_numbers(found: Examination, chain: ChainReport) -> list[str]:
    numbers = ", ".join(f"{count:,} {state}" for state, count in found.numbers.items()) or "none"
    history = f"history of {output.count(chain.events, 'event')}, {chain.unlinked:,} not chained"
    return [f"schema: version {found.version}", f"numbers: {numbers}; {history}"]


def _print_books(found: Examination, record: Record | None) -> None:
    books = found.books
    counts = (
        (len({month.account for month in books.months}), "account"),
        (len(books.months), "month"),
        (sum(month.calls for month in books.months), "call"),
        (sum(month.postings for month in books.months), "posting"),
        (len(books.statements), "statement"),
    )
    typer.echo(f"books: {', '.join(output.count(*each) for each in counts)}")
    if books.dropped:
        dropped = output.count(books.dropped, "month")
        typer.echo(f"note: {dropped} older than what is kept, not audited")
    for text in found.notes:
        typer.echo(f"note: {text}")
    if record is not None:
        _print_comparison(found, record)


def _print_comparison(found: Examination, record: Record) -> None:
    counts: dict[str, int] = {}
    for one in found.comparisons:
        counts[one.standing.value] = counts.get(one.standing.value, 0) + 1
    shown = "; ".join(f"{output.count(n, 'month')} {what}" for what, n in counts.items())
    typer.echo(
        f"against the record of {record.taken_at:%Y-%m-%d %H:%M} UTC: {shown or 'it has no months'}"
    )


def _read(path: Path) -> Record:
    from callplane.store import examining

    try:
        return examining.from_json(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise CallplaneError(f"{path}: {(error.strerror or str(error)).lower()}") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CallplaneError(
            f"{path} is no record of a database ({error}); database verify --save makes one"
        ) from None


def _write(path: Path, text: str) -> None:
    """Whole or not at all: a record that is half there would be found on the worst of days."""
    draft = path.with_name(path.name + ".new")
    try:
        draft.write_text(text, encoding="utf-8")
        draft.replace(path)
    except OSError as error:
        raise CallplaneError(f"{path}: {(error.strerror or str(error)).lower()}") from None
