"""`callplane import` over tenants, an organisation and carriers: one tree that plans to nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from callplane.engine.observations import ConnectionObservation
from callplane.resources.carriers import CarrierNumberState, NumberOnCarrier, TrunkRoute
from callplane.resources.lines import NumberType, PolicyOnLine
from callplane.resources.platforms import (
    AccountType,
    CallingConfiguration,
    NumberOnPlatform,
    Person,
)
from callplane.resources.webex import EXTENSION, LICENCE
from callplane.store.ports import RegisterState
from callplane.testing.planning_builders import number, user_id
from callplane.testing.takeovers import Takeover
from callplane.values import E164, ConnectionId, ObjectKey

ORGANISATION = ConnectionId("webex", "00000000-0000-4000-8000-00000000dddd")
SECOND = ConnectionId("teams", "00000000-0000-4000-8000-00000000eeee")
TRUNK = {"trunk": {"name": "1001"}}
EMPTY = RegisterState((), (), (), (), 1)


def american(index: int) -> E164:
    return E164(f"+120255501{index:02}")


def owned(of: E164, **fields: Any) -> NumberOnCarrier:
    return NumberOnCarrier(of, **{"route": TrunkRoute("1001"), "deletion_locked": True, **fields})


def in_webex(of: E164, holder_id: str | None = None, **fields: Any) -> NumberOnPlatform:
    return NumberOnPlatform(of, NumberType.WEBEX, holder_id, **{"location_id": "London", **fields})


@pytest.fixture
def takeover(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Takeover:
    return Takeover(tmp_path, capsys)


def organisation(takeover: Takeover, *rows: NumberOnPlatform, **fields: Any) -> None:
    """A Webex organisation with Bruno, who has Calling, and two services."""
    secret = {"name": "webex", "key": "secret"}
    app = {"clientId": "app", "clientSecretRef": secret, "refreshTokenRef": secret}
    spec = {"orgId": ORGANISATION.external_id, "credentials": {"serviceApp": app}}
    takeover.estate.put("WebexOrganization", "org", spec, namespace="platform")
    calling = ((LICENCE.detail, PolicyOnLine("Standard")), (EXTENSION.detail, PolicyOnLine("101")))
    observed: dict[str, Any] = {
        "people": (Person("bruno-Id", "bruno@example.com"),),
        "numbers": rows,
        "configurations": (CallingConfiguration("bruno-Id", policies=calling),),
        "services": (Person("aa-1", "AutoAttendant/Main Line"), Person("q-1", "CallQueue/Help")),
        **fields,
    }
    takeover.estate.further.append(
        ConnectionObservation(
            key=ObjectKey("WebexOrganization", "platform", "org"),
            connection=ORGANISATION,
            register=EMPTY,
            **observed,
        )
    )


def second_tenant(takeover: Takeover, *, namespace: str = "platform") -> None:
    """Another tenant with Cara, who has a number of the US."""
    client = {"clientId": "00000000-0000-4000-8000-00000000bbbb"}
    secret = {"clientSecret": {**client, "secretRef": {"name": "graph", "key": "secret"}}}
    spec = {"tenantId": SECOND.external_id, "credentials": secret}
    takeover.estate.put("TeamsTenant", "second", spec, namespace=namespace)
    takeover.estate.further.append(
        ConnectionObservation(
            key=ObjectKey("TeamsTenant", namespace, "second"),
            connection=SECOND,
            people=(Person("cara", "cara@example.org", "US"),),
            numbers=(NumberOnPlatform(american(0), NumberType.DIRECT_ROUTING, "cara"),),
            configurations=(CallingConfiguration("cara"),),
            register=EMPTY,
        )
    )


def everything(takeover: Takeover) -> None:
    """Two tenants, an organisation and two carriers, with numbers that several of them show."""
    estate = takeover.estate
    estate.hire("anna", index=1, ours=False)
    estate.hire("hall", index=2, ours=False)
    estate.configurations["hall"] = CallingConfiguration(
        user_id("hall"), account_type=AccountType.RESOURCE_ACCOUNT
    )
    estate.numbers[number(2)] = replace(estate.numbers[number(2)], held_by_user=False)
    second_tenant(takeover)
    organisation(
        takeover,
        in_webex(number(10), "bruno-Id"),
        in_webex(number(11), "aa-1", held_by_user=False),
        in_webex(number(12), "q-1", held_by_user=False),
        in_webex(number(50)),
    )
    estate.carrier("british", *(owned(number(index)) for index in range(20)), **TRUNK)
    estate.carrier("american", *(owned(american(index)) for index in range(5)), **TRUNK)


def declared(takeover: Takeover) -> dict[str, list[dict[str, Any]]]:
    kinds = ("TeamsUser", "WebexUser", "ServiceLine", "NumberRange", "PhoneNumber")
    return {kind: [body["spec"] for body in takeover.bodies(kind)] for kind in kinds}


def spans(takeover: Takeover) -> dict[str, dict[str, Any]]:
    """Ranges and numbers by their first number."""
    found = declared(takeover)
    specs = [*found["NumberRange"], *found["PhoneNumber"]]
    return {spec.get("first") or spec.get("e164") or spec["numbers"][0]: spec for spec in specs}


def check_everything(takeover: Takeover) -> None:
    """Every number once and with its owner, every holder, and nothing to do."""
    takeover.take_over()
    assert "3 people, 3 services, " in takeover.said
    found = declared(takeover)
    assert {spec["userPrincipalName"] for spec in found["TeamsUser"]} == {
        "anna@example.com",
        "cara@example.org",
    }
    (bruno,) = found["WebexUser"]
    assert bruno == {
        "organizationRef": {"name": "org"},
        "email": "bruno@example.com",
        "location": "London",
        "licence": "Standard",
        "phoneNumber": {"e164": number(10).text},
        "extension": "101",
    }
    targets = [spec.get("teams") or spec["webex"] for spec in found["ServiceLine"]]
    assert sorted(target.get("name", "") for target in targets) == ["", "Help", "Main Line"]
    assert {"tenantRef": {"name": "main"}, "userPrincipalName": "hall@example.com"} in targets
    by_first = spans(takeover)
    owners = {first: spec.get("carrierRef", {}).get("name") for first, spec in by_first.items()}
    assert owners[american(0).text] == "american"
    assert owners[number(50).text] is None
    assert all(
        owner == "british"
        for first, owner in owners.items()
        if first < number(50).text and first.startswith("+4420")
    )
    numbers: list[str] = []
    for spec in by_first.values():
        if "first" in spec:
            numbers += [str(n) for n in range(int(spec["first"][1:]), int(spec["last"][1:]) + 1)]
        else:
            numbers += [n[1:] for n in spec.get("numbers", [spec.get("e164")])]
    wanted = [number(index) for index in (*range(20), 50)] + [american(i) for i in range(5)]
    assert sorted(numbers) == sorted(each.text[1:] for each in wanted)
    assert takeover.plan().startswith("Plan: 0 changes on 0 of")


def test_everything_in_one_tree_plans_to_nothing(takeover: Takeover) -> None:
    everything(takeover)
    check_everything(takeover)
    takeover.take_over()
    assert "0 people and 0 ranges written; 6 declared before" in takeover.said


def test_the_same_estate_gives_the_same_bytes(takeover: Takeover, tmp_path: Path) -> None:
    everything(takeover)
    takeover.take_over()
    first = takeover.written()
    takeover.folder = tmp_path / "second"
    takeover.estate.numbers = dict(reversed(takeover.estate.numbers.items()))
    takeover.take_over()
    assert takeover.written() == first


def test_routes_say_how_a_number_comes(takeover: Takeover) -> None:
    everything(takeover)
    takeover.take_over()
    by_first = spans(takeover)
    assert by_first[number(50).text]["route"] == "Webex"
    assert by_first[number(10).text]["route"] == "DirectRouting"
    assert by_first[american(0).text]["country"] == "US"
    assert by_first[number(11).text]["use"] == "Service"


# Carriers


@pytest.mark.parametrize(
    ("row", "carrier", "reason"),
    [
        (
            {"route": TrunkRoute("2002")},
            {},
            "their calls go 2002, and the Carrier's trunk is 1001",
        ),
        ({"route": None}, {}, "their calls go nowhere"),
        ({"deletion_locked": False}, {}, "the Carrier's deletionLock would lock them"),
        ({}, {"allowedNamespaces": [], "namespace": "sales"}, "does not admit namespace sales"),
    ],
)
def test_a_carrier_that_would_change_a_number_is_not_stated(
    takeover: Takeover, row: dict[str, Any], carrier: dict[str, Any], reason: str
) -> None:
    namespace = carrier.pop("namespace", "")
    rows = [owned(number(0)), owned(number(1), **row), owned(number(2))]
    takeover.estate.tenant(allowedNamespaces=[{"selector": {}}])
    takeover.estate.carrier("main", *rows, **TRUNK, **carrier)
    options = ("--namespace", namespace) if namespace else ()
    assert reason in takeover.take_over(*options, code=2)
    assert "carrierRef" not in spans(takeover)[number(0 if namespace else 1).text]
    takeover.plan()


def test_a_carrier_that_is_only_watched_is_stated_with_its_drift(takeover: Takeover) -> None:
    rows = [owned(number(0)), owned(number(1), route=TrunkRoute("2002"))]
    takeover.estate.carrier("main", *rows, managementPolicy="Observe", **TRUNK)
    takeover.take_over()
    (spec,) = declared(takeover)["NumberRange"]
    assert spec["carrierRef"] == {"name": "main"}
    assert "not written" in takeover.plan()


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (CarrierNumberState.PENDING, "is not in use at the carrier yet"),
        (CarrierNumberState.LEAVING, "is leaving the carrier"),
        (CarrierNumberState.UNKNOWN, "has a state at the carrier that is not known here"),
    ],
)
def test_a_number_on_its_way_is_named(
    takeover: Takeover, state: CarrierNumberState, reason: str
) -> None:
    takeover.estate.carrier("main", owned(number(1), state=state), owned(number(2)), **TRUNK)
    assert f"a number ({number(1).text}): {reason}" in takeover.take_over(code=2)
    assert set(spans(takeover)) == {number(2).text}
    takeover.plan()


def test_a_number_at_two_carriers_has_no_owner(takeover: Takeover) -> None:
    takeover.estate.carrier("one", owned(number(1)), **TRUNK)
    takeover.estate.carrier("two", owned(number(1)), owned(number(2)), **TRUNK)
    said = takeover.take_over(code=2)
    assert "Carrier platform/two has them too" in said
    assert "carrierRef" not in spans(takeover)[number(1).text]
    takeover.plan()


def test_a_number_that_is_ported_between_two_carriers_is_the_older_ones_no_more(
    takeover: Takeover,
) -> None:
    leaving = owned(number(1), state=CarrierNumberState.LEAVING)
    takeover.estate.carrier("one", leaving, **TRUNK)
    takeover.estate.carrier("two", owned(number(1)), **TRUNK)
    takeover.take_over(code=2)
    assert spans(takeover)[number(1).text]["carrierRef"] == {"name": "two"}
    takeover.plan()


def test_a_carrier_that_cannot_be_asked_adds_nothing(takeover: Takeover) -> None:
    takeover.estate.carrier("main", kind="BringYourOwn", credentials=None)
    takeover.estate.hire("anna", index=1, ours=False)
    takeover.take_over()
    takeover.plan()


# Webex


@pytest.mark.parametrize(
    ("row", "fields", "reason"),
    [
        (
            in_webex(number(1), "room", held_by_user=False),
            {},
            "holds the number and is no person, and no service",
        ),
        (in_webex(number(1), "bruno-Id", is_primary=False), {}, "and a WebexUser states one"),
        (in_webex(number(1), "ghost"), {}, "is not in the directory"),
        (
            in_webex(number(1), "aa-1", held_by_user=False),
            {
                "services": (
                    Person("aa-1", "AutoAttendant/X"),
                    Person("aa-2", "AutoAttendant/X"),
                    Person("q-1", "CallQueue/Help"),
                )
            },
            "has a name that several services have",
        ),
        (in_webex(number(1), managed_by="Example (CISCO_PSTN)"), {}, "is managed by Example"),
    ],
)
def test_what_webex_has_and_nothing_states_is_named(
    takeover: Takeover, row: NumberOnPlatform, fields: dict[str, Any], reason: str
) -> None:
    organisation(takeover, row, in_webex(number(12), "q-1", held_by_user=False), **fields)
    assert reason in takeover.take_over(code=2)
    takeover.plan()


def test_an_emergency_location_of_webex_is_named_by_reference(takeover: Takeover) -> None:
    takeover.declare_location(webexLocation="London")
    organisation(takeover, in_webex(number(10), "bruno-Id"))
    takeover.take_over()
    (bruno,) = declared(takeover)["WebexUser"]
    assert bruno["emergencyLocationRef"] == {"name": "office"}
    takeover.plan()


@pytest.mark.parametrize(("town", "stated"), [("London", True), ("Leeds", False)])
def test_a_name_in_webex_that_stands_for_several_addresses_states_none(
    takeover: Takeover, town: str, stated: bool
) -> None:
    """The name is all that a listing shows of the place. Two floors of one building are one."""
    takeover.declare_location(webexLocation="London")
    (office,) = (
        body for key, body in takeover.estate.manifests.items() if key.kind == "EmergencyLocation"
    )
    address = {**office["spec"]["address"], "town": town}
    second = {"address": address, "place": "Floor 2", "webexLocation": "London"}
    takeover.estate.put("EmergencyLocation", "second", second, namespace="platform")
    organisation(takeover, in_webex(number(10), "bruno-Id"))
    said = takeover.take_over(code=0 if stated else 2)
    (bruno,) = declared(takeover)["WebexUser"]
    assert (bruno.get("emergencyLocationRef") == {"name": "office"}) is stated
    assert ("several EmergencyLocations with different addresses" in said) is not stated
    assert stated or "emergencyLocationRef" not in bruno
    takeover.plan()


def test_a_number_that_is_unused_in_one_platform_and_used_in_another_is_the_users(
    takeover: Takeover,
) -> None:
    takeover.estate.stock([10])
    organisation(takeover, in_webex(number(10), "aa-1", held_by_user=False))
    takeover.take_over()
    (spec,) = declared(takeover)["PhoneNumber"]
    assert (spec["route"], spec["use"]) == ("DirectRouting", "Service")
    takeover.plan()


# Several connections


def test_each_goes_beside_its_connection_unless_told_otherwise(takeover: Takeover) -> None:
    takeover.estate.hire("anna", index=1, ours=False)
    second_tenant(takeover, namespace="abroad")
    takeover.take_over()
    namespaces = {body["metadata"]["namespace"] for body in takeover.bodies("TeamsUser")}
    assert namespaces == {"platform", "abroad"}
    takeover.plan()


def test_one_connection_can_be_named(takeover: Takeover) -> None:
    takeover.estate.hire("anna", index=1, ours=False)
    second_tenant(takeover)
    takeover.take_over("--connection", "TeamsTenant/platform/second")
    assert [spec["userPrincipalName"] for spec in declared(takeover)["TeamsUser"]] == [
        "cara@example.org"
    ]
    takeover.plan()


def test_connections_of_one_name_have_folders_of_their_own(takeover: Takeover) -> None:
    takeover.estate.hire("anna", index=1, ours=False)
    takeover.estate.carrier("main", owned(number(7)), **TRUNK)
    takeover.take_over()
    folders = {path.partition("/")[0] for path in takeover.written()}
    assert folders == {"teamstenant-platform-main", "carrier-platform-main"}
    takeover.plan()


def test_connections_are_written_when_asked_for(takeover: Takeover) -> None:
    everything(takeover)
    takeover.take_over("--with-connections")
    kinds = [len(takeover.bodies(kind)) for kind in ("TeamsTenant", "WebexOrganization", "Carrier")]
    assert kinds == [2, 1, 2]
    assert "5 connections written" in takeover.said
    assert takeover.plan().startswith("Plan: 0 changes on 0 of")


def test_a_connection_that_nothing_declares_is_asked_for(takeover: Takeover) -> None:
    second_tenant(takeover)
    takeover.estate.carrier("gone", owned(number(1)))
    for key in [key for key in takeover.estate.manifests if key.name in ("second", "gone")]:
        del takeover.estate.manifests[key]
    takeover.take_over(code=1)
    assert "TeamsTenant platform/second, Carrier platform/gone: declared neither" in takeover.said


def test_a_trunk_that_the_carrier_cannot_take_is_an_error(takeover: Takeover) -> None:
    takeover.estate.carrier("main", owned(number(1)), trunk={"name": "not a connection id"})
    takeover.take_over(code=1)
    assert "Carrier platform/main: spec.trunk:" in takeover.said


def elsewhere_by_now(takeover: Takeover) -> None:
    for carrier in takeover.estate.carriers:
        assert carrier.numbers
    takeover.estate.carriers[:] = [
        replace(
            each, numbers=tuple(owned(row.number, route=TrunkRoute("2002")) for row in each.numbers)
        )
        for each in takeover.estate.carriers
    ]


def test_a_route_that_would_change_is_noticed(takeover: Takeover) -> None:
    everything(takeover)
    takeover.take_over()
    takeover.plan()
    elsewhere_by_now(takeover)
    takeover.save()
    shown = takeover.plan(code=3)
    assert "trunk 2002 → trunk 1001" in shown
