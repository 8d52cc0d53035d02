"""One mutant a guard at the carrier: taken away, the scenario that is there for it must fail."""

from __future__ import annotations

import datetime
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from callplane.engine import (
    carrier_gathering,
    carrier_memory,
    carrier_moves,
    carrier_numbers,
    carrier_orders,
    carrier_releases,
    carrier_writing,
    gathering,
    release_keys,
    write_ahead,
)
from callplane.engine.carrier_gathering import CarrierSide
from callplane.engine.scope import Scope
from callplane.numbering.lifecycle import Cause, NumberState
from callplane.providers.carrier_protocol import CarrierRefused
from callplane.providers.inmemory import carrier_world
from callplane.resources.carriers import Obstacle
from callplane.resources.lines import NumberType
from callplane.resources.platforms import NumberOnPlatform
from callplane.store.ports import Intent
from callplane.testing.carrier_estate import declare_number, seed_carrier
from callplane.testing.carrier_stage import ON_SALE, OWNED
from callplane.testing.engine_world import START, EngineWorld, Worlds, user_id
from callplane.values import E164

pytestmark = pytest.mark.looptime

Scenario = Callable[[Worlds], Awaitable[None]]
WANTED, LINE = ON_SALE[3], OWNED[0]
NO_CLIENT = "00000000-0000-4000-8000-00000000bbbb"
LONG_AGO = (START - datetime.timedelta(days=100)).date()


async def estate(worlds: Worlds, **spec: Any) -> EngineWorld:
    world = worlds.add(EngineWorld())
    world.carrier.offer(ON_SALE)
    world.carrier.give(OWNED)
    buys = {"enabled": True, "limit": {"numbers": 10}}
    await seed_carrier(world, **{"purchasing": buys, **spec})
    await world.start()
    await world.settle(5)
    return world


async def order(world: EngineWorld) -> None:
    await declare_number(world, "front", WANTED, acquisition="Order")


async def release(world: EngineWorld, **spec: Any) -> None:
    acknowledgement = {"number": LINE.text, "date": LONG_AGO.isoformat()}
    wanted = {"releasePolicy": "Release", "releaseAcknowledgement": acknowledgement, **spec}
    await declare_number(world, "front", LINE, **wanted)
    await world.settle(60)


async def approve_what_waits(world: EngineWorld) -> None:
    """A person who says yes to everything is no guard."""
    for index, digest in enumerate(world.held_digests()):
        await world.answer(digest=digest, name=f"yes-{index}")
    await world.settle(120)


# --- scenarios: each raises AssertionError when its guard does not hold ---


async def a_lost_answer_is_looked_for(worlds: Worlds) -> None:
    world = await estate(worlds)
    world.carrier.strike(carrier_world.answer_lost("order"))
    await order(world)
    await world.settle(300)
    assert await world.causes(WANTED.text) == ["Order", "Activate"]


async def a_purchase_above_the_limit_waits(worlds: Worlds) -> None:
    world = await estate(worlds, purchasing={"enabled": True, "limit": {"numbers": 3}})
    await order(world)
    await world.settle(120)
    assert world.carrier.purchases == []


async def a_rejected_order_is_not_placed_again(worlds: Worlds) -> None:
    world = await estate(worlds)
    world.carrier.needs_paperwork = True
    await order(world)
    await world.settle(60)
    world.carrier.reject(world.carrier.orders[0].reference, "The documents are too old.")
    world.carrier.offer([WANTED])
    await world.settle(3600)
    assert len(world.carrier.orders) == 1


async def one_key_releases_nothing(worlds: Worlds) -> None:
    world = await estate(worlds)
    await release(world, releaseAcknowledgement=None)
    await approve_what_waits(world)
    assert LINE in world.carrier.owned


async def a_number_rests_before_it_is_released(worlds: Worlds) -> None:
    world = await estate(worlds)
    today = {"number": LINE.text, "date": START.date().isoformat()}
    await release(world, releaseAcknowledgement=today)
    await approve_what_waits(world)
    assert LINE in world.carrier.owned


async def a_release_waits_for_a_person(worlds: Worlds) -> None:
    world = await estate(worlds)
    await release(world)
    await world.settle(300)
    assert LINE in world.carrier.owned


async def nothing_is_released_in_an_incident(worlds: Worlds) -> None:
    world = await estate(worlds)
    incident = {
        "connectionRef": {"kind": "Carrier", "name": "main"},
        "text": "The carrier is ill",
        "since": "2026-11-02T08:00:00Z",
        "freeze": "Destructive",
    }
    await world.apply("ProviderIncident", "outage", incident)
    await release(world)
    await approve_what_waits(world)
    assert LINE in world.carrier.owned


async def a_holder_keeps_the_number(worlds: Worlds) -> None:
    line = E164("+442079460003")
    world = await worlds.make()
    world.carrier.give([line])
    await seed_carrier(world)
    await world.apply(
        "NumberRange", "london", {"numbers": ["+442079460001"], "route": "DirectRouting"}
    )
    world.platform.administrator_assigns(line, "somebody-else")
    await world.settle(120)
    acknowledgement = {"number": line.text, "date": LONG_AGO.isoformat()}
    await declare_number(
        world,
        "front",
        line,
        releasePolicy="Release",
        releaseAcknowledgement=acknowledgement,
    )
    await world.settle(60)
    await approve_what_waits(world)
    assert line in world.carrier.owned


async def whoever_got_the_number_since_the_last_listing_keeps_it(worlds: Worlds) -> None:
    line = E164("+442079460003")
    world = await worlds.make(tenant={"driftInterval": "24h"})
    world.carrier.give([line])
    await seed_carrier(world)
    await world.apply(
        "NumberRange", "london", {"numbers": ["+442079460001"], "route": "DirectRouting"}
    )
    await world.settle(120)
    acknowledgement = {"number": line.text, "date": LONG_AGO.isoformat()}
    release = {"releasePolicy": "Release", "releaseAcknowledgement": acknowledgement}
    await declare_number(world, "front", line, **release)
    await world.settle(60)
    world.platform.administrator_assigns(line, "somebody-else")
    await approve_what_waits(world)
    assert line in world.carrier.owned


async def a_tenant_that_is_not_at_work_may_have_the_number(worlds: Worlds) -> None:
    """Its Secret is missing, so nobody can tell who has the number in it."""
    world = worlds.add(EngineWorld())
    world.seed_people(("ben",))
    world.carrier.give(OWNED)
    world.platform.put_numbers(
        [NumberOnPlatform(LINE, NumberType.DIRECT_ROUTING, holder_id=user_id("ben"))]
    )
    await seed_carrier(world)
    nowhere = {"name": "nowhere", "key": "secret"}
    await world.apply_tenant(
        credentials={"clientSecret": {"clientId": NO_CLIENT, "secretRef": nowhere}}
    )
    await world.start()
    await release(world)
    await approve_what_waits(world)
    assert LINE in world.carrier.owned


async def a_number_just_bought_is_not_bought_again(worlds: Worlds) -> None:
    world = worlds.add(EngineWorld())
    world.carrier.offer(ON_SALE)
    world.carrier.read_lag_seconds = 5.0
    await seed_carrier(world, purchasing={"enabled": True, "limit": {"numbers": 10}})
    await world.start()
    await world.settle(5)
    await order(world)
    await world.settle(3)
    assert await world.reason("front", kind="PhoneNumber") == "False OrderPending"


async def a_kept_number_keeps_its_lock(worlds: Worlds) -> None:
    world = await estate(worlds)
    await world.settle(30)
    refusal = CarrierRefused(Obstacle.OTHER, "the contract has not ended")
    world.carrier.strike(carrier_world.Strike("release", refusal, times=10))
    await release(world)
    await approve_what_waits(world)
    assert world.carrier.owned[LINE].deletion_locked is True


async def in_the_midst_of_its_release(
    worlds: Worlds, happens: Callable[[EngineWorld], Awaitable[None]]
) -> EngineWorld:
    """Something happens after the last look at the keys, before the number goes."""
    world = await estate(worlds)
    await release(world)
    runtime = next(iter(world.running.carriers.values()))
    commit = runtime.mirror.commit

    async def meanwhile(*arguments: Any, **options: Any) -> Any:
        (wanted,) = arguments
        if any(move.cause == Cause.REST_FOR_RELEASE for move in wanted.moves):
            await happens(world)
        return await commit(*arguments, **options)

    runtime.mirror.commit = meanwhile  # type: ignore[method-assign]
    await approve_what_waits(world)
    return world


async def a_release_that_is_called_off_is_not_sent(worlds: Worlds) -> None:
    world = await in_the_midst_of_its_release(
        worlds, lambda world: declare_number(world, "front", LINE)
    )
    assert LINE in world.carrier.owned


async def whoever_names_the_number_just_before_it_goes_keeps_it(worlds: Worlds) -> None:
    named = {"numbers": [LINE.text], "route": "DirectRouting"}
    world = await in_the_midst_of_its_release(
        worlds, lambda world: world.apply("NumberRange", "reception", named)
    )
    assert LINE in world.carrier.owned


async def a_carrier_that_was_just_suspended_is_not_written(worlds: Worlds) -> None:
    world = await in_the_midst_of_its_release(
        worlds, lambda world: seed_carrier(world, suspend=True)
    )
    assert LINE in world.carrier.owned


async def what_has_gone_is_not_bought_for_a_new_object(worlds: Worlds) -> None:
    world = await estate(worlds)
    await order(world)
    await world.settle(600)
    del world.carrier.owned[WANTED]
    world.carrier.offer([WANTED])
    await world.delete("PhoneNumber", "front")
    await world.settle(60)
    await order(world)
    await world.settle(600)
    assert WANTED not in world.carrier.owned


# --- mutants ---


def sends_again_on_a_guess(patch: pytest.MonkeyPatch) -> None:
    async def settle(scope: Scope, side: CarrierSide, intent: Intent) -> None:
        number = E164(intent.change["subject"][1])
        undo = carrier_moves.cancel(scope, number, NumberState.ORDERING, "")
        await carrier_writing.close(scope, side, intent, undo=undo)

    patch.setattr(carrier_orders, "settle", settle)


def knows_no_limit(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(carrier_orders, "is_above_limit", lambda side, offer, more=0: False)


def forgets_rejections(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(carrier_orders, "refuse_again", lambda scope, side, number, row: None)


def needs_no_keys(patch: pytest.MonkeyPatch) -> None:
    async def nothing(*_: object) -> list[release_keys.Missing]:
        return []

    patch.setattr(release_keys, "missing", nothing)


def needs_no_rest(patch: pytest.MonkeyPatch) -> None:
    async def nothing(*_: object) -> list[release_keys.Missing]:
        return []

    patch.setattr(release_keys, "_rest", nothing)


def asks_nobody(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(carrier_writing, "is_gated", lambda change: False)


def knows_no_incident(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(carrier_gathering, "incident_of", lambda scope, carrier: None)


def sees_no_holder(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(release_keys, "in_the_way", lambda scope, number, row: [])
    asks_no_platform(patch)


def asks_no_platform(patch: pytest.MonkeyPatch) -> None:
    async def nothing(*_: object) -> None:
        return

    patch.setattr(carrier_releases, "_check_nobody", nothing)


def needs_no_listing(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(gathering, "unlisted", lambda scope: iter(()))


def believes_every_read(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(carrier_numbers, "_wait_for_reads", lambda side, number: None)


def puts_nothing_back(patch: pytest.MonkeyPatch) -> None:
    async def nothing(*_: object) -> None:
        return

    patch.setattr(carrier_releases, "put_back", nothing)


def looks_at_no_object_again(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(write_ahead, "check_still_declared", lambda scope: None)


def looks_at_no_holder_again(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(carrier_releases, "_check_still_nobody", lambda scope, number, row: None)


def looks_at_no_carrier_again(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(carrier_gathering, "check_still_writable", lambda scope, side, change: None)


def forgets_what_it_had(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(carrier_memory, "was_had", lambda mirror, number: False)


PAIRS = [
    (a_lost_answer_is_looked_for, sends_again_on_a_guess),
    (a_purchase_above_the_limit_waits, knows_no_limit),
    (a_rejected_order_is_not_placed_again, forgets_rejections),
    (one_key_releases_nothing, needs_no_keys),
    (a_number_rests_before_it_is_released, needs_no_rest),
    (a_release_waits_for_a_person, asks_nobody),
    (nothing_is_released_in_an_incident, knows_no_incident),
    (a_holder_keeps_the_number, sees_no_holder),
    (whoever_got_the_number_since_the_last_listing_keeps_it, asks_no_platform),
    (a_tenant_that_is_not_at_work_may_have_the_number, needs_no_listing),
    (a_number_just_bought_is_not_bought_again, believes_every_read),
    (a_kept_number_keeps_its_lock, puts_nothing_back),
    (a_release_that_is_called_off_is_not_sent, looks_at_no_object_again),
    (whoever_names_the_number_just_before_it_goes_keeps_it, looks_at_no_holder_again),
    (a_carrier_that_was_just_suspended_is_not_written, looks_at_no_carrier_again),
    (what_has_gone_is_not_bought_for_a_new_object, forgets_what_it_had),
]


@pytest.mark.parametrize("scenario", [pair[0] for pair in PAIRS], ids=lambda s: s.__name__)
async def test_the_guard_holds(worlds: Worlds, scenario: Scenario) -> None:
    await scenario(worlds)


@pytest.mark.parametrize(("scenario", "mutate"), PAIRS, ids=lambda s: s.__name__)
async def test_without_the_guard_the_scenario_fails(
    worlds: Worlds,
    monkeypatch: pytest.MonkeyPatch,
    scenario: Scenario,
    mutate: Callable[[pytest.MonkeyPatch], None],
) -> None:
    worlds.defects_are_expected = True
    mutate(monkeypatch)
    with pytest.raises(AssertionError):
        await scenario(worlds)
