"""A renewed certificate is loaded once, and nothing else makes Kamailio load anything."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from callplane.callcontrol.kamailio_rpc import NobodyThere
from callplane.callcontrol.renewing import CertificateFollower
from callplane.testing.manual_clock import ManualClock


class Kamailio:
    """Up for so many seconds; counts what it was told to load."""

    def __init__(self, uptime_seconds: float) -> None:
        self.uptime_seconds = uptime_seconds
        self.loaded = 0
        self.away = False

    def ask(self, method: str, *_: Any) -> Any:
        if self.away:
            raise NobodyThere("nobody is there")
        if method == "core.uptime":
            return {"uptime": self.uptime_seconds}
        assert method == "tls.reload"
        self.loaded += 1
        return None


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def certificate(tmp_path: Path, clock: ManualClock) -> Path:
    path = tmp_path / "tls.crt"
    path.write_text("first")
    at = clock.now().timestamp() - 3_600
    os.utime(path, (at, at))
    return path


def test_what_was_there_at_the_start_is_not_loaded_again(
    certificate: Path, clock: ManualClock
) -> None:
    kamailio = Kamailio(uptime_seconds=60)
    follower = CertificateFollower(kamailio, certificate, clock)
    for _ in range(3):
        follower.look()
    assert kamailio.loaded == 0


def test_a_renewed_one_is_loaded_once_and_a_look_later(
    certificate: Path, clock: ManualClock
) -> None:
    kamailio = Kamailio(uptime_seconds=60)
    follower = CertificateFollower(kamailio, certificate, clock)
    follower.look()
    certificate.write_text("second")
    follower.look()
    assert kamailio.loaded == 0
    for _ in range(3):
        follower.look()
    assert kamailio.loaded == 1


def test_one_that_was_renewed_while_nobody_looked_is_loaded(
    certificate: Path, clock: ManualClock
) -> None:
    kamailio = Kamailio(uptime_seconds=7_200)
    follower = CertificateFollower(kamailio, certificate, clock)
    for _ in range(3):
        follower.look()
    assert kamailio.loaded == 1


def test_what_was_not_loaded_is_tried_again(certificate: Path, clock: ManualClock) -> None:
    kamailio = Kamailio(uptime_seconds=60)
    follower = CertificateFollower(kamailio, certificate, clock)
    follower.look()
    certificate.write_text("second")
    follower.look()
    kamailio.away = True
    with pytest.raises(NobodyThere):
        follower.look()
    kamailio.away = False
    follower.look()
    assert kamailio.loaded == 1


def test_what_is_in_use_is_told_and_not_what_lies_there_unloaded(
    certificate: Path, clock: ManualClock
) -> None:
    """A renewed file that Kamailio never loads helps nobody: the older one ends all the same."""
    kamailio = Kamailio(uptime_seconds=60)
    told: list[bytes] = []
    follower = CertificateFollower(kamailio, certificate, clock, told=told.append)
    follower.look()
    assert told == [b"first"]
    certificate.write_text("second")
    follower.look()
    kamailio.away = True
    with pytest.raises(NobodyThere):
        follower.look()
    assert told == [b"first"]
    kamailio.away = False
    follower.look()
    assert told[-1] == b"second"
