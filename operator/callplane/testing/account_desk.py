"""A leader's keeping of one account over stores in memory, and what its owner and receivers see.

desk = Desk()
await desk.spend(2)
assert await desk.round() == 1
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Mapping
from typing import Any

from callplane.billing.active_users import TeamsIdentity
from callplane.cluster.events import ObjectEvent
from callplane.cluster.secret_reading import SecretFound, SecretMissing, SecretReading, SecretValue
from callplane.engine.account_keeping import AccountKeeping, KeepingTimes
from callplane.engine.account_notices import AccountBooks
from callplane.engine.object_cache import ObjectCache
from callplane.notify.webhooks import SendOutcome, WebhookMessage
from callplane.store.books_memory import MemoryBooks
from callplane.store.call_tables_memory import MemoryCallTables
from callplane.store.decks_memory import MemoryDecks
from callplane.store.evidence_memory import MemoryEvidence
from callplane.store.notices_memory import MemoryNotices
from callplane.telemetry import Telemetry
from callplane.testing.books_builders import NOW, unreserved
from callplane.testing.manual_clock import ManualClock
from callplane.values import ObjectKey

KEY = ObjectKey("CallingAccount", "sales", "acme")


VERSIONS = itertools.count(1)


def body(ceiling: str = "0.02", **changes: Any) -> dict[str, Any]:
    return {
        "apiVersion": "callplane.dev/v1alpha1",
        "kind": "CallingAccount",
        "metadata": {
            "name": "acme",
            "namespace": "sales",
            "uid": "uid-1",
            "resourceVersion": str(next(VERSIONS)),
            "generation": next(VERSIONS),
        },
        "spec": {
            "currency": "GBP",
            "payAsYouGo": True,
            "rateCardRef": {"name": "standard"},
            "ceiling": ceiling,
            "notificationTargets": [
                {
                    "name": "desk",
                    "url": "https://hooks.example/acme",
                    "secretRef": {"name": "hooks", "key": "acme"},
                }
            ],
            **changes,
        },
    }


class Secrets:
    """The Secret that signs; it may be missing, or not to be read."""

    def __init__(self) -> None:
        self.is_there = True
        self.error: Exception | None = None
        self.value = b"secret\n"

    async def read(self, *, namespace: str, name: str, key: str) -> SecretReading:
        if self.error is not None:
            raise self.error
        if not self.is_there:
            return SecretMissing(namespace, name)
        return SecretFound(SecretValue(self.value), "1", "uid-2")


class Events:
    """What would be Events of the cluster."""

    def __init__(self) -> None:
        self.seen: list[ObjectEvent] = []

    def emit(self, event: ObjectEvent) -> None:
        self.seen.append(event)


class Receiver:
    """Answers as it is told; `killed` dies between the sending and the answer."""

    def __init__(self) -> None:
        self.outcomes: list[SendOutcome] = []
        self.seen: list[WebhookMessage] = []
        self.killed = False

    async def send(self, message: WebhookMessage, *, at_seconds: int) -> SendOutcome:
        self.seen.append(message)
        if self.killed:
            raise asyncio.CancelledError
        return self.outcomes.pop(0) if self.outcomes else SendOutcome.DELIVERED


class Desk:
    """A leader's keeping over stores in memory, which outlive it."""

    def __init__(self) -> None:
        self.clock = ManualClock(NOW)
        self.books = MemoryBooks()
        self.notices = MemoryNotices()
        self.evidence = MemoryEvidence(self.books)
        self.tables = MemoryCallTables()
        self.standing: dict[str, TeamsIdentity] = {}
        self.exceeded: list[Mapping[ObjectKey, str]] = []
        self.receiver, self.events, self.secrets = Receiver(), Events(), Secrets()
        self.telemetry = Telemetry()
        self.cache = ObjectCache()
        self.decks = MemoryDecks()
        self.cache.put(KEY, body())
        self.keeping = self.begin()

    def begin(self, **times: Any) -> AccountKeeping:
        stores = AccountBooks(self.books, self.evidence, self.notices, self.receiver, self.tables)
        return AccountKeeping(
            stores,
            cache=self.cache,
            secrets=self.secrets,
            events=self.events,
            clock=self.clock,
            telemetry=self.telemetry,
            times=KeepingTimes(**times),
            decks=self.decks,
            standing=lambda holder, number: self.standing.get(str(holder)),
            exceeded=self.exceeded.append,
        )

    async def spend(self, pennies: int, name: str = "call") -> None:
        calls = [unreserved(f"{name}-{n}", 60) for n in range(pennies)]
        await self.books.settle(calls, now=self.clock.now())

    async def round(self) -> int:
        given = await self.keeping.notices.give()
        await self.keeping.notices.deliver()
        return given


async def rounds() -> None:
    """Let a loop without pauses go round for a while."""
    for _ in range(50):
        await asyncio.sleep(0)
