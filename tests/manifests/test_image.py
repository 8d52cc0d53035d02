"""The Dockerfile: checked by hadolint, and for what hadolint does not know."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from callplane.deployment.workload import USER
from callplane.testing import dockerfiles
from callplane.testing.dockerfiles import hadolint

WEAK = """\
FROM python:latest
RUN cd /src && pip install callplane
ADD . /src
"""


@pytest.fixture(scope="module")
def dockerfile(root: Path) -> str:
    return (root / "Dockerfile").read_text(encoding="utf-8")


def test_hadolint_finds_nothing(root: Path, dockerfile: str) -> None:
    assert hadolint(root, dockerfile) == []


def test_hadolint_finds_something_where_there_is_something(root: Path) -> None:
    assert len(hadolint(root, WEAK)) >= 3


def test_the_image_runs_as_the_user_of_the_deployment(dockerfile: str) -> None:
    assert re.findall(r"^USER (\S+)$", dockerfile, re.MULTILINE) == [f"{USER}:{USER}"]


def test_the_last_stage_holds_the_installed_wheel_only(dockerfile: str) -> None:
    last = dockerfile.rpartition("\nFROM ")[2]
    copied = re.findall(r"^COPY (.*)$", last, re.MULTILINE)
    assert copied == ["--from=build /opt/callplane /opt/callplane"]
    assert "RUN" not in last


def test_everything_copied_exists_and_reaches_the_builder(root: Path, dockerfile: str) -> None:
    first = dockerfile.partition("\nFROM ")[2].rpartition("\nFROM ")[0]
    sources = dockerfiles.copied(first)
    assert sources
    admitted = (root / ".dockerignore").read_text(encoding="utf-8").splitlines()
    for name in sources:
        assert (root / name).exists(), name
        assert f"!{name}" in admitted
