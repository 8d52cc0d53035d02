"""Seeded storms over carriers: answers get lost, the operator dies, listings lie. Whatever happens,
each number is bought once, and the money spent is what the history says.
"""

from __future__ import annotations

import random

import pytest

from callplane.engine import carrier_moves, carrier_orders, carrier_writing
from callplane.engine.carrier_gathering import CarrierSide
from callplane.engine.scope import Scope
from callplane.numbering.lifecycle import NumberState
from callplane.providers.inmemory import carrier_world
from callplane.providers.inmemory.carrier_world import SAMPLE_MONTHLY, SAMPLE_SETUP, Strike
from callplane.store.ports import Intent
from callplane.testing.carrier_estate import declare_number, seed_carrier
from callplane.testing.carrier_stage import ON_SALE, OWNED
from callplane.testing.engine_world import EngineWorld, Worlds
from callplane.values import E164

pytestmark = pytest.mark.looptime

SEEDS = range(24)
# Seeds in which an order loses its answer, so that a guess shows.
TELLING = (1, 4, 9)
STORM_SECONDS = 900.0
CALM_SECONDS = 900.0
PRICE = SAMPLE_SETUP.amount_micros + SAMPLE_MONTHLY.amount_micros


def misfortune(chance: random.Random) -> Strike:
    """One thing that goes wrong."""
    write = chance.choice(["order", "set_route", "set_deletion_lock", "writes"])
    return chance.choice(
        [
            carrier_world.answer_lost(write),
            carrier_world.request_lost(write),
            carrier_world.throttled(write, chance.uniform(0.5, 20.0)),
            carrier_world.cut("reads", times=chance.randint(1, 4)),
            carrier_world.cut("find_order"),
            carrier_world.throttled("reads", chance.uniform(0.5, 5.0)),
            Strike("list_pages", empties=True),
            carrier_world.locked_out("reads", times=1),
        ]
    )


@pytest.mark.parametrize("seed", SEEDS)
async def test_each_number_is_bought_once(worlds: Worlds, seed: int) -> None:
    await weather(worlds, seed)


@pytest.mark.parametrize("seed", TELLING)
async def test_an_operator_that_guesses_is_noticed(
    worlds: Worlds, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    async def guess(scope: Scope, side: CarrierSide, intent: Intent) -> None:
        number = E164(intent.change["subject"][1])
        undo = carrier_moves.cancel(scope, number, NumberState.ORDERING, "")
        await carrier_writing.close(scope, side, intent, undo=undo)

    worlds.defects_are_expected = True
    monkeypatch.setattr(carrier_orders, "settle", guess)
    with pytest.raises(AssertionError):
        await weather(worlds, seed)


async def weather(worlds: Worlds, seed: int) -> None:
    """One storm, and the calm after it."""
    chance = random.Random(seed)
    world = worlds.add(EngineWorld(chance=seed))
    carrier = world.carrier
    carrier.offer(ON_SALE)
    carrier.give(OWNED)
    carrier.keeps_references = chance.random() < 0.5
    carrier.read_lag_seconds = chance.choice([0.0, 0.0, 3.0, 20.0])
    carrier.order_seconds = chance.choice([0.0, 5.0, 120.0]) if carrier.keeps_references else 0.0
    funds = carrier.balance_micros
    await seed_carrier(world, purchasing={"enabled": True, "limit": {"numbers": 20}})
    await world.start()
    wanted = chance.sample(ON_SALE, 4)
    ends_at = world.clock.monotonic() + STORM_SECONDS
    for index, number in enumerate(wanted):
        await declare_number(world, f"line-{index}", number, acquisition="Order")
    while world.clock.monotonic() < ends_at:
        await world.settle(chance.expovariate(1 / 20.0))
        if chance.random() < 0.15:
            await world.restart()
        else:
            carrier.strike(misfortune(chance))
    carrier.strikes.clear()
    await world.settle(CALM_SECONDS)

    assert sorted(carrier.purchases) == sorted(wanted)
    assert set(carrier.owned) == {*wanted, *OWNED}
    bought = 0
    for index, number in enumerate(wanted):
        assert await world.reason(f"line-{index}", kind="PhoneNumber") == "Succeeded"
        causes = await world.causes(number.text)
        assert causes.count("Order") - causes.count("Cancel") == causes.count("Activate") == 1
        assert await world.state(number.text) == "Free"
        assert carrier.owned[number].route is not None
        bought += causes.count("Activate")
    assert funds - carrier.balance_micros == bought * PRICE
    assert carrier.released == []
