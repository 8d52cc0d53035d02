"""`callplane demo`: the whole story on one machine, each chapter proving what it says.

Called by the CLI. Sets its own pace, says so, and leaves nothing running unless asked to.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

from callplane.clock import Clock
from callplane.sandbox import demo_stage
from callplane.sandbox.demo_chapters import CHAPTERS
from callplane.sandbox.demo_page import Page
from callplane.sandbox.demo_stage import NAME, DemoFailed, Stage

LOG_LINES = 12
INTRODUCTION = """
    A real Kubernetes API, a real PostgreSQL and the real operator run on this machine. Microsoft
    365 is simulated: a tenant that answers Microsoft Graph over HTTP, holds state and counts what
    it is asked. So are a Webex organisation and a carrier.
"""
PACE = """
    So that nobody has to wait, the demo sets its own pace: 50 writes a second, a look for drift
    every 2 s, gated changes settle for 3 s. Left alone, that is 3 writes a second, 10 minutes and
    5 s.
"""


def tell(page: Page, clock: Clock, *, keep: bool, report: Callable[[str], None]) -> None:
    """Tell the story. Raises DemoFailed when a chapter's expectation is not met."""
    began = clock.monotonic()
    page.title("Callplane: phone numbers as code")
    page.prose(INTRODUCTION)
    page.prose(PACE)
    with demo_stage.opened(page, clock, keep=keep, report=report) as stage:
        try:
            for chapter in CHAPTERS:
                page.chapter(chapter.headline, elapsed_seconds=clock.monotonic() - began)
                chapter.play(stage)
        except DemoFailed:
            _say_where_to_look(stage, keep=keep)
            raise
        page.chapter("Look around", elapsed_seconds=clock.monotonic() - began)
        _say_how_to_look_around(stage, keep=keep)
    if not keep:
        page.proven("everything is stopped and removed")


def _say_how_to_look_around(stage: Stage, *, keep: bool) -> None:
    page = stage.page
    if not keep:
        page.prose(
            """Nothing is left running. To play with it yourself, let it run on: make demo KEEP=1.
            The tree is manifests/tenants, the pages on each kind are in docs."""
        )
        return
    program = _program()
    page.prose("Everything still runs, and the tree that the demo edited is yours to edit.")
    page.note(f"the tree: {stage.tree}")
    page.command(f"{program} sandbox kubectl --name {NAME} apply -R -f {stage.tree}")
    page.command(f"{program} sandbox kubectl --name {NAME} get callplane --all-namespaces")
    page.command(f"{program} sandbox kubectl --name {NAME} explain teamsuser.spec.phoneNumber")
    page.command(f"{program} sandbox logs operator --name {NAME} --follow")
    page.command(f"{program} sandbox psql --name {NAME}")
    page.command(f"{program} sandbox down --name {NAME}")


def _say_where_to_look(stage: Stage, *, keep: bool) -> None:
    if keep:
        stage.page.gap()
        stage.page.command(f"{_program()} sandbox logs operator --name {NAME}")
        return
    log = next(each.log_file for each in stage.sandbox.processes if each.name == "operator")
    lines = Path(log).read_text(errors="replace").splitlines()
    stage.page.gap()
    stage.page.prose("The last lines of the operator's log, before everything is removed:")
    stage.page.output("\n".join(_readable(line) for line in lines[-LOG_LINES:]))


def _readable(line: str) -> str:
    """Time, level and message of a line of JSON; any other line as it is."""
    try:
        entry = json.loads(line)
        return f"{entry['at'][11:19]} {entry['level']:<7} {entry['message']}"
    except (ValueError, KeyError, TypeError):
        return line


def _program() -> str:
    """The `callplane` beside this Python, as it can be typed here."""
    program = Path(sys.executable).with_name("callplane")
    here = os.path.relpath(program)
    return here if not here.startswith("..") else str(program)
