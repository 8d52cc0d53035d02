"""The real engine against a real API server: the CLI built from tools/pulumi, a throw-away cluster
from the project's other environment, and plugins that are scripts of ours.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import foreign_kinds
from workshop import Cluster, Workshop

ROOT = Path(__file__).parents[3]
KIT = Path(__file__).parents[1] / "kit"
PYTHON = ROOT / ".venv" / "bin" / "python"
PLUGINS = {
    "pulumi-resource-kubernetes": f'exec "$PULUMI_PYTHON_CMD" -u {KIT}/standin.py "$@"',
    "pulumi-analyzer-policy-python": 'exec "$PULUMI_PYTHON_CMD" -u __main__.py "$@"',
}
PASSPHRASE = "a passphrase for tests"
# What our stacks expect to be there: the programs whose kinds they use.
NAMESPACES = ("flux-system", "argocd")


def _elsewhere(module: str) -> list[str]:
    return [str(PYTHON), "-P", "-m", module]


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT / "operator")}


@pytest.fixture(scope="session")
def engine_root() -> str:
    """The folder with `bin/pulumi`; it is built before the tests (`make test-more`)."""
    answer = subprocess.run(
        _elsewhere("callplane.testing.pulumi_engine"),
        env=_environment(),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return answer.stdout.strip()


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A throw-away cluster with the kinds of others, and none of ours."""
    with subprocess.Popen(
        _elsewhere("callplane.testing.serve_cluster"),
        env=_environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        place = json.loads(process.stdout.readline())
        made = Cluster(place["kubeconfig"], place["kubectl"])
        definitions = {"apiVersion": "v1", "kind": "List", "items": foreign_kinds.definitions()}
        text = json.dumps(definitions)
        made.kubectl("apply", "--server-side", "-f", "-", stdin=text)
        made.kubectl("wait", "--for=condition=Established", "-f", "-", stdin=text)
        for name in NAMESPACES:
            made.kubectl("create", "namespace", name)
        yield made
        assert process.stdin is not None
        process.stdin.close()


@pytest.fixture(scope="module")
def workshop(
    cluster: Cluster, engine_root: str, tmp_path_factory: pytest.TempPathFactory
) -> Workshop:
    """A backend, a home and plugins for the stacks of one module."""
    folder = tmp_path_factory.mktemp("engine")
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
