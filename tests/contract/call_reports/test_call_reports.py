"""Every log of calls is read whole: late, twice, page by page, throttled, cut, with broken rows."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest

from callplane.engine.call_evidence import EvidenceReader, ReadSoFar
from callplane.providers.protocol import ProviderError, Throttled, Unavailable
from callplane.providers.webex.call_reports import ANALYTICS_URL, WebexCallReports
from callplane.providers.webex.client import ApiPage, InAnotherRegion
from callplane.simulators.call_log import LoggedCall
from callplane.simulators.faults import Effect, FaultRule
from callplane.store.books_memory import MemoryBooks
from callplane.store.evidence_memory import MemoryEvidence

from .conftest import NOW, Stage, staged

ANNA, FAR = "+442079460001", "+441614960123"


def call(name: str, ago: timedelta, **changes: object) -> LoggedCall:
    known: dict[str, object] = {
        "id": name,
        "inbound": False,
        "caller": ANNA,
        "called": FAR,
        "begun": NOW - ago,
        "seconds": 90,
        **changes,
    }
    return LoggedCall(**known)  # type: ignore[arg-type]


class Desk:
    """One reader over evidence in memory."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.evidence = MemoryEvidence(MemoryBooks())
        self.reader = EvidenceReader(
            stage.reports,
            self.evidence,
            stage.clock,
            connection="sales/system",
            number_of=lambda user: ANNA if user and user == stage.user else "",
            is_line=lambda number: number.text == ANNA,
        )

    async def read(self) -> ReadSoFar:
        found, pause_seconds = await self.reader.step()
        assert pause_seconds > 0
        self.stage.clock.advance(max(pause_seconds, 61))
        return found

    async def seen(self) -> dict[str, tuple[bool, str, str, datetime, int]]:
        return {
            one.sighting.external_id.removeprefix("dr-").removeprefix("pstn-"): (
                one.sighting.inbound,
                one.sighting.holder,
                one.sighting.other,
                one.sighting.setup,
                one.sighting.duration_seconds,
            )
            for one in await self.evidence.sightings()
        }


@pytest.fixture
def desk(stage: Stage) -> Desk:
    return Desk(stage)


async def test_calls_are_read_page_by_page_and_each_once(desk: Desk) -> None:
    names = [f"call-{n}" for n in range(8)]
    calls = [call(name, timedelta(minutes=45 + n)) for n, name in enumerate(names)]
    desk.stage.log.add(*calls, call("twice", timedelta(minutes=44), times=2))
    found = await desk.read()
    assert found.new == 9
    assert (await desk.read()).new == 0
    seen = await desk.seen()
    assert sorted(seen) == sorted([*names, "twice"])
    inbound, holder, other, setup, seconds = seen["call-0"]
    assert (inbound, holder, setup, seconds) == (False, ANNA, NOW - timedelta(minutes=45), 90)
    # Teams masks the numbers of others.
    assert other in (FAR, "")


async def test_who_called_whom_is_read_by_direction(desk: Desk) -> None:
    ago = timedelta(minutes=45)
    desk.stage.log.add(
        call("in", ago, inbound=True, caller=FAR, called=ANNA),
        call("unanswered", ago, seconds=0),
        call("stranger", ago, caller=FAR, called="+441614960124"),
    )
    assert (await desk.read()).new == 1
    ((name, (inbound, holder, *_)),) = (await desk.seen()).items()
    assert (name, inbound, holder) == ("in", True, ANNA)


async def test_a_row_that_comes_late_is_found(desk: Desk) -> None:
    late_seconds = 5_400
    desk.stage.log.add(call("late", timedelta(minutes=45), late_seconds=late_seconds))
    assert (await desk.read()).new == 0
    desk.stage.clock.advance(late_seconds)
    assert (await desk.read()).new == 1


async def test_a_long_gap_is_caught_up_window_by_window(desk: Desk) -> None:
    await desk.read()
    days = 3
    desk.stage.clock.advance(days * 86_400)
    begun = [NOW + timedelta(hours=n) for n in range(1, days * 24 - 1)]
    desk.stage.log.add(*(call(f"call-{n}", timedelta(0), begun=at) for n, at in enumerate(begun)))
    for _ in range(40):
        await desk.read()
    assert len(await desk.seen()) == len(begun)


async def test_a_throttled_question_is_asked_again_from_the_same_place(desk: Desk) -> None:
    desk.stage.log.add(call("one", timedelta(minutes=45)))
    desk.stage.faults.add(
        FaultRule(Effect.STATUS, (desk.stage.kind,), times=1, status=429, retry_after_seconds=7)
    )
    with pytest.raises(Throttled) as caught:
        await desk.read()
    assert caught.value.retry_after_seconds == 7
    assert await desk.evidence.position(desk.reader.feed) is None
    assert (await desk.read()).new == 1


async def test_a_listing_that_is_cut_moves_nothing(desk: Desk) -> None:
    desk.stage.log.add(*(call(f"call-{n}", timedelta(minutes=45 + n)) for n in range(8)))
    desk.stage.faults.add(FaultRule(Effect.DROP_BEFORE, (desk.stage.kind,)))
    with pytest.raises(ProviderError):
        await desk.read()
    assert await desk.evidence.position(desk.reader.feed) is None
    desk.stage.faults.clear()
    desk.stage.clock.advance(61)
    assert (await desk.read()).new == 8


async def test_a_broken_row_costs_itself_alone(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    desk.stage.log.add(*(call(f"call-{n}", timedelta(minutes=45 + n)) for n in range(2)))
    # What has no id cannot be kept once.
    desk.stage.log.add(call("", timedelta(minutes=45)))
    found = await desk.read()
    assert (found.new, found.bad_rows) == (2, 1)
    assert "1 rows could not be read" in caplog.text


async def test_webex_says_in_which_region_the_records_are() -> None:
    """The token goes to hosts of the vendor alone, whatever an answer names."""

    class Client:
        def __init__(self, url: str) -> None:
            self.url = url
            asked.append(url)

        async def pages(self, name: str, path: str, **query: str) -> AsyncIterator[ApiPage]:
            if "analytics-calling-eu" not in self.url:
                raise InAnotherRegion(name, answers.pop(0))
            yield ApiPage({"items": []}, 0.0, last=True)

    asked: list[str] = []
    answers = [
        "see https://analytics-calling-eu.evil.example/v1",
        "see https://analytics-calling-eu.webexapis.com/v1/cdr_feed",
    ]
    reports = WebexCallReports(ANALYTICS_URL, Client)  # type: ignore[arg-type]
    for message in ("another region", "reads on at analytics-calling-eu"):
        with pytest.raises(Unavailable, match=message):
            _ = [page async for page in reports.pages(NOW - timedelta(hours=1), NOW)]
    assert [page async for page in reports.pages(NOW - timedelta(hours=1), NOW)]
    assert asked == [ANALYTICS_URL, "https://analytics-calling-eu.webexapis.com/v1"]


async def test_a_second_question_within_a_minute_is_throttled_at_webex() -> None:
    async with staged("webex") as stage:
        window = (NOW - timedelta(hours=2), NOW - timedelta(minutes=6))
        assert [page async for page in stage.reports.pages(*window)]
        with pytest.raises(Throttled):
            _ = [page async for page in stage.reports.pages(*window)]
        stage.clock.advance(61)
        assert [page async for page in stage.reports.pages(*window)]


@pytest.mark.parametrize(
    ("system", "start", "end"),
    [
        ("webex", timedelta(hours=13), timedelta(minutes=6)),
        ("webex", timedelta(hours=2), timedelta(minutes=1)),
        ("webex", timedelta(days=31), timedelta(days=31) - timedelta(hours=2)),
        ("teams", timedelta(days=91), timedelta(minutes=30)),
    ],
)
async def test_windows_that_the_vendor_refuses_are_refused(
    system: str, start: timedelta, end: timedelta
) -> None:
    async with staged(system) as stage:
        with pytest.raises(Unavailable):
            _ = [page async for page in stage.reports.pages(NOW - start, NOW - end)]
