"""Who is billed as a user of a month, by what is known of them while it runs and after it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from callplane.billing.active_users import SeatPlatform, TeamsIdentity
from callplane.engine import seats
from callplane.store.books_ports import CallRow
from callplane.store.call_tables import LINE, Entry
from callplane.store.evidence_ports import ActiveUser
from callplane.testing.account_desk import Desk
from callplane.testing.billing_builders import ACCOUNT
from callplane.testing.books_builders import NOW, leg, payer, unreserved
from callplane.values import ObjectKey


@pytest.fixture
def desk() -> Desk:
    return Desk()


def line(holder: str, *numbers: str, **content: Any) -> Entry:
    known = {"account": ACCOUNT, "holder": holder, "numbers": list(numbers), **content}
    return Entry(LINE, holder, "TeamsUser/sales/somebody", known)


def identity(**changes: bool) -> TeamsIdentity:
    usual = {
        "is_user": True,
        "is_resource_account": False,
        "has_phone_licence": True,
        "on_hosted_direct_routing": True,
    }
    return TeamsIdentity("somebody", **{**usual, **changes})


async def test_r4_to_r7_users_are_counted_by_what_is_known_of_them(desk: Desk) -> None:
    """Licensed in Teams over Direct Routing; two numbers in Webex; a phone by its calls."""
    one, two = "+442079460001", "+442079460002"
    entries = [
        line("teams/t/anna", one),
        line("teams/t/unlicensed", one),
        line("teams/t/plan", one),
        line("teams/t/unknown", one),
        line("teams/t/own", one, byoc=True),
        line("teams/t/other", one, account="sales/other"),
        line("webex/o/ben", one, two),
        line("sip/d/desk", one),
        line("sip/d/never", one),
        replace(line("sip/d/trunk:pbx", one), owner="PbxTrunk/sales/pbx"),
    ]
    await desk.tables.write("here", entries, [], now=NOW)
    desk.standing = {
        "teams/t/anna": identity(),
        "teams/t/unlicensed": identity(has_phone_licence=False),
        "teams/t/plan": identity(on_hosted_direct_routing=False),
        "teams/t/own": identity(),
        "teams/t/other": identity(),
    }
    call = replace(unreserved("one", 60), line="sip/d/desk")
    await desk.books.settle([call], now=NOW)
    for _ in range(2):
        # Without the object of the PBX nobody knows what its owner declares.
        assert await desk.keeping.note_users() == 4
    users = await desk.evidence.active_users(ACCOUNT, payer().period.start)
    assert [(user.platform.value, user.identity) for user in users] == [
        ("Sip", "sip/d/desk"),
        ("Teams", "teams/t/anna"),
        ("Webex", one),
        ("Webex", two),
    ]
    # Whoever was active stays so in this month, and not in the next.
    desk.standing = {}
    await desk.keeping.note_users()
    assert len(await desk.evidence.active_users(ACCOUNT, payer().period.start)) == 4
    following = payer(setup=NOW + timedelta(days=30)).period.start
    assert await desk.evidence.active_users(ACCOUNT, following) == ()


async def test_r4_to_r7_who_came_in_the_last_hour_is_billed_by_the_calls(desk: Desk) -> None:
    """Nobody looked between a call and the end of the month; what came after does not count."""
    one, two = "+442079460001", "+442079460002"
    pbx, unlooked = "sip/d/trunk:pbx", "sip/d/trunk:new"
    desk.cache.put(ObjectKey("PbxTrunk", "sales", "pbx"), trunk(declared=50))
    last_hour = datetime(2026, 11, 30, 23, 30, tzinfo=NOW.tzinfo)
    lines = ["sip/d/desk", "teams/t/anna", "webex/o/ben", pbx, unlooked]
    for nth, name in enumerate(lines):
        seen = replace(leg(f"call-{nth}", 60), caller=one, setup=last_hour)
        call = replace(unreserved(seen.attempt_id, 60, of=seen), line=name)
        await desk.books.settle([call], now=last_hour)
    looked = ActiveUser(SeatPlatform.PBX, pbx, "declared", 2)
    await desk.evidence.note_active(payer(), [looked], now=NOW)
    entries = [
        line("sip/d/desk", one),
        line("sip/d/never", one),
        line("teams/t/anna", one),
        line("teams/t/later", two),
        line("webex/o/ben", one, two),
        *(replace(line(each, one), owner="PbxTrunk/sales/pbx") for each in (pbx, unlooked)),
    ]
    await desk.tables.write("here", entries, [], now=last_hour)
    # Anna has left Teams since: that she was connected then shows more than any listing of today.
    desk.standing = {"teams/t/later": identity()}
    desk.clock.advance((datetime(2026, 12, 4, tzinfo=NOW.tzinfo) - NOW).total_seconds())
    await desk.keeping.note_users()
    assert await desk.keeping.close_months() == 1
    users = await desk.evidence.active_users(ACCOUNT, payer().period.start)
    assert [(user.platform.value, user.identity, user.users) for user in users] == [
        ("Pbx", unlooked, 50),
        ("Pbx", pbx, 2),
        ("Sip", "sip/d/desk", 1),
        ("Teams", "teams/t/anna", 1),
        ("Webex", one, 1),
    ]


async def test_a_late_call_shows_nobody_in_the_month_that_bears_it(desk: Desk) -> None:
    late = replace((await called(desk))[0], adjusts=payer().period.start)
    found = seats.seen_in_calls(
        ACCOUNT,
        [line("sip/d/desk", "+442079460001")],
        declared=lambda owner: None,
        calls=[late],
        registered=(),
        noted=[],
    )
    assert found == []


async def test_r4_a_call_that_teams_never_answered_shows_nobody(desk: Desk) -> None:
    number = "+442079460001"
    seen = replace(leg("unanswered", 0), caller=number)
    call = replace(unreserved("unanswered", 0, of=seen), line="teams/t/anna")
    await desk.books.settle([call], now=NOW)
    calls = await desk.books.calls(ACCOUNT, payer().period.start)
    entries = [line("teams/t/anna", number)]

    def shown() -> list[ActiveUser]:
        return seats.seen_in_calls(
            ACCOUNT, entries, declared=lambda owner: None, calls=calls, registered=(), noted=[]
        )

    assert len(calls) == 1
    assert shown() == []
    calls = tuple(replace(one, duration_seconds=1) for one in calls)
    assert [one.identity for one in shown()] == ["teams/t/anna"]


async def called(desk: Desk) -> tuple[CallRow, ...]:
    call = replace(unreserved("one", 60), line="sip/d/desk")
    await desk.books.settle([call], now=NOW)
    return await desk.books.calls(ACCOUNT, payer().period.start)


def test_r5_a_pbx_counts_what_its_owner_declares() -> None:
    entry = replace(line("sip/d/trunk:pbx", "+442079460001"), owner="PbxTrunk/sales/pbx")
    found = seats.active_users(
        [entry],
        standing=lambda holder, number: None,
        declared={"PbxTrunk/sales/pbx": 50}.get,
        calls={},
        registered={},
    )
    pbx = ActiveUser(SeatPlatform.PBX, "sip/d/trunk:pbx", "declared", 50)
    assert found == {ACCOUNT: [pbx]}


async def test_r7_a_phone_counts_once_it_has_registered(desk: Desk) -> None:
    """Two phones of one person are two users; one that never registered is none, nor is one whose
    registration was in another month, nor a phone of somebody who pays his carrier himself.
    """
    one = "+442079460001"
    phones = [f"sip/d/phone:{name}" for name in ("desk", "home", "never", "before", "own")]
    desk_phone, home, _, before, own = phones
    entries = [line(name, one) for name in phones[:-1]] + [line(own, one, byoc=True)]
    await desk.tables.write("here", entries, [], now=NOW)
    for name in (desk_phone, home, desk_phone, own, "sip/d/phone:of-nobody"):
        await desk.tables.note_registered(payer(), name, now=NOW)
    earlier = payer(setup=NOW - timedelta(days=40))
    await desk.tables.note_registered(earlier, before, now=NOW - timedelta(days=40))
    for _ in range(2):
        assert await desk.keeping.note_users() == 2
    users = await desk.evidence.active_users(ACCOUNT, payer().period.start)
    assert [(user.identity, user.users) for user in users] == [(desk_phone, 1), (home, 1)]
    assert {user.evidence for user in users} == {"was registered"}


async def test_r7_a_phone_that_registered_in_the_last_hour_is_billed(desk: Desk) -> None:
    name = "sip/d/phone:desk"
    await desk.tables.write("here", [line(name, "+442079460001")], [], now=NOW)
    await desk.books.counters(payer())
    await desk.tables.note_registered(payer(), name, now=NOW)
    desk.clock.advance((datetime(2026, 12, 4, tzinfo=NOW.tzinfo) - NOW).total_seconds())
    await desk.keeping.note_users()
    assert await desk.keeping.close_months() == 1
    users = await desk.evidence.active_users(ACCOUNT, payer().period.start)
    assert [user.identity for user in users] == [name]


async def test_r5_a_pbx_from_which_more_people_call_is_told_of_once(desk: Desk) -> None:
    """Billed as declared, not blocked; once a declared count and month."""
    name = "sip/d/trunk:pbx"
    desk.cache.put(ObjectKey("PbxTrunk", "sales", "pbx"), trunk(declared=2))
    entry = replace(line(name, "+442079460001"), owner="PbxTrunk/sales/pbx")
    await desk.tables.write("here", [entry], [], now=NOW)
    for nth in range(3):
        seen = replace(leg(f"call-{nth}", 60), caller=f"+44207946000{nth}")
        call = replace(unreserved(seen.attempt_id, 60, of=seen), line=name)
        await desk.books.settle([call], now=NOW)
    for _ in range(2):
        assert await desk.keeping.note_users() == 1
    (event,) = [one for one in desk.events.seen if one.reason == "FairUseExceeded"]
    assert f"{name} declares 2 users, and 3 have called through it" in event.message
    (user,) = await desk.evidence.active_users(ACCOUNT, payer().period.start)
    assert (user.platform, user.users) == (SeatPlatform.PBX, 2)
    assert desk.exceeded == [{ObjectKey("PbxTrunk", "sales", "pbx"): event.message}] * 2


def trunk(*, declared: int) -> dict[str, Any]:
    return {
        "apiVersion": "callplane.dev/v1alpha1",
        "kind": "PbxTrunk",
        "metadata": {
            "name": "pbx",
            "namespace": "sales",
            "uid": "uid-3",
            "resourceVersion": "1",
            "generation": 1,
        },
        "spec": {
            "sbcRef": {"name": "example"},
            "trunk": "pbx",
            "targets": ["192.0.2.65:5060"],
            "sources": ["192.0.2.65/32"],
            "accountRef": {"name": "acme"},
            "declaredUsers": declared,
        },
    }
