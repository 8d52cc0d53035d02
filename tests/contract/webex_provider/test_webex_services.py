"""Numbers of auto attendants, queues and hunt groups."""

from __future__ import annotations

import pytest

from callplane.plan.change import Change, Operation
from callplane.providers.protocol import Done, ListsServices, Refused, Unavailable
from callplane.resources.platforms import Person
from callplane.testing.webex_desk import CARDIFF, FIRST, HELD, SERVED
from callplane.testing.webex_stage import WebexStage
from callplane.values import Platform


def change(stage: WebexStage, service: str, number: str, *, gives: bool) -> Change:
    fields = {"number": number, "type": "webex"}
    operation = Operation.ASSIGN_NUMBER if gives else Operation.UNASSIGN_NUMBER
    before, after = (None, {**fields, "use": "service"}) if gives else (fields, None)
    return Change(stage.provider.connection, operation, Platform.WEBEX, service, before, after)


async def found(stage: WebexStage, key: str) -> str:
    row = (await stage.provider.read_person(key)).row
    assert row is not None
    assert row.user_principal_name == key
    return row.user_id


@pytest.mark.parametrize(
    ("kind", "collection", "owner"),
    [
        ("AutoAttendant", "autoAttendants", "AUTO_ATTENDANT"),
        ("CallQueue", "queues", "CALL_QUEUE"),
        ("HuntGroup", "huntGroups", "HUNT_GROUP"),
    ],
)
async def test_each_kind_gets_a_number_and_gives_it_back(
    stage: WebexStage, kind: str, collection: str, owner: str
) -> None:
    stage.portal.add_service("Desk", collection, extension="1500")
    service = await found(stage, f"{kind}/Desk")
    await stage.provider.send(change(stage, service, FIRST, gives=True), request_id="r")
    assert stage.owner(FIRST) == owner
    answer = await stage.provider.send(change(stage, service, FIRST, gives=False), request_id="r")
    assert answer == Done()
    assert stage.organisation.numbers.get(FIRST) is None
    assert stage.writes() == ["updateService", "updateService", "removeNumbers"]


async def test_a_number_of_somebody_else_is_never_taken_over(stage: WebexStage) -> None:
    service = await found(stage, "AutoAttendant/Reception")
    with pytest.raises(Refused):
        await stage.provider.send(change(stage, service, HELD, gives=True), request_id="r")
    assert (stage.owner(HELD), stage.owner(SERVED)) == ("cat", "AUTO_ATTENDANT")


async def test_a_location_of_somebody_else_is_never_written(stage: WebexStage) -> None:
    stage.portal.add_service("Far", "queues", location="Cardiff", extension="1500")
    service = await found(stage, "CallQueue/Far")
    with pytest.raises(Refused) as caught:
        await stage.provider.send(change(stage, service, CARDIFF, gives=True), request_id="r")
    assert caught.value.reason == "Unsupported"
    assert stage.writes() == []


async def test_of_two_of_one_name_none_is_guessed(stage: WebexStage) -> None:
    stage.portal.add_service("Desk", "queues", location="London", extension="1500")
    stage.portal.add_service("Desk", "queues", location="Leeds", extension="1500")
    with pytest.raises(Unavailable, match="2 services"):
        await stage.provider.read_person("CallQueue/Desk")


async def test_a_service_that_is_not_there_is_none(stage: WebexStage) -> None:
    assert (await stage.provider.read_person("CallQueue/Nobody")).row is None


async def test_services_are_listed_as_service_lines_name_them(stage: WebexStage) -> None:
    stage.portal.add_service("Desk", "queues", extension="1500")
    stage.portal.add_service("Night", "huntGroups", extension="1501")
    assert isinstance(stage.provider, ListsServices)
    pages = [page async for page in stage.provider.list_services()]
    assert [page.last for page in pages] == [False, False, True]
    rows = [row for page in pages for row in page.rows if isinstance(row, Person)]
    assert [row.user_principal_name for row in rows] == [
        "AutoAttendant/Reception",
        "CallQueue/Desk",
        "HuntGroup/Night",
    ]
    for row in rows:
        assert (await stage.provider.read_person(row.user_principal_name)).row == row
