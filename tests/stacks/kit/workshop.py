"""What tests of the engine hold in their hands: a cluster, and a place for one stack's files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pulumi import automation

import foreign_kinds
from callplane_stacks import objects

KIT = Path(__file__).parent
PLUGINS = {
    "pulumi-resource-kubernetes": f'exec "$PULUMI_PYTHON_CMD" -u {KIT}/standin.py "$@"',
    "pulumi-analyzer-policy-python": 'exec "$PULUMI_PYTHON_CMD" -u __main__.py "$@"',
}
PROJECT, STACK, PASSPHRASE = "callplane", "test", "a passphrase for tests"
# What our stacks expect to be there: the programs whose kinds they use.
NAMESPACES = ("flux-system", "argocd")


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
        made = automation.create_or_select_stack(
            STACK, project_name=PROJECT, program=program, opts=options
        )
        for name in objects.IN_PLACE:
            made.set_config(f"kubernetes:{name}", automation.ConfigValue("true"))
        return made


def unprotected(stack: automation.Stack) -> automation.Stack:
    """The stack after what `pulumi state unprotect --all` does."""
    state = stack.export_stack()
    for resource in state.deployment["resources"]:
        resource.pop("protect", None)
    stack.import_stack(state)
    return stack


def with_foreign_kinds(cluster: Cluster) -> None:
    """Define the kinds of others, and make the namespaces of their programs."""
    definitions = {"apiVersion": "v1", "kind": "List", "items": foreign_kinds.definitions()}
    text = json.dumps(definitions)
    cluster.kubectl("apply", "--server-side", "-f", "-", stdin=text)
    cluster.kubectl("wait", "--for=condition=Established", "-f", "-", stdin=text)
    for name in NAMESPACES:
        cluster.kubectl("create", "namespace", name)


def prepared(folder: Path, cluster: Cluster, engine_root: str) -> Workshop:
    """A backend, a home and plugins in an empty folder."""
    for part in ("work", "home", "state", "plugins"):
        (folder / part).mkdir()
    for name, line in PLUGINS.items():
        path = folder / "plugins" / name
        path.write_text(f"#!/bin/sh\n{line}\n")
        path.chmod(0o755)
    variables = {
        "PULUMI_BACKEND_URL": (folder / "state").as_uri(),
        "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "PULUMI_PYTHON_CMD": sys.executable,
        "KUBECONFIG": cluster.kubeconfig,
        "PATH": os.pathsep.join((str(folder / "plugins"), os.environ["PATH"])),
    }
    return Workshop(folder, variables, engine_root)
