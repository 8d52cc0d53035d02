"""Live through one fortnight and leave its journal: see the package."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from pathlib import Path

from callplane.testing.simulation import fortnight
from callplane.testing.simulation.mutants import MUTANTS


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m callplane.testing.simulation")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--days", type=int, default=14)
    parser.add_argument("--busy", type=int, default=22, help="happenings on a working day")
    parser.add_argument("--often", action="append", default=[], help="what makes up half of them")
    parser.add_argument("--mutant", default="", choices=("", *MUTANTS), help="a guard to take out")
    parser.add_argument("--journal", type=Path, required=True)
    chosen = parser.parse_args()
    if os.environ.get("PYTHONHASHSEED") != "0":
        # The order of sets follows from it, and with it the order of what happens at one time.
        environment = {**os.environ, "PYTHONHASHSEED": "0"}
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], environment)
    logging.basicConfig(level=logging.ERROR, format="%(message)s", stream=sys.stderr)
    if chosen.mutant:
        MUTANTS[chosen.mutant].apply()
    wish = fortnight.Wish(chosen.seed, chosen.days, chosen.busy, chosen.mutant, tuple(chosen.often))
    fortnight.live(wish).save(chosen.journal)
    return 0


if __name__ == "__main__":
    sys.exit(main())
