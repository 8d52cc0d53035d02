"""A real Kamailio for tests: rendered into a folder, started, asked over its local socket, killed.

Its log goes straight into a file, as in production: what was written before a kill stays written.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from callplane.callcontrol.kamailio_rpc import KamailioRpc, RpcError
from callplane.sbc import rendering
from callplane.sbc.model import Folders, Sbc
from callplane.testing import polling, sbc_programs
from callplane.testing.sbc_programs import Program

#: Turns files into other files: how a mutant is made.
Mutation = Callable[[dict[str, str]], dict[str, str]]
LINES_SHOWN = 30
#: Bounds on hanging: a machine that is busy starts and reaps a dozen processes slowly.
START_SECONDS, ANSWER_SECONDS, GONE_SECONDS = 40.0, 15.0, 20.0


@dataclass
class Kamailio:
    """One SBC's folder and, between `start` and `kill`, its process."""

    sbc: Sbc
    folder: Path
    process: subprocess.Popen[bytes] | None = None
    #: Where its log goes, when not into the spool.
    log: Path | None = None
    shared_megabytes: int = 64
    #: What starts it and opens its log, given the log's name and the command; the test otherwise.
    launcher: tuple[str, ...] = ()

    @classmethod
    def rendered(cls, sbc: Sbc, folder: Path, mutation: Mutation = lambda files: files) -> Kamailio:
        """Write the files of an SBC into a folder, where it will look for them."""
        folders = Folders(config=str(folder), run=str(folder), certificates=str(folder))
        sbc = replace(sbc, folders=folders)
        for name, text in mutation(rendering.render(sbc)).items():
            (folder / name).write_text(text, encoding="utf-8")
        return cls(sbc, folder)

    @property
    def spool(self) -> Path:
        return self.folder / "spool.log"

    def check(self) -> str:
        """What `kamailio -c` says; raises AssertionError when it refuses the configuration."""
        answer = subprocess.run(
            [*self._command(), "-c"],
            env=self._program().environment,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert answer.returncode == 0, answer.stderr
        return answer.stderr

    def start(self) -> None:
        """Start it and wait until it answers. Raises AssertionError with its last lines."""
        log = self.log or self.spool
        launched = (*self.launcher, str(log)) if self.launcher else ()
        with (self.folder / "container.log" if self.launcher else log).open("ab") as spool:
            self.process = subprocess.Popen(
                [*launched, *self._command(), "-DD", "-E"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=spool,
                env=self._program().environment,
                start_new_session=True,
            )
        try:
            polling.until(self._is_up, "Kamailio answers", seconds=START_SECONDS)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.last_lines()}") from None

    def _is_up(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            raise RuntimeError(f"Kamailio ended at once\n{self.last_lines()}")
        try:
            return bool(self.rpc("core.uptime"))
        except RpcError:
            return False

    def _program(self) -> Program:
        program = sbc_programs.find("kamailio")
        assert program is not None
        return program

    def _command(self) -> list[str]:
        sizes = ["-m", str(self.shared_megabytes), "-M", "8", "-x", "fm", "-X", "fm"]
        places = ["-w", str(self.folder), "-Y", str(self.folder)]
        return [*self._program().command, "-f", str(self.folder / "kamailio.cfg"), *sizes, *places]

    def last_lines(self) -> str:
        if self.log is not None:
            return ""
        lines = self.spool.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(lines[-LINES_SHOWN:])

    @property
    def control(self) -> KamailioRpc:
        return KamailioRpc(self.folder / "rpc.sock", ANSWER_SECONDS)

    def rpc(self, method: str, *parameters: Any) -> Any:
        """Ask over the local socket. Raises RpcError."""
        return self.control.ask(method, *parameters)

    def kill(self) -> None:
        """End it at once, with all its workers, as a crash would."""
        if self.process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.process = None
        (self.folder / "rpc.sock").unlink(missing_ok=True)
        # Its workers are no children of ours: whoever starts the next one needs the port they had.
        polling.until(self._has_left, "Kamailio's workers are gone", seconds=GONE_SECONDS)

    def _has_left(self) -> bool:
        """Does nobody listen any more where call control connects?"""
        place = self.sbc.call_control
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((place.address, place.port))
            except OSError:
                return False
        return True
