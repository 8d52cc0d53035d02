"""Auto attendants, queues and hunt groups hold numbers and extensions like people do."""

from __future__ import annotations

import pytest

from callplane.testing.webex_desk import FIRST, HELD, SECOND, SERVED, WebexDesk

KINDS = {
    "autoAttendants": "AUTO_ATTENDANT",
    "queues": "CALL_QUEUE",
    "huntGroups": "HUNT_GROUP",
}


@pytest.mark.parametrize("collection", list(KINDS))
async def test_a_service_lives_and_dies_with_its_number(desk: WebexDesk, collection: str) -> None:
    path = f"telephony/config/locations/{desk.ids['London']}/{collection}"
    body = {"name": "Sales", "phoneNumber": FIRST, "extension": "1100", "timeZone": "Europe/London"}
    key = (await desk.send("POST", path, body)).document["id"]
    held = await desk.number(FIRST)
    await desk.send("PUT", f"{path}/{key}", {"phoneNumber": SECOND})
    shown = (await desk.get(f"{path}/{key}")).document
    listed = (await desk.get(f"telephony/config/{collection}", name="sales")).document[collection]
    gone = await desk.send("DELETE", f"{path}/{key}")

    assert (held["owner"]["type"], held["extension"]) == (KINDS[collection], "1100")
    assert (shown["phoneNumber"], shown["timeZone"]) == (SECOND, "Europe/London")
    assert [each["id"] for each in listed] == [key]
    assert gone.status == 204
    assert "owner" not in await desk.number(SECOND)
    assert (await desk.get(f"{path}/{key}")).status == 404


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"phoneNumber": HELD}, 400),
        ({"phoneNumber": SERVED}, 400),
        ({"extension": "1008"}, 400),
        ({"extension": "x"}, 400),
        ({"name": "Reception"}, 409),
        ({"phoneNumber": None, "extension": None}, 400),
    ],
)
async def test_what_is_taken_is_refused(
    desk: WebexDesk, change: dict[str, object], status: int
) -> None:
    path = f"telephony/config/locations/{desk.ids['London']}/queues"
    body = {"name": "Sales", "phoneNumber": FIRST, "extension": "1100", **change}

    assert (await desk.send("POST", path, body)).status == status
    assert "owner" not in await desk.number(FIRST)


async def test_an_extension_is_one_persons_or_services(desk: WebexDesk) -> None:
    line = {"phoneNumber": FIRST, "extension": "1009"}
    wanted = {"id": desk.ids["professional"], "properties": line}
    body = {"personId": desk.ids["ada"], "licenses": [wanted]}

    assert (await desk.send("PATCH", "licenses/users", body)).status == 400


async def test_a_service_of_another_kind_is_not_found_there(desk: WebexDesk) -> None:
    place = f"telephony/config/locations/{desk.ids['London']}"
    key = desk.ids["Reception"]

    assert (await desk.get(f"{place}/autoAttendants/{key}")).status == 200
    assert (await desk.get(f"{place}/queues/{key}")).status == 404
    assert (await desk.get(f"{place}/karaokes/{key}")).status == 404
