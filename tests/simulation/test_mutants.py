"""With a guard taken out, the auditor must notice; with all guards, the same days must be clean."""

from __future__ import annotations

import lives
import pytest

from callplane.testing.simulation.mutants import MUTANTS

# A life of three days with and one without each guard.
pytestmark = pytest.mark.timeout(900)

# What each missing guard is noticed as.
RULES = {
    "emergency": "gate",
    "quarantine": "quarantine",
    "approval": "gate",
    "idempotence": "sent once",
    "fence": "fence",
    "one order": "money",
    "two keys": "release",
    "address": "emergency address",
    "one holder": "one holder",
}


def days_of(mutant: str) -> tuple[str, ...]:
    """Three days that are full of what the guard is for."""
    often = [part for name in MUTANTS[mutant].often for part in ("--often", name)]
    return ("--seed", "1", "--days", "3", "--busy", "40", *often)


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> lives.Outcomes:
    whole = [lives.Life(days_of(mutant)) for mutant in MUTANTS]
    maimed = [lives.Life(("--mutant", mutant, *days_of(mutant))) for mutant in MUTANTS]
    return lives.live_all([*whole, *maimed], tmp_path_factory.mktemp("mutants"))


def test_every_guard_has_its_mutant() -> None:
    assert set(MUTANTS) == set(RULES)


@pytest.mark.parametrize("mutant", RULES)
def test_a_missing_guard_is_noticed(outcomes: lives.Outcomes, mutant: str) -> None:
    outcome = outcomes[lives.Life(("--mutant", mutant, *days_of(mutant)))]
    assert RULES[mutant] in {finding.rule for finding in outcome.findings}, outcome.report


@pytest.mark.parametrize("mutant", RULES)
def test_with_the_guard_the_same_days_are_clean(outcomes: lives.Outcomes, mutant: str) -> None:
    outcome = outcomes[lives.Life(days_of(mutant))]
    assert outcome.findings == [], outcome.report
