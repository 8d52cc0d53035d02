"""Golden files: what was accepted once, byte for byte.

`make golden` writes what is printed now into the files, for a person to look at before it is
committed. That is never done where nobody looks: with `CI` or `CALLPLANE_COMPLETE` set it is
refused.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent
ACCEPT = "CALLPLANE_ACCEPT_GOLDEN"

Compare = Callable[[str, str], None]


def is_accepting(environment: dict[str, str]) -> bool:
    """Are differences to be accepted? Raises UsageError where that must not be."""
    if environment.get(ACCEPT) != "1":
        return False
    if environment.get("CI", "") not in ("", "false") or environment.get("CALLPLANE_COMPLETE"):
        raise pytest.UsageError(f"{ACCEPT} is refused here: golden files are accepted by a person")
    return True


def pytest_configure() -> None:
    is_accepting(dict(os.environ))


@pytest.fixture
def compare() -> Compare:
    """Compares a text with a golden file; a difference shows how to accept it."""
    accepting = is_accepting(dict(os.environ))

    def compare_with(name: str, found: str) -> None:
        file = FOLDER / name
        if accepting:
            file.write_text(found, encoding="utf-8")
        assert file.is_file(), f"{name} does not exist; `make golden` makes it"
        expected = file.read_text(encoding="utf-8")
        assert found == expected, "look at the difference, then accept it with `make golden`"

    return compare_with
