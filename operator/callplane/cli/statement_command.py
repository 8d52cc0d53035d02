"""`callplane statement`: a month as its payer reads it, from what the books hold."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from callplane.billing import fees, reading, statements
from callplane.billing.statements import Statement, StatementLine, Usage
from callplane.billing.taxes import TaxTreatment, rate_on
from callplane.cli import connecting, output
from callplane.cli.call_tree import CallTree
from callplane.cli.connecting import DatabaseUrl
from callplane.cli.ledger_command import find_month
from callplane.cli.numbers_command import AsJson
from callplane.errors import CallplaneError
from callplane.values import Period
from callplane.values.money import amount_text

if TYPE_CHECKING:
    from callplane.apis.calling_accounts import CallingAccount
    from callplane.store.books_ports import AccountMonth, CallRow


def register(app: typer.Typer) -> None:
    """Add the verb to the application."""
    app.command("statement")(statement)


def statement(
    account: Annotated[str, typer.Argument(metavar="NAMESPACE/NAME", help="The account.")],
    month: Annotated[str, typer.Argument(help="The month, like 2026-10.")],
    paths: Annotated[list[str], typer.Option("--manifests", help="Where the account is declared.")],
    database_url: DatabaseUrl = None,
    as_json: AsJson = False,
) -> None:
    """Add a month up: the platform fee, calls by destination, tax, and minutes. Changes nothing.

    Hosting, seats and plans are not counted by the books yet and are not on it.
    """
    tree = CallTree(paths)
    declared = tree.account(account)
    try:
        period = Period.parse(month, declared.spec.time_zone)
    except ValueError as error:
        raise CallplaneError(str(error)) from None
    url = connecting.required_database_url(database_url)
    found, calls = asyncio.run(_month(url, account, month))
    terms = tree.account_terms(account)
    sample = terms.card is not None and terms.card.sample
    made = _statement(declared, period, found, calls, sample=sample)
    typer.echo(json.dumps(_json(made), indent=2) if as_json else "\n".join(_text(made)))


async def _month(url: str, account: str, label: str) -> tuple[AccountMonth, tuple[CallRow, ...]]:
    async with connecting.books(url) as opened:
        found = find_month(await opened.months(account), account, label)
        return found, await opened.calls(account, found.period_start)


def _statement(
    declared: CallingAccount,
    period: Period,
    found: AccountMonth,
    calls: tuple[CallRow, ...],
    *,
    sample: bool,
) -> Statement:
    treatment = TaxTreatment(declared.spec.tax.treatment.value)
    last_day = period.local_day(period.end - timedelta(seconds=1))
    package = fees.package_on(reading.packages(declared), last_day)
    lines: list[StatementLine] = []
    if package is not None:
        platform = fees.fees(package, fees.Month(is_hosted=False))
        lines += statements.fee_lines(platform, treatment)
    groups: dict[str, list[CallRow]] = defaultdict(list)
    for call in calls:
        if call.charge_micros and call.price is not None:
            groups[call.price.name].append(call)
    for name, rows in sorted(groups.items()):
        total = sum(row.charge_micros for row in rows)
        lines.append(StatementLine(f"Calls to {name}", len(rows), total, treatment))
    usage = Usage(
        entitlement_seconds=found.counters.entitlement_seconds,
        pool_seconds=found.counters.used_seconds,
        grace_seconds=found.counters.grace_used_seconds,
        uncharged_seconds=sum(call.uncharged_seconds for call in calls),
    )
    return statements.statement(
        found.account,
        period,
        currency=found.currency,
        lines=lines,
        tax=rate_on(reading.tax_rates(declared), last_day),
        usage=usage,
        sample_prices=sample,
    )


def _text(made: Statement) -> list[str]:
    rows = [("", "COUNT", made.currency)]
    rows += [
        (line.description, f"{line.quantity:,}", amount_text(line.amount_micros))
        for line in made.lines
    ]
    rows.append(("Net", "", amount_text(made.net_micros)))
    rows += [(name, "", amount_text(tax)) for name, _, _, tax in made.taxes]
    rows.append(("Total", "", amount_text(made.gross.micros)))
    usage = made.usage
    minutes = (
        f"minutes: {usage.pool_seconds / 60:,.1f} of {usage.entitlement_seconds / 60:,.1f} used, "
        f"{usage.grace_seconds / 60:,.1f} of grace and {usage.uncharged_seconds / 60:,.1f} others "
        "not charged"
    )
    texts = [
        f"{made.account}, {made.period}",
        *output.table(rows),
        minutes,
    ]
    return [*texts, "made with sample prices: these are nobody's"] if made.sample_prices else texts


def _json(made: Statement) -> dict[str, Any]:
    return {
        "account": made.account,
        "month": made.period.label,
        "currency": made.currency,
        "lines": [
            {
                "description": line.description,
                "quantity": line.quantity,
                "amount": amount_text(line.amount_micros),
            }
            for line in made.lines
        ],
        "net": amount_text(made.net_micros),
        "taxes": [
            {"name": name, "on": amount_text(net), "amount": amount_text(tax)}
            for name, _, net, tax in made.taxes
        ],
        "rounding": amount_text(made.rounding_micros),
        "total": amount_text(made.gross.micros),
        "poolSeconds": made.usage.pool_seconds,
        "entitlementSeconds": made.usage.entitlement_seconds,
        "graceSeconds": made.usage.grace_seconds,
        "unchargedSeconds": made.usage.uncharged_seconds,
        "samplePrices": made.sample_prices,
    }
