"""A world in a process of its own says where it is and stops when told."""

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
settings: {operation_seconds: 0.2}
tenants:
  - id: 7e5a1d00-0000-4000-8000-00000000000a
    domain: north.example
    ranges: [{first: "+442079460000", count: 5}]
    people: [{user_principal_name: ada@north.example, number: "+442079460001"}]
faults: [{effect: drop-after, kinds: [assignNumber], times: 1}]
"""


def test_it_prints_one_ready_line_serves_and_stops(tmp_path: Path) -> None:
    seed_file = tmp_path / "world.yaml"
    seed_file.write_text(SEED_FILE, encoding="utf-8")
    command = [sys.executable, "-m", "callplane.simulators", "graph"]
    options = [f"--seed-file={seed_file}", f"--folder={tmp_path}", "--set=users_page_size=7"]
    with subprocess.Popen([*command, *options], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            ready = json.loads(process.stdout.readline())
            control = SimulatorControl(ready["control_url"])
            settings = control.settings()
            holder = control.holder("+442079460001")
            faults = control.faults()
        finally:
            process.send_signal(signal.SIGTERM)
        rest = process.stdout.read()

    assert process.returncode == 0
    assert rest == ""
    assert ready["simulator"] == "graph"
    assert ready["login_url"].startswith("https://127.0.0.1:")
    assert Path(ready["ca_file"]).parent == tmp_path
    assert (settings["users_page_size"], settings["operation_seconds"]) == (7, 0.2)
    assert holder is not None
    assert [rule["effect"] for rule in faults] == ["drop-after"]


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("tenants: [{people: [{name: x}]}]", "tenants[0].people[0].name: unknown field"),
        ("settings: {speed: 1}", "settings.speed: unknown setting"),
        ("[]", "a mapping is wanted"),
    ],
)
def test_a_bad_seed_file_is_told_with_its_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str, text: str
) -> None:
    seed_file = tmp_path / "world.yaml"
    seed_file.write_text(content, encoding="utf-8")

    assert main(["graph", f"--seed-file={seed_file}"]) == 1
    assert text in capsys.readouterr().err
