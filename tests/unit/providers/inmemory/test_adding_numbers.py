"""A platform in memory whose inventory follows its people, as Webex's does."""

from __future__ import annotations

from callplane.plan.change import Change, Operation
from callplane.providers.inmemory import InMemoryProvider, World
from callplane.resources.platforms import CallingConfiguration, Person
from callplane.testing.manual_clock import ManualClock
from callplane.values import E164, ConnectionId, Platform

NUMBER = E164("+442079460001")
CONNECTION = ConnectionId("webex", "org")


def change(
    operation: Operation, before: dict[str, str] | None, after: dict[str, str] | None
) -> Change:
    return Change(CONNECTION, operation, Platform.WEBEX, "ann", before, after)


async def test_a_number_comes_and_goes_with_its_holder() -> None:
    world = World(adds_numbers=True)
    world.put_people([Person("ann", "ann@example.com")])
    world.put_configurations([CallingConfiguration("ann")])
    provider = InMemoryProvider(CONNECTION, world, clock=ManualClock())
    fields = {"number": NUMBER.text, "type": "webex"}
    after = {**fields, "location": "London", "licence": "Standard", "extension": "1001"}
    await provider.send(change(Operation.ASSIGN_NUMBER, None, after), request_id="r")
    row = (await provider.read_number(NUMBER)).row
    assert row is not None
    assert (row.holder_id, row.location_id) == ("ann", "London")
    configuration = (await provider.read_configuration("ann")).row
    assert configuration is not None
    assert {name: policy.name for name, policy in configuration.policies} == {
        "CallingLicence": "Standard",
        "Extension": "1001",
    }
    await provider.send(change(Operation.UNASSIGN_NUMBER, fields, None), request_id="r")
    assert (await provider.read_number(NUMBER)).row is None
