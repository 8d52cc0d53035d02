"""`callplane pools`: what each account has used, holds and has left, month by month."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from callplane.cli import connecting, output
from callplane.cli.connecting import DatabaseUrl
from callplane.cli.numbers_command import AsJson
from callplane.values.money import amount_text

if TYPE_CHECKING:
    from callplane.store.books_ports import AccountMonth


def register(app: typer.Typer) -> None:
    """Add the verb to the application."""
    app.command("pools")(pools)


def pools(
    account: Annotated[
        str, typer.Argument(metavar="[NAMESPACE/NAME]", help="Only this account.")
    ] = "",
    database_url: DatabaseUrl = None,
    as_json: AsJson = False,
) -> None:
    """List minutes and money of accounts. A month begins with the first call or plan in it."""
    url = connecting.required_database_url(database_url)
    rows = [_json(month) for month in asyncio.run(_months(url, account or None))]
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    heads = ("ACCOUNT", "MONTH", "MINUTES", "USED", "HELD", "FREE", "GRACE", "CALLS", "SPENT")
    names = ("minutes", "used", "held", "free", "grace")
    table = [
        (
            row["account"],
            row["month"],
            *(f"{row[name] / 60:,.1f}" for name in (f"{each}Seconds" for each in names)),
            f"{row['liveCalls']:,}",
            f"{row['spent']} {row['currency']}",
        )
        for row in rows
    ]
    typer.echo("\n".join(output.table([heads, *table])))
    connecting.say(output.count(len(rows), "month"))


async def _months(url: str, account: str | None) -> tuple[AccountMonth, ...]:
    async with connecting.books(url) as opened:
        return await opened.months(account)


def month_label(month: AccountMonth) -> str:
    """The month of a row: its middle lies in it in every time zone."""
    return (month.period_start + (month.period_end - month.period_start) / 2).strftime("%Y-%m")


def _json(month: AccountMonth) -> dict[str, Any]:
    now = month.counters
    return {
        "account": month.account,
        "month": month_label(month),
        "currency": month.currency,
        "minutesSeconds": now.entitlement_seconds,
        "usedSeconds": now.used_seconds,
        "heldSeconds": now.held_seconds,
        "freeSeconds": now.free_seconds,
        "graceSeconds": now.grace_used_seconds,
        "liveCalls": now.live_calls,
        "spent": amount_text(now.posted_micros),
        "heldMoney": amount_text(now.held_micros),
        "unsecured": amount_text(now.unsecured_micros),
    }
