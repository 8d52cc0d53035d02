"""Taking an SBC out of service: nothing new, then wait until the last call has ended.

The order of work is for a hook that runs before a container is stopped, whose time is bounded.
Ordinary calls that outlast theirs are ended by us, on both sides and with a record; they would end
without either when the program is killed. Emergency and exempt calls still begin while an SBC
drains, and neither they nor a call back from such a service is ever ended here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

from callplane.callcontrol.kamailio_rpc import NobodyThere, Refused, RpcError

POLL_SECONDS: Final = 1.0
#: Classes of calls that a drain never ends.
SPARED: Final = frozenset({"emergency", "exempt"})
#: Calls that are looked at in one turn: so many fit into one answer.
CALLS_MAX: Final = 100
_NOT_FOUND: Final = 404
#: States of a dialog whose call was answered and has not ended: before the ACK, and after.
_ANSWERED: Final = frozenset({3, 4})

#: How Kamailio names a call that is up.
Dialog = tuple[int, int]


class Rpc(Protocol):
    """What is asked of a running SBC."""

    def ask(self, method: str, *parameters: Any) -> Any: ...


@dataclass(frozen=True, slots=True)
class Busy:
    """What keeps an SBC from being stopped: calls that are up or being set up, records that call
    control has not taken. Those records stand in the spool as well. `ended` counts calls that were
    ended here.
    """

    calls: int
    records: int
    ended: int = 0

    @property
    def is_quiet(self) -> bool:
        return self.calls == 0 and self.records == 0


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait, on which clock, and how. Ordinary calls are ended after `end_seconds`; None
    leaves them to whoever stops the SBC. Once no call is up, records are waited for so long as
    `records_seconds`; None is until the limit, for an SBC whose spool goes with it.
    """

    limit_seconds: float
    now_seconds: Callable[[], float]
    sleep: Callable[[float], None]
    end_seconds: float | None = None
    records_seconds: float | None = None


def look(rpc: Rpc) -> Busy:
    """What is going on. Raises RpcError."""
    dialogs = rpc.ask("dlg.stats_active")
    queued = rpc.ask("mqueue.get_size", "cdrq")
    return Busy(int(dialogs["all"]), int(queued["size"]))


def drain(rpc: Rpc, waiting: Patience, report: Callable[[Busy], None]) -> Busy:
    """Refuse new calls and wait until it is quiet or the time is over; what was left then. Each
    change is reported. An SBC that is too busy to answer is asked again. Raises RpcError when
    nobody is there, or nobody answers until the end.
    """
    begun = waiting.now_seconds()
    told = False
    ended: set[Dialog] = set()
    seen: Busy | None = None
    last_call = 0.0
    while True:
        passed = waiting.now_seconds() - begun
        silence: RpcError | None = None
        try:
            if not told:
                set_draining(rpc, wanted=True)
                told = True
            if waiting.end_seconds is not None and passed >= waiting.end_seconds:
                end_ordinary(rpc, ended)
            found = look(rpc)
        except NobodyThere:
            raise
        except RpcError as error:
            silence = error
        else:
            busy = Busy(found.calls, found.records, len(ended))
            if busy != seen:
                report(busy)
                seen = busy
            if busy.is_quiet:
                return busy
            last_call = passed if busy.calls else last_call
            patience = waiting.records_seconds
            if patience is not None and passed - last_call >= patience:
                return busy
        if passed >= waiting.limit_seconds:
            if silence is not None or seen is None:
                raise silence or RpcError("nobody answered")
            return seen
        waiting.sleep(POLL_SECONDS)


def end_ordinary(rpc: Rpc, ended: set[Dialog]) -> None:
    """End answered calls that may be ended, a turn's worth of them, each once; they are added to
    `ended`. Raises RpcError.
    """
    called_back = {
        slot["name"] for entry in rpc.ask("htable.dump", "recent") or () for slot in entry["slot"]
    }
    try:
        listed = rpc.ask("dlg.list_match", "furi", "re", ".", CALLS_MAX)
    except Refused as refused:
        if refused.code == _NOT_FOUND:
            return
        raise
    for each in listed:
        dialog = (int(each["h_entry"]), int(each["h_id"]))
        # One that rings is looked at again: it ends by itself, or is answered.
        if each["state"] not in _ANSWERED or dialog in ended:
            continue
        known = {name: value for pair in each["variables"] for name, value in pair.items()}
        if known.get("class") in SPARED or known.get("dialled") in called_back:
            continue
        try:
            rpc.ask("dlg.end_dlg", *dialog)
        except Refused:
            continue
        ended.add(dialog)


def wait_until_gone(rpc: Rpc, waiting: Patience) -> bool:
    """Wait until no SBC is there any more, for what serves it until its end; False when it still
    was after the limit. Only an SBC that has left counts: one that does not answer may be busy.
    """
    begun = waiting.now_seconds()
    while True:
        try:
            rpc.ask("core.uptime")
        except NobodyThere:
            return True
        except RpcError:
            pass
        if waiting.now_seconds() - begun >= waiting.limit_seconds:
            return False
        waiting.sleep(POLL_SECONDS)


def is_draining(rpc: Rpc) -> bool:
    """Are new calls refused? Raises RpcError."""
    entries = rpc.ask("htable.dump", "state")
    pairs = [slot for entry in entries for slot in entry.get("slot", ())]
    return any(pair.get("name") == "drain" and int(pair["value"]) == 1 for pair in pairs)


def set_draining(rpc: Rpc, *, wanted: bool) -> None:
    """Begin or end a drain, without waiting."""
    rpc.ask("htable.seti", "state", "drain", int(wanted))
