"""Child processes of a sandbox: started in their own session, recorded, stopped by record.

A record carries the identity of a process (its start time), because the process that stops a
sandbox is rarely the one that started it, and a process number may by then belong to somebody
else. Called by `postgres`, `control_plane`, `lifecycle` and `guardian`.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from callplane.sandbox.accounts import Account
from callplane.sandbox.failures import SandboxError

POLL_SECONDS = 0.05
STOP_TIMEOUT_SECONDS = 20.0
LOG_TAIL_LINES = 15
# A process that was started but not yet recorded when its starter was killed is found by this mark.
MARK = "CALLPLANE_SANDBOX_FOLDER"
# The sandbox speaks to the servers it made itself; what the caller's surroundings name must not
# reach any child by accident.
HIDDEN_FROM_CHILDREN = re.compile(r"KUBECONFIG|PG[A-Z]+")


@dataclass(frozen=True, slots=True)
class Launch:
    """What to start: a command, where its output goes, who runs it and how it is asked to stop."""

    name: str
    command: tuple[str, ...]
    log_file: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    account: Account | None = None
    stop_signal: signal.Signals = signal.SIGTERM


@dataclass(frozen=True, slots=True)
class ProcessRecord:
    """A process that was started. `identity` differs for each process that ever has this number."""

    name: str
    pid: int
    identity: str
    stop_signal: int
    log_file: str


def child_environment(extra: Mapping[str, str]) -> dict[str, str]:
    """Return the environment for a child: ours without what is hidden, plus `extra`."""
    hidden = HIDDEN_FROM_CHILDREN.fullmatch
    kept = {name: value for name, value in os.environ.items() if not hidden(name)}
    return {**kept, **extra}


def start(launch: Launch, *, folder: Path) -> ProcessRecord:
    """Start one process in a session of its own, marked with the sandbox's `folder`."""
    account = launch.account
    identity_arguments: dict[str, object] = {}
    if account is not None:
        identity_arguments = {
            "user": account.user_id,
            "group": account.group_id,
            "extra_groups": [],
        }
    try:
        with launch.log_file.open("ab") as log:
            process = subprocess.Popen(
                launch.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd="/",
                env=child_environment({**launch.environment, MARK: str(folder)}),
                start_new_session=True,
                **identity_arguments,  # type: ignore[call-overload]
            )
    except OSError as error:
        raise SandboxError(f"{launch.name} cannot be started: {error}") from error
    identity = identity_of(process.pid) or ""
    # From here on the process is known by its record; Popen would only complain at its own end that
    # the process still runs.
    process.returncode = 0
    return ProcessRecord(
        name=launch.name,
        pid=process.pid,
        identity=identity,
        stop_signal=int(launch.stop_signal),
        log_file=str(launch.log_file),
    )


def identity_of(pid: int) -> str | None:
    """Return what tells a process from earlier ones of its number; None when it is gone."""
    if sys.platform != "linux":
        return _identity_by_ps(pid)
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    # Field 3 is the state and field 22 the start in clock ticks since boot; the split begins at
    # field 3. Wall-clock start times would move when the machine's clock is set.
    return None if fields[0] in "ZX" else f"{_boot_id()}:{fields[19]}"


def _identity_by_ps(pid: int) -> str | None:
    answer = subprocess.run(
        ["ps", "-o", "state=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    state, _, started = answer.stdout.strip().partition(" ")
    return None if not state or state.startswith("Z") else started.strip()


def _boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def alive(record: ProcessRecord) -> bool:
    """Tell whether the very process of the record still runs; reaps a dead child of ours."""
    identity = identity_of(record.pid)
    if identity is None:
        _reap(record.pid)
    return identity is not None and identity == record.identity


def _reap(pid: int) -> None:
    with contextlib.suppress(ChildProcessError, OSError):
        os.waitpid(pid, os.WNOHANG)


def wait_until(ready: Callable[[], bool], record: ProcessRecord, *, timeout_seconds: float) -> None:
    """Wait until `ready` says yes.

    Raises SandboxError with the end of the log when the process ends first or time runs out.
    """
    deadline = time.monotonic() + timeout_seconds
    while not ready():
        if not alive(record):
            raise SandboxError(f"{record.name} ended at once. {_log_tail(record)}")
        if time.monotonic() > deadline:
            raise SandboxError(
                f"{record.name} was not ready within {timeout_seconds:.0f} s. {_log_tail(record)}"
            )
        time.sleep(POLL_SECONDS)


def _log_tail(record: ProcessRecord) -> str:
    try:
        lines = Path(record.log_file).read_text(errors="replace").splitlines()
    except OSError:
        return f"Its log {record.log_file} cannot be read."
    tail = "\n".join(f"  {line}" for line in lines[-LOG_TAIL_LINES:])
    return f"The end of {record.log_file}:\n{tail}"


def stop(record: ProcessRecord, *, timeout_seconds: float = STOP_TIMEOUT_SECONDS) -> bool:
    """Ask the process to stop, insist after `timeout_seconds`; True when it had to be killed.

    How long it may take to die of SIGKILL is the kernel's matter, however short the patience was.
    """
    if not alive(record):
        return False
    _signal(record, record.stop_signal)
    if _gone_within(record, timeout_seconds):
        return False
    _signal(record, signal.SIGKILL)
    if not _gone_within(record, STOP_TIMEOUT_SECONDS):
        raise SandboxError(f"{record.name} (process {record.pid}) survives SIGKILL")
    return True


def _signal(record: ProcessRecord, number: int) -> None:
    if alive(record):
        with contextlib.suppress(ProcessLookupError):
            os.kill(record.pid, number)


def _gone_within(record: ProcessRecord, timeout_seconds: float) -> bool:
    deadline = time.monotonic() + timeout_seconds
    while alive(record):
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS / 5)
    return True


def stop_all(records: Sequence[ProcessRecord]) -> tuple[str, ...]:
    """Stop processes in the reverse of their order of start; return the names that had to be
    killed.
    """
    return tuple(record.name for record in reversed(records) if stop(record))


def unrecorded(folder: Path, *, known: Iterable[int]) -> tuple[ProcessRecord, ...]:
    """Find processes that bear the mark of this sandbox's folder but stand in no record.

    Only Linux shows the environment of a process; elsewhere nothing is found.
    """
    skip = {*known, os.getpid()}
    mark = f"{MARK}={folder}".encode()
    found = []
    for entry in Path("/proc").glob("[0-9]*/environ"):
        pid = int(entry.parent.name)
        try:
            marked = pid not in skip and mark in entry.read_bytes().split(b"\0")
        except OSError:
            continue
        identity = identity_of(pid)
        if marked and identity is not None:
            found.append(ProcessRecord(f"process {pid}", pid, identity, int(signal.SIGTERM), ""))
    return tuple(found)
