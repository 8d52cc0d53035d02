"""What a pass says of somebody's calls, in call control's tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from callplane.sbc.digests import digest_of
from callplane.store.call_tables import LINE, NUMBER, PHONE
from callplane.testing.carrier_estate import declare_number, seed_carrier
from callplane.testing.carrier_stage import OWNED
from callplane.testing.engine_world import EngineWorld, Worlds
from callplane.testing.sip_side import DOMAIN, PASSWORD, SipSide
from callplane.values import E164

pytestmark = pytest.mark.looptime

SAMPLES = Path(__file__).parents[2] / "manifests" / "samples"
REFS = {"accountRef": {"name": "example"}, "callingPlanRef": {"name": "domestic-300"}}


async def with_terms(worlds: Worlds, **options: Any) -> EngineWorld:
    world = await worlds.make(**options)
    for name in ("ratecard", "destinationset", "callingplan", "callingaccount", "callprivilege"):
        manifest = yaml.safe_load((SAMPLES / f"{name}.yaml").read_text(encoding="utf-8"))
        await world.apply(manifest["kind"], manifest["metadata"]["name"], manifest["spec"])
    return world


async def rows(world: EngineWorld, *kinds: str) -> dict[tuple[str, str], Any]:
    passage = await world.call_tables.read(0)
    return {
        (one.entry.kind, one.entry.name): one.entry.content
        for one in passage.entries
        if one.entry.content is not None and (not kinds or one.entry.kind in kinds)
    }


async def line(world: EngineWorld) -> dict[str, Any]:
    found = await rows(world, LINE)
    assert len(found) == 1
    ((_, content),) = found.items()
    assert isinstance(content, dict)
    return content


async def test_a_person_with_an_account_has_a_line_and_without_one_a_number(
    worlds: Worlds,
) -> None:
    world = await with_terms(worlds)
    await world.declare("ann", **REFS, callPrivilegeRef={"name": "domestic-and-international"})
    await world.declare("ben")
    await world.settle()
    found = await line(world)
    number = world.number_of("ann")
    assert found == {
        "ingress": "Teams",
        "numbers": [number],
        "account": "default/example",
        "plan": "default/domestic-300",
        "privilege": "default/domestic-and-international",
        "holder": found["holder"],
    }
    numbers = {name for _, name in await rows(world, NUMBER)}
    assert numbers == {number, world.number_of("ben")}
    writes = world.call_tables.writes
    await world.settle(600)
    assert world.call_tables.writes == writes


async def test_a_person_who_goes_takes_the_line_along_whatever_became_of_the_account(
    worlds: Worlds,
) -> None:
    world = await with_terms(worlds)
    await world.declare("ann", **REFS)
    await world.settle()
    await world.delete("CallingAccount", "example")
    await world.settle()
    assert (await line(world))["account"] == "default/example"
    await world.delete("TeamsUser", "ann")
    await world.settle()
    assert await rows(world, LINE, NUMBER, "CallingAccount") == {}


async def test_a_detached_persons_line_stays(worlds: Worlds) -> None:
    world = await with_terms(worlds)
    await world.declare("ann", **REFS, onDelete="Detach")
    await world.settle()
    before = await line(world)
    await world.delete("TeamsUser", "ann")
    await world.settle()
    assert await line(world) == before
    # Whoever declares the same person anew goes on with the same line.
    await world.declare("ann", as_object="anna", **REFS)
    await world.settle()
    assert await line(world) == before


async def test_who_is_only_observed_or_suspended_keeps_what_was_applied(worlds: Worlds) -> None:
    world = await with_terms(worlds)
    await world.declare("ann", **REFS, managementPolicy="Observe")
    await world.settle()
    assert await rows(world, LINE) == {}
    await world.declare("ann", **REFS)
    await world.settle()
    before = await line(world)
    await world.declare("ann", suspend=True)
    await world.settle()
    assert await line(world) == before
    await world.declare("ann")
    await world.settle()
    assert await rows(world, LINE) == {}


async def test_an_invalid_account_keeps_what_was_applied(worlds: Worlds) -> None:
    world = await with_terms(worlds)
    await world.declare("ann", **REFS)
    await world.settle()
    before = await rows(world, "CallingAccount")
    await world.apply("CallingAccount", "example", {"currency": "GBP", "payAsYouGo": True})
    await world.settle()
    assert await rows(world, "CallingAccount") == before


async def test_a_restarted_operator_writes_nothing_anew(worlds: Worlds) -> None:
    world = await with_terms(worlds)
    await world.declare("ann", **REFS)
    await world.settle()
    writes = world.call_tables.writes
    await world.restart()
    await world.settle(120)
    assert world.call_tables.writes == writes


async def test_who_was_deleted_while_the_operator_was_away_calls_no_more(worlds: Worlds) -> None:
    world = await with_terms(worlds)
    await world.declare("ann", **REFS)
    await world.settle()
    await world.kill()
    await world.delete("TeamsUser", "ann")
    await world.start()
    await world.settle(120)
    assert await rows(world, LINE, NUMBER) == {}


async def test_a_phone_has_a_line_by_its_user_and_what_it_proves_itself_by(worlds: Worlds) -> None:
    world = await with_terms(worlds)
    side = SipSide(world)
    side.seed_secret()
    await side.seed_sbc()
    await side.declare_phone("bob", **REFS)
    await world.settle()
    found = await line(world)
    assert (found["ingress"], found["account"]) == ("bob", "default/example")
    phones = await rows(world, PHONE)
    assert phones == {
        (PHONE, f"bob@{DOMAIN}"): {
            "username": "bob",
            "realm": DOMAIN,
            "digest": digest_of("bob", DOMAIN, PASSWORD.decode()),
        }
    }
    await world.delete("SipPhone", "bob")
    await world.settle()
    assert await rows(world, LINE, NUMBER, PHONE) == {}


async def test_a_pbx_has_one_line_with_all_its_numbers(worlds: Worlds) -> None:
    world = await with_terms(worlds, numbers=3)
    side = SipSide(world)
    await side.seed_sbc()
    refs = {"accountRef": {"name": "example"}, "numberRangeRefs": [{"name": "london"}]}
    await side.declare_trunk("branch", **refs, outsideLine="9", channels=30)
    await world.settle()
    found = await line(world)
    assert (found["ingress"], found["outsideLine"], found["channels"]) == ("branch", "9", 30)
    assert len(found["numbers"]) == len(await rows(world, NUMBER)) > 1
    # Who is moved off the PBX takes a number along.
    number = found["numbers"][0]
    await world.declare("ann", phoneNumber={"e164": number}, **REFS)
    await world.settle(120)
    lines = await rows(world, LINE)
    by_ingress = {content["ingress"]: content for content in lines.values()}
    assert by_ingress["Teams"]["numbers"] == [number]
    assert number not in by_ingress["branch"]["numbers"]


@pytest.mark.parametrize(
    ("route", "plan", "ours"),
    [("DirectRouting", "default/domestic-300", 1), ("ForeignDirectRouting", None, 0)],
)
async def test_r35_a_line_past_our_trunks_has_no_part_in_the_pool(
    worlds: Worlds, route: str, plan: str | None, ours: int
) -> None:
    """One row differs from the other by the route alone. Calls to the number leave by a carrier,
    so call control must not take it for one of ours that costs nothing.
    """
    world = await with_terms(worlds)
    await world.apply_tenant(entitlements=["ForeignDirectRouting"])
    await world.seed_range("london", size=10, route=route)
    await world.declare("ann", **REFS)
    await world.settle()
    assert await world.reason("ann") == "Succeeded"
    assert (await line(world)).get("plan") == plan
    assert len(await rows(world, NUMBER)) == ours


@pytest.mark.parametrize(
    ("route", "is_charged"), [("DirectRouting", True), ("ForeignDirectRouting", False)]
)
async def test_r35_calls_past_our_sbc_are_no_evidence_of_records_that_are_missing(
    worlds: Worlds, route: str, is_charged: bool
) -> None:
    world = await worlds.make()
    await world.apply_tenant(entitlements=["ForeignDirectRouting"])
    await world.seed_range("london", size=10, route=route)
    await world.declare("ann")
    await world.settle()
    (runtime,) = world.engine.connections.values()
    number = E164(world.number_of("ann") or "")
    assert runtime.has_number(number)
    assert runtime.is_charged(number) is is_charged
    # Nobody of ours has the next one, whoever the tenant shows with it.
    other = E164(f"+{number.digits + 1}")
    assert runtime.has_number(other)
    assert not runtime.is_charged(other)


@pytest.mark.parametrize(
    ("route", "is_charged"), [("DirectRouting", True), ("OperatorConnect", False)]
)
async def test_r35_nor_are_those_in_a_carriers_log(
    worlds: Worlds, route: str, is_charged: bool
) -> None:
    world = worlds.add(EngineWorld())
    world.carrier.give(OWNED)
    await seed_carrier(world)
    await declare_number(world, "front", OWNED[0], route=route)
    await world.start()
    await world.settle()
    (runtime,) = world.engine.carriers.values()
    assert runtime.is_charged(OWNED[0]) is is_charged
    assert not runtime.is_charged(E164("+442079460999"))
