"""The Tiltfile, evaluated as Tilt would: every call has Tilt's parameters, every file exists."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import starlark
import yaml

COPY = ("cp", "--recursive")
Build = Callable[[str], list[dict[str, Any]]]

# Parameters of the functions that are used, from Tilt's published API (v0.37).
PARAMETERS: dict[str, frozenset[str]] = {
    name: frozenset(text.split())
    for name, text in {
        "version_settings": "constraint check_updates",
        "docker_build": (
            "ref context build_args dockerfile dockerfile_contents live_update match_in_env_vars "
            "ignore only entrypoint target ssh network secret extra_tag container_args cache_from "
            "pull platform extra_hosts"
        ),
        "k8s_yaml": "yaml allow_duplicates",
        "k8s_resource": (
            "workload new_name port_forwards extra_pod_selectors trigger_mode resource_deps "
            "objects auto_init pod_readiness links labels discovery_strategy"
        ),
        "local_resource": (
            "name cmd deps trigger_mode resource_deps ignore auto_init serve_cmd cmd_bat "
            "serve_cmd_bat allow_parallel links labels env serve_env readiness_probe dir serve_dir"
        ),
        "probe": (
            "initial_delay_secs timeout_secs period_secs success_threshold failure_threshold "
            "exec http_get tcp_socket"
        ),
        "http_get_action": "port host scheme path",
        "sync": "local_path remote_path",
        "run": "cmd trigger echo_off",
        "fall_back_on": "files",
    }.items()
}
POSITIONS = {
    "docker_build": ("ref", "context"),
    "k8s_yaml": ("yaml",),
    "k8s_resource": ("workload",),
    "local_resource": ("name", "cmd"),
    "sync": ("local_path", "remote_path"),
    "run": ("cmd", "trigger"),
    "fall_back_on": ("files",),
}


@dataclass
class Recorded:
    """The calls of a Tiltfile by function, and what it did wrong."""

    calls: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    mistakes: list[str] = field(default_factory=list)

    def of(self, name: str) -> list[dict[str, Any]]:
        return self.calls.get(name, [])


def evaluate(text: str, kustomize: Build, chosen: dict[str, bool] | None = None) -> Recorded:
    """Run a Tiltfile; nothing is built and nothing applied."""
    recorded = Recorded()
    module = starlark.Module()

    def record(name: str) -> Callable[..., Any]:
        def call(*positional: Any, **named: Any) -> Any:
            given = dict(zip(POSITIONS.get(name, ()), positional, strict=False)) | named
            unknown = given.keys() - PARAMETERS[name]
            recorded.mistakes += [f"{name} has no parameter {each}" for each in sorted(unknown)]
            recorded.calls.setdefault(name, []).append(given)
            return {"call": name, **given}

        return call

    for name in PARAMETERS:
        module.add_callable(name, record(name))
    module.add_callable("kustomize", lambda folder: yaml.safe_dump_all(kustomize(folder)))
    module.add_callable("decode_yaml_stream", lambda stream: list(yaml.safe_load_all(stream)))
    module.add_callable("encode_yaml_stream", lambda bodies: yaml.safe_dump_all(bodies))
    module.add_callable("_defined", lambda name, usage=None: None)
    module.add_callable("_chosen", lambda: chosen or {})
    module["TRIGGER_MODE_MANUAL"] = "manual"

    dialect = starlark.Dialect.extended()
    dialect.enable_top_level_stmt = True
    known = starlark.Globals.extended_by([starlark.LibraryExtension.StructType])
    prelude = "config = struct(define_bool=_defined, parse=_chosen)\n"
    starlark.eval(module, starlark.parse("Tiltfile", prelude + text, dialect), known)
    return recorded


@pytest.fixture(scope="module")
def text(root: Path) -> str:
    return (root / "Tiltfile").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def recorded(text: str, kustomize: Build) -> Recorded:
    return evaluate(text, kustomize)


def paths(recorded: Recorded) -> list[str]:
    """Every file and folder of the checkout that the calls name."""
    found: list[str] = []
    for call in recorded.of("docker_build"):
        found += [call["context"], call["dockerfile"], *call["only"]]
    for call in recorded.of("local_resource"):
        found += call.get("deps", [])
    found += [call["local_path"] for call in recorded.of("sync")]
    found += [name for call in recorded.of("fall_back_on") for name in call["files"]]
    found += [each["yaml"] for each in recorded.of("k8s_yaml") if "\n" not in each["yaml"]]
    return found


def applied(recorded: Recorded, root: Path) -> list[dict[str, Any]]:
    """Every object that Tilt would apply."""
    texts = [call["yaml"] for call in recorded.of("k8s_yaml")]
    streams = [each if "\n" in each else (root / each).read_text() for each in texts]
    return [body for stream in streams for body in yaml.safe_load_all(stream)]


def test_every_call_is_one_that_tilt_knows(recorded: Recorded) -> None:
    assert recorded.mistakes == []


def test_every_file_exists(recorded: Recorded, root: Path) -> None:
    assert len(paths(recorded)) > 10
    assert [name for name in paths(recorded) if not (root / name).exists()] == []


def test_every_image_is_built_or_pinned(recorded: Recorded, root: Path) -> None:
    built = {call["ref"] for call in recorded.of("docker_build")}
    for body in applied(recorded, root):
        if body["kind"] != "Deployment":
            continue
        pod = body["spec"]["template"]["spec"]
        for container in [*pod.get("initContainers", []), *pod["containers"]]:
            name, _, tag = container["image"].partition(":")
            assert name in built or (tag and tag != "latest"), container["image"]


def unreachable(recorded: Recorded, bodies: list[dict[str, Any]], dockerfile: str) -> list[str]:
    """Why changed code would not come to run in a container of the image that is built."""
    found = []
    (update,) = (call["live_update"] for call in recorded.of("docker_build"))
    (sync,) = (step for step in update if step["call"] == "sync")
    if [step["call"] for step in update] != ["fall_back_on", "sync", "run"]:
        found.append("nothing restarts the process after files were copied")
    version = re.search(r"^ARG PYTHON=python:(\d+\.\d+)", dockerfile, re.MULTILINE)
    assert version is not None
    installed = f"/opt/callplane/lib/python{version[1]}/site-packages/callplane"
    folder = sync["remote_path"].rpartition("/")[0]
    for body in bodies:
        if body["kind"] != "Deployment":
            continue
        name, pod = body["metadata"]["name"], body["spec"]["template"]["spec"]
        volumes = {each["name"] for each in pod["volumes"] if "emptyDir" in each}
        running = [each for each in pod["containers"] if each["image"].startswith("callplane:")]
        for container in running:
            mounted = {each["mountPath"]: each["name"] for each in container["volumeMounts"]}
            path = {each["name"]: each.get("value") for each in container["env"]}
            if mounted.get(folder) not in volumes:
                found.append(f"{name}: {folder} cannot be written to")
            if path.get("PYTHONPATH") != folder:
                found.append(f"{name}: Python does not look in {folder}")
        # A first change copies single files, which would hide the rest of the package.
        copies = [each.get("command", []) for each in pod.get("initContainers", [])]
        if running and [*COPY, installed, f"{folder}/"] not in copies:
            found.append(f"{name}: {folder} does not begin with the whole package")
    return found


def test_changed_code_comes_to_run(recorded: Recorded, root: Path) -> None:
    dockerfile = (root / "Dockerfile").read_text(encoding="utf-8")
    bodies = applied(recorded, root)
    assert unreachable(recorded, bodies, dockerfile) == []
    # In the image itself nothing can be changed, and in other overlays nothing of this exists.
    assert len(unreachable(recorded, bodies, dockerfile.replace(":3.11", ":3.12"))) == 3


@pytest.mark.parametrize("overlay", ["staging", "production"])
def test_no_other_overlay_can_be_changed_while_it_runs(
    recorded: Recorded, kustomize: Build, root: Path, overlay: str
) -> None:
    bodies = kustomize(f"manifests/operator/overlays/{overlay}")
    for body in bodies:
        if body["kind"] == "Deployment":
            for container in body["spec"]["template"]["spec"]["containers"]:
                container["image"] = "callplane:development"
    found = unreachable(recorded, bodies, (root / "Dockerfile").read_text(encoding="utf-8"))
    assert len(found) == 9


def test_definitions_go_in_by_server_side_apply_and_only_so(recorded: Recorded, root: Path) -> None:
    kinds = {body["kind"] for body in applied(recorded, root)}
    assert "CustomResourceDefinition" not in kinds
    assert "ValidatingAdmissionPolicy" in kinds
    (definitions,) = (
        call for call in recorded.of("local_resource") if call["name"] == "definitions"
    )
    assert "--server-side" in definitions["cmd"]


def test_what_is_waited_for_exists_and_never_in_a_circle(recorded: Recorded, root: Path) -> None:
    resources = {
        **{call["name"]: call for call in recorded.of("local_resource")},
        **{call["workload"]: call for call in recorded.of("k8s_resource")},
    }
    workloads = {
        body["metadata"]["name"] for body in applied(recorded, root) if body["kind"] == "Deployment"
    }
    assert {call["workload"] for call in recorded.of("k8s_resource")} == workloads

    def depth(name: str, above: tuple[str, ...] = ()) -> int:
        assert name not in above, above
        needed = resources[name].get("resource_deps", [])
        return 1 + max((depth(each, (*above, name)) for each in needed), default=0)

    assert depth("callplane-operator") == 3


def test_simulators_can_be_left_out(text: str, kustomize: Build) -> None:
    without = evaluate(text, kustomize, {"simulators": False})
    names = [call["name"] for call in without.of("local_resource")]
    assert "simulators" not in names
    assert "definitions" in names


def test_a_call_that_tilt_does_not_know_is_caught(kustomize: Build) -> None:
    assert evaluate("k8s_yaml('x', colour='red')\n", kustomize).mistakes != []
