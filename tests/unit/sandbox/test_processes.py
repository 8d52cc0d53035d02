"""Starting, recognising and stopping child processes."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from callplane.sandbox import processes
from callplane.sandbox.failures import SandboxError
from callplane.sandbox.processes import Launch, ProcessRecord
from callplane.sandbox.state import SandboxState

STUBBORN = """
import signal, time
signal.signal(15, lambda *_: None)
print('up', flush=True)
time.sleep(60)
"""
SIGNS_OFF = """
import signal, sys, time
def leave(*_):
    open(sys.argv[1], 'a').write(sys.argv[2] + ' ')
    sys.exit()
signal.signal(15, leave)
print('up', flush=True)
time.sleep(60)
"""


@pytest.fixture
def state(tmp_path: Path) -> Iterator[SandboxState]:
    made = SandboxState.create(tmp_path / "sandbox")
    yield made
    processes.stop_all(made.processes)


def launch(state: SandboxState, program: str, **options: object) -> ProcessRecord:
    log = state.log_file("child")
    command = (sys.executable, "-S", "-c", program)
    return state.launch(dataclasses.replace(Launch("child", command, log), **options))  # type: ignore[arg-type]


def wait_for_output(record: ProcessRecord) -> None:
    processes.wait_until(
        lambda: Path(record.log_file).stat().st_size > 0, record, timeout_seconds=30
    )


def test_a_process_stops_when_asked(state: SandboxState) -> None:
    record = launch(state, "import time; time.sleep(60)")
    assert processes.alive(record)
    assert processes.stop(record) is False
    assert not processes.alive(record)


def test_one_that_does_not_listen_is_killed_and_that_is_told(state: SandboxState) -> None:
    record = launch(state, STUBBORN)
    wait_for_output(record)
    assert processes.stop(record, timeout_seconds=0.2) is True
    assert not processes.alive(record)


def test_a_process_is_asked_by_its_own_signal(state: SandboxState) -> None:
    record = launch(
        state,
        "import signal,time\ntry:\n print(0, flush=True); time.sleep(60)\n"
        "except KeyboardInterrupt:\n print('interrupted', flush=True)",
        stop_signal=signal.SIGINT,
    )
    wait_for_output(record)
    assert processes.stop(record) is False
    assert "interrupted" in Path(record.log_file).read_text()


def test_a_process_that_got_a_dead_ones_number_is_left_alone() -> None:
    with subprocess.Popen(["sleep", "60"]) as bystander:
        identity = processes.identity_of(bystander.pid)
        assert identity is not None
        earlier = ProcessRecord("earlier", bystander.pid, identity + "0", int(signal.SIGKILL), "")
        assert processes.stop(earlier) is False
        assert bystander.poll() is None
        bystander.kill()


def test_a_stopped_child_leaves_no_zombie(state: SandboxState) -> None:
    record = launch(state, "")
    os.waitid(os.P_PID, record.pid, os.WEXITED | os.WNOWAIT)
    assert not processes.alive(record)
    with pytest.raises(ChildProcessError):
        os.waitpid(record.pid, os.WNOHANG)


def test_a_process_that_ends_while_it_is_waited_for_shows_its_last_words(
    state: SandboxState,
) -> None:
    record = launch(state, "raise SystemExit('no such flag: --frob')")
    with pytest.raises(SandboxError, match=r"child ended at once(.|\n)*no such flag: --frob"):
        processes.wait_until(lambda: False, record, timeout_seconds=30)


def test_a_process_that_never_becomes_ready_is_an_error_with_the_time(state: SandboxState) -> None:
    record = launch(state, "import time; time.sleep(60)")
    with pytest.raises(SandboxError, match="child was not ready within 0 s"):
        processes.wait_until(lambda: False, record, timeout_seconds=0.1)


def test_a_program_that_is_not_there_is_a_clear_error(state: SandboxState) -> None:
    with pytest.raises(SandboxError, match=r"child cannot be started: .*no-such-program"):
        state.launch(Launch("child", ("/no-such-program",), state.log_file("child")))


def test_children_see_no_cluster_and_no_database_of_the_callers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("KUBECONFIG", "/elsewhere")
    monkeypatch.setenv("PGSERVICE", "production")
    monkeypatch.setenv("PAGER", "less")
    seen = processes.child_environment({"MORE": "1"})
    assert "KUBECONFIG" not in seen
    assert "PGSERVICE" not in seen
    assert seen["PAGER"] == "less"
    assert seen["MORE"] == "1"


def test_the_state_stops_last_started_first_and_what_nobody_recorded(state: SandboxState) -> None:
    order = state.folder / "order"
    for name in ("first", "second"):
        command = (sys.executable, "-S", "-c", SIGNS_OFF, str(order), name)
        state.launch(Launch(name, command, state.log_file(name)))
    for record in state.processes:
        wait_for_output(record)
    stray = processes.start(
        Launch("stray", ("sleep", "60"), state.log_file("stray")), folder=state.folder
    )
    other = processes.start(
        Launch("other", ("sleep", "60"), state.log_file("other")),
        folder=state.folder.with_name("another-sandbox"),
    )
    state.stop()
    assert order.read_text() == "second first "
    assert not processes.alive(stray)
    assert processes.alive(other)
    processes.stop(other)


def test_a_stopped_sandbox_starts_nothing_more(state: SandboxState) -> None:
    state.stop()
    with pytest.raises(SandboxError, match="is being stopped"):
        launch(state, "")
