"""The tier runner: what is absent is said, what fails fails the verb, the rest still runs."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture
def project(tmp_path: Path, tiers: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of three tiers: one that fails, one that passes, one that does not exist."""
    for name, text in (("red", "def test_it(): assert 0\n"), ("green", "def test_it(): ...\n")):
        folder = tmp_path / "tests" / name
        folder.mkdir(parents=True)
        (folder / f"test_{name}.py").write_text(text)
    names = ("red", "green", "absent")
    made = tuple(tiers.Tier(name, (f"tests/{name}",), budget_minutes=1) for name in names)
    monkeypatch.setattr(tiers, "ROOT", tmp_path)
    monkeypatch.setattr(tiers, "TIERS", {"test": made, "green": made[1:]})
    return tmp_path


@pytest.mark.usefixtures("project")
def test_a_failing_tier_fails_the_verb_and_stops_nothing(
    tiers: ModuleType, capfd: pytest.CaptureFixture[str]
) -> None:
    assert tiers.main(["test"]) == 1
    said = capfd.readouterr().out
    assert "1 failed" in said
    assert "1 passed" in said
    assert "FAILED: red in" in said


@pytest.mark.usefixtures("project")
def test_an_absent_folder_is_named_and_fails_nothing(
    tiers: ModuleType, capfd: pytest.CaptureFixture[str]
) -> None:
    assert tiers.main(["green"]) == 0
    assert "tests/absent does not exist yet" in capfd.readouterr().out


def test_an_unknown_verb_is_refused(tiers: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert tiers.main(["everything"]) == 2
    assert "test|test-more" in capsys.readouterr().err


@pytest.mark.usefixtures("project")
def test_a_tier_whose_environment_is_missing_fails_and_says_how_to_make_it(
    tiers: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    tier = tiers.Tier("green", ("tests/green",), 1, python="nowhere/bin/python")
    assert tiers.run_tier(tier).failed
    assert "nowhere/bin/python does not exist" in capsys.readouterr().out


@pytest.mark.usefixtures("project")
def test_a_tier_is_run_by_its_own_python_with_its_own_configuration(
    tiers: ModuleType, project: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (project / "own.ini").write_text("[pytest]\naddopts = -rA\n")
    tier = tiers.Tier("green", ("tests/green",), 1, python=sys.executable, configuration="own.ini")
    assert not tiers.run_tier(tier).failed
    assert "PASSED tests/green" in capfd.readouterr().out


def test_a_tier_over_its_budget_says_so(tiers: ModuleType) -> None:
    tier = tiers.Tier("slow", ("tests/slow",), budget_minutes=1)
    assert "over budget" in tiers.Outcome(tier, "passed", 61.0).line()
    assert "over budget" not in tiers.Outcome(tier, "passed", 59.0).line()
