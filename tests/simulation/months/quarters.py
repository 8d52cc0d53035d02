"""Live through months and have them audited, two at a time: each is a process of its own.

Used by the tests of this folder; see `lives.py` beside it, which does the same for fortnights.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

AUDITOR = Path(__file__).parent / "auditor"
# Isolated and without site-packages: nothing but the standard library can be imported.
WITHOUT_PACKAGES = ("-I", "-S")
FINDING = re.compile(r"\[([a-z ]+)\] (.+)")


@dataclass(frozen=True)
class Outcome:
    """The rules that were broken, and how to see it again."""

    rules: frozenset[str]
    report: str


def run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def live(arguments: Sequence[str], journal: Path) -> None:
    command = [sys.executable, "-W", "error", "-m", "callplane.testing.months"]
    lived = run([*command, *arguments, "--journal", str(journal)])
    assert lived.returncode == 0, f"{arguments}\n{lived.stderr[-5000:]}"


def audited(arguments: Sequence[str], journal: Path) -> Outcome:
    """Live and look; months without a finding still have to be months."""
    live(arguments, journal)
    found = run([sys.executable, *WITHOUT_PACKAGES, str(AUDITOR), str(journal)])
    lines = found.stdout.splitlines()
    matches = [match for line in lines if (match := FINDING.fullmatch(line))]
    assert (found.returncode, len(lines)) in ((0, 0), (1, len(matches))), found.stderr
    again = f"python -m callplane.testing.months {' '.join(arguments)} --journal J.json"
    report = "\n".join(
        [
            *lines[:40],
            f"{len(lines)} findings. To live and audit the same months again:",
            f"  {again} && python -I -S tests/simulation/months/auditor J.json",
        ]
    )
    return Outcome(frozenset(match[1] for match in matches), report)


def live_all(lives: Mapping[str, Sequence[str]], folder: Path) -> Mapping[str, Outcome]:
    """All of them by name, as many at a time as there are processors."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = pool.map(lambda one: audited(one[1], folder / f"{one[0]}.json"), lives.items())
        return dict(zip(lives, found, strict=True))
