"""What the simulated Webex answers and refuses is what the vendor's contracts say."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from callplane.simulators.call_log import LoggedCall
from callplane.testing.asgi_calls import Answer
from callplane.testing.webex_desk import FIRST, HELD, LONDON_MAIN, SECOND, WebexDesk

NOT_SIMULATED = {
    "DELETE /organizations/{orgId}",
    "GET /telephony/config/virtualLines",
    "POST /telephony/config/virtualLines",
    "GET /telephony/config/virtualLines/{virtualLineId}",
    "PUT /telephony/config/virtualLines/{virtualLineId}",
    "DELETE /telephony/config/virtualLines/{virtualLineId}",
    "GET /workspaces",
    "POST /workspaces",
    "GET /workspaces/{workspaceId}",
    "PUT /workspaces/{workspaceId}",
    "DELETE /workspaces/{workspaceId}",
}
"""Operations of the contracts that nothing here needs yet; the simulator answers them 404."""

LOCATION = "/telephony/config/locations/{locationId}"
PERSON = "/telephony/config/people/{personId}"
PSTN = "/telephony/pstn/locations/{locationId}"
PREMISES = "/telephony/config/premisePstn"
ADDRESS = {"address1": "1 Example St", "city": "York", "postalCode": "AB1 2CD", "country": "GB"}

Visits = list[tuple[str, Answer]]


class Visitor:
    """Calls operations by their name in the contract and remembers the answers."""

    def __init__(self, desk: WebexDesk) -> None:
        self.desk = desk
        self.keys = {
            "locationId": desk.ids["London"],
            "personId": desk.ids["cat"],
            "licenseId": desk.ids["professional"],
            "orgId": desk.organisation.webex_id,
        }
        self.visits: Visits = []

    async def call(self, name: str, body: object = None, **query: str) -> Answer:
        method, _, path = name.partition(" ")
        for key, value in self.keys.items():
            path = path.replace(f"{{{key}}}", value)
        if method == "GET":
            answer = await self.desk.get(path.removeprefix("/"), **query)
        else:
            answer = await self.desk.send(method, path.removeprefix("/"), body, **query)
        self.visits.append((name, answer))
        return answer


async def visit(desk: WebexDesk) -> Visits:
    """Every simulated operation of the contracts once or more."""
    visitor = Visitor(desk)
    await visit_people(visitor)
    await visit_numbers(visitor)
    await visit_settings(visitor)
    await visit_places(visitor)
    await visit_calls(visitor)
    await visit_token(visitor)
    return visitor.visits


async def visit_calls(visitor: Visitor) -> None:
    organisation = visitor.desk.organisation
    end = organisation.wall_time() - timedelta(minutes=6)
    begun = end - timedelta(minutes=9)
    organisation.calls.add(LoggedCall("call-1", False, FIRST, SECOND, begun, 60))
    window = {"startTime": (end - timedelta(hours=2)).isoformat(), "endTime": end.isoformat()}
    await visitor.call("GET /cdr_feed", **window, max="500")


async def visit_people(visitor: Visitor) -> None:
    call, ids = visitor.call, visitor.desk.ids
    line = {"phoneNumber": FIRST, "extension": "1001"}
    await call("GET /people", callingData="true")
    await call("GET /people", email="ada@organisation.example", id="unused")
    await call("GET /people", id="nobody")
    await call("GET /people/me")
    whole = (await call("GET /people/{personId}", callingData="true")).document
    await call("PUT /people/{personId}", whole, callingData="true")
    person = {"emails": ["new@organisation.example"], "displayName": "New"}
    made = await call("POST /people", person)
    visitor.keys["personId"] = made.document["id"]
    await call("DELETE /people/{personId}")
    visitor.keys["personId"] = ids["cat"]
    await call("GET /licenses")
    await call("GET /licenses/{licenseId}", includeAssignedTo="user", limit="1")
    wanted = {"id": ids["professional"], "operation": "add", "properties": line}
    request = {"personId": ids["ada"], "licenses": [wanted]}
    await call("PATCH /licenses/users", request)
    visitor.desk.portal.set_units("messaging", 0)
    wanted = {"id": ids["messaging"]}
    await call("PATCH /licenses/users", {"personId": ids["ada"], "licenses": [wanted]})
    await call("GET /organizations")
    await call("GET /organizations/{orgId}")


async def visit_numbers(visitor: Visitor) -> None:
    call = visitor.call
    added = {"phoneNumbers": ["+441614960001"], "numberType": "DID", "state": "INACTIVE"}
    await call(f"POST {LOCATION}/numbers", added)
    await call(f"PUT {LOCATION}/numbers", {"phoneNumbers": ["+441614960001"]})
    await call(f"DELETE {LOCATION}/numbers", {"phoneNumbers": ["+441614960001"]})
    body = {"phoneNumbers": [HELD, "+441614960002", "12"]}
    await call("POST /telephony/config/actions/validateNumbers/invoke", body)
    await call("GET /telephony/config/numbers", details="true", max="3")


async def visit_settings(visitor: Visitor) -> None:
    call = visitor.call
    entry = {"callType": "NATIONAL", "action": "BLOCK", "transferEnabled": False}
    alternate = {"primary": False, "action": "ADD", "external": SECOND}
    await call(f"PUT {PERSON}/numbers", {"phoneNumbers": [alternate]})
    await call("GET /people/{personId}/features/numbers")
    await call("GET /people/{personId}/features/callerId")
    await call("PUT /people/{personId}/features/callerId", {"selected": "LOCATION_NUMBER"})
    for path in (
        f"{PERSON}/outgoingPermission",
        "/people/{personId}/features/outgoingPermission",
        f"{LOCATION}/outgoingPermission",
    ):
        await call(f"GET {path}")
        await call(f"PUT {path}", {"useCustomEnabled": True, "callingPermissions": [entry]})


async def visit_places(visitor: Visitor) -> None:
    call, keys = visitor.call, visitor.keys
    await call("GET /locations")
    place = {
        "name": "York",
        "timeZone": "Europe/London",
        "preferredLanguage": "en_gb",
        "announcementLanguage": "en_gb",
        "address": ADDRESS,
    }
    made = (await call("POST /locations", place)).document
    await call("POST /telephony/config/locations", {"id": made["id"], "name": "York"})
    await call("GET /telephony/config/locations")
    await call(f"GET {LOCATION}")
    main = {"callingLineId": {"phoneNumber": LONDON_MAIN}}
    await call(f"PUT {LOCATION}", main)
    trunk = {
        "name": "Second",
        "locationId": keys["locationId"],
        "password": "example-password",
        "trunkType": "REGISTERING",
    }
    keys["trunkId"] = (await call(f"POST {PREMISES}/trunks", trunk)).document["id"]
    await call(f"GET {PREMISES}/trunks")
    await call(f"GET {PREMISES}/trunks/{{trunkId}}")
    gateway = {"id": keys["trunkId"], "priority": 1}
    await call(f"POST {PREMISES}/routeGroups", {"name": "All", "localGateways": [gateway]})
    await call(f"GET {PREMISES}/routeGroups")
    await call(f"GET {PREMISES}/routeLists")
    await call(f"GET {PSTN}/connectionOptions")
    await call(f"GET {PSTN}/connection")
    route = {"premiseRouteType": "TRUNK", "premiseRouteId": keys["trunkId"]}
    await call(f"PUT {PSTN}/connection", route)
    await call(f"DELETE {PREMISES}/trunks/{{trunkId}}")


async def visit_token(visitor: Visitor) -> None:
    form = (
        b"grant_type=refresh_token&client_id=C1e57000000000000000000000000001"
        b"&client_secret=simulated-secret&refresh_token=simulated-refresh-token"
    )
    answer = await visitor.desk.calls.request(
        "POST",
        "/v1/access_token",
        body=form,
        headers={"content-type": "application/x-www-form-urlencoded"},
    )
    visitor.visits.append(("POST /access_token", answer))


async def test_every_answer_has_the_shape_of_the_contracts(desk: WebexDesk, judge: Any) -> None:
    visited = await visit(desk)

    for name, answer in visited:
        judge.check(name, answer)
    # The trunk routes a location by then; everything else succeeds.
    refused = [name for name, answer in visited if answer.status >= 400]
    assert refused == [f"DELETE {PREMISES}/trunks/{{trunkId}}"]
    assert [a.status for n, a in visited if n == "PATCH /licenses/users"] == [200, 206]


async def test_every_operation_of_the_contracts_is_visited_or_named_as_missing(
    desk: WebexDesk, judge: Any
) -> None:
    visited = {name for name, _ in await visit(desk)}

    assert visited.isdisjoint(NOT_SIMULATED)
    assert visited | NOT_SIMULATED == set(judge.operations)


@pytest.mark.parametrize(
    "rule",
    [
        {"effect": "status"},
        {"effect": "status", "status": 429, "retry_after_seconds": 2},
        {"effect": "try-again", "retry_after_seconds": 1},
        {"effect": "token-rejected"},
        {"effect": "refused-after", "status": 400},
    ],
)
async def test_every_refusal_has_the_shape_of_the_contracts(
    desk: WebexDesk, judge: Any, rule: dict[str, object]
) -> None:
    desk.fault(**rule)
    visitor = Visitor(desk)
    await visitor.call(f"POST {LOCATION}/numbers", {"phoneNumbers": ["+441614960001"]})
    await visitor.call("GET /telephony/config/numbers")
    await visitor.call("PATCH /licenses/users", {"personId": desk.ids["ada"], "licenses": []})

    for name, answer in visitor.visits:
        assert answer.status >= 400
        judge.check(name, answer)


@pytest.mark.parametrize("as_list", [False, True])
async def test_both_shapes_of_refused_additions_are_in_the_contract(
    desk: WebexDesk, judge: Any, as_list: bool
) -> None:
    desk.settings(number_errors_as_list=as_list)
    visitor = Visitor(desk)
    answer = await visitor.call(f"POST {LOCATION}/numbers", {"phoneNumbers": ["12"]})

    assert answer.status == 400
    assert isinstance(answer.document, list) is as_list
    judge.check(f"POST {LOCATION}/numbers", answer)


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"numberType": "DID"},
        {"numberType": "LANDLINE"},
        {"state": "INACTIVE"},
        {"state": "PAUSED"},
        {"numberUsageType": "SERVICE"},
        {"numberUsageType": "FAX"},
        {"phoneNumbers": FIRST},
        {"phoneNumbers": [7]},
    ],
)
async def test_contract_and_simulator_take_and_refuse_the_same_additions(
    desk: WebexDesk, judge: Any, change: dict[str, object]
) -> None:
    body = {"phoneNumbers": ["+441614960001"], **change}
    answer = await Visitor(desk).call(f"POST {LOCATION}/numbers", body)

    assert judge.accepts(f"POST {LOCATION}/numbers", body) == (answer.status == 201)


async def test_the_judge_can_refuse(judge: Any) -> None:
    headers = {"trackingid": "x"}
    bad = Answer(200, headers, b'{"phoneNumbers":[{"state":"PAUSED"}]}')
    with pytest.raises(AssertionError, match="PAUSED"):
        judge.check("GET /telephony/config/numbers", bad)
    with pytest.raises(AssertionError, match="no answer 418"):
        judge.check("GET /people", Answer(418, headers, b""))
