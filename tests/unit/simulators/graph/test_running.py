"""Over real sockets: MSAL signs in through TLS, and a dropped connection is one."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import msal
import pytest
import requests

from callplane.clock import SystemClock
from callplane.simulators.faults import Effect, FaultRule
from callplane.simulators.graph.identity import Application, FederatedCredential
from callplane.simulators.graph.running import Ports, RunningGraph, running_graph
from callplane.simulators.graph.seeding import (
    DEFAULT_CLIENT_ID,
    DEFAULT_SECRET,
    TenantSeed,
    WorldSeed,
)
from callplane.simulators.graph.world import GraphWorld
from callplane.testing.app_certificates import make_app_certificate
from callplane.testing.manual_clock import ManualClock

SCOPES = ["https://graph.microsoft.com/.default"]


@pytest.fixture
async def graph() -> AsyncIterator[RunningGraph]:
    world = GraphWorld(seed=WorldSeed(tenants=(TenantSeed(users=2, holders=1),)))
    async with running_graph(world) as graph:
        yield graph


def sign_in(graph: RunningGraph, credential: Any) -> dict[str, Any]:
    """What MSAL gets for a credential, the way its documentation has it."""
    with requests.Session() as session:
        # Said with each request: a CA bundle named in the environment would win over the session's.
        session.request = functools.partial(  # type: ignore[method-assign]
            session.request, timeout=10, verify=str(graph.ca_file)
        )
        application = msal.ConfidentialClientApplication(
            DEFAULT_CLIENT_ID,
            authority=f"{graph.login_url}/{graph.world.tenant().id}",
            client_credential=credential,
            instance_discovery=False,
            http_client=session,
        )
        answer: dict[str, Any] = application.acquire_token_for_client(SCOPES)
    return answer


async def headers(graph: RunningGraph) -> dict[str, str]:
    token = await asyncio.to_thread(sign_in, graph, DEFAULT_SECRET)
    return {"Authorization": f"Bearer {token['access_token']}"}


async def test_msal_signs_in_with_a_secret(graph: RunningGraph) -> None:
    async with (
        aiohttp.ClientSession(headers=await headers(graph)) as session,
        session.get(f"{graph.graph_url}/users") as answer,
    ):
        people = (await answer.json())["value"]

    assert len(people) == 2


async def test_a_world_of_long_ago_is_trusted_today() -> None:
    clock = ManualClock(datetime(2024, 5, 10, tzinfo=UTC))
    world = GraphWorld(clock=clock, seed=WorldSeed(tenants=(TenantSeed(users=2),)))
    async with running_graph(world) as graph:
        answer = await asyncio.to_thread(sign_in, graph, DEFAULT_SECRET)

    assert "access_token" in answer, answer


async def test_msal_is_told_that_a_secret_is_wrong(graph: RunningGraph) -> None:
    answer = await asyncio.to_thread(sign_in, graph, "wrong")

    assert answer["error"] == "invalid_client"
    assert answer["error_codes"] == [7000215]


async def test_msal_signs_in_with_a_certificate_and_with_a_projected_token(
    graph: RunningGraph, tmp_path: Path
) -> None:
    certificate = make_app_certificate(SystemClock().now())
    graph.world.tokens.register(
        graph.world.tenant().id,
        Application(
            DEFAULT_CLIENT_ID,
            certificates=[certificate.certificate_pem],
            federated=[FederatedCredential("operator")],
        ),
    )
    pfx = tmp_path / "app.pfx"
    pfx.write_bytes(certificate.pfx("word"))
    for credential in (
        {"private_key_pfx_path": str(pfx), "passphrase": "word"},
        {
            "private_key": certificate.key_pem,
            "public_certificate": certificate.certificate_pem,
        },
        {"client_assertion": lambda: graph.world.tokens.projected_token("operator")},
    ):
        answer = await asyncio.to_thread(sign_in, graph, credential)
        assert "access_token" in answer, answer


async def test_a_dropped_connection_leaves_the_caller_without_an_answer(
    graph: RunningGraph,
) -> None:
    graph.world.faults.add(FaultRule(Effect.DROP_AFTER, kinds=("unassignNumber",), times=1))
    url = f"{graph.graph_url}/admin/teams/telephoneNumberManagement/numberAssignments"
    body = {"telephoneNumber": "+442079460000", "numberType": "directRouting"}
    async with aiohttp.ClientSession(headers=await headers(graph)) as session:
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await session.post(f"{url}/unassignNumber", json=body)
        async with session.get(f"{url}?$top=1") as answer:
            rows = (await answer.json())["value"]

    assert rows[0]["assignmentTargetId"] is None


async def test_two_worlds_live_side_by_side_and_a_taken_port_is_told(graph: RunningGraph) -> None:
    async with running_graph(GraphWorld()) as other:
        assert other.served.port != graph.served.port
        with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1:{graph.served.port}"):
            async with running_graph(GraphWorld(), ports=Ports(plain=graph.served.port)):
                pass


async def test_the_ready_document_says_how_to_reach_it(graph: RunningGraph) -> None:
    document = graph.document()

    assert document["graph_url"] == f"http://127.0.0.1:{graph.served.port}/v1.0"
    assert document["control_url"] == f"http://127.0.0.1:{graph.served.port}/_simulator"
    assert document["tenants"] == list(graph.world.tenants)
