"""An observation is complete and read-only, and signs in only with what the cluster says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from callplane.apis.references import SecretKeyRef
from callplane.engine import snapshot_files
from callplane.engine.observations import Observations
from callplane.errors import CallplaneError
from callplane.providers.inmemory import InMemoryProvider, Listing, Verb, listing_lies, throttle
from callplane.providers.protocol import Provider
from callplane.providers.registry import Ingredients
from callplane.testing.engine_world import CONNECTION, SECRET, EngineWorld
from callplane.wiring import observing
from callplane.wiring.observing import Sources, observe

pytestmark = pytest.mark.looptime

REFERENCE = SecretKeyRef(name="graph", key="secret")


async def at_work() -> EngineWorld:
    world = EngineWorld()
    world.seed_people(("ann", "ben"))
    world.seed_inventory()
    world.seed_namespace("sales", {"team": "sales"})
    await world.seed_tenant()
    await world.seed_range()
    await world.start()
    await world.declare("ann")
    await world.settle(60)
    # Its own listings would meet the faults that are meant for ours.
    await world.stop()
    return world


def sources(world: EngineWorld, seen: list[Ingredients] | None = None) -> Sources:
    def provider(_: str, ingredients: Ingredients) -> Provider:
        if seen is not None:
            seen.append(ingredients)
        return InMemoryProvider(CONNECTION, world.platform, clock=world.clock, page_rows=3)

    return Sources(
        provider_factory=provider,
        clock=world.clock,
        taken_by="anna@workstation",
        cluster=world.cluster,
        register=world.register,
    )


async def take(wanted: Sources) -> Observations:
    return await observe(wanted, report=lambda _: None)


@pytest.fixture
def reported() -> list[str]:
    return []


async def test_everything_that_a_plan_needs_is_read(reported: list[str]) -> None:
    world = await at_work()
    found = await observe(sources(world), report=reported.append)
    (connection,) = found.connections
    assert {person.user_principal_name for person in connection.people} == {
        "ann@example.com",
        "ben@example.com",
    }
    assert len(connection.numbers) == 10
    assert connection.register is not None
    assert [row.number.text for row in connection.register.numbers] == [world.number_of("ann")]
    assert found.namespace_labels["sales"]["team"] == "sales"
    kinds = sorted((body["kind"], body["metadata"]["name"]) for body in found.objects)
    assert kinds == [("NumberRange", "london"), ("TeamsTenant", "main"), ("TeamsUser", "ann")]
    assert all("status" not in body for body in found.objects)
    assert any("10 numbers" in line for line in reported)


async def test_nothing_is_written_anywhere() -> None:
    world = await at_work()
    mark = await world.written()
    await take(sources(world))
    written = await world.written_since(mark)
    assert (written.provider, written.cluster, written.register) == (0, 0, 0)


async def test_the_file_holds_no_secret(tmp_path: Path) -> None:
    world = await at_work()
    seen: list[Ingredients] = []
    found = await take(sources(world, seen))
    assert list(seen[0].secrets.values()) == [SECRET]
    file = tmp_path / "a.snapshot"
    snapshot_files.save(file, found)
    assert SECRET.decode() not in repr(snapshot_files.load(file))


async def test_a_listing_that_lies_is_asked_for_again() -> None:
    world = await at_work()
    world.platform.faults.add(listing_lies(Listing.TWICE), verb=Verb.LIST, times=1)
    found = await take(sources(world))
    assert len(found.connections[0].numbers) == 10


async def test_a_throttled_listing_waits_and_goes_on() -> None:
    world = await at_work()
    world.platform.faults.add(throttle(7.0), verb=Verb.LIST, times=1)
    began = world.clock.monotonic()
    await take(sources(world))
    assert world.clock.monotonic() - began >= 7.0


async def test_half_an_observation_is_none() -> None:
    world = await at_work()
    fault = listing_lies(Listing.WITHOUT_END)
    world.platform.faults.add(fault, verb=Verb.LIST, times=observing.LISTING_ATTEMPTS)
    with pytest.raises(CallplaneError, match="no complete listing of people after 5 attempts"):
        await take(sources(world))


async def test_without_a_cluster_credentials_come_from_options_alone() -> None:
    world = await at_work()
    tenants = [
        body for body in (await take(sources(world))).objects if body["kind"] == "TeamsTenant"
    ]
    seen: list[Ingredients] = []
    without = replace(sources(world, seen), cluster=None, declared=tenants)
    with pytest.raises(CallplaneError, match="--secret default/graph/secret=FILE"):
        await take(without)
    given = replace(without, secrets={("default", REFERENCE): b"from a file"})
    found = await take(given)
    assert [list(each.secrets.values()) for each in seen] == [[b"from a file"]]
    assert found.objects == ()
    assert found.installation == ""


async def test_a_missing_secret_is_named(reported: list[str]) -> None:
    world = await at_work()
    await world.apply_tenant(
        credentials={
            "clientSecret": {
                "clientId": "00000000-0000-4000-8000-00000000bbbb",
                "secretRef": {"name": "elsewhere", "key": "secret"},
            }
        }
    )
    with pytest.raises(CallplaneError, match="Secret default/elsewhere"):
        await take(sources(world))
