"""The client secret is missing, wrong, then right: one clear condition, no storm, recovery."""

from __future__ import annotations

import pytest

from callplane.testing import polling
from callplane.testing.estates import CLIENT_ID, SECRET
from callplane.testing.live_world import LiveWorld

pytestmark = pytest.mark.usefixtures("operator")


def test_secret_missing_then_wrong_then_right(live_world: LiveWorld) -> None:
    estate = live_world.estate()
    people = estate.people(5)
    live_world.apply(*estate.namespaces(), estate.tenant(), estate.range(), *people)

    def reason() -> str:
        return live_world.condition("teamstenant", "main", namespace=estate.platform)[1]

    polling.until(lambda: reason() == "SecretNotFound", "the missing Secret is named")
    live_world.apply(estate.secret("not-the-secret"))
    live_world.look_again(estate)
    polling.until(lambda: reason() == "AuthenticationFailed", "the wrong one is named")

    def person() -> tuple[str, str]:
        return live_world.condition("teamsuser", "user-1", namespace=estate.team)[:2]

    polling.until(
        lambda: person() == ("False", "DependencyNotReady"), "people are told of the connection"
    )

    asked = estate.control.counters()["by_kind"]
    polling.stays(lambda: reason() == "AuthenticationFailed", "one clear condition", seconds=5)
    assert estate.control.counters()["by_kind"] == asked, "a wrong secret is not tried over again"
    assert estate.writes() == []

    # A Secret is read by name, never watched: the connection looks again within half a minute.
    live_world.apply(estate.secret())
    live_world.ready(estate)
    assert len(estate.assigned()) == 5


def test_secret_is_rotated_and_nothing_stands_still(live_world: LiveWorld) -> None:
    estate = live_world.estate()
    live_world.apply(*estate.base(driftInterval="2s"), estate.user(1))
    live_world.ready(estate)

    def reason() -> str:
        return live_world.condition("teamstenant", "main", namespace=estate.platform)[1]

    # The vendor takes both while the Secret changes, then the older one goes.
    estate.control.set_application(client_id=CLIENT_ID, secrets=[SECRET, "newer"])
    live_world.apply(estate.secret("newer"))
    live_world.look_again(estate)
    polling.stays(lambda: reason() == "Succeeded", "nobody waits", seconds=3)
    estate.control.set_application(client_id=CLIENT_ID, secrets=["newer"])
    estate.control.revoke_tokens()
    live_world.apply(estate.user(2))
    polling.until(lambda: estate.number_of(2), "the new secret is in use", seconds=60)
    polling.until(lambda: reason() == "Succeeded", "the connection is well", seconds=60)


def test_secret_that_expires_while_people_have_numbers(live_world: LiveWorld) -> None:
    estate = live_world.estate()
    live_world.apply(*estate.base(driftInterval="30s"), *estate.people(3))
    live_world.ready(estate)
    assigned, before = estate.assigned(), estate.mark()
    estate.control.set_application(client_id=CLIENT_ID, secrets=["another"])
    estate.control.revoke_tokens()
    live_world.apply(estate.user(4))

    def reason() -> str:
        return live_world.condition("teamstenant", "main", namespace=estate.platform)[1]

    polling.until(lambda: reason() == "AuthenticationFailed", "the refusal is said")
    assert estate.assigned() == assigned
    live_world.apply(estate.secret("another"))
    live_world.look_again(estate)
    live_world.ready(estate)
    assert estate.writes_since(before) == ["assignNumber"]
