"""Every request of the Teams provider against the contract derived from Microsoft's metadata.

The contract is strict where requests are concerned: members of enums, extra fields, page sizes. It
says nothing of deleted people, which are the one search that is left out here.
"""

from __future__ import annotations

import functools
import json
import os
import urllib.parse
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from openapi_core import OpenAPI
from openapi_core.exceptions import OpenAPIError
from openapi_core.testing import MockRequest

from callplane.plan.change import Change, Fields, Operation
from callplane.providers.protocol import Accepted, Family
from callplane.providers.teams import manual_steps
from callplane.providers.teams.graph_client import GraphClient
from callplane.providers.teams.provider import TeamsProvider
from callplane.providers.tokens import Grant, TokenSource
from callplane.providers.transport import Answer, Request
from callplane.testing.manual_clock import ManualClock
from callplane.values import E164, ConnectionId, Platform

GRAPH = "https://graph.microsoft.com"
CONTRACT = Path(os.environ.get("CALLPLANE_CONTRACTS", "")) / "graph.yaml"
USER_ID = "5ca1ab1e-0000-4000-8000-000000000001"
NUMBER = E164("+442079460001")
TYPED = {"number": NUMBER.text, "type": "directRouting"}
PHONE = "/admin/teams/telephoneNumberManagement"

# Where each call of ours stands in the contract.
PATHS = {
    "listPeople": "/users",
    "listNumbers": f"{PHONE}/numberAssignments",
    "listConfigurations": "/admin/teams/userConfigurations",
    "readPerson": "/users/{user-id}",
    "readNumber": f"{PHONE}/numberAssignments",
    "readConfiguration": "/admin/teams/userConfigurations/{teamsUserConfiguration-id}",
    "assignNumber": f"{PHONE}/numberAssignments/assignNumber",
    "unassignNumber": f"{PHONE}/numberAssignments/unassignNumber",
    "updateNumber": f"{PHONE}/numberAssignments/updateNumber",
    "getPolicyId": "/admin/teams/policy/getPolicyId(type='{type}',name='{name}')",
    "assignPolicy": "/admin/teams/policy/userAssignments/assign",
    "unassignPolicy": "/admin/teams/policy/userAssignments/unassign",
    "getDirectRoutingCalls": (
        "/communications/callRecords/"
        "getDirectRoutingCalls(fromDateTime={fromDateTime},toDateTime={toDateTime})"
    ),
    "getPstnCalls": (
        "/communications/callRecords/"
        "getPstnCalls(fromDateTime={fromDateTime},toDateTime={toDateTime})"
    ),
    "pollOperation": f"{PHONE}/operations('{{telephoneNumberLongRunningOperation-id}}')",
}
OUTSIDE = frozenset({"readDeletedPerson"})


class Recording:
    """Answers whatever keeps the provider going, and keeps every request."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        clock = ManualClock()
        client = GraphClient(
            GRAPH,
            transport=self,  # type: ignore[arg-type]
            tokens=TokenSource(self.token, clock=clock),
            clock=clock,
        )
        self.provider = TeamsProvider(
            "tenant-1",
            client=client,
            clock=clock,
            judge=functools.partial(manual_steps.judge, other_cloud=False, show_numbers=False),
            on_close=self.token,
        )

    async def token(self) -> Grant:
        return Grant("token", 3600.0)

    async def call(self, request: Request) -> Answer:
        self.requests.append(request)
        location = f"{GRAPH}/v1.0{PHONE}/operations('QXNzaWdubWVudHwx')"
        if request.writes:
            return Answer(202, {"location": location}, b"")
        if request.operation == "readPerson":
            return Answer(404, {}, b"{}")
        content: dict[str, Any] = {"value": []}
        if request.operation == "getPolicyId":
            content = {"value": [{"name": "Tag:UK", "policyId": "id"}]}
        if request.operation == "readConfiguration":
            content = {"id": USER_ID}
        if request.operation == "listNumbers" and "$skip=0" in request.url:
            row = {"numberType": "directRouting", "telephoneNumber": NUMBER.text}
            content = {"value": [row] * 1000}
        return Answer(200, {}, json.dumps(content).encode())

    async def send(
        self, operation: Operation, before: Fields | None, after: Fields | None
    ) -> object:
        connection = ConnectionId("teams", "tenant-1")
        change = Change(connection, operation, Platform.TEAMS, USER_ID, before, after)
        return await self.provider.send(change, request_id="0f1e2d3c-0000-4000-8000-000000000001")


async def everything() -> list[Request]:
    """Each kind of request that the provider can send."""
    recording = Recording()
    provider = recording.provider
    for family in Family:
        async for _ in provider.list_pages(family):
            """The page itself is of no interest."""
    start = datetime(2026, 11, 1, tzinfo=UTC)
    async for _ in provider.call_reports.pages(start, start + timedelta(days=1)):
        """Nor is this."""
    await provider.read_person(USER_ID)
    await provider.read_person("o'neil@tenant.example")
    await provider.read_number(NUMBER)
    await provider.read_configuration(USER_ID)
    accepted = await recording.send(Operation.ASSIGN_NUMBER, None, TYPED)
    assert isinstance(accepted, Accepted)
    await provider.poll(accepted.operation)
    for number_type in ("callingPlan", "operatorConnect"):
        after = TYPED | {"type": number_type, "location": USER_ID}
        await recording.send(Operation.ASSIGN_NUMBER, None, after)
    await recording.send(Operation.UNASSIGN_NUMBER, TYPED, None)
    await recording.send(Operation.SET_LOCATION, TYPED, TYPED | {"location": USER_ID})
    await recording.send(Operation.SET_LOCATION, TYPED | {"location": USER_ID}, None)
    policy = {"type": "TenantDialPlan", "name": "UK"}
    await recording.send(Operation.SET_POLICY, None, policy)
    await recording.send(Operation.SET_POLICY, policy, None)
    return recording.requests


def as_seen(request: Request) -> MockRequest:
    """The request as a server decodes it."""
    parts = urllib.parse.urlsplit(request.url)
    return MockRequest(
        GRAPH,
        request.method.lower(),
        urllib.parse.unquote(parts.path),
        args=dict(urllib.parse.parse_qsl(parts.query)),
        headers=dict(request.headers),
        data=request.body,
        content_type="application/json",
    )


@pytest.fixture(scope="module")
def contract() -> OpenAPI:
    return OpenAPI.from_file_path(str(CONTRACT))


@pytest.fixture(scope="module")
def paths() -> dict[str, Any]:
    document: dict[str, Any] = yaml.load(CONTRACT.read_bytes(), Loader=yaml.CSafeLoader)
    found: dict[str, Any] = document["paths"]
    return found


async def test_every_request_keeps_the_contract(contract: OpenAPI) -> None:
    requests = [each for each in await everything() if each.operation not in OUTSIDE]
    for request in requests:
        contract.validate_request(as_seen(request))
    assert {request.operation for request in requests} == set(PATHS)


async def test_no_query_option_is_made_up(paths: dict[str, Any]) -> None:
    for request in await everything():
        if request.operation in OUTSIDE:
            continue
        described = paths[PATHS[request.operation]][request.method.lower()]
        known = {each["name"] for each in described.get("parameters", []) if each["in"] == "query"}
        query = urllib.parse.urlsplit(request.url).query
        assert {name for name, _ in urllib.parse.parse_qsl(query)} <= known, request.url


async def test_policy_elements_say_whom_and_what() -> None:
    """The contract lets empty elements pass, so they are looked at here."""
    for request in await everything():
        if request.operation in ("assignPolicy", "unassignPolicy"):
            (element,) = json.loads(request.body or b"")["value"]
            wanted = {"@odata.type", "userId", "policyType"}
            assert set(element) == wanted | ({"policyId"} & set(element))
            assert ("policyId" in element) == (request.operation == "assignPolicy")


async def test_the_contract_can_refuse(contract: OpenAPI) -> None:
    request = next(each for each in await everything() if each.operation == "assignNumber")
    body = json.loads(request.body or b"")
    for wrong in (body | {"extra": 1}, body | {"numberType": "DirectRouting"}):
        seen = as_seen(request)
        seen.body = json.dumps(wrong).encode()
        with pytest.raises(OpenAPIError):
            contract.validate_request(seen)
