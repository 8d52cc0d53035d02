"""`callplane snapshot save`: from a cluster, or from manifests with Secrets in files."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from callplane.cli import app, connecting
from callplane.clock import SystemClock
from callplane.engine import snapshot_files
from callplane.providers.inmemory import InMemoryProvider, World
from callplane.providers.registry import Ingredients, Registry
from callplane.resources.platforms import Person
from callplane.testing.fake_cluster import FakeCluster
from callplane.testing.planning_builders import CONNECTION, TENANT_KEY, Estate

SECRET = b"a-secret-value"


@pytest.fixture
def signed_in(monkeypatch: pytest.MonkeyPatch) -> list[Ingredients]:
    """What providers were made of."""
    seen: list[Ingredients] = []
    world = World()
    world.put_people([Person("id-anna", "anna@example.com")])

    def create(_: Registry, name: str, ingredients: Ingredients) -> InMemoryProvider:
        assert name == "teams"
        seen.append(ingredients)
        return InMemoryProvider(CONNECTION, world, clock=SystemClock())

    monkeypatch.setattr(Registry, "create", create)
    monkeypatch.delenv("CALLPLANE_DATABASE_URL", raising=False)
    return seen


def tree(folder: Path) -> Path:
    file = folder / "tree.yaml"
    bodies: list[dict[str, Any]] = list(Estate().manifests.values())
    file.write_text(yaml.safe_dump_all(bodies))
    return file


def test_a_cluster_is_observed_with_its_own_secrets(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    signed_in: list[Ingredients],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cluster = FakeCluster()
    metadata = {"name": "platform"}
    cluster.seed({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
    cluster.seed(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "graph", "namespace": "platform"},
            "data": {"secret": base64.b64encode(SECRET).decode()},
        }
    )
    cluster.seed(Estate().manifests[TENANT_KEY])

    @asynccontextmanager
    async def reached(_: Path) -> AsyncIterator[FakeCluster]:
        yield cluster

    monkeypatch.setattr(connecting, "cluster", reached)
    file = tmp_path / "a.snapshot"
    assert app.run(["snapshot", "save", str(file), "--kubeconfig", "a"]) == 0
    said = capsys.readouterr().err
    assert f"{file}: 1 connection without the number register" in said
    assert "name it with --database-url" in said
    assert list(signed_in[0].secrets.values()) == [SECRET]
    found = snapshot_files.load(file)
    assert found.connections[0].people[0].user_principal_name == "anna@example.com"
    assert found.installation
    assert SECRET not in file.read_bytes()
    assert cluster.writes == []


def test_manifests_are_observed_with_secrets_from_files(
    tmp_path: Path, signed_in: list[Ingredients]
) -> None:
    secret, file = tmp_path / "secret", tmp_path / "a.snapshot"
    secret.write_bytes(SECRET)
    arguments = ["snapshot", "save", str(file), "--manifests", str(tree(tmp_path))]
    assert app.run([*arguments, "--secret", f"platform/graph/secret={secret}"]) == 0
    assert list(signed_in[0].secrets.values()) == [SECRET]
    assert snapshot_files.load(file).installation == ""


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ([], "either --kubeconfig or --manifests"),
        (["--manifests", "TREE", "--kubeconfig", "a"], "either --kubeconfig or --manifests"),
        (["--manifests", "TREE"], "give it with --secret platform/graph/secret=FILE"),
        (["--manifests", "TREE", "--secret", "graph=x"], "is written NAMESPACE/NAME/KEY=FILE"),
        (["--manifests", "TREE", "--secret", "a/b/c=/nowhere"], "/nowhere: no such file"),
        (["--manifests", "EMPTY"], "no connection among these manifests"),
    ],
)
def test_wrong_options_say_what_to_do(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    signed_in: list[Ingredients],
    options: list[str],
    reason: str,
) -> None:
    estate = Estate()
    del estate.manifests[TENANT_KEY]
    empty = tmp_path / "empty.yaml"
    empty.write_text(yaml.safe_dump_all(list(estate.manifests.values())))
    places = {"TREE": str(tree(tmp_path)), "EMPTY": str(empty)}
    file = tmp_path / "a.snapshot"
    arguments = [places.get(option, option) for option in options]
    assert app.run(["snapshot", "save", str(file), *arguments]) == 1
    assert reason in capsys.readouterr().err
    assert not file.exists()
