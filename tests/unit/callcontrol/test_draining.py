"""Draining waits for calls and records, and no longer than it was told."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from callplane.callcontrol import draining
from callplane.callcontrol.draining import Busy, Patience
from callplane.callcontrol.kamailio_rpc import NobodyThere, Refused, RpcError


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


def test_where_the_spool_stays_records_hold_nothing_up_for_long() -> None:
    sbc = FakeSbc(calls=5, records=7, takes_records=False)
    patience = replace(sbc.waiting(60), records_seconds=3)
    assert draining.drain(sbc, patience, lambda _: None) == Busy(0, 7)
    # The last look that found a call was the fourth second's.
    assert sbc.seconds == 7


def test_it_can_be_taken_back() -> None:
    sbc = FakeSbc(calls=0)
    draining.drain(sbc, sbc.waiting(5), lambda _: None)
    draining.set_draining(sbc, wanted=False)
    assert sbc.is_draining == 0


class FakeDialogs(FakeSbc):
    """Calls that nobody ends, as Kamailio lists them: so many at a time, and none as an error."""

    def __init__(self, *classes: str, dialled: str = "") -> None:
        super().__init__(calls=len(classes))
        self.recent: list[str] = []
        self.up: dict[int, dict[str, Any]] = {
            number: {
                "h_entry": 7,
                "h_id": number,
                "state": 4,
                "variables": [{"class": each}, {"dialled": dialled}],
            }
            for number, each in enumerate(classes)
        }
        #: What is raised by the next questions, each once.
        self.troubles: list[RpcError] = []

    def ask(self, method: str, *parameters: Any) -> Any:
        if self.troubles:
            raise self.troubles.pop(0)
        match method:
            case "dlg.stats_active":
                return {"all": len(self.up)}
            case "htable.dump":
                return [{"slot": [{"name": name, "value": 1} for name in self.recent]}]
            case "dlg.list_match":
                if not self.up:
                    raise Refused("none", 404)
                return list(self.up.values())[: parameters[-1]]
            case "dlg.end_dlg":
                del self.up[parameters[1]]
                return {}
            case "core.uptime":
                return {"now": 1}
        return super().ask(method, *parameters)

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds

    def ending(self, end_seconds: float, limit_seconds: float) -> Patience:
        return Patience(limit_seconds, lambda: self.seconds, self.sleep, end_seconds)


def test_calls_that_outlast_their_time_are_ended_however_many_they_are() -> None:
    sbc = FakeDialogs(*["outbound"] * 250)
    left = draining.drain(sbc, sbc.ending(30, 60), lambda _: None)
    assert left == Busy(0, 0, ended=250)
    assert sbc.seconds == 32


def test_emergency_and_exempt_calls_and_calls_back_are_never_ended() -> None:
    sbc = FakeDialogs("emergency", "exempt", "inbound", "on-net", dialled="+442079460001")
    sbc.recent.append("+442079460001")
    left = draining.drain(sbc, sbc.ending(1, 5), lambda _: None)
    assert left == Busy(4, 0)
    sbc.recent.clear()
    assert draining.drain(sbc, sbc.ending(1, 5), lambda _: None) == Busy(2, 0, ended=2)


def test_a_call_that_rings_or_that_was_ended_already_is_not_ended() -> None:
    sbc = FakeDialogs("outbound", "outbound")
    sbc.up[0]["state"], sbc.up[1]["state"] = 2, 5
    assert draining.drain(sbc, sbc.ending(1, 3), lambda _: None) == Busy(2, 0)


def test_an_sbc_too_busy_to_answer_is_asked_again() -> None:
    sbc = FakeDialogs()
    sbc.troubles = [RpcError("timed out")] * 3
    assert draining.drain(sbc, sbc.ending(10, 10), lambda _: None).is_quiet
    assert (sbc.is_draining, sbc.seconds) == (1, 3)


@pytest.mark.parametrize("trouble", [NobodyThere("not there"), RpcError("timed out")])
def test_an_sbc_that_is_not_there_or_silent_to_the_end_is_an_error(trouble: RpcError) -> None:
    sbc = FakeDialogs()
    sbc.troubles = [trouble] * 99
    with pytest.raises(type(trouble)):
        draining.drain(sbc, sbc.ending(3, 3), lambda _: None)
    assert sbc.seconds == (0 if isinstance(trouble, NobodyThere) else 3)


def test_what_serves_an_sbc_waits_until_it_has_left() -> None:
    sbc = FakeDialogs()
    sbc.troubles = [RpcError("timed out"), NobodyThere("left")]
    assert draining.wait_until_gone(sbc, sbc.ending(9, 9))
    assert sbc.seconds == 1
    assert not draining.wait_until_gone(sbc, sbc.ending(9, 9))
