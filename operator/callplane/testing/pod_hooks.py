"""Runs what an SBC's pod would run before it is stopped: the very commands of its description."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from callplane.deployment import sbc_pod
from callplane.deployment.options import Body, Options
from callplane.deployment.sbc_pod import SbcPod
from callplane.sbc.model import Sbc

IMAGE = "registry.example.com/callplane-sbc:0.1.0"


def described(values: Sbc, *, drain_seconds: int, services_seconds: int) -> Body:
    """The pod of this SBC."""
    chosen = SbcPod(
        name=values.name,
        address=values.core.address,
        node="edge-1",
        kamailio_image=IMAGE,
        media_image=IMAGE,
        rtp_ports=(16384, 32767),
        drain_seconds=drain_seconds,
        services_seconds=services_seconds,
        trust_bundle="callplane-sbc-roots",
        spool_folder="/var/lib/callplane",
        platform=Options(),
    )
    return sbc_pod.pod(chosen, values)


@dataclass
class Hooks:
    """A pod's hooks, each started once as a process of its own, as a kubelet does."""

    pod: Body
    log: Path
    started: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def container(self, name: str) -> Body:
        (found,) = [each for each in self.pod["containers"] if each["name"] == name]
        return dict(found)

    def start(self, name: str) -> None:
        """Run the hook of a container, with the container's environment."""
        container = self.container(name)
        named = {each["name"]: each["value"] for each in container["env"] if "value" in each}
        path = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))
        with self.log.open("ab") as log:
            self.started[name] = subprocess.Popen(
                container["lifecycle"]["preStop"]["exec"]["command"],
                env={**os.environ, **named, "PATH": path},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def has_returned(self, name: str) -> bool:
        return self.started[name].poll() is not None

    def code(self, name: str) -> int | None:
        """Its exit code; None while it runs."""
        return self.started[name].poll()

    def kill(self) -> None:
        for process in self.started.values():
            if process.poll() is None:
                process.kill()
            process.wait()
