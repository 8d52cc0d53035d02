"""The SBC's Dockerfile: that it has what its pods run, and what the SIP tests run."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
import yaml

import callplane
from callplane.deployment.workload import USER
from callplane.sbc import reading
from callplane.testing import dockerfiles, pod_hooks, sbc_programs

#: Which package brings a program that a pod starts; the rest is in every Debian.
BROUGHT = {"kamailio": "kamailio", "rtpengine": "rtpengine-daemon", "nft": "nftables"}
PLAIN = {"sh"}


@pytest.fixture(scope="module")
def dockerfile(root: Path) -> str:
    return (root / "images/sbc/Dockerfile").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def arguments(dockerfile: str) -> dict[str, str]:
    return dict(re.findall(r"^ARG (\w+)=(\S+)$", dockerfile, re.MULTILINE))


@pytest.fixture(scope="module")
def packages(dockerfile: str, arguments: dict[str, str]) -> dict[str, str]:
    """The packages with their versions."""
    found = re.findall(r'^ +"([a-z-]+)=\$\{(\w+)\}" \\$', dockerfile, re.MULTILINE)
    return {name: arguments[argument] for name, argument in found}


def test_hadolint_finds_nothing(root: Path, dockerfile: str) -> None:
    assert dockerfiles.hadolint(root, dockerfile) == []


def test_everything_copied_exists_and_reaches_the_builder(root: Path, dockerfile: str) -> None:
    sources = dockerfiles.copied(dockerfile)
    assert sources == ["images/sbc/callplane-spooled"]
    admitted = (root / ".dockerignore").read_text(encoding="utf-8").splitlines()
    for name in sources:
        assert os.access(root / name, os.X_OK)
        assert f"!{name}" in admitted


def test_it_builds_upon_this_version_and_ends_as_the_user_of_the_pod(
    dockerfile: str, arguments: dict[str, str]
) -> None:
    assert re.findall(r"^FROM (\S+)$", dockerfile, re.MULTILINE) == ["${CALLPLANE}"]
    assert arguments["CALLPLANE"] == f"callplane:{callplane.__version__}"
    assert re.findall(r"^USER (\S+)$", dockerfile, re.MULTILINE)[-1] == f"{USER}:{USER}"
    # The base starts `callplane`; every container of a pod says what it starts.
    assert "\nENTRYPOINT []\n" in dockerfile


def test_it_has_the_packages_that_the_sip_tests_run(packages: dict[str, str]) -> None:
    assert packages.keys() - {"nftables"} == set(sbc_programs.PACKAGES) - {"sip-tester"}
    assert packages["kamailio"].startswith(f"{sbc_programs.VERSION}.")
    assert all(re.fullmatch(r"\d[\w.]*-\d+\*", version) for version in packages.values())


def test_it_has_every_program_that_a_pod_starts(
    root: Path, dockerfile: str, packages: dict[str, str]
) -> None:
    text = (root / "tests/golden/sbc/london.yaml").read_text(encoding="utf-8")
    values, problems = reading.read(yaml.safe_load(text))
    assert values is not None, problems
    pod = pod_hooks.described(values, drain_seconds=60, services_seconds=60)
    started = set()
    for each in (*pod["initContainers"], *pod["containers"]):
        if each["image"] == pod_hooks.IMAGE:
            started.add(each["command"][0])
            hook = each.get("lifecycle", {}).get("preStop", {}).get("exec", {}).get("command")
            started |= {hook[0]} if hook else set()
    # `callplane-spooled` starts what follows its file.
    assert started == {"nft", "sh", "callplane-spooled", "rtpengine", "callplane"}
    assert {BROUGHT[name] for name in (*started, "kamailio") if name in BROUGHT} <= packages.keys()
    copied = re.findall(r"^COPY .* /usr/local/bin/(\S+)$", dockerfile, re.MULTILINE)
    assert started - BROUGHT.keys() - PLAIN - {"callplane"} == set(copied)
