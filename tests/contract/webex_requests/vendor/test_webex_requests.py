"""Every request of the Webex provider against the vendor's contracts: paths, queries and bodies.

People and licences are held against the published OpenAPI, Calling against the contract derived
from the SDK. The requests are those that the provider sends to the simulated organisation.
"""

from __future__ import annotations

import json
import os
import urllib.parse
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from openapi_schema_validator import OAS30Validator, OAS31Validator

from callplane.clock import SystemClock
from callplane.plan.change import Change, Operation
from callplane.providers.protocol import Family
from callplane.providers.transport import Answer, Request
from callplane.providers.webex.sdk_transport import SdkTransport
from callplane.simulators.webex.running import running_webex
from callplane.simulators.webex.world import WebexWorld
from callplane.testing.manual_clock import ManualClock
from callplane.testing.webex_desk import FIRST, HELD, SMALL_WORLD
from callplane.testing.webex_stage import WebexStage
from callplane.values import E164, Platform

NEW = "+442079460777"


class Contracts:
    """Operations of both contracts by method and path."""

    def __init__(self) -> None:
        folder = Path(os.environ["CALLPLANE_CONTRACTS"])
        admin = json.loads((folder / "webex-admin.json").read_text(encoding="utf-8"))
        text = (folder / "webex-calling.derived.yaml").read_text(encoding="utf-8")
        calling = yaml.load(text, Loader=yaml.CSafeLoader)
        self._known = [(admin, OAS30Validator), (calling, OAS31Validator)]

    def problems(self, method: str, path: str, query: set[str], body: object) -> list[str]:
        """What the contracts have against a request; one that none describes is a problem."""
        for contract, validator in self._known:
            for template, methods in contract["paths"].items():
                if method.lower() in methods and _matches(template, path):
                    operation = methods[method.lower()]
                    return [
                        *_unknown(contract, operation, methods, query),
                        *_misshapen(contract, validator, operation, body),
                    ]
        return [f"no contract has {method} {path}"]


def _matches(template: str, path: str) -> bool:
    parts, wanted = path.split("/"), template.split("/")
    return len(parts) == len(wanted) and all(
        each.startswith("{") or each == part for each, part in zip(wanted, parts, strict=True)
    )


def _unknown(
    contract: dict[str, Any], operation: dict[str, Any], methods: dict[str, Any], query: set[str]
) -> list[str]:
    described = [*operation.get("parameters", []), *methods.get("parameters", [])]
    known = {_resolved(contract, each)["name"] for each in described}
    return [f"query {name} is made up" for name in sorted(query - known)]


def _resolved(contract: dict[str, Any], item: dict[str, Any]) -> dict[str, Any]:
    found: Any = item
    if "$ref" in item:
        found = contract
        for part in item["$ref"].removeprefix("#/").split("/"):
            found = found[part]
    return dict(found)


def _misshapen(
    contract: dict[str, Any], validator: Any, operation: dict[str, Any], body: object
) -> list[str]:
    content = operation.get("requestBody", {}).get("content", {})
    if not content:
        return [] if body is None else ["a body is sent that nobody asks for"]
    schema = content["application/json"]["schema"]
    found = validator({**schema, "components": contract["components"]}).iter_errors(body)
    return [f"{'/'.join(map(str, each.absolute_path))}: {each.message}" for each in found]


async def everything(stage: WebexStage) -> None:
    """Each kind of request that the provider can send."""
    for served in ("new", "old"):
        stage.world.change_settings(
            {
                "serves_new_permission_path": served == "new",
                "serves_old_permission_path": served == "old",
            }
        )
        await stage.provider.read_configuration(stage.person("cat"))
        change = stage.set("cat", "OutgoingPermissions", f"blocks {'INTERNATIONAL'}")
        await stage.provider.send(change, request_id="r")
    for family in Family:
        async for _ in stage.provider.list_pages(family):
            """The page itself is of no interest."""
    end = stage.clock.now() - timedelta(minutes=6)
    async for _ in stage.provider.call_reports.pages(end - timedelta(hours=12), end):  # type: ignore[attr-defined]
        """Nor is this."""
    await stage.provider.read_person("cat@organisation.example")
    await stage.provider.read_person(stage.person("cat"))
    await stage.provider.read_number(E164(FIRST))
    stage.portal.set_number_state(FIRST, "INACTIVE")
    created = Change(
        stage.provider.connection,
        Operation.CREATE_PERSON,
        Platform.WEBEX,
        "dan@organisation.example",
        None,
        {"firstName": "Dan", "lastName": "Example"},
    )
    for each in (
        stage.assign("ada", FIRST, licence="Standard", extension="1001"),
        stage.set("ada", "CallingLicence", "Professional"),
        stage.assign("eve", NEW),
        stage.set("cat", "Extension", "1099"),
        stage.set("cat", "CallerId", "LOCATION_NUMBER"),
        stage.unassign("cat", HELD),
        created,
    ):
        await stage.provider.send(each, request_id="r")


@pytest.fixture
async def sent(monkeypatch: pytest.MonkeyPatch) -> list[Request]:
    """What the provider sent, in order."""
    requests: list[Request] = []
    call = SdkTransport.call

    async def recorded(transport: SdkTransport, request: Request) -> Answer:
        requests.append(request)
        return await call(transport, request)

    monkeypatch.setattr(SdkTransport, "call", recorded)
    clock = ManualClock(SystemClock().now())
    async with running_webex(WebexWorld(clock=clock, seed=SMALL_WORLD), sleep=clock.sleep) as webex:
        stage = WebexStage(webex, clock)
        await everything(stage)
        await stage.provider.close()
    return requests


def judged(contracts: Contracts, request: Request, **changes: object) -> list[str]:
    parts = urllib.parse.urlsplit(request.url)
    body = json.loads(request.body) if request.body else None
    if changes:
        body = {**body, **changes}
    query = {name for name, _ in urllib.parse.parse_qsl(parts.query)}
    path = urllib.parse.unquote(parts.path).removeprefix("/v1")
    return contracts.problems(request.method, path, query, body)


async def test_every_request_keeps_the_contracts(sent: list[Request]) -> None:
    contracts = Contracts()
    found = {request.operation: judged(contracts, request) for request in sent}
    assert {name: each for name, each in found.items() if each} == {}
    assert {
        *("listPeople", "listNumbers", "listLicences", "getLicence", "listCallingLocations"),
        *("getPstn", "getMe", "getPerson", "getCallerId", "getPermissions"),
        *("addNumbers", "manageNumberState", "removeNumbers", "updatePerson", "assignLicences"),
        *("configureCallerId", "configurePermissions", "createPerson", "cdrFeed"),
    } == set(found)


async def test_the_contracts_can_refuse(sent: list[Request]) -> None:
    contracts = Contracts()
    licences = next(each for each in sent if each.operation == "assignLicences")
    assert judged(contracts, licences, licenses="all of them")
    assert contracts.problems("GET", "/people", {"madeUp"}, None)
    assert contracts.problems("GET", "/people/x/features/nothing", set(), None)
