"""Stops a sandbox when the process that owns it dies, however it dies.

`watch` starts this module as a small process that reads from a pipe. The kernel closes the pipe
with its owner; only then, and unless it was told to keep the sandbox, the guardian stops
everything in the sandbox's folder. Used while `callplane sandbox up` is under way, and for the
life of throw-away servers.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from callplane.sandbox import processes
from callplane.sandbox.state import SandboxState

KEEP = b"keep"
SOURCE_ROOT = Path(__file__).parents[2]


class Guardian:
    """The owner's side of the pipe."""

    def __init__(self, folder: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "callplane.sandbox.guardian", str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            # The package may be importable only because of where its owner was started.
            env=processes.child_environment({"PYTHONPATH": str(SOURCE_ROOT)}),
            start_new_session=True,
        )

    def dismiss(self) -> None:
        """Send the guardian home: the sandbox lives on, or is gone already."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(KEEP)
            self._process.stdin.close()
        except BrokenPipeError:
            pass
        self._process.wait()


def watch(folder: Path) -> Guardian:
    """Start a guardian for the sandbox in `folder`."""
    return Guardian(folder)


def main(folder: Path) -> None:
    """Wait for the end of standard input, then clear the sandbox unless told to keep it."""
    if sys.stdin.buffer.read() == KEEP:
        return
    state = SandboxState.load(folder)
    if state is not None:
        state.stop()
        state.remove()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
