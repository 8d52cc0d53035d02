"""What evidence does, over PostgreSQL and its in-memory twin: one list of checks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

from callplane.billing.active_users import SeatPlatform
from callplane.billing.fees import HostedNumber, Hosting
from callplane.billing.matching import PATIENCE, TOLERANCE, Sighting
from callplane.billing.mediation import SuspenseReason
from callplane.callcontrol import intake
from callplane.store.books_ports import Books
from callplane.store.evidence_ports import ActiveUser, EvidenceBook, EvidenceState
from callplane.testing.billing_builders import ACCOUNT, CALLER, INGRESS, account, line, plan
from callplane.testing.books_builders import NOW, leg, payer, unreserved

Check = Callable[[Books, EvidenceBook], Awaitable[None]]
CHECKS: dict[str, Check] = {}
FAR = "+442079460123"
LATER = NOW + PATIENCE + timedelta(hours=1)


def check(function: Check) -> Check:
    CHECKS[function.__name__] = function
    return function


def seen(external_id: str, *, source: str = "teams", **changes: object) -> Sighting:
    """What a feed says about a call of Anna's."""
    usual = Sighting(source, external_id, INGRESS, False, CALLER, FAR, NOW, 60)
    return replace(usual, **changes)  # type: ignore[arg-type]


async def states(evidence: EvidenceBook) -> dict[str, str]:
    return {
        one.sighting.external_id: one.state.value if one.leg is None else one.leg[1]
        for one in await evidence.sightings()
    }


@check
async def a_sighting_confirms_the_call_it_is_of(books: Books, evidence: EvidenceBook) -> None:
    await books.settle([unreserved("one", 60)], now=NOW)
    assert await evidence.keep([seen("a", setup=NOW - timedelta(seconds=9))], now=NOW) == 1
    assert await evidence.keep([seen("a")], now=NOW) == 0
    assert await evidence.match(now=NOW) == 1
    assert await evidence.match(now=LATER) == 0
    (stored,) = await evidence.sightings(EvidenceState.CONFIRMED)
    assert stored.leg == ("sbc", "one", "1")
    assert stored.sighting.setup == NOW - timedelta(seconds=9)
    # Nothing was charged by it.
    assert (await books.counters(payer())).posted_micros == 10_000


@check
async def another_holder_direction_or_time_is_another_call(
    books: Books, evidence: EvidenceBook
) -> None:
    await books.settle([unreserved("one", 60)], now=NOW)
    beyond = TOLERANCE + timedelta(seconds=1)
    others = [
        seen("holder", holder="+442079460002"),
        seen("direction", inbound=True),
        seen("early", setup=NOW - beyond),
        seen("late", setup=NOW + beyond),
        # A feed does not confirm itself.
        seen("itself", source="sbc"),
    ]
    await evidence.keep(others, now=NOW)
    assert await evidence.match(now=NOW) == 0
    assert set((await states(evidence)).values()) == {"Open"}


@check
async def a_feed_confirms_a_leg_once_and_every_feed_may(
    books: Books, evidence: EvidenceBook
) -> None:
    await books.settle([unreserved("one", 60)], now=NOW)
    feeds = ("teams", "carrier", "csv")
    await evidence.keep([seen(source, source=source) for source in feeds], now=NOW)
    await evidence.keep([seen("again")], now=NOW)
    assert await evidence.match(now=NOW) == 3
    found = await states(evidence)
    assert [found[source] for source in feeds].count("one") + [found["again"]].count("one") == 3
    assert await evidence.match(now=NOW) == 0


@check
async def the_likeliest_pairs_are_made_first(books: Books, evidence: EvidenceBook) -> None:
    calls = [unreserved(f"call-{n}", 60 + n) for n in range(3)]
    at = [NOW, NOW + timedelta(seconds=30), NOW + timedelta(seconds=60)]
    placed = [
        replace(one, leg=replace(leg(one.attempt_id, 60 + n), setup=at[n]))
        for n, one in enumerate(calls)
    ]
    await books.settle(placed, now=NOW)
    wanted = [
        seen(f"seen-{n}", setup=at[n] - timedelta(seconds=8), duration_seconds=60 + n)
        for n in range(3)
    ]
    await evidence.keep(wanted[::-1], now=NOW)
    assert await evidence.match(now=NOW) == 3
    assert await states(evidence) == {f"seen-{n}": f"call-{n}" for n in range(3)}


@check
async def a_record_that_does_not_come_is_missing_until_it_does(
    books: Books, evidence: EvidenceBook
) -> None:
    await evidence.keep([seen("a")], now=NOW)
    await evidence.match(now=NOW)
    assert await states(evidence) == {"a": "Open"}
    await evidence.match(now=LATER)
    assert await states(evidence) == {"a": "MissingCdr"}
    assert len(await evidence.sightings(EvidenceState.MISSING_CDR)) == 1
    assert (await books.counters(payer())).posted_micros == 0
    await books.settle([unreserved("one", 60)], now=LATER)
    assert await evidence.match(now=LATER) == 1
    assert await states(evidence) == {"a": "one"}


@check
async def the_first_feed_of_an_ingress_charges_it(books: Books, evidence: EvidenceBook) -> None:
    assert await evidence.claim([INGRESS, "b"], "sbc:one", now=NOW) == {
        INGRESS: "sbc:one",
        "b": "sbc:one",
    }
    found = await evidence.claim([INGRESS, "c", "c"], "csv", now=NOW)
    assert found == {INGRESS: "sbc:one", "c": "csv"}
    lines = {CALLER: line(account(pay_as_you_go=True))}

    async def take(source: str) -> intake.Report:
        legs = [leg("one", 60, source=source)]
        return await intake.take(books, legs, lines=lines, now=NOW, evidence=evidence)

    # Two SBCs charge as one feed; a file about the same ingress is evidence.
    assert (await take("sbc:two")).settled == 1
    assert (await take("csv")).evidence == 1
    assert await states(evidence) == {"one/1": "one"}
    assert [call.source for call in await books.calls(ACCOUNT, payer().period.start)] == ["sbc:two"]
    await evidence.appoint(INGRESS, "csv", now=NOW)
    assert await evidence.charging_sources() == {INGRESS: "csv", "b": "sbc:one", "c": "csv"}


@check
async def what_nobody_believes_is_no_evidence(books: Books, evidence: EvidenceBook) -> None:
    await evidence.claim([INGRESS], "sbc", now=NOW)
    absurd = replace(leg("one", 60, source="csv"), released=NOW - timedelta(seconds=1))
    report = await intake.take(books, [absurd], lines={}, now=NOW, evidence=evidence)
    assert report.suspended == {SuspenseReason.NEGATIVE_TIME: 1}
    assert report.evidence == 0


@check
async def what_waited_is_evidence_once_another_feed_is_appointed(
    books: Books, evidence: EvidenceBook
) -> None:
    legs = [leg("one", 60, source="csv")]
    assert (await intake.take(books, legs, lines={}, now=NOW, evidence=evidence)).suspended
    await evidence.appoint(INGRESS, "sbc", now=NOW)
    lines = {CALLER: line(account(), plan=plan())}
    report = await intake.replay(books, lines=lines, now=NOW, evidence=evidence)
    assert (report.evidence, report.settled) == (1, 0)
    assert await books.suspended() == ()


@check
async def digits_can_be_taken_out(books: Books, evidence: EvidenceBook) -> None:
    await evidence.keep([seen("a"), seen("b", setup=NOW + timedelta(days=1))], now=NOW)
    assert await evidence.redact(before=NOW + timedelta(hours=1)) == 1
    assert await evidence.redact(before=NOW + timedelta(hours=1)) == 0
    first, second = await evidence.sightings()
    assert (first.sighting.holder, first.sighting.other) == ("", "")
    assert second.sighting.holder == CALLER


@check
async def a_feed_is_read_on_from_where_it_was(books: Books, evidence: EvidenceBook) -> None:
    assert await evidence.position("teams") is None
    for where in ("2026-11-02T09:00:00Z", "2026-11-02T10:00:00Z"):
        await evidence.remember("teams", where, now=NOW)
        assert await evidence.position("teams") == where


@check
async def whoever_was_active_counts_once_in_the_month(books: Books, evidence: EvidenceBook) -> None:
    anna = ActiveUser(SeatPlatform.TEAMS, "anna", "listing")
    desk = ActiveUser(SeatPlatform.PBX, "trunks/desk", "declared", 50)
    await evidence.note_active(payer(), [anna, desk, anna], now=NOW)
    later = [
        replace(anna, evidence="another"),
        replace(desk, users=40),
        replace(anna, platform=SeatPlatform.WEBEX),
    ]
    await evidence.note_active(payer(), later, now=LATER)
    found = await evidence.active_users(ACCOUNT, payer().period.start)
    assert found == (desk, anna, later[2])
    await evidence.note_active(payer(), [replace(desk, users=60)], now=LATER)
    (grown, *_) = await evidence.active_users(ACCOUNT, payer().period.start)
    assert (grown.users, grown.evidence) == (60, "declared")
    following = payer(setup=NOW + timedelta(days=30))
    assert await evidence.active_users(ACCOUNT, following.period.start) == ()


@check
async def whatever_was_hosted_bears_its_fee_in_the_month(
    books: Books, evidence: EvidenceBook
) -> None:
    account, start = ACCOUNT, payer().period.start
    assert await evidence.hosting(account, start) is None, "nobody has looked"
    one, two, own = (HostedNumber(f"+44207946000{n}") for n in (1, 2, 3))
    own = replace(own, byoc=True)
    await evidence.note_hosting(payer(), Hosting(), now=NOW)
    assert await evidence.hosting(account, start) == Hosting()
    await evidence.note_hosting(payer(), Hosting((own, one), has_bolt_on=True), now=NOW)
    # One goes, one comes, a fee changes, and a carrier becomes ours to pay.
    later = (two, replace(own, byoc=False, each_micros=5))
    await evidence.note_hosting(payer(), Hosting(later), now=LATER)
    await evidence.note_hosting(payer(), Hosting((replace(own, each_micros=7),)), now=LATER)
    found = await evidence.hosting(account, start)
    assert found == Hosting((one, two, replace(own, byoc=False, each_micros=7)), has_bolt_on=True)
    following = payer(setup=NOW + timedelta(days=30))
    assert await evidence.hosting(account, following.period.start) is None
