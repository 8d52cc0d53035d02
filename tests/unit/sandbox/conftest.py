"""A cache folder of its own for each test of the sandbox, and programs that only tell a version."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from callplane.sandbox import locations


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv(locations.CACHE_VARIABLE, str(folder))
    return folder


@pytest.fixture
def script() -> Callable[[Path, str], Path]:
    """Make an executable shell script."""

    def make(file: Path, body: str) -> Path:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"#!/bin/sh\n{body}\n")
        file.chmod(0o755)
        return file

    return make
