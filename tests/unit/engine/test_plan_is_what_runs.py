"""What was planned is what runs: a controller is given the same tree, and its writes are compared
with the plan that was made before.
"""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest

from callplane.cluster.resource_kinds import callplane_kind
from callplane.engine import planning
from callplane.engine.observations import Observations
from callplane.engine.planning_world import Declared
from callplane.plan.change import Change
from callplane.plan.document import Plan
from callplane.providers.inmemory import InMemoryProvider
from callplane.resources.lines import PolicyOnLine
from callplane.resources.platforms import CallingConfiguration
from callplane.testing.engine_world import CONNECTION, EngineWorld, number, user_id
from callplane.testing.planning_builders import declared, manifest
from callplane.values import ObjectKey
from callplane.wiring.judging import carrier_skills, judge
from callplane.wiring.observing import Sources, observe

pytestmark = pytest.mark.looptime

NAMES = [f"person{index:02}" for index in range(24)]
UNLIMITED = {"maxCount": 1000, "maxPercent": 100, "settle": "1s"}


async def observed(world: EngineWorld) -> Observations:
    sources = Sources(
        provider_factory=lambda _, __: InMemoryProvider(
            CONNECTION, world.platform, clock=world.clock
        ),
        clock=world.clock,
        taken_by="test",
        cluster=world.cluster,
        register=world.register,
    )
    return await observe(sources, report=lambda _: None)


async def at_work(*, numbers: int = 40) -> EngineWorld:
    """Twenty people at work; four more are in the directory."""
    world = EngineWorld()
    world.seed_people(NAMES)
    world.seed_inventory(numbers)
    await world.seed_tenant(changeLimits=UNLIMITED)
    await world.seed_range(size=numbers)
    await world.start()
    for name in NAMES[:20]:
        await world.declare(name)
    await world.settle(120)
    assert await world.all_ready()
    return world


def spec_of(name: str, **spec: Any) -> dict[str, Any]:
    return {
        "tenantRef": {"name": "main", "namespace": "default"},
        "userPrincipalName": f"{name}@example.com",
        "phoneNumber": {"rangeRef": {"name": "london", "namespace": "default"}},
        **spec,
    }


def edits(chance: random.Random, world: EngineWorld) -> dict[str, dict[str, Any] | None]:
    """What a commit does to some people: None removes them."""
    found: dict[str, dict[str, Any] | None] = {}
    people = NAMES[:20]
    chance.shuffle(people)
    for name in people[:3]:
        found[name] = None
    for name in people[3:6]:
        found[name] = spec_of(name, phoneNumber={"none": {}})
    for name in people[6:9]:
        policy = {"type": "TeamsCallingPolicy", "name": chance.choice(["Sales", "Support"])}
        found[name] = spec_of(name, policies=[policy])
    first, second = people[9:11]
    for name, other in ((first, second), (second, first)):
        found[name] = spec_of(name, phoneNumber={"e164": world.number_of(other)})
    found[people[11]] = spec_of(people[11], phoneNumber={"e164": number(39)})
    for name in NAMES[20:]:
        found[name] = spec_of(name)
    return found


async def plan_of(world: EngineWorld, changed: dict[str, dict[str, Any] | None]) -> Plan:
    """The tree as the cluster has it, with the edits."""
    observations = await observed(world)
    tree = {body["metadata"]["name"]: body["spec"] for body in observations.objects}
    kinds = {body["metadata"]["name"]: body["kind"] for body in observations.objects}
    removed: list[Declared] = []
    for name, spec in changed.items():
        if spec is None:
            removed.append(as_declared("TeamsUser", name, tree.pop(name)))
        else:
            tree[name] = spec
    inputs = planning.PlanInputs(
        observations=observations,
        declared=[
            as_declared(kinds.get(name, "TeamsUser"), name, spec) for name, spec in tree.items()
        ],
        judge=judge,
        skills=carrier_skills,
        removed=removed,
        base="before",
    )
    return await planning.compute(inputs)


def as_declared(kind: str, name: str, spec: dict[str, Any]) -> Declared:
    return declared(manifest(kind, name, spec, namespace="default"))


def effect(change: Change) -> tuple[Any, ...]:
    """A change with what the plan cannot know left out: which number is drawn from a range."""
    after = dict(change.after or {})
    if after.pop("range", None) is not None:
        after["number"] = "drawn"
    return (
        change.operation.value,
        change.subject,
        tuple(sorted((change.before or {}).items())),
        tuple(sorted(after.items())),
    )


def ran(change: Change, drawn: set[str]) -> tuple[Any, ...]:
    """The same of a change that ran, with the numbers of those who draw theirs left out."""
    operation, subject, before, after = effect(change)
    if operation == "AssignNumber" and subject in drawn:
        after = tuple(sorted({**dict(after), "number": "drawn"}.items()))
    return operation, subject, before, after


@pytest.mark.parametrize("seed", range(6))
async def test_the_controller_writes_what_was_planned(seed: int) -> None:
    chance = random.Random(seed)
    world = await at_work()
    for name in chance.sample(NAMES, 4):
        policies = (("TeamsCallingPolicy", PolicyOnLine("Basic")),)
        world.platform.put_configurations([CallingConfiguration(user_id(name), policies=policies)])
    changed = edits(chance, world)
    plan = await plan_of(world, changed)
    planned = [each.change for each in plan.changes()]
    drawn = {each.subject for each in planned if "range" in (each.after or {})}
    written_before = len(world.changes())

    for name, spec in changed.items():
        if spec is None:
            await world.delete("TeamsUser", name)
        else:
            await world.user.apply(
                callplane_kind("teamsusers"),
                body=manifest("TeamsUser", name, spec, namespace="default"),
            )
    await world.settle(600)
    assert await world.all_ready()

    assert len(planned) > 15
    written = world.changes()[written_before:]
    assert Counter(effect(each) for each in planned) == Counter(
        ran(each, drawn) for each in written
    )
    concrete = {each.change_id for each in planned if "range" not in (each.after or {})}
    assert concrete <= {each.change_id for each in written}
    after = await plan_of(world, {})
    assert after.is_settled, [each for each in after.objects if each.notes or each.changes]
    await world.stop()


async def test_a_batch_is_held_under_the_digest_that_was_planned() -> None:
    world = await at_work()
    await world.apply_tenant(changeLimits={"maxPercent": 10, "floor": 5, "settle": "1s"})
    leavers: dict[str, dict[str, Any] | None] = dict.fromkeys(NAMES[:8])
    plan = await plan_of(world, leavers)
    assert plan.is_held
    for name in leavers:
        await world.delete("TeamsUser", name)
    await world.settle(60)
    assert world.held_digests() == [plan.gates[0].digest]
    again = await plan_of(world, {})
    assert again.gates[0].connection == ObjectKey("TeamsTenant", "default", "main")
    await world.stop()
