"""An estate that is there before anything is declared, and `callplane import` to take it over.

takeover = Takeover(folder, capsys)
takeover.estate.hire("anna", index=1, ours=False)
takeover.take_over()          # writes manifests
takeover.plan()               # raises unless they plan to nothing
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import yaml

from callplane.cli import app
from callplane.clock import SystemClock
from callplane.engine import snapshot_files
from callplane.testing.planning_builders import Estate

LOCATION = "00000000-0000-4000-8000-00000000cccc"


class Printed(Protocol):
    """What a program printed."""

    @property
    def out(self) -> str: ...

    @property
    def err(self) -> str: ...


class Capture(Protocol):
    """pytest's `capsys`, as far as it is used."""

    def readouterr(self) -> Printed: ...


class Takeover:
    """An estate that nothing but its tenant is declared of, a folder, and the program."""

    def __init__(self, folder: Path, capsys: Capture) -> None:
        self.estate = Estate(has_register=True)
        self.estate.manifests.clear()
        self.estate.tenant()
        self.folder = folder / "tree"
        self.snapshot = folder / "a.snapshot"
        self._capsys = capsys
        self.said = ""

    def declare_location(self, **more: Any) -> None:
        address = {"street": "1 Sample Street", "town": "London", "postcode": "EC1A 1AA"}
        spec = {"address": address, "teamsLocationId": LOCATION, **more}
        self.estate.put("EmergencyLocation", "office", spec, namespace="platform")

    def save(self) -> None:
        self.estate.cluster_objects[:] = self.estate.manifests.values()
        observations = replace(self.estate.observations(), taken_at=SystemClock().now())
        snapshot_files.save(self.snapshot, observations)

    def run(self, *arguments: str, code: int) -> str:
        ended = app.run([*arguments])
        printed = self._capsys.readouterr()
        self.said = printed.err
        assert ended == code, printed
        return printed.out

    def take_over(self, *options: str, code: int = 0) -> str:
        self.save()
        snapshot = ("--from-snapshot", str(self.snapshot))
        return self.run("import", *snapshot, "--into", str(self.folder), *options, code=code)

    def plan(self, *, code: int = 0) -> str:
        return self.run("plan", str(self.folder), "--snapshot", str(self.snapshot), code=code)

    def written(self) -> dict[str, bytes]:
        return {
            str(file.relative_to(self.folder)): file.read_bytes()
            for file in sorted(self.folder.rglob("*.yaml"))
        }

    def bodies(self, kind: str) -> list[dict[str, Any]]:
        bodies = [yaml.safe_load(content) for content in self.written().values()]
        return [body for body in bodies if body["kind"] == kind]

    def numbers_of_people(self) -> dict[str, str]:
        return {
            body["spec"]["userPrincipalName"]: body["spec"]["phoneNumber"]["e164"]
            for body in self.bodies("TeamsUser")
        }
