"""`callplane validate`: what is wrong with a tree of manifests, all of it at once, with file and
line.
"""

from __future__ import annotations

from typing import Annotated

import typer

from callplane.cli import manifests, output, short_lived, validating
from callplane.cli.manifests import Tree
from callplane.clock import SystemClock

Paths = Annotated[
    list[str],
    typer.Argument(help="Files and folders of manifests; - reads standard input.", metavar="PATH…"),
]
DefaultNamespace = Annotated[
    str, typer.Option("--namespace", "-n", help="Namespace of objects that name none.")
]


def register(app: typer.Typer) -> None:
    """Add the verb to the application."""
    app.command("validate")(validate)


def validate(paths: Paths, namespace: DefaultNamespace = "default") -> None:
    """Check manifests against the schema and the rules. Nothing is read but the files.

    Exit codes: 0 no errors, 1 errors. Warnings alone are no errors.
    """
    with short_lived.without_collector():
        tree = manifests.read(paths, namespace=namespace)
        found = validating.findings(tree, now=SystemClock().now())
    for located in found:
        typer.echo(output.finding_line(located))
    errors = len(validating.errors(found))
    typer.echo(_summary(tree, errors, len(found) - errors), err=True)
    if errors:
        raise typer.Exit(1)


def _summary(tree: Tree, errors: int, warnings: int) -> str:
    checked = f"{output.count(len(tree.manifests), 'object')} in {output.count(tree.files, 'file')}"
    skipped = sum(tree.skipped.values())
    others = f", {skipped} of other kinds passed over" if skipped else ""
    verdict = output.count(errors, "error") if errors else "no errors"
    return f"{checked}{others}: {verdict}, {output.count(warnings, 'warning')}"
