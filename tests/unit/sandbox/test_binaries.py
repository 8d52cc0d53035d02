"""Where the programs of a cluster are looked for, and in which order."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from callplane.sandbox import binaries, building, locations
from callplane.sandbox.binaries import ETCD_VERSION, KUBERNETES_VERSION, Search
from callplane.sandbox.failures import SandboxError

Script = Callable[[Path, str], Path]

ANSWERS = {
    "etcd": f"etcd Version: {ETCD_VERSION}",
    "kube-apiserver": f"Kubernetes v{KUBERNETES_VERSION}",
    "kube-controller-manager": f"Kubernetes v{KUBERNETES_VERSION}",
    "kubectl": f"Client Version: v{KUBERNETES_VERSION}",
}


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def assets(tmp_path: Path, script: Script) -> Path:
    for program, answer in ANSWERS.items():
        script(tmp_path / "assets" / program, f"echo '{answer}'")
    return tmp_path / "assets"


def search(said: list[str], **environment: str) -> Search:
    return Search(build=False, report=said.append, environment=environment)


def in_cache(program: str) -> Path:
    (tool,) = (tool for tool in binaries.TOOLS if tool.program == program)
    path = building.cached(tool)
    assert path is not None
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


@pytest.mark.usefixtures("cache")
def test_a_named_folder_gives_all_four_programs(assets: Path, said: list[str]) -> None:
    found = binaries.find(search(said, KUBEBUILDER_ASSETS=str(assets)))
    assert found.etcd == assets / "etcd"
    assert found.kube_controller_manager == assets / "kube-controller-manager"
    assert said == []


@pytest.mark.usefixtures("cache")
def test_a_named_folder_comes_before_the_cache(assets: Path, said: list[str]) -> None:
    in_cache("etcd")
    assert binaries.find(search(said, KUBEBUILDER_ASSETS=str(assets))).etcd == assets / "etcd"


@pytest.mark.usefixtures("cache")
def test_a_program_named_by_itself_comes_before_a_named_folder(
    assets: Path, said: list[str], tmp_path: Path, script: Script
) -> None:
    own = script(tmp_path / "own" / "my-etcd", f"echo '{ANSWERS['etcd']}'")
    found = binaries.find(search(said, KUBEBUILDER_ASSETS=str(assets), TEST_ASSET_ETCD=str(own)))
    assert found.etcd == own
    assert found.kubectl == assets / "kubectl"


@pytest.mark.usefixtures("cache")
def test_another_minor_version_is_passed_over_with_a_line_and_another_patch_is_taken(
    assets: Path, said: list[str], script: Script
) -> None:
    script(assets / "kube-apiserver", "echo 'Kubernetes v1.36.9'")
    script(assets / "kubectl", "echo 'Client Version: v1.37.9'")
    cached = in_cache("kube-apiserver")
    found = binaries.find(search(said, KUBEBUILDER_ASSETS=str(assets)))
    assert found.kube_apiserver == cached
    assert found.kubectl == assets / "kubectl"
    (line,) = said
    assert "kube-apiserver is 1.36.9" in line
    assert "passed over" in line


@pytest.mark.usefixtures("cache")
@pytest.mark.parametrize("body", ["exit 1", "echo no version", "kill -9 $$"])
def test_a_program_without_a_usable_answer_is_passed_over(
    assets: Path, said: list[str], script: Script, body: str
) -> None:
    script(assets / "etcd", body)
    cached = in_cache("etcd")
    assert binaries.find(search(said, KUBEBUILDER_ASSETS=str(assets))).etcd == cached
    assert "of unknown version" in said[0]


@pytest.mark.usefixtures("cache")
def test_a_program_missing_from_a_named_folder_is_said_and_looked_for_elsewhere(
    assets: Path, said: list[str]
) -> None:
    (assets / "kube-controller-manager").unlink()
    cached = in_cache("kube-controller-manager")
    found = binaries.find(search(said, KUBEBUILDER_ASSETS=str(assets)))
    assert found.kube_controller_manager == cached
    assert said == [
        f"KUBEBUILDER_ASSETS: there is no {assets / 'kube-controller-manager'}: passed over"
    ]


@pytest.mark.usefixtures("cache")
def test_what_is_nowhere_and_may_not_be_built_is_an_error_that_says_what_to_do(
    said: list[str],
) -> None:
    with pytest.raises(SandboxError, match="callplane sandbox prepare"):
        binaries.find(search(said))


def test_the_pinned_versions_are_those_of_the_go_modules() -> None:
    tools = locations.tools_folder()
    assert tools is not None
    kubernetes = (tools / "kubernetes" / "go.mod").read_text()
    etcd = (tools / "etcd" / "go.mod").read_text()
    assert re.search(rf"\bk8s\.io/kubernetes v{re.escape(KUBERNETES_VERSION)}\b", kubernetes)
    assert re.search(rf"\bgo\.etcd\.io/etcd/server/v3 v{re.escape(ETCD_VERSION)}\b", etcd)
