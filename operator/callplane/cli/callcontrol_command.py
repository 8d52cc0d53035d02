"""`callplane callcontrol`: the process that SBCs ask about calls. Settings come from the
environment (`CALLPLANE_…`).
"""

from __future__ import annotations

import os
from typing import Annotated

import typer

from callplane.errors import CallplaneError
from callplane.settings import CallControlSettings


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("callcontrol")(_callcontrol)


def _callcontrol(
    log_level: Annotated[str, typer.Option(help="Least level that is logged.")] = "INFO",
) -> None:
    """Run call control: answer SBCs, hold and settle what calls use."""
    from callplane.telemetry import log_as_json
    from callplane.wiring import callcontrol_process

    settings = CallControlSettings.from_environment(os.environ)
    if not settings.database_url:
        raise CallplaneError("CALLPLANE_DATABASE_URL is not set: lines and books are there")
    callcontrol_process.places(settings)
    callcontrol_process.sockets(settings)
    callcontrol_process.outside_lines_of(settings.outside_lines)
    log_as_json(log_level, show_numbers=settings.show_numbers)
    raise typer.Exit(callcontrol_process.run(settings))
