"""Telnyx numbers are searched, held, ordered, changed, locked and released."""

from __future__ import annotations

from typing import Any

import pytest

from callplane.testing.carrier_desk import CarrierDesk

FIRST = "+442079460000"
SECOND = "+442079460001"
OWNED = "+441614960000"


def order_of(*numbers: str, reference: str = "cp-1") -> dict[str, object]:
    return {
        "phone_numbers": [{"phone_number": number} for number in numbers],
        "customer_reference": reference,
    }


async def order(desk: CarrierDesk, *numbers: str, reference: str = "cp-1") -> dict[str, Any]:
    answer = await desk.request("POST", "/number_orders", order_of(*numbers, reference=reference))
    assert answer.status == 200, answer.document
    document: dict[str, Any] = answer.document["data"]
    return document


async def read(desk: CarrierDesk, path: str, **query: str) -> Any:
    answer = await desk.request("GET", path, **query)
    assert answer.status == 200, answer.document
    return answer.document["data"]


async def id_of(desk: CarrierDesk, number: str) -> str:
    key: str = (await read(desk, "/phone_numbers", **{"filter[phone_number]": number}))[0]["id"]
    return key


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [
        ("filter[country_code]", "GB", 10),
        ("filter[country_code]", "US", 0),
        ("filter[phone_number][ends_with]", "0003", 1),
        ("filter[phone_number][starts_with]", "20", 10),
        ("filter[phone_number][contains]", "94600", 10),
        ("filter[national_destination_code]", "161", 0),
        ("filter[phone_number_type]", "mobile", 0),
        ("filter[limit]", "3", 3),
    ],
)
async def test_a_search_is_filtered(desk: CarrierDesk, name: str, value: str, found: int) -> None:
    rows = await read(desk, "/available_phone_numbers", **{name: value})
    assert len(rows) == found
    if rows:
        assert rows[0]["cost_information"] == {
            "upfront_cost": "1.00000",
            "monthly_cost": "1.50000",
            "currency": "GBP",
        }


async def test_an_order_pends_and_is_found_by_reference(desk: CarrierDesk) -> None:
    desk.settings(order_seconds=3600.0)
    placed = await order(desk, FIRST)
    assert placed["status"] == "pending"
    assert FIRST not in desk.owned
    assert len(await read(desk, "/available_phone_numbers")) == 9
    desk.clock.advance(3600.0)

    found = await read(desk, "/number_orders", **{"filter[customer_reference]": "cp-1"})
    assert [each["id"] for each in found] == [placed["id"]]
    assert (await read(desk, f"/number_orders/{placed['id']}"))["status"] == "success"
    assert FIRST in desk.owned
    assert desk.spent_minor == {"setup": 100, "month": 150}
    assert await read(desk, "/number_orders", **{"filter[customer_reference]": "cp-2"}) == []


async def test_the_same_reference_twice_is_two_orders(desk: CarrierDesk) -> None:
    first, second = await order(desk, FIRST), await order(desk, SECOND)
    assert first["id"] != second["id"]
    assert desk.spent_minor == {"setup": 200, "month": 300}


@pytest.mark.parametrize("effect", ["drop-after", "failed-after"])
async def test_a_lost_answer_leaves_an_order_to_be_found(desk: CarrierDesk, effect: str) -> None:
    desk.fault(effect=effect, kinds=["createOrder"], times=1)
    answer = await desk.request("POST", "/number_orders", order_of(FIRST))
    assert answer.status in (0, 503)
    found = await read(desk, "/number_orders", **{"filter[customer_reference]": "cp-1"})
    assert [each["status"] for each in found] == ["success"]
    refused = await desk.request("POST", "/number_orders", order_of(FIRST))
    assert (refused.status, refused.document["errors"][0]["code"]) == (422, "10015")
    assert desk.spent_minor == {"setup": 100, "month": 150}


async def test_a_number_sold_meanwhile_fails_its_order(desk: CarrierDesk) -> None:
    desk.settings(order_seconds=60.0)
    placed = await order(desk, FIRST, SECOND)
    desk.portal.sell(SECOND)
    desk.clock.advance(60.0)
    ended = await read(desk, f"/number_orders/{placed['id']}")
    assert ended["status"] == "success"
    assert [number["status"] for number in ended["phone_numbers"]] == ["success", "failure"]
    assert SECOND not in desk.owned


async def test_a_number_sold_before_is_refused_at_once(desk: CarrierDesk) -> None:
    desk.fault(effect="number-taken", kinds=["createOrder"], times=1)
    answer = await desk.request("POST", "/number_orders", order_of(FIRST))
    assert answer.status == 422
    assert "not available" in answer.document["errors"][0]["detail"]
    assert desk.account.orders == {}


@pytest.mark.parametrize(
    ("effect", "status", "numbers"),
    [
        ("order-fails", "failure", ["failure", "failure"]),
        ("order-partial", "success", ["success", "failure"]),
    ],
)
async def test_an_order_can_end_badly(
    desk: CarrierDesk, effect: str, status: str, numbers: list[str]
) -> None:
    desk.fault(effect=effect, kinds=["createOrder"], message="Inventory unavailable")
    placed = await order(desk, FIRST, SECOND)
    assert placed["status"] == status
    assert [number["status"] for number in placed["phone_numbers"]] == numbers


async def test_paperwork_waits_for_people(desk: CarrierDesk) -> None:
    desk.settings(needs_paperwork=True)
    good = await order(desk, FIRST, reference="good")
    bad = await order(desk, SECOND, reference="bad")
    desk.clock.advance(30 * 86_400.0)
    waiting = await read(desk, f"/number_orders/{good['id']}")
    assert (waiting["status"], waiting["requirements_met"]) == ("pending", False)
    desk.portal.approve_paperwork("good")
    desk.portal.reject_paperwork("bad", "Proof of address is missing")

    assert (await read(desk, f"/number_orders/{good['id']}"))["status"] == "success"
    rejected = await read(desk, f"/number_orders/{bad['id']}")
    assert rejected["status"] == "failure"
    assert rejected["phone_numbers"][0]["requirements_status"] == "requirement-info-exception"
    number = rejected["phone_numbers"][0]["id"]
    assert "deadline" in await read(desk, f"/number_order_phone_numbers/{number}")
    assert desk.owned == [OWNED, "+441614960001", FIRST]


async def test_a_pending_order_can_be_cancelled(desk: CarrierDesk) -> None:
    desk.settings(order_seconds=60.0)
    placed = await order(desk, FIRST)
    path = f"/sub_number_orders/{placed['sub_number_orders_ids'][0]}/cancel"
    assert (await desk.request("PATCH", path, {})).status == 200
    assert (await desk.request("PATCH", path, {})).status == 422
    desk.clock.advance(60.0)
    assert (await read(desk, f"/number_orders/{placed['id']}"))["status"] == "failure"
    assert FIRST not in desk.owned


async def test_a_reservation_ends_after_half_an_hour(desk: CarrierDesk) -> None:
    body = {"phone_numbers": [{"phone_number": FIRST}], "customer_reference": "cp-1"}
    held = (await desk.request("POST", "/number_reservations", body)).document["data"]
    path = f"/number_reservations/{held['id']}"
    assert held["phone_numbers"][0]["expired_at"] == "2026-03-02T09:30:00Z"
    desk.clock.advance(1700.0)
    assert (await desk.request("POST", f"{path}/actions/extend", {})).status == 200
    desk.clock.advance(1700.0)
    assert (await read(desk, path))["status"] == "success"
    held_too = await read(
        desk, "/available_phone_numbers", **{"filter[exclude_held_numbers]": "true"}
    )
    assert len(held_too) == 9
    desk.clock.advance(100.0)
    assert (await read(desk, path))["status"] == "failure"
    assert (await desk.request("POST", f"{path}/actions/extend", {})).status == 422


async def test_owned_numbers_come_by_page_and_by_mark(desk: CarrierDesk) -> None:
    answer = await desk.request("GET", "/phone_numbers", **{"page[size]": "1"})
    assert answer.document["meta"] == {
        "total_pages": 2,
        "total_results": 2,
        "page_number": 1,
        "page_size": 1,
    }
    key = await id_of(desk, OWNED)
    await desk.request("PATCH", f"/phone_numbers/{key}", {"tags": ["cp"], "external_pin": "1"})
    assert len(await read(desk, "/phone_numbers", **{"filter[tag]": "cp"})) == 1
    assert len(await read(desk, "/phone_numbers", **{"filter[without_tags]": "true"})) == 1
    assert (await desk.request("GET", "/phone_numbers", **{"page[size]": "251"})).status == 422
    assert "tags" not in (await read(desk, "/phone_numbers/slim"))[0]


@pytest.mark.parametrize(
    ("effect", "rows", "total"),
    [
        ("listing-empty", 0, 0),
        ("listing-half", 1, 1),
        ("listing-skip", 1, 2),
        ("listing-repeat", 3, 2),
    ],
)
async def test_a_listing_can_lie(desk: CarrierDesk, effect: str, rows: int, total: int) -> None:
    desk.fault(effect=effect, kinds=["listNumbers"])
    answer = await desk.request("GET", "/phone_numbers")
    assert len(answer.document["data"]) == rows
    assert answer.document["meta"]["total_results"] == total


async def test_an_update_may_apply_in_part(desk: CarrierDesk) -> None:
    key = await id_of(desk, OWNED)
    desk.fault(effect="applied-in-part", kinds=["updateNumber"], times=1)
    body = {"tags": ["cp"], "customer_reference": "cp-1"}
    await desk.request("PATCH", f"/phone_numbers/{key}", body)
    row = await read(desk, f"/phone_numbers/{key}")
    assert (row["tags"], row["customer_reference"]) == (["cp"], None)


async def test_the_lock_is_set_by_a_job_and_holds(desk: CarrierDesk) -> None:
    key = await id_of(desk, OWNED)
    await desk.request("PATCH", f"/phone_numbers/{key}", {"deletion_lock_enabled": True})
    assert not (await read(desk, f"/phone_numbers/{key}"))["deletion_lock_enabled"]
    body = {"phone_numbers": [OWNED], "deletion_lock_enabled": True}
    accepted = await desk.request("POST", "/phone_numbers/jobs/update_phone_numbers", body)
    assert (accepted.status, accepted.document["data"]["status"]) == (202, "pending")

    refused = await desk.request("DELETE", f"/phone_numbers/{key}")
    assert refused.status == 422
    assert "deletion lock" in refused.document["errors"][0]["detail"]
    both = {"phone_numbers": [OWNED, "+441614960001"]}
    job = await desk.request("POST", "/phone_numbers/jobs/delete_phone_numbers", both)
    ended = await read(desk, f"/phone_numbers/jobs/{job.document['data']['id']}")
    assert ended["status"] == "completed"
    assert [each["phone_number"] for each in ended["failed_operations"]] == [OWNED]
    assert desk.owned == [OWNED]


@pytest.mark.parametrize(
    "numbers", [[], [OWNED, "1"], ["+442079460999"], [f"+4420794600{n:02}" for n in range(1001)]]
)
async def test_a_job_is_refused_as_a_whole(desk: CarrierDesk, numbers: list[str]) -> None:
    body = {"phone_numbers": numbers}
    answer = await desk.request("POST", "/phone_numbers/jobs/delete_phone_numbers", body)
    assert (answer.status, answer.document["errors"][0]["code"]) == (422, "10015")
    assert len(desk.owned) == 2


async def test_a_released_number_is_answered_and_gone(desk: CarrierDesk) -> None:
    key = await id_of(desk, OWNED)
    answer = await desk.request("DELETE", f"/phone_numbers/{key}")
    assert answer.document["data"]["status"] == "deleted"
    assert (await desk.request("GET", f"/phone_numbers/{key}")).status == 404
    assert OWNED not in desk.owned


async def test_a_state_nobody_has_heard_of_is_shown(desk: CarrierDesk) -> None:
    desk.portal.set_state(OWNED, "under-a-spell")
    assert (await read(desk, "/phone_numbers"))[0]["status"] == "under-a-spell"
