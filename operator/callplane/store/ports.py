"""What the engine asks of the register, as data and one protocol.

Everything of one connection is read once (`load`) into memory by its leader and refreshed by
version; every write is one transaction (`commit`) that is fenced by the connection's epoch. A
commit either happens whole or raises; what it returns are the rows as they are now.

What an administrator does to rows behind the leader's back (take, rebuild) always raises the epoch
too, so a leader never commits on top of rows it has not read.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any, Protocol

from callplane.errors import CallplaneError
from callplane.numbering.lifecycle import NumberState
from callplane.plan.gate import GateRow
from callplane.values import E164, ConnectionId, DeclaringObject, HolderId


class StoreUnavailable(CallplaneError):
    """The database did not answer. A write may have happened or not: load before the next one."""


class EpochLost(CallplaneError):
    """Another leader or installation has taken the connection since: this process must stop."""


class IllegalCommit(CallplaneError, ValueError):
    """A commit that no state of the register could satisfy: a mistake of the caller."""


@dataclass(frozen=True, slots=True)
class NumberRow:
    """One number in use, reserved or resting. Free numbers have no row.

    `transfer_to` is the holder for whom a number in transfer is kept; `quarantined_until` is None
    for a number whose rest has no known end (unknown history is given a full period). `version`
    grows with every commit, so that readers can ask for what changed since.
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
    """What was last applied to a holder, and who declares it.

    `applied` is per setting: text of the setting → JSON value. `undone` lists when a confirmed
    write of a setting was found undone by others: setting → ISO times.
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
    """One transition of one number.

    Refused unless the row is in `expected` (FREE: there is no row) and, where given, held by
    `expected_holder`. `cause` is a cause of `numbering.lifecycle`; fields left None are cleared, so
    a move states the whole new row. Some causes are refused for more: those by which the holder
    stays or comes back (Confirm, TakeOver, Detach, Orphan, Cancel, ReturnToHolder) for another
    `holder` than the row's, Receive for another than its `transfer_to`, Elapse before the rest has
    a known end that is past.
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
    """A write that is about to be sent, committed before it is.

    `operation` is the provider's token once known; `change` is `Change.to_json()`.
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

    `intents` are upserted by (connection, request_id): once to open, again to record the operation,
    again to finish. `gate_rows` are upserted by (connection, change_id), `gate_dropped` are change
    ids to delete. Nothing may be named twice, nor both upserted and dropped (IllegalCommit).
    """

    moves: Sequence[Move] = ()
    holders: Sequence[HolderRow] = ()
    dropped_holders: Sequence[HolderId] = ()
    intents: Sequence[Intent] = ()
    gate_rows: Sequence[GateRow] = ()
    gate_dropped: Sequence[str] = ()


class MoveRefused(CallplaneError):
    """The row is not as expected; `row` is what it is (None: free). Nothing was written.

    No dataclass: a frozen exception breaks every context manager it passes through.
    """

    def __init__(self, number: E164, row: NumberRow | None) -> None:
        state = NumberState.FREE if row is None else row.state
        super().__init__(f"{number.masked} is {state.value}: the move was refused")
        self.number = number
        self.row = row


@dataclass(frozen=True, slots=True)
class Committed:
    """What a commit left. `sequence` is the connection's from now on, `found` what it was before:
    less than whoever commits has seen means that commits were lost, however far the database counts
    on.
    """

    numbers: tuple[NumberRow, ...]
    holders: tuple[HolderRow, ...]
    sequence: int
    found: int


@dataclass(frozen=True, slots=True)
class ConnectionRow:
    """Who works a connection; `installation` is the UID of the cluster.

    `mirrored` is the highest sequence that the declaring object shows in its status. An object
    that shows less has been restored to an earlier time.
    """

    connection: ConnectionId
    installation: str
    declared_by: DeclaringObject
    epoch: int
    heartbeat_at: datetime
    mirrored: int = 0


@dataclass(frozen=True, slots=True)
class HeldElsewhere:
    """Another installation, or another object of this one, has the connection."""

    row: ConnectionRow


@dataclass(frozen=True, slots=True)
class RegisterState:
    """Everything of one connection, or everything changed since a version.

    Gate rows and open intents are always complete. `sequence` is the highest version of which this
    and everything below is seen: pass it as `since` next time. It never falls, except when the
    database was restored. A row may come again that was seen before.
    """

    numbers: tuple[NumberRow, ...]
    holders: tuple[HolderRow, ...]
    open_intents: tuple[Intent, ...]
    gate_rows: tuple[GateRow, ...]
    sequence: int
    removed_numbers: tuple[E164, ...] = ()
    removed_holders: tuple[HolderId, ...] = ()


@dataclass(frozen=True, slots=True)
class NumberEvent:
    """One event of a number's life.

    `holder`, `user_name` and `declared_by` are personal: only their salted hashes are in the chain,
    and they are empty once redacted. `installation` is the cluster that wrote. `link` (hex) is None
    while the event is not linked yet.
    """

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
    """What recomputing the chain showed.

    `first_broken` is the sequence of the first event that does not follow, None when all do.
    `unlinked` events are the tail that is not chained yet. `head` is the last link (hex) and
    `details` says in words what is broken.
    """

    events: int
    unlinked: int
    first_broken: int | None
    head: str = ""
    details: tuple[str, ...] = field(default=())
    redacted: int = 0


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The chain's head at one moment, to be kept where this database's writers cannot reach.

    `position` counts links from 1; 0 and "" say that nothing is chained yet.
    """

    position: int
    link: str


@dataclass(frozen=True, slots=True)
class DatabaseIdentity:
    """Which database this is: made once with its schema, so a new database has another.

    `sequence` is the highest version it has ever given, over all connections.
    """

    identity: str
    sequence: int


@dataclass(frozen=True, slots=True)
class ObservedNumber:
    """One number of a connection as a rebuild found it; holder None: nobody has it."""

    number: E164
    holder: HolderId | None
    range_name: str = ""
    number_type: str = ""


class Register(Protocol):
    """The number register. Times are passed in; without a database StoreUnavailable is raised."""

    async def hold_connection(  # noqa: PLR0913 - all are facts of one request, all named
        self,
        connection: ConnectionId,
        *,
        declared_by: DeclaringObject,
        now: datetime,
        stale_after_seconds: float,
        new_epoch: bool,
        force: bool = False,
    ) -> ConnectionRow | HeldElsewhere:
        """Take or keep the connection for this installation and object.

        `new_epoch` is asked for after taking the Lease. A row of another installation, or of
        another object of the same one, is taken over only when its heartbeat is older than
        `stale_after_seconds` or by `force`, and always with a new epoch. An object made again under
        its old name is the same object here, but has shown nothing yet (`mirrored`). Epochs never
        come back, not even after a release.
        """
        ...

    async def heartbeat(
        self, connection: ConnectionId, *, epoch: int, now: datetime, mirrored: int = 0
    ) -> None:
        """Still at work. Raises EpochLost when the epoch is no longer ours."""
        ...

    async def release_connection(self, connection: ConnectionId, *, epoch: int) -> None:
        """Forget who works the connection (its object is gone); rows of numbers stay."""
        ...

    async def connections(self) -> tuple[ConnectionRow, ...]: ...

    async def load(self, connection: ConnectionId, *, since: int = 0) -> RegisterState: ...

    async def commit(
        self, connection: ConnectionId, commit: Commit, *, epoch: int, now: datetime
    ) -> Committed:
        """Raises MoveRefused, EpochLost, StoreUnavailable; IllegalCommit for a mistake of ours.

        An empty commit writes nothing and still checks the epoch.
        """
        ...

    async def forget_intents(self, before: datetime) -> int:
        """Forget finished intents that were sent before; returns how many. Open ones stay."""
        ...

    async def numbers_in(self, first: E164, last: E164) -> tuple[NumberRow, ...]:
        """Rows of a span over all connections, in order. Raises ValueError as NumberSpan does."""
        ...

    async def drained_since(self, first: E164, last: E164, *, since: datetime) -> int:
        """How many more numbers of a span were taken than became free, by its history; below zero
        when more became free. Raises ValueError as NumberSpan does.
        """
        ...

    async def history(self, number: E164) -> tuple[NumberEvent, ...]: ...

    async def link_events(self, *, limit: int = 1000) -> int:
        """Chain committed events that are not linked yet, oldest first; returns how many.

        Only one linker works at a time; others return 0 at once.
        """
        ...

    async def verify(self, *, checkpoint: Checkpoint | None = None) -> ChainReport:
        """Recompute every link; with a checkpoint also that the chain still holds it."""
        ...

    async def checkpoint(self) -> Checkpoint:
        """The chain's head."""
        ...

    async def redact(self, subject: E164 | HolderId) -> int:
        """Forget the personal fields in the history of a number or holder; returns how many events.

        Rows in use stay as they are, and the chain stays whole.
        """
        ...

    async def replace_from_observation(
        self,
        connection: ConnectionId,
        observed: Sequence[ObservedNumber],
        *,
        now: datetime,
        quarantined_until: datetime,
    ) -> Committed:
        """Rebuild a connection's rows from what a provider shows, after the database was lost.

        Who has a number there has it here, without a declaring object. What nobody has rests with
        the reason "unknown history". Rows that rest, are reserved or are on their way from or to
        a carrier are kept where nobody has the number, and rows that were not observed are left
        alone. Raises the epoch. Raises MoveRefused for a number of another connection.
        """
        ...

    async def identity(self) -> DatabaseIdentity: ...

    def listen(self) -> AsyncGenerator[ConnectionId | None, None]:
        """Yield connections whose rows an administrator changed; None: look at all of them.

        None comes first, after every lost session, and every few seconds. Never raises for a
        database that is away. Close it (`aclose`) to give its session back.
        """
        ...

    async def close(self) -> None: ...
