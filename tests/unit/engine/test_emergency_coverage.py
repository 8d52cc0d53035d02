"""What each system knows of where help would be sent to, number by number."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from callplane.apis.carriers import Carrier
from callplane.apis.parsing import parse_strict
from callplane.engine import carrier_changes, emergency_coverage
from callplane.engine.emergency_at_carriers import Coverage
from callplane.engine.emergency_coverage import CoverageReport, CoveredNumber
from callplane.engine.observations import ConnectionObservation
from callplane.engine.recorded_carrier import CarrierSkills
from callplane.resources.carriers import NOT_SHOWN, EmergencyAddress, NumberOnCarrier
from callplane.resources.lines import NumberType
from callplane.resources.platforms import NumberOnPlatform, Person
from callplane.store.ports import HolderRow, RegisterState
from callplane.testing.planning_builders import TAKEN_AT, Estate, number
from callplane.values import ConnectionId, DeclaringObject, HolderId, ObjectKey, Platform
from callplane.wiring.judging import carrier_skills

OFFICE = "00000000-0000-4000-8000-00000000cccc"
ELSEWHERE = "00000000-0000-4000-8000-00000000dddd"
ADDRESS = {"street": "1 Sample Street", "town": "London", "postcode": "ZZ99 9ZZ"}
REFERENCE = {"name": "office", "namespace": "platform"}
ORG_ID = "9d2b4c6e-1f3a-4b58-8c70-5e6d7f8091a2"
ORGANISATION = ObjectKey("WebexOrganization", "platform", "acme")


@pytest.fixture
def estate() -> Estate:
    """A range of a site whose holders are in the office, unless they say otherwise."""
    made = Estate()
    made.range(emergencyLocationRef={"name": "office"}, site="hq")
    made.put(
        "EmergencyLocation",
        "office",
        {
            "address": ADDRESS,
            "teamsLocationId": OFFICE,
            "webexLocation": "London",
            "allowedNamespaces": [{"selector": {}}],
        },
        namespace="platform",
    )
    return made


def hire(estate: Estate, name: str, index: int, location: str | None, **spec: Any) -> None:
    estate.hire(name)
    estate.give(name, index, location=location)
    estate.declare(name, **spec)


def report(estate: Estate) -> CoverageReport:
    resources = [parse_strict(body).resource for body in estate.manifests.values()]
    found = [each for each in resources if each is not None]
    assert len(found) == len(resources)
    return emergency_coverage.report(estate.observations(), found, skills(found))


def skills(resources: list[Any]) -> dict[ObjectKey, CarrierSkills]:
    return {
        ObjectKey(each.kind, each.namespace, each.name): asyncio.run(carrier_skills(each.spec))
        for each in resources
        if isinstance(each, Carrier)
    }


def only(estate: Estate) -> CoveredNumber:
    (row,) = report(estate).numbers
    return row


def test_the_declared_location_is_accepted_where_the_tenant_shows_it(estate: Estate) -> None:
    hire(estate, "anna", 1, OFFICE.upper())
    row = only(estate)
    assert row.state is Coverage.ACCEPTED
    assert (row.number, row.holder, row.site) == (number(1), "anna@example.com", "platform/hq")
    assert row.location == ObjectKey("EmergencyLocation", "platform", "office")
    assert row.declared_by == ObjectKey("TeamsUser", "sales", "anna")


@pytest.mark.parametrize(
    ("shown", "state", "said"),
    [
        (None, Coverage.MISSING, "Teams has no emergency location for the number"),
        (ELSEWHERE, Coverage.DIFFERENT, f"Teams has {ELSEWHERE} instead of {OFFICE}"),
    ],
)
def test_a_tenant_that_does_not_show_it_is_said(
    estate: Estate, shown: str | None, state: Coverage, said: str
) -> None:
    hire(estate, "anna", 1, shown)
    (check,) = only(estate).checks
    assert check.state is state
    assert said in check.reason


def test_the_holder_counts_before_the_range(estate: Estate) -> None:
    estate.put(
        "EmergencyLocation", "home", {"address": ADDRESS, "teamsLocationId": ELSEWHERE},
        namespace="sales",
    )  # fmt: skip
    hire(estate, "anna", 1, OFFICE, emergencyLocationRef={"name": "home"})
    row = only(estate)
    assert row.location == ObjectKey("EmergencyLocation", "sales", "home")
    assert row.state is Coverage.DIFFERENT


def test_a_number_that_is_stated_by_itself_counts_before_its_range(estate: Estate) -> None:
    spec = {
        "e164": number(1).text,
        "route": "DirectRouting",
        "emergencyLocationRef": {"name": "gone"},
    }
    estate.put("PhoneNumber", "one", spec, namespace="platform")
    hire(estate, "anna", 1, OFFICE)
    (check,) = only(estate).checks
    assert check.state is Coverage.MISSING
    assert "EmergencyLocation platform/gone is declared and does not exist" in check.reason


def test_a_location_without_an_id_says_how_to_get_one(estate: Estate) -> None:
    estate.put("EmergencyLocation", "office", {"address": ADDRESS}, namespace="platform")
    hire(estate, "anna", 1, OFFICE)
    (check,) = only(estate).checks
    assert check.state is Coverage.MISSING
    assert "New-CsOnlineLisLocation" in check.reason


def test_what_nobody_declares_is_told_apart_from_what_is_not_there(estate: Estate) -> None:
    estate.range()
    hire(estate, "anna", 1, OFFICE)
    hire(estate, "ben", 2, None)
    states = [row.state for row in report(estate).numbers]
    assert states == [Coverage.UNDECLARED, Coverage.MISSING]
    assert "no emergencyLocationRef" in report(estate).numbers[1].checks[0].reason


def test_a_claim_that_the_tenant_does_not_show_is_unseen(estate: Estate) -> None:
    estate.hire("anna")
    estate.claim("anna", 1)
    estate.declare("anna")
    row = only(estate)
    assert (row.state, row.holder) == (Coverage.UNSEEN, "anna@example.com")
    assert row.declared_by == ObjectKey("TeamsUser", "sales", "anna")


def test_a_holder_whom_no_manifest_declares_is_there_too(estate: Estate) -> None:
    estate.hire("anna", index=1, ours=False)
    row = only(estate)
    assert (row.declared_by, row.state) == (None, Coverage.MISSING)


def test_numbers_that_nobody_has_are_not_in_it(estate: Estate) -> None:
    estate.stock(range(10))
    assert report(estate).numbers == ()


def test_in_webex_the_place_of_the_number_counts(estate: Estate) -> None:
    app = {
        "clientId": "C0123456789abcdef0123456789abcdef",
        "clientSecretRef": {"name": "webex", "key": "secret"},
        "refreshTokenRef": {"name": "webex", "key": "token"},
    }
    spec = {"orgId": ORG_ID, "credentials": {"serviceApp": app}}
    estate.put("WebexOrganization", "acme", spec, namespace="platform")
    user = {
        "organizationRef": {"name": "acme"},
        "email": "anna@example.com",
        "emergencyLocationRef": {"name": "office"},
    }
    estate.put("WebexUser", "anna", user, namespace="platform")
    places = {number(1): "London", number(2): "Leeds"}
    rows = tuple(
        NumberOnPlatform(each, NumberType.WEBEX, f"person-{place}", location_id=place)
        for each, place in places.items()
    )
    people = (Person("person-London", "anna@example.com"), Person("person-Leeds", "b@example.com"))
    seen = ConnectionObservation(
        ORGANISATION, ConnectionId("webex", ORG_ID), people, rows, (), None
    )
    estate.further.append(seen)
    first, second = report(estate).numbers
    assert (first.state, first.declared_by) == (
        Coverage.ACCEPTED,
        ObjectKey("WebexUser", "platform", "anna"),
    )
    assert second.state is Coverage.DIFFERENT
    assert second.checks[0].reason == "Webex has Leeds instead of London"


def test_totals_are_by_location_site_connection_and_carrier(estate: Estate) -> None:
    hire(estate, "anna", 1, OFFICE)
    hire(estate, "ben", 2, None)
    estate.hire("chris", index=200, ours=False)
    totals = report(estate).totals
    counted = {
        name: [(total.name, total.numbers, dict(total.states)) for total in found]
        for name, found in totals.items()
    }
    both = {Coverage.MISSING: 1, Coverage.ACCEPTED: 1}
    assert counted == {
        "locations": [("", 1, {Coverage.MISSING: 1}), ("platform/office", 2, both)],
        "sites": [("", 1, {Coverage.MISSING: 1}), ("platform/hq", 2, both)],
        "connections": [
            ("TeamsTenant platform/main", 3, {Coverage.MISSING: 2, Coverage.ACCEPTED: 1})
        ],
        "carriers": [("", 3, {Coverage.MISSING: 2, Coverage.ACCEPTED: 1})],
    }


def test_a_connection_that_was_not_observed_is_remarked(estate: Estate) -> None:
    observations = replace(estate.observations(), connections=())
    tenant = parse_strict(estate.manifests[ObjectKey("TeamsTenant", "platform", "main")]).resource
    assert tenant is not None
    found = emergency_coverage.report(observations, [tenant], {})
    assert found.remarks == (
        "TeamsTenant platform/main was not observed: its numbers are not in this report",
    )
    assert found.observed_at == TAKEN_AT


def test_a_report_without_the_register_says_so(estate: Estate) -> None:
    estate.has_register = False
    (remark,) = report(estate).remarks
    assert "the number register was not read" in remark


# At carriers

TWILIO = EmergencyAddress("1 Sample Street", "London", "ZZ99 9ZZ", organisation="Example Ltd")


def at_carrier(
    estate: Estate, shown: Any, *, kind: str = "Telnyx", organisation: str = "Example Ltd"
) -> None:
    """Anna's number, accepted by Teams, is at a carrier that shows this address for it."""
    address = {**ADDRESS, "organisation": organisation} if organisation else ADDRESS
    spec = {"address": address, "teamsLocationId": OFFICE}
    estate.put("EmergencyLocation", "office", spec, namespace="platform")
    estate.range(emergencyLocationRef={"name": "office"}, carrierRef={"name": "main"})
    row = NumberOnCarrier(number(1), emergency_address=shown)
    estate.carrier("main", row, kind=kind)
    hire(estate, "anna", 1, OFFICE)


def carrier_check(estate: Estate) -> tuple[Coverage, str]:
    (teams, carrier) = only(estate).checks
    assert teams.state is Coverage.ACCEPTED
    assert carrier.system == ObjectKey("Carrier", "platform", "main")
    return carrier.state, carrier.reason


def canonical(estate: Estate, address: EmergencyAddress) -> EmergencyAddress:
    body = estate.manifests[ObjectKey("Carrier", "platform", "main")]
    carrier = parse_strict(body).resource
    assert isinstance(carrier, Carrier)
    return asyncio.run(carrier_skills(carrier.spec)).canonical_address(address)


def test_a_carrier_that_shows_the_declared_address_has_accepted_it(estate: Estate) -> None:
    at_carrier(estate, None)
    shown = canonical(estate, TWILIO)
    estate.carriers.clear()
    at_carrier(estate, shown)
    assert carrier_check(estate) == (Coverage.ACCEPTED, "")
    row = only(estate)
    assert (row.state, row.carrier) == (
        Coverage.ACCEPTED,
        ObjectKey("Carrier", "platform", "main"),
    )


@pytest.mark.parametrize(
    ("shown", "state", "said"),
    [
        (None, Coverage.MISSING, "has no address for the number"),
        (EmergencyAddress("2 Other Street", "Leeds", "LS1 1AA"), Coverage.DIFFERENT, "another"),
        (NOT_SHOWN, Coverage.UNSEEN, "no listing of the carrier shows it"),
    ],
)
def test_what_a_carrier_shows_is_compared(
    estate: Estate, shown: Any, state: Coverage, said: str
) -> None:
    at_carrier(estate, shown)
    found, reason = carrier_check(estate)
    assert found is state
    assert said in reason
    assert only(estate).state is state


def test_what_no_listing_shows_counts_as_it_was_set_and_read_back(estate: Estate) -> None:
    at_carrier(estate, NOT_SHOWN)
    wanted = canonical(estate, TWILIO)
    fields = carrier_changes.address_fields(number(1), wanted)
    (seen,) = estate.carriers
    assert seen.register is not None
    remembered = HolderRow(
        HolderId(Platform.CARRIER, seen.connection.external_id, number(1).text),
        seen.connection,
        None,
        "",
        {"emergencyAddress": fields},
        {},
    )
    estate.carriers[:] = [replace(seen, register=replace(seen.register, holders=(remembered,)))]
    assert carrier_check(estate)[0] is Coverage.ACCEPTED


def test_a_carrier_that_takes_no_addresses_says_what_to_do_by_hand(estate: Estate) -> None:
    at_carrier(estate, None, kind="Didww")
    state, reason = carrier_check(estate)
    assert state is Coverage.BY_HAND
    assert "by hand: order the emergency calling service" in reason


def test_an_address_that_the_carrier_would_refuse_says_which_field(estate: Estate) -> None:
    at_carrier(estate, None, organisation="")
    state, reason = carrier_check(estate)
    assert state is Coverage.MISSING
    assert "organisation is missing" in reason


def test_a_carrier_that_was_not_asked_is_unseen_and_remarked(estate: Estate) -> None:
    at_carrier(estate, None)
    estate.carriers.clear()
    assert carrier_check(estate) == (Coverage.UNSEEN, "the carrier was not observed")
    assert "Carrier platform/main was not observed" in report(estate).remarks[0]


def test_a_number_that_the_carrier_does_not_have_is_unseen(estate: Estate) -> None:
    at_carrier(estate, None)
    estate.carriers[:] = [replace(each, numbers=()) for each in estate.carriers]
    assert carrier_check(estate)[1] == "the carrier does not show the number as ours"


def test_at_a_carrier_the_address_is_the_numbers_and_not_the_holders(estate: Estate) -> None:
    at_carrier(estate, None)
    estate.put(
        "EmergencyLocation",
        "home",
        {"address": ADDRESS, "teamsLocationId": OFFICE},
        namespace="sales",
    )
    estate.declare("anna", emergencyLocationRef={"name": "home"})
    estate.range(carrierRef={"name": "main"})
    assert carrier_check(estate) == (
        Coverage.MISSING,
        "no emergencyLocationRef on the number or its range, and the carrier has no address",
    )


@pytest.mark.parametrize(
    ("town", "state", "reason"),
    [
        ("London", Coverage.ACCEPTED, ""),
        (
            "Leeds",
            Coverage.DIFFERENT,
            (
                "the carrier has EmergencyLocation platform/office of the number; "
                "EmergencyLocation sales/branch is declared for its holder"
            ),
        ),
    ],
)
def test_a_carrier_that_would_send_help_elsewhere_than_to_the_holder_is_said(
    estate: Estate, town: str, state: Coverage, reason: str
) -> None:
    at_carrier(estate, None)
    shown = canonical(estate, TWILIO)
    estate.carriers.clear()
    at_carrier(estate, shown)
    address = {**ADDRESS, "organisation": "Example Ltd", "town": town}
    spec = {"address": address, "teamsLocationId": OFFICE}
    estate.put("EmergencyLocation", "branch", spec, namespace="sales")
    estate.declare("anna", emergencyLocationRef={"name": "branch"})
    assert carrier_check(estate) == (state, reason)
    assert only(estate).state is state


# At the SBC


def at_sbc(estate: Estate, *, carrier: bool = True) -> None:
    """A phone at the SBC with number 1, which a carrier has."""
    spec: dict[str, Any] = {"emergencyLocationRef": {"name": "office"}}
    if carrier:
        spec["carrierRef"] = {"name": "main"}
        estate.carrier("main", NumberOnCarrier(number(1), emergency_address=None), kind="Didww")
    estate.range(**spec)
    row = NumberOnPlatform(number(1), NumberType.SIP, "phone:desk")
    key = ObjectKey("SessionBorderController", "platform", "edge")
    connection = ConnectionId("sip", "sip.example.com")
    estate.further.append(ConnectionObservation(key, connection, (), (row,), (), None))


def test_a_line_at_the_sbc_is_as_good_as_its_carrier(estate: Estate) -> None:
    at_sbc(estate)
    sbc, carrier = only(estate).checks
    assert sbc.state is Coverage.ACCEPTED
    assert carrier.state is Coverage.BY_HAND
    assert only(estate).holder == "phone:desk"


@pytest.mark.parametrize(
    ("told", "state"), [("branch", Coverage.ACCEPTED), ("office", Coverage.DIFFERENT)]
)
def test_the_carrier_of_a_line_at_the_sbc_knows_where_its_holder_is(
    estate: Estate, told: str, state: Coverage
) -> None:
    for name, town in (("branch", "Leeds"), ("office", "London")):
        address = {**ADDRESS, "organisation": "Example Ltd", "town": town}
        estate.put("EmergencyLocation", name, {"address": address}, namespace="platform")
    towns = {"branch": "Leeds", "office": "London"}
    at_sbc(estate)
    estate.carriers.clear()
    estate.carrier("main", NumberOnCarrier(number(1)), kind="Telnyx")
    shown = replace(canonical(estate, TWILIO), town=towns[told])
    estate.carriers.clear()
    estate.carrier("main", NumberOnCarrier(number(1), emergency_address=shown), kind="Telnyx")
    spec = {
        "sbcRef": {"name": "edge", "namespace": "platform"},
        "username": "desk",
        "credentials": {"passwordRef": {"name": "phones", "key": "desk"}},
        "emergencyLocationRef": {"name": "branch"},
    }
    estate.put("SipPhone", "desk", spec, namespace="platform")
    sbc, carrier = only(estate).checks
    assert (sbc.state, carrier.state) == (Coverage.ACCEPTED, state)


def test_a_line_whose_number_no_carrier_is_named_for_says_whom_to_tell(estate: Estate) -> None:
    at_sbc(estate, carrier=False)
    (check,) = only(estate).checks
    assert check.state is Coverage.BY_HAND
    assert "nobody is told the address" in check.reason


def test_a_line_at_the_sbc_without_a_location_is_missing(estate: Estate) -> None:
    at_sbc(estate, carrier=False)
    estate.range()
    (check,) = only(estate).checks
    assert check.state is Coverage.MISSING


def test_a_number_behind_a_pbx_is_at_the_place_of_the_pbx(estate: Estate) -> None:
    """Only the register knows that it is there."""
    at_sbc(estate)
    estate.further.clear()
    estate.range(carrierRef={"name": "main"})
    pbx = {
        "sbcRef": {"name": "edge", "namespace": "platform"},
        "trunk": "plant",
        "targets": ["192.0.2.10:5060"],
        "sources": ["192.0.2.10/32"],
        "emergencyLocationRef": {"name": "office"},
    }
    estate.put("PbxTrunk", "plant", pbx, namespace="platform")
    connection = ConnectionId("sip", "sip.example.com")
    declared_by = DeclaringObject("cluster-1", "PbxTrunk", "platform", "plant", "uid-plant")
    estate.hire("anna")
    estate.claim("anna", 1)
    claim = replace(
        estate.claims.pop(number(1)),
        connection=connection,
        holder=HolderId(Platform.SIP, connection.external_id, "trunk:plant"),
        declared_by=declared_by,
    )
    state = RegisterState((claim,), (), (), (), 1)
    key = ObjectKey("SessionBorderController", "platform", "edge")
    estate.further.append(ConnectionObservation(key, connection, (), (), (), state))
    row = only(estate)
    assert row.declared_by == ObjectKey("PbxTrunk", "platform", "plant")
    assert row.location == ObjectKey("EmergencyLocation", "platform", "office")
    assert row.checks[0].state is Coverage.ACCEPTED
