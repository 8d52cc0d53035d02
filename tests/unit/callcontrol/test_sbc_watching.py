"""What an SBC says of itself is read whole, and an answer that is none stops nothing."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from callplane.callcontrol.kamailio_rpc import RpcError
from callplane.callcontrol.sbc_watching import SbcWatcher, look


def place(peer: str, flags: str) -> dict[str, Any]:
    return {"DEST": {"URI": "sip:192.0.2.1:5061", "FLAGS": flags, "ATTRS": {"BODY": peer}}}


ANSWERS: dict[str, Any] = {
    "dlg.stats_active": {"all": 7},
    "mqueue.get_size": {"name": "cdrq", "size": 2},
    "core.shmmem": {"total": 100, "used": 25},
    "stats.fetch": {"core.rcv_requests_invite": "12", "core.rcv_requests_register": "3"},
    "htable.dump": [{"entry": 1, "slot": [{"name": "drain", "value": 1}]}],
    "dispatcher.list": {
        "RECORDS": [
            {
                "SET": {
                    "ID": 1,
                    "TARGETS": [
                        place("weight=50;peer=teams", "IP"),
                        place("peer=teams", "AP"),
                        place("peer=carrier", "IP"),
                        place("", "AP"),
                    ],
                }
            },
            {"SET": {"ID": 2, "TARGETS": [place("peer=carrier", "DX")]}},
        ]
    },
}


class Sbc:
    """Answers from a table; a value that is an error is raised."""

    def __init__(self, **changes: Any) -> None:
        self.answers = ANSWERS | {name.replace("__", "."): each for name, each in changes.items()}

    def ask(self, method: str, *parameters: Any) -> Any:
        answer = self.answers[method]
        if isinstance(answer, Exception):
            raise answer
        return answer


def test_everything_that_is_said() -> None:
    seen = look(Sbc())
    assert (seen.calls, seen.records, seen.is_draining) == (7, 2, True)
    # One of two places of Teams is used; none of the carrier's, in either set.
    assert seen.peers == {"teams": True, "carrier": False}
    assert seen.requests == {"INVITE": 12, "REGISTER": 3}
    assert seen.memory_used == 0.25


@pytest.mark.parametrize(
    ("answer", "is_draining"),
    [
        ([], False),
        ([{"entry": 1, "slot": [{"name": "boot", "value": "b-1"}]}], False),
        ([{"entry": 1, "slot": [{"name": "drain", "value": 0}]}], False),
        ([{"entry": 1}, {"entry": 2, "slot": [{"name": "drain", "value": 1}]}], True),
    ],
)
def test_a_drain_is_read_from_where_it_is_written(answer: Any, is_draining: bool) -> None:
    assert look(Sbc(htable__dump=answer)).is_draining is is_draining


@pytest.mark.parametrize(
    "changes",
    [
        {"core__shmmem": {}},
        {"core__shmmem": {"total": 0, "used": 0}},
        {"dispatcher__list": None},
        {"dispatcher__list": {"RECORDS": [{"SET": {"TARGETS": [{}]}}]}},
        {"dlg__stats_active": "none"},
        {"stats__fetch": {"core.rcv_requests_invite": "many"}},
        {"htable__dump": 5},
    ],
)
def test_an_answer_that_is_none_is_a_value_error(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r".+"):
        look(Sbc(**changes))


@pytest.mark.looptime
async def test_silence_is_said_once_and_is_over_when_it_is(
    caplog: pytest.LogCaptureFixture,
) -> None:
    sbc = Sbc()
    # The loop's time is the clock's while a thread asks: so long as that may take.
    watcher = SbcWatcher({"a": sbc, "b": Sbc()}, pause_seconds=30.0)
    registry = CollectorRegistry()
    registry.register(watcher)

    def up(name: str) -> float | None:
        return registry.get_sample_value("callplane_sbc_up", {"sbc": name})

    task = asyncio.create_task(watcher.run())
    try:
        await asyncio.sleep(15)
        assert (up("a"), up("b")) == (1, 1)
        sbc.answers = {**ANSWERS, "dlg.stats_active": RpcError("no answer")}
        await asyncio.sleep(150)
        assert (up("a"), up("b")) == (0, 1)
        assert registry.get_sample_value("callplane_sbc_calls", {"sbc": "a"}) is None
        assert caplog.text.count("says nothing of itself") == 1
        sbc.answers = dict(ANSWERS)
        await asyncio.sleep(60)
        assert up("a") == 1
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
