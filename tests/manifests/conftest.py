"""The project's root, and kubectl's own kustomize."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from callplane.sandbox import binaries
from callplane.sandbox.binaries import Search
from callplane.testing.fixtures import throw_away_cluster

__all__ = ["throw_away_cluster"]

ROOT = Path(__file__).parents[2]
Body = dict[str, Any]
Build = Callable[[str], list[Body]]


@pytest.fixture(scope="session")
def root() -> Path:
    """The top of the checkout."""
    return ROOT


@pytest.fixture(scope="session")
def kustomize() -> Build:
    """What `kubectl kustomize` makes of a folder."""
    kubectl = binaries.find_one("kubectl", Search(build=False))

    def build(folder: str) -> list[Body]:
        made = subprocess.run(
            [str(kubectl), "kustomize", str(ROOT / folder)],
            env={"PATH": "/usr/bin:/bin", "KUBERC": "off"},
            capture_output=True,
            text=True,
            check=True,
        )
        return list(yaml.safe_load_all(made.stdout))

    return build
