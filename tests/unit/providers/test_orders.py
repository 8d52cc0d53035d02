"""A change read as an order: every field where `plan.change` says it is."""

from __future__ import annotations

import pytest

from callplane.plan.change import Change, Fields, Operation
from callplane.providers.orders import (
    AssignNumber,
    Order,
    SetLocation,
    SetPolicy,
    UnassignNumber,
    order_of,
)
from callplane.resources.lines import NumberType
from callplane.values import E164, ConnectionId, Platform

NUMBER = E164("+442079460001")
TYPED = {"number": NUMBER.text, "type": "directRouting"}


def change(operation: Operation, before: Fields | None, after: Fields | None) -> Change:
    return Change(ConnectionId("teams", "t"), operation, Platform.TEAMS, "u", before, after)


@pytest.mark.parametrize(
    ("operation", "before", "after", "order"),
    [
        (
            Operation.UNASSIGN_NUMBER,
            TYPED,
            None,
            UnassignNumber("u", NUMBER, NumberType.DIRECT_ROUTING),
        ),
        (
            Operation.ASSIGN_NUMBER,
            None,
            TYPED,
            AssignNumber("u", NUMBER, NumberType.DIRECT_ROUTING, None),
        ),
        (
            Operation.ASSIGN_NUMBER,
            None,
            {**TYPED, "location": "loc"},
            AssignNumber("u", NUMBER, NumberType.DIRECT_ROUTING, "loc"),
        ),
        (
            Operation.SET_LOCATION,
            {"number": NUMBER.text, "location": "old"},
            {"number": NUMBER.text, "location": "new"},
            SetLocation("u", NUMBER, "new"),
        ),
        (
            Operation.SET_LOCATION,
            {"number": NUMBER.text, "location": "old"},
            None,
            SetLocation("u", NUMBER, None),
        ),
        (
            Operation.SET_LOCATION,
            None,
            {"number": NUMBER.text, "location": ""},
            SetLocation("u", NUMBER, None),
        ),
        (
            Operation.SET_POLICY,
            {"type": "TenantDialPlan", "name": "Old"},
            {"type": "TenantDialPlan", "name": "New"},
            SetPolicy("u", "TenantDialPlan", "New"),
        ),
        (
            Operation.SET_POLICY,
            {"type": "TenantDialPlan", "name": "Old"},
            None,
            SetPolicy("u", "TenantDialPlan", None),
        ),
        (
            Operation.SET_POLICY,
            None,
            {"type": "TenantDialPlan", "name": ""},
            SetPolicy("u", "TenantDialPlan", None),
        ),
    ],
)
def test_fields_are_read(
    operation: Operation, before: Fields | None, after: Fields | None, order: Order
) -> None:
    assert order_of(change(operation, before, after)) == order


@pytest.mark.parametrize(
    ("operation", "before", "after", "field"),
    [
        (Operation.UNASSIGN_NUMBER, None, TYPED, "number"),
        (Operation.UNASSIGN_NUMBER, {"number": NUMBER.text}, None, "type"),
        (Operation.ASSIGN_NUMBER, None, {"number": NUMBER.text}, "type"),
        (Operation.ASSIGN_NUMBER, None, {"number": "0207", "type": "directRouting"}, "0207"),
        (Operation.SET_LOCATION, None, {"location": "loc"}, "number"),
        (Operation.SET_POLICY, None, {"name": "New"}, "type"),
    ],
)
def test_a_missing_field_is_named(
    operation: Operation, before: Fields | None, after: Fields | None, field: str
) -> None:
    with pytest.raises(ValueError, match=field):
        order_of(change(operation, before, after))
