"""Documents of Webex as rows: what cannot be read is none, and no guess."""

from __future__ import annotations

from typing import Any

import pytest

from callplane.providers.transport import Answer
from callplane.providers.webex import mapping
from callplane.providers.webex.mapping import Location
from callplane.providers.webex.refusals import describe, refusal_of, said_by
from callplane.resources.lines import PolicyOnLine
from callplane.values import E164

NUMBER = E164("+442079460001")
LOCATIONS = {"here": Location("here", "London"), "there": Location("there", "Cardiff", "Example")}
ROW: dict[str, Any] = {
    "phoneNumber": NUMBER.text,
    "state": "ACTIVE",
    "phoneNumberType": "PRIMARY",
    "location": {"id": "here", "name": "London"},
}


def test_a_plain_row() -> None:
    row = mapping.number(ROW, LOCATIONS)
    assert row is not None
    assert (row.number, row.holder_id, row.location_id, row.managed_by) == (
        *(NUMBER, None, "London", ""),
    )


@pytest.mark.parametrize(
    "owner_type", ["PLACE", "VIRTUAL_LINE", "AI_RECEPTIONIST", "SOMETHING_NEW", None]
)
def test_whoever_it_is_a_number_with_an_owner_is_held(owner_type: str | None) -> None:
    row = mapping.number({**ROW, "owner": {"id": "x", "type": owner_type}}, LOCATIONS)
    assert row is not None
    assert (row.holder_id, row.held_by_user) == ("x", False)


def test_an_owner_without_an_id_is_no_free_number() -> None:
    assert mapping.number({**ROW, "owner": {"type": "PEOPLE"}}, LOCATIONS) is None


@pytest.mark.parametrize("flag", ["isReservedNumber", "isServiceNumber", "tollFreeNumber"])
def test_numbers_that_people_cannot_have(flag: str) -> None:
    row = mapping.number({**ROW, flag: True}, LOCATIONS)
    assert row is not None
    assert not row.assignable_to_users


def test_an_alternate_number_is_not_the_primary_one() -> None:
    row = mapping.number({**ROW, "phoneNumberType": "ALTERNATE"}, LOCATIONS)
    assert row is not None
    assert not row.is_primary


def test_an_extension_alone_is_no_number() -> None:
    assert mapping.is_extension_only({"phoneNumber": "", "extension": "1001"})
    assert not mapping.is_extension_only({"phoneNumber": None})
    assert mapping.number({**ROW, "phoneNumber": ""}, LOCATIONS) is None


def test_a_whole_person_goes_back_without_what_the_system_sets() -> None:
    item = {
        "id": "x",
        "emails": ["ann@example.com"],
        "displayName": "Ann",
        "department": "Sales",
        "extension": "1001",
        "created": "2025",
        "sipAddresses": [],
        "phoneNumbers": [
            {"type": "work", "value": "+442079460009"},
            {"type": "work_extension", "value": "801001"},
            {"type": "mobile", "value": "+447700900123"},
        ],
    }
    assert mapping.whole_person(item, number=NUMBER, extension=None) == {
        "emails": ["ann@example.com"],
        "displayName": "Ann",
        "department": "Sales",
        "phoneNumbers": [
            {"type": "work", "value": NUMBER.text},
            {"type": "mobile", "value": "+447700900123"},
        ],
    }


def test_permissions_count_only_where_they_are_the_persons_own() -> None:
    entry = {"callType": "INTERNATIONAL", "action": "BLOCK", "transferEnabled": False}
    own = {"useCustomEnabled": True, "callingPermissions": [entry]}
    assert mapping.outgoing(own) == ("OutgoingPermissions", PolicyOnLine("blocks INTERNATIONAL"))
    assert mapping.outgoing({**own, "useCustomEnabled": False}) is None
    fixed = {**own, "callingPermissions": [{**entry, "isCallTypeRestrictionEnabled": True}]}
    assert mapping.outgoing(fixed) == ("OutgoingPermissions", PolicyOnLine("blocks nothing"))


def test_the_plain_id_of_an_organisation() -> None:
    webex_id = "Y2lzY29zcGFyazovL3VzL09SR0FOSVpBVElPTi85RDJCLTE"
    assert mapping.organisation_guid(webex_id) == "9d2b-1"
    assert mapping.organisation_guid(None) == ""


OBJECT = b'{"message": "No.", "errors": [{"description": "[Error 8361] DN", "errorCode": 8361}]}'
LIST = b'[{"errors": [{"number": "+44", "errorCode": "ERR.V.TRM.8361", "errorMessage": "DN"}]}]'
PAGE = b'"<html>Bad Gateway</html>"'


@pytest.mark.parametrize(
    ("body", "codes"),
    [(OBJECT, {8361}), (LIST, {8361}), (PAGE, set())],
    ids=["object", "list", "page"],
)
def test_errors_of_every_shape_are_read(body: bytes, codes: set[int]) -> None:
    answer = Answer(400, {"trackingid": "ROUTER_1"}, body)
    assert said_by(answer.json()).codes == codes
    assert "tracking id ROUTER_1" in describe(answer)
    assert refusal_of(answer).refusal.value == ("conflict" if codes else "unclassified")
