"""Phones, PBXes and SIP addresses at the SBC: numbers come, go and move to and from Teams."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from types import ModuleType
from typing import Any

import pytest

from callplane.engine import gathering, guarding, pbx_trunks, sip_phones, transfers
from callplane.engine.connections import ConnectionRuntime
from callplane.resources.lines import NumberType
from callplane.resources.platforms import NumberOnPlatform
from callplane.testing.engine_world import EngineWorld, Worlds, number, user_id
from callplane.testing.sip_side import PASSWORD, SipSide
from callplane.values import E164

pytestmark = pytest.mark.looptime

NONE: dict[str, Any] = {"none": {}}
PHONE = "SipPhone"
TRUNK = "PbxTrunk"
RANGE = [{"name": "london"}]


async def made(worlds: Worlds, **options: Any) -> tuple[EngineWorld, SipSide]:
    """A tenant with ann and ben, an SBC, and one range for all."""
    world = await worlds.make(("ann", "ben"), **options)
    sip = SipSide(world)
    sip.seed_secret()
    await sip.seed_sbc()
    await world.settle()
    return world, sip


async def test_a_phone_gets_a_number(worlds: Worlds) -> None:
    world, sip = await made(worlds)
    await sip.declare_phone("bob")
    await world.settle()
    assert await world.reason("bob", kind=PHONE) == "Succeeded"
    status = await world.status(PHONE, "bob")
    assert status["phoneNumber"] == {"e164": number(0), "type": "Sip"}
    assert status["connection"] == {"kind": "SessionBorderController", "name": "sbc"}
    assert (await world.state(0), await sip.holder_of(0)) == ("Assigned", "phone:bob")
    await world.settle(700)
    shown = await world.status("SessionBorderController", "sbc")
    assert (shown["users"], shown["claims"]) == (1, 1)
    await world.delete(PHONE, "bob")
    await world.settle(60)
    assert not await world.exists(PHONE, "bob")
    assert await world.state(0) == "Quarantined"


async def test_a_phone_keeps_its_number_over_a_restart(worlds: Worlds) -> None:
    world, sip = await made(worlds)
    await sip.declare_phone("bob", phoneNumber={"e164": number(3)})
    await world.settle()
    causes = await world.causes(3)
    await world.restart()
    await world.settle(60)
    assert await world.reason("bob", kind=PHONE) == "Succeeded"
    assert await world.causes(3) == causes
    await world.kill()
    await world.start()
    await world.settle(60)
    assert (await world.state(3), await sip.holder_of(3)) == ("Assigned", "phone:bob")


@pytest.mark.parametrize("to_phone_first", [True, False])
async def test_a_number_goes_from_teams_to_a_phone_and_back(
    worlds: Worlds, to_phone_first: bool
) -> None:
    world, sip = await made(worlds)
    await world.declare("ann", phoneNumber={"e164": number(1)})
    await sip.declare_phone("bob", phoneNumber=NONE)
    await world.settle()
    assert world.number_of("ann") == number(1)
    wanted = {"e164": number(1)}
    for phone_has in (True, False):
        sides = [("phone", wanted if phone_has else NONE), ("ann", NONE if phone_has else wanted)]
        for side, source in sides if to_phone_first else reversed(sides):
            if side == "phone":
                await sip.declare_phone("bob", phoneNumber=source)
            else:
                await world.declare("ann", phoneNumber=source)
        await world.settle(120)
        assert await world.state(1) == "Assigned"
        assert world.number_of("ann") == (None if phone_has else number(1))
        assert (await sip.holder_of(1) == "phone:bob") is phone_has
    assert "unassign" not in await world.causes(1)
    assert await world.reason("ann") == "Succeeded"
    assert await world.reason("bob", kind=PHONE) == "Succeeded"


async def test_one_number_has_one_holder_whoever_asks(worlds: Worlds) -> None:
    world, sip = await made(worlds)
    await world.declare("ann", phoneNumber={"e164": number(1)})
    await world.settle()
    await sip.declare_phone("bob", phoneNumber={"e164": number(1)})
    await sip.declare_trunk(numbers=[number(1)])
    await world.settle(60)
    assert await world.reason("bob", kind=PHONE) == "False NumberTaken"
    assert await world.reason("branch", kind=TRUNK) == "False NumberTaken"
    assert world.number_of("ann") == number(1)


async def test_two_objects_of_one_phone(worlds: Worlds) -> None:
    world, sip = await made(worlds)
    await sip.declare_phone("bob")
    await world.settle()
    await world.apply(
        PHONE, "again", (await world.body(PHONE, "bob"))["spec"] | {"phoneNumber": NONE}
    )
    await world.settle()
    assert await world.reason("again", kind=PHONE) == "False DeclaredTwice"
    assert await sip.holder_of(0) == "phone:bob"


@pytest.mark.parametrize(
    ("credentials", "reason"),
    [
        ({"passwordRef": {"name": "nowhere", "key": "x"}}, "SecretNotFound"),
        ({"passwordRef": {"name": "phones", "key": "nothing"}}, "SecretNotFound"),
        ({"digestRef": {"name": "phones", "key": "password"}}, "InvalidSpec"),
        ({"passwordRef": {"name": "graph", "key": "secret"}}, "InvalidSpec"),
    ],
)
async def test_a_phone_without_proof_gets_no_number(
    worlds: Worlds, credentials: dict[str, Any], reason: str
) -> None:
    world, sip = await made(worlds)
    await sip.declare_phone("bob", credentials=credentials)
    await world.settle()
    assert await world.reason("bob", kind=PHONE) == f"False {reason}"
    assert await world.row(0) is None


async def test_no_secret_is_shown_anywhere(
    worlds: Worlds, caplog: pytest.LogCaptureFixture
) -> None:
    world, sip = await made(worlds)
    await sip.declare_phone("bob")
    await sip.declare_phone("eve", credentials={"digestRef": {"name": "phones", "key": "password"}})
    await world.settle()
    shown = f"{await world.body(PHONE, 'bob')}{await world.body(PHONE, 'eve')}{caplog.text}"
    assert PASSWORD.decode() not in shown


# PBX


async def test_a_pbx_has_every_number_of_its_ranges_that_nobody_has(worlds: Worlds) -> None:
    world, sip = await made(worlds)
    await world.declare("ann", phoneNumber={"e164": number(2)})
    await world.settle()
    await sip.declare_trunk(numberRangeRefs=RANGE)
    await world.settle()
    assert await world.reason("branch", kind=TRUNK) == "Succeeded"
    status = await world.status(TRUNK, "branch")
    assert (status["numbers"], status["elsewhere"]) == (9, 1)
    assert await sip.holder_of(0) == "trunk:branch"
    assert world.number_of("ann") == number(2)
    await world.declare("ben")
    await world.settle()
    assert await world.reason("ben") == "False RangeExhausted"


async def test_people_are_moved_off_a_pbx_one_by_one_and_back(worlds: Worlds) -> None:
    world, sip = await made(worlds)
    await sip.declare_trunk(numberRangeRefs=RANGE)
    await world.settle()
    await world.declare("ann", phoneNumber={"e164": number(4)})
    await sip.declare_phone("bob", phoneNumber={"e164": number(5)})
    await world.settle(120)
    assert world.number_of("ann") == number(4)
    assert await sip.holder_of(5) == "phone:bob"
    assert (await world.status(TRUNK, "branch"))["numbers"] == 8
    assert "unassign" not in await world.causes(4) + await world.causes(5)
    await sip.declare_trunk(numberRangeRefs=RANGE, numbers=[number(4)])
    await world.declare("ann", phoneNumber=NONE)
    await world.settle(120)
    assert world.number_of("ann") is None
    assert (await world.state(4), await sip.holder_of(4)) == ("Assigned", "trunk:branch")
    assert await world.reason("branch", kind=TRUNK) == "Succeeded"


async def test_a_pbx_that_loses_a_range_waits_for_an_answer(worlds: Worlds) -> None:
    world, sip = await made(worlds)
    await sip.seed_sbc(changeLimits={"maxCount": 3, "floor": 1, "settle": "1s"})
    await sip.declare_trunk(numberRangeRefs=RANGE)
    await world.settle()
    await sip.declare_trunk()
    await world.settle(120)
    assert await world.reason("branch", kind=TRUNK) == "False ApprovalRequired"
    assert [await world.state(which) for which in range(10)] == ["Assigned"] * 10
    await world.answer()
    await world.settle(120)
    assert await world.reason("branch", kind=TRUNK) == "Succeeded"
    assert [await world.state(which) for which in range(10)] == ["Quarantined"] * 10
    await sip.declare_trunk(numberRangeRefs=RANGE)
    await world.settle()
    assert [await world.state(which) for which in range(10)] == ["Assigned"] * 10


async def test_a_pbx_that_goes_lets_its_numbers_rest(worlds: Worlds) -> None:
    world, sip = await made(worlds)
    await sip.declare_trunk(numberRangeRefs=RANGE)
    await world.settle()
    await world.delete(TRUNK, "branch")
    await world.settle(120)
    assert await world.reason("branch", kind=TRUNK) == "False ApprovalRequired"
    await world.answer()
    await world.settle(120)
    assert not await world.exists(TRUNK, "branch")
    assert [await world.state(which) for which in range(10)] == ["Quarantined"] * 10


async def test_a_pbx_under_another_name_keeps_everything(worlds: Worlds) -> None:
    world, sip = await made(worlds)
    await sip.declare_trunk(numberRangeRefs=RANGE)
    await world.settle()
    spec = (await world.body(TRUNK, "branch"))["spec"]
    await world.apply(TRUNK, "renamed", spec)
    await world.settle()
    assert await world.reason("renamed", kind=TRUNK) == "False DeclaredTwice"
    await world.delete(TRUNK, "branch")
    await world.settle(60)
    assert await world.reason("renamed", kind=TRUNK) == "Succeeded"
    assert (await world.status(TRUNK, "renamed"))["numbers"] == 10
    assert "unassign" not in await world.causes(0)


async def test_a_pbx_that_is_detached_leaves_its_claims(worlds: Worlds) -> None:
    world, sip = await made(worlds)
    await sip.declare_trunk(numberRangeRefs=RANGE, onDelete="Detach")
    await world.settle()
    await world.delete(TRUNK, "branch")
    await world.settle()
    assert not await world.exists(TRUNK, "branch")
    assert await world.state(0) == "Assigned"


async def test_a_range_that_is_not_there_takes_nothing_away(worlds: Worlds) -> None:
    world, sip = await made(worlds)
    await sip.seed_sbc(changeLimits={"maxCount": 100, "maxPercent": 100, "settle": "1s"})
    await sip.declare_trunk(numberRangeRefs=RANGE)
    await world.settle()
    await sip.declare_trunk(numberRangeRefs=[{"name": "elsewhere"}], numbers=[number(1)])
    await world.settle(60)
    assert await world.reason("branch", kind=TRUNK) == "False DependencyNotReady"
    assert await world.state(0) == "Assigned"


async def test_an_observed_pbx_takes_nothing(worlds: Worlds) -> None:
    world, sip = await made(worlds)
    await sip.declare_trunk(numberRangeRefs=RANGE, managementPolicy="Observe")
    await world.settle()
    assert await world.row(0) is None
    assert (await world.status(TRUNK, "branch"))["numbers"] == 0


# SIP addresses


async def test_a_service_at_a_sip_address_gets_a_number_for_services(worlds: Worlds) -> None:
    world, sip = await made(worlds)
    await world.seed_range("services", first=number(20), last=number(29), use="Service")
    spec = {
        "sip": {"sbcRef": {"name": "sbc"}, "uri": "sip:desk@192.0.2.80:5060"},
        "phoneNumber": {"rangeRef": {"name": "services"}},
    }
    await world.apply("ServiceLine", "reception", spec)
    await world.settle()
    assert await world.reason("reception", kind="ServiceLine") == "Succeeded"
    assert await sip.holder_of(20) == "sip:desk@192.0.2.80:5060"
    people = {**spec, "phoneNumber": {"rangeRef": {"name": "london"}}}
    await world.apply("ServiceLine", "reception", people)
    await world.settle()
    assert await world.reason("reception", kind="ServiceLine") == "False NumberUseMismatch"


async def test_a_pbx_says_that_more_people_call_than_are_declared(worlds: Worlds) -> None:
    world, sip = await made(worlds)
    await sip.declare_trunk(numberRangeRefs=RANGE)
    await world.settle()
    (key,) = [cached.key for cached in world.running.cache.of_kind(TRUNK)]
    for text in ("declares 2 users, and 3 have called", ""):
        world.running.say_fair_use({key: text} if text else {})
        await world.settle(60)
        status, reason, message = await world.condition(TRUNK, key.name, "FairUseExceeded")
        assert (status, reason, message) == (
            ("True", "FairUseExceeded", text) if text else ("", "", "")
        )
        assert await world.reason(key.name, kind=TRUNK) == "Succeeded"


# What people have whom nothing declares


async def ben_has(worlds: Worlds, which: int = 0) -> tuple[EngineWorld, SipSide]:
    """As `made`, but ben has a number in Teams, and nothing declares him."""
    world = await worlds.make(("ann", "ben"), start=False)
    line = E164(number(which))
    world.platform.put_numbers(
        [NumberOnPlatform(line, NumberType.DIRECT_ROUTING, holder_id=user_id("ben"))]
    )
    sip = SipSide(world)
    sip.seed_secret()
    await sip.seed_sbc()
    await world.start()
    await world.settle(60)
    return world, sip


async def lose_the_secret(world: EngineWorld) -> None:
    secret = {"name": "nowhere", "key": "secret"}
    client = "00000000-0000-4000-8000-00000000bbbb"
    await world.apply_tenant(
        credentials={"clientSecret": {"clientId": client, "secretRef": secret}}
    )


async def test_a_pbx_takes_nothing_before_every_platform_is_listed(worlds: Worlds) -> None:
    world, sip = await ben_has(worlds)
    await sip.declare_trunk(numberRangeRefs=RANGE)
    await world.settle(60)
    assert (await world.status(TRUNK, "branch"))["numbers"] == 9
    await world.restart()
    await world.settle(700)
    assert await world.row(0) is None
    assert await world.reason("branch", kind=TRUNK) == "Succeeded"


async def test_a_pbx_waits_for_a_tenant_without_its_secret(worlds: Worlds) -> None:
    world, sip = await ben_has(worlds)
    await world.kill()
    await lose_the_secret(world)
    await sip.declare_trunk(numberRangeRefs=RANGE)
    await world.start()
    await world.settle(300)
    assert await world.reason("branch", kind=TRUNK) == "False DependencyNotReady"
    assert (await world.status(TRUNK, "branch"))["numbers"] == 0
    await world.seed_tenant()
    await world.settle(120)
    assert await world.reason("branch", kind=TRUNK) == "Succeeded"
    assert (await world.status(TRUNK, "branch"))["numbers"] == 9
    assert await world.row(0) is None


async def test_a_phone_does_not_draw_what_somebody_has_in_teams(worlds: Worlds) -> None:
    world, sip = await ben_has(worlds)
    await sip.declare_phone("bob")
    await world.settle(60)
    assert await sip.holder_of(1) == "phone:bob"
    assert await world.row(0) is None


async def test_a_phone_waits_for_whoever_has_its_number_in_teams(worlds: Worlds) -> None:
    world, sip = await ben_has(worlds)
    await sip.declare_phone("bob", phoneNumber={"e164": number(0)})
    await world.settle(60)
    assert await world.reason("bob", kind=PHONE) == "False Foreign"
    _, _, message = await world.condition(PHONE, "bob", "Ready")
    assert "is assigned in TeamsTenant default/main to somebody" in message
    world.platform.administrator_assigns(E164(number(0)), None)
    await world.settle(120)
    assert await world.reason("bob", kind=PHONE) == "Succeeded"
    assert await sip.holder_of(0) == "phone:bob"


# Without its guard each of these must fail.


async def _no_gate(*_: object) -> None:
    """Lets everything through."""


async def _no_proof(*_: object, **__: object) -> str:
    """Believes that every phone can prove itself."""
    return "0" * 32


async def _nobody(*_: object, **__: object) -> bool:
    """Asks nobody for a number."""
    return False


async def no_proof_scenario(worlds: Worlds) -> None:
    await test_a_phone_without_proof_gets_no_number(
        worlds, {"passwordRef": {"name": "nowhere", "key": "x"}}, "SecretNotFound"
    )


@pytest.mark.parametrize(
    ("scenario", "guard", "mutant"),
    [
        (
            test_a_range_that_is_not_there_takes_nothing_away,
            (pbx_trunks, "is_given_up"),
            lambda row, wanted: not wanted.holds(row.number),
        ),
        (test_a_pbx_that_loses_a_range_waits_for_an_answer, (guarding, "pass_gate"), _no_gate),
        (test_people_are_moved_off_a_pbx_one_by_one_and_back, (transfers, "begin"), _nobody),
        (no_proof_scenario, (sip_phones, "digest"), _no_proof),
        (
            test_a_pbx_takes_nothing_before_every_platform_is_listed,
            (gathering, "unlisted"),
            lambda scope: iter(()),
        ),
        (
            test_a_phone_does_not_draw_what_somebody_has_in_teams,
            (ConnectionRuntime, "seen_elsewhere"),
            lambda runtime, number: None,
        ),
        (
            test_a_phone_waits_for_whoever_has_its_number_in_teams,
            (ConnectionRuntime, "seen_elsewhere"),
            lambda runtime, number: None,
        ),
    ],
    ids=[
        "absence-is-believed",
        "no-gate",
        "nobody-is-asked",
        "no-proof",
        "no-listing",
        "draws-what-others-have",
        "takes-what-others-have",
    ],
)
async def test_without_its_guard_a_scenario_fails(
    worlds: Worlds,
    monkeypatch: pytest.MonkeyPatch,
    scenario: Callable[[Worlds], Awaitable[None]],
    guard: tuple[ModuleType | type, str],
    mutant: object,
) -> None:
    worlds.defects_are_expected = True
    monkeypatch.setattr(*guard, mutant)
    with pytest.raises(AssertionError):
        await scenario(worlds)


async def test_a_pbx_of_another_sbc_with_the_same_trunk_takes_nothing_over(worlds: Worlds) -> None:
    world, sip = await made(worlds)
    await sip.seed_sbc(name="edge", domain="edge.example.com")
    elsewhere = {"name": "edge", "namespace": "default"}
    peers = {"targets": ["192.0.2.66:5060"], "sources": ["192.0.2.66/32"]}
    await sip.declare_trunk("far", trunk="branch", sbcRef=elsewhere, **peers)
    await sip.declare_trunk("branch", numbers=[number(3)])
    await world.settle(60)
    assert await world.state(3) == "Assigned"
    await world.delete(TRUNK, "branch")
    await world.settle(120)
    assert not await world.exists(TRUNK, "branch")
    assert await world.state(3) == "Quarantined"
