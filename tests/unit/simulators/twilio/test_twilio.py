"""Twilio numbers are searched, bought with their papers, put on trunks and released."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from callplane.simulators.twilio.world import DEFAULT_SID
from callplane.testing.asgi_calls import Answer
from callplane.testing.carrier_desk import CarrierDesk

A = f"/2010-04-01/Accounts/{DEFAULT_SID}"
FIRST = "+442079460000"
OWNED = "+441614960000"
BUY = "IncomingPhoneNumbers.json"
BUNDLES = "/v2/RegulatoryCompliance/Bundles"
ADDRESS = {
    "CustomerName": "Example Ltd",
    "Street": "1 Sample Street",
    "City": "Leeds",
    "Region": "West Yorkshire",
    "PostalCode": "LS11 5DF",
    "IsoCountry": "GB",
}


async def owned_rows(desk: CarrierDesk, **query: str) -> list[dict[str, Any]]:
    answer = await desk.request("GET", f"{A}/{BUY}", **query)
    rows: list[dict[str, Any]] = answer.document["incoming_phone_numbers"]
    return rows


def refusal(answer: Answer) -> tuple[int, int]:
    assert answer.document["status"] == answer.status
    return answer.status, answer.document["code"]


async def test_a_search_has_no_price_and_prices_are_elsewhere(desk: CarrierDesk) -> None:
    path = f"{A}/AvailablePhoneNumbers/GB/Local.json"
    answer = await desk.request("GET", path, Contains="4420*3", PageSize="5")
    assert [row["phone_number"] for row in answer.document["available_phone_numbers"]] == [
        "+442079460003"
    ]
    assert "price" not in answer.document["available_phone_numbers"][0]
    prices = await desk.request("GET", "/v1/PhoneNumbers/Countries/GB")
    assert prices.document["phone_number_prices"] == [
        {"number_type": "local", "base_price": "1.50", "current_price": "1.50"}
    ]
    none = await desk.request("GET", f"{A}/AvailablePhoneNumbers/GB/Odd.json")
    assert refusal(none) == (404, 20404)


async def test_a_number_is_bought_and_buying_again_updates(desk: CarrierDesk, post: Any) -> None:
    bought = await post(BUY, PhoneNumber=FIRST, FriendlyName="one")
    again = await post(BUY, PhoneNumber=FIRST, FriendlyName="two")
    assert (bought.status, again.status) == (201, 201)
    assert bought.document["sid"] == again.document["sid"]
    assert (again.document["status"], again.document["friendly_name"]) == ("in-use", "two")
    assert desk.spent_minor == {"setup": 100, "month": 150}


@pytest.mark.parametrize(
    ("form", "code"),
    [
        ({"PhoneNumber": "442079460000"}, 21421),
        ({"PhoneNumber": "+442079460999"}, 21422),
        ({"AreaCode": "113"}, 21452),
        ({}, 21452),
        ({"PhoneNumber": FIRST, "TrunkSid": "TK0"}, 20001),
    ],
)
async def test_refusals_carry_the_vendors_numbers(
    desk: CarrierDesk, post: Any, form: dict[str, str], code: int
) -> None:
    assert refusal(await post(BUY, **form)) == (400, code)
    assert desk.spent_minor == {}


async def test_an_area_gives_its_first_number(desk: CarrierDesk, post: Any) -> None:
    assert (await post(BUY, AreaCode="020")).document["phone_number"] == FIRST


async def test_a_number_sold_meanwhile(desk: CarrierDesk, post: Any) -> None:
    desk.fault(effect="number-taken", kinds=["buyNumber"], times=1)
    assert refusal(await post(BUY, PhoneNumber=FIRST)) == (400, 21422)
    desk.settings(rebuying_succeeds=False)
    assert refusal(await post(BUY, PhoneNumber=OWNED)) == (400, 21422)


@pytest.mark.parametrize("effect", ["drop-after", "failed-after"])
async def test_a_lost_answer_leaves_the_number_bought(
    desk: CarrierDesk, post: Any, effect: str
) -> None:
    desk.fault(effect=effect, kinds=["buyNumber"], times=1)
    answer = await post(BUY, PhoneNumber=FIRST)
    assert answer.status == 0 or refusal(answer) == (503, 20500)
    assert len(await owned_rows(desk, PhoneNumber=FIRST)) == 1


async def test_papers_are_wanted_and_reviewed_by_people(desk: CarrierDesk, post: Any) -> None:
    desk.settings(needs_paperwork=True)
    assert refusal(await post(BUY, PhoneNumber=FIRST)) == (400, 21649)
    made = await post(BUNDLES, FriendlyName="uk", Email="a@example.com")
    bundle, path = made.document["sid"], f"{BUNDLES}/{made.document['sid']}"
    assert made.document["status"] == "draft"
    assert refusal(await post(path, Status="twilio-approved")) == (400, 20001)
    await post(path, Status="pending-review")
    assert refusal(await post(BUY, PhoneNumber=FIRST, BundleSid=bundle)) == (400, 21649)
    desk.portal.approve_bundle(bundle)  # type: ignore[attr-defined]
    assert refusal(await post(BUY, PhoneNumber=FIRST, BundleSid=bundle)) == (400, 21631)
    address = (await post("Addresses.json", **ADDRESS)).document["sid"]
    good = await post(BUY, PhoneNumber=FIRST, BundleSid=bundle, AddressSid=address)
    assert good.status == 201
    desk.portal.reject_bundle(bundle)  # type: ignore[attr-defined]
    rejected = await desk.request("GET", BUNDLES, Status="twilio-rejected")
    assert [row["sid"] for row in rejected.document["results"]] == [bundle]


async def test_an_emergency_address_stands_in_the_way_of_release(
    desk: CarrierDesk, post: Any
) -> None:
    address = (await post("Addresses.json", **ADDRESS)).document["sid"]
    sid = (await owned_rows(desk))[0]["sid"]
    path = f"{A}/IncomingPhoneNumbers/{sid}.json"
    shown = await post(path, EmergencyAddressSid=address, EmergencyStatus="Active")
    assert shown.document["emergency_address_status"] == "registered"
    assert refusal(await desk.request("DELETE", path)) == (409, 20409)
    used = await desk.request("DELETE", f"{A}/Addresses/{address}.json")
    assert refusal(used) == (409, 20409)
    await post(path, EmergencyAddressSid="")
    assert (await desk.request("DELETE", path)).status == 204
    assert (await desk.request("GET", path)).status == 404
    assert OWNED not in desk.owned


async def test_a_trunk_silences_voice_urls(desk: CarrierDesk, post: Any) -> None:
    trunk = (await post("/v1/Trunks", FriendlyName="sbc", Secure="true")).document
    assert trunk["secure"] is True
    sid = (await owned_rows(desk))[0]["sid"]
    path = f"{A}/IncomingPhoneNumbers/{sid}.json"
    assert (await post(path, VoiceUrl="https://pbx.example")).document["voice_url"]
    shown = (await post(path, TrunkSid=trunk["sid"])).document
    assert (shown["voice_url"], shown["trunk_sid"]) == ("", trunk["sid"])
    on_trunk = f"/v1/Trunks/{trunk['sid']}/PhoneNumbers"
    assert len((await desk.request("GET", on_trunk)).document["phone_numbers"]) == 1
    assert (await desk.request("DELETE", f"{on_trunk}/{sid}")).status == 204
    assert (await post(on_trunk, PhoneNumberSid=sid)).status == 201
    assert (await desk.request("DELETE", f"/v1/Trunks/{trunk['sid']}")).status == 204
    assert (await owned_rows(desk))[0]["trunk_sid"] is None


async def test_a_trunk_is_told_where_to_call(desk: CarrierDesk, post: Any) -> None:
    trunk = (await post("/v1/Trunks", FriendlyName="sbc")).document["sid"]
    path = f"/v1/Trunks/{trunk}/OriginationUrls"
    form = {"FriendlyName": "a", "Priority": "1", "Weight": "1", "Enabled": "true"}
    assert refusal(await post(path, SipUrl="http://x", **form)) == (400, 20001)
    made = await post(path, SipUrl="sip:sbc.example", **form)
    assert (await post(path, SipUrl="sip:x", **{**form, "Weight": "much"})).status == 400
    urls = (await desk.request("GET", path)).document["origination_urls"]
    assert [url["sid"] for url in urls] == [made.document["sid"]]
    assert (await desk.request("DELETE", f"{path}/{made.document['sid']}")).status == 204
    desk.fault(effect="applied-in-part", kinds=["updateTrunk"], times=1)
    changed = await post(f"/v1/Trunks/{trunk}", FriendlyName="b", Secure="true")
    assert (changed.document["friendly_name"], changed.document["secure"]) == ("b", False)


async def test_pages_lead_to_the_next_one_in_both_styles(desk: CarrierDesk, post: Any) -> None:
    first = await desk.request("GET", f"{A}/{BUY}", PageSize="1")
    second = await desk.calls.request("GET", first.document["next_page_uri"])
    assert second.document["next_page_uri"] is None
    assert second.document["incoming_phone_numbers"][0]["phone_number"] == "+441614960001"
    for name in ("a", "b"):
        await post("/v1/Trunks", FriendlyName=name)
    newer = await desk.request("GET", "/v1/Trunks", PageSize="1")
    assert newer.document["meta"]["next_page_url"].startswith("http://twilio.test/v1/Trunks?")
    assert (await desk.request("GET", f"{A}/{BUY}", PageSize="0")).status == 400


async def test_who_may_ask_and_how_often(desk: CarrierDesk) -> None:
    balance = f"{A}/Balance.json"
    assert (await desk.request("GET", balance)).document["balance"] == "1000.00"
    other = await desk.request("GET", "/2010-04-01/Accounts/AC0/Balance.json")
    assert refusal(other) == (403, 20403)
    desk.settings(reads_per_second=1.0)
    await desk.request("GET", balance)
    assert refusal(await desk.request("GET", balance)) == (429, 20429)
    wrong = base64.b64encode(f"{DEFAULT_SID}:wrong".encode()).decode()
    desk.calls.headers["authorization"] = f"Basic {wrong}"
    assert refusal(await desk.request("GET", balance)) == (401, 20003)


async def test_an_empty_balance_buys_nothing(desk: CarrierDesk, post: Any) -> None:
    desk.portal.set_balance(0)
    assert (await post(BUY, PhoneNumber=FIRST)).status == 403
    assert FIRST not in desk.owned
