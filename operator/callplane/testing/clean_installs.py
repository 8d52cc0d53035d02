"""The wheel in an environment of its own, for tests of what is shipped: no checkout, and only the
packages that are named.
"""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[3]


def build_wheel(folder: Path) -> Path:
    """A wheel of this checkout."""
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (built,) = folder.glob("*.whl")
    return built


def locked(name: str) -> set[str]:
    """The packages of a lock, by its name in `requirements/`."""
    text = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
    return set(re.findall(r"^([a-z0-9-]+)==", text, re.MULTILINE))


def install(wheel: Path, packages: set[str], folder: Path) -> Path:
    """The program `callplane` of a new environment in `folder`: the wheel and these packages, which
    are shown from this environment.
    """
    venv.create(folder, symlinks=True)
    python = folder / "bin" / "python"
    purelib = sysconfig.get_path("purelib", vars={"base": str(folder)})
    shown = _only(packages, folder / "packages")
    Path(purelib, "dependencies.pth").write_text(f"{shown}\n")
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet"]
    options = ["--no-deps", "--no-index", "--force-reinstall", "--ignore-installed"]
    subprocess.run([*pip, *options, str(wheel)], check=True)
    return folder / "bin" / "callplane"


def _only(packages: set[str], folder: Path) -> Path:
    """A folder that shows these packages of this environment, and no others."""
    folder.mkdir()
    site = Path(sysconfig.get_path("purelib"))
    for found in importlib.metadata.distributions(path=[str(site)]):
        if re.sub(r"[-_.]+", "-", found.name).lower() not in packages:
            continue
        for top in {path.parts[0] for path in found.files or ()} - {"..", "bin", "__pycache__"}:
            if not (folder / top).exists():
                (folder / top).symlink_to(site / top)
    return folder
