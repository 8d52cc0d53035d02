"""`callplane statement`: a month as its payer reads it, and closing it for good."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from callplane.billing import statements
from callplane.billing.statements import StatementState
from callplane.cli import connecting, statement_rendering
from callplane.cli.call_tree import CallTree
from callplane.cli.connecting import DatabaseUrl
from callplane.cli.ledger_command import find_month
from callplane.cli.numbers_command import AsJson
from callplane.clock import SystemClock
from callplane.desired.account_months import NumbersOnTheirWay
from callplane.errors import CallplaneError
from callplane.numbering.lifecycle import NumberState
from callplane.plan.change import Operation
from callplane.values import Period

if TYPE_CHECKING:
    from callplane.billing.tariff import RateCard
    from callplane.desired.account_months import AccountFacts
    from callplane.store.books_ports import ClosedStatement
    from callplane.store.evidence_ports import ActiveUser


class Format(StrEnum):
    """How a statement is printed."""

    TEXT = "text"
    CSV = "csv"
    JSON = "json"
    HTML = "html"


def register(app: typer.Typer) -> None:
    """Add the verb to the application."""
    app.command("statement")(statement)


def statement(
    account: Annotated[str, typer.Argument(metavar="NAMESPACE/NAME", help="The account.")],
    month: Annotated[str, typer.Argument(help="The month, like 2026-10.")],
    paths: Annotated[list[str], typer.Option("--manifests", help="Where the account is declared.")],
    database_url: DatabaseUrl = None,
    as_json: AsJson = False,
    printed: Annotated[
        Format, typer.Option("--format", help="text, csv, json, or html for paper.")
    ] = Format.TEXT,
    close: Annotated[
        bool,
        typer.Option("--close", help="Number it for good; from 72 hours after the month on."),
    ] = False,
) -> None:
    """Add a month up: fees, hosting, seats, plans, calls, tax, and minutes.

    A closed month is printed as it was closed, whatever is declared by now. An open one is a
    preview that changes nothing.
    """
    tree = CallTree(paths, deck=connecting.deck_rows(database_url))
    declared = tree.account(account)
    try:
        period = Period.parse(month, declared.spec.time_zone)
    except ValueError as error:
        raise CallplaneError(str(error)) from None
    url = connecting.required_database_url(database_url)
    terms = tree.account_terms(account)
    about = _Month(tree.account_facts(account), terms.card, period, tree.declared_users)
    content = asyncio.run(_content(url, about, close=close))
    shown = Format.JSON if as_json else printed
    typer.echo(statement_rendering.FORMATS[shown.value](content))


@dataclass(frozen=True, slots=True)
class _Month:
    """What is asked for, and what manifests say about it."""

    facts: AccountFacts
    card: RateCard | None
    period: Period
    declared: Callable[[str], int | None]


async def _content(url: str, about: _Month, *, close: bool) -> dict[str, Any]:
    from callplane.engine import month_statements, month_users

    now, facts, period = SystemClock().now(), about.facts, about.period
    async with connecting.books(url) as books, connecting.evidence(url) as evidence:
        for one in await books.statements(facts.label):
            if one.period_start == period.start:
                return _closed(one)
        month = find_month(await books.months(facts.label), facts.label, period.label)
        late: list[ActiveUser] = []
        if now >= period.end:
            async with connecting.call_tables(url) as tables:
                if close:
                    await month_users.note(
                        books, evidence, tables, month,
                        zone=period.zone, declared=about.declared, now=now,
                    )  # fmt: skip
                late = await month_users.not_noted(
                    books, evidence, tables, month, declared=about.declared
                )
        records = await month_statements.records(books, evidence, month)
        records = replace(records, users=(*records.users, *late))
        made = month_statements.made(
            facts,
            records,
            card=about.card,
            on_their_way=await _on_their_way(url),
            runs=now < period.end,
        )
        if close:
            closed = await month_statements.close(books, month, made, now=now)
            if closed is None:
                raise CallplaneError(_not_closed(period, now))
            return _closed(closed)
    state = statements.state_of(period, now, is_closed=False)
    return {**statements.document(made), "state": state.value, "number": None, "digest": None}


async def _on_their_way(url: str) -> NumbersOnTheirWay:
    """Numbers that are ordered or being ported in: the register is in the same database."""
    ordering: set[str] = set()
    porting: set[str] = set()
    async with connecting.register(url) as register:
        for known in await register.connections():
            state = await register.load(known.connection)
            for row in state.numbers:
                if row.state is NumberState.ORDERING:
                    ordering.add(row.number.text)
                elif row.state is NumberState.PORTING_IN:
                    porting.add(row.number.text)
            for intent in state.open_intents:
                # A number that somebody has while it comes stays in the state that it is in.
                match intent.change["op"]:
                    case Operation.ORDER_NUMBER.value:
                        ordering.add(intent.holder.user_id)
                    case Operation.PORT_NUMBER_IN.value:
                        porting.add(intent.holder.user_id)
    return NumbersOnTheirWay(ordering, porting)


def _closed(one: ClosedStatement) -> dict[str, Any]:
    return {
        **one.document,
        "state": StatementState.CLOSED.value,
        "number": one.number,
        "digest": one.digest,
        "closedAt": one.closed_at.isoformat(),
    }


def _not_closed(period: Period, now: datetime) -> str:
    if not statements.may_close(period, now):
        return (
            f"{period} is closed {statements.CLOSING_HOURS} hours after its end at the earliest, "
            "since records may still come"
        )
    return f"{period} changed while it was being added up; nothing was closed, try again"
