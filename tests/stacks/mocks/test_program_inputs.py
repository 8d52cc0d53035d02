"""Each project's own program, and what it refuses of its files and secrets."""

from __future__ import annotations

import json
import runpy
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml
from pulumi.runtime import config as engine_config

import cloud_stack
import recording
import sample_stack
from callplane_stacks import objects, program_inputs
from callplane_stacks.configuration import ConfigurationRefused

SETTINGS = "callplane"


@pytest.fixture(autouse=True)
def _no_settings_left(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Settings, and the paths that a program adds, end with the test."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    engine_config.set_all_config({}, [])


def configured(sealed: dict[str, str], clear: dict[str, str]) -> pulumi.Config:
    """Settings as the engine hands them over: some of them from its secrets provider."""
    both = {f"{SETTINGS}:{name}": value for name, value in {**clear, **sealed}.items()} | IN_PLACE
    engine_config.set_all_config(both, [f"{SETTINGS}:{name}" for name in sealed])
    return pulumi.Config(SETTINGS)


def refused(settings: pulumi.Config, *names: str) -> list[str]:
    with pytest.raises(ConfigurationRefused) as found:
        program_inputs.secrets(settings, names)
    return found.value.reasons


def test_a_secret_in_the_clear_and_one_that_is_missing_are_refused_together() -> None:
    settings = configured({"good": "hunter2"}, {"clear": "hunter3", "empty": ""})
    found = refused(settings, "good", "clear", "empty", "missing")
    assert [reason.split(": ")[0] for reason in found] == [
        "callplane:clear",
        "callplane:empty",
        "callplane:missing",
    ]
    assert "in the clear" in found[0]
    assert "`pulumi config set --secret callplane:missing`" in found[2]
    assert "hunter" not in "".join(found)


def test_an_engine_that_tells_by_its_environment_is_believed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PULUMI_CONFIG", json.dumps({"callplane:key": "it"}))
    assert "in the clear" in refused(pulumi.Config(SETTINGS), "key")[0]
    monkeypatch.setenv("PULUMI_CONFIG_SECRET_KEYS", json.dumps(["callplane:key"]))
    assert list(program_inputs.secrets(pulumi.Config(SETTINGS), ["key"])) == ["key"]


def test_every_file_that_cannot_be_read_is_named_with_its_line(tmp_path: Path) -> None:
    for name, text in {
        "sbc1": "fqdn: [",
        "sbc2": "fqdn: a\nfqdn: b\n",
        "sbc3": "a: 1\n---\nb: 2\n",
        "sbc4": "fqdn: a\n",
    }.items():
        (tmp_path / f"{name}.yaml").write_text(text)
    with pytest.raises(ConfigurationRefused) as found:
        program_inputs.values(tmp_path)
    first, second, third = found.value.reasons
    assert first.startswith(f"{tmp_path}/sbc1.yaml:")
    assert second == f"{tmp_path}/sbc2.yaml:2: fqdn is written twice"
    assert "holds 2 documents" in third


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationRefused, match="nowhere is no folder"):
        program_inputs.values(tmp_path / "nowhere")


IN_PLACE = {f"kubernetes:{name}": "true" for name in objects.IN_PLACE}


@pytest.mark.parametrize("missing", objects.IN_PLACE)
def test_a_plugin_that_deletes_what_changes_is_refused(missing: str) -> None:
    engine_config.set_all_config(IN_PLACE | {f"kubernetes:{missing}": "false"}, [])
    with pytest.raises(ConfigurationRefused) as found:
        program_inputs.changed_in_place(pulumi.Config("kubernetes"))
    (reason,) = found.value.reasons
    assert f"`pulumi config set kubernetes:{missing} true`" in reason


def test_the_sample_lets_the_plugin_change_in_place() -> None:
    sample = sample_stack.SAMPLE["config"]
    assert {key: sample[key] for key in IN_PLACE} == IN_PLACE
    engine_config.set_all_config({key: sample[key] for key in IN_PLACE}, [])
    program_inputs.changed_in_place(pulumi.Config("kubernetes"))


def values(cloud: cloud_stack.Cloud) -> dict[str, Any]:
    """Values of a cloud's SBCs, by instance."""
    instances = cloud.configuration.read(cloud.document()).sbc.instances
    return {each.name: cloud_stack.values(each) for each in instances}


PROJECTS: dict[str, Any] = {
    "kubernetes": (sample_stack.document(), sample_stack.values(), sample_stack.declare),
    **{each.name: (each.document(), values(each), each.declare) for each in cloud_stack.CLOUDS},
}
PASSWORDS = ("owner", "service", "calls", "reader", "admin")


@pytest.mark.parametrize("project", list(PROJECTS))
def test_a_projects_program_declares_what_its_facade_does(project: str, tmp_path: Path) -> None:
    document, estate, declare = PROJECTS[project]
    for name, each in estate.items():
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(each))
    sealed = {f"callplane_{role}-password": f"of-{role}" for role in PASSWORDS}
    sealed["kubeconfig"] = "apiVersion: v1"
    clear = {"values": str(tmp_path), "stack": json.dumps(document)}
    program = sample_stack.ROOT / "stacks" / project / "__main__.py"

    def run() -> None:
        configured(sealed, clear)
        runpy.run_path(str(program), run_name="__main__")

    made = {(each.kind, each.name) for each in recording.record(run)}
    assert made == {(each.kind, each.name) for each in recording.record(declare)}
