"""A plan says what would be bought, ported and given back, and what stands in the way."""

from __future__ import annotations

from typing import Any

import pytest

from callplane.engine import carrier_changes
from callplane.numbering.lifecycle import NumberState
from callplane.plan.document import Level, ObjectPlan
from callplane.plan.rendering import describe
from callplane.resources.carriers import (
    NOT_SHOWN,
    CarrierNumberState,
    NumberOnCarrier,
    TrunkRoute,
)
from callplane.store.ports import Intent, NumberRow
from callplane.testing.planning_builders import TAKEN_AT, Estate, number
from callplane.values import ConnectionId

CARRIER = {
    "type": "Simwood",
    "account": "930000",
    "credentials": {"user": "api", "secretRef": {"name": "s", "key": "k"}},
}
BUYS = {"purchasing": {"enabled": True}}
TERMS = {"contactEmail": "numbers@example.com"}
KEYS = {
    "releasePolicy": "Release",
    "releaseAcknowledgement": {"number": number(150).text, "date": "2026-01-01"},
}


async def said(carrier: dict[str, Any] | None, spec: dict[str, Any]) -> list[tuple[str, str]]:
    estate = Estate()
    if carrier is not None:
        estate.put("Carrier", "main", {**CARRIER, **carrier}, namespace="platform")
    phone = {"e164": number(150).text, "route": "DirectRouting", "carrierRef": {"name": "main"}}
    estate.put("PhoneNumber", "front", {**phone, **spec}, namespace="platform")
    plan = await estate.plan()
    assert any("not observed" in remark for remark in plan.remarks)
    return [
        (note.level.value, note.reason)
        for each in plan.objects
        if each.key.name == "front"
        for note in each.notes
    ]


@pytest.mark.parametrize(
    ("carrier", "spec", "level", "reason"),
    [
        (BUYS, {"acquisition": "Order"}, Level.WAITS, "OrderPending"),
        ({}, {"acquisition": "Order"}, Level.BLOCKED, "PurchasingDisabled"),
        (None, {"acquisition": "Order"}, Level.WAITS, "DependencyNotReady"),
        (BUYS, {"acquisition": "PortIn", "portIn": TERMS}, Level.WAITS, "OrderPending"),
        (BUYS, {"releasePolicy": "Release"}, Level.BLOCKED, "ReleaseRefused"),
        (BUYS, KEYS, Level.WAITS, "ReleaseWaiting"),
    ],
)
async def test_a_number_at_a_carrier(
    carrier: dict[str, Any] | None, spec: dict[str, Any], level: Level, reason: str
) -> None:
    assert await said(carrier, spec) == [(level.value, reason)]


async def test_a_number_that_is_ours_is_only_counted() -> None:
    assert await said({}, {}) == []


# A carrier that was observed

TRUNK = {"trunk": {"name": "1001"}}
ADDRESS = {
    "street": "1 Example Street",
    "town": "London",
    "postcode": "ZZ99 9ZZ",
    "organisation": "Example Ltd",
}
ROUTED = TrunkRoute("1001")


def owned(index: int, **fields: Any) -> NumberOnCarrier:
    return NumberOnCarrier(number(index), **{"route": ROUTED, "deletion_locked": True, **fields})


def front(estate: Estate, index: int = 150, **spec: Any) -> None:
    phone = {"e164": number(index).text, "route": "DirectRouting", "carrierRef": {"name": "main"}}
    estate.put("PhoneNumber", "front", {**phone, **spec}, namespace="platform")


async def planned(estate: Estate, name: str = "front") -> ObjectPlan | None:
    plan = await estate.plan()
    assert not plan.remarks
    return next((each for each in plan.objects if each.key.name == name), None)


def effects(found: ObjectPlan | None) -> list[tuple[str, str, bool]]:
    assert found is not None
    return [
        (planned.change.operation.value, describe(planned.change).effect, planned.gated)
        for planned in found.changes
    ]


def reasons(found: ObjectPlan | None) -> list[tuple[Level, str]]:
    assert found is not None
    return [(note.level, note.reason) for note in found.notes]


async def test_a_number_that_is_as_declared_is_only_counted() -> None:
    estate = Estate()
    estate.carrier("main", owned(150), **TRUNK)
    front(estate)
    assert await planned(estate) is None


async def test_what_would_be_bought_is_a_change_above_its_limit_a_gated_one() -> None:
    estate = Estate()
    estate.carrier("main", owned(1), purchasing={"enabled": True, "limit": {"numbers": 2}}, **TRUNK)
    front(estate, acquisition="Order")
    assert effects(await planned(estate)) == [("OrderNumber", number(150).text, False)]
    estate = Estate()
    estate.carrier("main", owned(1), owned(2), purchasing={"enabled": True}, **TRUNK)
    front(estate, acquisition="Order")
    found = await planned(estate)
    assert effects(found) == [("OrderNumber", number(150).text, True)]
    plan = await estate.plan()
    (gate,) = [gate for gate in plan.gates if gate.connection.kind == "Carrier"]
    assert gate.change_ids == (found.changes[0].change_id if found else "",)
    assert gate.held, "irreversible purchases wait for a person"


@pytest.mark.parametrize(
    ("carrier", "spec", "level", "reason"),
    [
        ({}, {"acquisition": "Order"}, Level.BLOCKED, "PurchasingDisabled"),
        ({**BUYS, "balance_micros": 0}, {"acquisition": "Order"}, Level.BLOCKED, "BalanceTooLow"),
        (
            {**BUYS, "kind": "Didww"},
            {"acquisition": "PortIn", "portIn": TERMS},
            Level.BLOCKED,
            "Unsupported",
        ),
        (
            BUYS,
            {"acquisition": "PortIn", "portIn": {**TERMS, "notBefore": "2026-12-24"}},
            Level.WAITS,
            "PortPending",
        ),
        ({}, {}, Level.BLOCKED, "NumberNotOwned"),
        ({}, {"releasePolicy": "Release"}, Level.INFO, "Released"),
    ],
)
async def test_what_stands_in_the_way_of_a_number_that_is_not_there(
    carrier: dict[str, Any], spec: dict[str, Any], level: Level, reason: str
) -> None:
    estate = Estate()
    estate.carrier("main", **carrier)
    front(estate, **spec)
    assert reasons(await planned(estate)) == [(level, reason)]


async def test_an_order_under_way_is_waited_for_and_not_placed_again() -> None:
    estate = Estate()
    row = NumberRow(
        number=number(150),
        connection=ConnectionId("telnyx", "account-main"),
        state=NumberState.ORDERING,
        holder=None,
        declared_by=None,
        range_name="platform/front",
        number_type="directRouting",
        transfer_to=None,
        quarantined_until=None,
        reason="",
        updated_at=TAKEN_AT,
        version=1,
    )
    estate.carrier("main", claims=[row], **BUYS)
    front(estate, acquisition="Order")
    found = await planned(estate)
    assert effects(found) == []
    assert reasons(found) == [(Level.WAITS, "OrderPending")]


async def test_a_port_of_a_number_that_somebody_has_is_waited_for_and_not_asked_for_again() -> None:
    """The number stays its holder's, so that only what was sent shows that it is on its way."""
    connection = ConnectionId("telnyx", "account-main")
    change = carrier_changes.port_in(connection, number(150), losing_carrier="001")
    sent = Intent(
        change_id=change.change_id,
        connection=connection,
        epoch=1,
        holder=carrier_changes.subject(connection, number(150)),
        change=change.to_json(),
        request_id="r-1",
        sent_at=TAKEN_AT,
    )
    for intents, expected in (((sent,), []), ((), ["PortNumberIn"])):
        estate = Estate()
        estate.carrier("main", intents=intents, **BUYS)
        estate.hire("anna", index=150)
        estate.claim("anna", 150)
        front(estate, acquisition="PortIn", portIn=TERMS)
        found = await planned(estate)
        assert [name for name, _, _ in effects(found)] == expected
        assert ((Level.WAITS, "OrderPending") in reasons(found)) is bool(intents)


async def test_a_number_that_is_there_already_is_not_bought() -> None:
    estate = Estate()
    estate.carrier("main", owned(150), **TRUNK, **BUYS)
    front(estate, acquisition="Order")
    found = await planned(estate)
    assert effects(found) == []
    assert reasons(found) == [(Level.INFO, "Adopted")]


async def test_a_number_that_is_not_in_use_yet_is_waited_for() -> None:
    estate = Estate()
    pending = owned(150, state=CarrierNumberState.PENDING, state_text="port-pending")
    estate.carrier("main", pending, **TRUNK)
    front(estate)
    assert reasons(await planned(estate)) == [(Level.WAITS, "OrderPending")]


async def test_a_route_that_replaces_another_is_gated_and_a_first_one_is_not() -> None:
    estate = Estate()
    elsewhere = owned(1, route=TrunkRoute("2002"))
    estate.carrier("main", owned(0), elsewhere, owned(2, route=None), **TRUNK)
    estate.range("london", first=0, last=2, carrierRef={"name": "main"})
    assert effects(await planned(estate, "london")) == [
        ("SetRoute", "trunk 2002 → trunk 1001", True),
        ("SetRoute", "trunk 1001", False),
    ]


async def test_a_lock_and_an_address_are_set_where_they_are_declared() -> None:
    estate = Estate()
    estate.carrier("main", owned(150, deletion_locked=False), **TRUNK)
    estate.put("EmergencyLocation", "office", {"address": ADDRESS}, namespace="platform")
    front(estate, emergencyLocationRef={"name": "office"})
    found = await planned(estate)
    assert [each[0] for each in effects(found)] == ["SetEmergencyAddress", "SetDeletionLock"]


async def test_numbers_of_a_range_that_the_carrier_does_not_have_are_counted() -> None:
    estate = Estate()
    estate.carrier("main", owned(0), owned(1), **TRUNK)
    estate.range("london", first=0, last=9, carrierRef={"name": "main"})
    found = await planned(estate, "london")
    assert reasons(found) == [(Level.BLOCKED, "NumberNotOwned")]
    assert found is not None
    assert "does not have 8 of these numbers" in found.notes[0].message


async def test_what_a_listing_does_not_show_is_said_to_be_uncompared() -> None:
    estate = Estate()
    estate.carrier("main", owned(150, emergency_address=NOT_SHOWN), **TRUNK)
    estate.put("EmergencyLocation", "office", {"address": ADDRESS}, namespace="platform")
    front(estate, emergencyLocationRef={"name": "office"})
    found = await planned(estate)
    assert found is not None
    assert effects(found) == []
    assert "a plan does not compare it" in found.notes[0].message


@pytest.mark.parametrize("spec", [{"suspend": True}, {"managementPolicy": "Observe"}])
async def test_what_is_not_written_is_shown_as_such(spec: dict[str, Any]) -> None:
    estate = Estate()
    estate.carrier("main", owned(150, route=None), **TRUNK, **spec)
    front(estate)
    found = await planned(estate)
    assert found is not None
    assert not found.written
    assert [each[0] for each in effects(found)] == ["SetRoute"]
    assert reasons(found) == [(Level.INFO, "ObserveOnly")]


async def test_an_incident_holds_what_it_freezes() -> None:
    estate = Estate()
    estate.carrier("main", owned(150, route=TrunkRoute("2002")), **TRUNK)
    incident = {
        "connectionRef": {"kind": "Carrier", "name": "main"},
        "scope": "Provisioning",
        "text": "the portal is down",
        "since": "2026-11-02T08:00:00Z",
        "freeze": "Destructive",
    }
    estate.put("ProviderIncident", "outage", incident, namespace="platform")
    front(estate)
    assert reasons(await planned(estate)) == [(Level.WAITS, "FrozenByIncident")]


async def test_a_release_is_irreversible_and_names_whoever_has_the_number() -> None:
    estate = Estate()
    estate.carrier("main", owned(150), **TRUNK)
    estate.hire("anna", index=150)
    estate.declare("anna", phoneNumber={"e164": number(150).text})
    front(estate, **KEYS)
    found = await planned(estate)
    assert effects(found) == [("ReleaseNumber", number(150).text, True)]
    assert reasons(found) == [
        (Level.WAITS, "ReleaseWaiting"),
        (Level.BLOCKED, "ReleaseRefused"),
    ]
    assert found is not None
    assert "TeamsUser sales/anna" in found.notes[1].message


async def test_a_carrier_that_cannot_be_asked_plans_nothing_and_buys_nothing() -> None:
    estate = Estate()
    estate.carrier("main", kind="BringYourOwn", credentials=None, balance_micros=None)
    front(estate)
    assert await planned(estate) is None
    front(estate, acquisition="Order")
    assert reasons(await planned(estate)) == [(Level.BLOCKED, "Unsupported")]


async def test_a_carrier_of_which_no_provider_can_be_made_is_a_remark() -> None:
    estate = Estate()
    estate.carrier("main", kind="Twilio")
    front(estate)
    plan = await estate.plan()
    assert any("cannot be planned on: account must be the account's SID" in r for r in plan.remarks)
