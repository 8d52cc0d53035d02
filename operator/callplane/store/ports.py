"""What the engine asks of the register, as data and one protocol.

Everything of one connection is read once (`load`) into memory by its leader and refreshed by version; every
write is one transaction (`commit`) that is fenced by the connection's epoch. A commit either happens whole
or raises; what it returns are the rows as they are now.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any, Protocol

from callplane.errors import CallplaneError
from callplane.numbering.lifecycle import NumberState
from callplane.plan.gate import GateRow
from callplane.values import E164, ConnectionId, DeclaringObject, HolderId


class StoreUnavailable(CallplaneError):
    """The database did not answer: nothing is known to have been written."""


class EpochLost(CallplaneError):
    """Another leader or installation has taken the connection since: this process must not write."""


@dataclass(frozen=True, slots=True)
class NumberRow:
    """One number in use, reserved or resting. Free numbers have no row.

    `transfer_to` is the holder for whom a number in transfer is kept; `quarantined_until` is None for a number
    whose rest has no known end (unknown history is given a full period). `version` grows with every write
    of any row, so that readers can ask for what changed since.
    """

    number: E164
    connection: ConnectionId
    state: NumberState
    holder: HolderId | None
    declared_by: DeclaringObject | None
    range_name: str
    number_type: str
    transfer_to: HolderId | None
    quarantined_until: datetime | None
    reason: str
    updated_at: datetime
    version: int


@dataclass(frozen=True, slots=True)
class HolderRow:
    """What was last applied to a holder, per setting (text of the setting → JSON value), and who declares it.

    `undone` lists when a confirmed write of a setting was found undone by others (setting → ISO times).
    """

    holder: HolderId
    connection: ConnectionId
    declared_by: DeclaringObject | None
    user_name: str
    applied: Mapping[str, Any]
    undone: Mapping[str, Sequence[str]]
    version: int = 0


@dataclass(frozen=True, slots=True)
class Move:
    """One transition of one number, refused unless the row is in `expected` (FREE: there is no row) and, where
    given, held by `expected_holder`. `cause` is a cause of `numbering.lifecycle`; fields left None are
    cleared, so a move states the whole new row.
    """

    number: E164
    expected: NumberState
    to: NumberState
    cause: str
    expected_holder: HolderId | None = None
    holder: HolderId | None = None
    declared_by: DeclaringObject | None = None
    range_name: str = ""
    number_type: str = ""
    transfer_to: HolderId | None = None
    quarantined_until: datetime | None = None
    reason: str = ""


class IntentState(Enum):
    OPEN = "open"
    CONFIRMED = "confirmed"
    REFUSED = "refused"
    ABANDONED = "abandoned"


@dataclass(frozen=True, slots=True)
class Intent:
    """A write that is about to be sent, committed before it is. `operation` is the provider's token once known.

    `change` is `Change.to_json()`. `approved_digest` is set when the change ran under an approval.
    """

    change_id: str
    connection: ConnectionId
    epoch: int
    holder: HolderId
    change: Mapping[str, Any]
    request_id: str
    sent_at: datetime
    state: IntentState = IntentState.OPEN
    operation: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Commit:
    """One transaction: refused moves, stale epochs and failures leave nothing of it behind.

    `intents` are upserted by (connection, request_id): once to open, again to record the operation, again to finish.
    `gate_rows` are upserted by (connection, change_id), `gate_dropped` are change ids to delete.
    """

    moves: Sequence[Move] = ()
    holders: Sequence[HolderRow] = ()
    dropped_holders: Sequence[HolderId] = ()
    intents: Sequence[Intent] = ()
    gate_rows: Sequence[GateRow] = ()
    gate_dropped: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class MoveRefused(CallplaneError):
    """The row is not as expected; `row` is what it is (None: free). Nothing of the commit has happened."""

    number: E164
    row: NumberRow | None


@dataclass(frozen=True, slots=True)
class Committed:
    numbers: tuple[NumberRow, ...]
    holders: tuple[HolderRow, ...]
    sequence: int


@dataclass(frozen=True, slots=True)
class ConnectionRow:
    """Who works a connection: installation (UID of the cluster), declaring object, epoch, heartbeat."""

    connection: ConnectionId
    installation: str
    declared_by: DeclaringObject
    epoch: int
    heartbeat_at: datetime


@dataclass(frozen=True, slots=True)
class HeldElsewhere:
    """Another installation, or another object of this one, has the connection."""

    row: ConnectionRow


@dataclass(frozen=True, slots=True)
class RegisterState:
    """Everything of one connection, or everything changed since a version. Gate rows and open intents are
    always complete. `sequence` is the highest version seen; `restored` is judged by the engine from it."""

    numbers: tuple[NumberRow, ...]
    holders: tuple[HolderRow, ...]
    open_intents: tuple[Intent, ...]
    gate_rows: tuple[GateRow, ...]
    sequence: int
    removed_numbers: tuple[E164, ...] = ()


@dataclass(frozen=True, slots=True)
class NumberEvent:
    """One link of a number's life. `holder` and `user_name` are personal: only their salted hashes are in the
    chain. `link` is None while the event is not linked yet."""

    sequence: int
    number: E164
    at: datetime
    cause: str
    from_state: NumberState
    to_state: NumberState
    connection: ConnectionId
    holder: str
    user_name: str
    declared_by: str
    installation: str
    reason: str
    link: str | None


@dataclass(frozen=True, slots=True)
class ChainReport:
    """`first_broken` is the sequence of the first event whose hash does not follow, None when all do."""

    events: int
    unlinked: int
    first_broken: int | None
    head: str = ""
    details: tuple[str, ...] = field(default=())


class Register(Protocol):
    """The number register. Times are passed in; every method raises StoreUnavailable when there is no database."""

    async def hold_connection(
        self,
        connection: ConnectionId,
        *,
        declared_by: DeclaringObject,
        now: datetime,
        stale_after_seconds: float,
        new_epoch: bool,
        force: bool = False,
    ) -> ConnectionRow | HeldElsewhere:
        """Take or keep the connection for this installation and object; `new_epoch` after taking the Lease.

        A row of another installation is taken over only when its heartbeat is older than `stale_after_seconds`
        or by `force`; a row of another object of the same installation only when forced or stale.
        """
        ...

    async def heartbeat(self, connection: ConnectionId, *, epoch: int, now: datetime) -> None:
        """Raises EpochLost when the epoch is no longer ours."""
        ...

    async def release_connection(self, connection: ConnectionId, *, epoch: int) -> None:
        """Forget who works the connection (its object is gone); rows of numbers stay."""
        ...

    async def connections(self) -> tuple[ConnectionRow, ...]: ...

    async def load(self, connection: ConnectionId, *, since: int = 0) -> RegisterState: ...

    async def commit(
        self, connection: ConnectionId, commit: Commit, *, epoch: int, now: datetime
    ) -> Committed:
        """Raises MoveRefused, EpochLost, StoreUnavailable."""
        ...

    async def numbers_in(self, first: E164, last: E164) -> tuple[NumberRow, ...]:
        """Rows of a span over all connections, in order."""
        ...

    async def history(self, number: E164) -> tuple[NumberEvent, ...]: ...

    async def link_events(self, *, limit: int = 1000) -> int:
        """Chain committed events that are not linked yet; returns how many. Only one linker works at a time."""
        ...

    async def verify(self) -> ChainReport: ...

    async def close(self) -> None: ...
