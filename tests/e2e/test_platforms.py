"""A number goes from a person in Teams to one in Webex and back, as kubectl, both platforms and the
register show it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from callplane.simulators.webex.seeding import (
    DEFAULT_CLIENT_ID,
    DEFAULT_ORGANISATION_ID,
    DEFAULT_REFRESH_TOKEN,
    DEFAULT_SECRET,
)
from callplane.testing import polling
from callplane.testing.estates import Estate, Manifest
from callplane.testing.live_world import LiveWorld

pytestmark = pytest.mark.usefixtures("operator")

EMAIL = "bruno@organisation.example"
NONE: dict[str, Any] = {"none": {}}


def manifest(kind: str, name: str, namespace: str, spec: dict[str, Any]) -> Manifest:
    metadata = {"name": name, "namespace": namespace}
    return {
        "apiVersion": "callplane.dev/v1alpha1",
        "kind": kind,
        "metadata": metadata,
        "spec": spec,
    }


def organization(estate: Estate, api: str) -> list[Manifest]:
    """The connection and its Secret."""
    content = {"client-secret": DEFAULT_SECRET, "refresh-token": DEFAULT_REFRESH_TOKEN}
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "webex", "namespace": estate.platform},
        "stringData": content,
    }
    app = {
        "clientId": DEFAULT_CLIENT_ID,
        "clientSecretRef": {"name": "webex", "key": "client-secret"},
        "refreshTokenRef": {"name": "webex", "key": "refresh-token"},
    }
    spec = {
        "orgId": DEFAULT_ORGANISATION_ID,
        "credentials": {"serviceApp": app},
        "endpoint": {"api": api},
        "writesPerSecond": 50,
        "driftInterval": "10s",
        "changeLimits": {"settle": "1s"},
        "allowedNamespaces": [{"name": estate.team}],
    }
    return [secret, manifest("WebexOrganization", "webex", estate.platform, spec)]


def in_webex(estate: Estate, number: dict[str, Any]) -> Manifest:
    spec = {
        "organizationRef": {"name": "webex", "namespace": estate.platform},
        "email": EMAIL,
        "location": "London",
        "extension": "1001",
        "phoneNumber": number,
    }
    return manifest("WebexUser", "bruno", estate.team, spec)


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
