"""`callplane api`: the admin API, read-only JSON for whoever has rights in the cluster.
Settings come from the environment (`CALLPLANE_…`).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from callplane.settings import ApiSettings


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("api")(_api)


def _api(
    kubeconfig: Annotated[
        Path | None,
        typer.Option(help="Cluster that knows rights; the pod's own when left out."),
    ] = None,
    log_level: Annotated[str, typer.Option(help="Least level that is logged.")] = "INFO",
) -> None:
    """Run the admin API: register, held plans, pools and statements as JSON, for reading only.

    The cluster says who somebody is (TokenReview) and what they may see (SubjectAccessReview).
    """
    from callplane.telemetry import log_as_json
    from callplane.wiring import api_process

    settings = ApiSettings.from_environment(os.environ)
    api_process.check(settings)
    log_as_json(log_level, show_numbers=False)
    raise typer.Exit(api_process.run(settings, kubeconfig))
