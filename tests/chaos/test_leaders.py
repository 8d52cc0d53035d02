"""Leaders that are killed or paused, and the standby that takes their place."""

from __future__ import annotations

from collections import Counter

import pytest

from callplane.testing import polling
from callplane.testing.estates import Estate
from callplane.testing.live_world import LiveWorld, OperatorProcess

# Longer than a busy machine pauses between two objects of one command: what comes after a pause is
# another batch, and a small one runs without an answer.
SETTLES = {"settle": "4s"}


def pair(world: LiveWorld, **settings: str) -> tuple[OperatorProcess, OperatorProcess]:
    """A leader that works and a standby that waits for the Lease."""
    leader = world.start_operator(**settings)
    standby = world.start_operator(wait=False, **settings)
    polling.until(lambda: standby.readiness() == "waiting for the Lease", "the standby is warm")
    return leader, standby


def subjects(estate: Estate, kind: str) -> Counter[str]:
    """How often the tenant was asked to do this, by number."""
    return Counter(entry["subject"] for entry in estate.control.writes(kind=kind))


def test_leader_killed_the_standby_takes_over(world: LiveWorld) -> None:
    leader, standby = pair(world)
    estate = world.estate()
    world.apply(*estate.base(), *estate.people(5))
    world.ready(estate)
    before = estate.mark()
    leader.kill()
    world.apply(estate.user(6))
    world.ready(estate)
    assert standby.readiness() == "ok"
    assert estate.writes_since(before) == ["assignNumber"]


def test_leader_stopped_in_peace_the_standby_does_not_wait_for_the_lease(world: LiveWorld) -> None:
    # A Lease that outlasts every wait of this test: only one that was given back can be had.
    leader, standby = pair(world, lease_seconds="120", renew_deadline_seconds="90")
    leader.stop()
    polling.until(lambda: standby.readiness() == "ok", "the standby leads", seconds=30)


def test_leader_paused_between_read_and_write_the_new_holder_keeps_the_number(
    world: LiveWorld,
) -> None:
    leader, standby = pair(world)
    estate = world.estate()
    seat = {"phoneNumber": {"e164": estate.number(5)}}
    world.apply(*estate.base(changeLimits={"settle": "2s"}), estate.user(1, **seat))
    world.ready(estate)
    before = estate.mark()

    # The leader is about to take the number from the first person: it has a grant, and reads once
    # more what it is going to change. There it is stopped.
    fault = estate.control.add_fault(
        effect="delay",
        kinds=["findNumberAssignment", "getNumberAssignment"],
        tenant=estate.tenant_id,
        subject=estate.number(5),
        seconds=3,
        times=1,
    )
    world.apply(estate.user(1, phoneNumber={"none": {}}), estate.user(2, **seat))
    polling.until(lambda: struck(estate, fault), "the leader reads", seconds=20)
    leader.pause()
    assert estate.writes_since(before) == []

    # The standby gives the number to the second person.
    polling.until(lambda: standby.readiness() == "ok", "the standby leads", seconds=30)
    polling.until(lambda: estate.number_of(2) == estate.number(5), "it went over", seconds=60)
    world.ready(estate)

    leader.go_on()
    polling.until(lambda: not leader.alive, "the old leader ends by itself", seconds=20)
    polling.stays(lambda: estate.number_of(2) == estate.number(5), "the holder", seconds=2)
    assert estate.writes_since(before) == ["unassignNumber", "assignNumber"]
    world.ready(estate)


def struck(estate: Estate, fault: int) -> bool:
    """Has the fault hit somebody?"""
    return any(rule["id"] == fault and rule["struck"] for rule in estate.control.faults())


def test_leader_killed_while_a_batch_settles_each_change_runs_once(world: LiveWorld) -> None:
    leader = world.start_operator()
    estate = world.estate(users=30)
    world.apply(*estate.base(changeLimits={"settle": "12s"}), *estate.people(30))
    world.ready(estate)
    leaving = ("user-1", "user-2")
    world.kubectl("delete", "teamsuser", *leaving, "-n", estate.team, "--wait=false")
    polling.until(
        lambda: world.condition("teamsuser", "user-1", namespace=estate.team)[1] == "Settling",
        "the batch settles",
    )
    leader.kill()
    assert estate.writes_since(0).count("unassignNumber") == 0
    world.start_operator()
    for name in leaving:
        world.gone("teamsuser", name, namespace=estate.team)
    assert sorted(subjects(estate, "unassignNumber").values()) == [1, 1]
    assert len(estate.assigned()) == 28


def test_leader_killed_while_a_batch_is_held_and_half_run_same_digest_each_change_once(
    world: LiveWorld,
) -> None:
    people = 16
    leader = world.start_operator()
    estate = world.estate(users=people)
    world.apply(*estate.base(changeLimits=SETTLES), *estate.people(people))
    world.ready(estate)
    world.kubectl("delete", "teamsuser", "--all", "-n", estate.team, "--wait=false")
    held = world.held_plan(estate)
    leader.kill()

    second = world.start_operator()
    again = world.held_plan(estate)
    assert again["metadata"]["name"] == held["metadata"]["name"]
    assert again["spec"]["digest"] == held["spec"]["digest"]
    assert again["metadata"]["uid"] == held["metadata"]["uid"]
    assert estate.writes_since(0).count("unassignNumber") == 0

    world.apply(estate.tenant(writesPerSecond=3, changeLimits=SETTLES))
    world.base_ready(estate)
    world.apply(estate.approval("yes", decision="Approve", digest=held["spec"]["digest"]))
    polling.until(
        lambda: 2 <= sum(subjects(estate, "unassignNumber").values()) < people, "half of it ran"
    )
    second.kill()
    world.start_operator()
    polling.until(
        lambda: not world.items("teamsusers", namespace=estate.team),
        "the other half runs",
        seconds=90,
    )
    assert set(subjects(estate, "unassignNumber").values()) == {1}
    assert len(subjects(estate, "unassignNumber")) == people
    assert estate.assigned() == {}


@pytest.mark.parametrize("lost", ["before", "after"])
def test_answers_lost_and_the_leader_killed_one_order_a_person(world: LiveWorld, lost: str) -> None:
    leader = world.start_operator()
    estate = world.estate()
    world.apply(*estate.base())
    world.base_ready(estate)
    estate.control.add_fault(
        effect=f"drop-{lost}", kinds=["assignNumber"], tenant=estate.tenant_id, times=2
    )
    world.apply(*estate.people(4))
    polling.until(estate.writes, "an order was sent")
    leader.kill()
    estate.control.clear_faults()
    world.start_operator()
    world.ready(estate)
    assert len(estate.assigned()) == 4
    done = Counter(
        change["subject"] for change in estate.control.changes() if change["aspect"] == "holder"
    )
    assert set(done.values()) == {1}, "no number changed hands twice"
