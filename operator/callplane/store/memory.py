"""The register without a database: the twin of `postgres`, for tests of the engine and simulations.

It keeps the same promises, a whole commit or nothing among them, and says the same when it refuses.
Nothing survives the process.
"""

from __future__ import annotations

import asyncio
import secrets
import uuid
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from callplane.numbering.lifecycle import NumberState
from callplane.plan.gate import GateRow
from callplane.store import chain, commits, holding, rebuilding
from callplane.store.chain import ChainedEvent, Personal
from callplane.store.holding import HoldRequest
from callplane.store.ports import (
    ChainReport,
    Checkpoint,
    Commit,
    Committed,
    ConnectionRow,
    DatabaseIdentity,
    EpochLost,
    HeldElsewhere,
    HolderRow,
    Intent,
    IntentState,
    Move,
    MoveRefused,
    NumberEvent,
    NumberRow,
    ObservedNumber,
    RegisterState,
    StoreUnavailable,
)
from callplane.values import E164, ConnectionId, DeclaringObject, HolderId, NumberSpan


@dataclass(frozen=True, slots=True)
class _Writing:
    """What all moves of one commit share; `names` are the user names the commit states."""

    connection: ConnectionId
    installation: str
    now: datetime
    version: int
    names: Mapping[HolderId | None, str]


class MemoryRegister:
    """`Register` in dictionaries. `available = False` makes every method raise StoreUnavailable."""

    def __init__(self) -> None:
        self.available = True
        self._identity = str(uuid.uuid4())
        self._version = 0
        self._connections: dict[ConnectionId, ConnectionRow] = {}
        self._released: set[ConnectionId] = set()
        self._numbers: dict[E164, NumberRow] = {}
        self._holders: dict[tuple[ConnectionId, HolderId], HolderRow] = {}
        self._sequences: dict[ConnectionId, int] = {}
        self._intents: dict[tuple[ConnectionId, str], Intent] = {}
        self._gate_rows: dict[tuple[ConnectionId, str], GateRow] = {}
        self._removed: dict[tuple[ConnectionId, E164 | HolderId], int] = {}
        self._events: list[ChainedEvent] = []
        self._personal: dict[int, Personal] = {}
        self._links: list[bytes] = []
        self._listeners: list[asyncio.Queue[ConnectionId | None]] = []

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
        self._ask()
        row = self._connections.get(connection)
        answer = holding.decide(
            HoldRequest(connection, declared_by, now, stale_after_seconds, new_epoch, force),
            row,
            released=connection in self._released,
        )
        if isinstance(answer, HeldElsewhere):
            return answer
        self._connections[connection] = answer
        self._released.discard(connection)
        if holding.changes_hands(row, answer):
            self._notify(connection)
        return answer

    async def heartbeat(
        self, connection: ConnectionId, *, epoch: int, now: datetime, mirrored: int = 0
    ) -> None:
        row = self._fenced(connection, epoch)
        self._connections[connection] = replace(
            row, heartbeat_at=now, mirrored=max(row.mirrored, mirrored)
        )

    async def release_connection(self, connection: ConnectionId, *, epoch: int) -> None:
        self._fenced(connection, epoch)
        self._released.add(connection)

    async def connections(self) -> tuple[ConnectionRow, ...]:
        self._ask()
        return tuple(
            row
            for connection, row in sorted(self._connections.items())
            if connection not in self._released
        )

    def _ask(self) -> None:
        if not self.available:
            raise StoreUnavailable("the register is switched off")

    def _fenced(self, connection: ConnectionId, epoch: int) -> ConnectionRow:
        self._ask()
        row = self._connections.get(connection)
        if row is None or connection in self._released or row.epoch != epoch:
            raise EpochLost(f"{connection} is not worked with epoch {epoch} any more")
        return row

    async def load(self, connection: ConnectionId, *, since: int = 0) -> RegisterState:
        self._ask()
        numbers = [row for row in self._numbers.values() if row.connection == connection]
        holders = [row for key, row in self._holders.items() if key[0] == connection]
        intents = [intent for key, intent in self._intents.items() if key[0] == connection]
        gate_rows = [row for key, row in self._gate_rows.items() if key[0] == connection]
        removed = {
            key[1] for key, at in self._removed.items() if key[0] == connection and at > since
        }
        removed -= {row.number for row in numbers} | {row.holder for row in holders}
        return RegisterState(
            numbers=tuple(
                sorted((row for row in numbers if row.version > since), key=lambda row: row.number)
            ),
            holders=tuple(
                sorted(
                    (row for row in holders if row.version > since),
                    key=lambda row: row.holder.sort_key,
                )
            ),
            open_intents=tuple(
                sorted(
                    (intent for intent in intents if intent.state is IntentState.OPEN),
                    key=lambda intent: (intent.sent_at, intent.request_id),
                )
            ),
            gate_rows=tuple(sorted(gate_rows, key=lambda row: row.change_id)),
            sequence=self._sequences.get(connection, 0),
            removed_numbers=tuple(sorted(key for key in removed if isinstance(key, E164))),
            removed_holders=tuple(
                sorted(
                    (key for key in removed if isinstance(key, HolderId)),
                    key=lambda holder: holder.sort_key,
                )
            ),
        )

    async def commit(
        self, connection: ConnectionId, commit: Commit, *, epoch: int, now: datetime
    ) -> Committed:
        commits.check(commit)
        installation = self._fenced(connection, epoch).installation
        return self._write(connection, commit, installation=installation, now=now)

    def _write(
        self, connection: ConnectionId, commit: Commit, *, installation: str, now: datetime
    ) -> Committed:
        found = self._sequences.get(connection, 0)
        if commits.is_empty(commit):
            return Committed((), (), found, found)
        moves = sorted(commit.moves, key=lambda move: move.number)
        for move in moves:
            row = self._numbers.get(move.number)
            if commits.is_refused(move, row, connection=connection, now=now):
                raise MoveRefused(move.number, row)
        self._version += 1
        self._sequences[connection] = self._version
        names: dict[HolderId | None, str] = {row.holder: row.user_name for row in commit.holders}
        writing = _Writing(connection, installation, now, self._version, names)
        numbers = tuple(row for move in moves if (row := self._move(move, writing)))
        holders = tuple(
            replace(row, connection=connection, version=self._version) for row in commit.holders
        )
        for holder in holders:
            self._holders[connection, holder.holder] = holder
        for dropped in commit.dropped_holders:
            self._holders.pop((connection, dropped), None)
            self._removed[connection, dropped] = self._version
        for intent in commit.intents:
            self._intents[connection, intent.request_id] = replace(intent, connection=connection)
        for gate_row in commit.gate_rows:
            self._gate_rows[connection, gate_row.change_id] = gate_row
        for change_id in commit.gate_dropped:
            self._gate_rows.pop((connection, change_id), None)
        return Committed(numbers, holders, self._version, found)

    def _move(self, move: Move, writing: _Writing) -> NumberRow | None:
        before = self._numbers.pop(move.number, None)
        after = commits.row_after(
            move, connection=writing.connection, now=writing.now, version=writing.version
        )
        if after is None:
            self._removed[writing.connection, move.number] = writing.version
        else:
            self._numbers[move.number] = after
            if after.connection != writing.connection:
                self._removed[writing.connection, move.number] = writing.version
                self._sequences[after.connection] = writing.version
        self._add_event(move, before, writing)
        return after

    def _add_event(self, move: Move, before: NumberRow | None, writing: _Writing) -> None:
        holder = move.holder or (before.holder if before else None)
        declared_by = move.declared_by or (before.declared_by if before else None)
        personal = Personal(
            salt=secrets.token_bytes(16),
            holder=str(holder) if holder else "",
            user_name=self._user_name(move.holder, holder, writing),
            declared_by=str(declared_by) if declared_by else "",
        )
        event = ChainedEvent(
            sequence=len(self._events) + 1,
            number=move.number.text,
            at=writing.now,
            cause=str(move.cause),
            from_state=move.expected.value,
            to_state=move.to.value,
            connection=(writing.connection.provider, writing.connection.external_id),
            installation=writing.installation,
            reason=move.reason,
            personal_hashes=personal.hashes(),
        )
        self._events.append(event)
        self._personal[event.sequence] = personal

    def _user_name(
        self, stated: HolderId | None, holder: HolderId | None, writing: _Writing
    ) -> str:
        """As stated beside the move, else as last stated."""
        if stated in writing.names:
            return writing.names[stated]
        known = self._holders.get((writing.connection, holder)) if holder else None
        return known.user_name if known else ""

    async def forget_intents(self, before: datetime) -> int:
        self._ask()
        finished = [
            key
            for key, intent in self._intents.items()
            if intent.state is not IntentState.OPEN and intent.sent_at < before
        ]
        for key in finished:
            del self._intents[key]
        return len(finished)

    async def numbers_in(self, first: E164, last: E164) -> tuple[NumberRow, ...]:
        self._ask()
        span = NumberSpan(first, last)
        return tuple(row for number, row in sorted(self._numbers.items()) if number in span)

    async def drained_since(self, first: E164, last: E164, *, since: datetime) -> int:
        self._ask()
        span, taken = NumberSpan(first, last), (NumberState.CLAIMED, NumberState.ASSIGNED)
        left = (NumberState.CLAIMED, NumberState.QUARANTINED)
        drained = 0
        for event in self._events:
            if event.at < since or E164(event.number) not in span:
                continue
            before, after = NumberState(event.from_state), NumberState(event.to_state)
            drained += before is NumberState.FREE and after in taken
            drained -= after is NumberState.FREE and before in left
        return drained

    async def history(self, number: E164) -> tuple[NumberEvent, ...]:
        self._ask()
        return tuple(
            chain.public_event(
                event,
                self._personal.get(event.sequence),
                self._links[event.sequence - 1] if event.sequence <= len(self._links) else None,
            )
            for event in self._events
            if event.number == number.text
        )

    async def link_events(self, *, limit: int = 1000) -> int:
        self._ask()
        waiting = self._events[len(self._links) :][:limit]
        for event in waiting:
            head = self._links[-1] if self._links else chain.GENESIS
            self._links.append(chain.link(head, event))
        return len(waiting)

    async def verify(self, *, checkpoint: Checkpoint | None = None) -> ChainReport:
        self._ask()
        verifier = chain.Verifier([checkpoint] if checkpoint else [])
        for position, link in enumerate(self._links, start=1):
            verifier.see(
                position,
                position,
                stored=link,
                event=self._events[position - 1],
                personal=self._personal.get(position),
            )
        events = len(self._events)
        return verifier.report(events=events, unlinked=events - len(self._links))

    async def checkpoint(self) -> Checkpoint:
        self._ask()
        return Checkpoint(len(self._links), self._links[-1].hex() if self._links else "")

    async def redact(self, subject: E164 | HolderId) -> int:
        self._ask()
        about = [
            event.sequence
            for event in self._events
            if (personal := self._personal.get(event.sequence)) is not None
            and str(subject) in (event.number, personal.holder)
        ]
        for sequence in about:
            del self._personal[sequence]
        self._notify(None)
        return len(about)

    async def replace_from_observation(
        self,
        connection: ConnectionId,
        observed: Sequence[ObservedNumber],
        *,
        now: datetime,
        quarantined_until: datetime,
    ) -> Committed:
        self._ask()
        commit = Commit(
            moves=rebuilding.moves(
                self._numbers,
                observed,
                connection=connection,
                quarantined_until=quarantined_until,
            )
        )
        commits.check(commit)
        row = self._connections.get(connection)
        installation = row.installation if row and connection not in self._released else ""
        committed = self._write(connection, commit, installation=installation, now=now)
        if row is not None:
            self._connections[connection] = replace(row, epoch=row.epoch + 1)
        self._notify(connection)
        return committed

    async def identity(self) -> DatabaseIdentity:
        self._ask()
        return DatabaseIdentity(self._identity, self._version)

    def _notify(self, connection: ConnectionId | None) -> None:
        for listener in self._listeners:
            listener.put_nowait(connection)

    async def listen(self) -> AsyncGenerator[ConnectionId | None, None]:
        queue: asyncio.Queue[ConnectionId | None] = asyncio.Queue()
        self._listeners.append(queue)
        try:
            yield None
            while True:
                yield await queue.get()
        finally:
            self._listeners.remove(queue)

    async def close(self) -> None:
        """Nothing to give back; the register stays readable for the auditor of a test."""
