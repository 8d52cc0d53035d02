"""SIGKILL in the midst of what concerns two systems, or money: never two holders or two orders."""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from pathlib import Path

import pytest

from callplane.sandbox.simulator_control import SimulatorControl
from callplane.testing import polling
from callplane.testing.live_world import LiveWorld
from callplane.testing.webex_manifests import organization, webex_user

PEOPLE = 5
KILLS = 3
NUMBERS = 5
LIMITS = {"settle": "1s", "maxCount": 1000, "maxPercent": 100, "floor": 1000}
# A container that is started again in its pod has the name it had before.
POD = {"identity": "operator-in-a-pod"}
NONE = {"none": {}}


# Five operators start one after the other, on a machine that may be busy.
pytestmark = pytest.mark.timeout(240)


def killed_at_random(world: LiveWorld, chance: random.Random) -> None:
    """Over and over, while there is work."""
    operator = world.start_operator(**POD)
    for _ in range(KILLS):
        # The moment is the test's own choice: there is no event of ours to wait for.
        time.sleep(chance.uniform(0.3, 2.0))
        operator.kill()
        operator = world.start_operator(**POD)


@pytest.mark.parametrize("seed", [21])
def test_operator_killed_at_any_point_while_numbers_go_from_teams_to_webex(
    world: LiveWorld, tmp_path: Path, seed: int
) -> None:
    estate = world.estate(users=PEOPLE)
    estate.control.change_settings(operation_seconds=0.3, answer_delay_seconds=0.05)
    emails = [f"person-{index}@organisation.example" for index in range(1, PEOPLE + 1)]
    seeds = {
        "settings": {"answer_delay_seconds": 0.2},
        "organisations": [
            {"people": [{"email": e} for e in emails], "ranges": [{"first": "+12125550100"}]}
        ],
    }
    file = tmp_path / "webex.json"
    file.write_text(json.dumps(seeds))
    api = world.start_webex(f"--seed-file={file}")
    webex = SimulatorControl(f"{api.removesuffix('/v1')}/_simulator")
    operator = world.start_operator(**POD)
    people = range(1, PEOPLE + 1)
    seats = {index: {"e164": estate.number(index)} for index in people}
    world.apply(
        *estate.base(changeLimits=LIMITS, writesPerSecond=5),
        *organization(estate, api, changeLimits=LIMITS, writesPerSecond=5),
        *(estate.user(index, phoneNumber=seats[index]) for index in people),
        *(webex_user(estate, f"user-{i}", emails[i - 1], NONE) for i in people),
    )
    world.ready(estate, seconds=90)
    wait = ("webexuser", "--all", "-n", estate.team, "--timeout=90s")
    world.kubectl("wait", "--for=condition=Ready", *wait)
    operator.kill()

    world.apply(
        *(webex_user(estate, f"user-{i}", emails[i - 1], seats[i]) for i in people),
        *(estate.user(index, phoneNumber=NONE) for index in people),
    )
    killed_at_random(world, random.Random(seed))
    polling.until(
        lambda: (
            sum(row["holder"] is not None for row in webex.state()["numbers"].values()) == PEOPLE
        ),
        "all numbers are in Webex",
        seconds=120,
    )
    world.ready(estate, seconds=60)
    world.kubectl("wait", "--for=condition=Ready", *wait)
    assert estate.assigned() == {}

    # Both simulators read the machine's monotonic clock.
    gone = {
        change["subject"]: change["at"]
        for change in estate.control.changes()
        if change["aspect"] == "holder" and change["after"] is None
    }
    came = [change for change in webex.changes() if change["aspect"] == "holder"]
    assert Counter(change["subject"] for change in came) == Counter(
        estate.number(index) for index in people
    )
    assert all(change["at"] >= gone[change["subject"]] for change in came), "two holders"
    rows = world.sql("select provider, state from register.numbers where provider = 'webex'")
    assert rows == [["webex", "Assigned"]] * PEOPLE
    assert world.sql("select count(*) from register.intents where state = 'open'") == [["0"]]
    world.kubectl("delete", "webexusers,teamsusers", "--all", "-n", estate.team, "--timeout=60s")
    world.kubectl(*("delete", "webexorganization/webex", "-n", estate.platform, "--timeout=60s"))


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
