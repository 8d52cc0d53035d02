"""What people, numbers and listings do that a declaration cannot know: each has a reason of its
own, and nothing is written on a guess.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from callplane.clock import SystemClock
from callplane.testing import polling
from callplane.testing.estates import Estate
from callplane.testing.live_world import LiveWorld

pytestmark = pytest.mark.usefixtures("operator")


def reason(world: LiveWorld, estate: Estate, name: str) -> str:
    """Why an object of the team is or is not Ready."""
    return world.condition("teamsuser", name, namespace=estate.team)[1]


def test_people_who_cannot_have_a_number_each_have_their_reason(live_world: LiveWorld) -> None:
    people = [
        {"user_principal_name": "fresh@bad.example", "licensed": False},
        {"user_principal_name": "abroad@bad.example", "usage_location": "FR"},
        {"user_principal_name": "gone@bad.example"},
        {"user_principal_name": "old@bad.example"},
    ]
    estate = live_world.estate(users=1, people=people)
    gone = estate.control.user("gone@bad.example")["id"]
    estate.control.portal("delete_user", user=gone)
    estate.control.portal("mark_on_premises", number=estate.number(50))
    wanted = {
        "nobody": "UserNotFound",
        "fresh": "UserNotLicensed",
        "abroad": "UsageLocationMismatch",
        "gone": "UserDeleted",
        "old": "NumberOnPremises",
    }
    special: dict[str, dict[str, object]] = {
        "gone": {"userPrincipalName": None, "userId": gone},
        "old": {"phoneNumber": {"e164": estate.number(50)}},
    }
    declared = [
        estate.user(
            1, name=name, **{"userPrincipalName": f"{name}@bad.example", **special.get(name, {})}
        )
        for name in wanted
    ]
    live_world.apply(*estate.base(driftInterval="3s"), *declared)

    def each_has_the_reason() -> bool:
        assert {name: reason(live_world, estate, name) for name in wanted} == wanted
        return True

    polling.until(each_has_the_reason, "everybody has the reason of their own")
    assert estate.writes() == []
    # The licence comes, and nobody has to do anything here.
    estate.control.portal("license_user", user="fresh@bad.example")
    polling.until(lambda: reason(live_world, estate, "fresh") == "Succeeded", "she is Ready")
    assert estate.writes() == ["assignNumber"]


def test_leavers_user_name_reused_by_a_new_person_is_a_new_holder(live_world: LiveWorld) -> None:
    estate = live_world.estate()
    live_world.apply(*estate.base(), estate.user(1))
    live_world.ready(estate)
    number = estate.number_of(1)
    live_world.kubectl("delete", "teamsuser", "user-1", "-n", estate.team)
    assert live_world.number_state(str(number)) == "Quarantined"
    estate.control.portal("reuse_name", user=estate.principal(1))
    live_world.look_again(estate)
    live_world.apply(estate.user(1))
    live_world.ready(estate)
    assert estate.number_of(1) not in (None, number)
    assert live_world.number_state(str(number)) == "Quarantined"


def test_range_exhausted_and_freed_numbers_wake_waiters_in_order(live_world: LiveWorld) -> None:
    estate = live_world.estate()
    tiny = estate.range(last=estate.number(1), quarantine={"days": 0})
    live_world.apply(
        *estate.namespaces(), estate.secret(), estate.tenant(), tiny, *estate.people(2)
    )
    live_world.ready(estate)
    live_world.apply(estate.user(3))
    polling.until(lambda: reason(live_world, estate, "user-3") == "RangeExhausted", "it is said")
    live_world.apply(estate.user(4))
    polling.until(lambda: reason(live_world, estate, "user-4") == "RangeExhausted", "it is said")
    live_world.apply(estate.range(last=estate.number(2), quarantine={"days": 0}))
    polling.until(lambda: estate.number_of(3), "the first in the queue has the new number")
    assert estate.number_of(4) is None
    assert reason(live_world, estate, "user-4") == "RangeExhausted"


def test_overlapping_ranges_the_later_one_is_refused_with_both_names(
    live_world: LiveWorld,
) -> None:
    estate = live_world.estate()
    live_world.apply(*estate.base(), estate.user(1))
    live_world.ready(estate)
    # Objects tell the second in which they were made: in the same one, the name would decide.
    created = live_world.get("numberrange", "numbers", namespace=estate.platform)["metadata"]
    made_at = datetime.fromisoformat(created["creationTimestamp"])
    polling.until(
        lambda: SystemClock().now() >= made_at + timedelta(seconds=1), "another second has begun"
    )
    live_world.apply(estate.range("intruder", first=estate.number(90), last=estate.number(95)))

    def verdict(name: str) -> tuple[str, str, str]:
        return live_world.condition("numberrange", name, namespace=estate.platform)

    polling.until(lambda: verdict("intruder")[1] == "InvalidSpec", "the later one is refused")
    assert f"{estate.platform}/numbers" in verdict("intruder")[2]
    assert verdict("numbers")[0] == "True"


@pytest.mark.parametrize("effect", ["listing-empty", "listing-half", "listing-repeat"])
def test_provider_lists_nothing_half_or_twice_nothing_changes(
    live_world: LiveWorld, effect: str
) -> None:
    estate = live_world.estate(users=30)
    live_world.apply(*estate.base(driftInterval="2s"), *estate.people(30))
    live_world.ready(estate)
    before, assigned = estate.mark(), estate.assigned()
    estate.control.add_fault(
        effect=effect,
        kinds=["listNumberAssignments", "listUsers", "listUserConfigurations"],
        tenant=estate.tenant_id,
    )
    try:
        polling.until(
            lambda: (
                live_world.condition("teamstenant", "main", namespace=estate.platform, of="Synced")[
                    0
                ]
                == "Unknown"
            ),
            "the connection says that it does not know",
        )
        polling.stays(lambda: estate.writes_since(before) == [], "nothing changes", seconds=5)
    finally:
        estate.control.clear_faults()
    live_world.ready(estate)
    assert estate.assigned() == assigned
    assert estate.writes_since(before) == []


def test_observed_and_suspended_objects_deleted_are_let_go_without_a_write(
    live_world: LiveWorld,
) -> None:
    estate = live_world.estate()
    live_world.apply(*estate.base(), *estate.people(3))
    live_world.ready(estate)
    before, assigned = estate.mark(), estate.assigned()
    live_world.apply(estate.user(1, suspend=True), estate.user(2, managementPolicy="Observe"))
    live_world.kubectl("delete", "teamsuser", "user-1", "user-2", "-n", estate.team)
    assert estate.writes_since(before) == []
    assert estate.assigned() == assigned
