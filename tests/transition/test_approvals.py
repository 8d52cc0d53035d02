"""Answers that count for nothing say why; answers that count do so once."""

from __future__ import annotations

import pytest

from callplane.testing.engine_world import EngineWorld, Worlds, people

pytestmark = pytest.mark.looptime

TEAM = "team-a"
COUNT = 12


async def held(worlds: Worlds, **tenant: object) -> EngineWorld:
    """A dozen deletions that wait."""
    names = people(COUNT)
    world = await worlds.make(names, numbers=20, tenant={"driftInterval": "1h", **tenant})
    world.seed_namespace(TEAM)
    await declare_all(world)
    await world.delete_namespace(TEAM)
    await world.settle(30)
    assert len(world.held_digests()) == 1
    return world


async def declare_all(world: EngineWorld) -> None:
    for name in people(COUNT):
        await world.declare(name, namespace=TEAM)
    await world.settle(30)
    assert await world.all_ready()


def unassigned(world: EngineWorld) -> int:
    return world.sent().count("UnassignNumber")


async def test_an_approval_tells_what_has_become_of_it(worlds: Worlds) -> None:
    world = await held(worlds)
    await world.answer()
    await world.settle(60)
    assert unassigned(world) == COUNT
    status = await world.status("ChangeApproval", "answer")
    assert (status["matched"], status["consumed"]) == (COUNT, COUNT)
    assert await world.reason("answer", kind="ChangeApproval") in ("Accepted", "Consumed")


async def test_expired(worlds: Worlds) -> None:
    world = await held(worlds)
    await world.answer(days=-0.1)
    await world.settle(60)
    assert unassigned(world) == 0
    status, reason, message = await world.condition("ChangeApproval", "answer", "Stalled")
    assert (status, reason) == ("True", "Expired")
    assert "counts for nothing" in message


async def test_expires_too_late(worlds: Worlds) -> None:
    world = await held(worlds)
    await world.answer(days=8)
    await world.settle(60)
    assert unassigned(world) == 0
    assert await world.reason("answer", kind="ChangeApproval") == "False ExpiresTooLate"


async def test_in_the_wrong_namespace(worlds: Worlds) -> None:
    world = await held(worlds)
    world.seed_namespace("team-b")
    await world.answer(namespace="team-b")
    await world.settle(60)
    assert unassigned(world) == 0
    reason = await world.reason("answer", kind="ChangeApproval", namespace="team-b")
    assert reason == "False WrongNamespace"


async def test_of_a_digest_that_nobody_has_seen(worlds: Worlds) -> None:
    world = await held(worlds)
    await world.answer(digest="cp1:" + "0" * 64)
    await world.settle(60)
    assert unassigned(world) == 0
    assert await world.reason("answer", kind="ChangeApproval") == "False UnknownPlan"


async def test_an_approval_that_ends_before_its_changes_run(worlds: Worlds) -> None:
    world = await held(worlds)
    # Suspended: approved changes wait, and the answer ends meanwhile.
    incident = {
        "connectionRef": {"kind": "TeamsTenant", "name": "main"},
        "text": "slow",
        "since": "2026-11-02T09:00:00Z",
        "freeze": "All",
    }
    await world.apply("ProviderIncident", "outage", incident)
    await world.settle(5)
    await world.answer(days=0.01)
    await world.settle(1200)
    await world.delete("ProviderIncident", "outage")
    await world.settle(400)
    assert unassigned(world) == 0
    assert await world.reason("answer", kind="ChangeApproval") == "False Expired"
    assert await world.reason(people(1)[0], namespace=TEAM) == "False ApprovalRequired"


async def test_re_applied_after_its_changes_were_made(worlds: Worlds) -> None:
    world = await held(worlds)
    digest = world.held_digest()
    await world.answer(digest=digest)
    body = await world.body("ChangeApproval", "answer")
    await world.settle(60)
    assert unassigned(world) == COUNT
    await world.delete("ChangeApproval", "answer")
    await world.settle(5)
    await world.apply("ChangeApproval", "answer", body["spec"])
    await world.settle(30)
    status, reason, message = await world.condition("ChangeApproval", "answer")
    assert (status, reason) == ("False", "Consumed")
    assert "counts for nothing" in message


@pytest.mark.parametrize("is_same_object", [True, False])
async def test_re_applied_when_the_same_changes_are_held_again(
    worlds: Worlds, is_same_object: bool
) -> None:
    world = await held(worlds)
    digest = world.held_digest()
    await world.answer(digest=digest, days=5)
    spec = (await world.body("ChangeApproval", "answer"))["spec"]
    await world.settle(60)
    world.seed_namespace(TEAM)
    await declare_all(world)
    if not is_same_object:
        await world.delete("ChangeApproval", "answer")
        await world.settle(5)
    await world.delete_namespace(TEAM)
    await world.settle(30)
    assert world.held_digest() == digest
    if not is_same_object:
        await world.apply("ChangeApproval", "answer", spec)
    else:
        await world.annotate(
            "ChangeApproval", "answer", {"callplane.dev/reconcile-requested-at": "now"}
        )
    await world.settle(60)
    assert unassigned(world) == COUNT
    assert await world.reason("answer", kind="ChangeApproval") == "False Consumed"
    # Another answer is another answer.
    await world.answer(name="again", days=4)
    await world.settle(60)
    assert unassigned(world) == 2 * COUNT


async def test_change_ids_approved_before_the_changes_are_proposed(worlds: Worlds) -> None:
    world = await held(worlds)
    ids = [row.change_id for row in await world.gate_rows()]
    await world.answer("Detach")
    await world.settle(30)
    world.seed_namespace(TEAM)
    await declare_all(world)
    await world.answer("Approve", name="early", changeIds=sorted(ids), days=3)
    await world.settle(10)
    assert (await world.status("ChangeApproval", "early"))["unknown"] == COUNT
    await world.delete_namespace(TEAM)
    await world.settle(60)
    assert unassigned(world) == COUNT
    assert len(await world.names("TeamsUser")) == 0
    status = await world.status("ChangeApproval", "early")
    assert (status["matched"], status["consumed"]) == (COUNT, COUNT)


async def test_early_answers_survive_a_kill(worlds: Worlds) -> None:
    world = await held(worlds)
    ids = [row.change_id for row in await world.gate_rows()]
    await world.answer("Detach")
    await world.settle(30)
    world.seed_namespace(TEAM)
    await declare_all(world)
    await world.answer("Approve", name="early", changeIds=sorted(ids), days=3)
    await world.settle(10)
    await world.kill()
    await world.delete_namespace(TEAM)
    await world.start()
    await world.settle(90)
    assert unassigned(world) == COUNT


async def test_change_ids_of_some_let_only_these_run(worlds: Worlds) -> None:
    world = await held(worlds)
    ids = sorted(row.change_id for row in await world.gate_rows())
    await world.answer(changeIds=ids[:4])
    await world.settle(60)
    assert unassigned(world) == 4
    plan = (await world.names("ChangePlan"))[0]
    status = await world.status("ChangePlan", plan)
    assert (status["state"], status["pending"], status["done"]) == ("Held", COUNT - 4, 4)
    await world.answer(name="rest", changeIds=ids[4:])
    await world.settle(60)
    assert unassigned(world) == COUNT
    assert (await world.status("ChangePlan", plan))["state"] == "Completed"


async def test_an_approval_taken_back_before_it_was_needed(worlds: Worlds) -> None:
    world = await held(worlds)
    ids = sorted(row.change_id for row in await world.gate_rows())
    await world.answer("Detach")
    await world.settle(30)
    world.seed_namespace(TEAM)
    await declare_all(world)
    await world.answer("Approve", name="early", changeIds=ids)
    await world.settle(10)
    await world.delete("ChangeApproval", "early")
    await world.settle(10)
    await world.delete_namespace(TEAM)
    await world.settle(60)
    assert unassigned(world) == 0


async def test_detach_lets_go_of_nothing_that_is_deleted_later(worlds: Worlds) -> None:
    """Held edits of live objects, answered Detach: they are not being deleted, so nothing goes."""
    names = people(COUNT)
    world = await worlds.make(
        names, numbers=20, tenant={"changeLimits": {"maxCount": 3, "maxPercent": 100}}
    )
    for name in names:
        await world.declare(name)
    await world.settle(30)
    for name in names[:6]:
        await world.declare(name, phoneNumber={"none": {}})
    await world.settle(30)
    await world.answer("Detach")
    await world.settle(30)
    assert unassigned(world) == 0
    assert len(await world.names("TeamsUser")) == COUNT
    # Weeks later one of them leaves: that is another question.
    await world.declare(names[0])
    await world.settle(10)
    await world.apply_tenant(changeLimits={"maxCount": 100, "maxPercent": 100})
    await world.settle(600)
    await world.delete("TeamsUser", names[0])
    await world.settle(60)
    assert world.number_of(names[0]) is None


FROZEN = {
    "connectionRef": {"kind": "TeamsTenant", "name": "main"},
    "text": "slow",
    "since": "2026-11-02T09:00:00Z",
    "freeze": "All",
}


async def test_an_approval_taken_back_while_no_operator_runs_lets_nothing_through(
    worlds: Worlds,
) -> None:
    """Nobody hears that it goes: what it let through, and that has not run, waits again."""
    world = await held(worlds)
    await world.apply("ProviderIncident", "outage", FROZEN)
    await world.settle(5)
    await world.answer()
    await world.settle(10)
    await world.kill()
    await world.delete("ChangeApproval", "answer")
    await world.delete("ProviderIncident", "outage")
    await world.start()
    await world.settle(400)
    assert unassigned(world) == 0
    assert await world.reason(people(1)[0], namespace=TEAM) == "False ApprovalRequired"
    # Whoever says yes again is heard.
    await world.answer(name="again", days=2)
    await world.settle(60)
    assert unassigned(world) == COUNT


async def test_an_approval_outlives_a_kill(worlds: Worlds) -> None:
    world = await held(worlds)
    await world.apply("ProviderIncident", "outage", FROZEN)
    await world.settle(5)
    await world.answer()
    await world.settle(10)
    await world.kill()
    await world.delete("ProviderIncident", "outage")
    await world.start()
    await world.settle(120)
    assert unassigned(world) == COUNT
