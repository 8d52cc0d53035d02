"""A privilege closes what Webex can tell apart, and never what an emergency call may need."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from callplane.apis.call_privileges import CallClass, CallPrivilegeSpec
from callplane.desired.webex_permissions import outgoing_permissions
from callplane.resources.webex import OPEN_CALL_TYPES, outgoing_actions, outgoing_name


def permitted(*classes: CallClass) -> dict[str, str]:
    return outgoing_actions(outgoing_permissions(CallPrivilegeSpec(allowed_classes=classes)))


def test_without_any_class_what_costs_is_closed() -> None:
    actions = permitted()
    assert {name for name, action in actions.items() if action == "BLOCK"} == {
        "INTERNATIONAL",
        "PREMIUM_SERVICES_I",
        "PREMIUM_SERVICES_II",
        "CHARGEABLE_DIRECTORY_ASSISTED",
    }


def test_a_class_opens_its_types_and_no_others() -> None:
    assert permitted(CallClass.INTERNATIONAL)["INTERNATIONAL"] == "ALLOW"
    assert permitted(CallClass.INTERNATIONAL)["PREMIUM_SERVICES_I"] == "BLOCK"
    assert permitted(CallClass.PREMIUM)["PREMIUM_SERVICES_II"] == "ALLOW"
    # Webex cannot tell satellites from other countries: they alone open nothing.
    assert permitted(CallClass.SATELLITE)["INTERNATIONAL"] == "BLOCK"


@given(st.sets(st.sampled_from(CallClass)))
def test_no_privilege_closes_what_an_emergency_call_may_need(classes: set[CallClass]) -> None:
    actions = permitted(*classes)
    assert {actions[name] for name in OPEN_CALL_TYPES} == {"ALLOW"}
    assert outgoing_actions(outgoing_name(actions)) == actions
