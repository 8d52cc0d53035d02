"""Rules, each with what breaks it and what just does not; all findings come at once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from callplane.apis import parsing
from callplane.apis.model import Resource
from callplane.rules import findings, overlaps, validation
from callplane.rules.findings import Finding, Severity
from callplane.testing.object_patches import merge_patched
from callplane.values import E164

SAMPLES = {
    path.stem: yaml.safe_load(path.read_text(encoding="utf-8"))
    for path in (Path(__file__).parents[3] / "manifests" / "samples").glob("*.yaml")
}
NOW = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)
#: References to who pays and what may be dialled, which few of these tests are about.
WITHOUT_TERMS = {"accountRef": None, "callingPlanRef": None, "callPrivilegeRef": None}


def made(
    base: str,
    name: str = "",
    *,
    namespace: str = "platform",
    created: str | None = None,
    **spec: Any,
) -> Resource:
    """A sample with another name and other fields; None takes a field out. Nobody pays for calls
    unless the fields say so.
    """
    metadata: dict[str, Any] = {"namespace": namespace}
    if name:
        metadata["name"] = name
    if created:
        metadata["creationTimestamp"] = created
    manifest = merge_patched(SAMPLES[base], {"metadata": metadata, "spec": WITHOUT_TERMS | spec})
    parsed = parsing.parse_strict(manifest)
    assert parsed.resource is not None, parsed.errors
    return parsed.resource


def block(name: str, first: int, last: int, **more: Any) -> Resource:
    defaults: dict[str, Any] = {"reservations": None, "emergencyLocationRef": None}
    ends = {"first": f"+44207946{first:04d}", "last": f"+44207946{last:04d}"}
    return made("numberrange", name, **(defaults | ends | more))


def listed(name: str, *numbers: str) -> Resource:
    return made(
        "numberrange",
        name,
        first=None,
        last=None,
        numbers=list(numbers),
        reservations=None,
        emergencyLocationRef=None,
    )


def user(name: str, **more: Any) -> Resource:
    defaults: dict[str, Any] = {
        "userPrincipalName": f"{name}@example.com",
        "emergencyLocationRef": None,
        "phoneNumber": None,
    }
    return made("teamsuser", name, **(defaults | more))


def told(*resources: Resource, **options: Any) -> list[tuple[str, str, str]]:
    """(rule, object, field) of every finding."""
    return [
        (finding.rule_id, finding.name, finding.field_path)
        for finding in validation.validate_all(resources, **options)
    ]


def samples() -> list[Resource]:
    return [made(name, **SAMPLES[name]["spec"]) for name in SAMPLES]


def test_samples_are_without_findings() -> None:
    assert validation.validate_all(samples(), now=NOW) == []


def test_unknown_country() -> None:
    (finding,) = validation.validate_all([block("a", 1, 9, country="ZZ")])
    assert (finding.rule_id, finding.field_path) == ("country-unknown", "spec.country")
    assert finding.message == "there is no number plan for country ZZ; known are GB, US"
    assert finding.severity is Severity.ERROR


def test_number_of_another_country() -> None:
    number = made("phonenumber", e164="+33123456789", emergencyLocationRef=None)
    assert told(number) == [("number-not-in-plan", "manchester-reception", "spec.e164")]


def test_every_listed_number_is_looked_at() -> None:
    odd = listed("a", "+442079460001", "+449098790123", "+4499999999")
    assert told(odd) == [
        ("number-not-in-plan", "a", "spec.numbers[1]"),
        ("number-not-in-plan", "a", "spec.numbers[2]"),
    ]


def test_block_over_two_classes() -> None:
    # Written in two parts: numbers that somebody could own are not shown whole.
    ends = {"first": "+44" + "7599999990", "last": "+44" + "7600000010"}
    mixed = made("numberrange", "a", reservations=None, emergencyLocationRef=None, **ends)
    assert ("range-mixes-classes", "a", "spec.last") in told(mixed)


def test_block_of_another_country() -> None:
    # The French drama range; the range's country is the default, GB.
    ends = {"first": "+33" + "199000000", "last": "+33" + "199000050"}
    foreign = made("numberrange", "a", reservations=None, emergencyLocationRef=None, **ends)
    places = [path for rule, _, path in told(foreign) if rule == "number-not-in-plan"]
    assert places == ["spec.first", "spec.last"]


def test_reservation_outside_the_range() -> None:
    odd = block("a", 1, 9, reservations=[{"number": "+442079460005"}, {"number": "+442079460010"}])
    assert told(odd) == [("reservation-outside-range", "a", "spec.reservations[1].number")]


def test_acknowledgement_without_release_is_a_warning() -> None:
    number = made(
        "phonenumber",
        emergencyLocationRef=None,
        releaseAcknowledgement={"number": "+441614960123", "date": "2026-11-02"},
    )
    (finding,) = validation.validate_all([number])
    assert finding.rule_id == "acknowledged-without-release"
    assert not finding.is_error


def test_overlap_is_told_about_the_younger_range() -> None:
    older = block("z", 0, 50, created="2026-01-01T00:00:00Z")
    younger = block("a", 50, 99, created="2026-02-01T00:00:00Z")
    (finding,) = validation.validate_all([younger, older])
    assert (finding.rule_id, finding.name, finding.field_path) == (
        "numbers-overlap",
        "a",
        "spec.first",
    )
    assert "NumberRange platform/z" in finding.message
    assert "+442079460050" not in finding.message


def test_a_range_in_the_cluster_keeps_its_numbers_against_a_file() -> None:
    stored = block("z", 0, 50, created="2026-11-01T00:00:00Z")
    assert told(block("a", 50, 99), stored) == [("numbers-overlap", "a", "spec.first")]


def test_ranges_that_only_touch_do_not_overlap() -> None:
    assert told(block("a", 0, 49), block("b", 50, 99)) == []


def test_one_range_inside_another_and_a_number_inside_both() -> None:
    number = made(
        "phonenumber",
        "c",
        e164="+442079460025",
        emergencyLocationRef=None,
    )
    assert told(block("a", 0, 99), block("b", 20, 30), number) == [
        ("numbers-overlap", "b", "spec.first"),
        ("numbers-overlap", "c", "spec.e164"),
        ("numbers-overlap", "c", "spec.e164"),
    ]


def test_a_pair_is_told_once_however_many_numbers_it_shares() -> None:
    numbers = [f"+44207946{index:04d}" for index in range(10, 20)]
    assert told(block("a", 0, 99), listed("b", *numbers)) == [
        ("numbers-overlap", "b", "spec.numbers")
    ]


def test_one_person_declared_twice() -> None:
    tenant = made("teamstenant")
    first, second = user("anna"), user("ann", userPrincipalName="ANNA@example.com")
    assert told(tenant, first, second) == [
        ("person-declared-twice", "anna", "spec.userPrincipalName")
    ]


def test_one_person_on_two_tenants_is_two_holders() -> None:
    other = made("teamstenant", "other", tenantId="7f0c2f4e-52b1-4d0c-9a38-3f6d1f0b8a12")
    people = [user("anna"), user("ann", tenantRef={"name": "other"})]
    people[1] = user("ann", tenantRef={"name": "other"}, userPrincipalName="anna@example.com")
    assert told(made("teamstenant"), other, *people) == []


def test_one_number_wanted_twice() -> None:
    number = {"e164": "+442079460005", "rangeRef": None}
    people = [user("anna", phoneNumber=number), user("ben", phoneNumber=number)]
    found = validation.validate_all([made("teamstenant"), block("a", 0, 9), *people])
    assert [(entry.rule_id, entry.name) for entry in found] == [("number-wanted-twice", "ben")]
    assert "TeamsUser platform/anna" in found[0].message


def test_one_phone_number_object_wanted_twice() -> None:
    number = {"phoneNumberRef": {"name": "manchester-reception"}, "rangeRef": None}
    people = [user("anna", phoneNumber=number), user("ben", phoneNumber=number)]
    phone = made("phonenumber", emergencyLocationRef=None)
    assert told(made("teamstenant"), phone, *people) == [
        ("number-wanted-twice", "ben", "spec.phoneNumber.phoneNumberRef")
    ]


def test_one_tenant_declared_twice() -> None:
    upper = SAMPLES["teamstenant"]["spec"]["tenantId"].upper()
    twins = [made("teamstenant", "a"), made("teamstenant", "b", tenantId=upper)]
    assert told(*twins) == [("tenant-declared-twice", "b", "spec.tenantId")]


@pytest.mark.parametrize("name", ["Global", "global", "Tag:Global"])
def test_global_is_no_policy(name: str) -> None:
    person = user("anna", policies=[{"type": "TeamsCallingPolicy", "name": name}])
    assert told(made("teamstenant"), person) == [
        ("policy-is-global", "anna", "spec.policies[0].name")
    ]


def test_unknown_policy_types_get_a_hint() -> None:
    tenant = made("teamstenant", defaultPolicies=[{"type": "TeamsVoiceRoutingPolicy", "name": "A"}])
    (finding,) = validation.validate_all([tenant])
    assert finding.rule_id == "policy-type-unknown"
    assert finding.field_path == "spec.defaultPolicies[0].type"
    assert finding.message.endswith("did you mean OnlineVoiceRoutingPolicy?")
    assert not finding.is_error


def test_missing_and_unwilling_targets_read_the_same() -> None:
    asked = {"rangeRef": {"name": "a", "namespace": "platform"}}
    person = user("anna", namespace="sales", phoneNumber=asked, tenantRef={"namespace": "platform"})
    silent = block("a", 0, 9, allowedNamespaces=None)
    tenant = made("teamstenant")
    without, unwilling = (
        validation.validate_all([tenant, person]),
        validation.validate_all([tenant, silent, person]),
    )
    assert [entry.rule_id for entry in without] == ["reference-unresolved"]
    assert without == unwilling


def test_consent_by_label_counts_where_labels_are_known() -> None:
    consent = [{"selector": {"matchLabels": {"team": "sales"}}}]
    tenant = made("teamstenant", allowedNamespaces=consent)
    person = user("anna", namespace="sales", tenantRef={"namespace": "platform"})
    assert told(tenant, person) == []
    assert told(tenant, person, namespace_labels={"sales": {"team": "sales"}}) == []
    assert told(tenant, person, namespace_labels={"sales": {"team": "other"}}) == [
        ("reference-unresolved", "anna", "spec.tenantRef")
    ]


def test_people_whom_the_tenant_does_not_let_the_namespace_declare() -> None:
    stranger = user(
        "anna",
        namespace="sales",
        userPrincipalName="anna@other.example",
        tenantRef={"namespace": "platform"},
    )
    tenant = made("teamstenant")
    assert told(tenant, stranger, namespace_labels={"sales": {}}) == [
        ("person-not-allowed", "anna", "spec.userPrincipalName")
    ]


def test_the_own_namespace_may_declare_everybody() -> None:
    assert told(made("teamstenant"), user("anna", userPrincipalName="anna@other.example")) == []


def test_a_number_that_nothing_declares() -> None:
    person = user("anna", phoneNumber={"rangeRef": None, "e164": "+442079460099"})
    assert told(made("teamstenant"), block("a", 0, 98), person) == [
        ("number-undeclared", "anna", "spec.phoneNumber.e164")
    ]


def test_service_numbers_and_foreign_routes_are_not_for_teams_users() -> None:
    person = user("anna", phoneNumber={"rangeRef": {"name": "a"}})
    service = block("a", 0, 9, use="Service", route="Sip")
    assert told(made("teamstenant"), service, person) == [
        ("number-not-for-people", "anna", "spec.phoneNumber.rangeRef"),
        ("route-not-for-teams", "anna", "spec.phoneNumber.rangeRef"),
    ]


def test_more_people_than_numbers() -> None:
    people = [user(name, phoneNumber={"rangeRef": {"name": "a"}}) for name in ("x", "y", "z")]
    tight = block("a", 1, 3)
    assert told(made("teamstenant"), tight, *people) == []
    reserved = block("a", 1, 3, reservations=[{"number": "+442079460001"}])
    (finding,) = validation.validate_all([made("teamstenant"), reserved, *people])
    assert finding.rule_id == "range-too-small"
    assert finding.message == "3 people get a number from here, and 2 can be given"


def test_a_location_without_its_id_in_teams() -> None:
    place = made("emergencylocation", teamsLocationId=None)
    person = user("anna", emergencyLocationRef={"name": "london-office"})
    assert told(made("teamstenant"), place, person) == [
        ("location-without-teams-id", "london-office", "spec.teamsLocationId")
    ]


@pytest.mark.parametrize(
    ("after", "rules"),
    [
        (timedelta(days=7), []),
        (timedelta(days=7, seconds=1), ["approval-expires-too-late"]),
        (timedelta(0), ["approval-expired"]),
        (timedelta(seconds=1), []),
    ],
)
def test_the_end_of_an_approval(after: timedelta, rules: list[str]) -> None:
    expires = (NOW + after).isoformat()
    approval = made("changeapproval", expiresAt=expires)
    tenant = made("teamstenant")
    assert [rule for rule, *_ in told(tenant, approval, now=NOW)] == rules
    assert told(tenant, approval) == []


def test_schema_errors_are_findings_as_well() -> None:
    parsed = parsing.parse_strict(
        merge_patched(
            SAMPLES["numberrange"], {"metadata": {"namespace": "n"}, "spec": {"use": "X"}}
        )
    )
    (finding,) = findings.of_parsing(parsed)
    assert str(finding) == (
        "NumberRange n/london: spec.use: must be one of 'User' or 'Service' [schema]"
    )


def test_one_object_by_itself() -> None:
    found = validation.validate_one(block("a", 1, 9, country="ZZ"))
    assert [entry.rule_id for entry in found] == ["country-unknown"]


def test_everything_is_told_at_once_and_in_a_stable_order() -> None:
    tree = [
        block("b", 0, 50, country="ZZ"),
        block("a", 50, 99),
        user("anna", policies=[{"type": "TeamsCallingPolicy", "name": "Global"}]),
    ]
    found = validation.validate_all(tree)
    assert {entry.rule_id for entry in found} == {
        "country-unknown",
        "numbers-overlap",
        "policy-is-global",
        "reference-unresolved",
    }
    assert found == validation.validate_all(tree[::-1])
    assert found == sorted(found, key=lambda entry: entry.sort_key)


def test_rules_have_ids_of_their_own_and_descriptions() -> None:
    ids = [rule.id for rule in validation.RULES]
    assert len(ids) == len(set(ids))
    assert findings.SCHEMA_RULE not in ids
    assert all(rule.description.endswith(".") and rule.kinds for rule in validation.RULES)


def webex_user(name: str = "", **spec: Any) -> Resource:
    """A person in Webex who names nothing but the organisation, unless told otherwise."""
    bare = {"phoneNumber": None, "emergencyLocationRef": None}
    return made("webexuser", name, namespace="platform", **{**bare, **spec})


def ids_of(*resources: Resource) -> list[str]:
    return [entry.rule_id for entry in validation.validate_all(resources)]


def test_webex_people_are_held_to_the_same_rules() -> None:
    organization = made("webexorganization")
    assert ids_of(organization, webex_user()) == []
    assert ids_of(webex_user()) == ["reference-unresolved"]
    twice = (organization, webex_user("a"), webex_user("b", email="BRUNO@example.com"))
    assert ids_of(*twice) == ["person-declared-twice"]
    again = made("webexorganization", "other")
    assert ids_of(organization, again) == ["organization-declared-twice"]


def test_a_route_that_webex_cannot_use_is_found() -> None:
    organization = made("webexorganization")
    plan = block("plan", 0, 9, route="CallingPlan")
    ours = block("ours", 10, 19)
    drawn = [webex_user(name, email=f"{name}@example.com") for name in ("a", "b")]
    asking = [
        webex_user(
            user.name, email=f"{user.name}@example.com", phoneNumber={"rangeRef": {"name": of}}
        )
        for user, of in zip(drawn, ("plan", "ours"), strict=True)
    ]
    assert ids_of(organization, plan, ours, *asking) == ["route-not-for-webex"]


def test_an_emergency_location_of_another_address_is_found() -> None:
    organization = made("webexorganization")
    office = {"emergencyLocationRef": {"name": "london-office"}}
    known = made("emergencylocation")
    assert ids_of(organization, known, webex_user(**office)) == []
    unknown = made("emergencylocation", webexLocation=None)
    assert ids_of(organization, unknown, webex_user(**office)) == [
        "location-without-webex-location"
    ]
    away = webex_user(location="Leeds", **office)
    assert ids_of(organization, known, away) == ["location-of-another-address"]


def test_numbers_for_people_are_not_for_services() -> None:
    organization = made("webexorganization")
    wanted = {"phoneNumber": {"none": None, "phoneNumberRef": None, "rangeRef": {"name": "ours"}}}
    service = made("serviceline", **wanted)
    people = block("ours", 10, 19)
    assert ids_of(organization, people, service) == ["number-not-for-services"]
    assert ids_of(organization, block("ours", 10, 19, use="Service"), service) == []


def test_every_rule_is_tried_here() -> None:
    here = Path(__file__)
    beside = ("test_carriers.py", "test_call_terms.py", "test_sip_lines.py", "test_redirects.py")
    text = "".join(
        path.read_text(encoding="utf-8") for path in (here, *map(here.with_name, beside))
    )
    assert [rule.id for rule in validation.RULES if f'"{rule.id}"' not in text] == []


spans = st.lists(
    st.tuples(st.integers(0, 60), st.integers(0, 8)).map(lambda pair: (pair[0], sum(pair))),
    max_size=7,
)


@given(spans=spans)
def test_overlaps_are_exactly_the_pairs_that_share_a_number(spans: list[tuple[int, int]]) -> None:
    ranges = [block(f"r{index}", first, last) for index, (first, last) in enumerate(spans)]
    expected = {
        (f"r{later}", f"NumberRange platform/r{earlier}")
        for later, (first, last) in enumerate(spans)
        for earlier, (other_first, other_last) in enumerate(spans[:later])
        if first <= other_last and other_first <= last
    }
    found = list(overlaps.check(ranges))
    assert len(found) == len(expected)
    assert {(entry.name, named(entry)) for entry in found} == expected


def named(finding: Finding) -> str:
    return finding.message.removeprefix("shares numbers with ").partition(",")[0]


def test_messages_never_show_a_full_number() -> None:
    number = E164("+449098790123")
    phone = made("phonenumber", e164=number.text, emergencyLocationRef=None)
    (finding,) = validation.validate_all([phone])
    assert number.text not in str(finding)
    assert number.masked in finding.message


@pytest.mark.parametrize(
    ("base", "fields"),
    [
        ("teamsuser", ("accountRef", "callingPlanRef", "callPrivilegeRef")),
        ("webexuser", ("accountRef", "callingPlanRef", "callPrivilegeRef")),
        ("serviceline", ("accountRef",)),
        ("numberrange", ("accountRef",)),
        ("phonenumber", ("accountRef",)),
    ],
)
def test_who_pays_and_what_may_be_dialled_must_be_there(base: str, fields: tuple[str, ...]) -> None:
    named = {field: {"name": "nobody"} for field in fields}
    others = [one for one in samples() if one.kind.lower() != base]
    found = [
        (path, message)
        for one in validation.validate_all([*others, made(base, **named)])
        if (path := one.field_path.removeprefix("spec.")) in fields and (message := one.message)
    ]
    assert [path for path, _ in found] == sorted(fields)
    assert all("platform/nobody is not here or does not consent" in each for _, each in found)
