"""One process at a time."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path

from callplane.sandbox import locations, locks

HOLDER = """
import sys, time
from pathlib import Path
from callplane.sandbox import locks
with locks.held(Path(sys.argv[1]), waiting=lambda: None):
    print('held', flush=True)
    time.sleep(60)
"""


def test_the_kernel_releases_the_lock_of_a_killed_process(tmp_path: Path) -> None:
    file = tmp_path / "a.lock"
    waited = threading.Event()
    entered = threading.Event()

    def enter() -> None:
        with locks.held(file, waiting=waited.set):
            entered.set()

    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(file)],
        stdout=subprocess.PIPE,
        env={"PYTHONPATH": str(locations.SOURCE_ROOT)},
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        thread = threading.Thread(target=enter)
        thread.start()
        assert waited.wait(timeout=30)
        assert not entered.is_set()
        holder.send_signal(signal.SIGKILL)
    thread.join(timeout=30)
    assert entered.is_set()
