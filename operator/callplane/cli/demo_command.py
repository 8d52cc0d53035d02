"""`callplane demo`: the whole story in about a minute, on a sandbox of its own."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the verb to the application."""
    app.command("demo")(demo)


def demo(
    keep: Annotated[bool, typer.Option("--keep", help="Leave everything running.")] = False,
) -> None:
    """Tell what Callplane does, on a real Kubernetes API and a simulated Microsoft 365 tenant.

    Exit code 1 when something did not go as the story says.
    """
    from callplane.clock import SystemClock
    from callplane.sandbox import demo as story
    from callplane.sandbox.demo_page import Page
    from callplane.sandbox.demo_stage import DemoFailed

    styled = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    page = Page(typer.echo, styled=styled)
    try:
        story.tell(page, SystemClock(), keep=keep, report=lambda text: typer.echo(f"    {text}"))
    except DemoFailed as failure:
        page.failed(str(failure))
        raise typer.Exit(1) from None
