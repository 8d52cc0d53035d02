"""Notices of accounts: thresholds that were crossed, told by Events, metrics and signed webhooks.

Each is told at most once, whoever is killed in between: what was sent and not answered is never
sent again.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from callplane.apis.calling_accounts import CallingAccount, NotificationTarget
from callplane.billing import notices as thresholds
from callplane.clock import Clock
from callplane.cluster.events import EventSubject, ObjectEvent
from callplane.cluster.ports import EventSink, SecretReader
from callplane.cluster.secret_reading import SecretFound
from callplane.engine import account_figures
from callplane.engine.object_cache import CachedObject, ObjectCache
from callplane.errors import CallplaneError
from callplane.notify.webhooks import SendOutcome, WebhookMessage
from callplane.store.books_ports import AccountMonth, Books, Payer
from callplane.store.call_tables import CallTables
from callplane.store.evidence_ports import EvidenceBook
from callplane.store.notices_ports import Delivery, DeliveryState, Notice, NoticeBook
from callplane.telemetry import Telemetry
from callplane.values import Period
from callplane.values.money import parse_micros

log = logging.getLogger(__name__)

#: Pauses between attempts at one receiver; after the last it is given up.
RETRY_SECONDS = (60, 300, 1_800, 7_200, 21_600, 43_200, 86_400)
REASONS = {
    thresholds.NoticeKind.POOL: "PoolNotice",
    thresholds.NoticeKind.CEILING: "CeilingNotice",
    thresholds.NoticeKind.FAIR_USE: "FairUseExceeded",
}


class Sender(Protocol):
    """Sends one message once; `notify.webhooks` is it."""

    async def send(self, message: WebhookMessage, *, at_seconds: int) -> SendOutcome: ...


@dataclass(frozen=True, slots=True)
class AccountBooks:
    """The stores of accounts, and who sends notices."""

    books: Books
    evidence: EvidenceBook
    notices: NoticeBook
    sender: Sender
    tables: CallTables


def accounts_in(cache: ObjectCache) -> Iterator[tuple[CachedObject, CallingAccount]]:
    """Every account that can be read."""
    for cached in cache.of_kind("CallingAccount"):
        if isinstance(cached.resource, CallingAccount):
            yield cached, cached.resource


class AccountNotices:
    """Those of one leader."""

    def __init__(  # noqa: PLR0913 - what it works with, all named
        self,
        stores: AccountBooks,
        *,
        cache: ObjectCache,
        secrets: SecretReader,
        events: EventSink,
        clock: Clock,
        telemetry: Telemetry,
    ) -> None:
        self._stores = stores
        self._cache = cache
        self._secrets = secrets
        self._events = events
        self._clock = clock
        self._telemetry = telemetry

    async def give(self) -> int:
        """Write down thresholds that were crossed, and tell of those that are new."""
        now, given = self._clock.now(), 0
        months = await self._stores.books.months()
        accounts = list(accounts_in(self._cache))
        account_figures.tell(self._telemetry, (account for _, account in accounts), months, now)
        for cached, account in accounts:
            period = Period.of(now, account.spec.time_zone)
            label = f"{account.namespace}/{account.name}"
            for month in months:
                if (month.account, month.period_start) == (label, period.start):
                    given += await self._notice(cached, account, month, now)
        return given

    async def _notice(
        self, cached: CachedObject, account: CallingAccount, month: AccountMonth, now: datetime
    ) -> int:
        spec = account.spec
        found = thresholds.crossed(
            month.counters,
            pool_percents=spec.pool_notices,
            ceiling_percents=spec.ceiling_notices,
            ceiling_micros=None if spec.ceiling is None else parse_micros(spec.ceiling),
        )
        return await self.tell(cached, account, found, now)

    async def tell(
        self,
        cached: CachedObject,
        account: CallingAccount,
        found: Sequence[thresholds.Threshold],
        now: datetime,
    ) -> int:
        """Write thresholds down, and tell of those that are new."""
        spec, label = account.spec, f"{account.namespace}/{account.name}"
        payer = Payer.at(label, spec.currency, spec.time_zone, now)
        targets = [one.name for one in spec.notification_targets]
        new = await self._stores.notices.cross(payer, found, targets=targets, now=now)
        for notice in new:
            self._telemetry.notice_given(notice.threshold.kind.value)
            self._events.emit(
                ObjectEvent(
                    EventSubject.of(cached.body),
                    reason=REASONS[notice.threshold.kind],
                    message=_sentence(notice, account),
                    action="Meter",
                    type="Warning",
                )
            )
        return len(new)

    async def deliver(self) -> int:
        """Send what is due. Each delivery was marked before; what is not told to have failed is
        never sent again.
        """
        now = self._clock.now()
        accounts = {f"{one.namespace}/{one.name}": one for _, one in accounts_in(self._cache)}
        count = 0
        # One at a time: whoever is killed leaves one of which nobody knows, and not many.
        while taken := await self._stores.notices.take(now=now, limit=1):
            for delivery in taken:
                account = accounts.get(delivery.notice.account)
                state, next_at = await self._send(delivery, account, now)
                self._telemetry.notice_delivery(state.value)
                await self._stores.notices.end(delivery, state, next_at=next_at)
                count += 1
        return count

    async def _send(
        self, delivery: Delivery, account: CallingAccount | None, now: datetime
    ) -> tuple[DeliveryState, datetime | None]:
        target = None if account is None else _target(account, delivery.target)
        if account is None or target is None:
            # Nobody wants to hear it any more.
            return DeliveryState.GIVEN_UP, None
        found = await self._key(account, target)
        outcome = SendOutcome.REFUSED
        if found is None:
            log.warning("notices of %s wait: no Secret signs them", delivery.notice.account)
        else:
            message = WebhookMessage(
                url=target.url,
                delivery_id=delivery_id(delivery),
                content=content(delivery.notice, account),
                secret=found,
            )
            outcome = await self._stores.sender.send(message, at_seconds=int(now.timestamp()))
        if outcome is SendOutcome.DELIVERED:
            return DeliveryState.DELIVERED, None
        if outcome is SendOutcome.UNKNOWN:
            return DeliveryState.UNKNOWN, None
        if delivery.attempts > len(RETRY_SECONDS):
            return DeliveryState.GIVEN_UP, None
        pause = timedelta(seconds=RETRY_SECONDS[delivery.attempts - 1])
        return DeliveryState.WAITING, now + pause

    async def _key(self, account: CallingAccount, target: NotificationTarget) -> bytes | None:
        """What signs for a target; None as long as it cannot be read."""
        reference = target.secret_ref
        try:
            found = await self._secrets.read(
                namespace=account.namespace, name=reference.name, key=reference.key
            )
        except CallplaneError as error:
            log.warning("a Secret of %s cannot be read: %s", account.name, error)
            return None
        return found.value.reveal().strip() if isinstance(found, SecretFound) else None


def _target(account: CallingAccount, name: str) -> NotificationTarget | None:
    return next((one for one in account.spec.notification_targets if one.name == name), None)


def _month(notice: Notice, account: CallingAccount) -> str:
    return Period.of(notice.period_start, account.spec.time_zone).label


def _sentence(notice: Notice, account: CallingAccount) -> str:
    month = _month(notice, account)
    return notice.threshold.sentence(notice.account, month, account.spec.currency)


def delivery_id(delivery: Delivery) -> str:
    """The same for every attempt at one notice and target, so that a receiver can tell."""
    text = "\n".join(str(part) for part in (*delivery.notice.key, delivery.target))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def content(notice: Notice, account: CallingAccount) -> Mapping[str, object]:
    """What a webhook is told. Amounts are seconds, micro-units or people, by the kind."""
    threshold = notice.threshold
    return {
        "version": 1,
        "kind": threshold.kind.value,
        "account": notice.account,
        "month": _month(notice, account),
        "percent": threshold.percent,
        "limit": threshold.limit_amount,
        "used": threshold.used_amount,
        "about": threshold.about,
        "currency": account.spec.currency,
        "at": notice.at.isoformat(),
        "text": _sentence(notice, account),
    }
