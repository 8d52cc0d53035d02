"""The demo as a newcomer runs it, who has installed the wheel: it succeeds, proves each chapter and
leaves nothing behind.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from callplane.sandbox import binaries, lifecycle, locations
from callplane.sandbox.binaries import ASSETS_VARIABLE, Search
from callplane.sandbox.demo_chapters import CHAPTERS
from callplane.testing import clean_installs


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Path]:
    """`callplane` of a clean environment: the wheel, and what is locked for sandboxes."""
    wheel = clean_installs.build_wheel(tmp_path / "wheel")
    # Not in a folder of pytest's: under root PostgreSQL runs as a user who may not look in there.
    with tempfile.TemporaryDirectory(prefix="callplane-wheel-") as folder:
        Path(folder).chmod(0o755)
        packages = clean_installs.locked("callplane")
        yield clean_installs.install(wheel, packages, Path(folder) / "venv")


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Nothing of the checkout. Programs that are built from it are named, as its users do."""
    found = binaries.find(Search(build=False))
    assets = tmp_path / "assets"
    assets.mkdir()
    for path in (found.etcd, found.kube_apiserver, found.kube_controller_manager, found.kubectl):
        (assets / path.name).symlink_to(path)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return {**kept, ASSETS_VARIABLE: str(assets), "PYTHONWARNINGS": "error"}


# The wheel is built and installed first, and the machine may be busy.
@pytest.mark.timeout(600)
def test_the_demo_tells_its_story_and_leaves_nothing_running(
    program: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    before = set(lifecycle.names())
    files = set(locations.sandboxes_folder().glob("demo-*"))
    began = time.monotonic()
    answer = subprocess.run(
        [str(program), "demo"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=480,
        check=False,
    )
    took = time.monotonic() - began
    assert answer.returncode == 0, answer.stdout[-3000:] + answer.stderr
    lines = answer.stdout.splitlines()
    for number, chapter in enumerate(CHAPTERS, start=1):
        assert any(line.startswith(f"{number}. {chapter.headline}") for line in lines)
    # One proof a chapter but the first, and the one of having left nothing.
    assert sum(line.startswith("ok  ") for line in lines) == len(CHAPTERS)
    assert "writes at Microsoft since the deletion: 0" in answer.stdout.replace("\n    ", " ")
    assert str(clean_installs.ROOT) not in answer.stdout + answer.stderr
    assert {name for name in lifecycle.names() if name.startswith("demo-")} <= before
    assert set(locations.sandboxes_folder().glob("demo-*")) <= files
    assert took < 420, "a minute on a quiet machine"
