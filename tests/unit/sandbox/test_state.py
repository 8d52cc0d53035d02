"""The file by which one command knows what another started."""

from __future__ import annotations

import stat
import sys
from pathlib import Path

import pytest

from callplane.sandbox.failures import SandboxError
from callplane.sandbox.processes import Launch
from callplane.sandbox.state import FILE_NAME, SandboxState


def test_what_is_saved_is_what_is_loaded(tmp_path: Path) -> None:
    state = SandboxState.create(tmp_path / "one")
    state.note(port=1234)
    state.launch(Launch("child", (sys.executable, "-c", ""), state.log_file("child")))
    loaded = SandboxState.load(tmp_path / "one")
    assert loaded is not None
    assert loaded.processes == state.processes
    assert loaded.details == {"port": 1234}
    assert loaded.identity == state.identity
    state.stop()


def test_only_the_owner_may_look_into_a_sandbox(tmp_path: Path) -> None:
    state = SandboxState.create(tmp_path / "one")
    assert stat.S_IMODE(state.folder.stat().st_mode) == 0o700


def test_a_folder_without_state_is_no_sandbox(tmp_path: Path) -> None:
    assert SandboxState.load(tmp_path) is None


@pytest.mark.parametrize("text", ["", "{}", '{"processes": [{}]}', "[]"])
def test_a_damaged_state_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE_NAME).write_text(text)
    with pytest.raises(SandboxError, match=f"{FILE_NAME} is damaged"):
        SandboxState.load(tmp_path)


def test_removing_takes_folders_elsewhere_along(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    state = SandboxState.create(tmp_path / "one")
    state.owns_outside(elsewhere)
    loaded = SandboxState.load(state.folder)
    assert loaded is not None
    loaded.remove()
    assert not elsewhere.exists()
    assert not state.folder.exists()
