"""Requests are admitted, budgeted, struck, recorded and answered."""

from __future__ import annotations

import pytest

from callplane.simulators.recording import Outcome
from callplane.testing.graph_desk import FIRST, NUMBERS, READER_ID, SECOND, GraphDesk

USERS = "/v1.0/users"


async def test_without_a_good_token_nothing_is_answered(desk: GraphDesk) -> None:
    for bearer in ("", "Bearer nonsense"):
        desk.calls.headers["authorization"] = bearer
        answer = await desk.calls.get(NUMBERS)
        assert answer.status == 401
        assert 'error="invalid_token"' in answer.headers["www-authenticate"]


async def test_a_token_ends(desk: GraphDesk) -> None:
    desk.clock.advance(desk.tenant.settings.token_seconds)
    assert (await desk.calls.get(NUMBERS)).status == 401

    desk.calls.headers["authorization"] = f"Bearer {desk.bearer()}"
    assert (await desk.calls.get(NUMBERS)).status == 200
    assert desk.world.tokens.revoke_all(desk.tenant.id) == 2
    assert (await desk.calls.get(NUMBERS)).status == 401


async def test_an_application_does_only_what_it_may(desk: GraphDesk) -> None:
    desk.calls.headers["authorization"] = f"Bearer {desk.bearer(READER_ID)}"

    assert (await desk.calls.get(USERS)).status == 200
    refused = await desk.assign(FIRST, "ada")
    assert (refused.status, refused.error) == (403, "Access Denied.")
    assert desk.tenant.changes.changes == []


async def test_unknown_paths_and_methods_are_refused(desk: GraphDesk) -> None:
    assert (await desk.calls.get("/v1.0/nothing")).status == 404
    assert (await desk.calls.get(f"{USERS}/a/b")).status == 404
    assert (await desk.calls.post(USERS, {})).status == 405
    assert (await desk.calls.request("DELETE", f"{USERS}/x")).status == 404
    assert (await desk.calls.post(f"{NUMBERS}/assignNumber", b"{")).status == 400


async def test_answers_carry_ids_and_errors_repeat_them(desk: GraphDesk) -> None:
    answer = await desk.calls.request(
        "GET", "/v1.0/users/nobody", headers={"client-request-id": "mine"}
    )
    inner = answer.document["error"]["innerError"]

    assert answer.headers["client-request-id"] == inner["client-request-id"] == "mine"
    assert answer.headers["request-id"] == inner["request-id"]


async def test_budgets_refuse_with_a_fraction_of_a_second_and_refill(desk: GraphDesk) -> None:
    desk.settings(writes_per_second=4.0, write_burst=1.0)
    first = await desk.assign(FIRST, "ada")
    second = await desk.assign(SECOND, "bob")

    assert (first.status, second.status) == (202, 429)
    assert second.headers["retry-after"] == "0.250"
    assert (await desk.calls.get(NUMBERS)).status == 200
    desk.clock.advance(0.25)
    assert (await desk.assign(SECOND, "bob")).status == 202
    outcomes = [entry.outcome for entry in desk.world.recorder.writes()]
    assert outcomes == [Outcome.ANSWERED, Outcome.THROTTLED, Outcome.ANSWERED]


async def test_reads_have_a_budget_of_their_own(desk: GraphDesk) -> None:
    desk.settings(reads_per_second=1.0)

    assert (await desk.calls.get(NUMBERS)).status == 200
    assert (await desk.calls.get(NUMBERS)).status == 429
    assert (await desk.assign(FIRST, "ada")).status == 202


async def test_an_answer_lost_after_the_deed_leaves_the_deed(desk: GraphDesk) -> None:
    desk.fault(effect="drop-after", kinds=["assignNumber"], times=1)

    assert (await desk.assign(FIRST, "ada")).status == 0
    assert (await desk.number())["assignmentTargetId"] == desk.ids["ada"]
    entry = desk.world.recorder.writes()[0]
    assert (entry.outcome, entry.committed, entry.subject) == (Outcome.DROPPED_AFTER, True, FIRST)


async def test_a_connection_lost_before_the_deed_leaves_nothing(desk: GraphDesk) -> None:
    desk.fault(effect="drop-before", kinds=["assignNumber"], times=1)

    assert (await desk.assign(FIRST, "ada")).status == 0
    assert (await desk.number())["assignmentTargetId"] is None
    entry = desk.world.recorder.writes()[0]
    assert (entry.outcome, entry.committed) == (Outcome.DROPPED_BEFORE, False)


@pytest.mark.parametrize(
    ("rule", "status", "text"),
    [
        ({"effect": "status"}, 503, "temporarily unavailable"),
        ({"effect": "status", "status": 500, "message": "oh"}, 500, "oh"),
        ({"effect": "try-again"}, 400, "Service is unavailable. Please try again"),
        ({"effect": "token-rejected"}, 401, "the token is expired"),
    ],
)
async def test_a_struck_request_is_refused_and_does_nothing(
    desk: GraphDesk, rule: dict[str, object], status: int, text: str
) -> None:
    desk.fault(kinds=["writes"], times=1, **rule)
    answer = await desk.assign(FIRST, "ada")

    assert answer.status == status
    assert text in answer.error
    assert desk.tenant.changes.changes == []
    assert (await desk.assign(FIRST, "ada")).status == 202


async def test_a_scripted_throttle_says_how_long(desk: GraphDesk) -> None:
    desk.fault(effect="status", status=429, retry_after_seconds=2.128, times=1)

    assert (await desk.calls.get(NUMBERS)).headers["retry-after"] == "2.128"


async def test_delays_come_before_the_answer_or_before_the_deed(desk: GraphDesk) -> None:
    desk.settings(answer_delay_seconds=0.05, page_delay_seconds=0.5)
    await desk.assign(FIRST, "ada")
    assert desk.clock.monotonic() == pytest.approx(0.05)
    assert desk.tenant.changes.changes[0].at == 0.0
    await desk.calls.get(NUMBERS)
    assert desk.clock.monotonic() == pytest.approx(0.55)

    desk.fault(effect="late-commit", kinds=["unassignNumber"], seconds=9.0)
    await desk.unassign(FIRST)
    assert desk.tenant.changes.changes[1].at == pytest.approx(9.55)

    desk.fault(effect="delay", kinds=["getUser"], seconds=30.0)
    await desk.calls.get(f"{USERS}/{desk.ids['ada']}")
    assert desk.clock.monotonic() == pytest.approx(39.65)


@pytest.mark.parametrize(
    ("effect", "status", "number_status"),
    [
        ("order-fails", "failed", "failed"),
        ("order-partial", "succeeded", "failed"),
        ("order-skipped", "skipped", "skipped"),
    ],
)
async def test_an_order_can_end_badly(
    desk: GraphDesk, effect: str, status: str, number_status: str
) -> None:
    desk.fault(effect=effect, message="for a reason")
    order = await desk.order(await desk.assign(FIRST, "ada"))

    assert (order["status"], order["numbers"][0]["status"]) == (status, number_status)
    assert order["numbers"][0]["statusDetail"] == "for a reason"
    assert (await desk.number())["assignmentTargetId"] is None


async def test_an_order_can_be_lost_although_it_is_done(desk: GraphDesk) -> None:
    desk.fault(effect="order-lost", kinds=["assignNumber"])
    accepted = await desk.assign(FIRST, "ada")

    assert (await desk.calls.get(accepted.headers["location"])).status == 404
    assert (await desk.number())["assignmentTargetId"] == desk.ids["ada"]


async def test_an_order_can_take_its_time(desk: GraphDesk) -> None:
    desk.fault(effect="order-slow", seconds=600.0, kinds=["assignNumber"])
    accepted = await desk.assign(FIRST, "ada")
    desk.clock.advance(500.0)

    assert (await desk.order(accepted))["status"] == "running"


async def test_a_batch_answers_each_part_by_itself(desk: GraphDesk) -> None:
    answer = await desk.calls.post(
        "/v1.0/$batch",
        {
            "requests": [
                {"id": "1", "method": "GET", "url": f"/users/{desk.ids['ada']}"},
                {"id": "2", "method": "GET", "url": "/users/nobody"},
                {"id": "3", "method": "GET", "url": "/users?$top=1", "dependsOn": ["2"]},
            ]
        },
    )
    parts = {part["id"]: part for part in answer.document["responses"]}

    assert [parts[key]["status"] for key in "123"] == [200, 404, 424]
    assert parts["1"]["body"]["id"] == desk.ids["ada"]


async def test_parts_of_a_batch_are_throttled_alone(desk: GraphDesk) -> None:
    desk.settings(reads_per_second=2.0)
    parts = [{"id": str(n), "method": "GET", "url": "/users?$top=1"} for n in range(3)]
    answer = await desk.calls.post("/v1.0/$batch", {"requests": parts})

    assert [part["status"] for part in answer.document["responses"]] == [200, 200, 429]
    assert answer.document["responses"][2]["headers"]["Retry-After"] == "0.500"


async def test_a_batch_has_a_shape_and_a_limit(desk: GraphDesk) -> None:
    part = {"id": "1", "method": "GET", "url": "/users"}
    for body in ({}, {"requests": []}, {"requests": [part] * 2}, {"requests": [part] * 21}):
        assert (await desk.calls.post("/v1.0/$batch", body)).status == 400


async def test_the_record_says_who_asked_for_what(desk: GraphDesk) -> None:
    await desk.assign(FIRST, "ada")
    await desk.assign(FIRST, "fay")
    counters = desk.world.recorder.counters()

    assert counters["writes"] == 2
    assert counters["committed_writes"] == 1
    assert counters["by_kind"] == {"assignNumber": {"answered": 1, "refused": 1}}
    entry = desk.world.recorder.requests()[0]
    assert entry.who == "c11e0000-0000-4000-8000-000000000001"
    assert entry.at == desk.clock.now().timestamp()


async def test_health_speaks_pascal_case_unless_told_otherwise(desk: GraphDesk) -> None:
    path = "/v1.0/admin/serviceAnnouncement/healthOverviews"
    desk.portal.set_health("serviceDegradation", "Calls fail")
    pascal = await desk.calls.get(f"{path}/Microsoft%20Teams", expand="issues")
    desk.settings(health_in_pascal_case=False)
    camel = await desk.calls.get("/v1.0/admin/serviceAnnouncement/issues")

    assert pascal.document["status"] == "ServiceDegradation"
    assert pascal.document["issues"][0]["title"] == "Calls fail"
    assert camel.document["value"][0]["status"] == "serviceDegradation"
    assert len((await desk.calls.get(path)).document["value"]) == 3
