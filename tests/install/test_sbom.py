"""The list of what is installed names every package of the lock, and a licence for nearly all."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOCKED = re.compile(r"^([A-Za-z0-9._-]+)==([^ ;\\]+)(.*)$", re.MULTILINE)


def folded(name: str) -> str:
    """A package's name as the index compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def locked() -> set[tuple[str, str]]:
    """Packages of the lock that every system of ours gets; those with a condition are left out."""
    text = (ROOT / "requirements" / "callplane.txt").read_text(encoding="utf-8")
    rows = (match.groups() for match in LOCKED.finditer(text))
    return {(folded(name), version) for name, version, rest in rows if ";" not in rest}


@pytest.mark.timeout(240)
def test_the_list_names_what_is_locked(tmp_path: Path) -> None:
    written = tmp_path / "sbom.json"
    program = Path(sys.executable).with_name("cyclonedx-py")
    arguments = ["environment", "--output-reproducible", "--of", "JSON", "-o", str(written)]
    subprocess.run([program, *arguments, sys.executable], check=True, timeout=200)
    listed = json.loads(written.read_text(encoding="utf-8"))
    assert listed["bomFormat"] == "CycloneDX"
    found = {(folded(row["name"]), row["version"]) for row in listed["components"]}
    assert len(locked()) > 100
    assert locked() <= found

    table = subprocess.run(
        [sys.executable, str(ROOT / "requirements" / "licences.py"), str(written)],
        check=True,
        capture_output=True,
        text=True,
        timeout=30,
    ).stdout.splitlines()
    undeclared = [line.split()[0] for line in table if line.endswith("not declared")]
    assert len(table) == len(found)
    # Each of these was looked up by a person; docs/supply-chain.md names its licence.
    page = (ROOT / "docs" / "supply-chain.md").read_text(encoding="utf-8")
    assert [name for name in undeclared if f"| {name} |" not in page] == []
