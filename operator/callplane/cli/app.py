"""The `callplane` program: finds the verb, loads its module alone, turns errors into exit codes.

A verb is one module with a function `register(app)`. Loading only the verb that was asked for
keeps the others' imports, and the extras they need, out of its start. Exit codes: 0 nothing to do
or done, 1 error (wrong usage included), 2 changes, 3 held by the gate, 130 interrupted.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from typing import Final

import typer
import typer.main

import callplane
from callplane.errors import CallplaneError

ERROR: Final = 1
INTERRUPTED: Final = 130
# In the order in which the help lists them.
VERBS: Final[dict[str, str]] = {
    "validate": "callplane.cli.validate_command",
    "plan": "callplane.cli.plan_command",
    "apply": "callplane.cli.apply_command",
    "snapshot": "callplane.cli.snapshot_command",
    "import": "callplane.cli.import_command",
    "export": "callplane.cli.export_command",
    "connections": "callplane.cli.connections_command",
    "numbers": "callplane.cli.numbers_command",
    "rate": "callplane.cli.rate_command",
    "pools": "callplane.cli.pools_command",
    "ledger": "callplane.cli.ledger_command",
    "statement": "callplane.cli.statement_command",
    "demo": "callplane.cli.demo_command",
    "sandbox": "callplane.cli.sandbox_command",
    "sbc": "callplane.cli.sbc_command",
    "operator": "callplane.cli.operator_command",
    "callcontrol": "callplane.cli.callcontrol_command",
    "api": "callplane.cli.api_command",
    "database": "callplane.cli.database_command",
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command line, `sys.argv` unless arguments are given, and exit."""
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code."""
    command = typer.main.get_command(application(arguments[0] if arguments else None))
    try:
        code = command.main(list(arguments), prog_name="callplane", standalone_mode=False)
    except typer.TyperException as error:
        # The framework would exit with 2 here, which means "changes" in ours.
        show = getattr(error, "show", None)
        if callable(show):
            show()
        else:
            typer.echo(f"Error: {error}", err=True)
        return ERROR
    except CallplaneError as error:
        typer.echo(f"Error: {error}", err=True)
        return ERROR
    except typer.Abort:
        code = INTERRUPTED
    if code == INTERRUPTED:
        # The framework makes this code of a KeyboardInterrupt, without a word.
        typer.echo("Interrupted", err=True)
    return code if isinstance(code, int) else 0


def application(wanted: str | None) -> typer.Typer:
    """Return the application with the wanted verb, or with all of them when it is not a verb."""
    app = typer.Typer(
        help="Phone numbers and calling as code, on Kubernetes.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    app.callback()(_options)
    for verb, module in VERBS.items():
        if wanted not in VERBS or verb == wanted:
            importlib.import_module(module).register(app)
    return app


def _options(
    version: bool = typer.Option(
        False,
        "--version",
        is_eager=True,
        callback=lambda value: _show_version(value),
        help="Print the version.",
    ),
) -> None:
    """Phone numbers and calling as code, on Kubernetes."""


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"callplane {callplane.__version__}")
        raise typer.Exit


if __name__ == "__main__":
    main()
