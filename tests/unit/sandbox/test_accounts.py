"""Who runs PostgreSQL."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from callplane.sandbox import accounts
from callplane.sandbox.failures import SandboxError


def test_an_ordinary_user_runs_it_as_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert accounts.unprivileged() is None


def test_root_lends_it_to_an_account_that_exists(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    account = accounts.unprivileged()
    assert account is not None
    assert account.user_id == pwd.getpwnam(account.name).pw_uid != 0


def test_root_without_any_such_account_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(name: str) -> None:
        raise KeyError(name)

    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(pwd, "getpwnam", nobody)
    with pytest.raises(SandboxError, match="does not run as root"):
        accounts.unprivileged()


def test_one_closed_folder_on_the_way_keeps_everybody_out(tmp_path: Path) -> None:
    inner = tmp_path / "closed" / "inner"
    inner.mkdir(parents=True)
    for folder in (tmp_path, *tmp_path.parents):
        if not accounts.everybody_may_enter(folder):
            # What pytest makes for a test is closed already, somewhere above.
            assert not accounts.everybody_may_enter(inner)
            return
    inner.parent.chmod(0o700)
    assert not accounts.everybody_may_enter(inner)


def test_the_root_folder_is_open() -> None:
    assert accounts.everybody_may_enter(Path("/"))
