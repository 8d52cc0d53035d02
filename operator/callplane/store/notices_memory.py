"""Notices without a database: the twin of `notices_postgres`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from callplane.billing.notices import Threshold
from callplane.store.books_ports import Payer
from callplane.store.notices_ports import Delivery, DeliveryState, Notice


@dataclass(slots=True)
class _Row:
    notice: Notice
    target: str
    next_at: datetime
    state: DeliveryState = DeliveryState.WAITING
    attempts: int = 0


class MemoryNotices:
    """`NoticeBook` in lists."""

    def __init__(self) -> None:
        self._notices: dict[object, Notice] = {}
        self._rows: dict[object, _Row] = {}

    async def cross(
        self,
        payer: Payer,
        thresholds: Sequence[Threshold],
        *,
        targets: Sequence[str],
        now: datetime,
    ) -> tuple[Notice, ...]:
        new = []
        for threshold in thresholds:
            notice = Notice(payer.account, payer.period.start, threshold, now)
            if notice.key in self._notices:
                continue
            self._notices[notice.key] = notice
            new.append(notice)
            for target in sorted(set(targets)):
                self._rows[(*notice.key, target)] = _Row(notice, target, now)
        return tuple(new)

    async def take(self, *, now: datetime, limit: int = 50) -> tuple[Delivery, ...]:
        due = [
            row
            for row in self._rows.values()
            if row.state is DeliveryState.WAITING and row.next_at <= now
        ]
        taken = sorted(due, key=lambda row: (row.next_at, row.target))[:limit]
        for row in taken:
            row.state, row.attempts = DeliveryState.SENDING, row.attempts + 1
        found = [Delivery(row.notice, row.target, row.attempts) for row in taken]
        return tuple(sorted(found, key=lambda one: (one.notice.key, one.target)))

    async def end(
        self, delivery: Delivery, state: DeliveryState, *, next_at: datetime | None = None
    ) -> None:
        row = self._rows[(*delivery.notice.key, delivery.target)]
        if row.state is DeliveryState.SENDING:
            row.state, row.next_at = state, next_at or row.next_at

    async def abandon(self) -> int:
        lost = [row for row in self._rows.values() if row.state is DeliveryState.SENDING]
        for row in lost:
            row.state = DeliveryState.UNKNOWN
        return len(lost)

    async def states(self) -> dict[DeliveryState, int]:
        return dict(Counter(row.state for row in self._rows.values()))
