"""Objects that were written under the previous version's definitions live on under these."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from callplane.apis import parsing, registry
from callplane.apis.model import VERSION
from callplane.sandbox import crds
from callplane.testing import polling
from callplane.testing.control_plane import ThrowAwayCluster

PREVIOUS = Path(__file__).parent / "previous"
OBJECTS: dict[str, dict[str, Any]] = {
    path.stem: yaml.safe_load(path.read_text(encoding="utf-8"))
    for path in sorted((PREVIOUS / "objects").glob("*.yaml"))
}
CONDITION = {
    "type": "Ready",
    "status": "True",
    "observedGeneration": 1,
    "lastTransitionTime": "2026-01-01T00:00:00Z",
    "reason": "Succeeded",
    "message": "as declared",
}
Bodies = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def cluster() -> Iterator[ThrowAwayCluster]:
    """A cluster of its own, for it changes definitions."""
    with ThrowAwayCluster(kinds=False) as made:
        yield made


@pytest.fixture(scope="module")
def written(cluster: ThrowAwayCluster) -> Bodies:
    """What the server held under the previous definitions, just before they were upgraded."""
    crds.apply(cluster.kubectl, PREVIOUS / "definitions")
    bodies: Bodies = {}
    for name, manifest in OBJECTS.items():
        namespace = manifest["metadata"].get("namespace", "default")
        if namespace != "default":
            cluster.kubectl("create", "namespace", namespace, check=False)
        cluster.kubectl("apply", "--validate=strict", "-f", "-", stdin=json.dumps(manifest))
        # A status as the operator leaves it: the upgrade must keep it.
        cluster.kubectl(
            *("patch", name, manifest["metadata"]["name"], "-n", namespace),
            *("--subresource=status", "--type=merge", "-p"),
            json.dumps({"status": {"observedGeneration": 1, "conditions": [CONDITION]}}),
        )
        bodies[name] = read(cluster, name, manifest)
    crds.apply(cluster.kubectl, crds.folder())
    return bodies


def read(cluster: ThrowAwayCluster, name: str, manifest: dict[str, Any]) -> dict[str, Any]:
    """An object as the server answers it."""
    metadata = manifest["metadata"]
    answer = cluster.kubectl(
        *("get", name, metadata["name"], "-n", metadata.get("namespace", "default"), "-o", "json")
    )
    body: dict[str, Any] = json.loads(answer.stdout)
    return body


def lost(before: Any, after: Any, path: str = "") -> list[str]:
    """What an object said before and does not say after; additions are no loss."""
    if isinstance(before, dict) and isinstance(after, dict):
        return [
            loss
            for key, value in before.items()
            for loss in (
                lost(value, after[key], f"{path}.{key}") if key in after else [f"{path}.{key}"]
            )
        ]
    return [] if before == after else [path]


def test_the_snapshot_has_every_kind_of_then() -> None:
    kinds = {
        yaml.safe_load(path.read_text())["spec"]["names"]["singular"]
        for path in (PREVIOUS / "definitions").glob("*.yaml")
    }
    assert kinds == set(OBJECTS)
    assert kinds <= {kind.singular for kind in registry.KINDS}, "a kind is gone"


def test_no_kind_is_left_out() -> None:
    """A kind that is new with this version goes in with the next; until one is out, at once."""
    assert {kind.singular for kind in registry.KINDS} == set(OBJECTS)


def test_a_field_that_a_definition_forgets_is_caught() -> None:
    """The server drops what a definition no longer has: the comparison has to see it."""
    (path,) = (PREVIOUS / "definitions").glob("teamsusers.yaml")
    definition = yaml.safe_load(path.read_text(encoding="utf-8"))
    with ThrowAwayCluster(kinds=False) as cluster:
        crds.apply(cluster.kubectl, PREVIOUS / "definitions")
        manifest = OBJECTS["teamsuser"]
        cluster.kubectl("apply", "--validate=strict", "-f", "-", stdin=json.dumps(manifest))
        before = read(cluster, "teamsuser", manifest)
        schema = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
        del schema["properties"]["spec"]["properties"]["policies"]
        cluster.kubectl(
            *("apply", "--server-side", "--force-conflicts", "-f", "-"),
            stdin=json.dumps(definition),
        )

        def forgotten() -> bool:
            return lost(before["spec"], read(cluster, "teamsuser", manifest)["spec"]) == [
                ".policies"
            ]

        polling.until(forgotten, "the server has dropped the field")


@pytest.mark.parametrize("name", OBJECTS)
def test_an_object_says_what_it_said(cluster: ThrowAwayCluster, written: Bodies, name: str) -> None:
    after = read(cluster, name, OBJECTS[name])
    assert lost(written[name], after) == []
    assert parsing.parse_lenient(after) is not None


@pytest.mark.parametrize("name", OBJECTS)
def test_an_object_can_be_applied_again_unchanged(
    cluster: ThrowAwayCluster, written: Bodies, name: str
) -> None:
    """kubectl says "configured" where a list got defaults in its items; nothing changes by that."""
    before = read(cluster, name, OBJECTS[name])
    cluster.kubectl("apply", "--validate=strict", "-f", "-", stdin=json.dumps(OBJECTS[name]))
    after = read(cluster, name, OBJECTS[name])
    assert after["spec"] == before["spec"]
    assert after["metadata"]["generation"] == written[name]["metadata"]["generation"]


@pytest.mark.usefixtures("written")
def test_every_stored_version_is_still_served(cluster: ThrowAwayCluster) -> None:
    answer = cluster.kubectl("get", "customresourcedefinitions", "-o", "json")
    for definition in json.loads(answer.stdout)["items"]:
        assert definition["status"]["storedVersions"] == [VERSION]


def test_a_loss_is_caught() -> None:
    before = {"spec": {"a": 1, "b": [1]}, "status": {"x": "y"}}
    assert lost(before, {"spec": {"a": 1, "b": [1, 2]}}) == [".spec.b", ".status"]
    assert lost(before, {**before, "new": 1}) == []
