"""Who pays, from question to charge: calls of one Call-ID, of others' numbers, of relays."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from callplane.billing.terms import Privilege
from callplane.callcontrol.accounting import BooksRecordBook
from callplane.callcontrol.authorising import BooksAuthoriser
from callplane.callcontrol.directory import MemoryDirectory
from callplane.callcontrol.messages import Authorise, CallRecord
from callplane.callcontrol.ports import Granted, Refused
from callplane.numbering.destinations import DestinationClass
from callplane.store.books_memory import MemoryBooks
from callplane.store.books_ports import CallRow, Payer
from callplane.testing import billing_builders as build
from callplane.testing.loop_clock import LoopClock

pytestmark = pytest.mark.looptime

SECONDS = 61
STRANGER, BRIDGE = "+442079460999", "+442079460500"
OTHERS = "+442079460002"
ELSEWHERE = "trunks/other"
#: 61 seconds at a penny a minute.
CHARGE_MICROS = 10_167


class Desk:
    """Two accounts that pay as they go, each with a line and a connection of its own."""

    def __init__(self) -> None:
        every = Privilege(classes=frozenset(DestinationClass))
        terms = build.account(pay_as_you_go=True)
        line = build.line(terms, privilege=every)
        other = build.line(
            replace(terms, name="sales/other"),
            privilege=every,
            ingress=ELSEWHERE,
            caller_ids=frozenset({OTHERS}),
        )
        self.books, self.clock = MemoryBooks(), LoopClock(build.SETUP)
        directory = MemoryDirectory(
            {(build.INGRESS, build.CALLER): line, (ELSEWHERE, OTHERS): other}
        )
        self.authoriser = BooksAuthoriser(self.books, directory, self.clock)
        self.record_book = BooksRecordBook(self.books, directory, self.clock)

    async def call(self, attempt_id: str, **changes: Any) -> Granted | Refused:
        """A call of a minute and a second, with its record."""
        question = replace(
            Authorise(1, 2, attempt_id, "b-1", build.INGRESS, build.CALLER, build.LANDLINE),
            **changes,
        )
        answer = await self.authoriser.authorise(question)
        if isinstance(answer, Granted):
            await self.record(question, answer)
        return answer

    async def record(self, question: Authorise, answer: Granted) -> None:
        now = self.clock.now()
        record = CallRecord(
            attempt_id=question.attempt_id,
            call_class="outbound",
            account=answer.account,
            caller=answer.caller,
            dialled=answer.dialled or question.dialled,
            ingress=question.ingress,
            reservation_id=answer.reservation_id,
            answered_at=now - timedelta(seconds=SECONDS),
            released_at=now,
            duration_milliseconds=SECONDS * 1000,
        )
        await self.record_book.post([record])

    async def charged(self, account: str = build.ACCOUNT) -> tuple[CallRow, ...]:
        payer = Payer.at(account, "GBP", "Europe/London", self.clock.now())
        return await self.books.calls(account, payer.period.start)


async def test_fifty_calls_of_one_call_id_are_fifty_reservations_and_fifty_charges() -> None:
    desk = Desk()
    await asyncio.gather(*(desk.call(f"a-{n}", call_id="the same") for n in range(50)))
    held = await desk.books.reservations([f"a-{n}" for n in range(50)])
    assert len(held) == 50
    rows = await desk.charged()
    assert [row.charge_micros for row in rows] == [CHARGE_MICROS] * 50
    (month,) = await desk.books.months(build.ACCOUNT)
    assert month.counters.posted_micros == 50 * CHARGE_MICROS


@pytest.mark.parametrize(
    "said",
    [
        {"caller": OTHERS, "asserted": f"<sip:{build.CALLER}@sbc>"},
        {"caller": STRANGER, "diversion": f"<sip:{build.CALLER}@sbc>;reason=unconditional"},
        {"caller": STRANGER, "history_info": f"<sip:{build.CALLER}@sbc>;index=1"},
        {"caller": STRANGER, "referred_by": f"<sip:{build.CALLER}@sbc>"},
        # A conference dials out under its bridge's number; whoever organised it is asserted.
        {"caller": BRIDGE, "asserted": f"<tel:{build.CALLER}>"},
        {"caller": BRIDGE, "referred_by": f"<sips:{build.CALLER}@sbc>", "asserted": BRIDGE},
    ],
)
async def test_the_party_that_makes_the_leg_pays(said: dict[str, str]) -> None:
    desk = Desk()
    answer = await desk.call("a-1", **said)
    assert isinstance(answer, Granted)
    assert answer.caller == build.CALLER
    (row,) = await desk.charged()
    assert (row.caller, row.charge_micros) == (build.CALLER, CHARGE_MICROS)
    assert await desk.charged("sales/other") == ()


@pytest.mark.parametrize(
    "said",
    [
        {"caller": OTHERS},
        {"caller": STRANGER, "asserted": f"<sip:{OTHERS}@sbc>"},
        {"caller": STRANGER, "diversion": f"<sip:{OTHERS}@sbc>"},
        {"caller": BRIDGE},
    ],
)
async def test_a_number_of_another_connection_pays_nothing(said: dict[str, str]) -> None:
    desk = Desk()
    assert await desk.call("a-1", **said) == Refused("UnknownLine")
    assert await desk.charged("sales/other") == ()


@pytest.mark.parametrize("prefix", ["18001", "18002"])
async def test_a_relayed_call_goes_on_as_dialled_and_costs_what_its_number_costs(
    prefix: str,
) -> None:
    desk = Desk()
    answer = await desk.call("a-1", dialled=prefix + build.LANDLINE)
    assert isinstance(answer, Granted)
    assert answer.dialled == ""
    assert answer.reservation_id == "a-1"
    (row,) = await desk.charged()
    assert (row.destination, row.charge_micros) == ("+442079460123", CHARGE_MICROS)
