"""A number that may be given back: asked for, and what its object says of it."""

from __future__ import annotations

import datetime
from typing import Any

from callplane.testing.carrier_estate import declare_number, seed_carrier, seed_location
from callplane.testing.carrier_stage import ON_SALE, OWNED
from callplane.testing.engine_world import START, EngineWorld, Worlds
from callplane.values import E164

#: The number of `PhoneNumber/front`.
LINE = OWNED[0]
LONG_AGO = (START - datetime.timedelta(days=100)).date()


async def estate(worlds: Worlds, **spec: Any) -> EngineWorld:
    """A world whose carrier has our numbers, one of them declared, with an emergency address."""
    world = worlds.add(EngineWorld())
    world.carrier.offer(ON_SALE)
    world.carrier.give(OWNED)
    await seed_location(world)
    await seed_carrier(world, **spec)
    await declare_number(world, "front", LINE, emergencyLocationRef={"name": "office"})
    await world.start()
    await world.settle(10)
    assert world.carrier.owned[LINE].deletion_locked is True
    assert world.carrier.owned[LINE].emergency_address is not None
    return world


async def ask(
    world: EngineWorld, *, line: E164 = LINE, day: datetime.date | None = LONG_AGO, **spec: Any
) -> None:
    """Turn both keys: the policy, and the acknowledgement of the number and a day."""
    acknowledgement = {"number": line.text, "date": day.isoformat()} if day else None
    wanted = {
        "emergencyLocationRef": {"name": "office"},
        "releasePolicy": "Release",
        "releaseAcknowledgement": acknowledgement,
        **spec,
    }
    await declare_number(world, "front", line, **wanted)
    await world.settle()


async def reason(world: EngineWorld) -> str:
    """Why the object is as it is: the status of Ready, where it is not True, and its reason."""
    return await world.reason("front", kind="PhoneNumber")


async def needs(world: EngineWorld) -> str:
    """What its release still needs, in one line."""
    found = (await world.status("PhoneNumber", "front")).get("releaseNeeds") or []
    return "; ".join(found)


def released(world: EngineWorld) -> int:
    """How often the carrier was asked to take a number back."""
    return [call.name for call in world.carrier.journal].count("release")
