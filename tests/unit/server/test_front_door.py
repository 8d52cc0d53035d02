"""Every request comes in by the front door, and whatever fails behind it says nothing."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

import pytest

from callplane.server.front_door import HEAD_LIMIT_BYTES, QUERY_LIMIT_BYTES
from callplane.store.ports import StoreUnavailable
from callplane.store.schema import SchemaMismatch
from callplane.testing.admin_api_contract import assert_nothing
from callplane.testing.admin_api_world import OF_A, TEAM_A

PATH = f"/v1/namespaces/{TEAM_A}/numbers"


class Failing:
    """A reader that raises what it is told to, with words that nobody may see."""

    def __init__(self, error: BaseException) -> None:
        self._error = error

    async def numbers(self, *arguments: Any) -> Any:
        raise self._error


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (StoreUnavailable(f"PostgreSQL: desk {OF_A[0]}"), 503, "DatabaseUnavailable"),
        (SchemaMismatch("the schema is older, desk"), 503, "DatabaseUnavailable"),
        (RuntimeError(f"desk {OF_A[0]}"), 500, "InternalError"),
        (KeyError("desk"), 500, "InternalError"),
    ],
)
async def test_what_fails_says_nothing(
    api: Any, error: Exception, status: int, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    api.reader = Failing(error)
    api.rebuild()
    answer = await api.get(PATH, "register-of-a")
    assert_nothing(answer, status)
    assert json.loads(answer.body)["code"] == code
    # A defect is in the log, with the id that the answer has.
    told = [record for record in caplog.records if record.exc_info]
    assert bool(told) is (status == 500)
    if told:
        assert json.loads(answer.body)["requestId"] in told[0].getMessage()


async def test_what_takes_too_long_ends(api: Any) -> None:
    class Slow:
        async def numbers(self, *arguments: Any) -> Any:
            await asyncio.Event().wait()

    api.reader = Slow()
    api.timeout_seconds = 0.05
    api.rebuild()
    answer = await api.get(PATH, "register-of-a")
    assert_nothing(answer, 503)
    assert json.loads(answer.body)["code"] == "Timeout"


async def test_long_heads_and_queries_are_refused_before_anybody_is_asked(api: Any) -> None:
    asked = api.access.asked
    answer = await api.get(PATH, "register-of-a", X_Much="y" * HEAD_LIMIT_BYTES)
    assert_nothing(answer, 431)
    assert api.access.asked == asked
    long = "z" * (QUERY_LIMIT_BYTES + 1)
    assert_nothing(await api.get(f"{PATH}?cursor={long}", "register-of-a"), 400)


async def test_the_document_is_open_and_nothing_else(api: Any) -> None:
    answer = await api.get("/openapi.json", "no-token")
    assert answer.status == 200
    assert json.loads(answer.body)["info"]["title"] == "Callplane admin API"
    for path in ("/openapi.json/", "/openapi.json/../v1/numbers", "//openapi.json", "/docs"):
        assert_nothing(await api.get(path, "no-token"), 401)


async def test_requests_are_counted_by_route_and_not_by_path(api: Any) -> None:
    for path, who in ((f"{PATH}/{OF_A[0]}", "register-of-a"), ("/x", "no-rights"), (PATH, "")):
        await api.get(path, who)
    counted = {
        (sample.labels["route"], sample.labels["status"])
        for metric in api.metrics.requests.collect()
        for sample in metric.samples
        if sample.name.endswith("_total")
    }
    assert ("/v1/namespaces/{namespace}/numbers/{number}", "200") in counted
    assert not any(OF_A[0][1:] in route for route, _ in counted)
    assert {route for route, status in counted if status in ("401", "404")} == {"none"}


async def test_only_http_is_spoken(api: Any) -> None:
    with pytest.raises(ValueError, match="only HTTP"):
        await api.front({"type": "websocket"}, None, None)


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("sate=Assigned", "sate"),
        ("state=Sleeping", "state"),
        ("limit=0", "limit"),
        ("limit=many", "limit"),
        ("range=main", "range"),
        ("numbers=all", "numbers"),
        ("cursor=!!", "cursor"),
    ],
)
async def test_a_parameter_that_cannot_be_read_is_named_without_its_value(
    api: Any, query: str, parameter: str
) -> None:
    answer = await api.get(f"{PATH}?{query}", "register-of-a")
    assert_nothing(answer, 400)
    (error,) = json.loads(answer.body)["errors"]
    assert error["parameter"] == parameter
    assert query.partition("=")[2] not in error["problem"]


async def test_the_log_has_no_line_for_what_went_well(
    api: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        assert (await api.get(PATH, "register-of-a")).status == 200
    assert caplog.records == []
