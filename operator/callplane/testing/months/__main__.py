"""Live through the months of one seed and leave their journal: see the package."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from pathlib import Path

from callplane.testing.months import three_months
from callplane.testing.months.mutants import MUTANTS


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m callplane.testing.months")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--days", type=int, default=92)
    parser.add_argument("--calls", type=int, default=3_000)
    parser.add_argument("--dsn", default="", help="a migrated database instead of the twin")
    parser.add_argument("--mutant", default="", choices=("", *MUTANTS), help="a guard to take out")
    parser.add_argument("--journal", type=Path, required=True)
    chosen = parser.parse_args()
    if os.environ.get("PYTHONHASHSEED") != "0":
        # The order of sets follows from it, and with it the order of what happens at one time.
        environment = {**os.environ, "PYTHONHASHSEED": "0"}
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], environment)
    # Every accident is logged, which is right and too much.
    logging.disable(logging.CRITICAL)
    if chosen.mutant:
        MUTANTS[chosen.mutant].apply()
    wish = three_months.Wish(chosen.seed, chosen.days, chosen.calls, chosen.dsn, chosen.mutant)
    three_months.live(wish).save(chosen.journal)
    return 0


if __name__ == "__main__":
    sys.exit(main())
