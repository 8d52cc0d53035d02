"""Where files may lie and what they may be called."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePosixPath
from types import ModuleType
from typing import Final

import pytest

Files = tuple[PurePosixPath, ...]

PACKAGE: Final = PurePosixPath("operator/callplane")
NAMES_THAT_SAY_NOTHING: Final = frozenset(
    {"common", "helper", "helpers", "manager", "managers", "misc", "util", "utils"}
)


def misplaced(files: Iterable[PurePosixPath]) -> list[str]:
    """What stands where it breaks imports: reasons, one for each file."""
    found = []
    for path in files:
        if path == PurePosixPath("operator/__init__.py"):
            found.append(f"{path}: makes the folder hide the standard library's operator")
        if path.parts[0] == "tests" and path.name == "__init__.py":
            found.append(f"{path}: tests are no packages, so that base names may repeat")
        if path.parts[0] == "tests" and "operator" in path.parts[1:-1]:
            found.append(f"{path}: a folder called operator hides the standard library's")
        if path.suffix == ".py" and NAMES_THAT_SAY_NOTHING & {path.stem, *path.parts[:-1]}:
            found.append(f"{path}: the name says nothing about what is inside")
        if any(part.startswith("-") for part in path.parts):
            found.append(f"{path}: programs take such a name for an option")
    return found


def namespace_packages(files: Iterable[PurePosixPath]) -> list[str]:
    """Folders of the package that hold modules and no `__init__.py`, which tools pass over."""
    files = frozenset(files)
    folders = {
        path.parent for path in files if path.is_relative_to(PACKAGE) and path.suffix == ".py"
    }
    return sorted(str(folder) for folder in folders if folder / "__init__.py" not in files)


def unmirrored(files: Iterable[PurePosixPath]) -> list[str]:
    """Unit tests whose folder is no package of callplane."""
    files = tuple(files)
    packages = {path.parent for path in files if path.is_relative_to(PACKAGE)}
    return [
        f"{path}: {PACKAGE / path.relative_to('tests/unit').parent} does not exist"
        for path in files
        if path.is_relative_to("tests/unit")
        and path.name.startswith("test_")
        and PACKAGE / path.relative_to("tests/unit").parent not in packages
    ]


def outside_tiers(files: Iterable[PurePosixPath], tiers: ModuleType) -> list[str]:
    """Test files that no tier runs, or that two tiers run."""
    found = []
    for path in files:
        if path.parts[0] != "tests" or not path.name.startswith("test_") or path.suffix != ".py":
            continue
        running = [
            tier.name
            for group in tiers.TIERS.values()
            for tier in group
            if any(path.is_relative_to(folder) for folder in tier.folders)
            and not any(path.is_relative_to(folder) for folder in tier.without)
        ]
        if len(running) != 1:
            found.append(f"{path}: run by {running or 'no tier'}")
    return found


def test_everything_lies_where_it_belongs(files: Files) -> None:
    assert misplaced(files) == []


def test_every_package_is_one(files: Files) -> None:
    assert namespace_packages(files) == []


def test_unit_tests_mirror_the_package(files: Files) -> None:
    assert unmirrored(files) == []


def test_each_test_belongs_to_exactly_one_tier(files: Files, tiers: ModuleType) -> None:
    assert outside_tiers(files, tiers) == []


@pytest.mark.parametrize(
    "name",
    [
        "operator/__init__.py",
        "tests/unit/__init__.py",
        "tests/operator/test_queue.py",
        "tests/unit/operator/test_queue.py",
        "operator/callplane/utils.py",
        "operator/callplane/engine/helpers/queues.py",
        "benchmarks/common.py",
        "-out",
    ],
)
def test_a_misplaced_file_is_caught(name: str) -> None:
    assert len(misplaced([PurePosixPath(name)])) == 1


def test_a_package_without_its_first_file_is_caught() -> None:
    files = [PACKAGE / "__init__.py", PACKAGE / "plan" / "diff.py"]
    assert namespace_packages(files) == [str(PACKAGE / "plan")]


def test_a_unit_test_of_nothing_is_caught() -> None:
    package = PurePosixPath("operator/callplane/plan/diff.py")
    right = PurePosixPath("tests/unit/plan/test_diff.py")
    wrong = PurePosixPath("tests/unit/planning/test_diff.py")
    assert len(unmirrored([package, right, wrong])) == 1


def test_a_test_outside_the_tiers_is_caught(tiers: ModuleType) -> None:
    fine = PurePosixPath("tests/contract/inmemory/test_lines.py")
    lost = PurePosixPath("tests/elsewhere/test_lines.py")
    assert len(outside_tiers([fine, lost], tiers)) == 1
