"""`callplane export`: the number register as a table for people who have no account here."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from callplane.cli import cells, connecting, numbers_command, output
from callplane.cli.connecting import DatabaseUrl
from callplane.cli.plan_command import MaskNumbers
from callplane.errors import CallplaneError, mask_number

COLUMNS = (
    "number",
    "state",
    "quarantinedUntil",
    "range",
    "type",
    "connection",
    "holder",
    "userName",
    "declaredBy",
    "reason",
)


class ExportFormat(StrEnum):
    CSV = "csv"
    YAML = "yaml"


def register(app: typer.Typer) -> None:
    """Add the verb to the application."""
    app.command("export")(export)


def export(
    file: Annotated[
        Path | None,
        typer.Option("--to", metavar="FILE", help="Write here, never over a file; else print."),
    ] = None,
    export_format: Annotated[
        ExportFormat, typer.Option("--format", help="How to write it.")
    ] = ExportFormat.CSV,
    database_url: DatabaseUrl = None,
    mask_numbers: MaskNumbers = False,
) -> None:
    """Write every number that is in use, reserved or resting. Free numbers have no row."""
    rows: Sequence[Mapping[str, Any]] = asyncio.run(
        numbers_command.number_rows(connecting.required_database_url(database_url))
    )
    if mask_numbers:
        rows = [{**row, "number": mask_number(str(row["number"]))} for row in rows]
    text = as_csv(rows) if export_format is ExportFormat.CSV else as_yaml(rows)
    if file is None:
        typer.echo(text, nl=False)
    else:
        _write(file, text)
    connecting.say(output.count(len(rows), "number"))


def as_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """A header and a line a number (RFC 4180). Text that would run as a formula begins with an
    apostrophe; a number keeps its plus.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for row in rows:
        writer.writerow([_cell(name, row[name]) for name in COLUMNS])
    return text.getvalue()


def _cell(name: str, value: Any) -> str:
    text = "" if value is None else str(value)
    return text if name == "number" else cells.formula_free(text)


def as_yaml(rows: Sequence[Mapping[str, Any]]) -> str:
    """A list with a mapping a number."""
    import yaml

    content = [{name: row[name] for name in COLUMNS} for row in rows]
    return str(yaml.dump(content, Dumper=yaml.CSafeDumper, sort_keys=False, allow_unicode=True))


def _write(file: Path, text: str) -> None:
    try:
        with file.open("x", encoding="utf-8", newline="") as opened:
            opened.write(text)
    except FileExistsError:
        raise CallplaneError(f"{file}: is there already and was not replaced") from None
    except OSError as error:
        raise CallplaneError(f"{file}: {(error.strerror or str(error)).lower()}") from None
