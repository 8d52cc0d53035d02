"""Telnyx's keys, connections, emergency addresses, balance and ports."""

from __future__ import annotations

from typing import Any

import pytest

from callplane.testing.carrier_desk import CarrierDesk

OWNED = "+441614960000"
PORTED = "+441134960000"
END_USER = {"end_user": {"admin": {"entity_name": "Example Ltd"}}}


async def made(desk: CarrierDesk, path: str, body: dict[str, object]) -> dict[str, Any]:
    answer = await desk.request("POST", path, body)
    assert answer.status in (200, 201), answer.document
    document = answer.document["data"]
    found: dict[str, Any] = document[0] if isinstance(document, list) else document
    return found


async def test_a_key_is_asked_for(desk: CarrierDesk) -> None:
    for header in ("", "Bearer wrong", "Basic simulated-secret"):
        desk.calls.headers["authorization"] = header
        answer = await desk.request("GET", "/balance")
        assert (answer.status, answer.document["errors"][0]["code"]) == (401, "10009")


async def test_a_reading_key_and_unknown_paths(desk: CarrierDesk) -> None:
    desk.portal.restore_key("simulated-user", may_write=False)
    refused = await desk.request("POST", "/number_orders", {})
    assert (refused.status, refused.document["errors"][0]["code"]) == (403, "10010")
    assert (await desk.request("GET", "/nothing")).status == 404
    assert (await desk.request("POST", "/number_reservations", b"{")).status == 403
    desk.portal.restore_key("simulated-user")
    assert (await desk.request("POST", "/number_reservations", b"{")).status == 400


async def test_throttling_speaks_the_vendors_words(desk: CarrierDesk) -> None:
    desk.settings(reads_per_second=1.0)
    assert (await desk.request("GET", "/balance")).status == 200
    refused = await desk.request("GET", "/balance")
    assert (refused.status, refused.document["errors"][0]["code"]) == (429, "10011")
    assert refused.headers["retry-after"] == "1"


async def test_money_is_text(desk: CarrierDesk) -> None:
    desk.portal.set_balance(1234)
    answer = await desk.request("GET", "/balance")
    assert answer.document["data"]["available_credit"] == "12.34"
    body = {"phone_numbers": [{"phone_number": "+442079460000"}]}
    desk.portal.set_balance(1)
    assert (await desk.request("POST", "/number_orders", body)).status == 422


async def test_a_connection_has_the_vendors_defaults(desk: CarrierDesk) -> None:
    connection = await made(desk, "/fqdn_connections", {"connection_name": "sbc"})
    assert connection["inbound"]["ani_number_format"] == "E.164-national"
    assert connection["transport_protocol"] == "UDP"
    path = f"/fqdn_connections/{connection['id']}"
    changed = await desk.request(
        "PATCH", path, {"inbound": {"sip_region": "Europe"}, "transport_protocol": "TLS"}
    )
    assert changed.document["data"]["inbound"]["sip_region"] == "Europe"
    assert changed.document["data"]["inbound"]["dnis_number_format"] == "e164"
    assert (await desk.request("PATCH", path, {"transport_protocol": "SCTP"})).status == 422
    assert (await desk.request("POST", "/fqdn_connections", {})).status == 422
    fqdn = {
        "connection_id": connection["id"],
        "fqdn": "sbc.example",
        "dns_record_type": "a",
        "port": None,
    }
    assert (await made(desk, "/fqdns", fqdn))["dns_record_type"] == "srv"
    assert (await made(desk, "/fqdns", fqdn | {"port": 5061}))["dns_record_type"] == "a"
    assert (await desk.request("POST", "/fqdns", fqdn | {"connection_id": "7"})).status == 422


async def test_a_number_is_pointed_at_a_connection_that_exists(desk: CarrierDesk) -> None:
    row = (await desk.request("GET", "/phone_numbers")).document["data"][0]
    path = f"/phone_numbers/{row['id']}"
    assert (await desk.request("PATCH", path, {"connection_id": "7"})).status == 422
    connection = await made(desk, "/fqdn_connections", {"connection_name": "sbc"})
    changed = await desk.request("PATCH", path, {"connection_id": connection["id"]})
    assert changed.document["data"]["connection_name"] == "sbc"
    assert (await desk.request("DELETE", f"/fqdn_connections/{connection['id']}")).status == 422
    await desk.request("PATCH", path, {"connection_id": None})
    assert (await desk.request("DELETE", f"/fqdn_connections/{connection['id']}")).status == 200


async def test_an_emergency_address_is_attached_and_taken_off(desk: CarrierDesk) -> None:
    address = await made(
        desk,
        "/addresses",
        {
            "first_name": "Ada",
            "last_name": "Example",
            "business_name": "Example Ltd",
            "country_code": "GB",
            "locality": "Leeds",
            "street_address": "1 Sample Street",
        },
    )
    row = (await desk.request("GET", "/phone_numbers")).document["data"][0]
    path = f"/phone_numbers/{row['id']}"
    enable = {"emergency_enabled": True, "emergency_address_id": address["id"]}
    assert (await desk.request("POST", f"{path}/actions/enable_emergency", enable)).status == 200
    shown = (await desk.request("GET", path)).document["data"]
    assert (shown["emergency_enabled"], shown["emergency_address_id"]) == (True, address["id"])
    enable["emergency_enabled"] = False
    await desk.request("POST", f"{path}/actions/enable_emergency", enable)
    assert not (await desk.request("GET", path)).document["data"]["emergency_enabled"]
    unknown = {"emergency_enabled": True, "emergency_address_id": "7"}
    assert (await desk.request("POST", f"{path}/actions/enable_emergency", unknown)).status == 422


async def port_status(desk: CarrierDesk, key: str) -> dict[str, Any]:
    answer = await desk.request("GET", f"/porting_orders/{key}")
    status: dict[str, Any] = answer.document["data"]["status"]
    return status


async def test_a_port_is_drafted_completed_confirmed_and_done(desk: CarrierDesk) -> None:
    port = await made(desk, "/porting_orders", {"phone_numbers": [PORTED]})
    path = f"/porting_orders/{port['id']}"
    assert port["status"]["value"] == "draft"
    assert (await desk.request("POST", f"{path}/actions/confirm", {})).status == 422
    await desk.request("PATCH", path, END_USER)
    await desk.request("POST", f"{path}/actions/confirm", {})
    assert (await desk.request("DELETE", path)).status == 422
    desk.portal.reject_port(port["id"], "exception", "POSTAL_CODE_MISMATCH", closes=False)
    status = await port_status(desk, port["id"])
    assert status["details"][0]["code"] == "POSTAL_CODE_MISMATCH"
    await desk.request("PATCH", path, {"end_user": {"location": {"postal_code": "LS11 5DF"}}})
    await desk.request("POST", f"{path}/actions/confirm", {})
    desk.clock.advance(3 * 86_400.0)

    assert (await port_status(desk, port["id"]))["value"] == "ported"
    rows = (await desk.request("GET", "/phone_numbers")).document["data"]
    assert {row["phone_number"]: row["source_type"] for row in rows}[PORTED] == "port_request"


async def test_a_draft_is_deleted_and_a_port_cancelled(desk: CarrierDesk) -> None:
    draft = await made(desk, "/porting_orders", {"phone_numbers": [PORTED]})
    assert (await desk.request("DELETE", f"/porting_orders/{draft['id']}")).status == 204
    port = await made(desk, "/porting_orders", {"phone_numbers": [PORTED]})
    path = f"/porting_orders/{port['id']}"
    await desk.request("PATCH", path, END_USER)
    await desk.request("POST", f"{path}/actions/confirm", {})
    assert (await desk.request("POST", f"{path}/actions/cancel", {})).status == 200
    desk.clock.advance(9 * 86_400.0)
    assert (await port_status(desk, port["id"]))["value"] == "cancelled"
    assert PORTED not in desk.owned


@pytest.mark.parametrize(("number", "portable"), [(PORTED, True), ("+449098790123", False)])
async def test_what_can_be_ported(desk: CarrierDesk, number: str, portable: bool) -> None:
    answer = await desk.request("POST", "/portability_checks", {"phone_numbers": [number]})
    assert answer.status == 201
    assert answer.document["data"][0]["portable"] is portable
    drafted = await desk.request("POST", "/porting_orders", {"phone_numbers": [number]})
    assert (drafted.status == 201) is portable


async def test_detail_records_want_a_type(desk: CarrierDesk) -> None:
    assert (await desk.request("GET", "/detail_records")).status == 400
    query = {"filter[record_type]": "sip-trunking"}
    assert (await desk.request("GET", "/detail_records", **query)).document["data"] == []
