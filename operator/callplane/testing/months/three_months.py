"""Three months of callers, administrators and accidents, by a seed.

Calls come in waves: alone, several of one account at once, and always around the end of a month
where the account is. In between terms change, and everything that can break does.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

from callplane.store.books_ports import AccountMonth, Payer
from callplane.store.ports import StoreUnavailable
from callplane.testing.months import market, virtual_loop
from callplane.testing.months.asking import BooksAtOnce, books_of
from callplane.testing.months.journal import Journal, plain
from callplane.testing.months.market import Tables, Terms
from callplane.testing.months.processes import Process
from callplane.testing.months.switch import Intended, Switch
from callplane.testing.months.watched_books import Life, WatchedBooks, Weather

#: Either holds one of the two clock changes of Europe and, in its own week, those of New York and
#: Sydney.
BEGINS = (datetime(2026, 8, 31, 12, tzinfo=UTC), datetime(2026, 2, 28, 12, tzinfo=UTC))
SERVICES = (
    ("999", "emergency"),
    ("112", "emergency"),
    ("18000", "emergency"),
    ("111", "exempt"),
    ("101", "exempt"),
    ("+44999", "emergency"),
)
SETTLED_SECONDS = 3 * 3600.0


@dataclass(frozen=True, slots=True)
class Wish:
    """Which months to live: `calls` in all over so many `days`; `dsn` names a database to use."""

    seed: int
    days: int = 92
    calls: int = 3_000
    dsn: str = ""
    mutant: str = ""


def live(wish: Wish) -> Journal:
    """Live through them."""
    with tempfile.TemporaryDirectory() as folder, books_of(wish.dsn) as books:
        return virtual_loop.run(_Months(wish, Path(folder), books).live())


class _Months:
    def __init__(self, wish: Wish, folder: Path, books: BooksAtOnce) -> None:
        self.wish = wish
        self.random = Random(wish.seed)
        self.begin = BEGINS[wish.seed % len(BEGINS)]
        self.clock = virtual_loop.BeginClock(self.begin)
        self.books = books
        self.weather = Weather(Random(self.random.random()))
        self.tables = Tables()
        self.terms = market.starting()
        self.journal = Journal(
            {
                "seed": wish.seed,
                "mutant": wish.mutant,
                "begin": self.begin.isoformat(),
                "card": list(market.CARD),
                "access": market.ACCESS_MICROS,
                "set": dict(market.SET),
                "numbers": {
                    market.number_of(one["name"], nth): [one["name"], nth]
                    for one in market.ACCOUNTS
                    for nth in range(one["lines"])
                },
            }
        )
        self.folder = folder
        self.switches: list[Switch] = []
        self.processes: dict[str, Process] = {}
        self.started = 0

    async def live(self) -> Journal:
        for nth, ingress in enumerate((market.TEAMS, market.TRUNK, market.ASKING)):
            random = Random(self.random.random())
            spool = self.folder / f"sbc{nth}.spool"
            spool.touch()
            switch = Switch(f"sbc{nth}", ingress, spool, self.journal, self.clock, random)
            switch.asks_everything = ingress == market.ASKING
            self.switches.append(switch)
            self._start_process(switch)
        self.operator = WatchedBooks(
            self.books, Life("operator"), self.weather, self.journal, self.clock
        )
        for terms in self.terms.values():
            await self._administer(terms)
        seconds = self.wish.days * 86_400
        async with asyncio.TaskGroup() as going:
            for moment, happening in self._schedule(seconds):
                delay = moment - self.clock.monotonic()
                await asyncio.sleep(max(0.0, delay))
                happening(going)
        await self._end()
        return self.journal

    def _schedule(self, seconds: float) -> list[tuple[float, Callable[[asyncio.TaskGroup], None]]]:
        random = self.random
        happenings: list[tuple[float, Callable[[asyncio.TaskGroup], None]]] = []
        placed = 0
        ends = self._month_ends(seconds)
        while placed < self.wish.calls:
            size = random.choice((1, 1, 1, 2, 3, 5, 8))
            near = random.random() < 0.2
            moment = random.choice(ends) + random.gauss(0, 400) if near and ends else None
            if moment is None:
                moment = random.uniform(60, seconds)
            moment = min(max(60.0, moment), seconds)
            happenings.append((moment, self._wave(size)))
            placed += size
        waves = [moment for moment, _ in happenings]
        for work, per_day in (
            (self._change_terms, 1.2),
            (self._kill_process, 0.6),
            (self._stand_still, 0.15),
            (self._restart_switch, 0.1),
            (self._cut_wire, 0.5),
            (self._database_away, 0.15),
        ):
            happenings += [
                (self._when(waves, seconds), self._spawn(work))
                for _ in range(max(2, round(per_day * self.wish.days)))
            ]
        for end in ends:
            # Asleep through midnight, on one side of it or the other.
            happenings.append((end - random.uniform(1, 900), self._spawn(self._stand_still)))
            happenings.append((end + random.gauss(0, 300), self._spawn(self._change_terms)))
        return sorted(happenings, key=lambda one: one[0])

    def _when(self, waves: list[float], seconds: float) -> float:
        """At any time, or, twice as often, while a wave of calls is under way."""
        if self.random.random() < 1 / 3:
            return self.random.uniform(120, seconds)
        return self.random.choice(waves) + self.random.uniform(0, 120)

    def _month_ends(self, seconds: float) -> list[float]:
        ends = []
        for zone in sorted({one["zone"] for one in market.ACCOUNTS}):
            for month in range(1, 13):
                first = datetime(2026, month, 1, tzinfo=ZoneInfo(zone)).astimezone(UTC)
                at = (first - self.begin).total_seconds()
                if 1_000 < at < seconds - 1_000:
                    ends.append(at)
        return ends

    def _spawn(
        self, work: Callable[[], Coroutine[None, None, None]]
    ) -> Callable[[asyncio.TaskGroup], None]:
        def begin(going: asyncio.TaskGroup) -> None:
            # A task group keeps its tasks by itself.
            going.create_task(work())

        return begin

    def _wave(self, size: int) -> Callable[[asyncio.TaskGroup], None]:
        """Calls that begin within a second, mostly of one account."""
        random = Random(self.random.random())

        def begin(going: asyncio.TaskGroup) -> None:
            account = random.choice(market.ACCOUNTS)
            switch = next(one for one in self.switches if one.ingress == account["ingress"])
            call_id = f"call-{random.randrange(10**9)}"
            for _ in range(size):
                intended = self._intended(random, account)
                intended.call_id = call_id
                going.create_task(self._late(random.uniform(0, 1), switch, intended))

        return begin

    async def _late(self, seconds: float, switch: Switch, intended: Intended) -> None:
        await asyncio.sleep(seconds)
        await switch.place(intended)

    def _intended(self, random: Random, account: Terms) -> Intended:
        name, ingress = account["name"], account["ingress"]
        nth = random.randrange(account["lines"])
        number = market.number_of(name, nth)
        dialled, kind, service, inbound = self._destination(random, number)
        caller, headers, payer = number, {}, number
        trick = random.random()
        stranger = "+442079460999"
        others = [
            market.number_of(one["name"], 0) for one in market.ACCOUNTS if one["ingress"] != ingress
        ]
        if inbound:
            caller, dialled, payer = stranger, number, number
        elif trick < 0.08:
            # Diverted: the caller is somebody from outside, the line that diverts pays.
            headers = {"diversion": f"<sip:{number}@sbc.example>;reason=unconditional"}
            caller = stranger
        elif trick < 0.14:
            headers = {"referred_by": f"<sip:{number}@sbc.example>"}
            caller = stranger
        elif trick < 0.20:
            # Somebody else's number in From and in a header: the line that is asserted pays.
            caller = random.choice(others)
            headers = {
                "history_info": f"<sip:{random.choice(others)}@sbc.example>;index=1",
                "asserted": f"<sip:{number}@sbc.example>",
            }
        elif trick < 0.22 or (service and trick < 0.5):
            caller, payer = stranger, ""
        talk = random.choice((3.0, 20.0, 60.0, 61.0, 120.0, 600.0, 1_800.0))
        return Intended(
            caller=caller,
            dialled=dialled,
            payer=payer,
            kind=kind,
            headers=headers,
            service=service,
            inbound=inbound,
            ring_seconds=random.uniform(0.1, 40),
            talk_seconds=random.uniform(0.2, 1.6) * talk,
            gives_up=random.random() < 0.12,
        )

    def _destination(self, random: Random, number: str) -> tuple[str, str, str, bool]:
        if random.random() < 0.05:
            dialled, service = random.choice(SERVICES)
            return dialled, "service", service, False
        if random.random() < 0.05:
            return number, "inbound", "", True
        if random.random() < 0.04:
            other = random.choice([one for one in self.journal.head["numbers"] if one != number])
            return other, "on-net", "", False
        dialled = random.choices(
            [one for one, _ in market.DIALLED], [weight for _, weight in market.DIALLED]
        )[0]
        kind = "bundled" if dialled.startswith(("02", "+4416", "07")) else "other"
        return dialled, kind, "", False

    async def _change_terms(self) -> None:
        """Plans come and go, switches are thrown, ceilings move."""
        terms = dict(self.terms[self.random.choice(sorted(self.terms))])
        what = self.random.choice(
            (
                "plans",
                "plans",
                "plans",
                "overspend",
                "rate_card_billing",
                "ceiling",
                "day_cap",
                "suspended",
                "block_all",
                "finish",
            )
        )
        if what == "plans":
            if not terms["pay_as_you_go"]:
                terms["plans"] = dict(terms["plans"])
                nth = str(self.random.randrange(terms["lines"]))
                sizes = (600, 1_800, 3_600, 5_400)
                held = [self.random.choice(sizes) for _ in range(self.random.randrange(3))]
                terms["plans"][nth] = held
                if not held:
                    del terms["plans"][nth]
        elif what == "ceiling":
            terms[what] = self.random.choice((100_000, 1_000_000, 3_000_000, 6_000_000))
        elif what == "day_cap":
            terms[what] = self.random.choice((100_000, 400_000, 1_000_000, None))
        elif what == "suspended":
            terms[what] = not terms[what] and self.random.random() < 0.3
        else:
            terms[what] = not terms[what]
        await self._administer(terms)

    async def _administer(self, terms: Terms) -> None:
        """What the operator does with a change in git: tables first, then the plans in the books,
        again and again until it is done.
        """
        name = terms["name"]
        self.terms[name] = terms
        self.tables.put(terms)
        self.journal.note("terms", self.clock.now(), terms=terms)
        for process in self.processes.values():
            process.authoriser.changed()
        for switch in self.switches:
            for nth in range(terms["lines"]):
                number = market.number_of(name, nth)
                switch.flagged.discard(number)
                if str(nth) in terms["plans"] and not terms["suspended"]:
                    switch.flagged.add(number)
        while self.terms[name] is terms:
            now = self.clock.now()
            payer = Payer.at(name, "GBP", terms["zone"], now)
            try:
                await self.operator.set_plans(payer, market.holders_of(terms), now=now)
            except StoreUnavailable:
                await asyncio.sleep(1)
            else:
                return

    async def _kill_process(self) -> None:
        """SIGKILL; another starts within some minutes."""
        switch = self.random.choice(self.switches)
        process = self.processes[switch.name]
        if process.life.is_dead:
            return
        process.life.is_dead = True
        process.life.go_on()
        self.journal.note("kill", self.clock.now(), process=process.life.name)
        switch.wire.is_up = False
        await asyncio.sleep(self.random.choice((0.5, 5, 60, 900)) * self.random.random())
        self._start_process(switch)
        switch.wire.is_up = True

    async def _stand_still(self) -> None:
        process = self.processes[self.random.choice(self.switches).name]
        process.life.stand_still()
        await asyncio.sleep(self.random.choice((2, 60, 3_600)) * self.random.random())
        process.life.go_on()

    async def _restart_switch(self) -> None:
        switch = self.random.choice(self.switches)
        self.journal.note("boot", self.clock.now(), switch=switch.name)
        self._lose(switch)
        switch.boot()
        await asyncio.sleep(2)
        self._connect(switch)

    async def _cut_wire(self) -> None:
        switch = self.random.choice(self.switches)
        self._lose(switch)
        await asyncio.sleep(self.random.choice((0.2, 3, 300)) * self.random.random())
        self._connect(switch)

    def _lose(self, switch: Switch) -> None:
        switch.wire.is_up = False
        self.processes[switch.name].lose_connection()

    def _connect(self, switch: Switch) -> None:
        switch.wire.is_up = not self.processes[switch.name].life.is_dead

    async def _database_away(self) -> None:
        self.weather.is_away = True
        await asyncio.sleep(self.random.choice((1, 20, 600)) * self.random.random())
        self.weather.is_away = False

    def _start_process(self, switch: Switch) -> None:
        self.started += 1
        life = Life(f"callcontrol-{self.started}")
        books = WatchedBooks(self.books, life, self.weather, self.journal, self.clock)
        process = Process(
            life=life,
            books=books,
            tables=self.tables,
            clock=self.clock,
            spool=switch.spool,
            source=switch.name,
            wire=switch.wire,
            orders=switch.take,
        )
        self.processes[switch.name] = process
        switch.upwards = process.receive
        process.start()

    async def _end(self) -> None:
        """Good weather until everything that waits is done, then what the books hold."""
        self.weather.is_away, self.weather.trouble = False, 0.0
        for process in self.processes.values():
            process.life.go_on()
        await asyncio.sleep(SETTLED_SECONDS)
        for process in self.processes.values():
            await process.catch_up()
        for month in self.books.ask(lambda books: books.months()):
            self._note_month(month)
        self.journal.note(
            "suspense", self.clock.now(), records=self.books.ask(lambda books: books.suspended())
        )

    def _note_month(self, month: AccountMonth) -> None:
        account, start = month.account, month.period_start
        postings = self.books.ask(lambda books: books.postings(account, start))
        self.journal.note(
            "month",
            self.clock.now(),
            account=account,
            period=start,
            counters=month.counters,
            postings=[{"id": one.id, **plain(one.posting)} for one in postings],
            calls=self.books.ask(lambda books: books.calls(account, start)),
        )
