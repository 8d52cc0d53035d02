"""The program's frame: verbs, exit codes, messages."""

from __future__ import annotations

import subprocess
import sys
from types import ModuleType

import pytest
import typer

import callplane
from callplane.cli import app
from callplane.errors import CallplaneError
from callplane.sandbox import locations


@pytest.fixture(autouse=True)
def verb(monkeypatch: pytest.MonkeyPatch) -> None:
    """A verb that ends in each of the ways a verb may end."""

    def end(way: str, code: int = 0) -> None:
        if way == "error":
            raise CallplaneError("file.yaml:3: no such country")
        if way == "interrupt":
            raise KeyboardInterrupt
        raise typer.Exit(code)

    module = ModuleType("end_command")
    vars(module)["register"] = lambda application: application.command("end")(end)
    monkeypatch.setitem(sys.modules, "end_command", module)
    monkeypatch.setitem(app.VERBS, "end", "end_command")


@pytest.mark.parametrize("code", [0, 1, 2, 3])
def test_the_exit_code_of_a_verb_is_the_programs(code: int) -> None:
    assert app.run(["end", "exit", "--code", str(code)]) == code


def test_an_error_of_ours_is_a_line_without_a_traceback(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert app.run(["end", "error"]) == 1
    assert capsys.readouterr().err == "Error: file.yaml:3: no such country\n"


@pytest.mark.parametrize(
    "arguments", [["end"], ["end", "exit", "--no-such-option"], ["no-such-verb"]]
)
def test_wrong_usage_is_an_error_and_never_means_changes(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert app.run(arguments) == 1
    assert "Error" in capsys.readouterr().err


def test_an_interrupted_verb_ends_with_130() -> None:
    assert app.run(["end", "interrupt"]) == 130


def test_the_version_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert app.run(["--version"]) == 0
    assert capsys.readouterr().out == f"callplane {callplane.__version__}\n"


def test_the_help_lists_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    assert app.run(["--help"]) == 0
    text = capsys.readouterr().out
    assert all(verb in text for verb in app.VERBS)


def test_a_verb_loads_no_other_verbs_module() -> None:
    program = (
        "import sys; from callplane.cli import app\n"
        "app.VERBS['other'] = 'no_such_module'\n"
        "app.run(['sandbox', '--help'])\n"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": str(locations.SOURCE_ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
