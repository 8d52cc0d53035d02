"""Clusters of somebody else's: named, or not used."""

from __future__ import annotations

from pathlib import Path

import pytest

from callplane.sandbox import foreign_clusters
from callplane.sandbox.failures import SandboxError

KUBECONFIG = """
current-context: b
contexts:
- {name: a, context: {cluster: ca, user: u}}
- {name: b, context: {cluster: cb, user: u}}
clusters:
- {name: ca, cluster: {server: "https://a:6443"}}
- {name: cb, cluster: {server: "https://b:6443"}}
"""


def test_the_current_context_names_the_server(tmp_path: Path) -> None:
    file = tmp_path / "kubeconfig"
    file.write_text(KUBECONFIG)
    assert foreign_clusters.server(file) == "https://b:6443"


@pytest.mark.parametrize(
    "text",
    ["", "[]", "a: [", "current-context: b", KUBECONFIG.replace("cluster: cb", "cluster: cx")],
)
def test_what_is_no_kubeconfig_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "kubeconfig"
    file.write_text(text)
    with pytest.raises(SandboxError, match="is no kubeconfig"):
        foreign_clusters.checked(file)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match="cannot be read"):
        foreign_clusters.checked(tmp_path / "none")
