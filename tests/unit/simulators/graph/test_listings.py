"""Listings page, filter, select, lag and go wrong as told."""

from __future__ import annotations

from typing import Any

from callplane.testing.graph_desk import CALLING_PLAN, FIRST, NUMBERS, SECOND, GraphDesk

USERS = "/v1.0/users"
CONFIGURATIONS = "/v1.0/admin/teams/userConfigurations"


async def follow(desk: GraphDesk, path: str, **query: str) -> tuple[list[Any], int]:
    """All rows behind next links, and the number of pages."""
    answer = await desk.calls.get(path, **query)
    rows, pages = list(answer.document["value"]), 1
    while link := answer.document.get("@odata.nextLink"):
        answer = await desk.calls.get(link)
        rows += answer.document["value"]
        pages += 1
    return rows, pages


async def numbers(desk: GraphDesk, **query: str) -> list[str]:
    answer = await desk.calls.get(NUMBERS, **query)
    assert answer.status == 200, answer.document
    return [row["telephoneNumber"] for row in answer.document["value"]]


async def test_numbers_page_by_skip_and_carry_no_link(desk: GraphDesk) -> None:
    first = await desk.calls.get(NUMBERS, top="5")
    everything = await numbers(desk)

    assert "@odata.nextLink" not in first.document
    assert len(everything) == 12
    assert await numbers(desk, top="5", skip="5") == everything[5:10]
    assert await numbers(desk, top="5", skip="10") == everything[10:]


async def test_numbers_can_carry_a_link(desk: GraphDesk) -> None:
    desk.settings(numbers_have_next_link=True)
    rows, pages = await follow(desk, NUMBERS, top="5")

    assert (len(rows), pages) == (12, 3)


async def test_pages_have_limits(desk: GraphDesk) -> None:
    assert (await desk.calls.get(NUMBERS, top="1001")).status == 400
    assert (await desk.calls.get(NUMBERS, top="0")).status == 400
    assert (await desk.calls.get(NUMBERS, skip="-1")).status == 400
    assert (await desk.calls.get(USERS, top="1000")).status == 400


async def test_people_page_by_link(desk: GraphDesk) -> None:
    desk.settings(users_page_size=2)

    for path in (USERS, CONFIGURATIONS):
        rows, pages = await follow(desk, path)
        assert (len({row["id"] for row in rows}), pages) == (5, 3)


async def test_filters_narrow_a_listing(desk: GraphDesk) -> None:
    await desk.assign(FIRST, "ada")
    ada = desk.ids["ada"]

    assert await numbers(desk, filter=f"assignmentTargetId eq '{ada}'") == [FIRST]
    assert await numbers(desk, filter="numberType eq 'CallingPlan'") == [
        CALLING_PLAN,
        "+441614960001",
    ]
    status = "assignmentStatus eq 'unassigned' and capabilities/any(c:c eq 'userAssignment')"
    assert len(await numbers(desk, filter=status)) == 11
    assert (await desk.calls.get(NUMBERS, filter="city eq 'London'")).status == 400
    assert (await desk.calls.get(NUMBERS, filter="numberType is 'x'")).status == 400


async def test_a_plus_that_is_not_encoded_is_a_space(desk: GraphDesk) -> None:
    answer = await desk.calls.get(f"{NUMBERS}?$filter=telephoneNumber%20eq%20'{FIRST}'")

    assert answer.document["value"] == []


async def test_people_are_found_by_name_whatever_the_case(desk: GraphDesk) -> None:
    by_filter = await desk.calls.get(USERS, filter="userPrincipalName eq 'ADA@tenant.example'")
    by_key = await desk.calls.get(f"{USERS}/Ada@Tenant.example")
    by_list = await desk.calls.get(
        USERS, filter="userPrincipalName in ('ada@tenant.example','bob@tenant.example')"
    )

    assert [row["id"] for row in by_filter.document["value"]] == [desk.ids["ada"]]
    assert by_key.document["id"] == desk.ids["ada"]
    assert len(by_list.document["value"]) == 2


async def test_fields_come_as_selected(desk: GraphDesk) -> None:
    path = f"{USERS}/{desk.ids['ada']}"
    plain = await desk.calls.get(path)
    selected = await desk.calls.get(path, select="usageLocation,assignedPlans")

    assert "assignedPlans" not in plain.document
    assert set(selected.document) == {"id", "usageLocation", "assignedPlans"}
    assert (await desk.calls.get(path, select="shoeSize")).status == 400


async def test_phone_users_are_found_by_their_plan(desk: GraphDesk) -> None:
    expression = (
        "assignedPlans/any(p:p/servicePlanId eq 4828c8ec-dc2e-4779-b502-87ac9ce28ab7"
        " and p/capabilityStatus eq 'Enabled')"
    )
    answer = await desk.calls.request(
        "GET",
        USERS,
        query={"$filter": expression, "$count": "true"},
        headers={"ConsistencyLevel": "eventual"},
    )

    assert answer.document["@odata.count"] == 4


async def test_negations_need_the_eventual_index(desk: GraphDesk) -> None:
    answer = await desk.calls.get(USERS, filter="usageLocation ne 'GB'")

    assert answer.document["error"]["code"] == "Request_UnsupportedQuery"


async def test_ineligible_users_show_only_to_those_who_ask(desk: GraphDesk) -> None:
    path = f"{CONFIGURATIONS}/{desk.ids['eve']}"
    plain = await desk.calls.get(path)
    asked = await desk.calls.request(
        "GET", path, headers={"Prefer": "include-unknown-enum-members"}
    )

    assert plain.document["accountType"] == "unknownFutureValue"
    assert asked.document["accountType"] == "ineligibleUser"


async def test_reads_lag_behind_writes_each_by_its_own_time(desk: GraphDesk) -> None:
    desk.settings(read_lag_seconds=2.0, listing_lag_seconds=20.0)
    desk.clock.advance(60.0)
    await desk.assign(FIRST, "ada")
    assigned = f"assignmentTargetId eq '{desk.ids['ada']}'"

    assert (await desk.number())["assignmentTargetId"] is None
    desk.clock.advance(2.0)
    assert (await desk.number())["assignmentTargetId"] == desk.ids["ada"]
    assert await numbers(desk, filter=assigned) == []
    desk.clock.advance(18.0)
    assert await numbers(desk, filter=assigned) == [FIRST]


async def test_a_listing_can_lie_in_every_way(desk: GraphDesk) -> None:
    everything = await numbers(desk)
    lies: dict[str, list[str]] = {}
    for effect in ("listing-empty", "listing-half", "listing-skip", "listing-repeat"):
        rule = desk.fault(effect=effect, kinds=["listNumberAssignments"], count=2)
        lies[effect] = await numbers(desk)
        desk.world.faults.remove(rule)

    assert lies == {
        "listing-empty": [],
        "listing-half": everything[:6],
        "listing-skip": everything[2:],
        "listing-repeat": everything + everything[-2:],
    }


async def test_a_listing_can_hold_a_row_that_is_none(desk: GraphDesk) -> None:
    desk.fault(effect="listing-invalid-row", kinds=["reads"])

    assert "tel:not-a-number" in await numbers(desk)


async def test_a_targeted_read_is_not_struck_as_a_listing(desk: GraphDesk) -> None:
    desk.fault(effect="listing-empty", kinds=["listNumberAssignments"])

    assert (await desk.number(SECOND))["telephoneNumber"] == SECOND
    assert await numbers(desk) == []


async def test_a_single_number_is_read_by_its_opaque_id(desk: GraphDesk) -> None:
    row = await desk.number()

    assert (await desk.calls.get(f"{NUMBERS}/{row['id']}")).document == row
    assert (await desk.calls.get(f"{NUMBERS}/nothing")).status == 404
