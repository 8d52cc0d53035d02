"""Outgoing permissions: both paths, what is left alone, and what is never closed."""

from __future__ import annotations

import pytest

from callplane.errors import OutcomeUnknown
from callplane.providers.protocol import Done, Refused
from callplane.resources.webex import OPEN_CALL_TYPES
from callplane.simulators.faults import Effect
from callplane.simulators.webex import permissions
from callplane.testing.webex_stage import WebexStage

SETTING = "OutgoingPermissions"
DOMESTIC = (
    "blocks CHARGEABLE_DIRECTORY_ASSISTED,INTERNATIONAL,PREMIUM_SERVICES_I,PREMIUM_SERVICES_II"
)
BOTH_PATHS = pytest.mark.parametrize("served", ["new", "old"])


def serve(stage: WebexStage, served: str) -> None:
    stage.world.change_settings(
        {
            "serves_new_permission_path": served == "new",
            "serves_old_permission_path": served == "old",
        }
    )


async def shown(stage: WebexStage, name: str) -> str | None:
    row = (await stage.provider.read_configuration(stage.person(name))).row
    assert row is not None
    assert SETTING not in row.unlisted
    found = dict(row.policies).get(SETTING)
    return found.name if found is not None else None


def truly(stage: WebexStage, name: str, call_type: str) -> str:
    row = stage.organisation.people.get(stage.person(name))
    assert row is not None
    return permissions.effective(row.permissions, call_type)[0]


@BOTH_PATHS
async def test_permissions_are_written_at_the_path_that_is_there(
    stage: WebexStage, served: str
) -> None:
    serve(stage, served)
    assert await shown(stage, "cat") is None
    change = stage.set("cat", SETTING, "blocks PREMIUM_SERVICES_I")
    assert await stage.provider.send(change, request_id="r") == Done()
    assert await shown(stage, "cat") == "blocks PREMIUM_SERVICES_I"
    assert truly(stage, "cat", "INTERNATIONAL") == "ALLOW"
    assert stage.writes() == ["configurePermissions"]


async def test_what_emergency_numbers_may_fall_under_is_opened(stage: WebexStage) -> None:
    for call_type in OPEN_CALL_TYPES:
        stage.portal.set_permission("cat@organisation.example", call_type, "BLOCK")
    before = await shown(stage, "cat")
    assert before is not None
    assert "NATIONAL" in before
    await stage.provider.send(stage.set("cat", SETTING, DOMESTIC), request_id="r")
    assert await shown(stage, "cat") == DOMESTIC
    assert {truly(stage, "cat", each) for each in OPEN_CALL_TYPES} == {"ALLOW"}


@pytest.mark.parametrize("call_type", OPEN_CALL_TYPES)
async def test_nothing_closes_them(stage: WebexStage, call_type: str) -> None:
    with pytest.raises(ValueError, match="never written"):
        await stage.provider.send(stage.set("cat", SETTING, f"blocks {call_type}"), request_id="r")
    assert stage.writes() == []


async def test_what_webex_decides_on_is_left_alone(stage: WebexStage) -> None:
    stage.portal.restrict_call_type("INTERNATIONAL", location="London")
    with pytest.raises(Refused) as caught:
        await stage.provider.send(stage.set("cat", SETTING, DOMESTIC), request_id="r")
    assert caught.value.reason == "Unsupported"
    assert "INTERNATIONAL" in str(caught.value)
    await stage.provider.send(stage.set("cat", SETTING, "blocks nothing"), request_id="r")
    assert truly(stage, "cat", "INTERNATIONAL") == "BLOCK"
    assert truly(stage, "cat", "PREMIUM_SERVICES_I") == "ALLOW"


async def test_a_null_restriction_is_never_sent(stage: WebexStage) -> None:
    stage.world.change_settings({"accepts_null_restriction": False})
    await stage.provider.send(stage.set("cat", SETTING, DOMESTIC), request_id="r")
    assert await shown(stage, "cat") == DOMESTIC


async def test_a_lost_answer_is_unknown(stage: WebexStage) -> None:
    stage.fault(Effect.DROP_AFTER, "configurePermissions")
    with pytest.raises(OutcomeUnknown):
        await stage.provider.send(stage.set("cat", SETTING, DOMESTIC), request_id="r")
    assert stage.writes() == ["configurePermissions"]
    assert await shown(stage, "cat") == DOMESTIC
