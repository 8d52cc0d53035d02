"""Namespaces that are deleted: by mistake, on purpose, with their connection, twice."""

from __future__ import annotations

import pytest

from callplane.testing import polling
from callplane.testing.estates import Estate
from callplane.testing.live_world import LiveWorld

PEOPLE = 60
MANY = 1000
# Longer than the pauses between objects while a namespace goes.
SETTLES = {"settle": "5s", "settleMax": "120s"}

pytestmark = pytest.mark.usefixtures("operator")


def populated(world: LiveWorld, people: int) -> Estate:
    """An estate with people who are Ready."""
    estate = world.estate(users=people)
    world.apply(*estate.base(changeLimits=SETTLES), *estate.people(people))
    world.ready(estate)
    return estate


def resting(world: LiveWorld, estate: Estate) -> int:
    """Numbers of the estate in quarantine."""
    rows = world.sql(
        "select count(*) from register.numbers"
        f" where external_id = '{estate.tenant_id}' and state = 'Quarantined'"
    )
    return int(rows[0][0])


@pytest.mark.timeout(660)
def test_namespace_with_1000_users_deleted_and_approved_every_number_rests(
    live_world: LiveWorld,
) -> None:
    estate = live_world.estate(users=MANY, numbers=MANY)
    live_world.apply(*estate.base(writesPerSecond=500, maxInFlight=64, changeLimits=SETTLES))
    live_world.create(*estate.people(MANY))
    live_world.all_ready(estate, MANY, seconds=240)
    before = estate.mark()
    live_world.kubectl("delete", "namespace", estate.team, "--wait=false")
    plan = live_world.held_plan(estate, seconds=150)
    assert plan["spec"]["total"] == MANY
    assert plan["spec"]["counts"] == [{"operation": "UnassignNumber", "count": MANY}]
    assert len(plan["spec"]["changes"]) == 200, "more are not shown in the object"
    assert estate.writes_since(before) == []

    digest = plan["spec"]["digest"]
    live_world.apply(estate.approval("yes", decision="Approve", digest=digest))
    live_world.gone("namespace", estate.team, seconds=240)
    assert estate.assigned() == {}
    assert estate.writes_since(before) == ["unassignNumber"] * MANY
    assert resting(live_world, estate) == MANY


def test_namespace_with_users_deleted_detached_and_applied_again_nothing_is_written(
    live_world: LiveWorld,
) -> None:
    estate = populated(live_world, PEOPLE)
    before, assigned = estate.mark(), estate.assigned()
    live_world.kubectl("delete", "namespace", estate.team, "--wait=false")
    digest = live_world.held_plan(estate)["spec"]["digest"]
    live_world.apply(estate.approval("no", decision="Detach", digest=digest))
    live_world.gone("namespace", estate.team)

    live_world.apply(*estate.base(changeLimits=SETTLES), *estate.people(PEOPLE))
    live_world.ready(estate)
    assert estate.writes_since(before) == []
    assert estate.assigned() == assigned

    # The same people again have the same digest; the old answer does not answer for them.
    live_world.kubectl("delete", "namespace", estate.team, "--wait=false")
    again = live_world.held_plan(estate)
    assert again["spec"]["digest"] == digest
    assert again["status"]["pending"] == PEOPLE
    polling.stays(lambda: estate.writes_since(before) == [], "nothing is written", seconds=3)
    assert live_world.exists("namespace", estate.team)
    live_world.apply(estate.approval("yes", decision="Approve", digest=digest))
    live_world.gone("namespace", estate.team)
    assert resting(live_world, estate) == PEOPLE


def test_namespace_with_tenant_secret_and_users_deleted_hangs_with_a_reason_and_detach_clears_it(
    live_world: LiveWorld,
) -> None:
    estate = live_world.estate()
    tenant = estate.tenant(changeLimits=SETTLES)
    one = [*estate.namespaces()[:1], estate.secret(), tenant, estate.range()]
    people = [estate.user(index, namespace=estate.platform) for index in range(1, 9)]
    live_world.apply(*one, *people)
    polling.until(lambda: len(estate.assigned()) == 8, "everybody has a number")
    live_world.kubectl(
        *("wait", "--for=condition=Ready", "teamsuser", "--all"),
        *("-n", estate.platform, "--timeout=60s"),
    )
    before, assigned = estate.mark(), estate.assigned()

    live_world.kubectl("delete", "namespace", estate.platform, "--wait=false")
    reason = polling.until(
        lambda: live_world.condition("teamsuser", "user-1", namespace=estate.platform)[1],
        "the user says why it stays",
    )
    polling.until(
        lambda: (
            live_world.condition("teamsuser", "user-1", namespace=estate.platform)[1]
            == "ApprovalRequired"
        ),
        f"the user waits for an answer, and not {reason}",
    )
    polling.until(
        lambda: (
            live_world.condition("teamstenant", "main", namespace=estate.platform)[1] == "InUse"
        ),
        "the connection says that it is in use",
    )
    assert live_world.exists("secret", "graph", namespace=estate.platform)
    # No ChangeApproval can be made in a namespace that is going: each object is let go by itself.
    live_world.kubectl(
        *("annotate", "teamsuser", "--all", "-n", estate.platform),
        "callplane.dev/detach=the tenant moves to another cluster",
    )
    live_world.gone("namespace", estate.platform)
    assert estate.writes_since(before) == []
    assert estate.assigned() == assigned
