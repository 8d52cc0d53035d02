"""What is kept for accounts beside single calls: notices, users, statements, redaction.

The leader runs it. Each step can be repeated, and killed anywhere: what may happen once is decided
in the database.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from callplane.apis.calling_accounts import CallingAccount, NotificationTarget
from callplane.apis.rate_cards import RateCard
from callplane.billing import deck_comparing, reading, tariff
from callplane.billing import notices as thresholds
from callplane.clock import Clock
from callplane.cluster.events import EventSubject, ObjectEvent
from callplane.cluster.ports import EventSink, SecretReader
from callplane.cluster.secret_reading import SecretFound
from callplane.desired.account_months import AccountFacts, NumbersOnTheirWay, account_facts
from callplane.engine import month_statements, month_users
from callplane.engine.object_cache import CachedObject, ObjectCache
from callplane.engine.seats import Standing, active_users
from callplane.errors import CallplaneError
from callplane.notify.webhooks import SendOutcome, WebhookMessage
from callplane.store.books_ports import AccountMonth, Books, CallRow, Payer
from callplane.store.call_tables import LINE, CallTables
from callplane.store.deck_ports import Decks
from callplane.store.evidence_ports import EvidenceBook
from callplane.store.notices_ports import Delivery, DeliveryState, Notice, NoticeBook
from callplane.store.ports import StoreUnavailable
from callplane.telemetry import Telemetry
from callplane.values import ObjectKey, Period
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


@dataclass(frozen=True, slots=True)
class KeepingTimes:
    """Pauses in seconds; digits of calls older than `redact_days` are taken out, 0: never."""

    notice_seconds: float = 15.0
    statement_seconds: float = 3_600.0
    redact_days: int = 0


class AccountKeeping:
    """The loops of one leader."""

    def __init__(  # noqa: PLR0913 - what it works with, all named
        self,
        stores: AccountBooks,
        *,
        cache: ObjectCache,
        secrets: SecretReader,
        events: EventSink,
        clock: Clock,
        telemetry: Telemetry,
        times: KeepingTimes,
        standing: Standing,
        decks: Decks | None = None,
        on_their_way: Callable[[], NumbersOnTheirWay] = NumbersOnTheirWay,
        exceeded: Callable[[Mapping[ObjectKey, str]], None] = lambda found: None,
    ) -> None:
        self._stores = stores
        self._cache = cache
        self._secrets = secrets
        self._events = events
        self._clock = clock
        self._telemetry = telemetry
        self._times = times
        self._standing = standing
        self._decks = decks
        self._on_their_way = on_their_way
        self._exceeded = exceeded

    async def run(self) -> None:
        """Until cancelled. A database that is away is tried again with the next round."""
        try:
            lost = await self._stores.notices.abandon()
        except (StoreUnavailable, CallplaneError):
            lost = 0
        if lost:
            log.warning("%d notices were being sent when the last leader ended: unknown", lost)
        since_statements = self._times.statement_seconds
        while True:
            # What one of these cannot do now is no reason to leave out another.
            await self._step(self.give_notices)
            await self._step(self.deliver)
            if since_statements >= self._times.statement_seconds:
                since_statements = 0.0
                await self._step(self.note_users)
                await self._step(self.close_months)
                await self._step(self.redact)
            since_statements += self._times.notice_seconds
            await asyncio.sleep(self._times.notice_seconds)

    async def _step(self, step: Callable[[], Awaitable[int]]) -> None:
        try:
            await step()
        except CallplaneError as error:
            log.warning("accounts are kept later: %s", error)
        except Exception:
            log.exception("keeping of accounts failed and is tried again")

    # Notices

    async def give_notices(self) -> int:
        """Write down thresholds that were crossed, and tell of those that are new."""
        now, given = self._clock.now(), 0
        months = await self._stores.books.months()
        for cached, account in self._accounts():
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
        return await self._tell(cached, account, found, now)

    async def _tell(
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
        accounts = {f"{one.namespace}/{one.name}": one for _, one in self._accounts()}
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

    # Months

    async def note_users(self) -> int:
        """Write down who is active in this month; how many were seen, new or not?"""
        now, seen = self._clock.now(), 0
        passage = await self._stores.tables.read(0)
        entries = [stored.entry for stored in passage.entries]
        owners = {entry.name: entry.owner for entry in entries if entry.kind == LINE}
        said: dict[ObjectKey, str] = {}
        begun = {(one.account, one.period_start) for one in await self._stores.books.months()}
        for cached, account in self._accounts():
            label = f"{account.namespace}/{account.name}"
            payer = Payer.at(label, account.spec.currency, account.spec.time_zone, now)
            calls: list[CallRow] = []
            if (label, payer.period.start) in begun:
                calls.extend(await self._stores.books.calls(label, payer.period.start))
            users = active_users(
                entries, standing=self._standing, declared=self._declared, calls={label: calls}
            ).get(label, [])
            if users:
                await self._stores.evidence.note_active(payer, users, now=now)
                # Who calls through a PBX is looked at here, for it takes reading the calls.
                exceeded = thresholds.of_fair_use(month_statements.fair_use(users, calls))
                await self._tell(cached, account, exceeded, now)
                for one in exceeded:
                    sentence = one.sentence(label, payer.period.label, account.spec.currency)
                    said[ObjectKey(*owners[one.about].split("/", 2))] = sentence
            if users or account.spec.packages:
                # A month with fees is billed, whether anybody calls in it or not.
                await self._stores.books.counters(payer)
            seen += len(users)
        self._exceeded(said)
        return seen

    def _declared(self, owner: str) -> int | None:
        """The users of a PBX: billed by the count that is declared."""
        kind, namespace, name = owner.split("/", 2)
        cached = self._cache.get(ObjectKey(kind, namespace, name))
        spec: Any = getattr(cached and cached.resource, "spec", None)
        count: int | None = getattr(spec, "declared_users", None)
        return count

    async def close_months(self) -> int:
        """Close the statements that are due. What is wrong with one account stays its own."""
        return await month_statements.close_due(
            self._stores.books,
            self._stores.evidence,
            {facts.label: facts for facts in self._facts()},
            card_of=self._card,
            before=self._note_from_calls,
            now=self._clock.now(),
            on_their_way=self._on_their_way(),
            waits=self._statement_waits,
        )

    async def _note_from_calls(self, month: AccountMonth) -> None:
        """Write down who was active after the last look into a month: its calls show it."""
        label = month.account
        account = next(
            (one for _, one in self._accounts() if f"{one.namespace}/{one.name}" == label), None
        )
        if account is not None:
            await month_users.note(
                self._stores.books,
                self._stores.evidence,
                self._stores.tables,
                month,
                zone=account.spec.time_zone,
                declared=self._declared,
                now=self._clock.now(),
            )

    def _statement_waits(self, label: str, reason: str) -> None:
        for cached, account in self._accounts():
            if label == f"{account.namespace}/{account.name}":
                self._events.emit(
                    ObjectEvent(
                        EventSubject.of(cached.body),
                        reason="StatementWaits",
                        message=f"A statement cannot be closed: {reason}",
                        action="Close",
                        type="Warning",
                    )
                )

    async def redact(self) -> int:
        """Take the digits out of calls that are old enough, accounted for or not."""
        if not self._times.redact_days:
            return 0
        before = self._clock.now() - timedelta(days=self._times.redact_days)
        names = {month.account for month in await self._stores.books.months()}
        count = await self._stores.evidence.redact(before=before)
        count += await self._stores.books.redact_suspense(before=before)
        for name in sorted(names):
            count += await self._stores.books.redact(name, before=before)
        return count

    def _accounts(self) -> Iterator[tuple[CachedObject, CallingAccount]]:
        for cached in self._cache.of_kind("CallingAccount"):
            if isinstance(cached.resource, CallingAccount):
                yield cached, cached.resource

    def _facts(self) -> Iterator[AccountFacts]:
        kinds = ("Carrier", "NumberRange", "PhoneNumber", "CallingPlan")
        resources = [
            cached.resource
            for kind in kinds
            for cached in self._cache.of_kind(kind)
            if cached.resource is not None
        ]
        for _, account in self._accounts():
            try:
                yield account_facts(account, resources)
            except ValueError as error:
                log.warning("no statement of %s can be closed: %s", account.name, error)
                self._statement_waits(f"{account.namespace}/{account.name}", str(error))

    async def _card(self, facts: AccountFacts, calls: Sequence[CallRow]) -> tariff.RateCard | None:
        account = facts.account
        reference = account.spec.rate_card_ref
        if reference is None:
            return None
        key = ObjectKey("RateCard", reference.namespace or account.namespace, reference.name)
        cached = self._cache.get(key)
        if cached is None or not isinstance(cached.resource, RateCard):
            return None
        return await asyncio.to_thread(_ready, cached.resource, self._decks, calls)


def _ready(card: RateCard, decks: Decks | None, calls: Sequence[CallRow]) -> tariff.RateCard:
    """A card that prices these calls; of a deck only what can price them is read."""
    deck = card.spec.deck
    if deck is None or decks is None:
        return reading.rate_card(card)
    prefixes = deck_comparing.prefixes_of(
        call.destination for call in calls if call.pool_seconds and call.destination
    )
    rows = decks.rates_of(deck.digest, prefixes) if prefixes else []
    if not rows and decks.find(deck.digest) is None:
        return reading.rate_card(card)
    return reading.rate_card(card, rows)


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
