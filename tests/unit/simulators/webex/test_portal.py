"""An administrator changes things behind our back, past the rules of the API."""

from __future__ import annotations

import pytest

from callplane.testing.webex_desk import CARDIFF, FIRST, HELD, SERVED, WebexDesk

CAT = "cat@organisation.example"
ADA = "ada@organisation.example"


async def test_a_number_is_taken_from_whoever_has_it(desk: WebexDesk) -> None:
    desk.portal.assign(HELD, ADA, extension="1001")
    desk.portal.assign(SERVED, CAT)

    assert (await desk.person("ada"))["phoneNumbers"][0]["value"] == HELD
    assert (await desk.person("cat"))["phoneNumbers"][0]["value"] == SERVED
    path = f"telephony/config/locations/{desk.ids['London']}/autoAttendants"
    service = (await desk.get(f"{path}/{desk.ids['Reception']}")).document
    assert "phoneNumber" not in service


async def test_numbers_appear_and_vanish_wherever_they_are(desk: WebexDesk) -> None:
    desk.portal.add_number("+442920180009", "Cardiff", reserved=True)
    desk.portal.remove_number(CARDIFF)
    desk.portal.remove_number(HELD)

    assert (await desk.number("+442920180009"))["isReservedNumber"] is True
    assert await desk.number(CARDIFF) is None
    assert "phoneNumbers" in await desk.person("cat")
    assert (await desk.give("ada", "+442920180009")).status == 400


async def test_people_come_change_and_go(desk: WebexDesk) -> None:
    key = desk.portal.add_user("dan@organisation.example", "Dan", licences=["messaging"])
    desk.portal.give_licence(key, "professional")
    desk.portal.change_user(key, email="daniel@organisation.example", last_name="Example")
    desk.portal.assign(FIRST, key)
    person = await desk.person(key)
    desk.portal.take_licence(key, "Webex Calling - Professional")
    freed = await desk.number(FIRST)
    desk.portal.delete_user("daniel@organisation.example")

    assert (person["displayName"], len(person["licenses"])) == ("Dan Example", 2)
    assert person["phoneNumbers"][0]["value"] == FIRST
    assert "owner" not in freed
    assert (await desk.get(f"people/{key}")).status == 404


async def test_an_extension_that_is_taken_away_is_free(desk: WebexDesk) -> None:
    desk.portal.change_user(CAT, extension="")
    line = {"extension": "1008"}

    assert (await desk.give("ada", FIRST, **line)).status == 200


async def test_permissions_are_changed_behind_our_back(desk: WebexDesk) -> None:
    desk.portal.set_permission(CAT, "INTERNATIONAL", "ALLOW")
    path = f"telephony/config/people/{desk.ids['cat']}/outgoingPermission"
    shown = (await desk.get(path)).document

    assert shown["useCustomEnabled"] is True
    actions = {each["callType"]: each["action"] for each in shown["callingPermissions"]}
    assert actions["INTERNATIONAL"] == "ALLOW"


async def test_services_come_and_go(desk: WebexDesk) -> None:
    key = desk.portal.add_service("Sales", "queues", "London", number=HELD, extension="1200")
    held = await desk.number(HELD)
    desk.portal.delete_service(key)

    assert held["owner"]["type"] == "CALL_QUEUE"
    assert "owner" not in await desk.number(HELD)


@pytest.mark.parametrize(
    ("action", "arguments", "text"),
    [
        ("assign", {"number": "+441614960001", "user": CAT}, "no number"),
        ("assign", {"number": FIRST, "user": "nobody"}, "no person"),
        ("add_number", {"number": FIRST, "location": "London"}, "exists already"),
        ("add_number", {"number": "+441614960001", "location": "Mars"}, "no location"),
        ("give_licence", {"user": CAT, "licence": "gold"}, "no licence"),
        ("add_service", {"name": "X", "collection": "karaokes"}, "collection is one of"),
        ("delete_service", {"service": "x"}, "no service"),
        ("set_pstn", {"location": "London", "pstn_type": "TIN_CAN"}, "pstn_type is one of"),
        ("add_user", {"email": CAT}, "exists already"),
    ],
)
def test_what_does_not_exist_is_said(
    desk: WebexDesk, action: str, arguments: dict[str, object], text: str
) -> None:
    with pytest.raises(ValueError, match=text):
        getattr(desk.portal, action)(**arguments)
