"""The client against a server that misbehaves on demand: what is retried and what is kept."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

import callplane
from callplane.cluster import api_errors
from callplane.cluster.client import ClientSettings, FinishedRequest, KubernetesClient
from callplane.cluster.credentials import ClusterConnection
from callplane.cluster.resource_kinds import EVENTS, LEASES, NAMESPACES, callplane_kind
from callplane.cluster.tokens import FixedToken

USERS = callplane_kind("teamsusers")
USERS_PATH = "/apis/callplane.dev/v1alpha1/namespaces/team-a/teamsusers"
ANN: dict[str, Any] = {
    "apiVersion": "callplane.dev/v1alpha1",
    "kind": "TeamsUser",
    "metadata": {"namespace": "team-a", "name": "ann"},
}


@dataclass
class Seen:
    """One request as the server saw it."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any


Answer = web.Response | Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class ScriptedServer:
    """Gives the answers in the script one by one, the last one for ever."""

    script: list[Answer] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    address: str = ""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        content = await request.read()
        body = json.loads(content) if content else None
        self.seen.append(
            Seen(request.method, request.path, dict(request.query), dict(request.headers), body)
        )
        answer = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(answer, web.Response):
            # A response object can be sent once.
            return web.Response(
                status=answer.status, body=answer.body, headers=answer.headers.copy()
            )
        return await answer(request)


@dataclass
class Sleeps:
    """Sleeps no time and remembers how long."""

    seconds: list[float] = field(default_factory=list)

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    scripted = ScriptedServer()
    application = web.Application()
    application.router.add_route("*", "/{rest:.*}", scripted.answer)
    async with TestServer(application, host="127.0.0.1") as running:
        scripted.address = f"http://127.0.0.1:{running.port}"
        yield scripted


@pytest.fixture
def sleeps() -> Sleeps:
    return Sleeps()


@pytest.fixture
def finished() -> list[FinishedRequest]:
    return []


@pytest.fixture
async def client(
    server: ScriptedServer, sleeps: Sleeps, finished: list[FinishedRequest]
) -> AsyncIterator[KubernetesClient]:
    connection = ClusterConnection(server.address, FixedToken("token-1"))
    async with KubernetesClient(connection, on_request=finished.append, sleep=sleeps) as opened:
        yield opened


def ok(body: Any = ANN) -> web.Response:
    return web.json_response(body)


def refusal(
    status: int, reason: str = "", message: str = "because", headers: dict[str, str] | None = None
) -> web.Response:
    body = {"apiVersion": "v1", "kind": "Status", "reason": reason, "message": message}
    return web.json_response(body, status=status, headers=headers)


async def hang_up(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.close()
    return web.Response()


# --- what is sent ---


async def test_a_get_says_who_asks(server: ScriptedServer, client: KubernetesClient) -> None:
    server.script = [ok()]
    assert await client.get(USERS, namespace="team-a", name="ann") == ANN
    [seen] = server.seen
    assert (seen.method, seen.path) == ("GET", f"{USERS_PATH}/ann")
    assert seen.headers["Authorization"] == "Bearer token-1"
    assert seen.headers["User-Agent"] == f"callplane/{callplane.__version__}"
    assert seen.headers["Accept"] == "application/json"


async def test_every_write_names_method_type_and_field_manager(
    server: ScriptedServer, client: KubernetesClient
) -> None:
    server.script = [ok()]
    where: dict[str, Any] = {"namespace": "team-a", "name": "ann"}
    await client.create(USERS, body=ANN)
    await client.replace(USERS, body=ANN, subresource="status")
    await client.json_patch(USERS, **where, operations=[{"op": "test"}])
    await client.merge_patch(USERS, **where, patch={"status": {}}, subresource="status")
    await client.apply(USERS, body=ANN)
    await client.apply(USERS, body=ANN, force=False)
    manager = {"fieldManager": "callplane"}
    assert [
        (seen.method, seen.path, seen.headers["Content-Type"], seen.query) for seen in server.seen
    ] == [
        ("POST", USERS_PATH, "application/json", manager),
        ("PUT", f"{USERS_PATH}/ann/status", "application/json", manager),
        ("PATCH", f"{USERS_PATH}/ann", "application/json-patch+json", manager),
        ("PATCH", f"{USERS_PATH}/ann/status", "application/merge-patch+json", manager),
        ("PATCH", f"{USERS_PATH}/ann", "application/apply-patch+yaml", manager | {"force": "true"}),
        ("PATCH", f"{USERS_PATH}/ann", "application/apply-patch+yaml", manager),
    ]
    assert server.seen[2].body == [{"op": "test"}]


async def test_a_delete_carries_its_precondition(
    server: ScriptedServer, client: KubernetesClient
) -> None:
    server.script = [ok({"kind": "Status"})]
    await client.delete(USERS, namespace="team-a", name="ann", uid="u-1")
    [seen] = server.seen
    assert seen.method == "DELETE"
    assert seen.body["preconditions"] == {"uid": "u-1"}
    assert seen.body["propagationPolicy"] == "Background"


async def test_a_server_behind_a_path_keeps_it(server: ScriptedServer) -> None:
    server.script = [ok()]
    connection = ClusterConnection(f"{server.address}/clusters/c-1", FixedToken())
    async with KubernetesClient(connection) as client:
        await client.get(NAMESPACES, name="team-a")
    [seen] = server.seen
    assert seen.path == "/clusters/c-1/api/v1/namespaces/team-a"
    assert "Authorization" not in seen.headers


# --- what is retried ---


@pytest.mark.parametrize("failure", [refusal(500), refusal(503), refusal(504)])
async def test_a_read_is_tried_again_with_growing_pauses(
    server: ScriptedServer, client: KubernetesClient, sleeps: Sleeps, failure: Answer
) -> None:
    server.script = [failure, failure, ok()]
    assert await client.get(USERS, namespace="team-a", name="ann") == ANN
    assert sleeps.seconds == [0.25, 0.5]


async def test_a_read_survives_cut_connections(
    server: ScriptedServer, client: KubernetesClient, sleeps: Sleeps
) -> None:
    server.script = [hang_up, hang_up, hang_up, ok()]
    assert await client.get(USERS, namespace="team-a", name="ann") == ANN
    # A connection that was kept open and turns out to be cut is replaced without a pause.
    assert sleeps.seconds[0] == 0.25
    assert len(server.seen) == 4


async def test_a_read_gives_up_after_four_attempts(
    server: ScriptedServer, client: KubernetesClient, finished: list[FinishedRequest]
) -> None:
    server.script = [refusal(503, "ServiceUnavailable")]
    with pytest.raises(api_errors.Unavailable) as caught:
        await client.get(USERS, namespace="team-a", name="ann")
    assert (caught.value.status, caught.value.reason) == (503, "ServiceUnavailable")
    assert len(server.seen) == 4
    assert [(request.verb, request.status) for request in finished] == [("get", 503)] * 4
    assert all(request.resource == "teamsusers.callplane.dev" for request in finished)


@pytest.mark.parametrize("failure", [refusal(500), refusal(503), hang_up])
async def test_a_write_that_may_have_happened_is_not_repeated(
    server: ScriptedServer, client: KubernetesClient, failure: Answer
) -> None:
    server.script = [failure, ok()]
    with pytest.raises(api_errors.Unavailable):
        await client.merge_patch(USERS, namespace="team-a", name="ann", patch={})
    assert len(server.seen) == 1


async def test_patience_that_the_server_asks_for_is_kept(
    server: ScriptedServer, client: KubernetesClient, sleeps: Sleeps
) -> None:
    server.script = [refusal(429, headers={"Retry-After": "7"}), refusal(429), ok()]
    await client.create(USERS, body=ANN)
    assert sleeps.seconds == [7.0, 1.0]
    assert len(server.seen) == 3


async def test_patience_has_an_end(
    server: ScriptedServer, client: KubernetesClient, sleeps: Sleeps
) -> None:
    server.script = [refusal(429, headers={"Retry-After": "2"})]
    with pytest.raises(api_errors.Throttled) as caught:
        await client.create(USERS, body=ANN)
    assert caught.value.retry_after_seconds == 2.0
    assert sleeps.seconds == [2.0, 2.0, 2.0]
    server.script = [refusal(429, headers={"Retry-After": "3600"})]
    with pytest.raises(api_errors.Throttled) as caught:
        await client.get(USERS, namespace="team-a", name="ann")
    assert caught.value.retry_after_seconds == 3600.0
    assert len(sleeps.seconds) == 3


@pytest.mark.parametrize(
    ("status", "reason", "kind"),
    [
        (400, "BadRequest", api_errors.BadRequest),
        (403, "Forbidden", api_errors.Forbidden),
        (404, "NotFound", api_errors.NotFound),
        (409, "Conflict", api_errors.Conflict),
        (409, "AlreadyExists", api_errors.AlreadyExists),
        (410, "Expired", api_errors.Gone),
        (413, "RequestEntityTooLarge", api_errors.BadRequest),
        (422, "Invalid", api_errors.Invalid),
        (302, "", api_errors.BadRequest),
    ],
)
async def test_a_clear_no_is_not_repeated(
    server: ScriptedServer,
    client: KubernetesClient,
    status: int,
    reason: str,
    kind: type[api_errors.ClusterError],
) -> None:
    server.script = [refusal(status, reason)]
    with pytest.raises(kind) as caught:
        await client.create(USERS, body=ANN)
    assert type(caught.value) is kind
    assert (caught.value.status, caught.value.reason) == (status, reason)
    assert f"POST {USERS_PATH} answered {status}: because" in str(caught.value)
    assert len(server.seen) == 1


# --- tokens ---


@dataclass
class RotatingToken:
    """Gives the next token after each refusal."""

    tokens: list[str]

    async def authorization(self) -> str | None:
        return f"Bearer {self.tokens[0]}"

    def refused(self) -> None:
        if len(self.tokens) > 1:
            del self.tokens[0]


async def test_a_rotated_token_is_tried_once(server: ScriptedServer) -> None:
    server.script = [refusal(401), ok()]
    connection = ClusterConnection(server.address, RotatingToken(["old", "new"]))
    async with KubernetesClient(connection) as client:
        await client.create(USERS, body=ANN)
    assert [seen.headers["Authorization"] for seen in server.seen] == ["Bearer old", "Bearer new"]


async def test_a_second_refusal_is_final(server: ScriptedServer) -> None:
    server.script = [refusal(401, "Unauthorized")]
    connection = ClusterConnection(server.address, RotatingToken(["a", "b", "c"]))
    async with KubernetesClient(connection) as client:
        with pytest.raises(api_errors.Unauthorized):
            await client.get(USERS, namespace="team-a", name="ann")
    assert len(server.seen) == 2


# --- what is kept of an answer ---


async def test_text_that_is_no_status_object_is_dropped(
    server: ScriptedServer, client: KubernetesClient
) -> None:
    server.script = [
        web.Response(status=403, text="password=hunter2"),
        web.json_response({"kind": "Secret", "message": "hunter2"}, status=403),
    ]
    for _ in range(2):
        with pytest.raises(api_errors.Forbidden) as caught:
            await client.get(USERS, namespace="team-a", name="ann")
        assert "hunter2" not in str(caught.value)
        assert "no further explanation" in str(caught.value)


async def test_a_long_message_is_cut(server: ScriptedServer, client: KubernetesClient) -> None:
    server.script = [refusal(422, "Invalid", "no\n" * 1000)]
    with pytest.raises(api_errors.Invalid) as caught:
        await client.create(USERS, body=ANN)
    assert len(str(caught.value)) == 256
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "<html>", "[1]", '"x"'])
async def test_an_answer_that_is_no_object_counts_as_none(
    server: ScriptedServer, client: KubernetesClient, text: str
) -> None:
    server.script = [web.Response(text=text, content_type="application/json")]
    with pytest.raises(api_errors.Unavailable, match="without a JSON object"):
        await client.create(USERS, body=ANN)


async def test_a_server_that_says_nothing_times_out(
    server: ScriptedServer, finished: list[FinishedRequest]
) -> None:
    connection = ClusterConnection(server.address, FixedToken("token-1"))
    settings = ClientSettings(read_timeout_seconds=0.3, write_timeout_seconds=0.3)
    done = asyncio.Event()

    async def silence(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"{")
        await done.wait()
        return response

    server.script = [silence]
    async with KubernetesClient(
        connection, settings=settings, on_request=finished.append
    ) as client:
        with pytest.raises(api_errors.Unavailable, match="got no answer"):
            await client.create(USERS, body=ANN)
    assert [request.status for request in finished] == [0]
    done.set()


async def test_nobody_listening_is_unavailable(sleeps: Sleeps, unused_tcp_port: int) -> None:
    connection = ClusterConnection(f"http://127.0.0.1:{unused_tcp_port}", FixedToken())
    async with KubernetesClient(connection, sleep=sleeps) as client:
        with pytest.raises(api_errors.Unavailable, match="ClientConnectorError"):
            await client.get(NAMESPACES, name="default")
    assert len(sleeps.seconds) == 3


# --- listings ---


def page(*names: str, token: str = "", version: str = "7") -> web.Response:
    items = [{"metadata": {"name": name}} for name in names]
    metadata = {"resourceVersion": version, "continue": token}
    return ok({"kind": "LeaseList", "apiVersion": "v1", "metadata": metadata, "items": items})


async def test_a_listing_follows_its_token_and_names_its_items(
    server: ScriptedServer, client: KubernetesClient
) -> None:
    server.script = [page("a", "b", token="t1"), page("c")]
    listing = await client.list_all(LEASES, label_selector="team=a", limit=2)
    assert [item["metadata"]["name"] for item in listing.items] == ["a", "b", "c"]
    assert {(item["kind"], item["apiVersion"]) for item in listing.items} == {("Lease", "v1")}
    assert listing.resource_version == "7"
    asked = {"limit": "2", "labelSelector": "team=a"}
    assert [seen.query for seen in server.seen] == [asked, asked | {"continue": "t1"}]


async def test_an_expired_token_starts_the_listing_over(
    server: ScriptedServer, client: KubernetesClient
) -> None:
    server.script = [
        page("a", "gone", token="t1"),
        refusal(410, "Expired"),
        page("a", token="t2", version="9"),
        page("b", version="9"),
    ]
    pages = [page async for page in client.list_pages(EVENTS)]
    assert [page.starts_over for page in pages] == [False, True, False]
    server.script = [
        page("a", "gone", token="t1"),
        refusal(410, "Expired"),
        page("a", token="t2", version="9"),
        page("b", version="9"),
    ]
    listing = await client.list_all(EVENTS)
    assert [item["metadata"]["name"] for item in listing.items] == ["a", "b"]
    assert listing.resource_version == "9"


async def test_a_listing_that_never_gets_through_is_given_up(
    server: ScriptedServer, client: KubernetesClient
) -> None:
    server.script = [page("a", token="t"), refusal(410)] * 10
    with pytest.raises(api_errors.Gone):
        await client.list_all(EVENTS)
    assert len(server.seen) == 8


async def test_a_listing_that_is_gone_from_the_start_is_no_endless_loop(
    server: ScriptedServer, client: KubernetesClient
) -> None:
    server.script = [refusal(410)]
    with pytest.raises(api_errors.Gone):
        await client.list_all(EVENTS)
    assert len(server.seen) == 1


async def test_discovery_joins_subresources_to_their_kind(
    server: ScriptedServer, client: KubernetesClient
) -> None:
    lines = [
        {"name": "teamsusers", "kind": "TeamsUser", "namespaced": True},
        {"name": "teamsusers/status", "kind": "TeamsUser", "namespaced": True},
        {"name": "nodes", "kind": "Node", "namespaced": False},
    ]
    server.script = [ok({"kind": "APIResourceList", "resources": lines})]
    users, nodes = await client.api_resources(group="callplane.dev", version="v1alpha1")
    assert (users.kind, users.namespaced, users.subresources) == (
        "TeamsUser",
        True,
        frozenset({"status"}),
    )
    assert (nodes.plural, nodes.namespaced, nodes.subresources) == ("nodes", False, frozenset())
    assert server.seen[0].path == "/apis/callplane.dev/v1alpha1"


async def test_a_closed_client_opens_again(
    server: ScriptedServer, client: KubernetesClient
) -> None:
    server.script = [ok()]
    await client.get(NAMESPACES, name="default")
    await client.close()
    await client.close()
    assert await client.get(NAMESPACES, name="default") == ANN
