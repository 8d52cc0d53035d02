"""A session border controller as call control knows it: asks, counts, cuts, records.

It does what the rendered configuration makes Kamailio do. One of them asks about every call, also
those to emergency services, as an SBC of others over HTTP may.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from callplane.clock import Clock
from callplane.testing.months.journal import Fact, Journal
from callplane.testing.months.processes import Wire

VERDICT_SECONDS = 0.8
OUTAGE_SECONDS = 600


@dataclass
class Intended:
    """A call that somebody is going to make: who, to whom, and how it will go.

    `payer` is the line that has to pay, empty where nobody does. `service` is emergency or exempt.
    """

    caller: str
    dialled: str
    payer: str
    kind: str
    headers: dict[str, str] = field(default_factory=dict)
    call_id: str = ""
    service: str = ""
    inbound: bool = False
    ring_seconds: float = 5.0
    talk_seconds: float = 60.0
    gives_up: bool = False


@dataclass
class _Dialog:
    deadline: float
    changed: asyncio.Event


class Switch:
    """`ingress` is where its calls come in; `boot_id` changes with every start."""

    def __init__(  # noqa: PLR0913 - all are parts of one switch
        self, name: str, ingress: str, spool: Path, journal: Journal, clock: Clock, random: Random
    ) -> None:
        self.name = name
        self.ingress = ingress
        self.spool = spool
        self.asks_everything = False
        self.wire = Wire(random)
        #: Callers who may go on within the bundle while nobody answers.
        self.flagged: set[str] = set()
        self.upwards: Callable[[bytes], None] = lambda body: None
        self._journal = journal
        self._clock = clock
        self._random = random
        self._boots = 0
        self._calls = 0
        self._questions: dict[int, asyncio.Future[Fact]] = {}
        self._asked_late: dict[int, str] = {}
        self._dialogs: dict[int, _Dialog] = {}
        self.boot()

    def boot(self) -> None:
        """Start anew: every call that was up is gone, without a record."""
        self._boots += 1
        self.boot_id = f"{self.name}-{self._boots}"
        for dialog in self._dialogs.values():
            dialog.deadline = -1.0
            dialog.changed.set()
        self._dialogs = {}

    def take(self, body: bytes) -> None:
        """An order of call control."""
        order = json.loads(body)
        if order["op"] == "verdict":
            self._verdict(order)
        elif order["op"] == "extend" and order["boot_id"] == self.boot_id:
            dialog = self._dialogs.get(order["he"])
            if dialog is not None:
                dialog.deadline = self._clock.monotonic() + order["seconds"]
                dialog.changed.set()

    async def place(self, intended: Intended) -> None:
        """One call from its INVITE to its record, written down as it went."""
        self._calls += 1
        number = self._calls
        truth: Fact = {
            "switch": self.name,
            "attempt": f"{self.name}-{number}",
            "intended": intended,
            "setup": self._clock.now(),
            "boot": self.boot_id,
            "recorded": False,
            "told_seconds": None,
        }
        await self._route(number, intended, truth)
        self._journal.note("call", self._clock.now(), **truth)

    async def _route(self, number: int, intended: Intended, truth: Fact) -> None:
        attempt = truth["attempt"]
        caller, dialled, limit, reservation = intended.caller, intended.dialled, None, ""
        if intended.service and not self.asks_everything:
            truth["class"] = intended.service
            if intended.service == "emergency":
                self._say(
                    "emergency", attempt, ingress=self.ingress, caller=caller, dialled=dialled
                )
        elif intended.inbound:
            truth["class"] = "inbound"
        else:
            verdict = await self._ask(number, intended, attempt)
            if verdict is None or verdict.get("reason") == "Outage":
                allowed = caller in self.flagged and intended.kind == "bundled"
                truth["outcome"] = "refused"
                truth["reason"] = "503"
                if not allowed:
                    return
                truth["class"], limit = "outage", OUTAGE_SECONDS
            elif not verdict["allow"]:
                truth["outcome"], truth["reason"] = "refused", verdict["reason"]
                return
            else:
                truth["class"] = "on-net" if verdict.get("on_net") else "outbound"
                limit = verdict["max_seconds"]
                caller = verdict.get("caller", caller)
                dialled = verdict.get("dialled", dialled)
                reservation = verdict.get("reservation_id", "")
                truth["told_seconds"] = limit
        truth["shown"] = caller
        truth.pop("reason", None)
        await asyncio.sleep(intended.ring_seconds)
        if intended.gives_up or truth["boot"] != self.boot_id:
            truth["outcome"] = "not answered"
            self._say("failed", attempt)
            return
        await self._talk(number, intended, truth, limit)
        if truth["outcome"] == "vanished":
            return
        fields = {
            "attempt": attempt,
            "class": truth["class"],
            "account": "",
            "caller": caller,
            "dialled": dialled,
            "ingress": self.ingress,
            "reservation": reservation,
        }
        self._record(truth, fields)

    async def _ask(self, number: int, intended: Intended, attempt: str) -> Fact | None:
        waiting: asyncio.Future[Fact] = asyncio.get_running_loop().create_future()
        self._questions[number] = waiting
        self._say(
            "authorise",
            attempt,
            i=number,
            l=number,
            ingress=self.ingress,
            caller=intended.caller,
            dialled=intended.dialled,
            call_id=intended.call_id,
            **intended.headers,
        )
        try:
            return await asyncio.wait_for(waiting, VERDICT_SECONDS)
        except TimeoutError:
            self._asked_late[number] = attempt
            return None
        finally:
            del self._questions[number]

    def _verdict(self, order: Fact) -> None:
        waiting = self._questions.get(order["i"])
        if waiting is not None and not waiting.done():
            waiting.set_result(order)
        elif order["i"] in self._asked_late and order["allow"]:
            # Too late: its call went the way of the fail policy.
            self._say("failed", self._asked_late.pop(order["i"]))

    async def _talk(
        self, number: int, intended: Intended, truth: Fact, limit: float | None
    ) -> None:
        now = self._clock.monotonic()
        dialog = _Dialog(now + (limit if limit is not None else 1e12), asyncio.Event())
        self._dialogs[number] = dialog
        truth["answered"] = self._clock.now()
        if truth["class"] == "outbound":
            self._say("started", truth["attempt"], he=number, hi=number)
        hangs_up = now + intended.talk_seconds
        while True:
            until = min(hangs_up, dialog.deadline)
            try:
                await asyncio.wait_for(dialog.changed.wait(), max(0.0, until - self._now()))
            except TimeoutError:
                break
            dialog.changed.clear()
            if dialog.deadline < 0:
                truth["outcome"] = "vanished"
                return
        truth["was_cut"] = hangs_up > dialog.deadline
        if truth["was_cut"]:
            # The timer of dialogs ticks once a second.
            await asyncio.sleep(self._random.uniform(0, 0.9))
        self._dialogs.pop(number, None)
        if truth["boot"] != self.boot_id:
            truth["outcome"] = "vanished"
            return
        truth["outcome"] = "ended"
        truth["released"] = self._clock.now()

    def _record(self, truth: Fact, fields: dict[str, str]) -> None:
        """Into the spool, which is never lost, and by the wire, which may be."""
        begin, end = _milliseconds(truth["answered"]), _milliseconds(truth["released"])
        seconds = {
            "start_time": _seconds(begin),
            "end_time": _seconds(end),
            "duration": _seconds(end - begin),
        }
        record = {**seconds, **fields}
        line = "; ".join(f"{name}={value}" for name, value in record.items())
        with self.spool.open("a", encoding="ascii") as file:
            file.write(f" 3(1) CRITICAL: acc [acc_cdr.c:395]: log_write_cdr(): {line}\n")
        truth["recorded"] = True
        truth["milliseconds"] = end - begin
        body = json.dumps({"ev": "cdr", "cdr": record}).encode()
        self.wire.carry(lambda: self.upwards(body))
        self._say("ended", fields["attempt"])

    def _say(self, event: str, attempt: str, **values: Any) -> None:
        content = {"ev": event, "attempt_id": attempt, "boot_id": self.boot_id, **values}
        body = json.dumps(content).encode()
        self.wire.carry(lambda: self.upwards(body))

    def _now(self) -> float:
        return self._clock.monotonic()


def _milliseconds(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def _seconds(milliseconds: int) -> str:
    """As Kamailio writes times."""
    return f"{milliseconds // 1000}.{milliseconds % 1000:03d}"
