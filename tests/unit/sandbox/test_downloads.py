"""The published archive: only from a named address, only with a known digest."""

from __future__ import annotations

import hashlib
import io
import tarfile
from pathlib import Path

import pytest

from callplane.sandbox import downloads
from callplane.sandbox.failures import SandboxError

PROGRAMS = frozenset({"etcd", "kubectl"})


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    file = tmp_path / "envtest.tar.gz"
    with tarfile.open(file, "w:gz") as bundle:
        for name, content in {
            "controller-tools/envtest/etcd": b"an etcd",
            "../../outside/kubectl": b"a kubectl",
            "controller-tools/envtest/README": b"text",
        }.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            bundle.addfile(member, io.BytesIO(content))
    return file


def named(file: Path, cache: Path, *, digest: str | None = None) -> dict[str, str]:
    return {
        downloads.URL_VARIABLE: file.as_uri(),
        downloads.DIGEST_VARIABLE: digest or hashlib.sha512(file.read_bytes()).hexdigest(),
        "CALLPLANE_CACHE": str(cache),
    }


def test_nothing_is_fetched_unless_an_address_is_named() -> None:
    said: list[str] = []
    assert downloads.archive_folder(PROGRAMS, report=said.append, environment={}) is None
    assert said == []


def test_the_wanted_programs_are_taken_out_and_nothing_leaves_the_folder(
    archive: Path, tmp_path: Path
) -> None:
    environment = named(archive, tmp_path / "cache")
    folder = downloads.archive_folder(PROGRAMS, report=lambda _: None, environment=environment)
    assert folder is not None
    assert {each.name: each.read_bytes() for each in folder.iterdir()} == {
        "etcd": b"an etcd",
        "kubectl": b"a kubectl",
    }
    archive.unlink()
    again = downloads.archive_folder(PROGRAMS, report=lambda _: None, environment=environment)
    assert again == folder


def test_a_wrong_digest_is_an_error(archive: Path, tmp_path: Path) -> None:
    environment = named(archive, tmp_path / "cache", digest="0" * 128)
    with pytest.raises(SandboxError, match="has SHA-512"):
        downloads.archive_folder(PROGRAMS, report=lambda _: None, environment=environment)


def test_an_address_without_a_digest_is_an_error(archive: Path) -> None:
    environment = {downloads.URL_VARIABLE: archive.as_uri()}
    with pytest.raises(SandboxError, match=downloads.DIGEST_VARIABLE):
        downloads.archive_folder(PROGRAMS, report=lambda _: None, environment=environment)


def test_an_address_that_cannot_be_reached_is_passed_over(archive: Path, tmp_path: Path) -> None:
    environment = named(archive, tmp_path / "cache")
    archive.unlink()
    said: list[str] = []
    found = downloads.archive_folder(PROGRAMS, report=said.append, environment=environment)
    assert found is None
    assert "passed over" in said[-1]
