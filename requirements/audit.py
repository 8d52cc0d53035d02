"""Compares what is locked with a database of advisories, where one is at hand.

`make audit` calls it, and `make check` through that. The database is a folder or a zip file in the
OSV format (https://ossf.github.io/osv-schema), one JSON file an advisory, as osv.dev exports it by
ecosystem and as it can be carried to a machine without a network. Python locks and the modules
of `tools/` are compared. What is accepted for a while stands in `accepted-advisories.list`, with
its reason and the day until which it is.
"""

from __future__ import annotations

import datetime
import json
import os
import re
import sys
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.version import InvalidVersion, Version

from callplane.clock import SystemClock

ROOT = Path(__file__).resolve().parent.parent
VARIABLE = "CALLPLANE_ADVISORIES"
ACCEPTED = "requirements/accepted-advisories.list"
LOCKED = re.compile(r"^([A-Za-z0-9._-]+)==([^ ;\\]+)", re.MULTILINE)
MODULE = re.compile(r"^\s*(?:require )?(\S+\.\S+/\S+) (v\S+)", re.MULTILINE)
SEMANTIC = re.compile(r"v?(\d+)\.(\d+)\.(\d+)(?:-([0-9A-Za-z.-]+))?(?:\+.*)?")
PYTHON, GO = "PyPI", "Go"
#: Packages by ecosystem and folded name: version, and the file that locks it.
Locked = Mapping[tuple[str, str], list[tuple[str, str]]]


class NotReadable(Exception):
    """A file that should say something and does not; with its name."""


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """A locked package that an advisory is about."""

    name: str
    version: str
    where: str
    advisory: str
    fixed: str
    summary: str

    def __str__(self) -> str:
        way_out = f"fixed in {self.fixed}" if self.fixed else "not fixed yet"
        text = f"{self.name} {self.version} ({self.where}): {self.advisory}, {way_out}"
        return f"{text}: {self.summary}" if self.summary else text


def locked(root: Path) -> dict[tuple[str, str], list[tuple[str, str]]]:
    """Everything that is locked: Python packages and Go modules."""
    found: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for path in sorted(root.glob("requirements/*.txt")):
        for name, version in LOCKED.findall(path.read_text(encoding="utf-8")):
            key = (PYTHON, folded(name))
            found.setdefault(key, []).append((version, f"requirements/{path.name}"))
    for path in sorted(root.glob("tools/*/go.mod")):
        for name, version in MODULE.findall(path.read_text(encoding="utf-8")):
            where = f"tools/{path.parent.name}/go.mod"
            found.setdefault((GO, name.lower()), []).append((version, where))
    return found


def folded(name: str) -> str:
    """A Python package's name as the index compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def advisories(place: Path) -> Iterator[dict[str, Any]]:
    """Every advisory of a folder or zip file. Raises NotReadable."""
    for name, text in _files(place):
        try:
            found = json.loads(text)
            if not isinstance(found, dict) or not isinstance(found.get("id"), str):
                raise ValueError("it has no id")
        except ValueError as error:
            raise NotReadable(f"{name} is no advisory: {error}") from None
        if not found.get("withdrawn"):
            yield found


def _files(place: Path) -> Iterator[tuple[str, bytes]]:
    if place.is_dir():
        for path in sorted(place.rglob("*.json")):
            yield str(path), path.read_bytes()
        return
    try:
        with zipfile.ZipFile(place) as opened:
            for name in sorted(opened.namelist()):
                if name.endswith(".json"):
                    yield f"{place}:{name}", opened.read(name)
    except (OSError, zipfile.BadZipFile) as error:
        raise NotReadable(f"{place} is neither a folder nor a zip file: {error}") from None


def findings(known: Locked, place: Path) -> tuple[int, list[Finding]]:
    """How many advisories were read, and those about what is locked."""
    count, found = 0, set()
    for advisory in advisories(place):
        count += 1
        for affected in advisory.get("affected", ()):
            package = affected.get("package", {})
            ecosystem = str(package.get("ecosystem", "")).partition(":")[0]
            name = str(package.get("name", ""))
            key = (ecosystem, folded(name) if ecosystem == PYTHON else name.lower())
            for version, where in known.get(key, ()):
                if is_affected(ecosystem, version, affected):
                    names = [advisory["id"], *advisory.get("aliases", ())]
                    summary = str(advisory.get("summary", ""))[:120]
                    fixed = ", ".join(_fixed(affected))
                    found.add(Finding(name, version, where, " ".join(names), fixed, summary))
    return count, sorted(found)


def is_affected(ecosystem: str, version: str, affected: Mapping[str, Any]) -> bool:
    """Is a version among those listed, or in one of the ranges?"""
    if version in affected.get("versions", ()):
        return True
    return any(
        _in_range(ecosystem, version, span.get("events", ()))
        for span in affected.get("ranges", ())
        if span.get("type") in ("ECOSYSTEM", "SEMVER")
    )


def _in_range(ecosystem: str, version: str, events: Any) -> bool:
    key = _key(ecosystem, version)
    inside = False
    for kind, at in sorted(
        ((kind, at) for event in events for kind, at in event.items() if kind != "limit"),
        key=lambda one: (_key(ecosystem, one[1]), one[0] == "last_affected"),
    ):
        if kind == "introduced" and key >= _key(ecosystem, at):
            inside = True
        elif (kind == "fixed" and key >= _key(ecosystem, at)) or (
            kind == "last_affected" and key > _key(ecosystem, at)
        ):
            inside = False
    return inside


def _key(ecosystem: str, version: str) -> Any:
    """What versions of an ecosystem are ordered by. "0" stands for before all."""
    if ecosystem == PYTHON:
        try:
            return Version(version)
        except InvalidVersion:
            # An advisory's mistake must not hide the package: it counts as the oldest.
            return Version("0.dev0")
    found = SEMANTIC.fullmatch(version)
    if found is None:
        return ((0, 0, 0), ())
    numbers = tuple(int(found[place]) for place in (1, 2, 3))
    # A version before a version is older; its parts count as numbers where they are.
    parts = (found[4] or "").split(".")
    before = tuple((0, int(part), "") if part.isdigit() else (1, 0, part) for part in parts)
    return (numbers, before if found[4] else ((2, 0, ""),))


def _fixed(affected: Mapping[str, Any]) -> list[str]:
    return [
        event["fixed"]
        for span in affected.get("ranges", ())
        if span.get("type") in ("ECOSYSTEM", "SEMVER")
        for event in span.get("events", ())
        if "fixed" in event
    ]


def accepted(root: Path, today: datetime.date) -> frozenset[str]:
    """Ids of advisories that are accepted today. Raises NotReadable for a line without a reason."""
    path = root / ACCEPTED
    found = set()
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    for number, line in enumerate(lines, start=1):
        words = line.partition("#")[0].split(maxsplit=2)
        if not words:
            continue
        try:
            name, until, _reason = words
            if datetime.date.fromisoformat(until) >= today:
                found.add(name)
        except ValueError:
            raise NotReadable(f"{ACCEPTED}:{number}: must be ID YYYY-MM-DD REASON") from None
    return frozenset(found)


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")


def main(environment: Mapping[str, str], *, root: Path = ROOT) -> int:
    """Print findings, or in one line why there are none; 1 when there are."""
    place = environment.get(VARIABLE, "")
    if not place:
        _say(f"audit: no database of advisories at hand; {VARIABLE} names one (OSV format)")
        return 0
    try:
        allowed = accepted(root, SystemClock().now().date())
        known = locked(root)
        count, found = findings(known, Path(place))
    except NotReadable as error:
        sys.stderr.write(f"audit: {error}\n")
        return 1
    if not count:
        # An empty folder would look like good news.
        sys.stderr.write(f"audit: {place} holds no advisory\n")
        return 1
    left = [one for one in found if not allowed & set(one.advisory.split())]
    for one in left:
        _say(str(one))
    waived = f", {len(found) - len(left)} accepted" if len(found) > len(left) else ""
    _say(f"audit: {len(known):,} packages, {count:,} advisories: {len(left)} to look at{waived}")
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main(os.environ))
