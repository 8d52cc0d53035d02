"""DIDWW numbers are found by group, reserved, ordered, pointed at trunks, ended."""

from __future__ import annotations

from typing import Any

import pytest

from callplane.testing.asgi_calls import Answer
from callplane.testing.carrier_desk import CarrierDesk

OWNED = "+441614960000"


async def rows(desk: CarrierDesk, path: str, **query: str) -> list[dict[str, Any]]:
    answer = await desk.request("GET", path, **query)
    assert answer.status == 200, answer.document
    assert answer.headers["content-type"] == "application/vnd.api+json"
    found: list[dict[str, Any]] = answer.document["data"]
    return found


def body(
    kind: str, attributes: dict[str, object], **links: dict[str, str] | list[dict[str, str]] | None
) -> dict[str, object]:
    data: dict[str, object] = {"type": kind, "attributes": attributes}
    if links:
        data["relationships"] = {name: {"data": link} for name, link in links.items()}
    return {"data": data}


async def sku(desk: CarrierDesk) -> str:
    answer = await desk.request("GET", "/did_groups", include="stock_keeping_units")
    included = answer.document["included"][0]
    assert included["attributes"]["monthly_price"] == "1.50"
    key: str = included["id"]
    return key


async def order(desk: CarrierDesk, *items: dict[str, object], reference: str = "cp-1") -> Answer:
    attributes: dict[str, object] = {
        "external_reference_id": reference,
        "items": [{"type": "did_order_items", "attributes": item} for item in items],
    }
    return await desk.request("POST", "/orders", body("orders", attributes))


async def first_available(desk: CarrierDesk) -> dict[str, object]:
    free = await rows(desk, "/available_dids")
    return {"sku_id": await sku(desk), "available_did_id": free[0]["id"]}


def status_of(answer: Answer) -> str:
    status: str = answer.document["data"]["attributes"]["status"]
    return status


async def test_an_order_pends_completes_and_leads_to_its_numbers(desk: CarrierDesk) -> None:
    desk.settings(order_seconds=60.0)
    placed = await order(desk, await first_available(desk))
    assert (placed.status, status_of(placed)) == (201, "pending")
    item = placed.document["data"]["attributes"]["items"][0]["attributes"]
    assert (item["nrc"], item["mrc"]) == ("1.00", "1.50")
    desk.clock.advance(60.0)
    key = placed.document["data"]["id"]
    assert status_of(await desk.request("GET", f"/orders/{key}")) == "completed"
    bought = await rows(desk, "/dids", **{"filter[order.id]": key})
    assert [row["attributes"]["number"] for row in bought] == ["442079460000"]
    found = await rows(desk, "/orders", **{"filter[external_reference_id]": "cp-1"})
    assert [row["id"] for row in found] == [key]
    assert desk.spent_minor == {"setup": 100, "month": 150}


async def test_numbers_come_by_count_too(desk: CarrierDesk) -> None:
    placed = await order(desk, {"sku_id": await sku(desk), "qty": 3})
    assert status_of(placed) == "completed"
    assert len(desk.owned) == 5
    assert (await order(desk, {"sku_id": await sku(desk), "qty": 100})).status == 422


@pytest.mark.parametrize("effect", ["drop-after", "failed-after"])
async def test_a_lost_answer_leaves_an_order(desk: CarrierDesk, effect: str) -> None:
    desk.fault(effect=effect, kinds=["createOrder"], times=1)
    assert (await order(desk, await first_available(desk))).status in (0, 503)
    found = await rows(desk, "/orders", **{"filter[external_reference_id]": "cp-1"})
    assert len(found) == 1
    assert "+442079460000" in desk.owned


@pytest.mark.parametrize(
    ("effect", "owned"), [("order-fails", 2), ("order-partial", 3), ("number-taken", 2)]
)
async def test_an_order_can_go_wrong(desk: CarrierDesk, effect: str, owned: int) -> None:
    free = await rows(desk, "/available_dids")
    key = await sku(desk)
    items = [{"sku_id": key, "available_did_id": row["id"]} for row in free[:2]]
    desk.fault(effect=effect, kinds=["createOrder"], message="Gone")
    placed = await order(desk, *items)
    if effect == "number-taken":
        assert placed.document["errors"][0]["detail"] == "available_did - is not available"
    else:
        assert status_of(placed) == ("canceled" if owned == 2 else "completed")
    assert len(desk.owned) == owned


async def test_a_number_awaits_its_registration(desk: CarrierDesk) -> None:
    desk.settings(needs_paperwork=True)
    placed = await order(desk, await first_available(desk), reference="cp-1")
    assert status_of(placed) == "completed"
    query = {"filter[number]": "442079460000"}
    desk.clock.advance(9e6)
    (row,) = await rows(desk, "/dids", **query)
    assert row["attributes"]["awaiting_registration"] is True
    desk.portal.reject_paperwork("cp-1", "Proof of address is missing")
    assert await rows(desk, "/address_verifications", **{"filter[status]": "approved"}) == []
    (papers,) = await rows(desk, "/address_verifications", **{"filter[status]": "rejected"})
    assert papers["attributes"]["reject_reasons"] == ["Proof of address is missing"]
    assert papers["relationships"]["dids"]["data"] == [{"type": "dids", "id": row["id"]}]
    desk.portal.approve_paperwork("cp-1")
    (row,) = await rows(desk, "/dids", **query)
    assert row["attributes"]["awaiting_registration"] is False


async def test_a_pending_order_can_be_cancelled(desk: CarrierDesk) -> None:
    desk.settings(order_seconds=60.0)
    placed = await order(desk, await first_available(desk), reference="cp-1")
    path = f"/orders/{placed.document['data']['id']}"
    assert status_of(await desk.request("GET", path)) == "pending"
    assert (await desk.request("DELETE", path)).status == 204
    assert (await desk.request("DELETE", path)).status == 422
    assert status_of(await desk.request("GET", path)) == "canceled"
    desk.clock.advance(60.0)
    assert "+442079460000" not in desk.owned


async def test_a_reservation_is_ordered_or_expires(desk: CarrierDesk) -> None:
    free = await rows(desk, "/available_dids", **{"filter[number_contains]": "0004"})
    link = {"type": "available_dids", "id": free[0]["id"]}
    made = await desk.request(
        "POST", "/did_reservations", body("did_reservations", {}, available_did=link)
    )
    key = made.document["data"]["id"]
    item: dict[str, object] = {"sku_id": await sku(desk), "did_reservation_id": key}
    assert status_of(await order(desk, item)) == "completed"
    assert "+442079460004" in desk.owned
    desk.clock.advance(1800.0)
    late = await order(desk, item)
    assert late.document["errors"][0]["detail"] == "did_reservation - has expired"
    for _ in range(2):
        assert (await desk.request("DELETE", f"/did_reservations/{key}")).status == 204
    assert (await desk.request("GET", f"/did_reservations/{key}")).status == 404


async def make_trunk(desk: CarrierDesk) -> str:
    attributes: dict[str, object] = {"name": "sbc", "configuration": {"host": "sbc.example"}}
    made = await desk.request("POST", "/voice_in_trunks", body("voice_in_trunks", attributes))
    key: str = made.document["data"]["id"]
    return key


async def test_a_number_rings_on_a_trunk(desk: CarrierDesk) -> None:
    trunk = await make_trunk(desk)
    path = f"/dids/{(await rows(desk, '/dids'))[0]['id']}"
    link = {"type": "voice_in_trunks", "id": trunk}
    marked: dict[str, object] = {"description": "cp-1"}
    changed = await desk.request("PATCH", path, body("dids", marked, voice_in_trunk=link))
    data = changed.document["data"]
    assert data["attributes"]["description"] == "cp-1"
    assert data["relationships"]["voice_in_trunk"]["data"] == link
    assert data["relationships"]["voice_in_trunk_group"]["data"] is None
    assert (await desk.request("DELETE", f"/voice_in_trunks/{trunk}")).status == 422
    unknown = body("dids", {}, voice_in_trunk=link | {"id": "7"})
    assert (await desk.request("PATCH", path, unknown)).status == 422
    await desk.request("PATCH", path, body("dids", {}, voice_in_trunk=None))
    assert (await desk.request("DELETE", f"/voice_in_trunks/{trunk}")).status == 204


async def test_a_number_is_terminated_or_lapses(desk: CarrierDesk) -> None:
    first, second = (f"/dids/{row['id']}" for row in await rows(desk, "/dids"))
    gone = await desk.request("PATCH", first, body("dids", {"terminated": True}))
    assert gone.document["data"]["attributes"]["terminated"] is True
    seen = await desk.request("GET", first)
    assert seen.document["data"]["attributes"]["terminated"] is True
    assert OWNED not in desk.owned

    await desk.request("PATCH", second, body("dids", {"billing_cycles_count": 1}))
    assert len(desk.owned) == 1
    desk.clock.advance(desk.world.settings.month_seconds)
    assert await rows(desk, "/dids") == []


async def test_an_emergency_service_becomes_active(desk: CarrierDesk) -> None:
    desk.settings(order_seconds=60.0)
    number = (await rows(desk, "/dids"))[0]["id"]
    links = [{"type": "dids", "id": number}]
    bad = body("emergency_calling_services", {}, dids=links)
    assert (await desk.request("POST", "/emergency_calling_services", bad)).status == 422
    good = body(
        "emergency_calling_services",
        {"name": "leeds"},
        dids=links,
        address={"type": "addresses", "id": "a"},
    )
    made = await desk.request("POST", "/emergency_calling_services", good)
    assert status_of(made) == "new"
    desk.clock.advance(60.0)
    path = f"/emergency_calling_services/{made.document['data']['id']}"
    assert status_of(await desk.request("GET", path)) == "active"
    did = await desk.request("GET", f"/dids/{number}")
    assert did.document["data"]["attributes"]["emergency_enabled"] is True
    assert (await desk.request("DELETE", path)).status == 204


async def test_errors_are_json_api_and_keys_are_asked_for(desk: CarrierDesk) -> None:
    missing = await desk.request("GET", "/dids/none")
    assert missing.document["errors"][0]["status"] == "404"
    empty = await desk.request("POST", "/orders", {})
    assert (empty.status, empty.document["errors"][0]["code"]) == (400, "100")
    assert (await desk.request("POST", "/did_reservations", {})).status == 422
    balance = await desk.request("GET", "/balance")
    assert balance.document["data"]["attributes"]["balance"] == "1000.00"
    desk.calls.headers["api-key"] = "wrong"
    assert (await desk.request("GET", "/dids")).status == 401
