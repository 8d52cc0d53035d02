"""A service app lives on its refresh token, which ends one day."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest

from callplane.simulators.webex.seeding import (
    DEFAULT_CLIENT_ID,
    DEFAULT_REFRESH_TOKEN,
    DEFAULT_SECRET,
)
from callplane.testing.asgi_calls import Answer
from callplane.testing.webex_desk import READER_ID, READER_REFRESH, WebexDesk

DAY_SECONDS = 86_400
FORM = {
    "grant_type": "refresh_token",
    "client_id": DEFAULT_CLIENT_ID,
    "client_secret": DEFAULT_SECRET,
    "refresh_token": DEFAULT_REFRESH_TOKEN,
}


async def refresh(desk: WebexDesk, **changes: str) -> Answer:
    body = urlencode({**FORM, **changes}).encode("ascii")
    headers = {"content-type": "application/x-www-form-urlencoded"}
    return await desk.calls.request("POST", "/v1/access_token", body=body, headers=headers)


async def status(desk: WebexDesk, token: Any) -> int:
    headers = {"authorization": f"Bearer {token}"}
    return (await desk.calls.request("GET", "/v1/people", headers=headers)).status


async def test_an_access_token_ends_and_is_replaced(desk: WebexDesk) -> None:
    desk.settings(token_seconds=600.0)
    first = (await refresh(desk)).document
    before = await status(desk, first["access_token"])
    desk.clock.advance(600)
    after = await status(desk, first["access_token"])
    second = (await refresh(desk)).document

    assert (first["expires_in"], first["token_type"]) == (600, "Bearer")
    assert [before, after] == [200, 401]
    assert await status(desk, second["access_token"]) == 200


@pytest.mark.parametrize(("extends", "left"), [(True, 90), (False, 10)])
async def test_what_is_left_of_the_refresh_token_is_said(
    desk: WebexDesk, extends: bool, left: int
) -> None:
    desk.settings(refresh_extends=extends)
    desk.clock.advance(80 * DAY_SECONDS)
    document = (await refresh(desk)).document

    assert document["refresh_token_expires_in"] == left * DAY_SECONDS
    assert document["refresh_token"] == DEFAULT_REFRESH_TOKEN


async def test_a_refresh_token_that_has_ended_is_refused_until_somebody_acts(
    desk: WebexDesk,
) -> None:
    desk.clock.advance(90 * DAY_SECONDS)
    refused = await refresh(desk)
    desk.portal.authorise("another-refresh-token")

    assert refused.status == 400
    assert "valid refresh token" in refused.document["errors"][0]["description"]
    assert (await refresh(desk)).status == 400
    assert (await refresh(desk, refresh_token="another-refresh-token")).status == 200


async def test_refresh_tokens_may_rotate(desk: WebexDesk) -> None:
    desk.settings(refresh_rotates=True)
    document = (await refresh(desk)).document

    assert document["refresh_token"] != DEFAULT_REFRESH_TOKEN
    assert (await refresh(desk)).status == 400
    assert (await refresh(desk, refresh_token=document["refresh_token"])).status == 200


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"client_secret": "wrong"}, 401),
        ({"client_id": "unknown"}, 401),
        ({"refresh_token": "wrong"}, 400),
        ({"grant_type": "authorization_code"}, 400),
    ],
)
async def test_wrong_forms_are_refused(
    desk: WebexDesk, changes: dict[str, str], wanted: int
) -> None:
    answer = await refresh(desk, **changes)

    assert answer.status == wanted
    assert set(answer.document) == {"message", "errors", "trackingId"}


async def test_only_forms_are_taken(desk: WebexDesk) -> None:
    assert (await desk.calls.request("POST", "/v1/access_token", body=FORM)).status == 415
    assert (await desk.calls.request("GET", "/v1/access_token")).status == 405


async def test_an_authorisation_is_withdrawn(desk: WebexDesk) -> None:
    token = desk.bearer()
    desk.portal.withdraw_authorisation()

    assert await status(desk, token) == 401
    assert (await refresh(desk)).status == 400


async def test_tokens_reach_as_far_as_their_scopes(desk: WebexDesk) -> None:
    token = desk.bearer(READER_ID, READER_REFRESH)
    headers = {"authorization": f"Bearer {token}"}
    people = await desk.calls.request("GET", "/v1/people", headers=headers)
    person = f"/v1/people/{desk.ids['ada']}"
    writing = await desk.calls.request("DELETE", person, headers=headers)
    numbers = await desk.calls.request("GET", "/v1/telephony/config/numbers", headers=headers)

    assert [people.status, writing.status, numbers.status] == [200, 403, 403]


async def test_a_fault_meets_the_token_endpoint(desk: WebexDesk) -> None:
    desk.fault(effect="status", kinds=["token"], status=503, times=1)

    assert [(await refresh(desk)).status, (await refresh(desk)).status] == [503, 200]
    tokens = desk.world.recorder.requests(kind="token")
    assert [entry.status for entry in tokens] == [503, 200]
