"""`callplane ledger`: postings of a month, call records into the books, and what waits."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from callplane.billing import mediation
from callplane.billing.mediation import Leg, RowError
from callplane.billing.terms import Line
from callplane.cli import connecting, database_verifying, output
from callplane.cli.call_tree import CallTree
from callplane.cli.connecting import DatabaseUrl
from callplane.cli.numbers_command import AsJson
from callplane.cli.pools_command import month_label
from callplane.clock import SystemClock
from callplane.errors import CallplaneError, mask_number
from callplane.values.money import amount_text

if TYPE_CHECKING:
    from callplane.callcontrol.intake import Report
    from callplane.store.books_ports import AccountMonth, StoredPosting, Suspended
    from callplane.store.evidence_ports import StoredSighting

ROW_ERRORS_MAX = 100

group = typer.Typer(
    help="The ledger: postings, call records, suspense.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
Manifests = Annotated[list[str], typer.Option("--manifests", help="Files or folders; repeatable.")]
Lines = Annotated[
    Path,
    typer.Option("--lines", help="CSV of lines: caller, ingress, account, plan; byoc if wanted."),
]


def register(app: typer.Typer) -> None:
    """Add the verb to the application."""
    app.add_typer(group, name="ledger")


@group.command()
def postings(
    account: Annotated[str, typer.Argument(metavar="NAMESPACE/NAME", help="The account.")],
    month: Annotated[str, typer.Argument(help="The month, like 2026-10.")],
    database_url: DatabaseUrl = None,
    as_json: AsJson = False,
) -> None:
    """List every posting of an account's month, in the order in which they were made."""
    url = connecting.required_database_url(database_url)
    rows = [_json(one) for one in asyncio.run(_postings(url, account, month))]
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    heads = ("ID", "TIME (UTC)", "WHAT", "DEBIT", "CREDIT", "AMOUNT", "CALL OR HOLDER")
    names = ("id", "at", "purpose", "debit", "credit", "amount", "attempt")
    table = [tuple(str(row[name]) for name in names) for row in rows]
    typer.echo("\n".join(output.table([heads, *table])))
    connecting.say(output.count(len(rows), "posting"))


async def _postings(url: str, account: str, month: str) -> tuple[StoredPosting, ...]:
    async with connecting.books(url) as opened:
        found = find_month(await opened.months(account), account, month)
        return await opened.postings(account, found.period_start)


def find_month(months: tuple[AccountMonth, ...], account: str, label: str) -> AccountMonth:
    """The month of that label. Raises CallplaneError that names the ones there are."""
    for month in months:
        if month_label(month) == label:
            return month
    known = ", ".join(map(month_label, months)) or "none"
    raise CallplaneError(f"{account} has no month {label} in the books; there are: {known}")


def _json(one: StoredPosting) -> dict[str, Any]:
    posting = one.posting
    in_seconds = posting.unit == "s"
    amount = str(posting.amount) if in_seconds else amount_text(posting.amount)
    what = posting.purpose.value + (" presumed" if posting.presumed else "")
    return {
        "id": one.id,
        "at": one.at.strftime("%Y-%m-%d %H:%M:%S"),
        "purpose": what if posting.reverses is None else f"{what}, takes back {posting.reverses}",
        "debit": posting.debit,
        "credit": posting.credit,
        "amount": f"{amount} {posting.unit}",
        "attempt": posting.attempt_id,
    }


@group.command()
def intake(
    file: Annotated[Path, typer.Argument(help="CSV of calls.")],
    paths: Manifests,
    lines: Lines,
    database_url: DatabaseUrl = None,
    source: Annotated[str, typer.Option("--source", help="Name of the feed.")] = "csv",
) -> None:
    """Account for the calls of a file. A file with a row that cannot be read changes nothing.

    Columns: attempt_id, caller, dialled, ingress, setup, answered, released; leg and direction if
    wanted. The same call again is charged once; what cannot be rated waits in suspense. Calls of an
    ingress that another feed charges are kept as evidence and charge nothing.
    """
    known = CallTree(paths, deck=connecting.deck_rows(database_url)).lines(lines)
    legs = _read(file, source)
    report = asyncio.run(_take(connecting.required_database_url(database_url), legs, known))
    _print(report, len(legs))


def _read(file: Path, source: str) -> list[Leg]:
    try:
        with file.open(encoding="utf-8-sig", newline="") as opened:
            found = list(mediation.read_csv(opened, source=source))
    except (OSError, UnicodeDecodeError) as error:
        raise CallplaneError(f"{file}: {error}") from None
    errors = [each for each in found if isinstance(each, RowError)]
    if errors:
        shown = [f"{file}: {each}" for each in errors[:ROW_ERRORS_MAX]]
        more = len(errors) - len(shown)
        rest = [f"and {output.count(more, 'more reason/more reasons')}"] if more else []
        raise CallplaneError("\n".join(["nothing was taken", *shown, *rest]))
    return [each for each in found if isinstance(each, Leg)]


async def _take(url: str, legs: list[Leg], lines: Mapping[str, Line]) -> Report:
    from callplane.callcontrol import intake as books_intake

    async with connecting.books(url) as books, connecting.evidence(url) as evidence:
        now = SystemClock().now()
        return await books_intake.take(books, legs, lines=lines, now=now, evidence=evidence)


def _print(report: Report, calls: int) -> None:
    waiting = sum(report.suspended.values())
    typer.echo(
        f"{output.count(calls, 'call')}: {report.settled:,} accounted for, "
        f"{report.duplicates:,} known before, {waiting:,} in suspense"
    )
    if report.evidence:
        typer.echo(f"  kept as evidence, since another feed charges: {report.evidence:,}")
    for reason, count in sorted(report.suspended.items()):
        typer.echo(f"  {reason.value}: {count:,}")


@group.command()
def suspense(database_url: DatabaseUrl = None, as_json: AsJson = False) -> None:
    """List records that wait because they cannot be rated, with the reason."""
    found = asyncio.run(_suspense(connecting.required_database_url(database_url)))
    if as_json:
        rows = [{"reason": one.reason, "source": one.source, **one.record} for one in found]
        typer.echo(json.dumps(rows, indent=2))
        return
    table = [
        # A line that could not be read has no caller.
        (
            one.reason,
            one.source,
            one.attempt_id,
            one.leg,
            mask_number(str(one.record.get("caller", ""))),
        )
        for one in found
    ]
    typer.echo("\n".join(output.table([("REASON", "SOURCE", "CALL", "LEG", "CALLER"), *table])))
    connecting.say(output.count(len(found), "record"))


async def _suspense(url: str) -> tuple[Suspended, ...]:
    async with connecting.books(url) as opened:
        return await opened.suspended()


@group.command()
def replay(paths: Manifests, lines: Lines, database_url: DatabaseUrl = None) -> None:
    """Try what is in suspense again, after the line, plan or price was put right."""
    known = CallTree(paths, deck=connecting.deck_rows(database_url)).lines(lines)
    report = asyncio.run(_replay(connecting.required_database_url(database_url), known))
    _print(report, report.settled + report.duplicates + sum(report.suspended.values()))


async def _replay(url: str, lines: Mapping[str, Line]) -> Report:
    from callplane.callcontrol import intake as books_intake

    async with connecting.books(url) as books, connecting.evidence(url) as evidence:
        now = SystemClock().now()
        return await books_intake.replay(books, lines=lines, now=now, evidence=evidence)


@group.command()
def sources(
    appoint: Annotated[
        list[str] | None,
        typer.Option("--appoint", metavar="INGRESS=FEED", help="This feed charges it; repeatable."),
    ] = None,
    database_url: DatabaseUrl = None,
    as_json: AsJson = False,
) -> None:
    """List which feed charges the calls of each ingress; every other one is evidence.

    The first feed of an ingress charges it until another is appointed. Records that either of them
    has had settled stay as they are.
    """
    wanted = [_appointment(one) for one in appoint or ()]
    found = asyncio.run(_sources(connecting.required_database_url(database_url), wanted))
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    typer.echo("\n".join(output.table([("INGRESS", "CHARGED BY"), *found.items()])))


def _appointment(text: str) -> tuple[str, str]:
    ingress, _, source = text.partition("=")
    if not ingress or not source:
        raise CallplaneError(f"--appoint {text}: must be INGRESS=FEED, as in trunks/teams=sbc")
    return ingress, source


async def _sources(url: str, wanted: list[tuple[str, str]]) -> dict[str, str]:
    async with connecting.evidence(url) as opened:
        for ingress, source in wanted:
            await opened.appoint(ingress, source, now=SystemClock().now())
        return dict(await opened.charging_sources())


@group.command()
def evidence(
    state: Annotated[
        str, typer.Option("--state", help="Open, Confirmed or MissingCdr; else all.")
    ] = "",
    database_url: DatabaseUrl = None,
    as_json: AsJson = False,
) -> None:
    """List what feeds that do not charge have seen, and which charged call each confirms.

    MissingCdr: a day after the call there is still no record of it in the books.
    """
    found = asyncio.run(_evidence(connecting.required_database_url(database_url), state))
    rows = [
        {
            "state": one.state.value,
            "source": one.sighting.source,
            "id": one.sighting.external_id,
            "time": one.sighting.setup.strftime("%Y-%m-%d %H:%M:%S"),
            "seconds": one.sighting.duration_seconds,
            "holder": mask_number(one.sighting.holder),
            "confirms": "" if one.leg is None else f"{one.leg[0]}/{one.leg[1]}",
        }
        for one in found
    ]
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    heads = ("STATE", "FEED", "ID", "TIME (UTC)", "SECONDS", "HOLDER", "CONFIRMS")
    table = [tuple(str(value) for value in row.values()) for row in rows]
    typer.echo("\n".join(output.table([heads, *table])))
    connecting.say(output.count(len(rows), "sighting"))


async def _evidence(url: str, state: str) -> tuple[StoredSighting, ...]:
    from callplane.store.evidence_ports import EvidenceState

    try:
        wanted = EvidenceState(state) if state else None
    except ValueError:
        known = ", ".join(one.value for one in EvidenceState)
        raise CallplaneError(f"--state {state}: must be one of {known}") from None
    async with connecting.evidence(url) as opened:
        await opened.match(now=SystemClock().now())
        return await opened.sightings(wanted)


@group.command()
def audit(
    database_url: DatabaseUrl = None,
    against: Annotated[
        Path | None,
        typer.Option("--against", help="A record of database verify --save: what is not there?"),
    ] = None,
) -> None:
    """Say whether every balance follows from its postings, and every call was charged once.

    Exit code 0 verified; 1 not whole; 2 whole, and something of the record is not there. Calls that
    were handed in again after a restore count as there: the same calls, minutes and money.
    """
    url = connecting.required_database_url(database_url)
    code = database_verifying.run_books(url, against=against)
    if code:
        raise typer.Exit(code)


@group.command()
def redact(
    days: Annotated[int, typer.Option("--days", min=1, help="Calls older than so many days.")],
    database_url: DatabaseUrl = None,
) -> None:
    """Take people's digits out of old calls. Postings, balances and statements stay as they are."""
    found = asyncio.run(_redact(connecting.required_database_url(database_url), days))
    calls, sightings, waiting = found
    typer.echo(
        f"redacted {output.count(calls, 'call')} and {output.count(sightings, 'sighting')}, and "
        f"{output.count(waiting, 'record')} in suspense"
    )


async def _redact(url: str, days: int) -> tuple[int, int, int]:
    before = SystemClock().now() - timedelta(days=days)
    async with connecting.books(url) as books, connecting.evidence(url) as opened:
        accounts = {month.account for month in await books.months()}
        calls = sum([await books.redact(one, before=before) for one in sorted(accounts)])
        sightings = await opened.redact(before=before)
        return calls, sightings, await books.redact_suspense(before=before)
