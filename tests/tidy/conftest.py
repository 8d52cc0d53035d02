"""The tree as the house rules see it: every file that is in git or about to be."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from types import ModuleType
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def root() -> Path:
    """The top of the checkout."""
    return ROOT


@pytest.fixture(scope="session")
def files() -> tuple[PurePosixPath, ...]:
    """Every file git tracks or would add, relative to the top, sorted."""
    listing = subprocess.run(
        [
            "git",
            "-c",
            f"safe.directory={ROOT}",
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    names = sorted({name for name in listing.split("\0") if name and (ROOT / name).is_file()})
    return tuple(PurePosixPath(name) for name in names)


@pytest.fixture(scope="session")
def texts(files: tuple[PurePosixPath, ...]) -> Mapping[PurePosixPath, str]:
    """The text of every file but lists of checksums, whose content is nobody's words."""
    return {
        path: (ROOT / path).read_text(encoding="utf-8")
        for path in files
        if path.suffix != ".sum" and not (path.parts[0] == "requirements" and path.suffix == ".txt")
    }


@pytest.fixture(scope="session")
def python_texts(texts: Mapping[PurePosixPath, str]) -> Mapping[PurePosixPath, str]:
    """The Python files among `texts`."""
    return {path: text for path, text in texts.items() if path.suffix == ".py"}


@pytest.fixture(scope="module")
def tiers() -> ModuleType:
    """The tier runner as a module."""
    spec = importlib.util.spec_from_file_location("tiers_under_test", ROOT / "tests/tiers.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
