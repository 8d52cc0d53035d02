"""How the demo looks: chapters, prose, what a user types, what the cluster answers, what is proven.

Plain text that reads well in a terminal, in a log and in a mail. Called by `demo_stage` and the
chapters.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable

WIDTH = 96
TABLE_WIDTH = 112
INDENT = " " * 4
BOLD, GREEN, RED, DIM = "1", "32", "31", "2"
_UNIT = re.compile(r"(?<=\d) (?=(?:s|%)\b|%)")


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
        self._echo(_filled(text, WIDTH))
        self._echo("")

    def command(self, text: str) -> None:
        """What a user types."""
        self._echo(f"  $ {self._style(text, BOLD)}")

    def note(self, text: str) -> None:
        """What happens that nobody types here."""
        self._echo(f"  * {text}")

    def output(self, text: str, *, rows: int | None = None) -> None:
        """What came back, long lines folded; beyond the first `rows` lines it is only counted."""
        lines = [line for line in text.splitlines() if line.strip()]
        shown = lines if rows is None or len(lines) <= rows + 1 else lines[:rows]
        for line in shown:
            for folded in _folded(line):
                self._echo(f"{INDENT}{folded}")
        if len(shown) < len(lines):
            self._echo(self._style(f"{INDENT}… and {len(lines) - len(shown)} more", DIM))

    def code(self, text: str) -> None:
        """Lines of a file, as they are."""
        for line in text.splitlines():
            self._echo(f"{INDENT}{line}")

    def proven(self, text: str) -> None:
        """An expectation that was met."""
        mark = self._style("ok", GREEN)
        filled = _filled(text, WIDTH - len(INDENT), subsequent_indent=INDENT)
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


def _folded(line: str) -> list[str]:
    """A table is cut at the width, a sentence goes on below itself."""
    room = WIDTH - len(INDENT)
    if len(line) <= room:
        return [line]
    if "   " in line.strip():
        room = TABLE_WIDTH - len(INDENT)
        return [line if len(line) <= room else line[: room - 1] + "…"]
    return textwrap.wrap(
        line, room, subsequent_indent="  ", break_on_hyphens=False, break_long_words=False
    )


def _filled(text: str, width: int, *, subsequent_indent: str = "") -> str:
    """A paragraph; a number stays with its unit."""
    kept = _UNIT.sub("\N{NO-BREAK SPACE}", " ".join(text.split()))
    filled = textwrap.fill(kept, width, subsequent_indent=subsequent_indent)
    return filled.replace("\N{NO-BREAK SPACE}", " ")
