"""Reviews as an API server answers them: whatever is not plainly yes is no."""

from __future__ import annotations

from typing import Any

import pytest

from callplane.cluster import reviews
from callplane.cluster.resource_kinds import ACCESS_REVIEWS, TOKEN_REVIEWS, ResourceKind
from callplane.cluster.reviews import Question, Subject

AUDIENCE = "callplane-api"
USER = {
    "username": "system:serviceaccount:sales:reporting",
    "uid": "uid-1",
    "groups": ["system:authenticated"],
    "extra": {"key": ["a", "b"]},
}
YES = {"authenticated": True, "audiences": [AUDIENCE], "user": USER}


class Server:
    """Answers every review with one status."""

    def __init__(self, status: Any) -> None:
        self._status = status
        self.sent: list[tuple[ResourceKind, dict[str, Any]]] = []

    async def create(self, kind: ResourceKind, *, body: dict[str, Any]) -> dict[str, Any]:
        self.sent.append((kind, body))
        return {**body, "status": self._status}


async def subject(status: Any) -> Subject | None:
    server: Any = Server(status)
    return await reviews.whose_token(server, "the-token", audience=AUDIENCE)


async def test_a_token_is_reviewed_for_our_audience() -> None:
    server: Any = Server(YES)
    found = await reviews.whose_token(server, "the-token", audience=AUDIENCE)
    assert found == Subject(
        user="system:serviceaccount:sales:reporting",
        groups=("system:authenticated",),
        uid="uid-1",
        extra={"key": ("a", "b")},
    )
    ((kind, body),) = server.sent
    assert kind is TOKEN_REVIEWS
    assert body["spec"] == {"token": "the-token", "audiences": [AUDIENCE]}


@pytest.mark.parametrize(
    "status",
    [
        None,
        {},
        [],
        {"authenticated": False, "audiences": [AUDIENCE], "user": USER},
        {**YES, "authenticated": "true"},
        {**YES, "audiences": []},
        {**YES, "audiences": None},
        {**YES, "audiences": ["https://kubernetes.default.svc"]},
        {**YES, "error": "the token is of another cluster"},
        {**YES, "user": {}},
        {**YES, "user": None},
        {**YES, "user": {**USER, "username": ""}},
    ],
)
async def test_whatever_is_not_plainly_yes_is_nobody(status: Any) -> None:
    assert await subject(status) is None


async def test_rights_are_asked_for_the_person_and_the_place() -> None:
    server: Any = Server({"allowed": True})
    who = Subject("ann", ("finance",), "uid-1", {"key": ("a",)})
    asked = Question("get", "callingaccounts", "pools", "sales", "desk")
    assert await reviews.is_allowed(server, who, asked)
    ((kind, body),) = server.sent
    assert kind is ACCESS_REVIEWS
    assert body["spec"] == {
        "user": "ann",
        "groups": ["finance"],
        "uid": "uid-1",
        "extra": {"key": ["a"]},
        "resourceAttributes": {
            "group": "callplane.dev",
            "verb": "get",
            "resource": "callingaccounts",
            "subresource": "pools",
            "namespace": "sales",
            "name": "desk",
        },
    }
    assert await reviews.is_allowed(server, who, Question("list", "numbers"))
    attributes = server.sent[-1][1]["spec"]["resourceAttributes"]
    assert attributes == {"group": "callplane.dev", "verb": "list", "resource": "numbers"}


@pytest.mark.parametrize(
    "status",
    [
        None,
        {},
        {"allowed": False},
        {"allowed": "true"},
        {"allowed": True, "denied": True},
        {"denied": False},
    ],
)
async def test_whatever_is_not_plainly_yes_is_no(status: Any) -> None:
    server: Any = Server(status)
    assert not await reviews.is_allowed(server, Subject("ann"), Question("list", "numbers"))


def test_a_question_reads_as_one() -> None:
    asked = Question("get", "numbers", "digits", "sales")
    assert str(asked) == "get numbers/digits in namespace sales"
    assert str(Question("list", "numbers")) == "list numbers in all namespaces"
