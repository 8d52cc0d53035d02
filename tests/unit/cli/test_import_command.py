"""`callplane import`: what is written plans to nothing, and whatever is not written is named."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from callplane.cli import importing
from callplane.desired import brownfield
from callplane.numbering import plan_table
from callplane.numbering.plan_table import NumberClass
from callplane.resources.lines import NumberType, PolicyOnLine, PolicyOrigin
from callplane.resources.platforms import AccountType, CallingConfiguration, NumberOnPlatform
from callplane.testing.planning_builders import (
    TENANT_KEY,
    Estate,
    manifest,
    number,
    user_id,
)
from callplane.testing.takeovers import LOCATION, Takeover
from callplane.values import E164


@pytest.fixture
def takeover(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Takeover:
    return Takeover(tmp_path, capsys)


def populate(takeover: Takeover, *, seed: int) -> dict[str, str]:
    """People with numbers, policies and locations at random; who has which number."""
    chance = random.Random(seed)
    estate = takeover.estate
    takeover.declare_location()
    held: dict[str, str] = {}
    for index in chance.sample(range(1000), 120):
        name = f"person{index}"
        if chance.random() < 0.3:
            estate.stock([index])
            continue
        estate.hire(name, index=index, ours=False)
        location = LOCATION if chance.random() < 0.5 else None
        estate.give(name, index, ours=False, location=location)
        policies = []
        for policy_type in ("TeamsCallingPolicy", "OnlineVoiceRoutingPolicy"):
            if chance.random() < 0.5:
                origin = chance.choice([*PolicyOrigin])
                name_of_policy = chance.choice(["Sales", "Desk"])
                policies.append((policy_type, PolicyOnLine(name_of_policy, origin)))
        estate.configurations[name] = CallingConfiguration(user_id(name), policies=tuple(policies))
        held[f"{name}@example.com"] = number(index).text
    for index in range(5):
        estate.hire(f"nobody{index}")
    return held


def check_policies(takeover: Takeover) -> None:
    """Every policy that is assigned directly is stated."""
    for body in takeover.bodies("TeamsUser"):
        name = body["spec"]["userPrincipalName"].partition("@")[0]
        direct = {
            policy_type: policy.name
            for policy_type, policy in takeover.estate.configurations[name].policies
            if policy.origin is PolicyOrigin.DIRECT
        }
        stated = {each["type"]: each["name"] for each in body["spec"].get("policies", [])}
        assert {key: value for key, value in stated.items() if value} == direct


def check_estate(takeover: Takeover, *, seed: int) -> None:
    """The proof: everybody with a number is stated with it, and the tree plans to nothing."""
    held = populate(takeover, seed=seed)
    takeover.take_over()
    assert takeover.numbers_of_people() == held
    check_policies(takeover)
    shown = takeover.plan()
    assert shown.startswith("Plan: 0 changes on 0 of")


@pytest.mark.parametrize("seed", range(4))
def test_a_generated_estate_plans_to_nothing(takeover: Takeover, seed: int) -> None:
    takeover.estate.tenant(
        allowedNamespaces=[],
        defaultPolicies=[{"type": "TeamsCallingPolicy", "name": "Desk"}] if seed % 2 else [],
    )
    check_estate(takeover, seed=seed)


def without_a_person(draft: brownfield.Draft) -> brownfield.Draft:
    return replace(draft, documents=draft.documents[:-1])


def with_another_number(draft: brownfield.Draft) -> brownfield.Draft:
    *others, last = draft.documents
    spec = {**last.body["spec"], "phoneNumber": {"e164": number(999).text}}
    changed = replace(last, body={**last.body, "spec": spec})
    return replace(draft, documents=(*others, changed))


def without_the_policies(draft: brownfield.Draft) -> brownfield.Draft:
    for each in draft.documents:
        each.body["spec"].pop("policies", None)
    return draft


@pytest.mark.parametrize("mutant", [without_a_person, with_another_number, without_the_policies])
def test_a_wrong_draft_is_noticed(
    takeover: Takeover,
    monkeypatch: pytest.MonkeyPatch,
    mutant: Callable[[brownfield.Draft], brownfield.Draft],
) -> None:
    right = brownfield.draft
    monkeypatch.setattr(brownfield, "draft", lambda estate: mutant(right(estate)))
    with pytest.raises(AssertionError):
        check_estate(takeover, seed=1)


def test_without_its_own_check_a_wrong_number_shows_in_the_plan(
    takeover: Takeover, monkeypatch: pytest.MonkeyPatch
) -> None:
    takeover.estate.hire("anna", index=1, ours=False)
    takeover.estate.stock([2])
    right = brownfield.draft

    def wrong(estate: brownfield.Estate) -> brownfield.Draft:
        draft = right(estate)
        spec = draft.documents[-1].body["spec"]
        spec["phoneNumber"] = {"e164": number(2).text}
        return draft

    monkeypatch.setattr(brownfield, "draft", wrong)
    monkeypatch.setattr(importing._Check, "by_plan", lambda _, documents: (documents, ()))
    takeover.take_over()
    takeover.plan(code=2)


def test_the_same_snapshot_gives_the_same_bytes(takeover: Takeover, tmp_path: Path) -> None:
    populate(takeover, seed=7)
    takeover.take_over()
    first = takeover.written()
    takeover.estate.numbers = dict(reversed(takeover.estate.numbers.items()))
    takeover.estate.people = dict(reversed(takeover.estate.people.items()))
    takeover.folder = tmp_path / "second"
    takeover.take_over()
    assert takeover.written() == first


def test_a_second_import_writes_only_what_is_new(takeover: Takeover) -> None:
    takeover.estate.hire("anna", index=1, ours=False)
    takeover.take_over()
    first = takeover.written()
    takeover.take_over()
    assert takeover.written() == first
    assert "0 people and 0 ranges written; 1 declared before" in takeover.said
    takeover.estate.hire("ben", index=2, ours=False)
    takeover.take_over()
    assert len(takeover.written()) == len(first) + 2
    takeover.plan()


def test_blocks_are_contiguous_and_single_numbers_are_listed(takeover: Takeover) -> None:
    takeover.estate.stock([1, 2, 3, 7, 9, 20, 21])
    takeover.take_over()
    specs = {body["metadata"]["name"]: body["spec"] for body in takeover.bodies("NumberRange")}
    ends = {(spec["first"], spec["last"]) for spec in specs.values() if "first" in spec}
    assert ends == {
        (number(1).text, number(3).text),
        (number(20).text, number(21).text),
    }
    assert specs[f"list-{number(7).text[1:]}"]["numbers"] == [number(7).text, number(9).text]


def test_a_block_lies_in_one_class_of_numbers(
    takeover: Takeover, monkeypatch: pytest.MonkeyPatch
) -> None:
    classes = {"20794600": NumberClass.GEOGRAPHIC, "207946001": NumberClass.UK_WIDE}
    monkeypatch.setattr(plan_table, "PLANS", {"GB": replace(plan_table.GB, classes=classes)})
    takeover.estate.stock(range(8, 12))
    takeover.take_over()
    firsts = {body["spec"]["first"] for body in takeover.bodies("NumberRange")}
    assert firsts == {number(8).text, number(10).text}


def test_another_route_is_another_range(takeover: Takeover) -> None:
    takeover.estate.tenant(entitlements=["CallingPlan"])
    takeover.estate.stock([1, 2, 5])
    for index, user in ((3, True), (4, True), (6, False)):
        takeover.estate.numbers[number(index)] = NumberOnPlatform(
            number(index), NumberType.CALLING_PLAN, assignable_to_users=user
        )
    takeover.take_over()
    sorts = {
        (spec.get("first") or spec["e164"], spec["route"], spec["use"])
        for kind in ("NumberRange", "PhoneNumber")
        for spec in (body["spec"] for body in takeover.bodies(kind))
    }
    assert sorts == {
        (number(1).text, "DirectRouting", "User"),
        (number(3).text, "CallingPlan", "User"),
        (number(5).text, "DirectRouting", "User"),
        (number(6).text, "CallingPlan", "Service"),
    }


def test_what_is_declared_already_is_left_as_it_is(takeover: Takeover) -> None:
    takeover.estate.range()
    takeover.estate.hire("anna", index=1, ours=False)
    takeover.estate.hire("ben", index=2, ours=False)
    takeover.estate.declare("ben")
    takeover.take_over()
    assert takeover.numbers_of_people() == {"anna@example.com": number(1).text}
    assert takeover.bodies("NumberRange") == []
    takeover.plan()


def test_two_people_of_one_short_name_have_names_of_their_own(takeover: Takeover) -> None:
    for index, domain in enumerate(("example.com", "example.org")):
        name = f"anna-{domain}"
        takeover.estate.hire(name, index=index, ours=False)
        person = takeover.estate.people[name]
        takeover.estate.people[name] = replace(person, user_principal_name=f"anna@{domain}")
    takeover.take_over()
    names = [body["metadata"]["name"] for body in takeover.bodies("TeamsUser")]
    assert sorted(names) == ["anna-example-com", "anna-example-org"]
    takeover.plan()


# What is left out


def give_to_a_service(estate: Estate) -> None:
    estate.numbers[number(1)] = replace(estate.numbers[number(1)], held_by_user=False)


def give_to_a_resource_account(estate: Estate) -> None:
    estate.configurations["anna"] = CallingConfiguration(
        user_id("anna"), account_type=AccountType.RESOURCE_ACCOUNT
    )


def forget(estate: Estate) -> None:
    del estate.people["anna"]


def make_foreign(estate: Estate) -> None:
    estate.numbers[number(1)] = replace(estate.numbers[number(1)], managed_by="Webex")


def make_calling_plan(estate: Estate) -> None:
    row = replace(estate.numbers[number(1)], number_type=NumberType.CALLING_PLAN)
    estate.numbers[number(1)] = row


def give_one_of_abroad(estate: Estate) -> None:
    row = estate.numbers.pop(number(1))
    abroad = E164("+33123456789")
    estate.numbers[abroad] = replace(row, number=abroad)


def make_a_further_one(estate: Estate) -> None:
    estate.give("anna", 2, ours=False)
    estate.numbers[number(2)] = replace(estate.numbers[number(2)], is_primary=False)


def give_a_second(estate: Estate) -> None:
    estate.give("anna", 2, ours=False)


@pytest.mark.parametrize(
    ("happens", "reason"),
    [
        (give_to_a_service, "is no person, and no service that a ServiceLine states"),
        (forget, "is not in the directory"),
        (make_foreign, "is managed by Webex, not here"),
        (make_calling_plan, "entitlements lack it"),
        (give_one_of_abroad, "is a number that no number plan here holds"),
        (give_one_of_abroad, "no NumberRange or PhoneNumber that admits namespace platform"),
        (give_a_second, "has more than one primary number"),
    ],
)
def test_whatever_is_left_out_has_a_reason(
    takeover: Takeover, happens: Callable[[Estate], None], reason: str
) -> None:
    takeover.estate.hire("ben", index=9, ours=False)
    takeover.estate.hire("anna", index=1, ours=False)
    happens(takeover.estate)
    assert reason in takeover.take_over(code=2)
    assert takeover.numbers_of_people() == {"ben@example.com": number(9).text}
    takeover.plan()


def test_a_further_number_is_named_and_the_first_is_stated(takeover: Takeover) -> None:
    takeover.estate.hire("anna", index=1, ours=False)
    make_a_further_one(takeover.estate)
    shown = takeover.take_over(code=2)
    assert f"anna@example.com ({number(2).text}): has this as a further number" in shown
    assert takeover.numbers_of_people() == {"anna@example.com": number(1).text}
    takeover.plan()


def test_names_of_the_tenant_do_not_steer_the_terminal(takeover: Takeover) -> None:
    takeover.estate.hire("anna", index=1, ours=False)
    anna = takeover.estate.people["anna"]
    takeover.estate.people["anna"] = replace(anna, user_principal_name="\x1b[2Janna@example.com")
    give_to_a_service(takeover.estate)
    assert takeover.take_over(code=2).startswith("?[2Janna@example.com (")


def test_a_location_that_nothing_states_is_named(takeover: Takeover) -> None:
    takeover.estate.hire("anna", ours=False)
    takeover.estate.give("anna", 1, ours=False, location=LOCATION)
    assert f"location {LOCATION}: is the emergency location of 1" in takeover.take_over(code=2)
    takeover.plan()


def test_a_location_is_named_by_reference(takeover: Takeover) -> None:
    takeover.declare_location()
    takeover.estate.hire("anna", ours=False)
    takeover.estate.give("anna", 1, ours=False, location=LOCATION.upper())
    takeover.estate.numbers[number(1)] = replace(
        takeover.estate.numbers[number(1)], location_id=LOCATION
    )
    takeover.take_over()
    (anna,) = takeover.bodies("TeamsUser")
    assert anna["spec"]["emergencyLocationRef"] == {"name": "office"}


def test_a_location_that_does_not_admit_the_namespace_counts_as_none(takeover: Takeover) -> None:
    takeover.declare_location()
    takeover.estate.hire("anna", ours=False)
    takeover.estate.give("anna", 1, ours=False, location=LOCATION)
    assert "that admits namespace sales" in takeover.take_over("--namespace", "sales", code=2)
    takeover.plan()


def test_numbers_can_be_masked(takeover: Takeover) -> None:
    takeover.estate.hire("anna", index=1, ours=False)
    forget(takeover.estate)
    assert number(1).text in takeover.take_over(code=2)
    takeover.folder = takeover.folder.parent / "other"
    assert number(1).text not in takeover.take_over("--mask-numbers", code=2)


# What is refused


def test_no_file_is_ever_replaced(takeover: Takeover) -> None:
    takeover.estate.hire("anna", index=1, ours=False)
    there = takeover.folder / "main" / "people" / "a" / "anna.yaml"
    there.parent.mkdir(parents=True)
    there.write_text("# mine\n")
    takeover.take_over(code=1)
    assert f"nothing was written, for 1 file would be replaced: {there}" in takeover.said
    assert [*takeover.written().values()] == [b"# mine\n"]


def test_a_write_that_fails_leaves_nothing(takeover: Takeover) -> None:
    takeover.estate.hire("anna", index=1, ours=False)
    takeover.folder.mkdir()
    (takeover.folder / "main").mkdir()
    (takeover.folder / "main" / "people").write_text("no folder")
    takeover.take_over(code=1)
    assert "nothing is left" in takeover.said
    assert takeover.written() == {}
    assert not (takeover.folder / "main" / "numbers").exists()


def test_a_tenant_that_nothing_declares_is_asked_for(takeover: Takeover) -> None:
    takeover.estate.manifests.clear()
    takeover.take_over(code=1)
    assert f"{TENANT_KEY}: declared neither in the cluster" in takeover.said
    assert not takeover.folder.exists()


def test_a_tenant_in_the_folder_is_enough(takeover: Takeover) -> None:
    takeover.estate.hire("anna", index=1, ours=False)
    takeover.folder.mkdir()
    tenant = takeover.estate.manifests.pop(TENANT_KEY)
    (takeover.folder / "tenant.yaml").write_text(yaml.safe_dump(tenant))
    takeover.take_over()
    takeover.plan()


def test_a_folder_with_errors_is_not_built_upon(takeover: Takeover) -> None:
    takeover.folder.mkdir()
    wrong = manifest("NumberRange", "wrong", {"first": "1"}, namespace="platform")
    (takeover.folder / "wrong.yaml").write_text(yaml.safe_dump(wrong))
    takeover.take_over(code=1)
    assert "wrong.yaml:" in takeover.said


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (
            ["--tenant", "a/b"],
            "TeamsTenant/a/b was not observed; observed are: TeamsTenant/platform/main",
        ),
        (["--kubeconfig", "b"], "name one of --from-snapshot, --kubeconfig and --csv"),
    ],
)
def test_wrong_options_say_what_to_do(takeover: Takeover, options: list[str], reason: str) -> None:
    takeover.take_over(*options, code=1)
    assert reason in takeover.said
