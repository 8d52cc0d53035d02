"""The demo as a newcomer runs it: it succeeds, proves each chapter and leaves nothing behind."""

from __future__ import annotations

import subprocess
import sys
import time

from callplane.sandbox import lifecycle, locations
from callplane.sandbox.demo_chapters import CHAPTERS


def test_the_demo_tells_its_story_and_leaves_nothing_running() -> None:
    before = set(lifecycle.names())
    files = set(locations.sandboxes_folder().glob("demo-*"))
    began = time.monotonic()
    answer = subprocess.run(
        [sys.executable, "-m", "callplane.cli.app", "demo"],
        capture_output=True,
        text=True,
        timeout=240,
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
    assert {name for name in lifecycle.names() if name.startswith("demo-")} <= before
    assert set(locations.sandboxes_folder().glob("demo-*")) <= files
    assert took < 180, "a minute on a quiet machine"
