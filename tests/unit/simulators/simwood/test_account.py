"""Who may ask, how often, and what the account, its trunks and its ports answer."""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import urlencode

import pytest

from callplane.simulators.recording import Outcome
from callplane.testing.carrier_desk import CarrierDesk

A = "930000"
OWNED = "441614960000"
PATH = f"/numbers/{A}/allocated/{OWNED}"
TRUNK = f"/voice/{A}/trunks/{A}-CALLPLANE"
PORT = {
    "mbn": "01632960100",
    "lcp": "Northern Example Telecom",
    "lcp_cupid": "1",
    "contact_email": "ports@example.com",
    "account_number": "A1",
    "billing_postcode": "LS11 5DF",
    "type": "single",
    "lines": 1,
    "channels": 1,
}


async def test_credentials_are_asked_for_everywhere_but_the_tools(desk: CarrierDesk) -> None:
    wrong = base64.b64encode(b"simulated-user:wrong").decode()
    for header in ("", "Basic ???", "Bearer x", f"Basic {wrong}"):
        desk.calls.headers["authorization"] = header
        answer = await desk.request("GET", PATH)
        assert answer.status == 401
        assert answer.document["success"] is False
    assert (await desk.request("GET", "/tools/time")).status == 200
    assert (await desk.request("GET", "/tools/myip")).document["data"] == {"ip": "127.0.0.1"}


async def test_a_revoked_key_and_one_that_only_reads(desk: CarrierDesk) -> None:
    desk.portal.revoke_key("simulated-user")
    assert (await desk.request("GET", PATH)).status == 401
    desk.portal.restore_key("simulated-user", may_write=False)
    assert (await desk.request("GET", PATH)).status == 200
    assert (await desk.request("DELETE", PATH)).status == 403
    assert f"+{OWNED}" in desk.owned


async def test_another_accounts_paths_are_closed(desk: CarrierDesk) -> None:
    assert (await desk.request("GET", "/accounts/930001/type")).status == 403
    assert (await desk.request("GET", "/nothing")).status == 404
    assert (await desk.request("DELETE", f"/accounts/{A}/type")).status == 405


async def test_failures_may_come_under_200(desk: CarrierDesk) -> None:
    desk.settings(refuses_with_200=True)
    answer = await desk.request("PUT", f"/numbers/{A}/allocated/442079460999")
    assert answer.status == 200
    assert answer.document["success"] is False


@pytest.mark.parametrize(
    ("settings", "header"),
    [
        ({}, "1"),
        ({"omits_retry_after": True}, None),
        ({"retry_after_is_date": True}, "Mon, 02 Mar 2026 09:00:01 GMT"),
    ],
)
async def test_budgets_say_how_long_in_three_ways(
    desk: CarrierDesk, settings: dict[str, object], header: str | None
) -> None:
    desk.settings(reads_per_second=2.0, read_burst=1.0, **settings)
    assert (await desk.request("GET", PATH)).status == 200
    refused = await desk.request("GET", PATH)
    assert refused.status == 429
    assert refused.headers.get("retry-after") == header
    assert desk.world.recorder.requests()[-1].outcome is Outcome.THROTTLED


@pytest.mark.parametrize(
    ("rule", "status"),
    [
        ({"effect": "status", "status": 500, "message": "oh"}, 500),
        ({"effect": "status", "status": 429, "retry_after_seconds": 7}, 429),
        ({"effect": "token-rejected"}, 401),
    ],
)
async def test_a_struck_request_does_nothing(
    desk: CarrierDesk, rule: dict[str, object], status: int
) -> None:
    desk.fault(kinds=["writes"], times=1, **rule)
    assert (await desk.request("DELETE", PATH)).status == status
    assert f"+{OWNED}" in desk.owned
    assert (await desk.request("DELETE", PATH)).status == 200


async def test_late_commits_and_delays_take_their_time(desk: CarrierDesk) -> None:
    desk.fault(effect="late-commit", kinds=["releaseNumber"], seconds=9.0)
    desk.fault(effect="delay", kinds=["getNumber"], seconds=30.0)
    await desk.request("DELETE", PATH)
    assert desk.world.changes.changes[-1].at == pytest.approx(9.0)
    await desk.request("GET", PATH)
    assert desk.clock.monotonic() == pytest.approx(39.0)


async def test_the_account_shows_its_type_fences_and_limits(desk: CarrierDesk) -> None:
    kind = await desk.request("GET", f"/accounts/{A}/type")
    assert kind.document["data"]["account_type"] == "startup"
    fence = f"/accounts/{A}/prepay/balance/locked"
    assert (await desk.request("GET", fence)).status == 404
    await desk.request("PUT", fence, {"balance": 20})
    assert (await desk.request("GET", fence)).document["data"] == {"balance": 20}
    assert (await desk.request("PUT", f"/accounts/{A}/prepay/balance/odd", {})).status == 404
    desk.portal.set_balance(6_000)
    limits = await desk.request("GET", f"/voice/{A}/limits")
    assert limits.document["data"]["dynamic"]["limit_concurrent_out"] == "15"
    assert (await desk.request("GET", f"/voice/{A}/cdr")).document["data"] == []


async def test_a_form_with_a_payload_is_a_body_too(desk: CarrierDesk) -> None:
    body = urlencode({"payload": f'{{"trunk":"{A}-L001"}}'}).encode()
    answer = await desk.calls.request(
        "PUT",
        f"/v3{PATH}/trunk",
        body=body,
        headers={"content-type": "application/x-www-form-urlencoded"},
    )
    assert answer.status == 200
    assert (await desk.request("PUT", f"{PATH}/trunk", b"{")).status == 400


async def test_a_trunk_shows_its_password_once(desk: CarrierDesk) -> None:
    desk.settings(listing_lag_seconds=5.0)
    made = (await desk.request("PUT", TRUNK, {"enabled": True})).document["data"]
    again = (await desk.request("PUT", TRUNK, {"max_dur": 3600})).document["data"]
    reset = (await desk.request("POST", f"{TRUNK}/password_reset", {})).document["data"]

    assert made["password"] != reset["password"]
    assert "password" not in again
    listed = (await desk.request("GET", f"/voice/{A}/trunks")).document["data"]
    assert [trunk["name"] for trunk in listed] == [f"{A}-L001"]
    desk.clock.advance(5.0)
    listed = (await desk.request("GET", f"/voice/{A}/trunks")).document["data"]
    assert [trunk["name"] for trunk in listed] == [f"{A}-L001", f"{A}-CALLPLANE"]


async def test_a_bad_trunk_setting_does_not_stop_the_good_ones(desk: CarrierDesk) -> None:
    answer = await desk.request("PUT", TRUNK, {"max_dur": 3600, "limit_rate_out": "fast"})
    assert answer.document["errors"] == ["Invalid parameter limit_rate_out"]
    assert answer.document["data"]["max_dur"] == 3600

    desk.fault(effect="applied-in-part", kinds=["putTrunk"], times=1)
    await desk.request("PUT", TRUNK, {"max_dur": 60, "enable_in": False})
    trunk = (await desk.request("GET", TRUNK)).document["data"]
    assert (trunk["max_dur"], trunk["enable_in"]) == (60, True)


async def test_the_default_trunk_stays(desk: CarrierDesk) -> None:
    default = f"/voice/{A}/trunks/{A}-L001"
    assert (await desk.request("DELETE", default)).status == 400
    assert (await desk.request("PUT", f"{default}/balance", {"balance": 5})).status == 400
    assert (await desk.request("PUT", f"/voice/{A}/trunks/OTHER", {})).status == 400
    await desk.request("PUT", TRUNK, {})
    assert (await desk.request("DELETE", TRUNK)).status == 200
    assert (await desk.request("GET", TRUNK)).status == 404


async def test_lists_and_balances_of_a_trunk(desk: CarrierDesk) -> None:
    await desk.request("PUT", TRUNK, {"type": "ip"})
    await desk.request("PUT", f"{TRUNK}/acl/192.0.2.10")
    assert (await desk.request("PUT", f"{TRUNK}/acl/nowhere")).status == 400
    assert (await desk.request("GET", f"{TRUNK}/acl")).document["data"] == ["192.0.2.10"]
    assert (await desk.request("DELETE", f"{TRUNK}/acl/192.0.2.10")).status == 200
    wanted = {"allow": [441, 442], "deny": [44870]}
    await desk.request("PUT", f"{TRUNK}/destinationacl", wanted)
    assert (await desk.request("GET", f"{TRUNK}/destinationacl")).document["data"] == wanted
    await desk.request("DELETE", f"{TRUNK}/destinationacl")
    assert (await desk.request("GET", f"{TRUNK}/destinationacl")).document["data"] is None
    await desk.request("PUT", f"{TRUNK}/balance", {"balance": 200})
    adjusted = await desk.request("PUT", f"{TRUNK}/balance", {"adjust": -20})
    assert adjusted.document["data"] == {"balance": "180.00"}


async def test_put_appends_numbers_and_post_replaces_them(desk: CarrierDesk) -> None:
    await desk.request("PUT", TRUNK, {})
    path = f"{TRUNK}/numbers"
    await desk.request("PUT", path, {"data": [OWNED]})
    both = await desk.request("PUT", path, {"data": ["441614960001"]})
    assert both.document["data"] == [OWNED, "441614960001"]
    one = await desk.request("POST", path, {"data": [OWNED]})
    assert one.document["data"] == [OWNED]
    stranger = await desk.request("PUT", path, {"data": ["442079460000"]})
    assert stranger.status == 404


async def test_a_port_walks_through_its_states(desk: CarrierDesk) -> None:
    opened = (await desk.request("POST", f"/porting/{A}/gnp", PORT)).document
    seen = []
    for _ in range(4):
        port = (await desk.request("GET", f"/porting/{A}/gnp/{opened['ref']}")).document["data"]
        seen.append(port["status_code"])
        desk.clock.advance(86_400)

    assert seen == ["rcvd", "submitted_lcp", "accepted", "complete"]
    assert "+441632960100" in desk.owned
    assert desk.spent_minor["port"] > 0
    assert len((await desk.request("GET", f"/porting/{A}/gnp")).document["data"]) == 1


async def test_a_refused_port_is_sent_again_with_its_reference(desk: CarrierDesk) -> None:
    ref = (await desk.request("POST", f"/porting/{A}/gnp", PORT)).document["ref"]
    assert (await desk.request("POST", f"/porting/{A}/gnp", PORT | {"orig_ref": ref})).status == 400
    desk.portal.reject_port(ref, "rejected", "Postcode does not match")
    desk.clock.advance(10 * 86_400)
    port: dict[str, Any] = (await desk.request("GET", f"/porting/{A}/gnp/{ref}")).document["data"]

    assert (port["status_code"], port["status"]) == ("rejected", "Postcode does not match")
    assert "+441632960100" not in desk.owned
    again = await desk.request("POST", f"/porting/{A}/gnp", PORT | {"orig_ref": ref})
    desk.portal.move_port_date(again.document["ref"], "2026-04-01")
    port = (await desk.request("GET", f"/porting/{A}/gnp/{again.document['ref']}")).document["data"]
    assert (port["orig_ref"], port["port_date"]) == (ref, "2026-04-01")


@pytest.mark.parametrize(
    "change",
    [
        {"mbn": "+441632960100"},
        {"mbn": "03069990123"},
        {"mbn": "09098790123"},
        {"lcp_cupid": "77"},
        {"type": "quick"},
        {"billing_postcode": ""},
        {"speed": 1},
    ],
)
async def test_what_cannot_be_ported_is_refused(
    desk: CarrierDesk, change: dict[str, object]
) -> None:
    answer = await desk.request("POST", f"/porting/{A}/gnp", PORT | change)
    assert answer.status == 400
    assert desk.account.ports == {}


async def test_a_mobile_port_goes_by_its_code(desk: CarrierDesk) -> None:
    body = {"msisdn": "447700900123", "pac": "ABC123456", "contact_email": "a@example.com"}
    assert (await desk.request("POST", f"/porting/{A}/mnp", body | {"pac": "1"})).status == 400
    await desk.request("POST", f"/porting/{A}/mnp", body)
    desk.clock.advance(2 * 86_400)
    port = (await desk.request("GET", f"/porting/{A}/mnp/ABC123456")).document["data"]
    assert port["status_code"] == "complete"
    assert "+447700900123" in desk.owned
    carriers = await desk.request("GET", f"/porting/{A}/lcps")
    assert carriers.document["cps"][0]["cupid"] == "001"
