"""How answers are read that the simulator gives in one way only."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from callplane.errors import OutcomeUnknown
from callplane.plan.change import Change, Fields, Operation
from callplane.providers.protocol import (
    Accepted,
    AuthenticationFailed,
    Family,
    OperationState,
    PermissionMissing,
    RefusalClass,
    Refused,
    Throttled,
    Unavailable,
)
from callplane.providers.teams.graph_client import GraphClient
from callplane.providers.teams.provider import TeamsProvider, operation_status
from callplane.providers.tokens import Grant, TokenSource
from callplane.providers.transport import Answer, Request
from callplane.testing.manual_clock import ManualClock
from callplane.values import E164, ConnectionId, Platform

GRAPH = "https://graph.example"
NUMBERS = "/v1.0/admin/teams/telephoneNumberManagement/numberAssignments"
NUMBER = E164("+442079460001")


def answer(content: Any = None, status: int = 200, **headers: str) -> Answer:
    body = b"" if content is None else json.dumps(content).encode()
    return Answer(status, {name.replace("_", "-"): value for name, value in headers.items()}, body)


class Graph:
    """Answers from a list, in order; remembers what was asked."""

    def __init__(self, *answers: Answer | Exception) -> None:
        self.clock = ManualClock()
        self.answers = list(answers)
        self.requests: list[Request] = []
        self.tokens = 0
        self.token_seconds = 0.0

    async def call(self, request: Request) -> Answer:
        self.requests.append(request)
        given = self.answers.pop(0)
        if isinstance(given, Exception):
            raise given
        return given

    async def acquire(self) -> Grant:
        self.tokens += 1
        self.clock.advance(self.token_seconds)
        return Grant(f"token-{self.tokens}", 3600.0)

    async def close(self) -> None:
        """Nothing to close."""

    def provider(self, root: str = GRAPH) -> TeamsProvider:
        client = GraphClient(
            root,
            transport=self,  # type: ignore[arg-type]
            tokens=TokenSource(self.acquire, clock=self.clock),
            clock=self.clock,
            request_ids=lambda: "read-1",
        )
        return TeamsProvider(
            "tenant-1", client=client, clock=self.clock, judge=lambda _: None, on_close=self.close
        )


def change(operation: Operation, before: Fields | None, after: Fields | None) -> Change:
    return Change(
        ConnectionId("teams", "tenant-1"), operation, Platform.TEAMS, "user-1", before, after
    )


ASSIGN = change(Operation.ASSIGN_NUMBER, None, {"number": NUMBER.text, "type": "directRouting"})
POLICY = change(Operation.SET_POLICY, None, {"type": "TenantDialPlan", "name": "It's a/b"})
POLICY_ID = answer({"value": [{"name": "Tag:It's a/b", "policyId": "opaque"}]})


# --- operations ---


@pytest.mark.parametrize("wrap", [lambda plain: plain, lambda plain: {"value": plain}])
@pytest.mark.parametrize(
    ("status", "numbers", "state"),
    [
        ("notStarted", [], OperationState.RUNNING),
        ("running", ["running"], OperationState.RUNNING),
        ("succeeded", ["succeeded"], OperationState.SUCCEEDED),
        ("succeeded", ["succeeded", "running"], OperationState.RUNNING),
        ("succeeded", ["failed"], OperationState.FAILED),
        ("running", ["failed"], OperationState.FAILED),
        ("failed", [], OperationState.FAILED),
        ("skipped", ["skipped"], OperationState.RUNNING),
        ("succeeded", ["skipped"], OperationState.RUNNING),
        ("aNewState", [], OperationState.RUNNING),
        (None, [], OperationState.RUNNING),
    ],
)
def test_states_of_an_order(
    wrap: Callable[[Any], Any], status: str | None, numbers: list[str], state: OperationState
) -> None:
    parts = [{"status": each, "statusDetail": "Number +442079460001 is odd"} for each in numbers]
    found = operation_status(wrap({"id": "1", "status": status, "numbers": parts}))
    assert found.state is state
    assert NUMBER.text not in found.detail
    if state is OperationState.FAILED and numbers:
        assert "is odd" in found.detail


@pytest.mark.parametrize("numbers", [None, {}, [None, 7], "text"])
def test_an_order_without_a_list_of_numbers(numbers: Any) -> None:
    found = operation_status({"status": "succeeded", "numbers": numbers})
    assert found.state is OperationState.SUCCEEDED


@pytest.mark.parametrize("path", ["/operations('T-1')", "/operations/T-1"])
async def test_the_address_of_an_order_is_followed_as_given(path: str) -> None:
    location = f"{GRAPH}/v1.0/admin/teams/telephoneNumberManagement{path}"
    graph = Graph(answer(status=202, location=location), answer({"status": "succeeded"}))
    provider = graph.provider()
    accepted = await provider.send(ASSIGN, request_id="write-1")
    assert accepted == Accepted(location)
    assert (await provider.poll(location)).state is OperationState.SUCCEEDED
    assert [request.url for request in graph.requests][1] == location
    assert graph.requests[0].headers["client-request-id"] == "write-1"


@pytest.mark.parametrize(
    "location",
    [
        "https://elsewhere.example/v1.0/operations('1')",
        "https://graph.example@elsewhere.example/v1.0/operations('1')",
        "https://user@graph.example/v1.0/operations('1')",
        "http://graph.example/v1.0/operations('1')",
        "https://graph.example:8443/v1.0/operations('1')",
        "https://graph.example/beta/operations('1')",
        "https://graph.example/v1.0/../other",
        "//elsewhere.example/v1.0/operations('1')",
        "file:///etc/passwd",
        "http://[",
    ],
)
async def test_a_token_never_leaves_for_another_host(location: str) -> None:
    graph = Graph(answer(status=202, location=location))
    provider = graph.provider()
    assert await provider.send(ASSIGN, request_id="r") == Accepted("")
    assert (await provider.poll(location)).state is OperationState.LOST
    assert len(graph.requests) == 1


async def test_a_relative_address_is_one_of_ours() -> None:
    path = "/v1.0/admin/teams/telephoneNumberManagement/operations/1"
    graph = Graph(answer(status=202, location=path))
    assert await graph.provider().send(ASSIGN, request_id="r") == Accepted(GRAPH + path)


async def test_an_order_without_an_address_is_still_an_order() -> None:
    assert await Graph(answer(status=202)).provider().send(ASSIGN, request_id="r") == Accepted("")


# --- listings ---


async def test_a_next_page_elsewhere_is_not_asked_for() -> None:
    link = {"value": [], "@odata.nextLink": "https://elsewhere.example/v1.0/users?$skiptoken=1"}
    graph = Graph(answer(link))
    pages = aiter(graph.provider().list_pages(Family.PEOPLE))
    assert not (await anext(pages)).last
    with pytest.raises(Unavailable, match="leads away"):
        await anext(pages)
    assert len(graph.requests) == 1


async def test_a_page_that_names_itself_ends_the_listing() -> None:
    url = f"{GRAPH}/v1.0/users?$skiptoken=1"
    page = answer({"value": [], "@odata.nextLink": url})
    pages = aiter(Graph(page, page).provider().list_pages(Family.PEOPLE))
    await anext(pages)
    with pytest.raises(Unavailable, match="names itself"):
        await anext(pages)


@pytest.mark.parametrize("content", [{}, {"value": {}}, {"value": None}, [], None, "text"])
async def test_a_page_without_a_list_is_no_empty_page(content: Any) -> None:
    with pytest.raises(Unavailable):
        await anext(aiter(Graph(answer(content)).provider().list_pages(Family.NUMBERS)))


async def test_a_full_page_of_numbers_is_not_the_last() -> None:
    rows = [
        {"telephoneNumber": f"+44207946{n:04}", "numberType": "directRouting"} for n in range(1000)
    ]
    graph = Graph(answer({"value": rows}), answer({"value": []}))
    pages = [page async for page in graph.provider().list_pages(Family.NUMBERS)]
    assert [(len(page.rows), page.last) for page in pages] == [(1000, False), (0, True)]
    assert graph.requests[1].url == f"{GRAPH}{NUMBERS}?$skip=1000&$top=1000"


async def test_a_page_size_that_is_refused_is_left_out() -> None:
    graph = Graph(answer({"error": {}}, 400), answer({"value": []}))
    pages = [page async for page in graph.provider().list_pages(Family.CONFIGURATIONS)]
    assert [page.last for page in pages] == [True]
    assert "$top=999" in graph.requests[0].url
    assert "$top" not in graph.requests[1].url
    assert graph.requests[1].headers["Prefer"] == "include-unknown-enum-members"


# --- reads ---


async def test_a_number_is_asked_for_with_its_plus_encoded() -> None:
    graph = Graph(answer({"value": []}))
    await graph.provider().read_number(NUMBER)
    assert graph.requests[0].url == (
        f"{GRAPH}{NUMBERS}?$filter=telephoneNumber%20eq%20'%2B442079460001'"
    )


async def test_a_number_whose_row_cannot_be_read_is_unknown() -> None:
    graph = Graph(answer({"value": [{"telephoneNumber": NUMBER.text, "numberType": "new"}]}))
    with pytest.raises(Unavailable):
        await graph.provider().read_number(NUMBER)


async def test_a_person_whose_row_cannot_be_read_is_unknown() -> None:
    with pytest.raises(Unavailable):
        await Graph(answer({"id": "u"})).provider().read_person("u")


async def test_a_key_cannot_change_the_address() -> None:
    graph = Graph(answer(status=404), answer({"value": []}))
    await graph.provider().read_person("a/../b?x='1'")
    assert "/users/a%2F..%2Fb%3Fx%3D%271%27?$select=" in graph.requests[0].url
    assert "id%20eq%20'a%2F..%2Fb%3Fx%3D%27%271%27%27'" in graph.requests[1].url


@pytest.mark.parametrize("status", [400, 404])
async def test_a_search_for_deleted_people_that_is_not_offered_takes_nothing_away(
    status: int,
) -> None:
    graph = Graph(answer(status=404), answer({"error": {}}, status))
    assert (await graph.provider().read_person("a@b.example")).row is None


async def test_a_deleted_person_of_another_name_is_not_the_one() -> None:
    other = {"id": "id-1", "userPrincipalName": "xanna@b.example"}
    graph = Graph(answer(status=404), answer({"value": [other]}))
    assert (await graph.provider().read_person("anna@b.example")).row is None


@pytest.mark.parametrize("status", [400, 409, 418])
async def test_a_read_that_is_refused_is_unknown(status: int) -> None:
    graph = Graph(answer({"error": {"code": "BadRequest", "message": "no"}}, status))
    with pytest.raises(Unavailable, match="no"):
        await graph.provider().read_configuration("user-1")


async def test_an_expired_token_is_replaced_and_the_read_repeated_once() -> None:
    graph = Graph(answer(status=401), answer({"id": "user-1"}))
    assert (await graph.provider().read_configuration("user-1")).row is not None
    assert [request.headers["Authorization"] for request in graph.requests] == [
        "Bearer token-1",
        "Bearer token-2",
    ]


async def test_a_second_refusal_is_about_the_credentials() -> None:
    graph = Graph(answer(status=401), answer(status=401))
    provider = graph.provider()
    for _ in range(5):
        with pytest.raises(AuthenticationFailed):
            await provider.read_configuration("user-1")
    assert len(graph.requests) == 2


async def test_a_missing_permission_is_no_wrong_secret() -> None:
    graph = Graph(answer({"error": {"code": "Forbidden", "message": "no"}}, 403))
    with pytest.raises(PermissionMissing, match="Forbidden"):
        await graph.provider().read_configuration("user-1")


# --- writes ---


async def test_bodies_are_as_documented() -> None:
    typed = {"number": NUMBER.text, "type": "callingPlan"}
    cases: list[tuple[Change, str, dict[str, Any]]] = [
        (
            change(Operation.ASSIGN_NUMBER, None, typed | {"location": "loc"}),
            "assignNumber",
            {
                "telephoneNumber": NUMBER.text,
                "assignmentTargetId": "user-1",
                "numberType": "callingPlan",
                "assignmentCategory": "primary",
                "locationId": "loc",
            },
        ),
        (
            change(Operation.UNASSIGN_NUMBER, typed, None),
            "unassignNumber",
            {"telephoneNumber": NUMBER.text, "numberType": "callingPlan"},
        ),
        (
            change(Operation.SET_LOCATION, typed, typed | {"location": "loc"}),
            "updateNumber",
            {"telephoneNumber": NUMBER.text, "locationId": "loc"},
        ),
        (
            change(Operation.SET_LOCATION, typed, None),
            "updateNumber",
            {"telephoneNumber": NUMBER.text, "locationId": ""},
        ),
    ]
    for wanted, action, body in cases:
        graph = Graph(answer(status=200))
        await graph.provider().send(wanted, request_id="r")
        (request,) = graph.requests
        assert request.url == f"{GRAPH}{NUMBERS}/{action}"
        assert json.loads(request.body or b"") == body
        assert request.writes


async def test_a_policy_is_looked_up_once_and_forgotten_when_refused() -> None:
    done = answer(status=204)
    refused = answer({"error": {"code": "BadRequest", "message": "policy was not found"}}, 400)
    graph = Graph(POLICY_ID, done, done, refused, POLICY_ID, done)
    provider = graph.provider()
    await provider.send(POLICY, request_id="r")
    await provider.send(POLICY, request_id="r")
    with pytest.raises(Refused):
        await provider.send(POLICY, request_id="r")
    await provider.send(POLICY, request_id="r")
    assert [request.writes for request in graph.requests] == [False, True, True, True, False, True]
    assert graph.requests[0].url == (
        f"{GRAPH}/v1.0/admin/teams/policy/"
        "getPolicyId(type='TenantDialPlan',name='It%27%27s%20a%2Fb')"
    )
    assert json.loads(graph.requests[1].body or b"")["value"][0]["policyId"] == "opaque"


async def test_a_policy_id_is_kept_for_an_hour() -> None:
    graph = Graph(POLICY_ID, answer(status=204), POLICY_ID, answer(status=204))
    provider = graph.provider()
    await provider.send(POLICY, request_id="r")
    graph.clock.advance(3600.0)
    await provider.send(POLICY, request_id="r")
    assert graph.answers == []


@pytest.mark.parametrize(
    ("looked_up", "error", "reason"),
    [
        (answer({"value": []}), Refused, "PolicyNotFound"),
        (answer({"value": [{"name": "Tag:Other", "policyId": "x"}]}), Refused, "PolicyNotFound"),
        (answer({"value": [None, {"name": "It's a/b"}]}), Refused, "PolicyNotFound"),
        (answer(status=404), Refused, "PolicyNotFound"),
        (answer({"error": {"message": "type is not supported"}}, 400), Refused, "PolicyNotFound"),
        (answer(status=403), Refused, "PermissionMissing"),
        (answer({"error": {"message": "Service is unavailable."}}, 400), Unavailable, ""),
        (Throttled(2.5), Throttled, ""),
    ],
)
async def test_without_an_id_nothing_is_written(
    looked_up: Answer | Exception, error: type[Exception], reason: str
) -> None:
    graph = Graph(looked_up)
    with pytest.raises(error) as caught:
        await graph.provider().send(POLICY, request_id="r")
    assert len(graph.requests) == 1
    assert getattr(caught.value, "reason", "") == reason


async def test_a_write_is_never_repeated() -> None:
    for given, error in (
        (OutcomeUnknown("no answer"), OutcomeUnknown),
        (Throttled(1.0), Throttled),
        (answer(status=401), Unavailable),
        (answer(status=403), Refused),
        (answer(status=302), Refused),
    ):
        graph = Graph(given)
        with pytest.raises(error):
            await graph.provider().send(ASSIGN, request_id="r")
        assert len(graph.requests) == 1


async def test_a_token_that_was_not_accepted_for_a_write_is_replaced_for_the_next() -> None:
    graph = Graph(answer(status=401), answer(status=202))
    provider = graph.provider()
    with pytest.raises(Unavailable):
        await provider.send(ASSIGN, request_id="r")
    await provider.send(ASSIGN, request_id="r")
    assert graph.requests[1].headers["Authorization"] == "Bearer token-2"


async def test_a_write_gets_only_the_time_that_is_left() -> None:
    graph = Graph(answer(status=202))
    graph.token_seconds = 3.0
    await graph.provider().send(ASSIGN, request_id="r")
    assert graph.requests[0].seconds == 5.0


async def test_a_write_that_comes_too_late_is_not_sent() -> None:
    graph = Graph()
    graph.token_seconds = 9.0
    with pytest.raises(Unavailable, match="no time left"):
        await graph.provider().send(ASSIGN, request_id="r")
    assert graph.requests == []


async def test_the_version_in_the_address_does_not_matter() -> None:
    for root in (GRAPH, f"{GRAPH}/", f"{GRAPH}/v1.0", f"{GRAPH}/v1.0/"):
        graph = Graph(answer({"value": []}))
        await graph.provider(root).read_number(NUMBER)
        assert graph.requests[0].url.startswith(f"{GRAPH}{NUMBERS}?")


async def test_a_refusal_keeps_its_class() -> None:
    graph = Graph(answer({"error": {"message": "has already been assigned to another"}}, 400))
    with pytest.raises(Refused) as caught:
        await graph.provider().send(ASSIGN, request_id="r")
    assert caught.value.refusal is RefusalClass.CONFLICT


async def test_a_service_that_graph_gives_no_number_is_a_persons_work() -> None:
    fields = {"number": NUMBER.text, "type": "directRouting", "use": "service"}
    assign = change(Operation.ASSIGN_NUMBER, None, fields)
    said = {"error": {"code": "BadRequest", "message": "The account type is not supported."}}
    graph = Graph(answer(said, 400))
    with pytest.raises(Refused) as caught:
        await graph.provider().send(assign, request_id="write-1")
    assert caught.value.reason == "Unsupported"
    assert "Set-CsPhoneNumberAssignment -Identity 'user-1'" in str(caught.value)
    assert NUMBER.text not in str(caught.value)
    taken = {"error": {"code": "Conflict", "message": "has already been assigned to another"}}
    with pytest.raises(Refused) as caught:
        await Graph(answer(taken, 409)).provider().send(assign, request_id="write-2")
    assert caught.value.refusal is RefusalClass.CONFLICT
