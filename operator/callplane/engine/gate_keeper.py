"""The one place per connection where gated changes are let through: the pure gate, kept in the
register.

Rows are stored before anything acts on them, so a failover at any moment finds the same batches.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from callplane.clock import Clock
from callplane.engine.register_mirror import RegisterMirror
from callplane.plan import gate
from callplane.plan.change import Change
from callplane.plan.gate import ChangeLimits, GateAnswer, GateRow, GateStatus
from callplane.store.ports import Commit
from callplane.values import ConnectionId, ObjectKey

log = logging.getLogger(__name__)

# Longer than the objects of one commit take to come, and their batch to close.
LOOSER_AFTER = timedelta(minutes=10)


class GateKeeper:
    """Proposals in, answers out; `wake` brings back the objects whose answer has changed."""

    def __init__(  # noqa: PLR0913 - what it stands on, and whom it tells; all named
        self,
        mirror: RegisterMirror,
        *,
        clock: Clock,
        limits: ChangeLimits,
        wake: Callable[[Iterable[ObjectKey]], None],
        moved: Callable[[Iterable[str]], None] = lambda _: None,
        claims: Callable[[], int] | None = None,
        stands: Callable[[str], bool] = lambda _: True,
    ) -> None:
        """`moved` hears the digests of held batches of which a row has changed; percentages are
        counted against `claims`, those of the register where it is left out. `stands` tells
        whether somebody still says an answer.
        """
        self._claims = claims or mirror.claims
        self._mirror = mirror
        self._clock = clock
        self._limits = limits
        # What the limits were before, and until when that still counts.
        self._earlier: list[tuple[datetime, ChangeLimits]] = []
        self._wake = wake
        self._moved = moved
        self._stands = stands
        # Rung whenever rows change, so that whoever calls `close_due` can sleep until then.
        self.ring: Callable[[], None] = lambda: None
        # Proposals, closing and approvals change several rows in steps; one at a time keeps them
        # whole.
        self._lock = asyncio.Lock()
        # Answers by change id that came before the change was proposed: (approval, expires at).
        self._answers: dict[str, dict[str, datetime]] = {}

    @property
    def limits(self) -> ChangeLimits:
        """What counts now: what is stricter at once, what is looser a while after it was said."""
        now = self._clock.now()
        self._earlier = [each for each in self._earlier if each[0] > now]
        return gate.strictest(self._limits, (limits for _, limits in self._earlier))

    def reconfigure(self, limits: ChangeLimits) -> None:
        """Limits that come in one commit with the deletions that they limit are no limits: looser
        ones are for what is judged later.
        """
        if limits != self._limits:
            self._earlier.append((self._clock.now() + LOOSER_AFTER, self._limits))
            self._limits = limits
            self.ring()

    async def propose(
        self,
        changes: Sequence[Change],
        *,
        proposer: ObjectKey,
        range_names: Mapping[str, str],
    ) -> GateAnswer:
        """Where these gated changes of one object stand; what it no longer proposes leaves the
        gate.
        """
        wanted = [change.change_id for change in changes]
        async with self._lock:
            now = self._clock.now()
            rows = self._mirror.gate_rows
            added = gate.propose(rows, changes, proposer=proposer, range_names=range_names, now=now)
            added = tuple(self._answered(row, now) for row in added)
            own = self._mirror.proposed_by(proposer)
            past = gate.withdrawn(own, proposer, wanted, now=now, limits=self.limits)
            dropped = gate.left(own, proposer, wanted, now=now, limits=self.limits)
            await self._store((*added, *past), dropped, now)
            return gate.answer(self._mirror.gate_rows, wanted, now=now, limits=self.limits)

    def remember_answer(
        self, approval: str, change_ids: Iterable[str], expires_at: datetime
    ) -> None:
        """An approval by change ids also covers changes that are proposed later, each once."""
        for change_id in change_ids:
            self._answers.setdefault(change_id, {})[approval] = expires_at

    async def forget_answer(self, approval: str) -> None:
        """The answer has ended or is taken back: changes it let through and that have not run wait
        again.
        """
        for answers in self._answers.values():
            answers.pop(approval, None)
        async with self._lock:
            revoked = gate.revoke(self._mirror.gate_rows, approval)
            await self._store(revoked, (), self._clock.now())
        self._wake({row.proposer for row in revoked})

    def _answered(self, row: GateRow, now: datetime) -> GateRow:
        for approval, expires_at in self._answers.get(row.change_id, {}).items():
            if expires_at > now and approval not in row.used_approvals:
                return replace(
                    row, status=GateStatus.APPROVED, approval=approval, expires_at=expires_at
                )
        return row

    async def withdraw(self, proposer: ObjectKey) -> None:
        """The object proposes nothing any more."""
        if self._mirror.proposed_by(proposer):
            await self.propose((), proposer=proposer, range_names={})

    def consumed(self, change: Change) -> GateRow | None:
        """The gate row as the write of this change leaves it; None: the change may not run now.

        An answer may have been taken back while nobody heard it, or while its change was under way.
        """
        row = gate.consume(self._mirror.gate_rows, change, now=self._clock.now())
        if row is not None and row.approval and not self._stands(row.approval):
            self.ring()
            return None
        return row

    def fallen(self) -> set[str]:
        """Answers that let changes through which have not run, and that nobody says any more."""
        rows = self._mirror.gate_rows.values()
        answers = {row.approval for row in rows if row.status is GateStatus.APPROVED}
        return {answer for answer in answers if not self._stands(answer)}

    def restored(self, change: Change) -> tuple[GateRow, ...]:
        """The grant of a write that did nothing, given back; empty when the change had none."""
        row = self._mirror.gate_rows.get(change.change_id)
        if row is None or row.status is not GateStatus.CONSUMED:
            return ()
        status = GateStatus.APPROVED if row.approval else GateStatus.GRANTED
        return (replace(row, status=status, consumed_at=None),)

    async def close_due(self, *, may_close: bool) -> float | None:
        """Close the open batch when its time has come; returns the seconds until then, None when
        none is open.
        """
        async with self._lock:
            closes_at = gate.batch_closes_at(self._mirror.gate_rows, self.limits)
            if closes_at is None:
                return None
            now = self._clock.now()
            wait = (closes_at - now).total_seconds()
            if wait > 0 or not may_close:
                return max(wait, 0.2)
            changed = gate.close(
                self._mirror.gate_rows,
                now=now,
                limits=self.limits,
                claims=self._claims(),
                claims_by_range=self._mirror.claims_by_range(),
            )
            await self._store(changed, (), now)
        _say_closed(self._mirror.connection, changed)
        self._wake({row.proposer for row in changed})
        return None

    async def approve(
        self, change_ids: Iterable[str], *, approval: str, expires_at: datetime
    ) -> tuple[GateRow, ...]:
        """Let the waiting changes among these ids through; returns those that it let through."""
        async with self._lock:
            now = self._clock.now()
            approved = gate.approve(
                self._mirror.gate_rows,
                change_ids,
                approval=approval,
                expires_at=expires_at,
                now=now,
            )
            await self._store(approved, (), now)
        if approved:
            log.info(
                "%s: %d changes approved by %s", self._mirror.connection, len(approved), approval
            )
            self._wake({row.proposer for row in approved})
        return approved

    def waiting(self) -> list[GateRow]:
        """Rows that are held for a person."""
        return [row for row in self._mirror.gate_rows.values() if row.status is GateStatus.HELD]

    async def _store(self, rows: Sequence[GateRow], dropped: Sequence[str], now: datetime) -> None:
        if rows or dropped:
            known = self._mirror.gate_rows
            digests = {row.digest for row in rows}
            digests |= {known[change_id].digest for change_id in dropped if change_id in known}
            await self._mirror.commit(
                Commit(gate_rows=tuple(rows), gate_dropped=tuple(dropped)), now=now
            )
            self._moved(digest for digest in digests if digest)
            self.ring()


def _say_closed(connection: ConnectionId, changed: Sequence[GateRow]) -> None:
    """What became of a batch, in the operator's log."""
    held = [row for row in changed if row.status is GateStatus.HELD]
    if held:
        log.warning("%s: %d changes held under %s", connection, len(held), held[0].digest)
    if len(held) < len(changed):
        log.info("%s: %d gated changes let through", connection, len(changed) - len(held))
