"""What tests of the engine hold in their hands: a cluster, and a place for one stack's files."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pulumi import automation

PROJECT, STACK = "callplane", "test"


@dataclass(frozen=True, slots=True)
class Cluster:
    """A Kubernetes API, and kubectl on it as administrator."""

    kubeconfig: str
    program: str

    def kubectl(self, *arguments: str, stdin: str = "", check: bool = True) -> str:
        """What kubectl prints; the complaint when it fails and `check` is False."""
        answer = subprocess.run(
            [
                self.program,
                f"--kubeconfig={self.kubeconfig}",
                f"--cache-dir={Path(self.kubeconfig).parent / 'kubectl-cache'}",
                *arguments,
            ],
            input=stdin,
            env={"PATH": "/usr/bin:/bin", "KUBERC": "off"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert answer.returncode == 0 or not check, answer.stderr
        return answer.stdout if answer.returncode == 0 else answer.stderr

    def get(self, kind: str, name: str, namespace: str) -> dict[str, Any]:
        """One object."""
        body: dict[str, Any] = json.loads(
            self.kubectl("get", kind, name, "-n", namespace, "-o", "json")
        )
        return body


@dataclass(frozen=True, slots=True)
class Workshop:
    """Where a stack's files lie, and the environment its engine runs in."""

    folder: Path
    variables: dict[str, str]
    engine_root: str

    @property
    def state(self) -> Path:
        """The backend's folder."""
        return self.folder / "state"

    def stack(self, program: Callable[[], None]) -> automation.Stack:
        """The stack of this workshop with a program; the same stack each time."""
        options = automation.LocalWorkspaceOptions(
            work_dir=str(self.folder / "work"),
            pulumi_home=str(self.folder / "home"),
            secrets_provider="passphrase",
            pulumi_command=automation.PulumiCommand(root=self.engine_root),
            env_vars=self.variables,
        )
        return automation.create_or_select_stack(
            STACK, project_name=PROJECT, program=program, opts=options
        )
