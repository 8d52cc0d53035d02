"""Draining waits for calls and records, and no longer than it was told."""

from __future__ import annotations

from typing import Any

from callplane.callcontrol import draining
from callplane.callcontrol.draining import Busy, Patience


class FakeSbc:
    """Calls end one a second; call control takes the records when it is there."""

    def __init__(self, *, calls: int, records: int = 0, takes_records: bool = True) -> None:
        self.calls = calls
        self.records = records
        self.takes_records = takes_records
        self.is_draining: Any = 0
        self.seconds = 0.0

    def ask(self, method: str, *parameters: Any) -> Any:
        match method:
            case "dlg.stats_active":
                return {"ongoing": self.calls, "all": self.calls}
            case "mqueue.get_size":
                return {"name": "cdrq", "size": self.records}
            case "htable.seti":
                assert parameters[:2] == ("state", "drain")
                self.is_draining = parameters[2]
                return None
        raise AssertionError(method)

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds
        self.calls = max(0, self.calls - 1)
        if self.takes_records:
            self.records = 0

    def waiting(self, limit_seconds: float) -> Patience:
        return Patience(limit_seconds, lambda: self.seconds, self.sleep)


def test_it_waits_until_the_last_call_has_ended() -> None:
    sbc = FakeSbc(calls=3, records=5)
    seen: list[Busy] = []
    assert draining.drain(sbc, sbc.waiting(60), seen.append).is_quiet
    assert sbc.is_draining == 1
    assert sbc.seconds == 3
    assert seen == [Busy(3, 5), Busy(2, 0), Busy(1, 0), Busy(0, 0)]


def test_it_waits_no_longer_than_it_was_told() -> None:
    sbc = FakeSbc(calls=100)
    left = draining.drain(sbc, sbc.waiting(10), lambda _: None)
    assert (left.calls, sbc.seconds) == (90, 10)


def test_records_that_nobody_takes_keep_it_and_are_reported_once() -> None:
    sbc = FakeSbc(calls=0, records=7, takes_records=False)
    seen: list[Busy] = []
    assert draining.drain(sbc, sbc.waiting(5), seen.append) == Busy(0, 7)
    assert seen == [Busy(0, 7)]


def test_it_can_be_taken_back() -> None:
    sbc = FakeSbc(calls=0)
    draining.drain(sbc, sbc.waiting(5), lambda _: None)
    draining.set_draining(sbc, wanted=False)
    assert sbc.is_draining == 0
