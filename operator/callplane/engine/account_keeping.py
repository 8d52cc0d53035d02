"""What is kept for accounts beside single calls: notices, users, statements, redaction.

The leader runs it. Each step can be repeated, and killed anywhere: what may happen once is decided
in the database.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from callplane.apis.rate_cards import RateCard
from callplane.billing import deck_comparing, fees, reading, tariff
from callplane.billing import notices as thresholds
from callplane.clock import Clock
from callplane.cluster.events import EventSubject, ObjectEvent
from callplane.cluster.ports import EventSink, SecretReader
from callplane.desired.account_months import AccountFacts, NumbersOnTheirWay, account_facts
from callplane.engine import month_statements, month_users
from callplane.engine.account_notices import AccountBooks, AccountNotices, accounts_in
from callplane.engine.object_cache import ObjectCache
from callplane.engine.seats import Standing, active_users
from callplane.errors import CallplaneError
from callplane.store.books_ports import AccountMonth, CallRow, Payer
from callplane.store.call_tables import LINE
from callplane.store.deck_ports import Decks
from callplane.store.ports import StoreUnavailable
from callplane.telemetry import Telemetry
from callplane.values import ObjectKey

log = logging.getLogger(__name__)


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
        self.notices = AccountNotices(
            stores, cache=cache, secrets=secrets, events=events, clock=clock, telemetry=telemetry
        )
        self._cache = cache
        self._events = events
        self._clock = clock
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
            await self._step(self.notices.give)
            await self._step(self.notices.deliver)
            if since_statements >= self._times.statement_seconds:
                since_statements = 0.0
                await self._step(self.note_hosting)
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

    async def note_hosting(self) -> int:
        """Write down what is hosted in this month; how many numbers were new to it, or changed?"""
        now, new, on_their_way = self._clock.now(), 0, self._on_their_way()
        for facts in self._facts():
            account = facts.account
            payer = Payer.at(facts.label, account.spec.currency, account.spec.time_zone, now)
            package = fees.package_on(reading.packages(account), payer.day)
            hosting = month_statements.hosting_now(facts, package, on_their_way)
            noted = await self._stores.evidence.hosting(facts.label, payer.period.start)
            known = set(noted.numbers) if noted is not None else set()
            news = tuple(one for one in hosting.numbers if one not in known)
            if noted is None or news or hosting.has_bolt_on > noted.has_bolt_on:
                await self._stores.evidence.note_hosting(
                    payer, replace(hosting, numbers=news), now=now
                )
            if any(one.each_micros for one in hosting.numbers):
                # A month with fees is billed, whether anybody calls in it or not.
                await self._stores.books.counters(payer)
            new += len(news)
        return new

    async def note_users(self) -> int:
        """Write down who is active in this month; how many were seen, new or not?"""
        now, seen = self._clock.now(), 0
        passage = await self._stores.tables.read(0)
        entries = [stored.entry for stored in passage.entries]
        owners = {entry.name: entry.owner for entry in entries if entry.kind == LINE}
        said: dict[ObjectKey, str] = {}
        begun = {(one.account, one.period_start) for one in await self._stores.books.months()}
        hosting = {
            facts.label for facts in self._facts() if any(one.each_micros for one in facts.numbers)
        }
        for cached, account in accounts_in(self._cache):
            label = f"{account.namespace}/{account.name}"
            payer = Payer.at(label, account.spec.currency, account.spec.time_zone, now)
            calls: list[CallRow] = []
            if (label, payer.period.start) in begun:
                calls.extend(await self._stores.books.calls(label, payer.period.start))
            registered = await self._stores.tables.registered(label, payer.period.start)
            users = active_users(
                entries,
                standing=self._standing,
                declared=self._declared,
                calls={label: calls},
                registered={label: registered},
            ).get(label, [])
            if users:
                await self._stores.evidence.note_active(payer, users, now=now)
                # Who calls through a PBX is looked at here, for it takes reading the calls.
                exceeded = thresholds.of_fair_use(month_statements.fair_use(users, calls))
                await self.notices.tell(cached, account, exceeded, now)
                for one in exceeded:
                    sentence = one.sentence(label, payer.period.label, account.spec.currency)
                    said[ObjectKey(*owners[one.about].split("/", 2))] = sentence
            if users or account.spec.packages or label in hosting:
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
            (one for _, one in accounts_in(self._cache) if f"{one.namespace}/{one.name}" == label),
            None,
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
        for cached, account in accounts_in(self._cache):
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

    def _facts(self) -> Iterator[AccountFacts]:
        kinds = ("Carrier", "NumberRange", "PhoneNumber", "CallingPlan")
        resources = [
            cached.resource
            for kind in kinds
            for cached in self._cache.of_kind(kind)
            if cached.resource is not None
        ]
        for _, account in accounts_in(self._cache):
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
