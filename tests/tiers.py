"""Runs the test tiers of a verb, one pytest a tier. Called by ``make test`` and ``make test-more``.

Tiers are folders, never markers: what a folder holds is what its tier runs. Each tier prints its
budget and the time it took; going over the budget is said and fails nothing, because machines
differ. A folder that does not exist is named and passed over; one that exists and holds no test is
a failure (see ``conftest.py``).
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
STACKS_PYTHON: Final = ".venv-stacks/bin/python"


@dataclass(frozen=True, slots=True)
class Tier:
    """Folders that run in one pytest. Budget: minutes on two cores, tools already built."""

    name: str
    folders: tuple[str, ...]
    budget_minutes: float
    timeout_seconds: int = 60
    without: tuple[str, ...] = field(default=())
    # A tier of another environment: its interpreter, and the file that configures its pytest.
    python: str = ""
    configuration: str = ""


TIERS: Final[dict[str, tuple[Tier, ...]]] = {
    "test": (
        Tier(
            "fast",
            (
                "tests/tidy",
                "tests/unit",
                "tests/properties",
                "tests/golden",
                "tests/transition",
                "tests/contract/inmemory",
                "operator/callplane",  # The examples in docstrings.
            ),
            budget_minutes=4,
        ),
        Tier("store", ("tests/store",), budget_minutes=3, timeout_seconds=120),
        Tier("first path", ("tests/e2e/first",), budget_minutes=2, timeout_seconds=300),
    ),
    "test-more": (
        Tier("install", ("tests/install",), 2, timeout_seconds=300),
        Tier("manifests", ("tests/manifests",), 2, timeout_seconds=300),
        Tier(
            "stacks",
            ("tests/stacks/mocks",),
            2,
            python=STACKS_PYTHON,
            configuration="tests/stacks/pytest.ini",
        ),
        # Mocks and the engine keep apart: either leaves threads and loops behind.
        Tier(
            "engine",
            ("tests/stacks/engine",),
            3,
            timeout_seconds=300,
            python=STACKS_PYTHON,
            configuration="tests/stacks/pytest.ini",
        ),
        Tier("sandbox", ("tests/sandbox",), 3, timeout_seconds=300),
        Tier("contract", ("tests/contract",), 6, without=("tests/contract/inmemory",)),
        Tier("conformance", ("tests/conformance",), 3, timeout_seconds=300),
        Tier("end to end", ("tests/e2e",), 13, timeout_seconds=300, without=("tests/e2e/first",)),
        Tier("sip", ("tests/sbc",), 6, timeout_seconds=120),
        Tier("benchmarks", ("tests/benchmarks",), 8, timeout_seconds=300),
        Tier("simulation", ("tests/simulation",), 7, timeout_seconds=300),
        Tier("chaos", ("tests/chaos",), 7, timeout_seconds=300),
    ),
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one tier ended."""

    tier: Tier
    verdict: str
    seconds: float

    @property
    def failed(self) -> bool:
        """Whether the verb must fail because of this tier."""
        return self.verdict == "FAILED"

    def line(self) -> str:
        """One line of the closing table."""
        late = "  over budget" if self.seconds > self.tier.budget_minutes * 60 else ""
        return (
            f"{self.tier.name:<12} {self.verdict:<7} {self.seconds:6.0f} s"
            f"  of {self.tier.budget_minutes:g} min{late}"
        )


def run_tier(tier: Tier) -> Outcome:
    """Run the folders of `tier` that exist."""
    present = [folder for folder in tier.folders if (ROOT / folder).is_dir()]
    for folder in tier.folders:
        if folder not in present:
            print(f"{tier.name}: {folder} does not exist yet")
    if not any(folder.startswith("tests/") for folder in present):
        return Outcome(tier, "absent", 0.0)
    print(
        f"\n=== {tier.name}: {' '.join(present)} (budget {tier.budget_minutes:g} min)", flush=True
    )
    interpreter = str(ROOT / tier.python) if tier.python else sys.executable
    if not Path(interpreter).exists():
        print(f"{tier.name}: {tier.python} does not exist; `make stacks-environment` makes it")
        return Outcome(tier, "FAILED", 0.0)
    settings = Path(tier.configuration)
    command = [
        interpreter,
        "-m",
        "pytest",
        "-q",
        f"--timeout={tier.timeout_seconds}",
        *((f"-c={settings}", f"--confcutdir={settings.parent}") if tier.configuration else ()),
        *(f"--ignore={folder}" for folder in tier.without),
        *present,
    ]
    started = time.monotonic()
    code = subprocess.run(command, cwd=ROOT, check=False).returncode
    return Outcome(tier, "passed" if code == 0 else "FAILED", time.monotonic() - started)


def main(arguments: Sequence[str]) -> int:
    """Run the tiers of one verb, all of them even when one fails; 1 when any did."""
    if len(arguments) != 1 or arguments[0] not in TIERS:
        print(f"usage: tiers.py {'|'.join(TIERS)}", file=sys.stderr)
        return 2
    started = time.monotonic()
    outcomes = [run_tier(tier) for tier in TIERS[arguments[0]]]
    print(f"\n=== {arguments[0]}")
    for outcome in outcomes:
        print(outcome.line())
    minutes, seconds = divmod(round(time.monotonic() - started), 60)
    failed = [outcome.tier.name for outcome in outcomes if outcome.failed]
    print(f"{'FAILED: ' + ', '.join(failed) if failed else 'passed'} in {minutes} min {seconds} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
