"""Locations say who manages their PSTN, and let it be changed only where nobody else does."""

from __future__ import annotations

import pytest

from callplane.testing.webex_desk import FIRST, LEEDS, LONDON_MAIN, WebexDesk

ADDRESS = {"address1": "1 Example St", "city": "York", "postalCode": "AB1 2CD", "country": "GB"}
YORK = {
    "name": "York",
    "timeZone": "Europe/London",
    "preferredLanguage": "en_gb",
    "announcementLanguage": "en_gb",
    "address": ADDRESS,
}


@pytest.mark.parametrize(
    ("place", "kind", "route"),
    [
        ("London", "LOCAL_GATEWAY", "TRUNK"),
        ("Leeds", "NON_INTEGRATED_CCP", "CLOUD_CONNECTED_PSTN"),
        ("Cardiff", "CISCO_PSTN", "CISCO_PSTN"),
        ("Glasgow", "INTEGRATED_CCP", "CLOUD_CONNECTED_PSTN"),
    ],
)
async def test_each_kind_of_connection_is_shown(
    desk: WebexDesk, place: str, kind: str, route: str
) -> None:
    shown = (await desk.get(f"telephony/pstn/locations/{desk.ids[place]}/connection")).document

    assert (shown["pstnConnectionType"], shown["routeType"]) == (kind, route)


async def test_a_new_location_gets_calling_and_then_a_connection(desk: WebexDesk) -> None:
    key = (await desk.send("POST", "locations", YORK)).document["id"]
    path = f"telephony/pstn/locations/{key}/connection"
    numbers = f"telephony/config/locations/{key}/numbers"
    bare = await desk.get(path)
    await desk.send("POST", "telephony/config/locations", {"id": key})
    unconnected = await desk.get(path)
    refused = await desk.send("POST", numbers, {"phoneNumbers": ["+441614960001"]})
    options = (await desk.get(f"{path}Options")).document["items"]
    provider = next(each for each in options if each["pstnConnectionType"] == "NON_INTEGRATED_CCP")
    connected = await desk.send("PUT", path, {"id": provider["id"]})
    added = await desk.send("POST", numbers, {"phoneNumbers": ["+441614960001"]})

    assert [bare.status, unconnected.status, refused.status] == [404, 404, 400]
    assert [connected.status, added.status] == [204, 201]
    assert (await desk.get(path)).document["displayName"] == provider["displayName"]
    assert (await desk.send("POST", "locations", YORK)).status == 409
    assert (await desk.send("POST", "telephony/config/locations", {"id": key})).status == 409


@pytest.mark.parametrize("place", ["Cardiff", "Glasgow"])
async def test_a_managed_connection_stays(desk: WebexDesk, place: str) -> None:
    trunk = next(iter(desk.organisation.trunks))
    path = f"telephony/pstn/locations/{desk.ids[place]}/connection"
    answer = await desk.send("PUT", path, {"premiseRouteType": "TRUNK", "premiseRouteId": trunk})

    assert answer.status == 400


async def test_only_non_integrated_providers_and_known_trunks_are_taken(desk: WebexDesk) -> None:
    path = f"telephony/pstn/locations/{desk.ids['Leeds']}/connection"
    options = (await desk.get(f"{path}Options")).document["items"]
    cloud = next(each for each in options if each["pstnConnectionType"] == "CISCO_PSTN")
    trunk = next(each for each in options if each["pstnConnectionType"] == "LOCAL_GATEWAY")
    route = {"premiseRouteType": "TRUNK", "premiseRouteId": "unknown"}

    assert (await desk.send("PUT", path, {"id": cloud["id"]})).status == 400
    assert (await desk.send("PUT", path, route)).status == 400
    route["premiseRouteId"] = trunk["routeId"]
    assert (await desk.send("PUT", path, route)).status == 204
    assert (await desk.get(path)).document["routeId"] == trunk["routeId"]


async def test_the_main_number_is_one_of_the_location(desk: WebexDesk) -> None:
    path = f"telephony/config/locations/{desk.ids['London']}"
    foreign = await desk.send("PUT", path, {"callingLineId": {"phoneNumber": LEEDS}})
    own = await desk.send("PUT", path, {"callingLineId": {"phoneNumber": FIRST}})
    numbers = await desk.send("DELETE", f"{path}/numbers", {"phoneNumbers": [LONDON_MAIN]})

    assert [foreign.status, own.status, numbers.status] == [400, 204, 204]
    assert (await desk.get(path)).document["callingLineId"]["phoneNumber"] == FIRST


async def test_prefix_and_outside_digit_are_kept(desk: WebexDesk) -> None:
    path = f"telephony/config/locations/{desk.ids['London']}"
    body = {"routingPrefix": "81", "outsideDialDigit": "9", "enforceOutsideDialDigit": True}
    await desk.send("PUT", path, body)
    shown = (await desk.get(path)).document

    assert {name: shown[name] for name in body} == body


async def test_a_trunk_in_use_stays(desk: WebexDesk) -> None:
    trunk = next(iter(desk.organisation.trunks))
    path = f"telephony/config/premisePstn/trunks/{trunk}"

    assert (await desk.get(path)).document["locationsUsingTrunk"][0]["name"] == "London"
    assert (await desk.send("DELETE", path)).status == 409


async def test_a_static_trunk_needs_all_of_its_address(desk: WebexDesk) -> None:
    body = {
        "name": "Static",
        "locationId": desk.ids["London"],
        "password": "example-password",
        "trunkType": "CERTIFICATE_BASED",
        "address": "sbc",
    }
    path = "telephony/config/premisePstn/trunks"
    refused = await desk.send("POST", path, body)
    whole = {**body, "domain": "sbc.example", "port": 5061, "maxConcurrentCalls": 250}
    taken = await desk.send("POST", path, whole)

    assert [refused.status, taken.status] == [400, 201]
    assert (
        "example-password" not in (await desk.get(f"{path}/{taken.document['id']}")).body.decode()
    )
