"""`callplane rate`: what a call would cost, and why, by the function that charges calls."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from callplane.billing import rating
from callplane.billing.quotes import RefusalReason
from callplane.cli.call_tree import CallTree
from callplane.clock import SystemClock
from callplane.errors import CallplaneError
from callplane.numbering.destinations import class_of, destination_of
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
) -> None:
    """Show which rate makes which charge of a call. Nothing is written anywhere."""
    tree = CallTree(paths)
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
