"""Carriers for the engine's worlds: objects as a user would apply them, over a carrier in memory.

await seed_carrier(world, purchasing={"enabled": True, "limit": {"numbers": 10}})
await declare_number(world, "front-desk", ON_SALE[3], acquisition="Order")
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from callplane.apis.carriers import CarrierSpec
from callplane.cluster.resource_kinds import SECRETS
from callplane.providers.bringyourown.provider import BringYourOwnCarrier
from callplane.providers.carrier_protocol import CarrierProvider
from callplane.providers.inmemory.carrier_provider import InMemoryCarrier
from callplane.providers.registry import CarrierRegistry, Ingredients
from callplane.values import E164, ConnectionId

if TYPE_CHECKING:
    from callplane.testing.engine_world import EngineWorld

ACCOUNT = "930000"
CARRIER = ConnectionId("simwood", ACCOUNT)
TRUNK = {"name": "sbc", "endpoints": ["%e164@sbc1.example.com:5061"]}
ADDRESS = {
    "organisation": "Example Ltd",
    "building": "12",
    "street": "Sample Street",
    "town": "London",
    "postcode": "SW1A 1AA",
}


def carrier_provider(world: EngineWorld, name: str, ingredients: Ingredients) -> CarrierProvider:
    """What wiring makes for a Carrier that has an address, a simulator's; else the same over the
    world's carrier in memory.
    """
    spec = ingredients.spec
    assert isinstance(spec, CarrierSpec)
    if spec.endpoint is not None:
        return CarrierRegistry().create(name, ingredients)
    if name == "bringyourown":
        return BringYourOwnCarrier(spec.account)
    return InMemoryCarrier(ConnectionId(name, spec.account), world.carrier, clock=world.clock)


async def seed_carrier(world: EngineWorld, name: str = "main", **spec: Any) -> None:
    """A Carrier that buys nothing unless told so, with its Secret; it admits every namespace."""
    if not any(key[0] == SECRETS for key in world.cluster.state.objects):
        world.seed_secret()
    merged = {
        "type": "Simwood",
        "account": ACCOUNT,
        "credentials": {"user": "api", "secretRef": {"name": "graph", "key": "secret"}},
        "writesPerSecond": 100,
        "driftInterval": "60s",
        "trunk": TRUNK,
        "allowedNamespaces": [{"selector": {}}],
        **spec,
    }
    merged = {key: value for key, value in merged.items() if value is not None}
    await world.apply("Carrier", name, merged)


async def declare_number(world: EngineWorld, name: str, number: E164, **spec: Any) -> None:
    """A PhoneNumber at the carrier `main`, unless told otherwise."""
    merged = {
        "e164": number.text,
        "route": "DirectRouting",
        "carrierRef": {"name": "main"},
        "allowedNamespaces": [{"selector": {}}],
        **spec,
    }
    merged = {key: value for key, value in merged.items() if value is not None}
    await world.apply("PhoneNumber", name, merged)


async def seed_location(world: EngineWorld, name: str = "office", **address: str) -> None:
    """An EmergencyLocation."""
    await world.apply("EmergencyLocation", name, {"address": {**ADDRESS, **address}})


def answered_connection(world: EngineWorld, spec: dict[str, Any]) -> dict[str, str]:
    """The connection whose batch an answer is for."""
    at_work = world.engine.all_at_work() if world.engine is not None else []
    for runtime in at_work:
        rows = runtime.mirror.gate_rows.values()
        if any(row.digest and row.digest == spec.get("digest") for row in rows):
            return {"kind": runtime.key.kind, "name": runtime.key.name}
    return {"kind": "TeamsTenant", "name": "main"}
