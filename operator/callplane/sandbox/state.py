"""What a sandbox remembers between commands: one JSON file in its folder.

Written by `lifecycle` and the throw-away servers of the tests; read by every `callplane sandbox`
verb and by the guardian.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import threading
import uuid
from pathlib import Path
from typing import Any

from callplane.sandbox import processes
from callplane.sandbox.failures import SandboxError
from callplane.sandbox.processes import Launch, ProcessRecord

FILE_NAME = "sandbox.json"


class SandboxState:
    """The records of one sandbox folder, saved whole at each change.

    Safe to use from several threads, since the servers of a sandbox start beside one another.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()
        self._processes: list[ProcessRecord] = []
        self._details: dict[str, Any] = {}
        self._outside: list[str] = []
        self._stopped = False
        self.identity = uuid.uuid4().hex

    @classmethod
    def create(cls, folder: Path) -> SandboxState:
        """Make the folder, readable by its owner only, and an empty state in it."""
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
        state = cls(folder)
        state._save()
        return state

    @classmethod
    def load(cls, folder: Path) -> SandboxState | None:
        """Read the state of a folder; None when there is none."""
        try:
            document = json.loads((folder / FILE_NAME).read_text())
            state = cls(folder)
            state._processes = [ProcessRecord(**entry) for entry in document["processes"]]
            state._details = dict(document["details"])
            state._outside = list(document["outside"])
            state.identity = str(document["identity"])
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError) as error:
            raise SandboxError(f"{folder / FILE_NAME} is damaged: {error}") from error
        return state

    @property
    def processes(self) -> tuple[ProcessRecord, ...]:
        """The processes in their order of start."""
        return tuple(self._processes)

    @property
    def details(self) -> dict[str, Any]:
        """Addresses, ports and versions to show and to use; plain JSON values."""
        return dict(self._details)

    def log_file(self, name: str) -> Path:
        """Return where the output of the named process goes."""
        folder = self.folder / "logs"
        folder.mkdir(exist_ok=True)
        return folder / f"{name}.log"

    def launch(self, launch: Launch) -> ProcessRecord:
        """Start a process and record it."""
        with self._lock:
            if self._stopped:
                raise SandboxError(f"{launch.name} is not started: the sandbox is being stopped")
            record = processes.start(launch, folder=self.folder)
            self._processes.append(record)
            self._save()
        return record

    def note(self, **details: Any) -> None:
        """Remember details under their names."""
        with self._lock:
            self._details.update(details)
            self._save()

    def owns_outside(self, folder: Path) -> None:
        """Remember a folder elsewhere that goes when the sandbox goes."""
        with self._lock:
            self._outside.append(str(folder))
            self._save()

    def stop(self) -> tuple[str, ...]:
        """Stop everything that was started here; return the names that had to be killed."""
        with self._lock:
            killed = processes.stop_all(self._processes)
            known = [record.pid for record in self._processes]
            stray = processes.unrecorded(self.folder, known=known)
            killed += processes.stop_all(stray)
            self._processes.clear()
            self._stopped = True
            self._save()
        return killed

    def remove(self) -> None:
        """Remove the folder and what was made for it elsewhere. Call `stop` first."""
        for outside in self._outside:
            shutil.rmtree(outside, ignore_errors=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _save(self) -> None:
        document = {
            "processes": [dataclasses.asdict(record) for record in self._processes],
            "details": self._details,
            "outside": self._outside,
            "identity": self.identity,
        }
        draft = self.folder / f"{FILE_NAME}.{os.getpid()}"
        draft.write_text(json.dumps(document, indent=2, sort_keys=True) + "\n")
        draft.replace(self.folder / FILE_NAME)
