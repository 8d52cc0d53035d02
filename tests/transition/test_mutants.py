"""One mutant a guard: taken away, the scenario that is there for it must fail.

A guard whose removal no test notices is not tested. Each scenario here runs twice, once as the
product is and once with the guard gone, and has to tell the two apart.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from callplane.engine import gate_keeper, guarding, intents, transfers, write_ahead, writing
from callplane.engine.gathering import Gathered
from callplane.engine.operator_engine import Engine
from callplane.engine.scope import Scope
from callplane.plan import gate, gate_policy
from callplane.plan.change import Change
from callplane.providers.inmemory import World, lost_after_commit
from callplane.store.ports import NumberRow
from callplane.testing.engine_world import EngineWorld, Worlds, number, people, user_id
from callplane.values import E164

pytestmark = pytest.mark.looptime

Scenario = Callable[[Worlds], Awaitable[None]]
Mutation = Callable[[pytest.MonkeyPatch], None]

ROUTING = "TeamsEmergencyCallRoutingPolicy"


# --- scenarios: each raises AssertionError when its guard does not hold ---


async def emergency_policies_wait(worlds: Worlds) -> None:
    """Where emergency calls go is replaced for many people: a person is asked first."""
    names = people(30)
    world = await worlds.make(names, numbers=30, tenant={"writesPerSecond": 1000})
    for name in names:
        await world.declare(name, policies=[{"type": ROUTING, "name": "UK"}])
    await world.settle(60)
    for name in names:
        await world.declare(name, policies=[{"type": ROUTING, "name": "None"}])
    await world.settle(60)
    policies = [
        dict(world.platform.true.configurations[user_id(name)].policies)[ROUTING].name
        for name in names
    ]
    assert set(policies) == {"UK"}


async def a_used_number_rests(worlds: Worlds) -> None:
    world = await worlds.make(numbers=1)
    await world.declare("ann")
    await world.settle()
    await world.delete("TeamsUser", "ann")
    await world.settle(60)
    await world.declare("ben")
    await world.settle(60)
    assert world.number_of("ben") is None


#: Writes are kept back while it is there.
OUTAGE = {
    "connectionRef": {"kind": "TeamsTenant", "name": "main"},
    "text": "slow",
    "since": "2026-11-02T09:00:00Z",
    "freeze": "All",
}


async def thirty_leave(worlds: Worlds) -> EngineWorld:
    """All of thirty people with numbers are deleted: a batch above the limits."""
    names = people(30)
    world = await worlds.make(names, numbers=30, tenant={"writesPerSecond": 1000})
    for name in names:
        await world.declare(name)
    await world.settle(60)
    for name in names:
        await world.delete("TeamsUser", name)
    return world


async def a_held_batch_waits_for_an_answer(worlds: Worlds) -> None:
    world = await thirty_leave(worlds)
    await world.settle(120)
    assert "UnassignNumber" not in world.sent()


async def limits_raised_in_one_commit_are_no_limits(worlds: Worlds) -> None:
    names = people(30)
    world = await worlds.make(names, numbers=30, tenant={"writesPerSecond": 1000})
    for name in names:
        await world.declare(name)
    await world.settle(60)
    await world.apply_tenant(
        writesPerSecond=1000, changeLimits={"maxCount": 1000, "maxPercent": 100}
    )
    for name in names:
        await world.delete("TeamsUser", name)
    await world.settle(120)
    assert "UnassignNumber" not in world.sent()


async def an_answer_that_has_ended_counts_for_nothing(worlds: Worlds) -> None:
    world = await thirty_leave(worlds)
    await world.settle(60)
    digest = world.held_digest()
    # It is taken in, and ends before the first write: the incident keeps the writes back meanwhile.
    await world.apply("ProviderIncident", "outage", OUTAGE)
    await world.settle(2)
    await world.answer(digest=digest, days=60 / 86_400)
    await world.settle(300)
    await world.delete("ProviderIncident", "outage")
    await world.settle(300)
    assert "UnassignNumber" not in world.sent()


async def an_answer_taken_back_counts_for_nothing(worlds: Worlds) -> None:
    """It goes while nobody listens, before the changes that it let through have run."""
    world = await thirty_leave(worlds)
    await world.settle(60)
    await world.apply("ProviderIncident", "outage", OUTAGE)
    await world.settle(2)
    await world.answer()
    await world.settle(10)
    await world.kill()
    await world.delete("ChangeApproval", "answer")
    await world.delete("ProviderIncident", "outage")
    await world.start()
    await world.settle(300)
    assert "UnassignNumber" not in world.sent()


async def an_edit_that_is_taken_back_takes_nothing_away(worlds: Worlds) -> None:
    """It is taken back while its pass reads what the number is just before the write."""
    world = await worlds.make()
    await world.declare("ann")
    await world.settle()
    runtime = next(iter(world.running.connections.values()))
    read = runtime.read_number_in_flight

    async def meanwhile(*arguments: Any, **options: Any) -> Any:
        row = await read(*arguments, **options)
        if world.number_of("ann") is not None:
            await world.declare("ann")
        return row

    await world.declare("ann", phoneNumber={"none": {}})
    runtime.read_number_in_flight = meanwhile  # type: ignore[method-assign]
    await world.settle(60)
    assert "UnassignNumber" not in world.sent()


async def a_killed_operator_orders_nothing_twice(worlds: Worlds) -> None:
    """Killed after the order left; the platform is slow, so nothing shows it yet."""
    world = await worlds.make(platform=World(order_seconds=20.0))
    await world.settle()
    await world.declare("ann")
    await world.until(lambda: len(world.sent()) == 1)
    await world.restart()
    await world.settle(200)
    assert world.sent() == ["AssignNumber"]


async def a_lost_answer_is_not_answered_by_another_order(worlds: Worlds) -> None:
    world = await worlds.make(platform=World(order_seconds=20.0))
    await world.settle()
    world.fail(lost_after_commit())
    await world.declare("ann")
    await world.settle(200)
    assert world.sent() == ["AssignNumber"]


async def nothing_is_written_without_the_lease(worlds: Worlds) -> None:
    """The Lease is lost after the pass began and before it writes."""
    world = await worlds.make()
    await world.settle()
    await close_fence_after_readiness(world)
    await world.declare("ann")
    await world.settle(60)
    assert world.sent() == []


async def close_fence_after_readiness(world: EngineWorld) -> None:
    runtime = next(iter(world.running.connections.values()))
    commit = runtime.mirror.commit

    async def closing(*arguments: Any, **options: Any) -> Any:
        world.fence.is_open = False
        return await commit(*arguments, **options)

    runtime.mirror.commit = closing  # type: ignore[method-assign]


async def what_was_planned_on_is_still_so(worlds: Worlds) -> None:
    """An administrator gives the number to somebody else after the last listing."""
    world = await worlds.make(tenant={"driftInterval": "1h", "changeLimits": {"settle": "10s"}})
    await world.declare("ann", phoneNumber={"e164": number(0)})
    await world.settle()
    await world.declare("ann", phoneNumber={"e164": number(1)})
    await world.settle(5)
    world.platform.administrator_assigns(E164(number(0)), user_id("cid"))
    await world.settle(60)
    assert world.number_of("cid") == number(0)


async def what_somebody_else_assigned_stays(worlds: Worlds) -> None:
    world = await worlds.make(start=False)
    world.platform.administrator_assigns(E164(number(5)), user_id("ann"))
    await world.start()
    await world.declare("ann", phoneNumber={"none": {}})
    await world.settle(60)
    assert world.number_of("ann") == number(5)


async def somebody_who_keeps_undoing_us_wins(worlds: Worlds) -> None:
    world = await worlds.make()
    await world.declare("ann")
    await world.settle()
    for _ in range(6):
        world.platform.administrator_assigns(E164(number(0)), None)
        await world.settle(120)
    assert len(world.sent()) <= 3


# --- mutations: one guard taken away ---


def emergency_policies_are_ordinary(patch: pytest.MonkeyPatch) -> None:
    kept = frozenset(
        name for name in gate_policy.GATED_POLICY_TYPES if not name.startswith("TeamsEmergency")
    )
    patch.setattr(gate_policy, "GATED_POLICY_TYPES", kept)


def numbers_do_not_rest(patch: pytest.MonkeyPatch) -> None:
    after_unassign = transfers.after_unassign

    def at_once(
        scope: Scope, gathered: Gathered, row: NumberRow, *, quarantine_days: int
    ) -> object:
        return after_unassign(scope, gathered, row, quarantine_days=0)

    patch.setattr(transfers, "after_unassign", at_once)


def nothing_is_ever_too_much(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(gate, "_exceeds", lambda *_: False)


def looser_limits_count_at_once(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(gate_keeper, "LOOSER_AFTER", timedelta(0))


def held_is_granted(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(gate, "answer", lambda *_, **__: gate.Granted())
    patch.setattr(
        gate_keeper.GateKeeper,
        "consumed",
        lambda self, change: self._mirror.gate_rows.get(change.change_id),
    )


def answers_never_end(patch: pytest.MonkeyPatch) -> None:
    approve = gate.approve

    def for_ever(*arguments: Any, **options: Any) -> Any:
        options["expires_at"] = options["expires_at"] + timedelta(days=3650)
        return approve(*arguments, **options)

    patch.setattr(gate, "approve", for_ever)
    revoke: Callable[..., tuple[object, ...]] = lambda *_: ()  # noqa: E731
    patch.setattr(gate, "revoke", revoke)
    # Whether an answer stands is asked of the objects as well, and its end is part of that.
    every_answer_stands(patch)


def every_answer_stands(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Engine, "answer_stands", lambda self, connection, answer: True)


def objects_are_read_once(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(write_ahead, "check_still_declared", lambda _: None)


def intents_are_forgotten(patch: pytest.MonkeyPatch) -> None:
    async def nothing(*_: object) -> None:
        return None

    patch.setattr(intents, "settle", nothing)


def silence_means_no(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(intents, "_may_still_appear", lambda *_: False)


def the_fence_is_open(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(write_ahead, "check_fence", lambda _: None)


def nothing_is_compared(patch: pytest.MonkeyPatch) -> None:
    async def unread(*_: object) -> None:
        return None

    patch.setattr(writing, "_compare_before_write", unread)


def everything_is_ours(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(guarding, "check_foreign", lambda *_: None)


def nobody_is_contested(patch: pytest.MonkeyPatch) -> None:
    def never(row: Any, change: Change, *, now: object) -> tuple[Any, int]:
        return row, 1

    patch.setattr(intents, "count_undone", never)


MUTANTS: dict[str, tuple[Scenario, Mutation]] = {
    "emergency": (emergency_policies_wait, emergency_policies_are_ordinary),
    "quarantine": (a_used_number_rests, numbers_do_not_rest),
    "limits": (a_held_batch_waits_for_an_answer, nothing_is_ever_too_much),
    "limits of this very commit": (
        limits_raised_in_one_commit_are_no_limits,
        looser_limits_count_at_once,
    ),
    "approval": (a_held_batch_waits_for_an_answer, held_is_granted),
    "expiry": (an_answer_that_has_ended_counts_for_nothing, answers_never_end),
    "answer taken back": (an_answer_taken_back_counts_for_nothing, every_answer_stands),
    "edit taken back": (an_edit_that_is_taken_back_takes_nothing_away, objects_are_read_once),
    "idempotence after a kill": (a_killed_operator_orders_nothing_twice, intents_are_forgotten),
    "idempotence after silence": (
        a_lost_answer_is_not_answered_by_another_order,
        silence_means_no,
    ),
    "fence": (nothing_is_written_without_the_lease, the_fence_is_open),
    "compare before write": (what_was_planned_on_is_still_so, nothing_is_compared),
    "foreign": (what_somebody_else_assigned_stays, everything_is_ours),
    "contested": (somebody_who_keeps_undoing_us_wins, nobody_is_contested),
}


@pytest.mark.parametrize("guard", MUTANTS)
async def test_the_scenario_holds(worlds: Worlds, guard: str) -> None:
    await MUTANTS[guard][0](worlds)


@pytest.mark.parametrize("guard", MUTANTS)
async def test_without_its_guard_the_scenario_fails(
    worlds: Worlds, guard: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    scenario, mutate = MUTANTS[guard]
    mutate(monkeypatch)
    worlds.defects_are_expected = True
    with pytest.raises(AssertionError) as caught:
        await scenario(worlds)
    # It must be the last line that fails, the one that the guard is for, and not the way there.
    (frame,) = [entry for entry in caught.traceback if entry.name == scenario.__name__]
    lines, _ = inspect.getsourcelines(scenario)
    assert frame.relline == len(lines) - 1
