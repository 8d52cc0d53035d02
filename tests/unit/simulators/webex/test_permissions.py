"""Outgoing permissions: two paths, defaults, restricted types, digit patterns."""

from __future__ import annotations

from typing import Any

import pytest

from callplane.testing.webex_desk import WebexDesk


def paths(desk: WebexDesk) -> tuple[str, str]:
    key = desk.ids["cat"]
    return (
        f"telephony/config/people/{key}/outgoingPermission",
        f"people/{key}/features/outgoingPermission",
    )


async def actions(desk: WebexDesk, path: str) -> dict[str, str]:
    entries = (await desk.get(path)).document["callingPermissions"]
    return {entry["callType"]: entry["action"] for entry in entries}


def change(call_type: str, action: str, **more: object) -> dict[str, Any]:
    entry = {"callType": call_type, "action": action, "transferEnabled": False, **more}
    custom = {"useCustomEnabled": True, "useCustomPermissions": True}
    return {**custom, "callingPermissions": [entry]}


async def test_international_and_premium_are_blocked_by_default(desk: WebexDesk) -> None:
    shown = await actions(desk, paths(desk)[0])

    blocked = {name for name, action in shown.items() if action == "BLOCK"}
    assert blocked == {"INTERNATIONAL", "PREMIUM_SERVICES_I", "PREMIUM_SERVICES_II"}


async def test_both_paths_lead_to_the_same_permissions(desk: WebexDesk) -> None:
    new, old = paths(desk)
    assert (await desk.send("PUT", old, change("NATIONAL", "BLOCK"))).status == 204
    assert (await actions(desk, new))["NATIONAL"] == "BLOCK"
    assert (await desk.get(new)).document["useCustomEnabled"] is True


@pytest.mark.parametrize("is_old", [True, False])
async def test_either_path_may_be_gone(desk: WebexDesk, is_old: bool) -> None:
    name = "serves_old_permission_path" if is_old else "serves_new_permission_path"
    desk.settings(**{name: False})
    new, old = paths(desk)
    gone, there = (old, new) if is_old else (new, old)

    assert (await desk.get(gone)).status == 404
    assert (await desk.send("PUT", gone, change("NATIONAL", "BLOCK"))).status == 404
    assert (await desk.get(there)).status == 200


async def test_a_person_without_own_permissions_shows_those_of_the_location(
    desk: WebexDesk,
) -> None:
    place = f"telephony/config/locations/{desk.ids['London']}/outgoingPermission"
    person = paths(desk)[0]
    await desk.send("PUT", place, change("NATIONAL", "AUTH_CODE"))
    inherited = await actions(desk, person)
    await desk.send("PUT", person, change("INTERNATIONAL", "ALLOW"))
    own = await actions(desk, person)

    assert (inherited["NATIONAL"], inherited["INTERNATIONAL"]) == ("AUTH_CODE", "BLOCK")
    assert (own["NATIONAL"], own["INTERNATIONAL"]) == ("ALLOW", "ALLOW")


async def test_restricted_types_cannot_be_changed(desk: WebexDesk) -> None:
    desk.portal.restrict_call_type("INTERNATIONAL", user="cat@organisation.example")
    path = paths(desk)[0]

    assert (await desk.send("PUT", path, change("INTERNATIONAL", "ALLOW"))).status == 400
    assert (await desk.send("PUT", path, change("INTERNATIONAL", "BLOCK"))).status == 204
    entries = (await desk.get(path)).document["callingPermissions"]
    restricted = [each["callType"] for each in entries if each["isCallTypeRestrictionEnabled"]]
    assert restricted == ["INTERNATIONAL"]


@pytest.mark.parametrize(("accepts", "status"), [(True, 204), (False, 400)])
async def test_a_null_restriction_is_a_matter_of_the_world(
    desk: WebexDesk, accepts: bool, status: int
) -> None:
    desk.settings(accepts_null_restriction=accepts)
    body = change("NATIONAL", "BLOCK", isCallTypeRestrictionEnabled=None)

    assert (await desk.send("PUT", paths(desk)[0], body)).status == status


async def test_unknown_types_are_kept_and_unknown_actions_refused(desk: WebexDesk) -> None:
    path = paths(desk)[0]
    assert (await desk.send("PUT", path, change("TOLL", "BLOCK"))).status == 204
    assert (await actions(desk, path))["TOLL"] == "BLOCK"
    assert (await desk.send("PUT", path, change("TOLL", "PERHAPS"))).status == 400


async def test_digit_patterns_live_beside(desk: WebexDesk) -> None:
    path = f"{paths(desk)[0]}/digitPatterns"
    pattern = {"name": "Directory", "pattern": "118!", "action": "BLOCK", "transferEnabled": False}
    key = (await desk.send("POST", path, pattern)).document["id"]
    twice = await desk.send("POST", path, pattern)
    await desk.send("PUT", path, {"useCustomDigitPatterns": True})
    await desk.send("PUT", f"{path}/{key}", {**pattern, "action": "ALLOW"})
    shown = (await desk.get(path)).document
    gone = await desk.send("DELETE", f"{path}/{key}")

    assert twice.status == 409
    assert shown["useCustomDigitPatterns"] is True
    assert shown["digitPatterns"] == [{"id": key, **pattern, "action": "ALLOW"}]
    assert gone.status == 204
    assert (await desk.get(path)).document["digitPatterns"] == []
    assert (await desk.send("DELETE", f"{path}/{key}")).status == 404
