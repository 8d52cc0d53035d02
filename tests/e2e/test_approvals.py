"""What counts as an answer to a held batch, and what runs on it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from callplane.clock import SystemClock
from callplane.testing import polling
from callplane.testing.estates import Estate, Manifest
from callplane.testing.live_world import LiveWorld

PEOPLE = 12
# Longer than a busy machine pauses between two objects of one command: what comes after a pause is
# another batch, and a small one runs without an answer.
SETTLES = {"settle": "4s"}

pytestmark = pytest.mark.usefixtures("operator")


def held(world: LiveWorld, **tenant: object) -> tuple[Estate, str, int]:
    """An estate whose people are all being deleted, the digest that waits, and the mark."""
    estate = world.estate(users=PEOPLE)
    world.apply(*estate.base(changeLimits=SETTLES, **tenant), *estate.people(PEOPLE))
    world.ready(estate)
    before = estate.mark()
    world.kubectl("delete", "teamsuser", "--all", "-n", estate.team, "--wait=false")
    return estate, world.held_plan(estate)["spec"]["digest"], before


def verdict(world: LiveWorld, approval: Manifest) -> str:
    """The reason an approval gives for what it counts."""
    metadata = approval["metadata"]
    return world.condition("changeapproval", metadata["name"], namespace=metadata["namespace"])[1]


def test_answers_that_count_for_nothing_say_why(live_world: LiveWorld) -> None:
    estate, digest, before = held(live_world)
    past = SystemClock().now() - timedelta(minutes=1)
    far = SystemClock().now() + timedelta(days=30)
    expired = estate.approval("expired", decision="Approve", digest=digest)
    expired["spec"]["expiresAt"] = past.strftime("%Y-%m-%dT%H:%M:%SZ")
    late = estate.approval("too-late", decision="Approve", digest=digest)
    late["spec"]["expiresAt"] = far.strftime("%Y-%m-%dT%H:%M:%SZ")
    elsewhere = estate.approval("elsewhere", decision="Approve", digest=digest)
    elsewhere["metadata"]["namespace"] = estate.team
    unknown = estate.approval("unknown", decision="Approve", digest="cp1:" + "0" * 64)
    live_world.apply(expired, late, elsewhere, unknown)
    wanted = ["Expired", "ExpiresTooLate", "WrongNamespace", "UnknownPlan"]
    polling.until(
        lambda: (
            [verdict(live_world, each) for each in (expired, late, elsewhere, unknown)] == wanted
        ),
        "each says why",
    )
    assert estate.writes_since(before) == []

    # One that counts; applied again after its changes ran, it counts for nothing.
    yes = estate.approval("yes", decision="Approve", digest=digest)
    live_world.apply(yes)
    polling.until(
        lambda: not live_world.items("teamsusers", namespace=estate.team), "they are gone"
    )
    assert len(estate.writes_since(before)) == PEOPLE
    live_world.apply(*estate.people(PEOPLE))
    live_world.ready(estate)
    live_world.kubectl("delete", "teamsuser", "--all", "-n", estate.team, "--wait=false")
    assert live_world.held_plan(estate)["spec"]["digest"] == digest
    mark = estate.mark()
    live_world.kubectl("delete", "changeapproval", "yes", "-n", estate.platform)
    live_world.apply(yes)
    polling.until(lambda: verdict(live_world, yes) == "Consumed", "the old answer says why")
    polling.stays(lambda: estate.writes_since(mark) == [], "nothing runs on it", seconds=3)


def test_number_moved_in_the_portal_between_approval_and_apply_is_stale_and_others_run(
    live_world: LiveWorld,
) -> None:
    estate, digest, before = held(live_world, driftInterval="10m")
    moved = str(estate.number_of(1))
    estate.control.portal("add_user", user_principal_name=f"other@{estate.domain}")
    estate.control.portal("assign", number=moved, user=f"other@{estate.domain}")
    live_world.apply(estate.approval("yes", decision="Approve", digest=digest))
    polling.until(lambda: len(estate.writes_since(before)) == PEOPLE - 1, "the others run")
    other = estate.control.user(f"other@{estate.domain}")["id"]
    polling.stays(lambda: estate.assigned() == {moved: other}, "the new holder keeps it", seconds=3)
    assert len(estate.writes_since(before)) == PEOPLE - 1


def test_tenants_default_voice_routing_policy_edited_is_held_above_the_limit(
    live_world: LiveWorld,
) -> None:
    estate = live_world.estate(users=PEOPLE)
    domestic = [{"type": "OnlineVoiceRoutingPolicy", "name": "UK-Domestic"}]
    live_world.apply(
        *estate.base(changeLimits=SETTLES, defaultPolicies=domestic), *estate.people(PEOPLE)
    )
    live_world.ready(estate)
    before = estate.mark()
    abroad = [{"type": "OnlineVoiceRoutingPolicy", "name": "UK-International"}]
    live_world.apply(estate.tenant(changeLimits=SETTLES, defaultPolicies=abroad))
    plan = live_world.held_plan(estate)
    assert plan["spec"]["counts"] == [{"operation": "SetPolicy", "count": PEOPLE}]
    polling.stays(lambda: estate.writes_since(before) == [], "nothing is written", seconds=2)
    live_world.apply(estate.tenant(changeLimits=SETTLES, defaultPolicies=domestic))
    live_world.ready(estate)
    assert estate.writes_since(before) == []
