"""Taking an SBC out of service without ending a call: nothing new, then wait.

Emergency and exempt calls still pass while an SBC drains, so it may never become quiet by itself on
a busy day; whoever stops it after the time limit ends what is up. The order of work is for a hook
that runs before a container is stopped.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

POLL_SECONDS = 1.0


class Rpc(Protocol):
    """What is asked of a running SBC."""

    def ask(self, method: str, *parameters: Any) -> Any: ...


@dataclass(frozen=True, slots=True)
class Busy:
    """What keeps an SBC from being stopped: calls that are up or being set up, records that call
    control has not taken. Those records stand in the spool as well.
    """

    calls: int
    records: int

    @property
    def is_quiet(self) -> bool:
        return self.calls == 0 and self.records == 0


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait, on which clock, and how."""

    limit_seconds: float
    now_seconds: Callable[[], float]
    sleep: Callable[[float], None]


def look(rpc: Rpc) -> Busy:
    """What is going on. Raises RpcError."""
    dialogs = rpc.ask("dlg.stats_active")
    queued = rpc.ask("mqueue.get_size", "cdrq")
    return Busy(int(dialogs["all"]), int(queued["size"]))


def drain(rpc: Rpc, waiting: Patience, report: Callable[[Busy], None]) -> Busy:
    """Refuse new calls and wait until it is quiet or the time is over; what was left then. Each
    change is reported. Raises RpcError.
    """
    set_draining(rpc, wanted=True)
    deadline = waiting.now_seconds() + waiting.limit_seconds
    reported: Busy | None = None
    while True:
        busy = look(rpc)
        if busy != reported:
            report(busy)
            reported = busy
        if busy.is_quiet or waiting.now_seconds() >= deadline:
            return busy
        waiting.sleep(POLL_SECONDS)


def set_draining(rpc: Rpc, *, wanted: bool) -> None:
    """Begin or end a drain, without waiting."""
    rpc.ask("htable.seti", "state", "drain", int(wanted))
