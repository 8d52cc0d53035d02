"""`callplane sandbox` on real servers, from `up` to `down`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from callplane.cli import app
from callplane.sandbox import binaries, components, lifecycle, locations, processes
from callplane.sandbox.binaries import TOOLS, Search
from callplane.sandbox.components import Component
from callplane.sandbox.failures import SandboxError
from callplane.sandbox.lifecycle import UpOptions
from callplane.sandbox.processes import ProcessRecord
from callplane.sandbox.state import SandboxState
from callplane.testing.control_plane import ThrowAwayCluster

# A bound on hanging, for a machine that may be busy.
PATIENCE_SECONDS = 90
OWN = {component.name for component in components.STANDARD}
PROCESSES = OWN | {"etcd", "kube-apiserver", "kube-controller-manager", "postgres"}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cache of the test's own, with the programs of the user's; whatever is up goes down."""
    for tool in TOOLS:
        program = binaries.find_one(tool.program, Search(build=False))
        variable = f"TEST_ASSET_{tool.program.upper().replace('-', '_')}"
        monkeypatch.setenv(variable, str(program))
    monkeypatch.setenv(locations.CACHE_VARIABLE, str(tmp_path / "cache"))
    # Nothing may read these two.
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "nobody-reads-this"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    yield tmp_path / "cache"
    for name in lifecycle.names():
        lifecycle.down(name, report=lambda _: None)


def sandbox(*arguments: str) -> int:
    return app.run(["sandbox", *arguments])


def status(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, dict[str, Any]]:
    capsys.readouterr()
    sandbox("status", "--json", *arguments)
    return {each["name"]: each for each in json.loads(capsys.readouterr().out)}


def records(name: str) -> tuple[ProcessRecord, ...]:
    found = lifecycle.look(name)
    assert found is not None
    return found.processes


def test_two_sandboxes_live_side_by_side_and_nothing_outlives_down(
    cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert sandbox("up", "--name", "one") == 0
    assert sandbox("up", "--name", "two") == 0
    shown = status(capsys)
    assert shown.keys() == {"one", "two"}
    assert all({each["name"] for each in one["processes"]} == PROCESSES for one in shown.values())
    ones, twos = records("one"), records("two")

    kubectl = {name: found.kubectl for name in shown if (found := lifecycle.look(name))}
    kubectl["one"]("create", "namespace", "only-here")
    assert kubectl["two"]("get", "namespace", "only-here", check=False).returncode != 0

    assert sandbox("down", "--name", "one") == 0
    assert not any(processes.alive(record) for record in ones)
    assert all(processes.alive(record) for record in twos)
    assert sandbox("down", "--name", "two") == 0
    assert not any(processes.alive(record) for record in twos)
    assert not [each for each in (cache / "sandboxes").iterdir() if each.is_dir()]
    assert sandbox("status") == 1
    assert sandbox("down", "--name", "two") == 0
    assert "was not up" in capsys.readouterr().out


def test_the_users_way_around_a_sandbox(capsys: pytest.CaptureFixture[str]) -> None:
    assert sandbox("up") == 0
    here = [sys.executable, "-m", "callplane.cli.app", "sandbox"]
    environment = {**os.environ, "PYTHONPATH": str(locations.SOURCE_ROOT)}

    def run(*arguments: str) -> str:
        return subprocess.run(
            [*here, *arguments], env=environment, capture_output=True, text=True, check=True
        ).stdout

    assert "teamsusers.callplane.dev" in run("kubectl", "get", "crds")
    assert run("psql", "-At", "-c", "select current_database()") == "callplane\n"
    capsys.readouterr()
    assert sandbox("logs", "postgres", "--lines", "1") == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("postgres: ")
    assert sandbox("logs", "nobody") == 1
    assert "no process 'nobody'" in capsys.readouterr().err

    # A second `up` changes nothing; one after a process died makes the sandbox anew.
    before = records("default")
    assert sandbox("up") == 0
    assert records("default") == before
    (database,) = (record for record in before if record.name == "postgres")
    os.kill(database.pid, signal.SIGKILL)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while processes.alive(database) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert sandbox("status") == 1
    assert "DEAD" in capsys.readouterr().out
    assert sandbox("up") == 0
    assert not any(processes.alive(record) for record in before)
    assert sandbox("status") == 0


def test_a_killed_up_leaves_nothing(cache: Path) -> None:
    folder = cache / "sandboxes" / "doomed"
    with subprocess.Popen(
        [sys.executable, "-m", "callplane.cli.app", "sandbox", "up", "--name", "doomed"],
        env={**os.environ, "PYTHONPATH": str(locations.SOURCE_ROOT)},
        stderr=subprocess.DEVNULL,
    ) as command:
        deadline = time.monotonic() + PATIENCE_SECONDS
        started: tuple[ProcessRecord, ...] = ()
        while len(started) < 2 and time.monotonic() < deadline:
            time.sleep(0.02)
            state = SandboxState.load(folder)
            started = state.processes if state is not None else ()
        assert len(started) >= 2
        command.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while folder.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not folder.exists()
    assert not any(processes.alive(record) for record in started)
    assert processes.unrecorded(folder, known=()) == ()


def test_an_interrupted_up_leaves_nothing_and_says_so(cache: Path) -> None:
    folder = cache / "sandboxes" / "interrupted"
    with subprocess.Popen(
        [sys.executable, "-m", "callplane.cli.app", "sandbox", "up", "--name", "interrupted"],
        env={**os.environ, "PYTHONPATH": str(locations.SOURCE_ROOT)},
        stderr=subprocess.PIPE,
        text=True,
    ) as command:
        assert command.stderr is not None
        # Usually this is the first to come up; on a busy machine the other half may be.
        while "PostgreSQL answers" not in (line := command.stderr.readline()):
            assert line, "it ended before"
        command.send_signal(signal.SIGINT)
        rest = command.stderr.read()
    assert command.returncode == 130
    assert rest.endswith("Interrupted\n")
    assert not folder.exists()
    assert processes.unrecorded(folder, known=()) == ()


def test_a_process_that_does_not_come_up_takes_everything_down(cache: Path) -> None:
    broken = Component(
        name="broken",
        command=lambda _: (sys.executable, "-S", "-c", "raise SystemExit('no such world')"),
        ports=("http",),
        ready=("http", "/"),
    )
    options = UpOptions(throw_away=True, components=(broken,))
    with pytest.raises(SandboxError, match=r"broken ended at once(.|\n)*no such world"):
        lifecycle.up("half", options, report=lambda _: None)
    assert not (cache / "sandboxes" / "half").exists()
    assert processes.unrecorded(cache / "sandboxes" / "half", known=()) == ()


def test_somebody_elses_cluster_is_used_only_when_named_and_agreed_to(
    throw_away_cluster: ThrowAwayCluster, capsys: pytest.CaptureFixture[str]
) -> None:
    option = f"--kubeconfig={throw_away_cluster.kubeconfig}"
    assert sandbox("up", option) == 1
    assert throw_away_cluster.plane.server in capsys.readouterr().err
    assert lifecycle.names() == ()
    assert sandbox("up", "--yes-use-this-cluster") == 1
    assert "--kubeconfig" in capsys.readouterr().err

    assert sandbox("up", option, "--yes-use-this-cluster") == 0
    assert {record.name for record in records("default")} == OWN | {"postgres"}
    assert "teamsusers" in throw_away_cluster.kubectl("get", "crds").stdout
    assert sandbox("down") == 0
    assert throw_away_cluster.kubectl("get", "--raw", "/readyz").stdout == "ok"


@pytest.mark.parametrize("name", ["", "Upper", "a/b", "..", "-a", "a" * 41])
def test_a_name_that_cannot_be_a_folder_is_refused(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert sandbox("down", "--name", name) == 1
    assert "cannot name a sandbox" in capsys.readouterr().err
