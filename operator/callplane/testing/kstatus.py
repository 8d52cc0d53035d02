"""What kstatus, the library that Flux, `kpt` and others wait with, makes of an object of ours.

The program is built from the pinned module in tools/kstatus before the tests start:
`python -m callplane.testing.kstatus`.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from callplane.sandbox import binaries, building
from callplane.sandbox.building import Report, Tool, ToolModule

TOOL = Tool("kstatus", ".", ToolModule("kstatus", "1.0.0"))
TIMEOUT_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Computed:
    """`Current`, `InProgress`, `Failed`, `Terminating`, … and why."""

    status: str
    message: str


def program(report: Report = binaries.to_standard_error) -> Path:
    """The program, built first where it is missing."""
    return building.build(TOOL, report=report)


def compute(body: Mapping[str, object]) -> Computed:
    """Ask kstatus about an object as the API server answered it."""
    answer = subprocess.run(
        [str(program())],
        input=json.dumps(body),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=True,
    )
    status, _, message = answer.stdout.strip().partition("\t")
    return Computed(status, message)


if __name__ == "__main__":
    program()
