"""Calls are decided, held, extended and given back over the books."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from callplane.billing.clip import Grant
from callplane.billing.quotes import Mode, RefusalReason
from callplane.billing.terms import AccountTerms, Enforcement, Line, OnExhaustion, Privilege
from callplane.callcontrol.authorising import (
    BOOKS_SECONDS,
    OVERTIME,
    RING,
    SERVICE_SECONDS,
    UNCOUNTED_SECONDS,
    BooksAuthoriser,
)
from callplane.callcontrol.directory import MemoryDirectory, caller_of
from callplane.callcontrol.messages import Authorise, Extend, Order, Started
from callplane.callcontrol.ports import Granted, Refused
from callplane.callcontrol.reaping import Reaper
from callplane.numbering.destinations import DOMESTIC, DestinationClass
from callplane.sbc import rendering
from callplane.store.books_memory import MemoryBooks
from callplane.store.books_ports import Payer, PlanHolder, ReservationState, Reserve
from callplane.store.ports import StoreUnavailable
from callplane.testing import billing_builders as build
from callplane.testing.loop_clock import LoopClock

pytestmark = pytest.mark.looptime

OTHER = "+442079460002"
CHARGED = DestinationClass.HIGHER_SERVICE_CHARGE
QUESTION = Authorise(
    i=1,
    l=2,
    attempt_id="a-1",
    boot_id="b-1",
    ingress=build.INGRESS,
    caller=build.CALLER,
    dialled=build.LANDLINE,
)


class Desk:
    """An authoriser with one line of a plan of `minutes`, and one of another account."""

    def __init__(self, *, minutes: int = 10, **changes: Any) -> None:
        self.terms = build.account(**changes)
        self.line = build.line(self.terms, plan=build.plan(minutes))
        other = Line("sales/other", AccountTerms("sales/other"), build.INGRESS, frozenset({OTHER}))
        lines = {(build.INGRESS, build.CALLER): self.line, (build.INGRESS, OTHER): other}
        self.books = MemoryBooks()
        self.clock = LoopClock(build.SETUP)
        self.directory = MemoryDirectory(lines, frozenset({"+442079460009"}))
        self.authoriser = BooksAuthoriser(self.books, self.directory, self.clock)
        self.minutes = minutes

    @property
    def payer(self) -> Payer:
        return Payer.at(self.terms.name, "GBP", self.terms.zone, self.clock.now())

    async def ask(self, question: Authorise = QUESTION) -> Granted | Refused:
        holder = PlanHolder("anna", "plan", self.minutes * 60)
        await self.books.set_plans(self.payer, [holder], now=self.clock.now())
        return await self.authoriser.authorise(question)

    async def held(self) -> int:
        return (await self.books.counters(self.payer)).held_seconds


async def test_a_call_within_the_bundle_is_held_and_shown_as_the_lines_number() -> None:
    desk = Desk()
    granted = await desk.ask()
    assert isinstance(granted, Granted)
    # An eighth of what is free.
    assert granted.max_seconds == 75
    assert granted.reservation_id == "a-1"
    assert (granted.dialled, granted.caller) == ("+442079460123", build.CALLER)
    assert await desk.held() == 75
    # The same question again holds nothing more.
    assert await desk.ask() == granted
    assert await desk.held() == 75


async def test_what_is_given_up_is_given_back() -> None:
    desk = Desk()
    await desk.ask()
    await desk.authoriser.withdraw("a-1")
    assert await desk.held() == 0


@pytest.mark.parametrize("enforcement", Enforcement)
async def test_an_attempt_that_was_given_back_is_refused(enforcement: Enforcement) -> None:
    """Whoever asks over HTTP and gave up waiting asks again: what was granted is held no more."""
    desk = Desk(enforcement=enforcement)
    await desk.ask()
    await desk.authoriser.withdraw("a-1")
    assert await desk.ask() == Refused("AttemptOver")
    assert await desk.held() == 0
    assert isinstance(await desk.ask(replace(QUESTION, attempt_id="a-2")), Granted)


async def test_a_call_that_rings_as_long_as_the_sbc_lets_it_is_held_when_it_is_answered() -> None:
    """A far end that is in league with its caller says again and again that it rings."""
    desk = Desk()
    await desk.ask()
    reaper = Reaper(desk.books, desk.directory, desk.clock)
    sent: list[Order] = []
    await asyncio.sleep(rendering.INVITE_MILLISECONDS / 1000 - 1)
    assert await reaper.step() == 0
    await desk.authoriser.answered(Started("a-1", "b-1", 3, 4), sent.append)
    assert await desk.held() == 75
    await asyncio.sleep(70)
    assert len(sent) == 1


@pytest.mark.parametrize(
    ("question", "reason"),
    [
        (replace(QUESTION, caller="+442079460777"), "UnknownLine"),
        (replace(QUESTION, ingress="elsewhere"), "UnknownLine"),
        (replace(QUESTION, dialled=build.ABROAD), "PrivilegeDenied"),
        (replace(QUESTION, caller=OTHER), "NoPlan"),
    ],
)
async def test_refusals_have_their_reason(question: Authorise, reason: str) -> None:
    assert await Desk().ask(question) == Refused(reason)


async def test_an_empty_pool_refuses() -> None:
    assert await Desk(minutes=0).ask() == Refused("PoolExhausted")


async def test_an_account_that_only_observes_refuses_nothing_and_holds_nothing() -> None:
    desk = Desk(minutes=0, enforcement=Enforcement.OBSERVE)
    granted = await desk.ask()
    assert isinstance(granted, Granted)
    assert granted.reservation_id == ""
    assert await desk.held() == 0


async def test_a_number_of_ours_stays_on_net() -> None:
    granted = await Desk(minutes=0).ask(replace(QUESTION, dialled="02079460009"))
    assert isinstance(granted, Granted)
    assert granted.on_net
    assert granted.reservation_id == ""


async def test_a_refusal_that_is_only_written_down_stays_on_net() -> None:
    """Otherwise its record would be rated as a call to somebody else's number."""
    desk = Desk(minutes=0, enforcement=Enforcement.OBSERVE, suspended=True)
    granted = await desk.ask(replace(QUESTION, dialled="02079460009"))
    assert isinstance(granted, Granted)
    assert granted.on_net


async def test_books_that_are_away_are_an_outage() -> None:
    desk = Desk(bundled_on_outage=False)
    desk.books.available = False
    with pytest.raises(StoreUnavailable):
        await desk.authoriser.authorise(QUESTION)


class HungBooks(MemoryBooks):
    """Books whose database takes questions and answers late."""

    hangs_seconds = 5.0

    async def reserve(self, request: Reserve) -> Grant | RefusalReason:
        await asyncio.sleep(self.hangs_seconds)
        return await super().reserve(request)


def questions_while_books_are_away() -> list[tuple[str, Authorise, dict[str, Any], int | str]]:
    """What is asked, by which account, and seconds or a reason; Outage is a 503."""
    return [
        ("within the bundle", QUESTION, {}, 600),
        ("bundled, not allowed", QUESTION, {"bundled_on_outage": False}, "Outage"),
        ("priced", replace(QUESTION, dialled="08712345678"), {"rate_card_billing": True}, "Outage"),
        ("on net", replace(QUESTION, dialled="02079460009"), {}, UNCOUNTED_SECONDS),
        (
            "not allowed by privilege",
            replace(QUESTION, dialled=build.ABROAD),
            {},
            "PrivilegeDenied",
        ),
        ("suspended", QUESTION, {"suspended": True}, "LineSuspended"),
        ("unknown", replace(QUESTION, caller="+442079460777"), {}, "UnknownLine"),
        ("emergency", replace(QUESTION, dialled="999"), {}, SERVICE_SECONDS),
    ]


@pytest.mark.parametrize(
    ("question", "changes", "expected"),
    [pytest.param(*row[1:], id=row[0]) for row in questions_while_books_are_away()],
)
@pytest.mark.parametrize("how", ["away", "hung"])
async def test_the_fail_policy_decides_while_the_books_are_away(
    how: str, question: Authorise, changes: dict[str, Any], expected: int | str
) -> None:
    desk = Desk(**changes)
    if how == "hung":
        desk.authoriser.books = desk.books = HungBooks()
        await desk.books.set_plans(
            desk.payer, [PlanHolder("anna", "plan", 600)], now=desk.clock.now()
        )
    else:
        desk.books.available = False
    desk.line = replace(desk.line, privilege=Privilege(frozenset(DOMESTIC | {CHARGED})))
    desk.directory.lines[build.INGRESS, build.CALLER] = desk.line
    began = desk.clock.monotonic()
    if expected == "Outage":
        with pytest.raises(StoreUnavailable):
            await desk.authoriser.authorise(question)
    else:
        answer = await desk.authoriser.authorise(question)
        if isinstance(expected, int):
            assert isinstance(answer, Granted)
            assert (answer.max_seconds, answer.reservation_id) == (expected, "")
        else:
            assert answer == Refused(expected)
    assert desk.clock.monotonic() - began <= BOOKS_SECONDS


async def test_what_hung_books_reserve_too_late_is_given_back() -> None:
    desk = Desk()
    desk.authoriser.books = desk.books = HungBooks()
    granted = await desk.ask()
    assert isinstance(granted, Granted)
    assert (granted.max_seconds, granted.reservation_id) == (600, "")
    await asyncio.sleep(HungBooks.hangs_seconds + 1)
    assert await desk.held() == 0
    assert (await desk.books.reservations(["a-1"]))[0].state is ReservationState.VOIDED


async def test_a_question_that_is_repeated_meanwhile_is_granted_nothing_that_is_given_back() -> (
    None
):
    """Over HTTP whoever got no answer asks again, and the books answer both by then."""
    desk = Desk()
    books = HungBooks()
    desk.authoriser.books = desk.books = books
    await desk.ask()
    await asyncio.sleep(HungBooks.hangs_seconds - 1)
    books.hangs_seconds = 0.0
    again = await desk.ask()
    await asyncio.sleep(HungBooks.hangs_seconds)
    assert isinstance(again, Granted)
    assert (again.reservation_id == "") == (await desk.held() == 0)
    assert await desk.ask() == Refused("AttemptOver")


@dataclass
class KeepingWhatCameTooLate(BooksAuthoriser):
    """The mutant: it forgets what it asked of books that did not answer in time."""

    async def _give_back(self, attempt_id: str, asking: asyncio.Task[Any]) -> None:
        await asking


async def test_a_late_reservation_that_is_kept_is_noticed() -> None:
    desk = Desk()
    desk.books = HungBooks()
    desk.authoriser = KeepingWhatCameTooLate(desk.books, desk.directory, desk.clock)
    await desk.ask()
    await asyncio.sleep(HungBooks.hangs_seconds + 1)
    assert await desk.held() > 0


async def test_one_slice_goes_unsecured_when_the_books_stay_away() -> None:
    desk = Desk(minutes=10)
    await desk.ask()
    sent: list[Order] = []
    await desk.authoriser.answered(Started("a-1", "b-1", 3, 4), sent.append)
    desk.books.available = False
    await asyncio.sleep(75)
    assert len(sent) == 1
    # Seventy-five seconds were granted; it is told about 3 s before their end.
    assert isinstance(sent[0], Extend)
    assert sent[0].seconds == pytest.approx(603, abs=1)
    await asyncio.sleep(700)
    assert len(sent) == 1


async def test_a_call_that_got_all_there_was_goes_on_when_there_is_more() -> None:
    desk = Desk(minutes=1, on_exhaustion=OnExhaustion.CUT)
    granted = await desk.ask()
    assert isinstance(granted, Granted)
    assert granted.max_seconds == 60
    sent: list[Order] = []
    await desk.authoriser.answered(Started("a-1", "b-1", 3, 4), sent.append)
    await asyncio.sleep(50)
    assert sent == []
    desk.minutes = 20
    holder = PlanHolder("anna", "plan", desk.minutes * 60)
    await desk.books.set_plans(desk.payer, [holder], now=desk.clock.now())
    desk.authoriser.changed()
    await asyncio.sleep(1)
    assert len(sent) == 1


async def test_facts_of_the_carrier_and_the_country_reach_the_decision() -> None:
    abroad = replace(QUESTION, dialled=build.ABROAD)
    desk = Desk(minutes=0, rate_card_billing=True, overspend=True)
    everywhere = Privilege(frozenset(DestinationClass))
    desk.line = replace(desk.line, privilege=everywhere)
    desk.directory.lines[build.INGRESS, build.CALLER] = desk.line
    first = await desk.ask(abroad)
    assert isinstance(first, Granted)
    assert first.max_seconds == 120
    desk.directory.countries.add((desk.terms.name, "US"))
    again = await desk.ask(replace(abroad, attempt_id="a-2"))
    assert isinstance(again, Granted)
    assert again.max_seconds == 300
    desk.directory.lines[build.INGRESS, build.CALLER] = replace(desk.line, byoc=True)
    own = await desk.ask(replace(abroad, attempt_id="a-3"))
    assert isinstance(own, Granted)
    assert (await desk.books.reservations(["a-3"]))[0].mode is Mode.BYOC


class NoDirectory(MemoryDirectory):
    """One whose tables cannot be read."""

    def line(self, ingress: str, number: str) -> Line | None:
        raise ConnectionError("the tables are away")


@dataclass
class AskingTheBooksFirst(BooksAuthoriser):
    """The mutant: it wants to know who pays before it looks at what was dialled."""

    async def authorise(self, question: Authorise) -> Granted | Refused:
        await self.books.counters(Payer.at("any", "GBP", "Europe/London", self.clock.now()))
        return await super().authorise(question)


@dataclass
class AskingForTheLineFirst(BooksAuthoriser):
    """The mutant: callers whom nobody knows are refused whatever they dialled."""

    async def authorise(self, question: Authorise) -> Granted | Refused:
        if caller_of(question, self.directory) is None:
            return Refused("UnknownLine")
        return await super().authorise(question)


SERVICES = ("999", "112", "18000", "urn:service:sos", "sip:9-9-9@pbx.example", "111", "116123")


async def lost_services(kind: type[BooksAuthoriser]) -> list[str]:
    """Services that somebody does not get while nothing of ours works, by what was dialled."""
    books = MemoryBooks()
    books.available = False
    directories = (MemoryDirectory(), Desk().authoriser.directory, NoDirectory())
    lost = []
    for directory in directories:
        authoriser = kind(books, directory, LoopClock(build.SETUP), {build.INGRESS: "9"}, "81")
        for dialled in (*SERVICES, "9999", "9112"):
            lost += await _lost(authoriser, replace(QUESTION, dialled=dialled))
        phone = replace(QUESTION, ingress="bob", digest_user="bob", dialled="81999")
        lost += await _lost(authoriser, phone)
    return lost


async def _lost(authoriser: BooksAuthoriser, question: Authorise) -> list[str]:
    try:
        granted = await authoriser.authorise(question)
    except (ConnectionError, StoreUnavailable):
        return [question.dialled]
    return [] if isinstance(granted, Granted) else [question.dialled]


async def test_services_are_granted_to_anybody_and_while_nothing_else_works() -> None:
    assert await lost_services(BooksAuthoriser) == []


@pytest.mark.parametrize("mutant", [AskingTheBooksFirst, AskingForTheLineFirst])
async def test_whoever_asks_anything_first_is_found_out(mutant: type[BooksAuthoriser]) -> None:
    assert "999" in await lost_services(mutant)


async def test_a_service_is_passed_on_as_its_number_and_nobody_pays() -> None:
    desk = Desk()
    authoriser = BooksAuthoriser(
        desk.books, desk.authoriser.directory, desk.clock, {build.INGRESS: "9"}
    )
    granted = await authoriser.authorise(replace(QUESTION, dialled="9-999"))
    assert granted == Granted(SERVICE_SECONDS, account="", reservation_id="", dialled="999")
    # Such a call has no longest duration: no SBC shall end it by what it was told.
    assert timedelta(days=30).total_seconds() < SERVICE_SECONDS
    assert await desk.held() == 0
    # Where nobody dials a 9 to get out it is another number.
    other = await desk.authoriser.authorise(replace(QUESTION, dialled="9-112"))
    assert isinstance(other, Refused)


@pytest.mark.parametrize("lines", [({"pbx": "nine"}, ""), ({}, "1234")])
async def test_what_is_no_outside_line_is_found_before_a_call(
    lines: tuple[dict[str, str], str],
) -> None:
    with pytest.raises(ValueError, match="no outside line"):
        BooksAuthoriser(MemoryBooks(), MemoryDirectory(), LoopClock(build.SETUP), *lines)


@pytest.mark.parametrize(
    "headers",
    [
        {"diversion": f"<sip:{build.CALLER}@pbx.example>;reason=no-answer"},
        {"history_info": f"<sip:{build.CALLER}@x>;index=1, <sip:+441614960123@x>;index=1.1"},
        {"referred_by": f"<sip:{build.CALLER}@x>"},
        {"asserted": f"<tel:{build.CALLER}>"},
    ],
)
async def test_whoever_diverts_or_transfers_pays(headers: dict[str, str]) -> None:
    """The caller is a stranger, or another line: the call is not theirs."""
    for caller in ("+441614960123", OTHER):
        granted = await Desk().ask(replace(QUESTION, caller=caller, **headers))
        assert isinstance(granted, Granted)
        assert (granted.account, granted.caller) == (build.ACCOUNT, build.CALLER)


async def test_a_header_with_somebody_elses_number_buys_nothing() -> None:
    """It names no line of this connection, so the caller pays."""
    forged = replace(QUESTION, diversion="<sip:+441614960999@x>", asserted="nonsense <sip:>")
    granted = await Desk().ask(forged)
    assert isinstance(granted, Granted)
    assert granted.account == build.ACCOUNT


async def test_a_phone_is_its_digest_whatever_it_writes() -> None:
    question = replace(
        QUESTION, digest_user="bob", caller=OTHER, diversion=f"<sip:{build.CALLER}@x>"
    )
    assert await Desk().ask(question) == Refused("NoPlan")


async def test_a_live_call_is_extended_before_its_grant_ends() -> None:
    desk = Desk(minutes=10)
    granted = await desk.ask()
    assert isinstance(granted, Granted)
    sent: list[tuple[float, Order]] = []
    start = desk.clock.monotonic()

    def send(order: Order) -> None:
        sent.append((desk.clock.monotonic() - start, order))

    await desk.authoriser.answered(Started("a-1", "b-1", 3, 4), send)
    await asyncio.sleep(granted.max_seconds)
    (moment, order), *_ = sent
    assert moment == pytest.approx(60)
    assert isinstance(order, Extend)
    assert (order.boot_id, order.he, order.hi) == ("b-1", 3, 4)
    assert order.seconds > granted.max_seconds - 60
    await asyncio.sleep(3600)
    # Until the pool is empty, and not a second more.
    last_moment, last = sent[-1]
    assert isinstance(last, Extend)
    grace = desk.terms.grace.per_period_percent * 600 // 100
    assert last_moment + last.seconds == pytest.approx(600 + grace, abs=1)
    assert await desk.held() == 600
    await desk.authoriser.close()


async def test_a_call_that_ended_is_not_extended() -> None:
    desk = Desk(minutes=10)
    await desk.ask()
    sent: list[Order] = []
    await desk.authoriser.answered(Started("a-1", "b-1", 3, 4), sent.append)
    await desk.books.void("a-1")
    await asyncio.sleep(600)
    assert sent == []
    await desk.authoriser.close()


async def test_books_that_come_back_in_time_extend_a_call() -> None:
    desk = Desk(minutes=10)
    await desk.ask()
    sent: list[Order] = []
    await desk.authoriser.answered(Started("a-1", "b-1", 3, 4), sent.append)
    desk.books.available = False
    await asyncio.sleep(70)
    assert sent == []
    desk.books.available = True
    await asyncio.sleep(3)
    assert len(sent) == 1
    await desk.authoriser.close()


class NotesKept:
    """Notes of calls in a list."""

    def __init__(self) -> None:
        self.live_calls: list[str] = []

    async def first_call(self, account: str, country: str) -> None: ...

    async def live(self, started: Started) -> None:
        self.live_calls.append(started.attempt_id)


@pytest.mark.parametrize("away_seconds", [5, 65])
async def test_an_answer_that_the_books_miss_is_told_later_and_the_call_is_extended(
    away_seconds: int,
) -> None:
    desk = Desk(minutes=10)
    desk.authoriser.notes = notes = NotesKept()
    await desk.ask()
    sent: list[Order] = []
    answered_at = desk.clock.now()
    desk.books.available = False
    await desk.authoriser.answered(Started("a-1", "b-1", 3, 4), sent.append)
    await asyncio.sleep(away_seconds)
    assert notes.live_calls == []
    desk.books.available = True
    await asyncio.sleep(2)
    (held,) = await desk.books.reservations(["a-1"])
    assert (held.state, held.answered_at) == (ReservationState.ACTIVE, answered_at)
    # What is held outlasts its grant, as if nothing had been missed.
    assert held.expires_at >= answered_at + timedelta(seconds=held.granted.seconds) + OVERTIME
    assert notes.live_calls == ["a-1"]
    await asyncio.sleep(68 - away_seconds)
    assert len(sent) == 1
    await desk.authoriser.close()


async def test_an_answer_is_told_no_longer_than_its_call_may_last() -> None:
    desk = Desk(minutes=10)
    await desk.ask()
    desk.books.available = False
    await desk.authoriser.answered(Started("a-1", "b-1", 3, 4), lambda _: None)
    await asyncio.sleep(1000)
    assert not desk.authoriser._tending


async def test_nothing_more_is_held_for_a_call_whose_sbc_cannot_be_told() -> None:
    desk = Desk(minutes=10)
    await desk.ask()
    sent: list[Order] = []
    is_connected = False

    def send(order: Order) -> None:
        if not is_connected:
            raise ConnectionError
        sent.append(order)

    await desk.authoriser.answered(Started("a-1", "b-1", 3, 4), send)
    await asyncio.sleep(61)
    held = await desk.held()
    await asyncio.sleep(10)
    assert await desk.held() == held
    # The connection comes back while the call still runs by its first grant of 75 seconds.
    is_connected = True
    await asyncio.sleep(2)
    (order,) = sent
    assert isinstance(order, Extend)
    assert order.seconds == pytest.approx(held - 72, abs=1)
    await desk.authoriser.close()


async def test_a_call_whose_sbc_stays_away_is_given_up_at_the_end_of_what_it_knows() -> None:
    desk = Desk(minutes=10)
    await desk.ask()

    def send(_: Order) -> None:
        raise ConnectionError

    await desk.authoriser.answered(Started("a-1", "b-1", 3, 4), send)
    await asyncio.sleep(61)
    held = await desk.held()
    await asyncio.sleep(600)
    assert await desk.held() == held
    await desk.authoriser.close()


async def test_calls_of_which_nothing_is_heard_again_are_forgotten() -> None:
    desk = Desk(minutes=100)
    for number in range(4):
        granted = await desk.ask(replace(QUESTION, attempt_id=f"a-{number}"))
        assert isinstance(granted, Granted)
        await asyncio.sleep(RING.total_seconds() / 2)
    # The latest two may still be answered.
    assert list(desk.authoriser._held) == ["a-2", "a-3"]
