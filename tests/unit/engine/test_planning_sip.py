"""A plan over an SBC: phones, PBXes, and numbers that go to and from Teams."""

from __future__ import annotations

from typing import Any

import pytest

from callplane.engine.observations import ConnectionObservation
from callplane.numbering.lifecycle import NumberState
from callplane.plan.change import Operation
from callplane.plan.document import ObjectPlan, Plan
from callplane.resources.platforms import NumberOnPlatform
from callplane.store.ports import HolderRow, NumberRow, RegisterState
from callplane.testing.planning_builders import INSTALLATION, TAKEN_AT, Estate, number
from callplane.values import (
    ConnectionId,
    DeclaringObject,
    HolderId,
    ObjectKey,
    Platform,
)

DOMAIN = "sip.callplane.example"
CONNECTION = ConnectionId("sip", DOMAIN)
KEY = ObjectKey("SessionBorderController", "platform", "sbc")
PBX = HolderId(Platform.SIP, DOMAIN, "trunk:branch")
BOB = HolderId(Platform.SIP, DOMAIN, "phone:bob")
TRUNK: dict[str, Any] = {
    "sbcRef": {"name": "sbc", "namespace": "platform"},
    "trunk": "branch",
    "targets": ["192.0.2.65:5060"],
    "sources": ["192.0.2.65/32"],
}
RANGES = {"numberRangeRefs": [{"name": "london", "namespace": "platform"}]}
EMPTY = RegisterState((), (), (), (), 0)


def of(plan: Plan, kind: str) -> ObjectPlan:
    return next(each for each in plan.objects if each.key.kind == kind)


def at_sbc(
    estate: Estate, register: RegisterState = EMPTY, *, numbers: tuple[NumberOnPlatform, ...] = ()
) -> None:
    estate.put(
        "SessionBorderController",
        "sbc",
        {"domain": DOMAIN, "allowedNamespaces": [{"selector": {}}]},
        namespace="platform",
    )
    estate.further.append(
        ConnectionObservation(
            key=KEY,
            connection=CONNECTION,
            people=(),
            numbers=numbers,
            configurations=(),
            register=register,
        )
    )


@pytest.fixture
def estate() -> Estate:
    estate = Estate()
    estate.stock(range(20))
    return estate


def held(index: int, by: HolderId, kind: str, name: str, **more: Any) -> NumberRow:
    fields: dict[str, Any] = {
        "state": NumberState.ASSIGNED,
        "declared_by": declaring(kind, name),
        "range_name": "platform/london",
        "number_type": "sip",
        "transfer_to": None,
        "quarantined_until": None,
        "reason": "",
        "updated_at": TAKEN_AT,
        "version": 1,
        **more,
    }
    return NumberRow(number=number(index), connection=CONNECTION, holder=by, **fields)


def declaring(kind: str, name: str) -> DeclaringObject:
    return DeclaringObject(INSTALLATION, kind, "sales", name, f"uid-sales-{name}")


def behind_pbx(*indices: int) -> RegisterState:
    rows = tuple(held(index, PBX, "PbxTrunk", "branch") for index in indices)
    owner = HolderRow(PBX, CONNECTION, declaring("PbxTrunk", "branch"), "", {}, {})
    return RegisterState(rows, (owner,), (), (), 0)


def messages(each: ObjectPlan) -> list[str]:
    return [note.message for note in each.notes]


async def test_a_phone_that_is_new_gets_its_number(estate: Estate) -> None:
    at_sbc(estate)
    phone = {
        "sbcRef": {"name": "sbc", "namespace": "platform"},
        "username": "bob",
        "credentials": {"passwordRef": {"name": "phones", "key": "bob"}},
        "phoneNumber": {"e164": number(3).text},
    }
    estate.put("SipPhone", "bob", phone, namespace="sales")
    each = of(await estate.plan(), "SipPhone")
    (change,) = each.changes
    assert change.change.operation is Operation.ASSIGN_NUMBER
    assert change.change.after == {"number": number(3).text, "type": "sip"}
    assert change.change.subject == "phone:bob"


async def test_a_pbx_counts_what_it_gets(estate: Estate) -> None:
    at_sbc(estate)
    estate.hire("ann", index=5)
    estate.declare("ann", phoneNumber={"e164": number(5).text})
    estate.put("PbxTrunk", "branch", {**TRUNK, **RANGES}, namespace="sales")
    each = of(await estate.plan(), "PbxTrunk")
    assert each.changes == ()
    assert messages(each) == ["gets 99 numbers of NumberRange platform/london that are free"]


async def test_a_pbx_waits_for_a_platform_that_was_not_observed(estate: Estate) -> None:
    at_sbc(estate)
    secret = {"name": "webex", "key": "secret"}
    app = {"clientId": "app", "clientSecretRef": secret, "refreshTokenRef": secret}
    organization_id = "00000000-0000-4000-8000-00000000cccc"
    organization = {"orgId": organization_id, "credentials": {"serviceApp": app}}
    estate.put("WebexOrganization", "org", organization, namespace="platform")
    estate.put("PbxTrunk", "branch", {**TRUNK, **RANGES}, namespace="sales")
    each = of(await estate.plan(), "PbxTrunk")
    assert messages(each)[1:] == [
        "WebexOrganization platform/org is not listed yet: who has a number there is not known"
    ]


async def test_what_a_pbx_loses_stands_before_the_gate(estate: Estate) -> None:
    at_sbc(estate, behind_pbx(*range(12)))
    estate.put("PbxTrunk", "branch", {**TRUNK, "numbers": [number(0).text]}, namespace="sales")
    plan = await estate.plan()
    each = of(plan, "PbxTrunk")
    taken = [planned.change.number for planned in each.changes]
    assert taken == [number(index).text for index in range(1, 12)]
    assert {planned.change.operation for planned in each.changes} == {Operation.UNASSIGN_NUMBER}
    gate = next(gate for gate in plan.gates if gate.connection == KEY)
    assert len(gate.change_ids) == 11
    assert gate.held


async def test_a_pbx_that_is_taken_out_of_the_tree(estate: Estate) -> None:
    at_sbc(estate, behind_pbx(1, 2))
    estate.put("PbxTrunk", "branch", {**TRUNK, **RANGES}, namespace="sales")
    estate.remove("PbxTrunk", "branch", namespace="sales")
    each = of(await estate.plan(), "PbxTrunk")
    assert each.removed
    assert len(each.changes) == 2


async def test_a_person_who_is_moved_off_a_pbx(estate: Estate) -> None:
    at_sbc(estate, behind_pbx(4, 6))
    estate.put("PbxTrunk", "branch", {**TRUNK, **RANGES}, namespace="sales")
    estate.hire("ann")
    estate.declare("ann", phoneNumber={"e164": number(4).text})
    plan = await estate.plan()
    person = of(plan, "TeamsUser")
    assert any("without a rest" in message for message in messages(person))
    gives = of(plan, "PbxTrunk")
    assert [planned.change.number for planned in gives.changes] == [number(4).text]
    assert "1 numbers go over without a rest" in messages(gives)
