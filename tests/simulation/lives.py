"""Live through days and have them audited, two lives at a time: each is a process of its own.

Used by the tests of this folder. Processes keep lives apart (a mutant maims the whole process) and
make them repeatable: what happens at one moment follows from the order of sets.
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
class Life:
    """Arguments of `python -m callplane.testing.simulation`, but for where the journal goes."""

    arguments: tuple[str, ...]

    @property
    def name(self) -> str:
        return "_".join(argument.strip("-") for argument in self.arguments)


@dataclass(frozen=True)
class Finding:
    """One line of the auditor."""

    rule: str
    text: str


@dataclass(frozen=True)
class Outcome:
    """What the auditor found in a life. `report` also says how to live it again."""

    findings: list[Finding]
    report: str


Outcomes = Mapping[Life, Outcome]


def run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def live(life: Life, journal: Path) -> None:
    command = [sys.executable, "-W", "error", "-m", "callplane.testing.simulation"]
    lived = run([*command, *life.arguments, "--journal", str(journal)])
    assert lived.returncode == 0, f"{life.arguments}\n{lived.stderr[-5000:]}"


def audited(life: Life, journal: Path) -> Outcome:
    """Live and look; a life without a finding still has to be a life."""
    live(life, journal)
    found = run([sys.executable, *WITHOUT_PACKAGES, str(AUDITOR), str(journal)])
    lines = found.stdout.splitlines()
    matches = [match for line in lines if (match := FINDING.fullmatch(line))]
    assert (found.returncode, len(lines)) in ((0, 0), (1, len(matches))), found.stderr
    again = f"python -m callplane.testing.simulation {' '.join(life.arguments)} --journal J.json"
    report = "\n".join(
        [
            *lines[:40],
            f"{len(lines)} findings. To live and audit the same days again:",
            f"  {again} && python -I -S tests/simulation/auditor J.json",
        ]
    )
    return Outcome([Finding(match[1], match[2]) for match in matches], report)


def live_all(lives: Sequence[Life], folder: Path) -> Outcomes:
    """All of them, as many at a time as there are processors."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        outcomes = pool.map(lambda life: audited(life, folder / f"{life.name}.json"), lives)
        return dict(zip(lives, outcomes, strict=True))
