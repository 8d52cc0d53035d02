"""What call control needs from those who know lines, accounts and money.

`Authoriser` decides and reserves; `RecordBook` takes call records for good. Both may fail or hang:
whoever calls them turns that into the SBC's fail policy, and keeps records until they are taken.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from callplane.callcontrol.messages import (
    Authorise,
    CallRecord,
    EmergencyAlert,
    Order,
    Registered,
    Started,
)

#: Sends an order to the SBC that a message came from, on whatever connection there is by then.
#: Raises ConnectionError where there is none.
Send = Callable[[Order], None]


@dataclass(frozen=True, slots=True)
class Granted:
    """The call may run for `max_seconds`, which a reservation holds. `dialled` and `caller` are
    what the next peer is sent.
    """

    max_seconds: int
    account: str
    reservation_id: str
    dialled: str = ""
    caller: str = ""
    on_net: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """The call may not be made; the reason is one of the decision's."""

    reason: str


class Authoriser(Protocol):
    """Decides about calls. An attempt that is asked about twice has one reservation."""

    async def authorise(self, question: Authorise) -> Granted | Refused:
        """Decide, and reserve what is granted. Raises whatever keeps it from knowing."""

    async def withdraw(self, attempt_id: str) -> None:
        """The answer came too late or the call was given up: nothing is held for it any more."""

    async def answered(self, started: Started, send: Send) -> None:
        """A granted call was answered, and can be addressed from now on by `send`."""

    async def alert(self, alert: EmergencyAlert) -> None:
        """Somebody called an emergency service."""

    async def registered(self, registered: Registered) -> None:
        """A phone has proved who it is."""


class RecordBook(Protocol):
    """Takes call records for good."""

    async def post(self, records: Sequence[CallRecord]) -> None:
        """Commit them, each attempt once however often it comes. Raises when any was not taken."""

    async def suspend(self, line: str, problem: str) -> None:
        """Keep a line of the spool that is a record and cannot be read, for a person to look at."""
