"""The hooks of ``tests/conftest.py`` themselves: a gap fails a complete run, a way out is shut."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

SKIPPED: Final = "import pytest\n\n@pytest.mark.skip\ndef test_it(): ...\n"
EXPECTED: Final = "import pytest\n\n@pytest.mark.xfail\ndef test_it(): assert False\n"
SKIPPED_MODULE: Final = "import pytest\n\npytest.skip(allow_module_level=True)\n"
PASSING: Final = "def test_it(): ...\n\ndef test_other(): ...\n"

CALL_A_NAME: Final = """
import socket, pytest

def test_it():
    with pytest.raises(socket.gaierror, match="resolve no names"):
        socket.create_connection(("callplane.example", 443), timeout=1)
"""
CALL_AN_ADDRESS: Final = """
import socket, pytest

def test_it():
    with pytest.raises(UserWarning, match="tried to use socket.socket.connect"):
        socket.create_connection(("192.0.2.1", 443), timeout=1)
"""
CALL_HOME: Final = """
import os, socket

def test_loopback():
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname()).close()

def test_unix(tmp_path):
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        os.chdir(tmp_path)
        server.bind("server")
        server.listen()
        client.connect("server")
"""
LOOK_AROUND: Final = (
    "import os\n\ndef test_it(): assert not {'KUBECONFIG', 'https_proxy'} & {*os.environ}\n"
)


def run(
    folder: Path, text: str, *arguments: str, complete: bool = True, contracts: bool = True
) -> subprocess.CompletedProcess[str]:
    """Run one test module under a copy of our conftest and configuration."""
    tests = folder / "tests"
    (tests / "unit").mkdir(parents=True)
    (tests / "unit" / "test_it.py").write_text(text)
    here = Path(__file__).parents[1]
    shutil.copy(here / "conftest.py", tests)
    shutil.copy(here.parent / "pyproject.toml", folder)
    environment = {
        "PATH": os.defpath,
        "HOME": str(folder),
        "KUBECONFIG": "somewhere",
        "https_proxy": "http://127.0.0.1:1",
        "CALLPLANE_COMPLETE": "1" if complete else "",
        "CALLPLANE_CONTRACTS": str(folder) if contracts else "",
    }
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/unit", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    "text", [SKIPPED, EXPECTED, SKIPPED_MODULE], ids=["skip", "xfail", "module"]
)
def test_a_gap_fails_a_complete_run_only(tmp_path: Path, text: str) -> None:
    complete = run(tmp_path / "complete", text)
    assert complete.returncode != 0
    assert "left out, although" in complete.stdout or "holds no test" in complete.stderr
    if text != SKIPPED_MODULE:
        assert run(tmp_path / "usual", text, complete=False).returncode == 0


def test_a_deselected_test_fails_a_complete_run(tmp_path: Path) -> None:
    outcome = run(tmp_path, PASSING, "-k", "other")
    assert outcome.returncode == 1
    assert "deselected" in outcome.stdout


def test_a_complete_run_needs_the_contracts(tmp_path: Path) -> None:
    outcome = run(tmp_path, PASSING, contracts=False)
    assert outcome.returncode == 4
    assert "CALLPLANE_CONTRACTS" in outcome.stderr


def test_a_folder_without_tests_fails(tmp_path: Path) -> None:
    outcome = run(tmp_path, "value = 1\n", complete=False)
    assert outcome.returncode == 4
    assert "holds no test" in outcome.stderr


@pytest.mark.parametrize(
    "text",
    [PASSING, CALL_A_NAME, CALL_AN_ADDRESS, CALL_HOME, LOOK_AROUND],
    ids=["passing", "name", "address", "loopback", "environment"],
)
def test_a_test_sees_this_machine_and_no_other(tmp_path: Path, text: str) -> None:
    outcome = run(tmp_path, text)
    assert outcome.returncode == 0, outcome.stdout
