"""The leader's copy of one connection's register rows, kept by its own commits and refreshed by
version.

Passes read it instead of the database, so a steady state costs no queries. It is never a reason to
write by itself: every commit states what it expects, and the database refuses when that is no
longer so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

from callplane.engine.commit_groups import CommitGroups
from callplane.numbering.lifecycle import HELD, NumberState
from callplane.plan.gate import GateRow, GateStatus
from callplane.store.ports import (
    Commit,
    Committed,
    EpochLost,
    HolderRow,
    Intent,
    IntentState,
    Move,
    NumberRow,
    Register,
    RegisterState,
    StoreUnavailable,
)
from callplane.tracing import step
from callplane.values import E164, ConnectionId, HolderId, ObjectKey


class ReadAnew(StoreUnavailable):
    """The register was away and has been read anew: look again, this time at what is true."""


class WentBack(EpochLost):
    """The register shows less than it did: it was restored under us, or a standby that was behind
    has taken over. What we know is of another time, and so is our epoch.
    """


class RegisterMirror:
    """Rows by number and holder, open intents by holder, gate rows by change id."""

    def __init__(
        self,
        register: Register,
        connection: ConnectionId,
        epoch: int,
        *,
        moved: Callable[[Sequence[Move]], None] = lambda _: None,
        handed: Callable[[NumberRow], None] = lambda _: None,
    ) -> None:
        """`moved` hears the moves of every commit, `handed` the rows that went over to another
        connection by one.
        """
        self._register = register
        self.connection = connection
        self.epoch = epoch
        self.numbers: dict[E164, NumberRow] = {}
        self.holders: dict[HolderId, HolderRow] = {}
        self.gate_rows: dict[str, GateRow] = {}
        self._proposals: dict[ObjectKey, set[str]] = {}
        self.sequence = 0
        self._moved = moved
        self._groups = CommitGroups(self._send, self._take_committed)
        self._handed = handed
        self._is_uncertain = False
        # What the register was at when it showed less than it had; None while it never did.
        self.went_back_to: int | None = None
        self._went_back = ""
        # What the last reading has seen of what others did, and what we have removed since then.
        self._read_up_to = 0
        self._gone: dict[E164 | HolderId, int] = {}
        self._numbers_of: dict[HolderId, set[E164]] = {}
        self._holder_by_uid: dict[str, HolderId] = {}
        self._intents: dict[HolderId, dict[str, Intent]] = {}

    async def load(self) -> None:
        """Everything, once; then `refresh` by version. Raises WentBack."""
        known = self.sequence
        state = await self._register.load(self.connection)
        self._check_not_back(known, state.sequence)
        self._take_whole(state)

    def _check_not_back(self, known: int, shown: int) -> None:
        """Once found, it stays so until the connection starts anew."""
        if shown < known:
            self.went_back_to = shown
            self._went_back = f"the register is at {shown} and was at {known}"
        if self._went_back:
            raise WentBack(self._went_back)

    async def refresh(self) -> set[HolderId]:
        """What others have changed since, an administrator say; returns the holders it touches.

        Our own commits go on meanwhile: what one of them has left is newer than what is read here.
        Raises WentBack.
        """
        known = self.sequence
        state = await self._register.load(self.connection, since=self._read_up_to)
        self._check_not_back(known, state.sequence)
        numbers = [row for row in state.numbers if self._is_news(row.number, row.version)]
        holders = [row for row in state.holders if self._is_news(row.holder, row.version)]
        for number in state.removed_numbers:
            if self._version_of(number) <= state.sequence:
                self._drop_number(number)
        for holder in state.removed_holders:
            if self._version_of(holder) <= state.sequence:
                self._drop_holder(holder)
        for row in numbers:
            self._put_number(row)
        for holder_row in holders:
            self._put_holder(holder_row)
        self._taken_up_to(state.sequence)
        touched = {row.holder for row in holders}
        return touched | {row.holder for row in numbers if row.holder is not None}

    def _is_news(self, key: E164 | HolderId, version: int) -> bool:
        return version > max(self._version_of(key), self._gone.get(key, 0))

    def _version_of(self, key: E164 | HolderId) -> int:
        row = self.numbers.get(key) if isinstance(key, E164) else self.holders.get(key)
        return 0 if row is None else row.version

    def _take_whole(self, state: RegisterState) -> None:
        for known in (self.numbers, self.holders, self.gate_rows, self._proposals, self._intents):
            known.clear()
        self._numbers_of.clear()
        self._holder_by_uid.clear()
        for row in state.numbers:
            self._put_number(row)
        for holder in state.holders:
            self._put_holder(holder)
        for intent in state.open_intents:
            self._intents.setdefault(intent.holder, {})[intent.request_id] = intent
        for gate_row in state.gate_rows:
            self._put_gate_row(gate_row)
        self._taken_up_to(state.sequence)

    def _taken_up_to(self, sequence: int) -> None:
        self._read_up_to = sequence
        self.sequence = max(self.sequence, sequence)
        self._gone = {key: version for key, version in self._gone.items() if version > sequence}

    async def commit(self, commit: Commit, *, now: datetime) -> Committed:
        """One transaction, its result taken into the mirror. Raises as `Register.commit` does."""
        with step("commit"):
            return await self._groups.commit(commit, now)

    async def close(self) -> None:
        """Commits that were not sent yet are not sent any more."""
        await self._groups.close()

    async def _send(self, commit: Commit, now: datetime) -> Committed:
        known = self.sequence
        self._check_not_back(known, known)
        if self._is_uncertain:
            await self.load()
            self._is_uncertain = False
            raise ReadAnew("the register has been read anew after it was away")
        try:
            committed = await self._register.commit(
                self.connection, commit, epoch=self.epoch, now=now
            )
        except StoreUnavailable:
            # It may have been committed: what the next commit is built on has to be read first.
            self._is_uncertain = True
            raise
        # Not what it counts on to: a database that lost its last commits may leap over them.
        self._check_not_back(known, committed.found)
        return committed

    def _take_committed(self, commit: Commit, committed: Committed) -> None:
        for move in commit.moves:
            if move.to is NumberState.FREE:
                self._gone[move.number] = committed.sequence
                self._drop_number(move.number)
        for row in committed.numbers:
            self.take(row)
            if row.connection != self.connection:
                self._gone[row.number] = row.version
                self._handed(row)
        for dropped in commit.dropped_holders:
            self._gone[dropped] = committed.sequence
            self._drop_holder(dropped)
        for holder in committed.holders:
            self._put_holder(holder)
        for intent in commit.intents:
            self._put_intent(intent)
        for gate_row in commit.gate_rows:
            self._put_gate_row(gate_row)
        for change_id in commit.gate_dropped:
            self._drop_gate_row(change_id)
        self.sequence = max(self.sequence, committed.sequence)
        if commit.moves:
            self._moved(commit.moves)

    async def heartbeat(self, *, now: datetime, mirrored: int) -> None:
        """Say that this installation still works the connection, and what its status is known to
        show. Raises EpochLost.
        """
        await self._register.heartbeat(
            self.connection, epoch=self.epoch, now=now, mirrored=mirrored
        )

    def take(self, row: NumberRow) -> None:
        """One row as the register has it now; one of another connection leaves this one."""
        self._put_number(row)

    def _put_number(self, row: NumberRow) -> None:
        self._drop_number(row.number)
        if row.state is NumberState.FREE or row.connection != self.connection:
            return
        self.numbers[row.number] = row
        for holder in (row.holder, row.transfer_to):
            if holder is not None:
                self._numbers_of.setdefault(holder, set()).add(row.number)

    def _drop_number(self, number: E164) -> None:
        row = self.numbers.pop(number, None)
        if row is None:
            return
        for holder in (row.holder, row.transfer_to):
            if holder is not None:
                self._numbers_of.get(holder, set()).discard(number)

    def _put_holder(self, row: HolderRow) -> None:
        self._drop_holder(row.holder)
        self.holders[row.holder] = row
        if row.declared_by is not None:
            self._holder_by_uid[row.declared_by.uid] = row.holder

    def _drop_holder(self, holder: HolderId) -> None:
        row = self.holders.pop(holder, None)
        uid = row.declared_by.uid if row is not None and row.declared_by is not None else None
        if uid is not None and self._holder_by_uid.get(uid) == holder:
            del self._holder_by_uid[uid]

    def _put_gate_row(self, row: GateRow) -> None:
        self._drop_gate_row(row.change_id)
        self.gate_rows[row.change_id] = row
        self._proposals.setdefault(row.proposer, set()).add(row.change_id)

    def _drop_gate_row(self, change_id: str) -> None:
        row = self.gate_rows.pop(change_id, None)
        if row is not None:
            self._proposals.get(row.proposer, set()).discard(change_id)

    def proposers(self) -> list[ObjectKey]:
        """Objects with rows in the gate."""
        return [key for key, change_ids in self._proposals.items() if change_ids]

    def proposed_by(self, proposer: ObjectKey) -> dict[str, GateRow]:
        """Rows of one object by change id."""
        return {
            change_id: self.gate_rows[change_id] for change_id in self._proposals.get(proposer, ())
        }

    def _put_intent(self, intent: Intent) -> None:
        open_intents = self._intents.setdefault(intent.holder, {})
        if intent.state is IntentState.OPEN:
            open_intents[intent.request_id] = intent
        else:
            open_intents.pop(intent.request_id, None)

    def rows_of(self, holder: HolderId) -> list[NumberRow]:
        """Rows held by, resting for, or kept for a holder, in order of number."""
        return [self.numbers[number] for number in sorted(self._numbers_of.get(holder, ()))]

    def held_row(self, holder: HolderId) -> NumberRow | None:
        """The number the holder has now: claimed, assigned or being given up."""
        for row in self.rows_of(holder):
            if row.holder == holder and row.state in HELD:
                return row
        return None

    def holder_declared_by(self, uid: str) -> HolderRow | None:
        holder = self._holder_by_uid.get(uid)
        return self.holders.get(holder) if holder is not None else None

    def open_intents(self, holder: HolderId) -> list[Intent]:
        return sorted(self._intents.get(holder, {}).values(), key=lambda intent: intent.sent_at)

    def all_open_intents(self) -> Iterator[Intent]:
        for intents in self._intents.values():
            yield from intents.values()

    def claims(self) -> int:
        """Numbers held on this connection: what percentages of the gate are counted against."""
        return sum(1 for row in self.numbers.values() if row.state in HELD)

    def claims_by_range(self) -> dict[str, int]:
        counts: dict[str, int] = {}
        for row in self.numbers.values():
            if row.state in HELD and row.range_name:
                counts[row.range_name] = counts.get(row.range_name, 0) + 1
        return counts

    def held_digests(self) -> dict[str, list[GateRow]]:
        batches: dict[str, list[GateRow]] = {}
        for row in self.gate_rows.values():
            if row.status is GateStatus.HELD:
                batches.setdefault(row.digest, []).append(row)
        return batches
