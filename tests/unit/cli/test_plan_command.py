"""`callplane plan` over files: forms, exit codes, deletions against git, approvals."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from callplane.apis.parsing import parse_strict
from callplane.cli import app
from callplane.clock import SystemClock
from callplane.engine import snapshot_files
from callplane.testing.planning_builders import Estate, number


class Desk:
    """A folder with a tree and a snapshot, and the program run in it."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.estate = Estate()
        self.estate.stock(range(100))
        self.tree = folder / "tree"
        self.snapshot = folder / "a.snapshot"
        self.age = timedelta(minutes=1)
        self._capsys = capsys
        self.said = ""

    def write(self) -> None:
        """The manifests and the snapshot as the estate is now."""
        for file in self.tree.rglob("*.yaml"):
            file.unlink()
        for key, body in self.estate.manifests.items():
            folder = self.tree / key.namespace
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{key.kind}-{key.name}.yaml".lower()).write_text(yaml.safe_dump(body))
        taken_at = SystemClock().now() - self.age
        observations = replace(self.estate.observations(), taken_at=taken_at)
        snapshot_files.save(self.snapshot, observations)

    def plan(self, *options: str, code: int) -> str:
        """What the program prints for the tree, having ended with `code`."""
        self.write()
        arguments = ["plan", str(self.tree), "--snapshot", str(self.snapshot), *options]
        ended = app.run(arguments)
        printed = self._capsys.readouterr()
        self.said = printed.err
        assert ended == code, printed
        return printed.out

    def json(self, *options: str, code: int) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.plan("--format", "json", *options, code=code))
        return found

    def git(self, *arguments: str) -> str:
        done = subprocess.run(
            ["git", "-C", str(self.tree), *arguments], capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    def commit(self) -> str:
        self.write()
        if not (self.tree / ".git").exists():
            self.git("init", "--quiet", "--initial-branch=main")
            self.git("config", "user.email", "maria@example.com")
            self.git("config", "user.name", "Maria")
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "a commit")
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def desk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Desk:
    return Desk(tmp_path, capsys)


def hire(desk: Desk, count: int = 1) -> None:
    for index in range(count):
        desk.estate.hire(f"person{index:02}", index=index)
        desk.estate.declare(f"person{index:02}")


def test_nothing_to_do_ends_with_0(desk: Desk) -> None:
    hire(desk)
    assert desk.plan(code=0).startswith("Plan: 0 changes on 0 of 3 objects\n")


def test_changes_end_with_2(desk: Desk) -> None:
    desk.estate.hire("anna")
    desk.estate.declare("anna")
    shown = desk.plan(code=2)
    assert "next free of platform/london" in shown
    assert "Plan: 1 change on 1 of 3 objects\n" in shown


def test_what_is_blocked_is_something_to_do(desk: Desk) -> None:
    desk.estate.declare("nobody")
    assert "UserNotFound" in desk.plan(code=2)


def test_errors_of_the_tree_end_with_1_and_plan_nothing(desk: Desk) -> None:
    desk.estate.range("second", first=50, last=60)
    assert desk.plan(code=1) == ""
    assert "numberrange-second.yaml:" in desk.said
    assert desk.said.endswith("Error: 1 error in the manifests: nothing planned\n")


def test_json_is_one_document_of_a_known_version(desk: Desk) -> None:
    desk.estate.hire("anna")
    desk.estate.declare("anna")
    found = desk.json(code=2)
    assert (found["format"], found["version"]) == ("callplane-plan", 1)
    assert found["observed"]["by"] == "anna@workstation"
    (anna,) = found["objects"]
    assert anna["file"].endswith("sales/teamsuser-anna.yaml")
    assert anna["person"] == "anna@example.com"
    assert anna["changes"][0]["to"] == {"range": "platform/london", "type": "directRouting"}


def test_the_same_tree_and_snapshot_give_the_same_bytes(desk: Desk) -> None:
    hire(desk, 12)
    desk.estate.hire("anna")
    desk.estate.declare("anna")
    desk.write()
    outputs = set()
    for _ in range(2):
        app.run(["plan", str(desk.tree), "--snapshot", str(desk.snapshot)])
        outputs.add(desk._capsys.readouterr().out)
    assert len(outputs) == 1


def test_masks_hide_numbers_and_change_no_id(desk: Desk) -> None:
    hire(desk)
    desk.estate.declare("person00", phoneNumber={"none": {}})
    full, masked = desk.json(code=2), desk.json("--mask-numbers", code=2)
    assert number(0).text in json.dumps(full)
    assert number(0).text not in json.dumps(masked)
    assert full["objects"][0]["changes"][0]["id"] == masked["objects"][0]["changes"][0]["id"]
    assert full["content"] == masked["content"]


@pytest.mark.parametrize(
    ("age", "shown"),
    [
        (timedelta(minutes=59), ""),
        (timedelta(hours=1, minutes=1), "1 hour old"),
        (timedelta(hours=30), "30 hours old"),
        (timedelta(days=3), "3 days old"),
    ],
)
def test_an_old_snapshot_is_said_in_the_first_line(desk: Desk, age: timedelta, shown: str) -> None:
    hire(desk)
    desk.age = age
    first = desk.plan(code=0).splitlines()[0]
    assert shown in first
    assert ("callplane snapshot save" in first) == bool(shown)


def test_markdown_fits_a_comment_and_says_what_is_left_out(desk: Desk) -> None:
    for index in range(1500):
        desk.estate.declare(f"somebody-with-a-rather-long-name-{index}")
    shown = desk.plan("--format", "markdown", code=2)
    assert len(shown) < 65_536
    assert "more objects: run `callplane plan` to see all of them" in shown
    assert shown.count("UserNotFound") > 100


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ([], "say what to plan on: --snapshot FILE"),
        (["--snapshot", "a", "--kubeconfig", "b"], "either --snapshot or --kubeconfig"),
        (["--snapshot", "/nowhere/a"], "/nowhere/a: no such file"),
        (["--snapshot", "a", "--expires", "soon"], "--expires 'soon' is not a duration"),
        (["--snapshot", "a", "--expires", "8d"], "at most 7d"),
    ],
)
def test_wrong_options_say_what_to_do(
    desk: Desk, capsys: pytest.CaptureFixture[str], options: list[str], reason: str
) -> None:
    desk.write()
    assert app.run(["plan", str(desk.tree), *options]) == 1
    assert reason in capsys.readouterr().err


# Deletions


def test_deletions_are_planned_against_a_revision(desk: Desk) -> None:
    hire(desk, 4)
    revision = desk.commit()
    key = next(key for key in desk.estate.manifests if key.name == "person02")
    del desk.estate.manifests[key]
    desk.plan(code=0)
    found = desk.json("--base", revision, code=2)
    (leaver,) = found["objects"]
    assert (leaver["name"], leaver["removed"]) == ("person02", True)
    assert leaver["file"] == f"{revision}:sales/teamsuser-person02.yaml"
    assert found["base"] == revision
    assert [change["operation"] for change in leaver["changes"]] == ["UnassignNumber"]


def test_an_object_that_moved_to_another_file_is_still_there(desk: Desk) -> None:
    hire(desk, 2)
    revision = desk.commit()
    file = desk.tree / "sales" / "teamsuser-person00.yaml"
    file.rename(desk.tree / "renamed.yaml")
    arguments = ["plan", str(desk.tree), "--snapshot", str(desk.snapshot), "--base", revision]
    assert app.run(arguments) == 0


def test_a_folder_below_the_repository_is_compared_alone(desk: Desk) -> None:
    hire(desk, 2)
    revision = desk.commit()
    arguments = ["--snapshot", str(desk.snapshot), "--base", revision]
    desk.estate.cluster_objects.extend(
        body for key, body in desk.estate.manifests.items() if key.namespace == "platform"
    )
    desk.write()
    (desk.tree / "sales" / "teamsuser-person00.yaml").unlink()
    (desk.tree / "platform" / "numberrange-london.yaml").unlink()
    assert app.run(["plan", str(desk.tree / "sales"), *arguments]) == 2
    shown = desk._capsys.readouterr().out
    assert "person00 (removed)" in shown
    assert "london (removed)" not in shown


def test_what_git_ignores_of_a_hidden_folder_is_no_deletion(desk: Desk) -> None:
    hire(desk, 2)
    hidden = desk.tree / ".flux"
    hidden.mkdir(parents=True)
    body = dict(next(body for key, body in desk.estate.manifests.items() if key.name == "person00"))
    body["metadata"] = {"name": "hidden", "namespace": "sales"}
    desk.write()
    (hidden / "a.yml").write_text(yaml.safe_dump(body))
    revision = desk.commit()
    (hidden / "a.yml").unlink()
    desk.plan("--base", revision, code=0)


@pytest.mark.parametrize("revision", ["no-such-branch", "--output=/tmp/x", "HEAD:tree"])
def test_an_unknown_revision_is_an_error(desk: Desk, revision: str) -> None:
    hire(desk)
    desk.commit()
    desk.plan(f"--base={revision}", code=1)
    assert "git knows no revision" in desk.said


def test_a_folder_outside_of_git_has_no_base(desk: Desk) -> None:
    hire(desk)
    desk.plan("--base", "main", code=1)
    assert "is in no git repository" in desk.said


# The gate


def leaving(desk: Desk, count: int = 7) -> str:
    hire(desk, 20)
    revision = desk.commit()
    for key in [key for key in desk.estate.manifests if key.name[-2:] < f"{count:02}"]:
        if key.kind == "TeamsUser":
            del desk.estate.manifests[key]
    return revision


def test_a_held_plan_ends_with_3(desk: Desk) -> None:
    revision = leaving(desk)
    assert "7 of them held for an approval" in desk.plan("--base", revision, code=3)


def test_an_approval_of_the_plan_lets_the_next_one_through(desk: Desk, tmp_path: Path) -> None:
    revision = leaving(desk)
    file = tmp_path / "approval.yaml"
    desk.plan("--base", revision, "--approval", str(file), "--reason", "They left", code=3)
    assert f"{file} approves 7 gated changes as maria@example.com" in desk.said
    (document,) = yaml.safe_load_all(file.read_text())
    assert parse_strict(document).errors == ()
    spec = document["spec"]
    assert document["metadata"]["namespace"] == "platform"
    assert spec["connectionRef"] == {"kind": "TeamsTenant", "name": "main"}
    assert (spec["approvedBy"], spec["reason"]) == ("maria@example.com", "They left")
    expires_at = datetime.fromisoformat(spec["expiresAt"])
    assert timedelta(hours=23) < expires_at - SystemClock().now() <= timedelta(hours=24)
    held = desk.json("--base", revision, code=3)
    assert spec["changeIds"] == held["connections"][0]["waiting"]

    write = desk.write

    def write_with_approval() -> None:
        write()
        (desk.tree / "approval.yaml").write_text(file.read_text())

    desk.write = write_with_approval  # type: ignore[method-assign]
    desk.plan("--base", revision, code=2)


def test_an_approval_names_whoever_the_option_names(desk: Desk, tmp_path: Path) -> None:
    revision = leaving(desk)
    file = tmp_path / "approval.yaml"
    options = ["--base", revision, "--approval", str(file), "--approved-by", "paul@example.com"]
    desk.plan(*options, "--expires", "7d", code=3)
    assert yaml.safe_load(file.read_text())["spec"]["approvedBy"] == "paul@example.com"


def test_many_changes_make_several_approvals(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("callplane.cli.approval_writing.CHANGE_IDS_MAX", 3)
    revision = leaving(desk)
    file = tmp_path / "approval.yaml"
    desk.plan("--base", revision, "--approval", str(file), code=3)
    documents = list(yaml.safe_load_all(file.read_text()))
    assert [len(each["spec"]["changeIds"]) for each in documents] == [3, 3, 1]
    assert len({each["metadata"]["name"] for each in documents}) == 3


def test_no_approval_is_written_for_nothing(desk: Desk, tmp_path: Path) -> None:
    hire(desk)
    file = tmp_path / "approval.yaml"
    desk.plan("--approval", str(file), "--approved-by", "maria", code=0)
    assert not file.exists()
    assert "nothing is gated in this plan" in desk.said


def test_an_approval_without_a_name_is_asked_for(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody: Callable[[Path], str] = lambda _: ""  # noqa: E731
    monkeypatch.setattr("callplane.cli.git_history.identity", nobody)
    hire(desk)
    desk.plan("--approval", str(tmp_path / "a.yaml"), code=1)
    assert "say who approves with --approved-by" in desk.said
