"""SIGKILL in the midst of moves from Teams to Webex: each number ends with exactly one holder."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from callplane.sandbox.simulator_control import SimulatorControl
from callplane.simulators.invented import derive_guid
from callplane.testing import polling
from callplane.testing.estates import Estate, Manifest
from callplane.testing.live_world import LiveWorld
from callplane.testing.webex_manifests import organization, webex_user

PEOPLE = 8
KILLS = 5
# How much is seen done before the next kill: all kills come before all moves are through, for a
# move is three writes or more.
WRITES_BETWEEN_KILLS = 3
# A container that is started again in its pod has the name it had before.
POD = {"identity": "operator-in-a-pod"}
NONE: dict[str, Any] = {"none": {}}
# Operators start one after the other, on a machine that may be busy.
pytestmark = pytest.mark.timeout(420)


@dataclass(frozen=True, slots=True)
class Migration:
    """The same people in a Teams tenant and a Webex organisation; the numbers are in Teams."""

    world: LiveWorld
    estate: Estate
    webex: SimulatorControl
    api: str
    organization_id: str
    people: int

    def number(self, index: int) -> str:
        """The number of person `index`, from 1."""
        return self.estate.number(index)

    def in_teams(self, index: int, number: dict[str, Any]) -> Manifest:
        return self.estate.user(index, phoneNumber=number)

    def in_webex(self, index: int, number: dict[str, Any]) -> Manifest:
        return webex_user(self.estate, f"person-{index}", email(index), number)

    def webex_connection(self, **spec: Any) -> list[Manifest]:
        return organization(self.estate, self.api, orgId=self.organization_id, **spec)

    def everybody(self) -> range:
        return range(1, self.people + 1)

    def start(self, **connections: Any) -> None:
        """Everybody Ready on both platforms, with the numbers in Teams."""
        self.world.apply(
            *self.estate.base(**connections),
            *self.webex_connection(**connections),
            *(self.in_teams(each, {"e164": self.number(each)}) for each in self.everybody()),
            *(self.in_webex(each, NONE) for each in self.everybody()),
        )
        self.world.ready(self.estate, seconds=120)
        self.ready_in_webex()
        assert len(self.estate.assigned()) == self.people
        self.estate.control.forget()
        self.webex.forget()

    def move(self) -> None:
        """The commit that gives every number to the same person in Webex."""
        self.world.apply(
            *(self.in_webex(each, {"e164": self.number(each)}) for each in self.everybody()),
            *(self.in_teams(each, NONE) for each in self.everybody()),
        )

    def ready_in_webex(self) -> None:
        self.world.kubectl(
            *("wait", "--for=condition=Ready", "webexuser", "--all", "-n", self.estate.team),
            "--timeout=180s",
            timeout_seconds=200,
        )

    def writes(self) -> int:
        """How often either platform was asked to change something."""
        return len(self.estate.control.writes()) + len(self.webex.writes())

    def in_webex_now(self) -> dict[str, str]:
        """Every number that somebody has in Webex, and the address of who has it."""
        state = self.webex.state()
        emails = {key: user["email"] for key, user in state["users"].items()}
        return {
            number: emails[row["holder"]]
            for number, row in state["numbers"].items()
            if row["holder"] is not None
        }

    def moved(self) -> bool:
        return len(self.in_webex_now()) == self.people

    def check(self) -> None:
        """Everything is where it belongs, and came there in one way."""
        assert self.in_webex_now() == {self.number(each): email(each) for each in self.everybody()}
        assert self.estate.assigned() == {}
        left = changes_of_holders(self.estate.control)
        came = changes_of_holders(self.webex)
        assert Counter(change["subject"] for change in left).most_common(1)[0][1] == 1
        assert Counter(change["subject"] for change in came).most_common(1)[0][1] == 1
        # Both simulators read the machine's monotonic clock.
        gone_at = {change["subject"]: change["at"] for change in left}
        early = [change for change in came if change["at"] < gone_at[change["subject"]]]
        assert early == [], "numbers that had two holders for a while"
        numbers = ", ".join(repr(self.number(each)) for each in self.everybody())
        rows = self.world.sql(
            f"select distinct provider, state from register.numbers where number in ({numbers})"
        )
        assert rows == [["webex", "Assigned"]]
        causes = self.world.sql(
            "select cause, count(*) from register.number_events"
            f" where number in ({numbers}) group by cause"
        )
        told = {cause: int(count) for cause, count in causes}
        assert told["Receive"] == self.people
        assert "Unassign" not in told, "nothing rested in between"
        [[still_open]] = self.world.sql(
            "select count(*) from register.intents where state = 'open' and external_id ="
            f" '{self.estate.tenant_id}'"
        )
        assert still_open == "0"


def email(index: int) -> str:
    return f"person{index}@organisation.example"


def changes_of_holders(platform: SimulatorControl) -> list[dict[str, Any]]:
    """What the move did; what was there before it is of no concern."""
    changes = [each for each in platform.changes() if each["aspect"] == "holder"]
    last = {change["subject"]: change for change in changes}
    return [each for each in changes if each["after"] == last[each["subject"]]["after"]]


def migration(world: LiveWorld, folder: Path, people: int) -> Migration:
    estate = world.estate(users=people)
    # One organisation each: two connections to one are refused.
    organization_id = derive_guid(0, "organisation", estate.tenant_id)
    somebody = [{"email": email(each + 1)} for each in range(people)]
    seed = {"organisations": [{"id": organization_id, "people": somebody, "ranges": []}]}
    file = folder / "webex.json"
    file.write_text(json.dumps(seed))
    api = world.start_webex(f"--seed-file={file}")
    control = SimulatorControl(f"{api.removesuffix('/v1')}/_simulator")
    return Migration(world, estate, control, api, organization_id, people)


def test_operator_killed_at_any_point_while_numbers_move(world: LiveWorld, tmp_path: Path) -> None:
    on = migration(world, tmp_path, PEOPLE)
    limits = {"settle": "1s", "maxCount": 1000, "maxPercent": 100}
    operator = world.start_operator(**POD)
    on.start(changeLimits=limits)
    # Slow enough for kills to meet every step: on its way out, between both, on its way in.
    slow = {"writesPerSecond": 2, "changeLimits": limits}
    world.apply(on.estate.tenant(**slow), *on.webex_connection(**slow))
    on.estate.control.change_settings(operation_seconds=0.5, answer_delay_seconds=0.2)
    on.webex.change_settings(answer_delay_seconds=0.3)

    on.move()
    met = []
    for _ in range(KILLS):
        seen = on.writes()
        polling.until(
            lambda seen=seen: on.moved() or on.writes() >= seen + WRITES_BETWEEN_KILLS,
            "work goes on",
            seconds=60,
        )
        operator.kill()
        met.append((len(on.estate.assigned()), len(on.in_webex_now())))
        operator = world.start_operator(**POD)
    assert any(in_webex < PEOPLE for _, in_webex in met), f"kills met work under way: {met}"
    polling.until(on.moved, "everybody has the number in Webex", seconds=120)
    on.ready_in_webex()
    world.ready(on.estate, seconds=120)
    on.check()


@pytest.mark.parametrize(
    "effect",
    [
        pytest.param("status", id="between both platforms"),
        pytest.param("drop-after", id="answer of Webex lost"),
    ],
)
def test_operator_killed_at_the_worst_instant_of_a_move(
    world: LiveWorld, tmp_path: Path, effect: str
) -> None:
    on = migration(world, tmp_path, 1)
    operator = world.start_operator(**POD)
    on.start()
    # Webex fails until the operator is dead: the number has left Teams and gets no further.
    on.webex.add_fault(effect=effect, kinds=["writes"])
    on.move()
    polling.until(on.webex.writes, "Webex is asked", seconds=60)
    operator.kill()
    assert on.estate.assigned() == {}
    # Somebody else wants it meanwhile.
    world.apply(on.in_teams(1, {"e164": on.number(1)}) | {"metadata": other(on)})
    on.webex.clear_faults()
    world.start_operator(**POD)
    polling.until(on.moved, "it is in Webex", seconds=120)
    on.ready_in_webex()
    on.check()


def other(on: Migration) -> dict[str, str]:
    return {"name": "somebody-else", "namespace": on.estate.team}
