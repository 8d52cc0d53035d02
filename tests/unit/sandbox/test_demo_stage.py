"""The demo's stage: what it does to its copy of the tree, and how an expectation fails."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import yaml

from callplane.apis import parsing
from callplane.apis.number_ranges import NumberRange
from callplane.apis.teams_tenants import TeamsTenant
from callplane.apis.teams_users import TeamsUser
from callplane.clock import SystemClock
from callplane.sandbox import demo_stage, locations
from callplane.sandbox.demo_chapters import CHAPTERS, PEOPLE
from callplane.sandbox.demo_page import Page
from callplane.sandbox.demo_stage import DemoFailed, Stage
from callplane.sandbox.lifecycle import Sandbox

TREE = locations.CHECKOUT / "manifests" / "tenants"


@pytest.fixture
def lines() -> list[str]:
    """What the page says."""
    return []


@pytest.fixture
def stage(tmp_path: Path, lines: list[str]) -> Stage:
    """A stage on a sandbox that does not run."""
    authority = tmp_path / "components" / "graph"
    authority.mkdir(parents=True)
    (authority / "simulators-ca.pem").write_text("first line\nsecond line\n")
    sandbox = Sandbox(
        name="demo-1",
        folder=tmp_path,
        kubeconfig=tmp_path / "kubeconfig",
        kubectl_program=Path("/bin/false"),
        database_url="postgresql://nobody@127.0.0.1:1/none",
        processes=(),
        addresses={"graph/http": "http://127.0.0.1:1", "graph/tls": "http://127.0.0.1:2"},
        started_in_seconds=0.0,
    )
    made = Stage(sandbox, Page(lines.append, styled=False), SystemClock())
    demo_stage.copy_tree(TREE, made)
    return made


def manifests(folder: Path) -> list[parsing.Parsed]:
    """Every object of ours in a tree."""
    return [
        parsing.parse_strict(document)
        for file in sorted(folder.rglob("*.yaml"))
        for document in yaml.safe_load_all(file.read_text())
        if str(document["apiVersion"]).startswith("callplane.dev/")
    ]


def test_the_tree_is_what_the_story_says(stage: Stage) -> None:
    parsed = manifests(TREE)
    assert [each.errors for each in parsed if each.errors] == []
    users = [each for each in parsed if isinstance(each.resource, TeamsUser)]
    assert len(users) == PEOPLE
    assert {each.namespace for each in users} == {"sales", "support"}
    assert len({each.resource.spec.user_principal_name for each in users}) == PEOPLE  # type: ignore[union-attr]
    assert sum(isinstance(each.resource, NumberRange) for each in parsed) == 2


def test_the_copy_leads_to_the_simulator_at_the_demos_pace(stage: Stage) -> None:
    [tenant] = [
        each.resource for each in manifests(stage.tree) if isinstance(each.resource, TeamsTenant)
    ]
    assert tenant.spec.endpoint.graph == "http://127.0.0.1:1"
    assert tenant.spec.endpoint.authority == "https://127.0.0.1:2"
    assert tenant.spec.endpoint.ca_bundle == "first line\nsecond line\n"
    assert tenant.spec.writes_per_second == 50
    assert tenant.spec.drift_interval_seconds == 2
    assert tenant.spec.change_limits.settle_seconds == 3


def test_a_commit_shows_what_changes(stage: Stage, lines: list[str]) -> None:
    stage.commit("sales/ines.yaml", stage.text("sales/ines.yaml").replace("0050", "0051"))
    assert lines[0] == "  * in git, tenants/sales/ines.yaml changes"
    assert [line.strip()[0] for line in lines[1:]] == ["-", "+"]
    lines.clear()
    stage.commit("sales/ines.yaml", "")
    assert lines == ["  * in git, tenants/sales/ines.yaml is removed"]
    assert not (stage.tree / "sales/ines.yaml").exists()


def test_an_expectation_that_is_not_met_ends_the_demo(stage: Stage, lines: list[str]) -> None:
    stage.expect(True, "all is well", otherwise="never said")
    assert lines == ["ok  all is well"]
    with pytest.raises(DemoFailed, match="two numbers are missing"):
        stage.expect(False, "all is well", otherwise="two numbers are missing")


def test_what_does_not_come_ends_the_demo_with_what_was_wanted(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo_stage, "PATIENCE_SECONDS", 0.0)
    with pytest.raises(DemoFailed, match="not within 0 s: Cara has a number again"):
        stage.until(lambda: None, "Cara has a number again")


@pytest.mark.parametrize("code", [0, 1])
def test_a_command_that_ends_otherwise_than_expected_ends_the_demo(stage: Stage, code: int) -> None:
    program = "false" if code == 0 else "true"
    with pytest.raises(DemoFailed, match=rf"{program}: exit code {1 - code} where {code}"):
        stage.run(program, code=code)


def test_every_chapter_has_a_headline_of_its_own() -> None:
    headlines = [chapter.headline for chapter in CHAPTERS]
    assert len(set(headlines)) == len(headlines)
    assert all(dataclasses.is_dataclass(chapter) for chapter in CHAPTERS)
