"""Stops a sandbox when the process that owns it dies, however it dies.

`watch` starts this module as a small process that reads from a pipe. The kernel closes the pipe
with its owner; only then, and unless it was told to keep the sandbox, the guardian stops
everything in the sandbox's folder. Used while `callplane sandbox up` is under way, and for the
life of throw-away servers.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
from pathlib import Path

from callplane.sandbox import locations, locks, processes
from callplane.sandbox.state import SandboxState

MODULE = "callplane.sandbox.guardian"
KEEP = b"keep"


class Guardian:
    """The owner's side of the pipe."""

    def __init__(self, state: SandboxState) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", MODULE, str(state.folder), state.identity],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env=processes.child_environment({"PYTHONPATH": locations.python_path()}),
            start_new_session=True,
        )

    def dismiss(self) -> None:
        """Send the guardian home: the sandbox lives on, or is gone already."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(KEEP)
            self._process.stdin.close()
        self._process.wait()


def watch(state: SandboxState) -> Guardian:
    """Start a guardian for a sandbox."""
    return Guardian(state)


def main(folder: Path, identity: str) -> None:
    """Wait for the end of standard input, then clear the sandbox unless told to keep it."""
    if sys.stdin.buffer.read() == KEEP:
        return
    with locks.held(locks.file_for(folder), waiting=lambda: None):
        state = SandboxState.load(folder)
        # Another sandbox may have taken the folder over since.
        if state is not None and state.identity == identity:
            state.stop()
            state.remove()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
