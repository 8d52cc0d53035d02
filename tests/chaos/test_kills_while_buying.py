"""SIGKILL in the midst of what costs money: never two orders."""

from __future__ import annotations

import random
import time
from collections import Counter

import pytest

from callplane.testing.live_world import LiveWorld

KILLS = 3
NUMBERS = 5
# A container that is started again in its pod has the name it had before.
POD = {"identity": "operator-in-a-pod"}


# Operators start one after the other, on a machine that may be busy.
pytestmark = pytest.mark.timeout(420)


def killed_at_random(world: LiveWorld, chance: random.Random) -> None:
    """Over and over, while there is work."""
    operator = world.start_operator(**POD)
    for _ in range(KILLS):
        # The moment is the test's own choice: there is no event of ours to wait for.
        time.sleep(chance.uniform(0.3, 2.0))
        operator.kill()
        operator = world.start_operator(**POD)


@pytest.mark.parametrize("seed", [31])
def test_operator_killed_at_any_point_while_numbers_are_bought(world: LiveWorld, seed: int) -> None:
    carrier = world.simulated_carrier()
    world.apply(*carrier.manifests())
    carrier.control.change_settings(answer_delay_seconds=0.3)
    carrier.control.add_fault(effect="drop-after", kinds=["buyNumber"], times=2)
    world.apply(*(carrier.phone_number(f"n{i}", i, acquisition="Order") for i in range(NUMBERS)))
    killed_at_random(world, random.Random(seed))
    world.kubectl(
        *("wait", "--for=condition=Ready", "phonenumber", "--all"),
        *("-n", carrier.namespace, "--timeout=240s"),
        timeout_seconds=270,
    )
    wanted = sorted(carrier.number(index).text for index in range(NUMBERS))
    assert sorted(carrier.control.state()["numbers"]) == wanted
    taken = [entry for entry in carrier.control.writes(kind="buyNumber") if entry["committed"]]
    assert Counter(entry["subject"] for entry in taken) == Counter(wanted), "paid once each"
    assert len(carrier.control.writes(kind="buyNumber")) == NUMBERS, "and asked for once"
    told = world.sql(
        "select number, count(*) from register.number_events where cause = 'Activate'"
        f" and number in ({', '.join(repr(number) for number in wanted)}) group by number"
    )
    assert sorted(told) == [[number, "1"] for number in wanted]
