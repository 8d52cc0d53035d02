"""A number goes from a person in Teams to one in Webex and back, as kubectl, both platforms and the
register show it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from callplane.testing import polling
from callplane.testing.estates import Estate, Manifest
from callplane.testing.live_world import LiveWorld
from callplane.testing.webex_manifests import organization, webex_user

pytestmark = pytest.mark.usefixtures("operator")

EMAIL = "bruno@organisation.example"
NONE: dict[str, Any] = {"none": {}}


def in_webex(estate: Estate, number: dict[str, Any]) -> Manifest:
    return webex_user(estate, "bruno", EMAIL, number, extension="1001")


@pytest.fixture
def api(live_world: LiveWorld, tmp_path: Path) -> str:
    """A simulated Webex with one person who has no Calling yet, and no number at all."""
    seed = {"organisations": [{"people": [{"email": EMAIL}], "ranges": [], "users": 0}]}
    file = tmp_path / "webex.json"
    file.write_text(json.dumps(seed))
    return live_world.start_webex(f"--seed-file={file}")


def test_a_number_moves_from_teams_to_webex_and_back(live_world: LiveWorld, api: str) -> None:
    estate = live_world.estate()
    number = estate.number(5)
    seat = {"e164": number}
    live_world.apply(
        *estate.base(changeLimits={"settle": "1s"}),
        *organization(estate, api),
        estate.user(1, phoneNumber=seat),
        in_webex(estate, NONE),
    )
    live_world.ready(estate)
    wait = ("--for=condition=Ready", "webexuser/bruno", "-n", estate.team, "--timeout=60s")
    live_world.kubectl("wait", *wait)
    live_world.apply(estate.user(1, phoneNumber=NONE), in_webex(estate, seat))
    polling.until(lambda: row(live_world, number) == ["webex", "Assigned"], "it is in Webex")
    live_world.kubectl("wait", *wait)
    assert number not in estate.assigned()
    body = live_world.get("webexuser", "bruno", namespace=estate.team)
    assert body["status"]["phoneNumber"]["e164"] == number
    assert body["status"]["licence"] == "Professional"
    live_world.apply(estate.user(1, phoneNumber=seat), in_webex(estate, NONE))
    polling.until(lambda: row(live_world, number) == ["teams", "Assigned"], "it is back")
    live_world.ready(estate)
    assert estate.number_of(1) == number
    told = live_world.sql(
        f"select cause from register.number_events where number = '{number}' order by sequence"
    )
    causes = [cause for (cause,) in told]
    assert causes.count("Receive") == 2
    assert "Unassign" not in causes
    live_world.kubectl(
        *("delete", "webexuser/bruno", "teamsuser/user-1", "-n", estate.team, "--timeout=60s")
    )
    live_world.kubectl(
        *("delete", "webexorganization/webex", "-n", estate.platform, "--timeout=60s")
    )


def row(world: LiveWorld, number: str) -> list[str]:
    rows = world.sql(f"select provider, state from register.numbers where number = '{number}'")
    return rows[0] if rows else []
