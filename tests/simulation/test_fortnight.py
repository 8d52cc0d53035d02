"""Seeded fortnights of a company, audited by a program that imports nothing of ours.

The seed is the bug report: what fails says which command lives the same days again. More than the
few seeds of the tier: `CALLPLANE_SEEDS=40 pytest tests/simulation`, from the first one on.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import lives
import pytest

# A fortnight of every platform and carrier takes some two and a half minutes of a processor.
pytestmark = pytest.mark.timeout(900)
SEEDS = range(1, int(os.environ.get("CALLPLANE_SEEDS", "2")) + 1)


@pytest.fixture(scope="module")
def fortnights(tmp_path_factory: pytest.TempPathFactory) -> lives.Outcomes:
    folder = tmp_path_factory.mktemp("fortnights")
    return lives.live_all([lives.Life(("--seed", str(seed))) for seed in SEEDS], folder)


@pytest.mark.parametrize("seed", SEEDS)
def test_an_auditor_finds_nothing_wrong(fortnights: lives.Outcomes, seed: int) -> None:
    outcome = fortnights[lives.Life(("--seed", str(seed)))]
    assert outcome.findings == [], outcome.report


def test_the_same_seed_lives_the_same_days(tmp_path: Path) -> None:
    life = lives.Life(("--seed", "7", "--days", "2"))
    first, second = tmp_path / "first.json", tmp_path / "second.json"
    lives.live(life, first)
    lives.live(life, second)
    assert first.read_bytes() == second.read_bytes()


def test_the_auditor_can_import_nothing_of_ours() -> None:
    asked = [*lives.WITHOUT_PACKAGES, "-c", "import callplane"]
    assert "No module named 'callplane'" in lives.run([sys.executable, *asked]).stderr
