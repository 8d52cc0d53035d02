"""What the simulated Graph answers and refuses is what the vendor's contract says."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from callplane.simulators.call_log import LoggedCall
from callplane.testing.asgi_calls import Answer
from callplane.testing.graph_desk import CALLING_PLAN, FIRST, NUMBERS, SECOND, GraphDesk

ROOT = "/v1.0"
POLICY = f"{ROOT}/admin/teams/policy"
OPERATIONS = f"{ROOT}/admin/teams/telephoneNumberManagement/operations"
ROUTING = "OnlineVoiceRoutingPolicy"
NAMESPACE = "microsoft.graph.teamsAdministration."

NOT_SIMULATED = {
    "usersDelta",
    "usersDeltaQualified",
    "groupsDelta",
    "groupsDeltaQualified",
    "listLicenseDetails",
    "listSubscribedSkus",
    "listTransitiveMembers",
    "listTransitiveUserMembers",
}
"""Operations of the contract that nothing here needs yet; the simulator answers them 404."""


Visits = list[tuple[str, Answer]]


async def visit(desk: GraphDesk) -> Visits:
    """Every simulated operation once or more, with its operation id."""
    desk.portal.set_policy("ada@tenant.example", ROUTING, "UK-Domestic")
    desk.portal.set_group_policy("ada@tenant.example", "TenantDialPlan", "UK-DialPlan")
    desk.portal.set_health("serviceDegradation", "Calls fail")
    desk.portal.use_number_for(SECOND, "policyAssigned", "policy")
    return [
        *await visit_numbers(desk),
        *await visit_policies(desk),
        *await visit_people(desk),
        *await visit_health(desk),
        *await visit_calls(desk),
    ]


async def visit_calls(desk: GraphDesk) -> Visits:
    now = desk.world.clock.now()
    begun = now - timedelta(minutes=5)
    for log in (desk.tenant.direct_routing_calls, desk.tenant.pstn_calls):
        log.add(
            LoggedCall("call-1", True, SECOND, FIRST, begun, 60, user=desk.ids["ada"]),
            LoggedCall("call-2", False, FIRST, SECOND, begun, 0),
        )
    found = []
    for name in ("getDirectRoutingCalls", "getPstnCalls"):
        for qualified, prefix in (("", ""), ("Qualified", "microsoft.graph.callRecords.")):
            start, end = (now - timedelta(days=1)).date(), now.strftime("%Y-%m-%dT%H:%M:%SZ")
            times = f"fromDateTime={start},toDateTime={end}"
            path = f"{ROOT}/communications/callRecords/{prefix}{name}({times})"
            found.append((f"{name}{qualified}", await desk.calls.get(path)))
    return found


async def visit_numbers(desk: GraphDesk) -> Visits:
    calls = desk.calls
    assign = {
        "telephoneNumber": FIRST,
        "assignmentTargetId": desk.ids["ada"],
        "numberType": "directRouting",
        "assignmentCategory": None,
        "locationId": None,
    }
    unassign = {"telephoneNumber": FIRST, "numberType": "directRouting"}
    update = {"telephoneNumber": FIRST, "locationId": "", "reverseNumberLookupOptions": []}
    accepted = await calls.post(f"{NUMBERS}/assignNumber", assign)
    key = accepted.headers["location"].partition("('")[2].removesuffix("')")
    number_id = (await desk.number())["id"]
    qualified = f"{NUMBERS}/{NAMESPACE}"
    return [
        ("listNumberAssignments", await calls.get(NUMBERS)),
        ("listNumberAssignments", await calls.get(NUMBERS, top="1", skip="1")),
        ("getNumberAssignment", await calls.get(f"{NUMBERS}/{number_id}")),
        ("assignNumber", accepted),
        ("assignNumberQualified", await calls.post(f"{qualified}assignNumber", assign)),
        ("getTelephoneNumberOperation", await calls.get(f"{OPERATIONS}/{key}")),
        ("getTelephoneNumberOperationParenKey", await calls.get(f"{OPERATIONS}('{key}')")),
        ("updateNumber", await calls.post(f"{NUMBERS}/updateNumber", update)),
        ("updateNumberQualified", await calls.post(f"{qualified}updateNumber", update)),
        ("unassignNumber", await calls.post(f"{NUMBERS}/unassignNumber", unassign)),
        ("unassignNumberQualified", await calls.post(f"{qualified}unassignNumber", unassign)),
    ]


async def visit_policies(desk: GraphDesk) -> Visits:
    calls = desk.calls
    element = {
        "@odata.type": f"#{NAMESPACE}teamsPolicyUserAssignment",
        "userId": desk.ids["ada"],
        "policyType": ROUTING,
    }
    policy_id = desk.tenant.policy_ids[ROUTING]["UK-International"]
    grant, removal = {"value": [{**element, "policyId": policy_id}]}, {"value": [element]}
    by_name = f"getPolicyId(type='{ROUTING}',name='UK-Domestic')"
    short = f"{POLICY}/userAssignments/"
    qualified = f"{short}{NAMESPACE}"
    return [
        ("getPolicyId", await calls.get(f"{POLICY}/{by_name}")),
        ("getPolicyIdQualified", await calls.get(f"{POLICY}/{NAMESPACE}{by_name}")),
        ("assignPolicies", await calls.post(f"{short}assign", grant)),
        ("assignPoliciesQualified", await calls.post(f"{qualified}assign", grant)),
        ("unassignPolicies", await calls.post(f"{short}unassign", removal)),
        ("unassignPoliciesQualified", await calls.post(f"{qualified}unassign", removal)),
    ]


async def visit_people(desk: GraphDesk) -> Visits:
    calls, ada = desk.calls, desk.ids["ada"]
    configurations = f"{ROOT}/admin/teams/userConfigurations"
    selection = "id,userPrincipalName,accountEnabled,usageLocation,assignedPlans,userType"
    part = {"id": "1", "method": "GET", "url": "/users?$top=1"}
    return [
        ("listUserConfigurations", await calls.get(configurations)),
        ("getUserConfiguration", await calls.get(f"{configurations}/{ada}")),
        ("listUsers", await calls.get(f"{ROOT}/users", top="2", select=selection)),
        ("getUser", await calls.get(f"{ROOT}/users/{ada}", select=selection)),
        ("batch", await calls.post(f"{ROOT}/$batch", {"requests": [part]})),
    ]


async def visit_health(desk: GraphDesk) -> Visits:
    calls, health = desk.calls, f"{ROOT}/admin/serviceAnnouncement"
    return [
        ("listHealthOverviews", await calls.get(f"{health}/healthOverviews", expand="issues")),
        ("getHealthOverview", await calls.get(f"{health}/healthOverviews/Microsoft%20Teams")),
        ("listServiceIssues", await calls.get(f"{health}/issues")),
    ]


async def test_every_answer_has_the_shape_of_the_contract(desk: GraphDesk, judge: Any) -> None:
    visited = await visit(desk)

    for operation_id, answer in visited:
        judge.check(operation_id, answer)
    # The second unassignment finds nothing to take; everything else succeeds.
    refused = [operation_id for operation_id, answer in visited if answer.status >= 400]
    assert refused == ["unassignNumberQualified"]


async def test_every_operation_of_the_contract_is_visited_or_named_as_missing(
    desk: GraphDesk, judge: Any
) -> None:
    visited = {operation_id for operation_id, _ in await visit(desk)}

    assert visited.isdisjoint(NOT_SIMULATED)
    assert visited | NOT_SIMULATED == set(judge.operations)


@pytest.mark.parametrize(
    "rule",
    [
        {"effect": "status"},
        {"effect": "status", "status": 429, "retry_after_seconds": 2.128},
        {"effect": "try-again"},
        {"effect": "token-rejected"},
    ],
)
async def test_every_refusal_has_the_shape_of_the_contract(
    desk: GraphDesk, judge: Any, rule: dict[str, object]
) -> None:
    desk.fault(**rule)

    for operation_id, answer in (
        ("assignNumber", await desk.assign(FIRST, "ada")),
        ("listNumberAssignments", await desk.calls.get(NUMBERS)),
        ("getUser", await desk.calls.get(f"{ROOT}/users/{desk.ids['ada']}")),
    ):
        assert answer.status >= 400
        judge.check(operation_id, answer)


async def test_refusals_of_the_rules_have_the_shape_of_the_contract(
    desk: GraphDesk, judge: Any
) -> None:
    desk.settings(writes_per_second=1.0, write_burst=3.0)
    for answer in (
        await desk.assign(FIRST, "eve"),
        await desk.assign(FIRST, "nobody"),
        await desk.assign(CALLING_PLAN, "ada"),
        await desk.assign(FIRST, "ada"),
    ):
        judge.check("assignNumber", answer)
        assert answer.status in (400, 404, 429)


GOOD = {
    "telephoneNumber": FIRST,
    "assignmentTargetId": "…",
    "numberType": "directRouting",
}


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"assignmentCategory": "primary"},
        {"assignmentCategory": None, "locationId": None},
        {"locationId": "loc-1"},
        {"telephoneNumber": FIRST.removeprefix("+")},
        {"@odata.type": "#x"},
        {"numberType": "DirectRouting"},
        {"numberType": None},
        {"assignmentCategory": "second"},
        {"assignmentTargetId": None},
        {"telephoneNumber": 7},
        {"notify": True},
    ],
)
async def test_contract_and_simulator_take_and_refuse_the_same_bodies(
    desk: GraphDesk, judge: Any, change: dict[str, object]
) -> None:
    body = {**GOOD, "assignmentTargetId": desk.ids["ada"], **change}
    answer = await desk.calls.post(f"{NUMBERS}/assignNumber", body)

    assert judge.accepts("assignNumber", body) == (answer.status == 202)


@pytest.mark.parametrize(
    ("action", "body"),
    [
        ("unassignNumber", {"telephoneNumber": FIRST, "numberType": "directRouting", "userId": 1}),
        ("unassignNumber", {"telephoneNumber": FIRST, "numberType": "DirectRouting"}),
        ("updateNumber", {"locationId": ""}),
        ("updateNumber", {"telephoneNumber": FIRST, "reverseNumberLookupOptions": "none"}),
        ("updateNumber", {"telephoneNumber": FIRST, "location": "x"}),
    ],
)
async def test_what_the_contract_refuses_the_simulator_refuses(
    desk: GraphDesk, judge: Any, action: str, body: dict[str, object]
) -> None:
    assert not judge.accepts(action, body)
    assert (await desk.calls.post(f"{NUMBERS}/{action}", body)).status == 400


async def test_the_judge_can_refuse(judge: Any) -> None:
    bad = Answer(200, {}, b'{"value":[{"numberType":"DirectRouting"}]}')
    with pytest.raises(AssertionError, match="DirectRouting"):
        judge.check("listNumberAssignments", bad)
    with pytest.raises(AssertionError, match="no answer 204"):
        judge.check("listNumberAssignments", Answer(204, {}, b""))
