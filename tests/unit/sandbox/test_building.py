"""Building a pinned program, with a compiler that only pretends."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from callplane.sandbox import binaries, building, locations
from callplane.sandbox.failures import SandboxError

Script = Callable[[Path, str], Path]

ETCD = binaries.TOOLS[0]
VERSION = 'if [ "$1" = env ]; then echo go1.26.8; exit; fi'
OUTPUT = 'while [ "$1" != -o ]; do shift; done; out=$2'


@pytest.fixture
def compiler(
    tmp_path: Path, script: Script, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], Path]:
    """Put a `go` on the search path whose build does what the body says, with $out to make."""

    def install(body: str) -> Path:
        go = script(
            tmp_path / "bin" / "go", f"{VERSION}\necho built >> {tmp_path}/calls\n{OUTPUT}\n{body}"
        )
        monkeypatch.setenv("PATH", f"{go.parent}:/usr/bin:/bin")
        return tmp_path / "calls"

    return install


def test_a_built_program_lies_in_the_cache_and_is_not_built_again(
    cache: Path, compiler: Callable[[str], Path]
) -> None:
    calls = compiler('echo program > "$out"')
    said: list[str] = []
    first = building.build(ETCD, report=said.append)
    second = building.build(ETCD, report=said.append)
    assert first == second
    assert first.is_relative_to(cache)
    assert first.read_text() == "program\n"
    assert calls.read_text() == "built\n"
    assert said[0].startswith("building etcd")
    assert said[-1].startswith("built etcd in ")


def test_the_key_of_the_cache_changes_with_go_sum(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = tmp_path / "tools" / "etcd"
    module.mkdir(parents=True)
    (module / "go.mod").write_text("module tools\n")
    (module / "go.sum").write_text("one\n")
    monkeypatch.setattr(locations, "tools_folder", lambda: tmp_path / "tools")
    before = building.cached(ETCD)
    (module / "go.sum").write_text("two\n")
    after = building.cached(ETCD)
    assert before is not None
    assert after is not None
    assert before.is_relative_to(cache)
    assert before != after


@pytest.mark.usefixtures("cache")
def test_a_failed_build_shows_what_the_compiler_said_and_leaves_nothing(
    compiler: Callable[[str], Path],
) -> None:
    compiler('echo half > "$out"; echo some/package >&2; echo "missing go.sum entry" >&2; exit 1')
    with pytest.raises(SandboxError, match=r"etcd cannot be built:\nmissing go\.sum entry"):
        building.build(ETCD, report=lambda _: None)
    target = building.cached(ETCD)
    assert target is not None
    assert list(target.parent.iterdir()) == []


@pytest.mark.usefixtures("cache")
def test_progress_is_said_while_it_builds(
    compiler: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(building, "PROGRESS_EVERY_SECONDS", 0.05)
    gate = tmp_path / "gate"
    compiler(
        'echo "go: downloading a v1" >&2; echo one/package >&2; echo two/package >&2\n'
        f'while [ ! -e {gate} ]; do sleep 0.02; done; echo x > "$out"'
    )

    def report(text: str) -> None:
        # The compiler ends only after its progress was seen; without it the test runs into its
        # limit.
        if "2 packages compiled" in text:
            gate.touch()

    building.build(ETCD, report=report)
    assert gate.exists()


@pytest.mark.usefixtures("cache")
def test_two_builders_at_once_build_once(compiler: Callable[[str], Path]) -> None:
    calls = compiler('sleep 0.3; echo program > "$out"')
    threads = [
        threading.Thread(target=building.build, args=(ETCD,), kwargs={"report": lambda _: None})
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert calls.read_text() == "built\n"


@pytest.mark.usefixtures("cache")
def test_outside_a_checkout_nothing_can_be_built(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locations, "tools_folder", lambda: None)
    with pytest.raises(SandboxError, match="KUBEBUILDER_ASSETS"):
        building.build(ETCD, report=lambda _: None)
