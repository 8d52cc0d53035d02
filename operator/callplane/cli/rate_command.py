"""`callplane rate`: what calls cost, one explained or many at once, and decks of prices."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from callplane.billing import deck_reading, rating, reading
from callplane.billing.deck_reading import ROWS_MAX
from callplane.billing.quotes import RefusalReason
from callplane.cli import connecting, deck_import
from callplane.cli.call_tree import CallTree
from callplane.cli.connecting import DatabaseUrl
from callplane.cli.numbers_command import AsJson
from callplane.clock import SystemClock
from callplane.errors import CallplaneError
from callplane.numbering.destinations import class_of, destination_of
from callplane.settings import PREFIX
from callplane.values import Seconds

group = typer.Typer(help="Prices of calls, explained.", no_args_is_help=True, rich_markup_mode=None)


@group.callback()
def _only_a_group() -> None:
    """Prices of calls, explained."""


def register(app: typer.Typer) -> None:
    """Add the verb to the application."""
    app.add_typer(group, name="rate")


@group.command()
def explain(
    dialled: Annotated[str, typer.Argument(help="The number, as it is dialled.")],
    seconds: Annotated[str, typer.Argument(help="How long: 90, or 0:01:30.")],
    paths: Annotated[list[str], typer.Argument(help="Manifests: files or folders.")],
    account: Annotated[
        str, typer.Option("--account", metavar="[NAMESPACE/]NAME", help="Who pays.")
    ],
    plan: Annotated[
        str, typer.Option("--plan", metavar="[NAMESPACE/]NAME", help="The caller's calling plan.")
    ] = "",
    free_minutes: Annotated[
        int, typer.Option("--free-minutes", min=0, help="Minutes left in the pool.")
    ] = 0,
    at: Annotated[
        str, typer.Option("--at", help="Set-up of the call, like 2026-11-02T09:30:00Z; else now.")
    ] = "",
    database_url: DatabaseUrl = None,
) -> None:
    """Show which rate makes which charge of a call. Nothing is written anywhere."""
    tree = CallTree(paths, deck=connecting.deck_rows(database_url))
    terms = tree.account_terms(account)
    calling_plan = tree.plan_terms(plan) if plan else None
    destination = destination_of(dialled)
    call = rating.Call(destination, _instant(at), _seconds(seconds))
    found = rating.rate(call, account=terms, plan=calling_plan, free_seconds=free_minutes * 60)
    typer.echo(f"destination {destination}, {class_of(destination).value}")
    if isinstance(found, RefusalReason):
        raise CallplaneError(f"the call cannot be rated: {found.value}")
    name = calling_plan.name if calling_plan is not None else ""
    for sentence in rating.explain(found, currency=terms.currency, plan_name=name):
        typer.echo(sentence)
    covers = calling_plan.destinations if calling_plan is not None else None
    if (terms.card is not None and terms.card.sample) or (covers is not None and covers.sample):
        typer.echo("made with samples: these prices and sets are nobody's")


@group.command()
def batch(
    files: Annotated[list[str], typer.Argument(metavar="CALLS...", help="CSV or Parquet files.")],
    paths: Annotated[list[str], typer.Option("--manifests", help="Files or folders; repeatable.")],
    lines: Annotated[
        Path,
        typer.Option(
            "--lines", help="CSV of lines: caller, ingress, account, plan; byoc if wanted."
        ),
    ],
    against: Annotated[
        str, typer.Option("--against", metavar="[NAMESPACE/]NAME", help="Another RateCard.")
    ] = "",
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for the rated calls, as Parquet.")
    ] = None,
    dask: Annotated[
        str, typer.Option("--dask", metavar="tcp://HOST:PORT", help="A scheduler of Dask.")
    ] = "",
    parts: Annotated[int, typer.Option("--parts", min=1, help="Parts on Dask.")] = 16,
    database_url: DatabaseUrl = None,
    as_json: AsJson = False,
) -> None:
    """Rate whole files of calls, and show what they come to. Nothing is written to the books.

    Columns are those of `ledger intake`, and on_net and byoc if wanted. Each month's pool is drawn
    down in the order of set-ups, as live calls draw it. With --against the same calls are rated by
    another card as well. Needs the extra `rating`.
    """
    try:
        from callplane.billing.batch.estates import estate
        from callplane.cli import batch_rating
    except ImportError as error:
        raise CallplaneError(f"batches need the extra `rating`: {error}") from None
    tree = CallTree(paths, deck=connecting.deck_rows(database_url))
    known = list(tree.lines(lines).values())
    other = estate(known, card=tree.prices(against)) if against else None
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
    folder = "" if out is None else str(out.absolute())
    job = batch_rating.Job(estate(known), other, SystemClock().now(), folder)
    named = [str(Path(file).absolute()) for file in files]
    if dask:
        found = batch_rating.on_dask(dask, named, job, parts=parts)
    else:
        found = batch_rating.on_this_machine(named, job)
    if as_json:
        typer.echo(batch_rating.to_json(found))
        return
    for sentence in batch_rating.text(found, against=against):
        typer.echo(sentence)


@group.command("import")
def import_(
    file: Annotated[Path, typer.Argument(metavar="DECK", help="CSV of prices.")],
    paths: Annotated[list[str], typer.Argument(help="Manifests: files or folders.")],
    card: Annotated[
        str, typer.Option("--card", metavar="[NAMESPACE/]NAME", help="The RateCard it is for.")
    ],
    effective_from: Annotated[
        str, typer.Option("--effective-from", help="Day or time for rows that name none.")
    ] = "",
    deck_rows_max: Annotated[
        int,
        typer.Option("--deck-rows-max", min=1, envvar=PREFIX + "DECK_ROWS_MAX", help="Most rows."),
    ] = ROWS_MAX,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Compare, and keep nothing.")] = False,
    database_url: DatabaseUrl = None,
    as_json: AsJson = False,
) -> None:
    """Take a deck of prices into the database, and say what it changes.

    Columns: prefix, name, per_minute; and if wanted connection_fee, increment (60/1), currency,
    effective_from, effective_until, short_code, service_per_minute, service_per_call, and
    per_minute:BAND for a band of the card. A deck with one bad row is refused whole. Nothing is
    charged by it before a RateCard names its digest.
    """
    tree, now = CallTree(paths, deck=connecting.deck_rows(database_url)), SystemClock().now()
    found, zone = tree.card(card), tree.card(card).spec.time_zone
    try:
        begins = deck_reading.instant(effective_from, zone) if effective_from else None
    except ValueError as error:
        raise CallplaneError(f"--effective-from: {error}") from None
    terms = reading.deck_terms(found, effective_from=begins, rows_max=deck_rows_max)
    url = connecting.required_database_url(database_url)
    with connecting.answering():
        month, calls = deck_import.last_months_calls(
            url, tree.accounts_of(found), zone=zone, now=now
        )
        imported = deck_import.load(
            file,
            card=found,
            decks=connecting.decks(url),
            terms=terms,
            calls=calls,
            month=month,
            now=now,
            keep=not dry_run,
        )
    if as_json:
        typer.echo(json.dumps(deck_import.as_json(imported), indent=2))
        return
    for sentence in deck_import.text(imported, zone=zone, currency=found.spec.currency):
        typer.echo(sentence)
    if not dry_run:
        typer.echo(f"to charge by it: spec.deck.digest of {found.namespace}/{found.name}")


def _instant(text: str) -> datetime:
    if not text:
        return SystemClock().now()
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise CallplaneError(f"{text!r} is no time with a zone, as in 2026-11-02T09:30:00Z")
    return found.astimezone(UTC)


def _seconds(text: str) -> int:
    try:
        return Seconds.parse(text).count
    except ValueError as error:
        raise CallplaneError(str(error)) from None
