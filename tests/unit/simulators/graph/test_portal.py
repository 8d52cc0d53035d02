"""An administrator changes the world behind our back."""

from __future__ import annotations

import pytest

from callplane.simulators.graph.portal import Portal
from callplane.simulators.graph.tenant import PORTAL
from callplane.testing.graph_desk import FIRST, SECOND, GraphDesk

USERS = "/v1.0/users"
DELETED = "/v1.0/directory/deletedItems"
ADA, BOB = "ada@tenant.example", "bob@tenant.example"


async def test_a_number_can_be_moved_and_taken(desk: GraphDesk) -> None:
    await desk.assign(FIRST, "ada")
    desk.portal.assign(FIRST, BOB)
    assert (await desk.number())["assignmentTargetId"] == desk.ids["bob"]
    assert (await desk.person("ada"))["telephoneNumbers"] == []

    desk.portal.unassign(FIRST)
    assert (await desk.number())["assignmentTargetId"] is None
    authors = [change.by for change in desk.tenant.changes.changes]
    assert authors[1:] == [PORTAL] * 3
    assert len(desk.world.recorder.writes()) == 1


async def test_a_soft_deleted_person_leaves_a_ghost_and_can_come_back(desk: GraphDesk) -> None:
    await desk.assign(FIRST, "ada")
    desk.portal.delete_user(ADA)
    gone = desk.ids["ada"]

    assert (await desk.calls.get(f"{USERS}/{gone}")).status == 404
    assert (
        (await desk.calls.get(f"{DELETED}/{gone}", select="deletedDateTime"))
        .document["deletedDateTime"]
        .startswith("2026-03-02T09:00")
    )
    listed = await desk.calls.get(f"{DELETED}/microsoft.graph.user")
    assert [row["id"] for row in listed.document["value"]] == [gone]
    assert (await desk.number())["assignmentTargetId"] == gone

    desk.portal.restore_user(gone)
    assert (await desk.calls.get(f"{USERS}/{ADA}")).document["id"] == gone
    assert (await desk.calls.get(f"{DELETED}/{gone}")).status == 404


async def test_a_person_deleted_for_good_is_nowhere(desk: GraphDesk) -> None:
    await desk.assign(FIRST, "ada")
    desk.portal.delete_user(ADA, permanently=True, frees_number=True)

    assert (await desk.calls.get(f"{DELETED}/{desk.ids['ada']}")).status == 404
    assert (await desk.number())["assignmentTargetId"] is None
    assert (await desk.assign(SECOND, "ada")).status == 404


async def test_a_name_can_go_to_somebody_new(desk: GraphDesk) -> None:
    new_id = desk.portal.reuse_name(ADA)
    found = await desk.calls.get(USERS, filter=f"userPrincipalName eq '{ADA}'")

    assert new_id != desk.ids["ada"]
    assert [row["id"] for row in found.document["value"]] == [new_id]


async def test_people_are_renamed_moved_and_switched_off(desk: GraphDesk) -> None:
    desk.portal.change_user(
        ADA,
        user_principal_name="ada.new@tenant.example",
        usage_location="FR",
        account_enabled=False,
    )
    answer = await desk.calls.get(
        f"{USERS}/ada.new@tenant.example", select="usageLocation,accountEnabled"
    )

    assert answer.document["usageLocation"] == "FR"
    assert answer.document["accountEnabled"] is False
    assert (await desk.person("ada"))["userPrincipalName"] == "ada.new@tenant.example"
    assert (await desk.calls.get(f"{USERS}/{ADA}")).status == 404


async def test_a_new_person_appears_in_teams_when_the_licence_has_arrived(desk: GraphDesk) -> None:
    desk.settings(licence_lag_seconds=60.0)
    user_id = desk.portal.add_user("new@tenant.example")
    path = f"/v1.0/admin/teams/userConfigurations/{user_id}"

    assert (await desk.calls.get(path)).status == 404
    desk.clock.advance(60.0)
    assert "PhoneSystem" in (await desk.calls.get(path)).document["featureTypes"]


async def test_a_lost_licence_leaves_its_trace_and_the_number(desk: GraphDesk) -> None:
    await desk.assign(FIRST, "ada")
    desk.portal.unlicense_user(ADA)
    plans = (await desk.calls.get(f"{USERS}/{ADA}", select="assignedPlans")).document

    assert {plan["capabilityStatus"] for plan in plans["assignedPlans"]} == {"Deleted"}
    assert (await desk.person("ada"))["featureTypes"] == []
    assert (await desk.number())["assignmentTargetId"] == desk.ids["ada"]


async def test_numbers_come_go_and_serve_other_ends(desk: GraphDesk) -> None:
    desk.portal.add_number("+442079460555", number_type="operatorConnect")
    desk.portal.use_number_for(SECOND, "conferenceAssigned", "bridge")
    desk.portal.set_location(FIRST, "loc-1")
    desk.portal.remove_number("+442079460002")

    assert (await desk.number("+442079460555"))["numberType"] == "operatorConnect"
    assert (await desk.number(SECOND))["assignmentStatus"] == "conferenceAssigned"
    assert (await desk.number())["locationId"] == "loc-1"
    assert desk.tenant.numbers.get("+442079460002") is None


async def test_a_removed_policy_stays_on_those_who_had_it(desk: GraphDesk) -> None:
    desk.portal.set_policy(ADA, "TeamsCallingPolicy", "AllowCalling")
    desk.portal.remove_policy("TeamsCallingPolicy", "AllowCalling")

    granted = (await desk.person("ada"))["effectivePolicyAssignments"]
    assert granted[0]["policyAssignment"]["displayName"] == "Tag:AllowCalling"
    desk.portal.set_policy(ADA, "TeamsCallingPolicy", None)
    assert (await desk.person("ada"))["effectivePolicyAssignments"] == []


async def test_a_plan_can_be_in_grace(desk: GraphDesk) -> None:
    desk.portal.set_plan_status(ADA, "Warning")
    plans = (await desk.calls.get(f"{USERS}/{ADA}", select="assignedPlans")).document

    assert [plan["capabilityStatus"] for plan in plans["assignedPlans"]] == ["Enabled", "Warning"]


@pytest.mark.parametrize(
    ("action", "arguments", "text"),
    [
        ("assign", ["+441614960999", ADA], "no number"),
        ("assign", [FIRST, "nobody"], "no user 'nobody'"),
        ("set_policy", [ADA, "TeamsCallingPolicy", "x"], "no policy 'x'"),
        ("restore_user", ["nobody"], "no deleted user"),
        ("add_user", [ADA], "exists already"),
    ],
)
def test_a_mistake_is_told(desk: GraphDesk, action: str, arguments: list[str], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        getattr(Portal(desk.tenant), action)(*arguments)
