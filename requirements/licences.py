"""Writes what is installed and under which licence, read from lists of CycloneDX.

`make sbom` calls it with the lists it has just written. A package whose metadata declare no licence
is printed as such: that is for a person to look up, not for a program to guess.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

UNDECLARED = "not declared"


def licence(component: dict[str, object]) -> str:
    """The licences of one component, by SPDX where they are, else as their package words them."""
    words = []
    for entry in component.get("licenses") or []:  # type: ignore[attr-defined]
        named = entry.get("license", {})
        words.append(entry.get("expression") or named.get("id") or named.get("name") or "")
    # One and the same is declared in several places.
    told = sorted({word.removeprefix("License :: ").split("\n")[0][:60] for word in words if word})
    return ", ".join(told) or UNDECLARED


def main(paths: list[str]) -> None:
    """Write a line a package, sorted by name."""
    rows: set[tuple[str, str, str]] = set()
    for path in paths:
        for component in json.loads(Path(path).read_text(encoding="utf-8"))["components"]:
            rows.add((component["name"], component["version"], licence(component)))
    for name, version, told in sorted(rows, key=lambda row: row[0].lower()):
        sys.stdout.write(f"{name:<42} {version:<16} {told}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
