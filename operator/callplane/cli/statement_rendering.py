"""A statement's document as people read it: text, CSV, and HTML made for paper.

All of them are made of the document alone, so that a closed statement is printed as it was closed.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping
from html import escape
from typing import Any

from callplane.cli import output

Document = Mapping[str, Any]


def text(made: Document) -> str:
    rows = [("", "COUNT", made["currency"])]
    rows += [
        (line["description"], f"{line['quantity']:,}", line["amount"]) for line in made["lines"]
    ]
    rows.append(("Net", "", made["net"]))
    rows += [(tax["name"], "", tax["amount"]) for tax in made["taxes"]]
    rows.append(("Total", "", made["total"]))
    return "\n".join([_title(made), *output.table(rows), *_notes(made)])


def _title(made: Document) -> str:
    number = f"statement {made['number']}, " if made.get("number") else ""
    return f"{number}{made['account']}, {made['month']}, {made['state'].lower()}"


def _notes(made: Document) -> list[str]:
    used, bought = made["poolSeconds"] / 60, made["entitlementSeconds"] / 60
    grace, others = made["graceSeconds"] / 60, made["unchargedSeconds"] / 60
    minutes = f"minutes: {used:,.1f} of {bought:,.1f} used, {grace:,.1f} of grace"
    notes = [f"{minutes} and {others:,.1f} others not charged"]
    if made["plansPaidOff"] is not None:
        verdict = "cheaper" if made["plansPaidOff"] else "DEARER"
        notes.append(
            f"plans: {made['planFees']} for minutes that cost {made['planMinutesAtStandardRate']} "
            f"at the standard rate: plans were {verdict}"
        )
    notes += [
        f"fair use exceeded: {one['trunk']} declares {one['declared']:,} users, "
        f"{one['observed']:,} called"
        for one in made["fairUseExceeded"]
    ]
    if made["samplePrices"]:
        notes.append("made with sample prices: these are nobody's")
    if made.get("digest"):
        notes.append(f"digest: {made['digest']}")
    return notes


def as_csv(made: Document) -> str:
    """One row a line; net, taxes and total are rows too, told apart by the first column."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(
        ["section", "description", "quantity", "amount", "currency", "month", "account", "adjusts"]
    )
    rest = (made["currency"], made["month"], made["account"])
    for line in made["lines"]:
        writer.writerow(
            [
                line["section"],
                _cell(line["description"]),
                line["quantity"],
                line["amount"],
                *rest,
                line.get("adjusts", ""),
            ]
        )
    writer.writerow(["Net", "Net", "", made["net"], *rest, ""])
    for tax in made["taxes"]:
        writer.writerow(["Tax", _cell(tax["name"]), "", tax["amount"], *rest, ""])
    writer.writerow(["Rounding", "Rounding", "", made["rounding"], *rest, ""])
    writer.writerow(["Total", "Total", "", made["total"], *rest, ""])
    return file.getvalue().rstrip("\n")


def _cell(words: str) -> str:
    """A spreadsheet takes text that begins like this for a formula."""
    return f"'{words}" if words[:1] in ("=", "+", "-", "@", "\t") else words


def as_json(made: Document) -> str:
    return json.dumps(made, indent=2, ensure_ascii=False)


_STYLE = """
@page { size: A4; margin: 20mm }
body { font: 11pt/1.4 system-ui, sans-serif; color: #111; max-width: 170mm; margin: auto }
table { width: 100%; border-collapse: collapse; margin: 1em 0 }
th, td { text-align: left; padding: 2pt 4pt; border-bottom: 0.5pt solid #bbb }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums }
tr.sum td { font-weight: bold; border-top: 1pt solid #111 }
tr { break-inside: avoid }
footer { color: #555; font-size: 9pt; overflow-wrap: anywhere }
"""


def as_html(made: Document) -> str:
    """A page of its own that loads nothing, ready to be printed."""
    title = escape(_title(made))
    rows: list[str] = []
    section = ""
    for line in made["lines"]:
        if line["section"] != section:
            section = line["section"]
            rows.append(f'<tr><th colspan="3">{escape(section)}</th></tr>')
        rows.append(_row(line["description"], f"{line['quantity']:,}", line["amount"]))
    rows.append(_row("Net", "", made["net"], kind="sum"))
    rows += [_row(f"{tax['name']} on {tax['on']}", "", tax["amount"]) for tax in made["taxes"]]
    rows.append(_row("Total", "", made["total"], kind="sum"))
    notes = "".join(f"<p>{escape(note)}</p>\n" for note in _notes(made))
    return (
        f'<!doctype html>\n<html lang="en">\n<head><meta charset="utf-8"><title>{title}</title>\n'
        f"<style>{_STYLE}</style></head>\n<body>\n<h1>{title}</h1>\n<table>\n"
        f'<thead><tr><th></th><th class="n">Count</th><th class="n">{escape(made["currency"])}</th>'
        "</tr></thead>\n<tbody>\n"
        + "\n".join(rows)
        + f"\n</tbody></table>\n<footer>{notes}</footer>"
        "\n</body>\n</html>"
    )


def _row(name: str, count: str, amount: str, *, kind: str = "") -> str:
    opened = f'<tr class="{kind}">' if kind else "<tr>"
    return (
        f'{opened}<td>{escape(name)}</td><td class="n">{escape(count)}</td>'
        f'<td class="n">{escape(amount)}</td></tr>'
    )


FORMATS: Mapping[str, Callable[[Document], str]] = {
    "text": text,
    "csv": as_csv,
    "json": as_json,
    "html": as_html,
}
