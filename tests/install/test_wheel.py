"""The wheel holds the whole package and nothing else, and works away from the checkout."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path
from typing import Any, Final

import pytest
import typer.main

from callplane.cli import app

ROOT: Final = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (built,) = folder.glob("*.whl")
    return built


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
    held = {name for name in names if ".dist-info/" not in name}
    assert held == wanted
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)


def test_the_installed_package_is_imported_from_its_place(installed: Path) -> None:
    place = run(installed, "-c", "import callplane; print(callplane.__file__)")
    assert Path(place.strip()) == installed / "callplane" / "__init__.py"


def test_the_installed_command_answers(installed: Path) -> None:
    assert "Usage" in run(installed, "-m", "callplane.cli.app", "--help")


@pytest.fixture(scope="module")
def clean(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program in an environment of its own: the wheel and its dependencies, no checkout.

    The dependencies are those of this environment, named by a path file; path files among them,
    such as the one of an editable checkout, are not followed.
    """
    folder = tmp_path_factory.mktemp("clean")
    venv.create(folder, symlinks=True)
    purelib = sysconfig.get_path("purelib", vars={"base": str(folder)})
    Path(purelib, "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    pip = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python")]
    quiet = ["--quiet", "--no-deps", "--no-index", "--force-reinstall", "--ignore-installed"]
    subprocess.run([*pip, "install", *quiet, str(wheel)], check=True)
    return folder / "bin" / "callplane"


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
