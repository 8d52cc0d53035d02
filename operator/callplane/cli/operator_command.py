"""`callplane operator`: the operator process. Settings come from the environment
(`CALLPLANE_…`).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from callplane.errors import CallplaneError
from callplane.settings import OperatorSettings


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("operator")(_operator)


def _operator(
    kubeconfig: Annotated[
        Path | None,
        typer.Option(help="Cluster to work; the pod's own service account when left out."),
    ] = None,
    upgrade_database: Annotated[
        bool, typer.Option(help="Bring the database's schema up to date first.")
    ] = False,
    log_level: Annotated[str, typer.Option(help="Least level that is logged.")] = "INFO",
) -> None:
    """Run the operator: match Teams, Webex and carriers to what the cluster declares."""
    from callplane.store import schema
    from callplane.telemetry import log_as_json
    from callplane.wiring import operator_process

    settings = OperatorSettings.from_environment(os.environ)
    if not settings.database_url:
        raise CallplaneError("CALLPLANE_DATABASE_URL is not set: the number register needs it")
    log_as_json(log_level, show_numbers=settings.show_numbers)
    if upgrade_database:
        schema.upgrade(settings.database_url)
    raise typer.Exit(operator_process.run(settings, kubeconfig))
