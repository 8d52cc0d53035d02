"""One call, reported by everybody who saw it: charged once, confirmed by each."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from callplane.billing import mediation
from callplane.billing.mediation import Leg, SuspenseReason
from callplane.callcontrol import intake
from callplane.callcontrol.accounting import BooksRecordBook
from callplane.callcontrol.authorising import BooksAuthoriser
from callplane.callcontrol.directory import MemoryDirectory
from callplane.callcontrol.messages import Authorise, CallRecord
from callplane.callcontrol.ports import Granted
from callplane.callcontrol.reaping import Reaper
from callplane.engine.call_evidence import EvidenceReader
from callplane.simulators.call_log import LoggedCall
from callplane.store.books_memory import MemoryBooks
from callplane.store.evidence_memory import MemoryEvidence
from callplane.store.evidence_ports import EvidenceState
from callplane.testing.billing_builders import ACCOUNT, CALLER, INGRESS, account, line
from callplane.testing.books_builders import payer
from callplane.testing.manual_clock import ManualClock

from .conftest import NOW, Stage, staged

FAR = "+442079460123"
ANSWERED = NOW - timedelta(minutes=45)
RECORD = CallRecord(
    attempt_id="0d9f3c1e-0000-4000-8000-000000000001",
    call_class="outbound",
    account=ACCOUNT,
    caller=CALLER,
    dialled=FAR,
    ingress=INGRESS,
    reservation_id="",
    answered_at=ANSWERED,
    released_at=ANSWERED + timedelta(seconds=60),
    duration_milliseconds=60_000,
)


class Desk:
    """Books in which Anna pays a penny a minute as she goes, and the SBC's record book."""

    def __init__(self) -> None:
        self.clock = ManualClock(NOW)
        self.books = MemoryBooks()
        self.evidence = MemoryEvidence(self.books)
        self.lines = {CALLER: line(account(pay_as_you_go=True))}
        self.directory = MemoryDirectory({(INGRESS, CALLER): self.lines[CALLER]})
        self.record_book = BooksRecordBook(
            self.books, self.directory, self.clock, source="sbc:london", evidence=self.evidence
        )

    async def read(self, stage: Stage) -> None:
        reader = EvidenceReader(
            stage.reports,
            self.evidence,
            stage.clock,
            connection="sales/system",
            number_of=lambda user: CALLER if user and user == stage.user else "",
            is_line=lambda number: number.text in self.lines,
        )
        await reader.step()

    async def take_csv(self) -> intake.Report:
        times = ",".join(
            one.isoformat() for one in (ANSWERED, ANSWERED, ANSWERED + timedelta(seconds=60))
        )
        rows = [
            ",".join(mediation.REQUIRED),
            f"row-1,{CALLER},{FAR},{INGRESS},{times}",
        ]
        legs = [one for one in mediation.read_csv(rows, source="csv") if isinstance(one, Leg)]
        return await intake.take(
            self.books, legs, lines=self.lines, now=NOW, evidence=self.evidence
        )


def logged(begun_apart_seconds: int) -> LoggedCall:
    """The same call by another system's clock."""
    begun = ANSWERED + timedelta(seconds=begun_apart_seconds)
    return LoggedCall("call-1", False, CALLER, FAR, begun, 59)


@pytest.mark.parametrize("feeds_first", [False, True], ids=["records first", "feeds first"])
async def test_one_call_that_everybody_reports_is_charged_once(feeds_first: bool) -> None:
    desk = Desk()

    async def sbc() -> None:
        await desk.record_book.post([RECORD])
        # The spool holds the same record.
        await desk.record_book.post([RECORD])

    async def feeds() -> None:
        for system, apart in (("teams", -4), ("twilio", 3)):
            async with staged(system) as stage:
                stage.log.add(logged(apart))
                await desk.read(stage)

    if feeds_first:
        await desk.evidence.claim([INGRESS], "sbc:london", now=NOW)
        await feeds()
        assert (await desk.take_csv()).evidence == 1
        await sbc()
    else:
        await sbc()
        await feeds()
        assert (await desk.take_csv()).evidence == 1
    await desk.evidence.match(now=NOW)
    (call,) = await desk.books.calls(ACCOUNT, payer().period.start)
    assert (call.source, call.charge_micros) == ("sbc:london", 10_000)
    assert (await desk.books.counters(payer())).posted_micros == 10_000
    confirmed = await desk.evidence.sightings(EvidenceState.CONFIRMED)
    assert {one.sighting.source for one in confirmed} == {
        "teams:sales/system",
        "twilio:sales/system",
        "csv",
    }
    assert {one.leg for one in confirmed} == {("sbc:london", RECORD.attempt_id, "1")}
    assert len(await desk.evidence.sightings()) == 3


async def test_a_call_that_no_record_came_of_is_missing_and_not_charged() -> None:
    desk = Desk()
    async with staged("teams") as stage:
        stage.log.add(logged(0))
        await desk.read(stage)
    await desk.evidence.match(now=NOW + timedelta(days=2))
    (missing,) = await desk.evidence.sightings(EvidenceState.MISSING_CDR)
    assert missing.sighting.holder == CALLER
    assert await desk.books.months() == ()


async def test_whatever_is_held_when_another_feed_is_appointed_is_charged_by_it_alone() -> None:
    desk = Desk()
    await desk.record_book.post([replace(RECORD, attempt_id="before")])
    price = (await desk.books.counters(payer())).posted_micros
    authoriser = BooksAuthoriser(desk.books, desk.directory, desk.clock)
    question = Authorise(1, 2, RECORD.attempt_id, "b-1", INGRESS, CALLER, FAR)
    assert isinstance(await authoriser.authorise(question), Granted)
    expires_at = NOW + timedelta(minutes=2)
    assert await desk.books.answered(RECORD.attempt_id, at=NOW, expires_at=expires_at)
    # From now on a file charges, and the SBC's process has not been started again.
    await desk.evidence.appoint(INGRESS, "csv", now=NOW)
    await desk.record_book.post([RECORD])
    (waits,) = await desk.books.suspended()
    assert (waits.attempt_id, waits.reason) == (RECORD.attempt_id, SuspenseReason.OTHER_FEED)
    assert (await desk.books.counters(payer())).live_calls == 0
    assert (await desk.take_csv()).settled == 1
    desk.clock.advance(3600)
    await Reaper(desk.books, desk.directory, desk.clock).step()
    calls = await desk.books.calls(ACCOUNT, payer().period.start)
    assert {(call.source, call.attempt_id) for call in calls} == {
        ("sbc:london", "before"),
        ("csv", "row-1"),
    }
    counters = await desk.books.counters(payer())
    assert (counters.posted_micros, counters.held_micros) == (2 * price, 0)


async def test_an_sbc_does_not_charge_what_another_feed_was_appointed_for() -> None:
    desk = Desk()
    assert (await desk.take_csv()).settled == 1
    await desk.record_book.post([RECORD])
    (waits,) = await desk.books.suspended()
    assert waits.reason == SuspenseReason.OTHER_FEED
    assert (await desk.books.counters(payer())).posted_micros == 10_000
    # Once the SBC is appointed, a replay charges it, for nothing is guessed about the file's call.
    await desk.evidence.appoint(INGRESS, "sbc", now=NOW)
    report = await intake.replay(desk.books, lines=desk.lines, now=NOW, evidence=desk.evidence)
    assert report.settled == 1
