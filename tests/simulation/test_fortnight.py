"""Seeded fortnights of a company, audited by a program that imports nothing of ours.

The seed is the bug report: `python -m callplane.testing.simulation --seed N --journal FILE`, then
`python -I -S tests/simulation/auditor FILE`.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

AUDITOR = Path(__file__).parent / "auditor"
DAYS = 5
SEEDS = (1, 2, 3, 4)


def live(seed: int, journal: Path) -> None:
    command = [sys.executable, "-m", "callplane.testing.simulation", f"--seed={seed}"]
    subprocess.run([*command, f"--days={DAYS}", f"--journal={journal}"], check=True)


def audit(journal: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", "-S", str(AUDITOR), str(journal)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("seed", SEEDS)
def test_an_auditor_finds_nothing_wrong(seed: int, tmp_path: Path) -> None:
    journal = tmp_path / "journal.json"
    live(seed, journal)
    audited = audit(journal)
    repeat = f"python -m callplane.testing.simulation --seed {seed} --days {DAYS} --journal FILE"
    assert audited.returncode == 0, f"{audited.stdout}{audited.stderr}\nrepeat: {repeat}"


def test_the_same_seed_lives_the_same_days(tmp_path: Path) -> None:
    first, second = tmp_path / "first.json", tmp_path / "second.json"
    live(7, first)
    live(7, second)
    assert first.read_bytes() == second.read_bytes()
