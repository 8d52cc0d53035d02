"""With a guard taken out, the auditor must notice; with all guards, the same month is clean."""

from __future__ import annotations

import sys
from collections.abc import Mapping

import pytest
import quarters

from callplane.testing.months.mutants import MUTANTS

# Lives are processes of their own, some of them minutes long.
pytestmark = pytest.mark.timeout(900)

# What each missing guard is noticed as.
RULES = {
    "leg_key": "once",
    "pool_holds": "pool",
    "money_holds": "ceiling",
    "entitlement": "entitlement",
    "emergency": "emergency",
    "reaper": "held",
    "spool": "once",
    "period": "month",
    "payer": "decision",
    "granted": "charge",
    "no_rate": "charge",
    "rounding": "charge",
    "fee": "charge",
    "day_cap": "day cap",
    "presumed": "ledger",
    "calls": "calls",
}
LIFE = ("--seed", "1", "--days", "34", "--calls", "700")
# Only what a stranger dials at an SBC that asks about everything shows that one, and in the life
# above no stranger dials an emergency service there.
OTHER = ("--seed", "3", "--days", "34", "--calls", "700")
NOTICED_IN_OTHER = {"emergency"}


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, quarters.Outcome]:
    whole = {"whole": LIFE, "another whole": OTHER}
    maimed = {
        name: ("--mutant", name, *(OTHER if name in NOTICED_IN_OTHER else LIFE)) for name in MUTANTS
    }
    return quarters.live_all({**whole, **maimed}, tmp_path_factory.mktemp("mutants"))


def test_every_guard_has_its_mutant() -> None:
    assert set(MUTANTS) == set(RULES)


@pytest.mark.parametrize("mutant", RULES)
def test_a_missing_guard_is_noticed(lived: Mapping[str, quarters.Outcome], mutant: str) -> None:
    assert RULES[mutant] in lived[mutant].rules, lived[mutant].report


@pytest.mark.parametrize("whole", ["whole", "another whole"])
def test_with_all_guards_the_same_month_is_clean(
    lived: Mapping[str, quarters.Outcome], whole: str
) -> None:
    assert not lived[whole].rules, lived[whole].report


def test_the_auditor_can_import_nothing_of_ours() -> None:
    asked = [*quarters.WITHOUT_PACKAGES, "-c", "import callplane"]
    assert "No module named 'callplane'" in quarters.run([sys.executable, *asked]).stderr
