"""What the simulated Telnyx answers and refuses is what the vendor's contract says."""

from __future__ import annotations

from typing import Any

import pytest

from callplane.testing.asgi_calls import Answer

FIRST = "+442079460000"
OWNED = "+441614960000"
PORTED = "+441134960000"

NOT_SIMULATED = {
    "ListAvailablePhoneNumberBlocks",
    "CreateInventoryCoverage",
    "UpdateNumberOrder",
    "RetrieveOrderPhoneNumbers",
    "UpdateNumberOrderPhoneNumber",
    "UpdateSubNumberOrder",
    "ListAllowedFocWindows",
    "ListPortingPhoneNumbers",
    "ListRequirements",
    "ListRegulatoryRequirements",
    "ValidateAddress",
}
"""Operations of the contract that nothing here needs yet; the simulator answers them 404 or 405."""


async def visit_orders(visitor: Any) -> None:
    call = visitor.call
    await call("GET", "/available_phone_numbers", **{"filter[country_code]": "GB"})
    numbers = {"phone_numbers": [{"phone_number": FIRST}], "customer_reference": "cp-1"}
    held = (await call("POST", "/number_reservations", numbers))["data"]
    await call("GET", "/number_reservations")
    await call("GET", f"/number_reservations/{held['id']}")
    await call("POST", f"/number_reservations/{held['id']}/actions/extend")
    visitor.desk.settings(order_seconds=60.0)
    order = (await call("POST", "/number_orders", numbers))["data"]
    await call("GET", f"/sub_number_orders/{order['id']}")
    await call("PATCH", f"/sub_number_orders/{order['id']}/cancel")
    order = (await call("POST", "/number_orders", numbers))["data"]
    visitor.desk.clock.advance(60.0)
    visitor.desk.settings(order_seconds=0.0)
    await call("GET", "/number_orders", **{"filter[customer_reference]": "cp-1"})
    await call("GET", f"/number_orders/{order['id']}")
    await call("GET", f"/number_order_phone_numbers/{order['phone_numbers'][0]['id']}")
    await call("GET", "/sub_number_orders")
    await call("POST", "/number_orders", numbers)
    await call("GET", "/number_orders/none")


async def visit_numbers(visitor: Any) -> None:
    call = visitor.call
    row = (await call("GET", "/phone_numbers"))["data"][0]
    path = f"/phone_numbers/{row['id']}"
    await call("GET", "/phone_numbers/slim")
    await call("GET", path)
    await call("PATCH", path, {"tags": ["cp"], "customer_reference": "cp-1"})
    await call("GET", f"{path}/voice")
    await call("PATCH", f"{path}/voice", {"tech_prefix_enabled": True})
    lock = {"phone_numbers": [OWNED], "deletion_lock_enabled": True}
    await call("POST", "/phone_numbers/jobs/update_phone_numbers", lock)
    gone = {"phone_numbers": [OWNED, "+441614960001"]}
    job = (await call("POST", "/phone_numbers/jobs/delete_phone_numbers", gone))["data"]
    await call("GET", f"/phone_numbers/jobs/{job['id']}")
    await call("GET", "/phone_numbers/jobs")
    await call("DELETE", path)
    row = (await call("GET", "/phone_numbers", **{"filter[phone_number]": "0002"}))["data"][0]
    await call("DELETE", f"/phone_numbers/{row['id']}")


THINGS: dict[str, dict[str, object]] = {
    "/fqdn_connections": {"connection_name": "sbc", "inbound": {"sip_region": "Europe"}},
    "/ip_connections": {"connection_name": "sbc"},
    "/fqdns": {"fqdn": "sbc.example", "dns_record_type": "a", "port": 5061},
    "/ips": {"ip_address": "192.0.2.10"},
    "/outbound_voice_profiles": {"name": "uk-voice", "daily_spend_limit": "10.00"},
    "/addresses": {
        "first_name": "Ada",
        "last_name": "Example",
        "business_name": "Example Ltd",
        "country_code": "GB",
        "locality": "Leeds",
        "street_address": "1 Sample Street",
    },
    "/requirement_groups": {
        "country_code": "GB",
        "phone_number_type": "local",
        "action": "ordering",
    },
}


async def visit_things(visitor: Any) -> None:
    call, desk = visitor.call, visitor.desk
    connection = await desk.request("POST", "/fqdn_connections", {"connection_name": "other"})
    for path, body in THINGS.items():
        if path == "/fqdns":
            body = body | {"connection_id": connection.document["data"]["id"]}
        made = await call("POST", path, body)
        key = made.get("data", made)["id"]
        await call("GET", path)
        await call("GET", f"{path}/{key}")
        if path != "/addresses":
            await call("PATCH", f"{path}/{key}", body)
        if path == "/requirement_groups":
            await call("POST", f"{path}/{key}/submit_for_approval")
        await call("DELETE", f"{path}/{key}")


async def visit_ports(visitor: Any) -> None:
    call = visitor.call
    await call("POST", "/portability_checks", {"phone_numbers": [PORTED, "+449098790123"]})
    await call("GET", "/porting/uk_carriers")
    port = (await call("POST", "/porting_orders", {"phone_numbers": [PORTED]}))["data"][0]
    path = f"/porting_orders/{port['id']}"
    await call("PATCH", path, {"end_user": {"admin": {"entity_name": "Example Ltd"}}})
    await call("POST", f"{path}/actions/confirm")
    visitor.desk.portal.reject_port(port["id"], "exception", "POSTAL_CODE_MISMATCH", closes=False)
    await call("GET", path)
    await call("GET", "/porting_orders")
    await call("POST", f"{path}/actions/cancel")
    await call("DELETE", path)
    port = (await call("POST", "/porting_orders", {"phone_numbers": [PORTED]}))["data"][0]
    await call("DELETE", f"/porting_orders/{port['id']}")


async def test_every_answer_has_the_shape_of_the_contract(visitor: Any, judge: Any) -> None:
    await visit_orders(visitor)
    await visit_numbers(visitor)
    await visit_things(visitor)
    await visit_ports(visitor)
    await visitor.call("GET", "/balance")
    await visitor.call("GET", "/detail_records", **{"filter[record_type]": "sip-trunking"})

    assert NOT_SIMULATED.isdisjoint(visitor.visited)
    assert set(visitor.visited) | NOT_SIMULATED == set(judge.operations)
    refused = {name for name, statuses in visitor.visited.items() if max(statuses) >= 400}
    assert refused == {
        "CreateNumberOrder",
        "RetrieveNumberOrder",
        "DeletePhoneNumber",
        "DeletePortingOrder",
    }


@pytest.mark.parametrize(
    ("rule", "status"),
    [
        ({"effect": "status", "status": 500, "code": "10007"}, 500),
        ({"effect": "failed-after", "status": 500, "code": "10007"}, 500),
        ({"effect": "token-rejected"}, 401),
    ],
)
async def test_every_misfortune_has_the_shape_of_the_contract(
    visitor: Any, rule: dict[str, object], status: int
) -> None:
    visitor.desk.fault(**rule)
    await visitor.call("GET", "/phone_numbers")
    await visitor.call("POST", "/number_orders", {"phone_numbers": [{"phone_number": FIRST}]})
    assert set().union(*visitor.visited.values()) == {status}


def test_the_judge_can_refuse(judge: Any) -> None:
    bad = Answer(200, {}, b'{"data":[{"status":"under-a-spell"}]}')
    with pytest.raises(AssertionError, match="under-a-spell"):
        judge.check("ListPhoneNumbers", bad)
    with pytest.raises(AssertionError, match="no answer 418"):
        judge.check("ListPhoneNumbers", Answer(418, {}, b""))
    with pytest.raises(AssertionError, match="the contract has no"):
        judge.operation("GET", "/nowhere")
