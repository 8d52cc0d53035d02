"""The real engine against a real API server: the CLI built from tools/pulumi, a throw-away cluster
from the project's other environment, and plugins that are scripts of ours.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from workshop import Cluster, Workshop, prepared, with_foreign_kinds

ROOT = Path(__file__).parents[3]
PYTHON = ROOT / ".venv" / "bin" / "python"


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
        with_foreign_kinds(made)
        yield made
        assert process.stdin is not None
        process.stdin.close()


@pytest.fixture(scope="module")
def workshop(
    cluster: Cluster, engine_root: str, tmp_path_factory: pytest.TempPathFactory
) -> Workshop:
    """A backend, a home and plugins for the stacks of one module."""
    return prepared(tmp_path_factory.mktemp("engine"), cluster, engine_root)
