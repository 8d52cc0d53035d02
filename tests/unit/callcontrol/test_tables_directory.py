"""Rows become lines, accounts and plans; an edit changes what stands on it and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from psycopg.errors import InsufficientPrivilege

from callplane.billing import reading
from callplane.billing.decks import DeckRow, digest_of
from callplane.billing.tariff import RateRow
from callplane.billing.terms import DOMESTIC_ONLY, NO_CALLS
from callplane.callcontrol.directory import Caller, caller_of
from callplane.callcontrol.messages import Authorise, Order, OutageFlag
from callplane.callcontrol.outage_flags import OutageFlags
from callplane.callcontrol.refreshing import keep_fresh, refresh
from callplane.callcontrol.tables_directory import TablesDirectory
from callplane.numbering.destinations import DestinationClass
from callplane.store.call_tables import LINE, Entry, Passage
from callplane.store.call_tables_memory import MemoryCallTables
from callplane.store.deck_ports import DeckHeader, Decks
from callplane.store.decks_memory import MemoryDecks
from callplane.store.ports import StoreUnavailable
from callplane.store.schema import SchemaMismatch
from callplane.testing import call_builders as build
from callplane.testing.billing_builders import BEGIN, row

pytestmark = pytest.mark.looptime
NOW = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)


class Desk:
    """Tables, and the directory of one call control."""

    def __init__(self, decks: Decks | None = None) -> None:
        self.tables = MemoryCallTables()
        self.directory = TablesDirectory(decks)

    async def write(self, *entries: Entry) -> None:
        await self.tables.write("here", entries, [], now=NOW)
        await refresh(self.tables, self.directory)


async def test_lines_stand_on_what_they_name() -> None:
    desk = Desk()
    await desk.write(*build.everything(ceiling="7"))
    line = desk.directory.line("pbx", build.ANNA)
    assert line is not None
    assert line.account.ceiling_micros == 7_000_000
    assert line.account.card is not None
    assert line.plan is not None
    assert line.plan.seconds == 300 * 60
    assert line.privilege is DOMESTIC_ONLY
    assert desk.directory.line("Teams", build.ANNA) is None
    assert desk.directory.line_of(build.ANNA) is line
    assert desk.directory.account(build.ACCOUNT) is line.account
    assert desk.directory.is_ours(build.BEN)
    assert not desk.directory.is_ours("+442079460099")
    assert not line.byoc


async def test_a_card_gets_the_prices_of_its_deck() -> None:
    decks = MemoryDecks()
    rates = [row("1", 70_000), row("44", 10_000)]
    digest = digest_of(rates, "GBP")
    with decks.staging() as staging:
        staging.add([DeckRow(2, rate) for rate in rates])
        staging.keep(DeckHeader(digest, "GBP", 2, 2, BEGIN, BEGIN, BEGIN))
    desk = Desk(decks)
    await desk.write(*build.everything())
    await desk.write(build.entry("RateCard", build.CARD, of_deck(digest)))
    assert price_to_america(desk) == 70_000
    # One that is not there leaves the prices that were known.
    await desk.write(build.entry("RateCard", build.CARD, of_deck("0" * 64)))
    assert price_to_america(desk) == 70_000
    assert "is not in the database" in desk.directory.refused["RateCard", build.CARD]


async def test_nothing_is_taken_while_decks_cannot_be_read() -> None:
    class Away(MemoryDecks):
        def rates(self, digest: str) -> Iterator[RateRow]:
            raise StoreUnavailable("away")

    desk = Desk(Away())
    await desk.write(*build.everything())
    version = desk.directory.version
    with pytest.raises(StoreUnavailable):
        await desk.write(build.entry("RateCard", build.CARD, of_deck("0" * 64)))
    assert desk.directory.version == version
    assert price_to_america(desk) == 100_000


def of_deck(digest: str) -> dict[str, object]:
    return {"currency": "GBP", "sample": True, "deck": {"digest": digest}}


def price_to_america(desk: Desk) -> int:
    line = desk.directory.line("pbx", build.ANNA)
    assert line is not None
    assert line.account.card is not None
    price = line.account.card.price_at("+12125550123", NOW)
    assert price is not None
    return price.per_minute_micros


async def test_an_edit_changes_every_line_that_stands_on_it() -> None:
    desk = Desk()
    await desk.write(*build.everything())
    await desk.write(build.account(ceiling="5"))
    for number in (build.ANNA, build.BEN):
        line = desk.directory.line("pbx", number)
        assert line is not None
        assert line.account.ceiling_micros == 5_000_000
        assert line.limits.ceiling_micros == 5_000_000
    # What stands on the account's card, two steps away.
    await desk.write(build.card(per_minute="0.42"))
    line = desk.directory.line("pbx", build.BEN)
    assert line is not None
    assert line.account.card is not None
    price = line.account.card.price_at("+12125550123", NOW)
    assert price is not None
    assert price.steepest_micros == 420_000
    await desk.write(build.plan(5))
    line = desk.directory.line("pbx", build.BEN)
    assert line is not None
    assert line.plan is not None
    assert line.plan.seconds == 300


async def test_a_privilege_and_what_only_receives() -> None:
    desk = Desk()
    wide = build.privilege("International")
    lines = [
        *build.line(build.ANNA, privilege=wide.name, byoc=True),
        *build.line(build.BEN, receivesOnly=True, ingress="pbx2"),
    ]
    await desk.write(*build.everything()[:4], wide, *lines)
    anna, ben = desk.directory.line("pbx", build.ANNA), desk.directory.line("pbx2", build.BEN)
    assert anna is not None
    assert ben is not None
    assert anna.privilege.classes == {DestinationClass.INTERNATIONAL}
    assert ben.privilege is NO_CALLS
    assert anna.byoc
    await desk.write(build.privilege("Mobile"))
    anna = desk.directory.line("pbx", build.ANNA)
    assert anna is not None
    assert anna.privilege.classes == {DestinationClass.MOBILE}


async def test_what_is_gone_is_gone_and_a_number_that_moved_is_the_new_ones() -> None:
    desk = Desk()
    await desk.write(*build.everything())
    number, line = build.line(build.ANNA)
    moved = Entry(LINE, "teams/tenant/9", "TeamsUser/sales/nina", line.content)
    await desk.write(moved, replace(line, content=None))
    found = desk.directory.line("pbx", build.ANNA)
    assert found is not None
    assert found.name == "teams/tenant/9"
    await desk.write(replace(moved, content=None), replace(number, content=None))
    assert desk.directory.line("pbx", build.ANNA) is None
    assert not desk.directory.is_ours(build.ANNA)


async def test_what_is_not_understood_leaves_what_was() -> None:
    desk = Desk()
    await desk.write(*build.everything(ceiling="7"))
    await desk.write(build.account(ceiling="a lot"))
    line = desk.directory.line("pbx", build.ANNA)
    assert line is not None
    assert line.account.ceiling_micros == 7_000_000
    assert ("CallingAccount", build.ACCOUNT) in desk.directory.refused
    await desk.write(build.account(ceiling="8"))
    assert desk.directory.refused == {}


async def test_a_line_without_its_account_is_nobodys() -> None:
    desk = Desk()
    await desk.write(*build.line(build.ANNA, plan=None))
    assert desk.directory.line("pbx", build.ANNA) is None
    await desk.write(build.card(), build.account())
    assert desk.directory.line("pbx", build.ANNA) is not None


async def test_another_database_replaces_everything() -> None:
    desk = Desk()
    await desk.write(*build.everything())
    await desk.write(build.account(ceiling="1"))
    desk.tables = MemoryCallTables()
    await desk.tables.write("here", [build.card()], [], now=NOW)
    assert await refresh(desk.tables, desk.directory)
    assert desk.directory.line("pbx", build.ANNA) is None
    assert desk.directory.account(build.ACCOUNT) is None


async def test_it_is_kept_fresh_and_outlives_the_database() -> None:
    desk = Desk()
    news: list[int] = []
    keeping = asyncio.create_task(
        keep_fresh(desk.tables, desk.directory, changed=lambda: news.append(1))
    )
    await asyncio.sleep(0.1)
    assert desk.directory.is_known
    await desk.tables.write("here", build.everything(), [], now=NOW)
    await asyncio.sleep(0.1)
    assert desk.directory.line("pbx", build.ANNA) is not None
    desk.tables.available = False
    await asyncio.sleep(60)
    assert desk.directory.line("pbx", build.ANNA) is not None
    desk.tables.available = True
    await desk.tables.write("here", [build.account(ceiling="3")], [], now=NOW)
    await asyncio.sleep(2)
    account = desk.directory.account(build.ACCOUNT)
    assert account is not None
    assert account.ceiling_micros == 3_000_000
    assert len(news) == 3
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)


@pytest.mark.parametrize(
    "error", [SchemaMismatch("no schema yet"), InsufficientPrivilege("denied"), KeyError("x")]
)
async def test_following_the_tables_goes_on_after_any_error(error: Exception) -> None:
    class Failing(MemoryCallTables):
        failures = 3

        async def read(self, known: int) -> Passage:
            if self.failures:
                self.failures -= 1
                raise error
            return await super().read(known)

    tables, directory = Failing(), TablesDirectory()
    keeping = asyncio.create_task(keep_fresh(tables, directory))
    await asyncio.sleep(0.1)
    assert not directory.is_known
    await tables.write("here", build.everything(), [], now=NOW)
    await asyncio.sleep(10)
    assert not keeping.done()
    assert directory.line("pbx", build.ANNA) is not None
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)


async def test_an_entry_that_fails_in_whatever_way_keeps_no_other_from_being_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    desk = Desk()
    await desk.write(*build.everything())

    def fail(found: object) -> None:
        raise AttributeError("of a version to come")

    monkeypatch.setattr(reading, "privilege", fail)
    await desk.write(build.privilege("International"), build.account(ceiling="5"))
    assert ("CallPrivilege", build.privilege("International").name) in desk.directory.refused
    account = desk.directory.account(build.ACCOUNT)
    assert account is not None
    assert account.ceiling_micros == 5_000_000


async def told(flags: OutageFlags, sent: list[Order]) -> dict[str, int]:
    await asyncio.sleep(0.1)
    flags_told = [order for order in sent if isinstance(order, OutageFlag)]
    assert {order.ingress for order in flags_told} <= {"pbx"}
    found = {order.caller: order.seconds for order in flags_told}
    sent.clear()
    return found


async def test_an_sbc_is_told_whose_bundled_calls_may_go_on() -> None:
    desk = Desk()
    await desk.write(*build.everything(), *build.line("+442079460003", plan=None))
    flags = OutageFlags(desk.directory)
    sent: list[Order] = []
    send = sent.append
    flags.connected(send)
    assert await told(flags, sent) == {build.ANNA: 600, build.BEN: 600}
    flags.changed()
    assert await told(flags, sent) == {}
    await desk.write(replace(build.line(build.BEN)[1], content=None))
    flags.changed()
    assert await told(flags, sent) == {build.BEN: 0}
    await desk.write(build.account(onOutage="Refuse"))
    flags.changed()
    assert await told(flags, sent) == {build.ANNA: 0}
    await desk.write(build.account())
    flags.connected(send)
    assert await told(flags, sent) == {build.ANNA: 600}
    await flags.close()


async def test_an_sbc_is_told_nothing_of_lines_whose_carrier_the_customer_pays() -> None:
    desk = Desk()
    await desk.write(*build.everything(), *build.line(build.BEN, byoc=True))
    flags = OutageFlags(desk.directory)
    sent: list[Order] = []
    flags.connected(sent.append)
    assert await told(flags, sent) == {build.ANNA: 600}
    await flags.close()


async def test_a_pbx_has_channels_and_pays_for_who_shows_no_number_of_it() -> None:
    desk = Desk()
    await desk.write(*build.everything()[:4])
    numbers = [build.ANNA, build.BEN]
    trunk = build.line(
        build.ANNA, isTrunk=True, channels=30, outsideLine="9", numbers=numbers, plan=None
    )
    await desk.write(*trunk)
    line = desk.directory.line("pbx", build.BEN)
    assert line is not None
    assert (line.limits.line_calls, line.limits.line_calls_per_minute) == (30, 300)
    assert desk.directory.outside_line("pbx") == "9"
    assert desk.directory.outside_line("pbx2") == ""
    question = Authorise(1, 1, "a", "b", "pbx", "+447700900999", "02079460123")
    assert caller_of(question, desk.directory) == Caller(line, build.ANNA)
    await desk.write(
        *build.line(build.ANNA, isTrunk=True, outsideLine="9", numbers=numbers, plan=None)
    )
    line = desk.directory.line("pbx", build.BEN)
    assert line is not None
    assert (line.limits.line_calls, line.limits.line_calls_per_minute) == (None, None)
    # Nobody's number of another connection helps, and a phone is who its digest says.
    assert caller_of(replace(question, ingress="pbx2"), desk.directory) is None
    assert caller_of(replace(question, digest_user="bob"), desk.directory) is None
    await desk.write(replace(trunk[1], content=None))
    assert caller_of(question, desk.directory) is None
