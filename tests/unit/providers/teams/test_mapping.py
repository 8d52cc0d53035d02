"""Rows of Graph as our nouns: the documented shapes, the odd ones, and those nobody can read."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callplane.providers.teams import mapping
from callplane.resources.lines import NumberType, PolicyOnLine, PolicyOrigin
from callplane.resources.platforms import (
    AccountType,
    CallingConfiguration,
    LicenceState,
    NumberOnPlatform,
    Person,
)
from callplane.values import E164

USER_ID = "5ca1ab1e-0000-4000-8000-000000000001"
NUMBER = E164("+442079460001")
PHONE_SYSTEM = {"servicePlanId": mapping.PHONE_SYSTEM_PLAN, "capabilityStatus": "Enabled"}
PERSON = {
    "id": USER_ID,
    "userPrincipalName": "Anna@Tenant.example",
    "usageLocation": "GB",
    "accountEnabled": True,
    "assignedPlans": [{"servicePlanId": "other", "capabilityStatus": "Enabled"}, PHONE_SYSTEM],
}
ROW = {
    "telephoneNumber": "+442079460001",
    "numberType": "directRouting",
    "activationState": "activated",
    "capabilities": ["userAssignment", "voiceApplicationAssignment"],
    "locationId": None,
    "assignmentTargetId": None,
    "assignmentCategory": None,
    "assignmentStatus": "unassigned",
    "numberSource": "online",
}
HELD = ROW | {
    "assignmentTargetId": USER_ID.upper(),
    "assignmentCategory": "primary",
    "assignmentStatus": "userAssigned",
}
CONFIGURATION = {
    "id": USER_ID,
    "accountType": "user",
    "isEnterpriseVoiceEnabled": True,
    "featureTypes": ["Teams", "PhoneSystem"],
    "telephoneNumbers": [{"telephoneNumber": "+442079460001", "assignmentCategory": "primary"}],
    "effectivePolicyAssignments": [
        {
            "policyType": "TenantDialPlan",
            "policyAssignment": {"displayName": "Tag:UK", "assignmentType": "direct"},
        },
        {
            "policyType": "TeamsCallingPolicy",
            "policyAssignment": {"displayName": "AllowCalling", "assignmentType": "group"},
        },
    ],
}


def plan(status: Any) -> dict[str, Any]:
    return PHONE_SYSTEM | {"capabilityStatus": status}


def test_a_person() -> None:
    assert mapping.person(PERSON) == Person(USER_ID, "anna@tenant.example", "GB")


@pytest.mark.parametrize(
    ("plans", "licence"),
    [
        ([], LicenceState.ABSENT),
        ([plan("Deleted")], LicenceState.ABSENT),
        ([plan("SomethingNew")], LicenceState.ABSENT),
        ([plan("Warning")], LicenceState.WARNING),
        ([plan("Suspended")], LicenceState.WARNING),
        ([plan("Deleted"), plan("Enabled")], LicenceState.ENABLED),
        ([plan("Warning"), plan("Enabled"), plan("Deleted")], LicenceState.ENABLED),
        ([plan("Warning"), plan("Deleted")], LicenceState.WARNING),
        ([None, plan(None), plan(["Enabled"])], LicenceState.ABSENT),
    ],
)
def test_the_licence_is_a_service_plan(plans: list[Any], licence: LicenceState) -> None:
    row = mapping.person(PERSON | {"assignedPlans": plans})
    assert row is not None
    assert row.licence is licence


@pytest.mark.parametrize(
    "changes",
    [
        {"id": None},
        {"id": ""},
        {"userPrincipalName": None},
        {"userPrincipalName": 7},
        # Not selected is not the same as not licensed.
        {"assignedPlans": None},
    ],
)
def test_a_person_that_cannot_be_read(changes: dict[str, Any]) -> None:
    assert mapping.person(PERSON | changes) is None


def test_a_deleted_person_gets_the_name_back_that_the_directory_prefixed() -> None:
    name = USER_ID.replace("-", "") + "anna@tenant.example"
    deleted = {"id": USER_ID, "userPrincipalName": name, "accountEnabled": False}
    row = mapping.person(deleted, deleted=True)
    assert row is not None
    assert (row.user_principal_name, row.deleted) == ("anna@tenant.example", True)
    assert (row.account_enabled, row.licence) == (False, LicenceState.ABSENT)


def test_a_free_number() -> None:
    assert mapping.number(ROW) == NumberOnPlatform(NUMBER, NumberType.DIRECT_ROUTING)


def test_a_held_number() -> None:
    row = mapping.number(HELD | {"locationId": "AB-CD"})
    assert row == NumberOnPlatform(
        NUMBER, NumberType.DIRECT_ROUTING, holder_id=USER_ID, location_id="ab-cd"
    )


@pytest.mark.parametrize("text", ["442079460001", "+442079460001", "tel:+442079460001"])
def test_the_plus_may_be_missing(text: str) -> None:
    row = mapping.number(ROW | {"telephoneNumber": text})
    assert row is not None
    assert row.number == NUMBER


@pytest.mark.parametrize("text", ["callingPlan", "CallingPlan", "CALLINGPLAN"])
def test_the_case_of_a_number_type_does_not_matter(text: str) -> None:
    row = mapping.number(ROW | {"numberType": text})
    assert row is not None
    assert row.number_type is NumberType.CALLING_PLAN


@pytest.mark.parametrize(
    ("changes", "holder_id", "held_by_user"),
    [
        ({"assignmentStatus": "conferenceAssigned"}, USER_ID, False),
        ({"assignmentStatus": "voiceApplicationAssigned"}, USER_ID, False),
        ({"assignmentStatus": "policyAssigned"}, USER_ID, False),
        ({"assignmentStatus": "thirdParty", "assignmentTargetId": None}, "(thirdParty)", False),
        ({"assignmentStatus": "aNewStatus", "assignmentTargetId": None}, "(aNewStatus)", False),
        ({"assignmentTargetId": None}, "(userAssigned)", False),
        ({"assignmentStatus": None}, USER_ID, True),
        ({"assignmentCategory": "private"}, USER_ID, False),
        ({"assignmentCategory": "alternate"}, USER_ID, False),
        ({"assignmentCategory": None}, USER_ID, True),
        ({"assignmentStatus": None, "assignmentTargetId": None}, None, True),
        ({"assignmentStatus": None, "assignmentTargetId": mapping.NO_LOCATION}, None, True),
        ({"assignmentStatus": "unassigned"}, None, True),
    ],
)
def test_only_an_unassigned_number_is_free(
    changes: dict[str, Any], holder_id: str | None, held_by_user: bool
) -> None:
    row = mapping.number(HELD | changes)
    assert row is not None
    assert (row.holder_id, row.held_by_user) == (holder_id, held_by_user)


@pytest.mark.parametrize("value", [None, "", mapping.NO_LOCATION, 7])
def test_there_are_three_ways_to_say_no_location(value: Any) -> None:
    assert mapping.location_id(value) is None


@pytest.mark.parametrize(
    ("changes", "field", "expected"),
    [
        ({"numberSource": "onPremises"}, "on_premises", True),
        ({"numberSource": "aNewSource"}, "on_premises", False),
        ({"capabilities": ["voiceApplicationAssignment"]}, "assignable_to_users", False),
        ({"capabilities": []}, "assignable_to_users", False),
        ({"capabilities": None}, "assignable_to_users", True),
        ({"activationState": "updatePending"}, "settled", False),
        ({"activationState": "assignmentPending"}, "settled", False),
        ({"activationState": "assignmentFailed"}, "settled", True),
        ({"activationState": None}, "settled", True),
        ({"activationState": "aNewState"}, "settled", True),
    ],
)
def test_other_facts_of_a_number(changes: dict[str, Any], field: str, expected: bool) -> None:
    assert getattr(mapping.number(ROW | changes), field) is expected


@pytest.mark.parametrize(
    "changes",
    [
        {"telephoneNumber": None},
        {"telephoneNumber": "tel:not-a-number"},
        {"telephoneNumber": "+442079460001;ext=12"},
        {"numberType": None},
        {"numberType": "internalError"},
        {"numberType": "unknownFutureValue"},
    ],
)
def test_a_number_that_cannot_be_read(changes: dict[str, Any]) -> None:
    assert mapping.number(ROW | changes) is None


def test_a_configuration() -> None:
    assert mapping.configuration(CONFIGURATION) == CallingConfiguration(
        USER_ID,
        AccountType.USER,
        phone_system_ready=True,
        enterprise_voice=True,
        numbers=(NUMBER,),
        policies=(
            ("TeamsCallingPolicy", PolicyOnLine("AllowCalling", PolicyOrigin.GROUP)),
            ("TenantDialPlan", PolicyOnLine("UK")),
        ),
    )


def test_a_configuration_that_says_little() -> None:
    assert mapping.configuration({"id": USER_ID}) == CallingConfiguration(
        USER_ID, AccountType.OTHER, phone_system_ready=False
    )


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("resourceAccount", AccountType.RESOURCE_ACCOUNT),
        ("guest", AccountType.GUEST),
        ("ineligibleUser", AccountType.INELIGIBLE),
        ("sfbOnPremUser", AccountType.OTHER),
        ("aNewType", AccountType.OTHER),
        (None, AccountType.OTHER),
    ],
)
def test_account_types(text: str | None, kind: AccountType) -> None:
    row = mapping.configuration(CONFIGURATION | {"accountType": text})
    assert row is not None
    assert row.account_type is kind


@pytest.mark.parametrize(
    "entry",
    [
        None,
        {},
        {"policyType": "TenantDialPlan", "policyAssignment": None},
        {"policyType": "TenantDialPlan", "policyAssignment": {"displayName": None}},
        {"policyType": "TenantDialPlan", "policyAssignment": {"displayName": "Global"}},
        {"policyType": "TenantDialPlan", "policyAssignment": {"displayName": "Tag:Global"}},
        {"policyType": None, "policyAssignment": {"displayName": "UK"}},
    ],
)
def test_the_global_default_counts_as_no_policy(entry: Any) -> None:
    row = mapping.configuration(CONFIGURATION | {"effectivePolicyAssignments": [entry]})
    assert row is not None
    assert row.policies == ()


def test_a_further_line_is_not_the_users_own() -> None:
    numbers = [{"telephoneNumber": "+442079460002", "assignmentCategory": "private"}]
    row = mapping.configuration(CONFIGURATION | {"telephoneNumbers": numbers})
    assert row is not None
    assert row.numbers == ()


@pytest.mark.parametrize(
    "changes",
    [
        {"id": None},
        # A user must not seem to be without a number.
        {"telephoneNumbers": [{"telephoneNumber": "+442079460001;ext=5"}]},
        {"telephoneNumbers": [{"telephoneNumber": None}]},
        {"telephoneNumbers": ["+442079460001"]},
    ],
)
def test_a_configuration_that_cannot_be_read(changes: dict[str, Any]) -> None:
    assert mapping.configuration(CONFIGURATION | changes) is None


def test_bad_rows_are_counted() -> None:
    good, bad = mapping.rows([ROW, {}, None, "text", HELD], mapping.number)
    assert (len(good), bad) == (2, 3)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)


@given(st.data())
def test_mapping_is_total(data: st.DataObject) -> None:
    """Whatever stands in whichever field: a row, or none; never an exception."""
    for sample, read in (
        (PERSON, mapping.person),
        (HELD, mapping.number),
        (CONFIGURATION, mapping.configuration),
    ):
        field = data.draw(st.sampled_from(sorted(sample)))
        mapping.rows([sample | {field: data.draw(JSON)}], read)


def test_a_page_costs_little() -> None:
    """Ten times what it takes on a slow machine; a regular expression a field would not fit."""
    plans = [{"servicePlanId": str(n), "capabilityStatus": "Enabled"} for n in range(40)]
    pages: list[tuple[list[dict[str, Any]], Any]] = [
        ([PERSON | {"assignedPlans": [*plans, PHONE_SYSTEM]}] * 1000, mapping.person),
        ([HELD] * 1000, mapping.number),
        ([CONFIGURATION] * 1000, mapping.configuration),
    ]
    began = time.process_time()
    for rows, read in pages:
        mapping.rows(rows, read)
    assert time.process_time() - began < 0.3
