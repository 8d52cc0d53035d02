"""Numbers are given, taken and changed by the vendor's rules."""

from __future__ import annotations

import pytest

from callplane.testing.graph_desk import CALLING_PLAN, FIRST, NUMBERS, SECOND, GraphDesk


async def test_assigning_gives_the_number_and_turns_enterprise_voice_on(desk: GraphDesk) -> None:
    order = await desk.order(await desk.assign(FIRST, "ada"))

    assert order["status"] == "succeeded"
    assert [each["status"] for each in order["numbers"]] == ["succeeded"]
    number, person = await desk.number(), await desk.person("ada")
    assert number["assignmentTargetId"] == desk.ids["ada"]
    assert number["assignmentStatus"] == "userAssigned"
    assert number["assignmentCategory"] == "primary"
    assert person["telephoneNumbers"] == [
        {"telephoneNumber": FIRST, "assignmentCategory": "primary"}
    ]
    assert person["isEnterpriseVoiceEnabled"] is True


async def test_unassigning_turns_enterprise_voice_off(desk: GraphDesk) -> None:
    await desk.assign(FIRST, "ada")
    await desk.order(await desk.unassign(FIRST))

    number, person = await desk.number(), await desk.person("ada")
    assert (number["assignmentTargetId"], number["assignmentStatus"]) == (None, "unassigned")
    assert (person["telephoneNumbers"], person["isEnterpriseVoiceEnabled"]) == ([], False)


async def test_numbers_come_back_with_a_plus_however_they_were_sent(desk: GraphDesk) -> None:
    await desk.order(await desk.assign(FIRST.removeprefix("+"), "ada"))

    assert (await desk.number())["telephoneNumber"] == FIRST


async def test_an_order_waits_runs_and_takes_effect_at_its_end(desk: GraphDesk) -> None:
    desk.settings(operation_seconds=10.0)
    accepted = await desk.assign(FIRST, "ada")

    assert (await desk.order(accepted))["status"] == "notStarted"
    assert (await desk.number())["activationState"] == "assignmentPending"
    desk.clock.advance(5.0)
    assert (await desk.order(accepted))["status"] == "running"
    assert (await desk.number())["assignmentTargetId"] is None
    desk.clock.advance(5.0)
    assert (await desk.order(accepted))["status"] == "succeeded"
    assert (await desk.number())["assignmentTargetId"] == desk.ids["ada"]
    assert (await desk.number())["activationState"] == "activated"


async def test_an_order_can_be_asked_for_behind_a_slash_and_wrapped(desk: GraphDesk) -> None:
    desk.settings(wraps_operations=True)
    accepted = await desk.assign(FIRST, "ada")
    key = accepted.headers["location"].partition("('")[2].removesuffix("')")

    path = f"/v1.0/admin/teams/telephoneNumberManagement/operations/{key}"
    assert (await desk.calls.get(path)).document["value"]["status"] == "succeeded"


async def test_the_qualified_action_is_the_same_action(desk: GraphDesk) -> None:
    body = {
        "telephoneNumber": FIRST,
        "assignmentTargetId": desk.ids["ada"],
        "numberType": "directRouting",
    }
    path = f"{NUMBERS}/microsoft.graph.teamsAdministration.assignNumber"

    assert (await desk.calls.post(path, body)).status == 202
    assert (await desk.number())["assignmentTargetId"] == desk.ids["ada"]


async def test_assigning_again_to_the_same_person_changes_nothing(desk: GraphDesk) -> None:
    await desk.assign(FIRST, "ada")
    await desk.order(await desk.assign(FIRST, "ada"))

    assert len([c for c in desk.tenant.changes.changes if c.subject == FIRST]) == 1


@pytest.mark.parametrize(
    ("number", "name", "status", "text"),
    [
        ("+441614960999", "ada", 400, "is not found from tenant"),
        (CALLING_PLAN, "ada", 400, "is not found from tenant"),
        (FIRST, "00000000-0000-4000-8000-00000000dead", 404, "was not found"),
        (FIRST, "eve", 400, "lacks appropriate licenses to assign a 'DirectRouting' number"),
        (FIRST, "fay", 400, "usage location 'FR' does not match"),
        (FIRST, "hall", 400, "is not a user account"),
        ("tel:+442079460000", "ada", 400, "not in a correct format"),
        ("+442079460000;ext=12", "ada", 400, "not in a correct format"),
    ],
)
async def test_an_assignment_that_breaks_a_rule_is_refused_at_once(
    desk: GraphDesk, number: str, name: str, status: int, text: str
) -> None:
    answer = await desk.assign(number, name)

    assert answer.status == status
    assert text in answer.error
    assert desk.tenant.changes.changes == []


async def test_a_refusal_can_come_with_the_order_instead(desk: GraphDesk) -> None:
    desk.settings(refusals_in_operation=True)
    order = await desk.order(await desk.assign(FIRST, "fay"))

    assert order["status"] == "failed"
    assert "usage location" in order["numbers"][0]["statusDetail"]


async def test_a_number_of_somebody_else_is_refused_also_while_it_is_on_its_way(
    desk: GraphDesk,
) -> None:
    desk.settings(operation_seconds=10.0)
    await desk.assign(FIRST, "ada")
    on_its_way = await desk.assign(FIRST, "bob")
    desk.clock.advance(10.0)
    taken = await desk.assign(FIRST, "bob")

    for answer in (on_its_way, taken):
        assert answer.status == 400
        assert "has already been assigned to another user" in answer.error


async def test_a_second_primary_number_is_refused_also_while_the_first_is_on_its_way(
    desk: GraphDesk,
) -> None:
    desk.settings(operation_seconds=10.0)
    await desk.assign(FIRST, "ada")
    on_its_way = await desk.assign(SECOND, "ada")
    desk.clock.advance(10.0)
    held = await desk.assign(SECOND, "ada")
    private = await desk.assign(SECOND, "ada", assignmentCategory="private")

    for answer in (on_its_way, held):
        assert answer.status == 400
        assert "already has a primary telephone number" in answer.error
    assert private.status == 202


async def test_numbers_from_the_old_telephone_system_are_refused(desk: GraphDesk) -> None:
    desk.portal.mark_on_premises(FIRST)
    desk.portal.change_user("bob@tenant.example", on_premises_number="+442079460009")

    for answer in (await desk.assign(FIRST, "ada"), await desk.assign(SECOND, "bob")):
        assert answer.status == 400
        assert "on-premises Active Directory" in answer.error


async def test_a_deleted_licence_is_told_as_an_on_premises_number(desk: GraphDesk) -> None:
    desk.portal.unlicense_user("ada@tenant.example")

    assert "on-premises Active Directory" in (await desk.assign(FIRST, "ada")).error


async def test_a_fresh_licence_is_unknown_to_teams_for_a_while(desk: GraphDesk) -> None:
    desk.settings(licence_lag_seconds=1800.0)
    desk.portal.license_user("eve@tenant.example")

    assert (await desk.assign(FIRST, "eve")).status == 404
    desk.clock.advance(1800.0)
    assert (await desk.assign(FIRST, "eve")).status == 202


async def test_a_calling_plan_number_needs_a_calling_plan(desk: GraphDesk) -> None:
    without = await desk.assign(CALLING_PLAN, "ada", numberType="callingPlan")
    desk.portal.license_user("ada@tenant.example", calling_plan=True)
    with_plan = await desk.assign(CALLING_PLAN, "ada", numberType="callingPlan")

    assert "lacks appropriate licenses to assign a 'CallingPlan' number" in without.error
    assert with_plan.status == 202


async def test_a_number_outside_the_inventory_can_be_allowed(desk: GraphDesk) -> None:
    desk.settings(assigns_numbers_outside_inventory=True)
    await desk.order(await desk.assign("+442079460500", "ada"))

    assert (await desk.number("+442079460500"))["assignmentTargetId"] == desk.ids["ada"]


@pytest.mark.parametrize(
    "change",
    [
        {"unknown": 1},
        {"@odata.type": "#x"},
        {"numberType": "DirectRouting"},
        {"assignmentTargetId": None},
        {"telephoneNumber": 442079460000},
        {"assignmentCategory": "second"},
    ],
)
async def test_a_body_the_contract_does_not_know_is_refused(
    desk: GraphDesk, change: dict[str, object]
) -> None:
    assert (await desk.assign(FIRST, "ada", **change)).status == 400


async def test_unassigning_needs_the_type_and_a_holder(desk: GraphDesk) -> None:
    free = await desk.unassign(FIRST)
    await desk.assign(FIRST, "ada")
    wrong_type = await desk.unassign(FIRST, "callingPlan")
    without = await desk.calls.post(f"{NUMBERS}/unassignNumber", {"telephoneNumber": FIRST})

    assert "is not assigned" in free.error
    assert "is not found from tenant" in wrong_type.error
    assert without.status == 400
    assert (await desk.number())["assignmentTargetId"] == desk.ids["ada"]


async def test_an_order_overtaken_by_the_portal_fails_and_says_why(desk: GraphDesk) -> None:
    desk.settings(operation_seconds=10.0)
    accepted = await desk.assign(FIRST, "ada")
    desk.portal.assign(FIRST, "bob@tenant.example")
    desk.clock.advance(10.0)
    order = await desk.order(accepted)

    assert order["status"] == "failed"
    assert "already been assigned" in order["numbers"][0]["statusDetail"]
    assert (await desk.number())["assignmentTargetId"] == desk.ids["bob"]


async def test_updating_sets_keeps_and_clears_the_location(desk: GraphDesk) -> None:
    async def update(**fields: object) -> object:
        body = {"telephoneNumber": FIRST, **fields}
        assert (await desk.calls.post(f"{NUMBERS}/updateNumber", body)).status == 200
        return (await desk.number())["locationId"]

    assert await update(locationId="loc-1") == "loc-1"
    assert await update(locationId=None) == "loc-1"
    assert await update() == "loc-1"
    assert await update(locationId="") is None


async def test_an_update_settles_after_a_while(desk: GraphDesk) -> None:
    desk.settings(update_seconds=5.0)
    body = {"telephoneNumber": FIRST, "reverseNumberLookupOptions": ["skipInternalVoip"]}
    await desk.calls.post(f"{NUMBERS}/updateNumber", body)

    assert (await desk.number())["activationState"] == "updatePending"
    desk.clock.advance(5.0)
    assert (await desk.number())["activationState"] == "activated"
    assert (await desk.number())["reverseNumberLookupOptions"] == ["skipInternalVoip"]


async def test_a_location_must_exist_once_there_are_any(desk: GraphDesk) -> None:
    desk.portal.add_location("loc-1")
    unknown = await desk.assign(FIRST, "ada", locationId="loc-2")
    known = await desk.assign(FIRST, "ada", locationId="loc-1")

    assert "Location 'loc-2' was not found" in unknown.error
    assert known.status == 202
    assert (await desk.number())["locationId"] == "loc-1"


async def test_the_location_of_a_calling_plan_number_stays(desk: GraphDesk) -> None:
    body = {"telephoneNumber": CALLING_PLAN, "locationId": ""}

    assert (await desk.calls.post(f"{NUMBERS}/updateNumber", body)).status == 400
