"""What call control decides by, as tables: the operator writes them, call control only reads them.

One entry is an object of the cluster that a decision needs (as its manifest), a line, or a number
of ours. Whatever belongs together is written together and has one version; a reader that asks for
what is newer than the version it knows gets a whole state, whatever it missed. Notifications only
say that there is something new.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Protocol

from callplane.store.books_ports import Payer, PlanHolder

LINE: Final = "Line"
NUMBER: Final = "Number"
#: What a phone proves itself by: as secret as its password.
PHONE: Final = "Phone"
#: Objects that are entries themselves.
OBJECT_KINDS: Final = (
    "CallingAccount",
    "CallingPlan",
    "RateCard",
    "DestinationSet",
    "CallPrivilege",
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One row. `name` is unique within its kind; `owner` names the object it was made of.
    `content` is None for what is gone.
    """

    kind: str
    name: str
    owner: str
    content: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class StoredEntry:
    """An entry and the cluster that wrote it last."""

    entry: Entry
    installation: str


@dataclass(frozen=True, slots=True)
class Dialog:
    """How a live call is addressed: the run of its SBC, and its dialog there."""

    attempt_id: str
    boot_id: str
    he: int
    hi: int


@dataclass(frozen=True, slots=True)
class Holders:
    """Who holds which plan of one account from now on."""

    payer: Payer
    holders: tuple[PlanHolder, ...]


@dataclass(frozen=True, slots=True)
class Passage:
    """What is newer than the version that was asked for. `is_whole`: everything there is, and
    nothing else counts any more.
    """

    version: int
    entries: tuple[StoredEntry, ...] = field(default=())
    is_whole: bool = False


class CallTables(Protocol):
    """Methods raise StoreUnavailable."""

    async def write(
        self,
        installation: str,
        entries: Sequence[Entry],
        holders: Sequence[Holders],
        *,
        now: datetime,
    ) -> int:
        """Write all of it or nothing; the new version."""
        ...

    async def read(self, known: int) -> Passage:
        """What is newer than version `known`; everything for 0, and for a version that is not
        this database's.
        """
        ...

    async def countries(self) -> frozenset[tuple[str, str]]:
        """(account, country) of every first call there was."""
        ...

    async def called(self, account: str, country: str, *, now: datetime) -> None:
        """The account has called that country."""
        ...

    async def note_registered(self, payer: Payer, line: str, *, now: datetime) -> None:
        """The phone of that line has registered in that month of its account."""
        ...

    async def registered(self, account: str, period_start: datetime) -> frozenset[str]:
        """The lines of phones that were registered in a month of their account."""
        ...

    async def note_dialog(self, dialog: Dialog) -> None:
        """A call was answered, and can be addressed from now on."""
        ...

    async def dialogs_near_end(self, *, now: datetime, within_seconds: float) -> tuple[Dialog, ...]:
        """Live calls whose grants end so soon, of those that may get more. What is over is
        forgotten.
        """
        ...

    def listen(self, *, poll_seconds: float) -> AsyncGenerator[None]:
        """Yields at once, whenever something may be new, and after so long without anything."""
        ...
