"""Policies are looked up by name and granted by id."""

from __future__ import annotations

import pytest

from callplane.testing.graph_desk import GraphDesk

POLICY = "/v1.0/admin/teams/policy"
ROUTING = "OnlineVoiceRoutingPolicy"


async def look_up(desk: GraphDesk, name: str, policy_type: str = ROUTING) -> list[dict[str, str]]:
    answer = await desk.calls.get(f"{POLICY}/getPolicyId(type='{policy_type}',name='{name}')")
    assert answer.status == 200, answer.document
    found: list[dict[str, str]] = answer.document["value"]
    return found


async def grant(desk: GraphDesk, name: str, policy: str) -> None:
    policy_id = (await look_up(desk, policy))[0]["policyId"]
    element = {"userId": desk.ids[name], "policyType": ROUTING, "policyId": policy_id}
    answer = await desk.calls.post(f"{POLICY}/userAssignments/assign", {"value": [element]})
    assert answer.status == 204, answer.document


async def effective(desk: GraphDesk, name: str) -> list[tuple[str, str]]:
    rows = (await desk.person(name))["effectivePolicyAssignments"]
    return [
        (row["policyAssignment"]["displayName"], row["policyAssignment"]["assignmentType"])
        for row in rows
    ]


async def test_a_name_comes_back_tagged(desk: GraphDesk) -> None:
    assert [row["name"] for row in await look_up(desk, "uk-domestic")] == ["Tag:UK-Domestic"]


async def test_not_all_ids_look_like_guids(desk: GraphDesk) -> None:
    ids = [policy_id for ids in desk.tenant.policy_ids.values() for policy_id in ids.values()]

    assert {len(policy_id) == 36 for policy_id in ids} == {True, False}


async def test_an_unknown_name_is_an_empty_answer_and_an_unknown_type_a_refusal(
    desk: GraphDesk,
) -> None:
    assert await look_up(desk, "No-Such-Policy") == []
    assert await look_up(desk, "Global") == []
    answer = await desk.calls.get(f"{POLICY}/getPolicyId(type='TeamsVoicePolicy',name='x')")
    assert answer.status == 400


async def test_names_with_quotes_slashes_and_spaces_are_found(desk: GraphDesk) -> None:
    desk.portal.add_policy(ROUTING, "Ada's a/b plan")

    found = await look_up(desk, "Ada%27%27s%20a%2Fb%20plan")
    assert [row["name"] for row in found] == ["Tag:Ada's a/b plan"]


async def test_a_grant_wins_over_the_group_and_gives_way_when_taken(desk: GraphDesk) -> None:
    desk.portal.set_group_policy("ada@tenant.example", ROUTING, "UK-International")
    assert await effective(desk, "ada") == [("Tag:UK-International", "group")]

    await grant(desk, "ada", "UK-Domestic")
    assert await effective(desk, "ada") == [("Tag:UK-Domestic", "direct")]

    element = {"userId": desk.ids["ada"], "policyType": ROUTING}
    await desk.calls.post(f"{POLICY}/userAssignments/unassign", {"value": [element]})
    assert await effective(desk, "ada") == [("Tag:UK-International", "group")]


async def test_global_is_not_listed(desk: GraphDesk) -> None:
    assert await effective(desk, "ada") == []


async def test_a_grant_shows_late_when_the_world_lags(desk: GraphDesk) -> None:
    desk.settings(policy_lag_seconds=30.0)
    await grant(desk, "ada", "UK-Domestic")

    assert await effective(desk, "ada") == []
    desk.clock.advance(30.0)
    assert await effective(desk, "ada") == [("Tag:UK-Domestic", "direct")]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"value": []},
        {"value": [], "more": 1},
        {"value": ["x"]},
        {"value": [{"policyType": ROUTING, "policyId": "x"}]},
        {"value": [{"userId": "ada", "policyType": "Nothing", "policyId": "x"}]},
        {"value": [{"userId": "ada", "policyType": ROUTING, "policyId": "x"}]},
        {"value": [{"userId": "ada", "policyType": ROUTING, "policyId": "x", "rank": 1}]},
    ],
)
async def test_a_body_that_makes_no_sense_is_refused(
    desk: GraphDesk, body: dict[str, list[dict[str, str]]]
) -> None:
    for element in body.get("value", []):
        if isinstance(element, dict) and "userId" in element:
            element["userId"] = desk.ids[element["userId"]]

    assert (await desk.calls.post(f"{POLICY}/userAssignments/assign", body)).status == 400


async def test_one_bad_element_spoils_the_call(desk: GraphDesk) -> None:
    policy_id = (await look_up(desk, "UK-Domestic"))[0]["policyId"]
    good = {"userId": desk.ids["ada"], "policyType": ROUTING, "policyId": policy_id}
    bad = {**good, "userId": "nobody"}
    answer = await desk.calls.post(f"{POLICY}/userAssignments/assign", {"value": [good, bad]})

    assert answer.status == 404
    assert await effective(desk, "ada") == []
