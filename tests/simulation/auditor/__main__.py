"""Read the journal of a simulated fortnight and say what must not have been.

Usage: python -I -S tests/simulation/auditor JOURNAL

Nothing of the product is imported here, nor anything but the standard library (`-S` makes sure of
it): what the engine believes of itself is no evidence.
"""

from __future__ import annotations

import sys
from pathlib import Path

import carriers
import quiet
import register
import writes
from evidence import Evidence, Finding

CHECKS = (*writes.CHECKS, *register.CHECKS, *quiet.CHECKS, *carriers.CHECKS)


def audit(evidence: Evidence) -> list[Finding]:
    """Everything that must not have been, in order of time."""
    found = [finding for check in CHECKS for finding in check(evidence)]
    found += [
        Finding("conditions", 0.0, breach) for breach in evidence.journal["conditionBreaches"]
    ]
    return sorted(found, key=lambda finding: finding.at)


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
