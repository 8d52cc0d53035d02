"""A Webex world in a process of its own says where it is and stops when told."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from callplane.sandbox.simulator_control import SimulatorControl
from callplane.simulators.__main__ import main

SEED_FILE = """\
seed: 3
organisations:
  - name: North
    ranges: [{first: "+442079460000", count: 5}]
    people:
      - {email: ada@north.example, location: London, number: "+442079460001"}
"""


def test_it_prints_one_ready_line_serves_and_stops(tmp_path: Path) -> None:
    seed_file = tmp_path / "world.yaml"
    seed_file.write_text(SEED_FILE, encoding="utf-8")
    command = [sys.executable, "-m", "callplane.simulators", "webex"]
    options = [f"--seed-file={seed_file}", "--set=people_page_size=7"]
    with subprocess.Popen([*command, *options], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            ready = json.loads(process.stdout.readline())
            control = SimulatorControl(ready["control_url"])
            size = control.settings()["people_page_size"]
            numbers = control.user("ada@north.example")["numbers"]
        finally:
            process.send_signal(signal.SIGTERM)
        rest = process.stdout.read()

    assert (process.returncode, rest) == (0, "")
    assert ready["simulator"] == "webex"
    assert (size, numbers) == (7, ["+442079460001"])


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("organisations: [{people: [{mail: x}]}]", "people[0].mail: unknown field"),
        ("settings: {speed: 1}", "settings.speed: unknown setting"),
        ("[]", "a mapping is wanted"),
    ],
)
def test_a_bad_seed_file_is_told_with_its_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str, text: str
) -> None:
    seed_file = tmp_path / "world.yaml"
    seed_file.write_text(content, encoding="utf-8")

    assert main(["webex", f"--seed-file={seed_file}"]) == 1
    assert text in capsys.readouterr().err


def test_words_for_a_world_and_a_seed_file_exclude_each_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seed_file = tmp_path / "world.yaml"
    seed_file.write_text(SEED_FILE, encoding="utf-8")

    assert main(["webex", f"--seed-file={seed_file}", "--users=3"]) == 1
    assert main(["webex", "--set=speed"]) == 1
    assert "NAME=VALUE is wanted" in capsys.readouterr().err
