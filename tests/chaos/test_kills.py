"""SIGKILL at seeded moments, over and over: everything converges, and nothing happens twice."""

from __future__ import annotations

import random
import time
from collections import Counter

import pytest

from callplane.testing import polling
from callplane.testing.estates import Estate
from callplane.testing.live_world import LiveWorld

PEOPLE = 40
KILLS = 5
# How much is seen done before the next kill, however slow the machine is: all kills come before all
# is done.
WRITES_BETWEEN_KILLS = 2
# A container that is started again in its pod has the name it had before, so it need not wait for
# its own Lease.
POD = {"identity": "operator-in-a-pod"}
# Operators start one after the other, on a machine that may be busy.
pytestmark = pytest.mark.timeout(420)


def work_goes_on(estate: Estate, chance: random.Random, *, until_assigned: int) -> None:
    """Wait until some more is written, and a moment by chance; at the latest until all is."""
    seen = len(estate.writes())
    polling.until(
        lambda: (
            len(estate.writes()) >= seen + WRITES_BETWEEN_KILLS
            or len(estate.assigned()) == until_assigned
        ),
        "work goes on",
    )
    # The moment is the test's own choice: there is no event of ours to wait for.
    time.sleep(chance.uniform(0.0, 0.8))


@pytest.mark.parametrize("seed", [11, 12])
def test_operator_killed_at_any_point_while_people_join_and_leave(
    world: LiveWorld, seed: int
) -> None:
    chance = random.Random(seed)
    estate = world.estate(users=PEOPLE)
    estate.control.change_settings(operation_seconds=0.3, answer_delay_seconds=0.05)
    progress: list[int] = []
    limits = {"settle": "1s", "maxCount": 1000, "maxPercent": 100}
    operator = world.start_operator(**POD)
    world.apply(*estate.base(writesPerSecond=5, changeLimits=limits))
    world.base_ready(estate)

    world.apply(*estate.people(PEOPLE))
    for _ in range(KILLS):
        work_goes_on(estate, chance, until_assigned=PEOPLE)
        operator.kill()
        progress.append(len(estate.assigned()))
        operator = world.start_operator(**POD)
    assert len(set(progress) - {0, PEOPLE}) > 1, f"kills met work under way: {progress}"
    world.ready(estate, seconds=120)
    assert len(estate.assigned()) == PEOPLE
    assert len(set(estate.assigned().values())) == PEOPLE

    leaving = [f"user-{index}" for index in range(1, PEOPLE // 2 + 1)]
    world.kubectl("delete", "teamsuser", *leaving, "-n", estate.team, "--wait=false")
    for _ in range(KILLS):
        work_goes_on(estate, chance, until_assigned=PEOPLE // 2)
        operator.kill()
        operator = world.start_operator(**POD)
    polling.until(
        lambda: len(world.items("teamsusers", namespace=estate.team)) == PEOPLE // 2,
        "the leavers are gone",
        seconds=120,
    )
    world.ready(estate)
    assert len(estate.assigned()) == PEOPLE // 2

    # Each number came to one person, once, and left at most once; nothing was ordered twice.
    done = Counter(
        (change["subject"], change["after"] is not None)
        for change in estate.control.changes()
        if change["aspect"] == "holder"
    )
    assert set(done.values()) == {1}
    asked = Counter(
        (entry["kind"], entry["subject"])
        for entry in estate.control.writes()
        if entry["outcome"] == "answered"
    )
    assert set(asked.values()) == {1}, asked.most_common(3)
    states = Counter(
        row[0]
        for row in world.sql(
            f"select state from register.numbers where external_id = '{estate.tenant_id}'"
        )
    )
    assert states == {"Assigned": PEOPLE // 2, "Quarantined": PEOPLE // 2}
    open_intents = world.sql(
        "select count(*) from register.intents"
        f" where external_id = '{estate.tenant_id}' and state = 'open'"
    )
    assert open_intents == [["0"]]
