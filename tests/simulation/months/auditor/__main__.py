"""Read the journal of simulated months and say what must not have been.

Usage: python -I -S tests/simulation/months/auditor JOURNAL

Nothing of the product is imported here, nor anything but the standard library (`-S` makes sure of
it): what the books believe of themselves is no evidence.
"""

from __future__ import annotations

import sys
from pathlib import Path

import balances
import charges
import decisions
import ledger
from evidence import Evidence, Finding

CHECKS = (
    charges.recorded_once,
    charges.services,
    charges.payers,
    charges.right_month,
    charges.charged,
    charges.suspense,
    charges.presumed,
    balances.entitlements,
    balances.sums,
    decisions.decisions,
    decisions.reservations,
)


def audit(evidence: Evidence) -> list[Finding]:
    """Everything that must not have been."""
    story = ledger.tell(evidence)
    return story.findings + [finding for check in CHECKS for finding in check(evidence, story)]


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    found = audit(Evidence.read(Path(arguments[0])))
    for finding in found:
        print(finding)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
