"""The benchmark of calls runs to its end, and its last line says what was promised."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_sip() -> None:
    done = subprocess.run(
        [sys.executable, "benchmarks/sip.py", "--smoke"],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert (found["failed"], found["lost_cdrs"]) == (0, 0)
    assert found["asked"] == 60
    assert found["calls_per_second"] > 0
