"""Locked packages are compared with a database of advisories; without one that is said."""

from __future__ import annotations

import importlib.util
import json
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
Database = Callable[..., Path]


@pytest.fixture(scope="module")
def audit() -> ModuleType:
    """The program, which is no part of the package."""
    path = ROOT / "requirements" / "audit.py"
    found = importlib.util.spec_from_file_location("callplane_audit", path)
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    # Its dataclasses look their module up.
    sys.modules[found.name] = module
    found.loader.exec_module(module)
    return module


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project that locks three packages and a module."""
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements/callplane.txt").write_text(
        "sample-client==2.14.0 \\\n    --hash=sha256:00\n"
        "Sample.Parser==1.0rc1 ; python_version < '3.12' \\\n    --hash=sha256:00\n"
        "harmless==1.0\n"
    )
    (tmp_path / "tools/kubernetes").mkdir(parents=True)
    (tmp_path / "tools/kubernetes/go.mod").write_text(
        "module m\n\nrequire (\n\tmodule.example/net v0.25.0\n"
        "\tmodule.example/early v0.0.0-20230210155543-84c13fe0ff94 // indirect\n)\n"
    )
    return tmp_path


def advisory(name: str, package: str, *events: dict[str, str], **more: Any) -> dict[str, Any]:
    """One in the OSV format, as its schema describes it; nobody's real one."""
    ecosystem = more.pop("ecosystem", "PyPI")
    kind = "SEMVER" if ecosystem == "Go" else "ECOSYSTEM"
    affected = {
        "package": {"ecosystem": ecosystem, "name": package},
        "ranges": [{"type": kind, "events": list(events)}],
        "versions": more.pop("versions", []),
    }
    return {"id": name, "summary": "an invented weakness", "affected": [affected], **more}


@pytest.fixture
def database(tmp_path: Path) -> Database:
    def written(*found: dict[str, Any]) -> Path:
        folder = tmp_path / "advisories"
        folder.mkdir(exist_ok=True)
        for one in found:
            (folder / f"{one['id']}.json").write_text(json.dumps(one))
        return folder

    return written


FROM_START = {"introduced": "0"}


@pytest.mark.parametrize(
    ("package", "ecosystem", "events", "is_found"),
    [
        ("sample_client", "PyPI", [FROM_START, {"fixed": "2.14.1"}], True),
        ("sample-client", "PyPI", [FROM_START, {"fixed": "2.14.0"}], False),
        ("sample-client", "PyPI", [{"introduced": "2.15"}], False),
        ("sample-client", "PyPI", [FROM_START, {"last_affected": "2.14.0"}], True),
        ("sample-client", "PyPI", [FROM_START, {"last_affected": "2.13.9"}], False),
        ("sample-client", "PyPI", [{"introduced": "1.9"}, {"fixed": "1.9.1"}], False),
        # 2.9 is older than 2.14, whatever letters say.
        ("sample-client", "PyPI", [FROM_START, {"fixed": "2.9"}], False),
        ("sample-parser", "PyPI", [FROM_START, {"fixed": "1.0"}], True),
        ("module.example/net", "Go", [FROM_START, {"fixed": "0.33.0"}], True),
        ("module.example/net", "Go", [FROM_START, {"fixed": "0.25.0"}], False),
        (
            "module.example/early",
            "Go",
            [FROM_START, {"fixed": "0.0.0-20230601000000-000000000000"}],
            True,
        ),
        (
            "module.example/early",
            "Go",
            [FROM_START, {"fixed": "0.0.0-20230101000000-000000000000"}],
            False,
        ),
        ("sample-client", "npm", [FROM_START], False),
    ],
)
def test_a_version_is_in_its_range(  # noqa: PLR0913 - a row of the table
    audit: ModuleType,
    root: Path,
    database: Database,
    package: str,
    ecosystem: str,
    events: list[dict[str, str]],
    is_found: bool,
) -> None:
    place = database(advisory("TEST-1", package, *events, ecosystem=ecosystem))
    assert audit.main({audit.VARIABLE: str(place)}, root=root) == int(is_found)


def test_what_is_found_is_told_with_its_way_out(
    audit: ModuleType, root: Path, database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    place = database(
        advisory("TEST-1", "sample-client", FROM_START, {"fixed": "3.0"}, aliases=["CVE-0000-1"]),
        advisory("TEST-2", "sample-client", versions=["2.14.0"]),
        advisory("TEST-3", "harmless", FROM_START, withdrawn="2026-01-01T00:00:00Z"),
    )
    packed = root / "all.zip"
    with zipfile.ZipFile(packed, "w") as file:
        for path in place.iterdir():
            file.write(path, path.name)
    assert audit.main({audit.VARIABLE: str(packed)}, root=root) == 1
    where = "sample-client 2.14.0 (requirements/callplane.txt)"
    assert capsys.readouterr().out.splitlines() == [
        f"{where}: TEST-1 CVE-0000-1, fixed in 3.0: an invented weakness",
        f"{where}: TEST-2, not fixed yet: an invented weakness",
        "audit: 5 packages, 2 advisories: 2 to look at",
    ]


def test_what_is_accepted_is_passed_over_until_its_day(
    audit: ModuleType, root: Path, database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    place = {audit.VARIABLE: str(database(advisory("TEST-1", "harmless", FROM_START)))}
    lines = root / audit.ACCEPTED
    lines.write_text("# nothing\nTEST-1 2999-12-31 we never call what is weak in it\n")
    assert audit.main(place, root=root) == 0
    assert "0 to look at, 1 accepted" in capsys.readouterr().out
    lines.write_text("TEST-1 2020-01-01 we never call what is weak in it\n")
    assert audit.main(place, root=root) == 1
    lines.write_text("TEST-1 2999-12-31\n")
    assert audit.main(place, root=root) == 1
    assert "accepted-advisories.list:1: must be" in capsys.readouterr().err


def test_without_a_database_that_is_said_in_one_line(
    audit: ModuleType, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert audit.main({}, root=root) == 0
    assert capsys.readouterr().out == (
        "audit: no database of advisories at hand; CALLPLANE_ADVISORIES names one (OSV format)\n"
    )


def test_a_database_that_is_none_is_an_error(
    audit: ModuleType, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = root / "empty"
    folder.mkdir()
    for place, said in ((folder, "holds no advisory"), (root / "none", "neither a folder nor")):
        assert audit.main({audit.VARIABLE: str(place)}, root=root) == 1
        assert said in capsys.readouterr().err
    (folder / "odd.json").write_text("[]")
    assert audit.main({audit.VARIABLE: str(folder)}, root=root) == 1
    assert "odd.json is no advisory" in capsys.readouterr().err


def test_all_locks_of_the_project_are_read(audit: ModuleType) -> None:
    found = audit.locked(ROOT)
    files = {where for rows in found.values() for _, where in rows}
    assert {"requirements/callplane.txt", "requirements/stacks.txt"} <= files
    assert {f"tools/{path.parent.name}/go.mod" for path in ROOT.glob("tools/*/go.mod")} <= files
    assert ("Go", "github.com/google/uuid") in found
    assert len(found) > 300
