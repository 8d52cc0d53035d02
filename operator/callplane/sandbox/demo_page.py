"""How the demo looks: chapters, prose, what a user types, what the cluster answers, what is proven.

Plain text that reads well in a terminal, in a log and in a mail. Called by `demo_stage` and the
chapters.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable

WIDTH = 96
INDENT = " " * 4
BOLD, GREEN, RED, DIM = "1", "32", "31", "2"


class Page:
    """Writes lines through `echo`. With `styled` it sets terminal colours, and nothing else."""

    def __init__(self, echo: Callable[[str], None], *, styled: bool) -> None:
        self._echo = echo
        self._styled = styled
        self._chapters = 0

    def title(self, text: str) -> None:
        """The headline of the whole."""
        self._echo(self._style(text, BOLD))
        self._echo(self._style("=" * len(text), BOLD))

    def chapter(self, text: str, *, elapsed_seconds: float) -> None:
        """The numbered headline of a chapter, with the time since the beginning at its right."""
        self._chapters += 1
        minutes, seconds = divmod(int(elapsed_seconds), 60)
        heading = f"{self._chapters}. {text}"
        self._echo("")
        self._echo(self._style(f"{heading:<{WIDTH - 5}} {minutes}:{seconds:02d}", BOLD))
        self._echo(self._style("-" * WIDTH, DIM))

    def prose(self, text: str) -> None:
        """A paragraph, filled to the width."""
        self._echo(textwrap.fill(" ".join(text.split()), WIDTH))
        self._echo("")

    def command(self, text: str) -> None:
        """What a user types."""
        self._echo(f"  $ {self._style(text, BOLD)}")

    def output(self, text: str, *, rows: int | None = None) -> None:
        """What came back; beyond the first `rows` lines it is only counted."""
        lines = [line for line in text.splitlines() if line.strip()]
        shown = lines if rows is None or len(lines) <= rows + 1 else lines[:rows]
        for line in shown:
            self._echo(f"{INDENT}{_clipped(line)}")
        if len(shown) < len(lines):
            self._echo(self._style(f"{INDENT}… and {len(lines) - len(shown)} more", DIM))

    def said(self, text: str) -> None:
        """A long message of a program, filled and indented."""
        for line in text.strip().splitlines():
            filled = textwrap.fill(line, WIDTH - 8, subsequent_indent="  ", break_on_hyphens=False)
            self.output(filled)

    def proven(self, text: str) -> None:
        """An expectation that was met."""
        mark = self._style("ok", GREEN)
        filled = textwrap.fill(text, WIDTH - len(INDENT), subsequent_indent=INDENT)
        self._echo(f"{mark}  {filled}")

    def failed(self, text: str) -> None:
        """The expectation that was not met."""
        self._echo("")
        self._echo(self._style(f"FAILED: {text}", RED))

    def gap(self) -> None:
        """An empty line."""
        self._echo("")

    def _style(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._styled else text


def _clipped(line: str) -> str:
    room = WIDTH - len(INDENT)
    return line if len(line) <= room else line[: room - 1] + "…"
