"""What every request meets: budgets, misfortunes, records, and errors in Webex's shape."""

from __future__ import annotations

import pytest

from callplane.testing.webex_desk import FIRST, SECOND, WebexDesk

MISSING_TOKEN = {"authorization": ""}


async def test_every_answer_carries_its_tracking_id(desk: WebexDesk) -> None:
    fine = await desk.get("people")
    bad = await desk.get("people/nobody")

    assert fine.headers["trackingid"].startswith("ROUTER_")
    assert bad.document["trackingId"] == bad.headers["trackingid"]
    assert bad.headers["trackingid"] != fine.headers["trackingid"]
    assert set(bad.document) == {"message", "errors", "trackingId"}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/nowhere", 404),
        ("GET", "/people", 404),
        ("PATCH", "/v1/people", 405),
        ("DELETE", "/v1/licenses", 405),
    ],
)
async def test_unknown_paths_and_methods(
    desk: WebexDesk, method: str, path: str, status: int
) -> None:
    assert (await desk.calls.request(method, path)).status == status


async def test_without_a_token_nothing_is_answered(desk: WebexDesk) -> None:
    answer = await desk.calls.request("GET", "/v1/people", headers=MISSING_TOKEN)

    assert answer.status == 401
    assert "www-authenticate" in answer.headers


async def test_only_the_own_organisation_is_served(desk: WebexDesk) -> None:
    own = await desk.get("people", orgId=desk.organisation.webex_id)
    foreign = await desk.get("people", orgId="another")

    assert [own.status, foreign.status] == [200, 403]


async def test_a_body_that_is_no_object_is_refused(desk: WebexDesk) -> None:
    for body in (b"{", b"[]"):
        answer = await desk.calls.request("POST", "/v1/people", body=body)
        assert answer.status == 400


async def test_an_organisation_has_one_budget_for_writes(desk: WebexDesk) -> None:
    desk.settings(writes_per_second=1.0, write_burst=2.0)
    statuses = [(await desk.give("ada", FIRST)).status for _ in range(3)]
    refused = await desk.give("ada", SECOND)
    reading = await desk.get("people")
    desk.clock.advance(1)

    assert statuses == [200, 200, 429]
    assert refused.headers["retry-after"] == "1"
    assert reading.status == 200
    assert (await desk.give("ada", SECOND)).status == 200


async def test_a_throttled_answer_may_not_say_how_long(desk: WebexDesk) -> None:
    desk.settings(reads_per_second=1.0, read_burst=1.0, throttling_names_wait=False)
    await desk.get("people")
    answer = await desk.get("people")

    assert answer.status == 429
    assert "retry-after" not in answer.headers


@pytest.mark.parametrize(
    ("rule", "header"),
    [
        ({"retry_after_seconds": 7}, "7"),
        ({"retry_after_seconds": 60, "retry_after_is_date": True}, "Mon, 02 Mar 2026 09:01:00 GMT"),
        ({}, None),
    ],
)
async def test_retry_after_is_seconds_a_date_or_nothing(
    desk: WebexDesk, rule: dict[str, object], header: str | None
) -> None:
    desk.fault(effect="status", status=429, **rule)
    answer = await desk.get("people")

    assert (answer.status, answer.headers.get("retry-after")) == (429, header)


async def test_a_gateway_answers_html(desk: WebexDesk) -> None:
    desk.fault(effect="gateway-page", status=502, message="Bad Gateway")
    answer = await desk.get("people")

    assert (answer.status, answer.headers["content-type"]) == (502, "text/html")
    assert b"Bad Gateway" in answer.body


async def test_a_resource_may_be_locked(desk: WebexDesk) -> None:
    desk.fault(effect="try-again", kinds=["writes"], retry_after_seconds=2)
    answer = await desk.give("ada", FIRST)

    assert (answer.status, answer.headers["retry-after"]) == (423, "2")
    assert "owner" not in await desk.number(FIRST)


@pytest.mark.parametrize(
    ("effect", "is_done", "status"),
    [("drop-before", False, 0), ("drop-after", True, 0), ("refused-after", True, 503)],
)
async def test_an_answer_may_be_lost_or_wrong(
    desk: WebexDesk, effect: str, is_done: bool, status: int
) -> None:
    desk.fault(effect=effect, kinds=["assignLicences"], times=1)
    answer = await desk.give("ada", FIRST)

    assert answer.status == status
    assert ("owner" in await desk.number(FIRST)) is is_done
    (entry,) = desk.world.recorder.writes()
    assert entry.committed is is_done
    assert entry.subject == desk.ids["ada"]


async def test_a_write_may_come_late_and_an_answer_too(desk: WebexDesk) -> None:
    desk.fault(effect="late-commit", kinds=["assignLicences"], seconds=12, times=1)
    desk.fault(effect="delay", kinds=["getPerson"], seconds=3, times=1)
    await desk.give("ada", FIRST)
    committed = desk.clock.monotonic()
    await desk.person("ada")

    assert (committed, desk.clock.monotonic()) == (12, 15)


async def test_a_rule_may_be_about_one_number_or_person(desk: WebexDesk) -> None:
    desk.fault(effect="status", subject=desk.ids["bob"])
    path = f"telephony/config/locations/{desk.ids['London']}/numbers"
    desk.fault(effect="status", subject="+441614960001")

    assert (await desk.give("bob", FIRST)).status == 503
    assert (await desk.give("ada", FIRST)).status == 200
    statuses = [
        (await desk.send("POST", path, {"phoneNumbers": [number]})).status
        for number in ("+441614960001", "+441614960002")
    ]
    assert statuses == [503, 201]


async def test_what_changed_is_written_down(desk: WebexDesk) -> None:
    await desk.give("ada", FIRST)
    desk.portal.unassign(FIRST)

    found = [
        (change.aspect, change.before, change.after, change.by)
        for change in desk.organisation.changes.changes
        if change.subject == FIRST
    ]
    ada = desk.ids["ada"]
    assert found == [
        ("holder", None, ada, desk.world.recorder.writes()[0].who),
        ("holder", ada, None, "portal"),
    ]


async def test_pages_and_answers_have_their_delays(desk: WebexDesk) -> None:
    desk.settings(page_delay_seconds=0.5, answer_delay_seconds=0.05)
    await desk.get("people")
    listing = desk.clock.monotonic()
    await desk.person("ada")

    assert (listing, desk.clock.monotonic()) == (0.5, 0.55)
