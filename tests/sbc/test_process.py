"""Everything real: rows in PostgreSQL, the call control process, Kamailio, SIP, the ledger."""

from __future__ import annotations

import asyncio
import math
import re
import time
import urllib.parse
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psycopg
import pytest

from callplane.clock import SystemClock
from callplane.testing import call_builders as build
from callplane.testing import call_control_process, noon_zones, polling, sbc_estates
from callplane.testing.call_control_process import CallControl
from callplane.testing.fixtures import database_dsn, throw_away_postgres
from callplane.testing.sbc_estates import LoopbackSbc
from callplane.testing.sbc_world import SbcWorld
from callplane.testing.sip_endpoint import Call
from callplane.testing.tcp_relay import TcpRelay

__all__ = ["database_dsn", "throw_away_postgres"]

ANNA, BEN = build.ANNA, build.BEN
LANDLINE, ABROAD, ON_NET = "+442079460123", "+12025550123", "+442079460008"


@pytest.fixture(scope="module")
def estate() -> LoopbackSbc:
    return LoopbackSbc(verdict_milliseconds=sbc_estates.PATIENT_MILLISECONDS)


@dataclass
class Stage:
    """The SBC with its peers, the process, the database, and a wire between the last two."""

    world: SbcWorld
    control: CallControl
    dsn: str
    wire: TcpRelay
    zone: str

    async def write(self, *entries: Any, pool_seconds: int | None = None) -> None:
        await call_control_process.write(
            self.dsn, entries, zone=self.zone, pool_seconds=pool_seconds
        )

    async def start(self, **settings: str) -> None:
        await asyncio.to_thread(lambda: self.control.start(**settings))
        await eventually(lambda: self.world.connected() >= 1, "the SBC knows its call control")

    async def call(self, dialled: str = LANDLINE, caller: str = ANNA) -> Call:
        pbx = await self.world.pbx()
        return await pbx.call(self.world.uri(dialled), self.world.estate.core, caller=caller)

    async def reason(self, dialled: str = LANDLINE, caller: str = ANNA) -> tuple[int, str]:
        call = await self.call(dialled, caller)
        return call.status, call.final.start.partition(" ")[2][4:]

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.dsn) as session:
            return session.execute(statement).fetchall()

    def month(self) -> dict[str, int]:
        """The account's month in the books."""
        (row,) = self.rows(
            "select used_seconds, held_seconds, posted_micros, held_micros, live_calls "
            f"from books.account_periods where account = '{build.ACCOUNT}'"
        )
        return dict(zip(("used", "held", "posted", "held_micros", "live"), row, strict=True))

    def records(self) -> list[tuple[str, int, str, bool]]:
        """Destination, duration, mode of every call in the books, and was it reserved."""
        return self.rows(
            "select destination, duration_seconds, mode, was_reserved from books.cdrs "
            "order by released_at"
        )

    async def flags_are_pushed(self) -> None:
        """Wait until the SBC knows who may go on without call control."""

        def pushed() -> bool:
            told = str(self.world.kamailio.rpc("htable.dump", "outage"))
            return all(f"pbx|{number}" in told for number in (ANNA, BEN))

        await eventually(pushed, "flags are pushed")

    async def settled(self, calls: int) -> None:
        def check() -> bool:
            found = (len(self.records()), self.month()["live"])
            assert found == (calls, 0)
            return True

        await eventually(check, f"{calls} calls are in the books")


async def eventually(check: Any, what: str, *, seconds: float = 40.0) -> None:
    """Wait for what comes within a second or two; `seconds` bound only how long it may hang."""
    await asyncio.to_thread(polling.until, check, what, seconds=seconds)


@pytest.fixture
async def stage(
    world: SbcWorld, database_dsn: str, tmp_path: Path
) -> AsyncIterator[AsyncGenerator[Stage]]:
    role = await asyncio.to_thread(call_control_process.as_call_control, database_dsn)
    parts = urllib.parse.urlsplit(role)
    async with TcpRelay(parts.hostname or "", parts.port or 0) as wire:
        dsn = call_control_process.through(wire.port, role)
        control = CallControl(dsn, world.place(), tmp_path)
        await world.carriers()
        try:
            zone = noon_zones.zone(SystemClock().now())
            yield Stage(world, control, database_dsn, wire, zone)  # type: ignore[misc]
        finally:
            await asyncio.to_thread(control.close)


async def test_one_story_from_rows_to_the_ledger(stage: Stage) -> None:
    """Allowed, refused, changed, cut at the grant, emergency throughout."""
    await stage.write(
        *build.everything(onExhaustion="Cut", rateCardBilling=False, overspend="Block"),
        pool_seconds=8,
    )
    await stage.start(rpc_sockets=str(stage.world.kamailio.control.path))
    assert stage.control.metric("callplane_call_lines") == 2
    await eventually(
        lambda: 'callplane_sbc_peer_up{peer="alpha"' in stage.control.says("/metrics"), "seen"
    )
    began = time.monotonic()
    call = await stage.call()
    assert call.status == 200
    assert await stage.reason(caller=BEN) == (403, "PoolHeld")
    assert await stage.reason(ABROAD) == (403, "PrivilegeDenied")
    assert await stage.reason(caller="+442079460007") == (403, "UnknownLine")
    assert (await stage.call("999", BEN)).status == 200
    await asyncio.sleep(1.2)
    assert (await call.bye()).status == 200
    longest_seconds = math.ceil(time.monotonic() - began)
    await eventually(lambda: stage.month()["held"] == 0, "what was not used is free again")
    used = stage.month()["used"]
    assert 2 <= used <= longest_seconds
    # An edit of the privilege, and of the account, decides the next call.
    wide = build.privilege("International", "Geographic")
    await stage.write(wide, *build.line(ANNA, privilege=wide.name))
    await eventually_reason(stage, ABROAD, (403, "RateCardDisabled"))
    await stage.write(build.account(rateCardBilling=True, overspend="Block", onExhaustion="Cut"))
    await eventually_reason(stage, ABROAD, None)
    # What is left of the pool, and then the SBC ends the call by itself.
    last = await stage.call()
    assert last.status == 200
    pbx = await stage.world.pbx()
    await eventually(lambda: len(pbx.requests("BYE")) == 1, "the call is cut at its grant")
    await eventually(lambda: stage.month()["used"] == 8, "all of the pool is used")
    assert await stage.reason() == (403, "PoolExhausted")
    assert (await stage.call("999")).status == 200
    await eventually(
        lambda: stage.control.metric("callplane_emergency_calls_total") == 2, "both are counted"
    )
    reserved = [row for row in stage.records() if row[3]]
    assert [mode for _, _, mode, _ in reserved] == ["Plan", "Card", "Plan"]


async def eventually_reason(stage: Stage, dialled: str, expected: tuple[int, str] | None) -> None:
    """Call until the answer is that one; None: the call is made and ended. It comes sooner than
    rows are read that nobody was told of, every ten seconds.
    """
    async with asyncio.timeout(8.0):
        while True:
            call = await stage.call(dialled)
            found = (call.status, call.final.start.partition(" ")[2][4:])
            if call.status == 200:
                await asyncio.sleep(0.05)
                await call.bye()
            if found == expected or (expected is None and call.status == 200):
                return
            await asyncio.sleep(0.1)


async def test_killed_during_a_call_it_is_charged_once_to_the_second(stage: Stage) -> None:
    await stage.write(*build.everything(), pool_seconds=3600)
    await stage.start()
    await stage.flags_are_pushed()
    began = time.monotonic()
    call = await stage.call()
    assert call.status == 200
    await eventually(lambda: stage.rows(ACTIVE) == [(1,)], "the call is answered in the books")
    assert stage.month()["held"] > 60
    await asyncio.to_thread(stage.control.kill)
    await asyncio.sleep(1.1)
    # The other one begins and ends while nobody is there: by the flag that was pushed.
    other = await stage.call(caller=BEN)
    assert other.status == 200
    assert (await other.bye()).status == 200
    await stage.start()
    assert (await call.bye()).status == 200
    longest_seconds = math.ceil(time.monotonic() - began)
    await stage.settled(2)
    ((_, seconds, mode, was_reserved),) = [row for row in stage.records() if row[3]]
    assert (mode, was_reserved) == ("Plan", True)
    month = stage.month()
    charged = sum(row[1] for row in stage.records())
    assert month["used"] == charged
    assert (month["held"], month["live"]) == (0, 0)
    assert 2 <= seconds <= longest_seconds
    # The copy of the spool changed nothing.
    await asyncio.sleep(1.0)
    assert stage.month() == month
    assert len(stage.rows("select from books.leg_keys")) == 2


ACTIVE = "select count(*)::int from books.reservations where state = 'Active'"


async def test_a_call_goes_on_when_the_process_that_extends_it_is_killed(stage: Stage) -> None:
    """Its grant is moved to its end: an hour of a call is not what a test waits for."""
    await stage.write(*build.everything(), pool_seconds=3600)
    await stage.start()
    call = await stage.call()
    assert call.status == 200
    await eventually(
        lambda: stage.rows("select count(*)::int from calls.dialogs") == [(1,)], "it is noted"
    )
    await asyncio.to_thread(stage.control.kill)
    held = stage.month()["held"]
    with psycopg.connect(stage.dsn, autocommit=True) as owner:
        owner.execute(
            "update books.reservations set answered_at = now() - make_interval(secs => %s)",
            (held - 6,),
        )
    await stage.start()
    await eventually(lambda: stage.month()["held"] > held, "the call holds more")
    await eventually(
        lambda: "a call that nobody extended goes on" in stage.control.log(), "it is said"
    )
    assert (await call.bye()).status == 200
    await stage.settled(1)


async def test_everything_killed_with_calls_up_is_in_the_books_once(stage: Stage) -> None:
    """Kamailio too: its calls end with it, and what was reserved is let go by the reaper."""
    await stage.write(*build.everything(), pool_seconds=3600)
    await stage.start()
    ended, cut_off = await stage.call(), await stage.call(caller=BEN)
    assert (ended.status, cut_off.status) == (200, 200)
    await eventually(lambda: stage.rows(ACTIVE) == [(2,)], "both are answered in the books")
    await asyncio.to_thread(stage.control.kill)
    assert (await ended.bye()).status == 200
    spool = stage.world.kamailio.spool
    await eventually(lambda: b"log_write_cdr" in spool.read_bytes(), "the spool has a record")
    stage.world.kamailio.kill()
    with psycopg.connect(stage.dsn, autocommit=True) as owner:
        owner.execute("update books.reservations set expires_at = now() where state = 'Active'")
    await asyncio.to_thread(stage.world.kamailio.start)
    await stage.start()
    await eventually(lambda: stage.month()["live"] == 0, "nothing is held any more")
    await eventually(lambda: len(stage.records()) == 1, "the record of the spool is taken")
    month = stage.month()
    assert month["held"] == 0
    assert stage.rows(
        "select state, count(*)::int from books.reservations group by state order by state"
    ) in ([("Expired", 1), ("Posted", 1)], [("Posted", 1), ("Expired", 1)])


@pytest.mark.parametrize("how", ["away", "hung"])
async def test_without_a_database_the_fail_policy_decides(stage: Stage, how: str) -> None:
    wide = build.privilege("International", "Geographic")
    careful = replace(build.account(onOutage="Refuse"), name="sales/careful")
    content = dict(careful.content or {}) | {"metadata": {"name": "careful", "namespace": "sales"}}
    careful = replace(careful, owner="CallingAccount/sales/careful", content=content)
    await stage.write(
        *build.everything(rateCardBilling=True)[:4],
        wide,
        careful,
        *build.line(ANNA, privilege=wide.name),
        *build.line(BEN, account="sales/careful"),
        pool_seconds=3600,
    )
    await stage.start()
    up = await stage.call()
    assert up.status == 200
    await eventually(lambda: stage.rows(ACTIVE) == [(1,)], "a call is up")
    if how == "away":
        await stage.wire.cut()
    else:
        stage.wire.silence()
    answers = [
        (await stage.call(LANDLINE)).status,
        (await stage.call(LANDLINE, BEN)).status,
        (await stage.call(ABROAD)).status,
        (await stage.call("+442079460008")).status,
        (await stage.call("999")).status,
    ]
    assert answers == [200, 503, 503, 200, 200]
    assert await stage.reason(ABROAD, BEN) == (403, "PrivilegeDenied")
    assert stage.control.says("/readyz") == "ok"
    assert (await up.bye()).status == 200
    await stage.wire.mend()
    await eventually(lambda: stage.month()["live"] == 0, "the call is settled")
    assert await stage.reason("+442079460123", "+442079460007") == (403, "UnknownLine")


async def test_a_hung_process_is_silent_and_the_sbc_follows_its_own_table(stage: Stage) -> None:
    await stage.write(*build.everything(), pool_seconds=3600)
    await stage.start()
    await stage.flags_are_pushed()
    stage.control.pause()
    try:
        assert (await stage.call(LANDLINE)).status == 200
        assert (await stage.call(ABROAD)).status == 503
        assert (await stage.call(ON_NET)).status == 200
        assert (await stage.call("999")).status == 200
    finally:
        stage.control.go_on()
    await eventually(lambda: stage.month()["held"] == 0, "nothing stays reserved")


async def test_started_without_a_database_it_is_away_and_takes_nothing(stage: Stage) -> None:
    """Records of people that it does not know yet would be nobody's."""
    await stage.write(*build.everything(), pool_seconds=3600)
    await stage.start()
    call = await stage.call()
    await eventually(lambda: stage.rows(ACTIVE) == [(1,)], "the call is answered in the books")
    await asyncio.to_thread(stage.control.kill)
    assert (await call.bye()).status == 200
    await stage.wire.cut()
    starting = asyncio.create_task(stage.start())
    await eventually(lambda: stage.control.says("/healthz") == "ok", "the process is up")
    assert stage.control.says("/readyz") != "ok"
    assert stage.world.connected() == 0
    assert (await stage.call(ABROAD)).status == 503
    assert (await stage.call("999")).status == 200
    await stage.wire.mend()
    await starting
    await stage.settled(1)
    assert stage.rows("select count(*)::int from books.suspense") == [(0,)]


async def test_asked_to_stop_it_takes_what_it_has_and_exits_cleanly(stage: Stage) -> None:
    await stage.write(*build.everything(), pool_seconds=3600)
    await stage.start()
    call = await stage.call()
    # A BYE within a millisecond is another story.
    await asyncio.sleep(0.1)
    assert (await call.bye()).status == 200
    assert await asyncio.to_thread(stage.control.stop) == 0
    await stage.start()
    await stage.settled(1)
    assert stage.records()[0][3]


async def test_what_was_taken_long_ago_leaves_the_spool_when_it_starts(stage: Stage) -> None:
    await stage.write(*build.everything(), pool_seconds=3600)
    call = await stage.call("999")
    assert (await call.bye()).status == 200
    spool = stage.world.kamailio.spool
    await eventually(lambda: b"log_write_cdr" in spool.read_bytes(), "the spool has a record")
    days = 5 * 86_400
    old = re.sub(
        rb"((?:start|end)_time=)(\d+)",
        lambda found: found[1] + str(int(found[2]) - days).encode(),
        spool.read_bytes(),
    )
    spool.write_bytes(old + spool.read_bytes())
    await stage.start()
    mark = spool.with_name(f"{spool.name}.mark")
    await eventually(
        lambda: mark.exists() and mark.read_text().split()[0] == str(spool.stat().st_size),
        "both records are taken",
    )
    behind = "callplane_call_spool_behind_bytes"
    assert f"{behind} " in stage.control.says("/metrics")
    await eventually(lambda: stage.control.metric(behind) == 0, "nothing is behind")
    assert await asyncio.to_thread(stage.control.stop) == 0
    assert spool.read_bytes()[:1] != b"\0"
    await stage.start()
    await eventually(lambda: spool.read_bytes()[:1] == b"\0", "the old one is given back")
    assert spool.read_bytes().count(b"log_write_cdr") == 1


def test_settings_that_cannot_be_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from callplane.cli import app

    monkeypatch.setenv("CALLPLANE_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    for name, value in (
        ("SBCS", "127.0.0.1"),
        ("SBCS", "127.0.0.1:0"),
        ("SPOOLS", "/one,/two"),
        ("OUTSIDE_LINES", "pbx"),
        ("OUTSIDE_LINES", "pbx=12345"),
        ("SESSIONS", "many"),
    ):
        with monkeypatch.context() as patch:
            patch.setenv(f"CALLPLANE_{name}", value)
            assert app.run(["callcontrol"]) == 1
