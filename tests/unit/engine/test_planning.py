"""A plan says what the controller would do: the same changes, and everything in their way."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest

from callplane.apis.change_approvals import ChangeApproval
from callplane.apis.parsing import parse_lenient
from callplane.engine import change_approvals, planning
from callplane.numbering.lifecycle import NumberState
from callplane.plan.change import Change, Operation, approval_digest
from callplane.plan.document import Level, ObjectPlan, Plan
from callplane.plan.gate import GateRow, GateStatus
from callplane.resources.lines import NumberType
from callplane.resources.platforms import LicenceState, NumberOnPlatform
from callplane.testing.planning_builders import (
    TAKEN_AT,
    TENANT_KEY,
    Estate,
    declared,
    declaring,
    manifest,
    number,
    user_id,
)
from callplane.values import ObjectKey


@pytest.fixture
def estate() -> Estate:
    """A hundred free numbers, and twenty people who have everything they are declared to have."""
    estate = Estate()
    estate.stock(range(100))
    for index in range(20):
        name = f"old{index:02}"
        estate.hire(name, index=80 + index)
        estate.declare(name)
    return estate


def of(plan: Plan, name: str) -> ObjectPlan:
    """The plan of one person."""
    return next(each for each in plan.objects if each.key.name == name)


def operations(each: ObjectPlan) -> list[str]:
    return [planned.change.operation.value for planned in each.changes]


def reasons(each: ObjectPlan, level: Level) -> list[str]:
    return [note.reason for note in each.notes if note.level is level]


async def test_people_who_have_what_is_declared_are_only_counted(estate: Estate) -> None:
    plan = await estate.plan()
    assert plan.objects == ()
    assert plan.unchanged == 22
    assert plan.is_settled
    assert not plan.is_held


async def test_a_number_to_be_drawn_is_symbolic_until_it_is_claimed(estate: Estate) -> None:
    estate.hire("ann")
    estate.declare("ann")
    (planned,) = of(await estate.plan(), "ann").changes
    assert planned.change.after == {"range": "platform/london", "type": "directRouting"}
    assert planned.change_id == planned.change.change_id
    assert not planned.gated


async def test_the_plan_of_a_joiner_does_not_depend_on_who_else_joins(estate: Estate) -> None:
    estate.hire("zoe")
    estate.declare("zoe")
    alone = of(await estate.plan(), "zoe").changes
    estate.hire("ann")
    estate.declare("ann")
    assert of(await estate.plan(), "zoe").changes == alone


async def test_a_number_that_is_claimed_already_is_named(estate: Estate) -> None:
    estate.hire("ann")
    estate.claim("ann", 7, state=NumberState.CLAIMED)
    estate.declare("ann")
    (planned,) = of(await estate.plan(), "ann").changes
    assert planned.change.after == {"number": number(7).text, "type": "directRouting"}


async def test_a_resting_number_goes_back_to_its_holder(estate: Estate) -> None:
    estate.hire("ann")
    estate.claim("ann", 7, state=NumberState.QUARANTINED, declared_by=None)
    estate.declare("ann")
    (planned,) = of(await estate.plan(), "ann").changes
    assert planned.change.number == number(7).text


async def test_a_number_is_kept_where_the_range_has_it(estate: Estate) -> None:
    estate.range("paris", first=100, last=199)
    paris = {"rangeRef": {"name": "paris", "namespace": "platform"}}
    estate.declare("old00", phoneNumber=paris)
    changed = of(await estate.plan(), "old00")
    assert operations(changed) == ["UnassignNumber", "AssignNumber"]
    assert [planned.gated for planned in changed.changes] == [True, False]
    assert changed.changes[1].change.after == {"range": "platform/paris", "type": "directRouting"}


async def test_two_people_who_swap_wait_for_nothing_but_each_other(estate: Estate) -> None:
    estate.declare("old00", phoneNumber={"e164": number(81).text})
    estate.declare("old01", phoneNumber={"e164": number(80).text})
    plan = await estate.plan()
    for name in ("old00", "old01"):
        assert operations(of(plan, name)) == ["UnassignNumber", "AssignNumber"]
        assert reasons(of(plan, name), Level.INFO) == ["NumberInTransfer"]
        assert reasons(of(plan, name), Level.BLOCKED) == []


async def test_a_number_that_somebody_keeps_is_taken(estate: Estate) -> None:
    estate.hire("ann")
    estate.declare("ann", phoneNumber={"e164": number(80).text})
    blocked = of(await estate.plan(), "ann")
    assert blocked.changes == ()
    assert reasons(blocked, Level.BLOCKED) == ["NumberTaken"]


async def test_a_number_not_given_out_here_is_foreign(estate: Estate) -> None:
    estate.hire("ann", index=5, ours=False)
    estate.declare("ann", phoneNumber={"none": {}})
    plan = await estate.plan()
    assert reasons(of(plan, "ann"), Level.BLOCKED) == ["Foreign"]
    assert plan.gates[0].change_ids == ()


async def test_what_is_as_declared_is_adopted_without_a_write(estate: Estate) -> None:
    estate.hire("ann", index=5, ours=False)
    estate.declare("ann")
    plan = await estate.plan()
    assert of(plan, "ann").changes == ()
    assert reasons(of(plan, "ann"), Level.INFO) == ["Adopted"]
    assert plan.is_settled


async def test_an_object_of_another_name_takes_its_person_over(estate: Estate) -> None:
    estate.remove("TeamsUser", "old00")
    estate.declare("renamed", userPrincipalName="old00@example.com")
    plan = await estate.plan()
    assert list(plan.changes()) == []
    assert (
        "takes the person over from TeamsUser sales/old00" in of(plan, "renamed").notes[0].message
    )
    assert "TeamsUser sales/renamed declares" in of(plan, "old00").notes[0].message
    assert plan.is_settled


async def test_a_name_that_now_means_somebody_else_is_not_followed(estate: Estate) -> None:
    estate.people["old00"] = replace(estate.people["old00"], user_principal_name="left@example.com")
    estate.hire("new")
    estate.people["new"] = replace(estate.people["new"], user_principal_name="old00@example.com")
    assert reasons(of(await estate.plan(), "old00"), Level.BLOCKED) == ["IdentityChanged"]


@pytest.mark.parametrize(
    ("person", "reason"),
    [
        ({"licence": LicenceState.ABSENT}, "UserNotLicensed"),
        ({"licence": LicenceState.WARNING}, "LicenceInGrace"),
        ({"usage_location": "FR"}, "UsageLocationMismatch"),
        ({"account_enabled": False}, "UserDisabled"),
        ({"deleted": True}, "UserDeleted"),
    ],
)
async def test_what_stands_in_the_way_of_a_person_is_a_note(
    estate: Estate, person: dict[str, object], reason: str
) -> None:
    estate.hire("ann", **person)
    estate.declare("ann")
    plan = await estate.plan()
    assert reasons(of(plan, "ann"), Level.BLOCKED) == [reason]
    assert not plan.is_settled


async def test_all_that_stands_in_the_way_is_said_at_once(estate: Estate) -> None:
    estate.hire("ann", index=5, ours=False, usage_location="FR")
    estate.declare("ann", phoneNumber={"e164": number(6).text})
    assert reasons(of(await estate.plan(), "ann"), Level.BLOCKED) == [
        "Foreign",
        "UsageLocationMismatch",
    ]


async def test_unknown_people_missing_ranges_and_an_empty_range(estate: Estate) -> None:
    estate.declare("nobody")
    estate.declare("old00", phoneNumber={"rangeRef": {"name": "gone", "namespace": "platform"}})
    estate.range("tiny", first=100, last=100)
    tiny = {"rangeRef": {"name": "tiny", "namespace": "platform"}}
    for name in ("ann", "ben"):
        estate.hire(name)
        estate.declare(name, phoneNumber=tiny)
    plan = await estate.plan()
    assert reasons(of(plan, "nobody"), Level.BLOCKED) == ["UserNotFound"]
    assert reasons(of(plan, "old00"), Level.WAITS) == ["DependencyNotReady"]
    assert operations(of(plan, "ann")) == ["AssignNumber"]
    assert reasons(of(plan, "ben"), Level.BLOCKED) == ["RangeExhausted"]


async def test_named_numbers_are_not_drawn_by_others(estate: Estate) -> None:
    estate.range("tiny", first=100, last=100)
    estate.hire("ann")
    estate.declare("ann", phoneNumber={"rangeRef": {"name": "tiny", "namespace": "platform"}})
    estate.hire("zoe")
    estate.declare("zoe", phoneNumber={"e164": number(100).text})
    plan = await estate.plan()
    assert of(plan, "zoe").changes[0].change.number == number(100).text
    assert reasons(of(plan, "ann"), Level.BLOCKED) == ["RangeExhausted"]


async def test_what_graph_cannot_do_is_said_with_the_manual_step(estate: Estate) -> None:
    estate.tenant(entitlements=["OperatorConnect"])
    estate.range("operator", first=200, last=209, route="OperatorConnect")
    estate.numbers[number(200)] = NumberOnPlatform(number(200), NumberType.OPERATOR_CONNECT)
    estate.hire("ann", index=200)
    estate.numbers[number(200)] = NumberOnPlatform(
        number(200), NumberType.OPERATOR_CONNECT, user_id("ann"), location_id="loc-1"
    )
    estate.claim("ann", 200, number_type="operatorConnect", range_name="platform/operator")
    estate.put(
        "EmergencyLocation",
        "office",
        {
            "address": {"street": "1 Example Street", "town": "London", "postcode": "ZZ99 9ZZ"},
            "teamsLocationId": "5f1d7a2c-0b6e-4f3a-8c41-9e2b7d6a5c33",
        },
        namespace="sales",
    )
    estate.declare(
        "ann",
        phoneNumber={"rangeRef": {"name": "operator", "namespace": "platform"}},
        emergencyLocationRef={"name": "office"},
    )
    changed = of(await estate.plan(), "ann")
    assert operations(changed) == ["SetEmergencyLocation"]
    assert reasons(changed, Level.BLOCKED) == ["Unsupported"]
    assert "by hand: " in changed.notes[0].message


async def test_observed_and_suspended_people_are_shown_and_never_written(estate: Estate) -> None:
    estate.declare("old00", phoneNumber={"none": {}}, managementPolicy="Observe")
    estate.declare("old01", phoneNumber={"none": {}}, suspend=True)
    plan = await estate.plan()
    assert [of(plan, name).written for name in ("old00", "old01")] == [False, False]
    assert operations(of(plan, "old00")) == ["UnassignNumber"]
    assert "spec.suspend is set" in of(plan, "old01").notes[0].message
    assert plan.is_settled
    assert plan.gates[0].change_ids == ()


async def test_an_incident_freezes_what_is_gated(estate: Estate) -> None:
    estate.put(
        "ProviderIncident",
        "outage",
        {
            "connectionRef": {"kind": "TeamsTenant", "name": "main"},
            "scope": "numbers",
            "text": "Numbers are stuck",
            "since": "2026-11-02T08:00:00Z",
            "freeze": "Destructive",
        },
        namespace="platform",
    )
    estate.declare("old00", phoneNumber={"none": {}})
    estate.hire("ann")
    estate.declare("ann")
    plan = await estate.plan()
    assert reasons(of(plan, "old00"), Level.WAITS) == ["FrozenByIncident"]
    assert of(plan, "ann").notes == ()


# Deletions


async def test_absence_means_nothing_without_a_base(estate: Estate) -> None:
    del estate.manifests[ObjectKey("TeamsUser", "sales", "old00")]
    plan = await estate.plan()
    assert plan.objects == ()


async def test_a_leaver_gives_the_number_up_to_rest(estate: Estate) -> None:
    estate.range(quarantine={"days": 30})
    estate.remove("TeamsUser", "old00")
    leaver = of(await estate.plan(), "old00")
    assert leaver.removed
    assert operations(leaver) == ["UnassignNumber"]
    assert [planned.gated for planned in leaver.changes] == [True]
    assert [(note.reason, note.message) for note in leaver.notes] == [("Rests", "rests 30 days")]


@pytest.mark.parametrize(
    "spec", [{"onDelete": "Detach"}, {"suspend": True}, {"managementPolicy": "Observe"}]
)
async def test_who_is_let_go_keeps_everything(estate: Estate, spec: dict[str, object]) -> None:
    estate.declare("old00", **spec)
    estate.remove("TeamsUser", "old00")
    leaver = of(await estate.plan(), "old00")
    assert leaver.changes == ()
    assert reasons(leaver, Level.INFO) == ["Detached"]


async def test_a_removed_range_stays_while_its_numbers_are_used(estate: Estate) -> None:
    estate.remove("NumberRange", "london", namespace="platform")
    plan = await estate.plan()
    assert reasons(of(plan, "london"), Level.WAITS) == ["InUse"]
    assert reasons(of(plan, "old00"), Level.WAITS) == ["DependencyNotReady"]


async def test_a_removed_person_of_ours_without_a_number_is_nothing(estate: Estate) -> None:
    estate.hire("ann")
    estate.declare("ann")
    estate.remove("TeamsUser", "ann")
    assert of(await estate.plan(), "ann").changes == ()


# The gate


def leavers(estate: Estate, count: int) -> None:
    for index in range(count):
        estate.remove("TeamsUser", f"old{index:02}")


async def test_few_gated_changes_run_unapproved(estate: Estate) -> None:
    leavers(estate, 5)
    plan = await estate.plan()
    assert len(plan.gates[0].change_ids) == 5
    assert not plan.is_held


async def test_more_than_the_limits_are_held_under_their_digest(estate: Estate) -> None:
    leavers(estate, 6)
    plan = await estate.plan()
    ids = [planned.change_id for planned in plan.changes()]
    assert plan.is_held
    assert plan.gates[0].waiting == tuple(sorted(ids))
    assert plan.gates[0].digest == approval_digest(ids)


async def test_limits_of_the_tree_count(estate: Estate) -> None:
    estate.tenant(changeLimits={"maxPercent": 50})
    leavers(estate, 6)
    assert not (await estate.plan()).is_held


async def test_limits_that_the_tree_raises_do_not_count_for_its_own_deletions(
    estate: Estate,
) -> None:
    estate.cluster_objects.append(copy.deepcopy(estate.manifests[TENANT_KEY]))
    estate.tenant(changeLimits={"maxPercent": 50})
    leavers(estate, 6)
    plan = await estate.plan()
    assert plan.is_held
    assert plan.gates[0].limits.max_percent == 10


def gate_row(status: GateStatus, change: Change, **fields: object) -> GateRow:
    row = GateRow(change, ObjectKey("TeamsUser", "sales", "x"), "", status, TAKEN_AT)
    return replace(row, **fields)  # type: ignore[arg-type]


async def test_what_ran_lately_counts_too(estate: Estate) -> None:
    leavers(estate, 5)
    other = (await estate.plan()).objects[0].changes[0].change
    ran = replace(other, subject="somebody else")
    estate.gate_rows.append(gate_row(GateStatus.CONSUMED, ran, consumed_at=TAKEN_AT))
    plan = await estate.plan()
    assert plan.is_held
    assert plan.gates[0].counted == 6


async def test_an_approval_in_the_tree_lets_its_changes_through(estate: Estate) -> None:
    leavers(estate, 6)
    ids = (await estate.plan()).gates[0].change_ids

    def approve(change_ids: tuple[str, ...], **fields: object) -> None:
        spec = {
            "connectionRef": {"kind": "TeamsTenant", "name": "main"},
            "changeIds": list(change_ids),
            "decision": "Approve",
            "approvedBy": "maria@example.com",
            "expiresAt": "2026-11-03T09:00:00Z",
            **fields,
        }
        estate.put("ChangeApproval", "answer", spec, namespace="platform")

    approve(ids)
    assert not (await estate.plan()).is_held
    approve(ids, expiresAt="2026-11-01T09:00:00Z")
    assert (await estate.plan()).is_held
    approve(ids, connectionRef={"kind": "TeamsTenant", "name": "other"})
    assert (await estate.plan()).is_held
    approve(ids, connectionRef={"kind": "Carrier", "name": "main"})
    assert (await estate.plan()).is_held
    approve(ids[:1])
    assert not (await estate.plan()).is_held, "five that are not approved are within the limits"


async def test_an_approval_that_is_used_up_lets_nothing_through_again(estate: Estate) -> None:
    leavers(estate, 6)
    changes = [planned.change for each in (await estate.plan()).objects for planned in each.changes]
    spec = {
        "connectionRef": {"kind": "TeamsTenant", "name": "main"},
        "changeIds": sorted(change.change_id for change in changes),
        "decision": "Approve",
        "approvedBy": "maria@example.com",
        "expiresAt": "2026-11-03T09:00:00Z",
    }
    estate.put("ChangeApproval", "answer", spec, namespace="platform")
    assert not (await estate.plan()).is_held
    answer = parse_lenient(
        estate.manifests[ObjectKey("ChangeApproval", "platform", "answer")]
    ).resource
    assert isinstance(answer, ChangeApproval)
    used = change_approvals.identity(answer.spec)
    estate.gate_rows += [
        gate_row(GateStatus.CONSUMED, change, approval=used, consumed_at=TAKEN_AT)
        for change in changes
    ]
    assert (await estate.plan()).is_held


# What the plan stands on


async def test_objects_of_the_cluster_are_referred_to_and_not_planned(estate: Estate) -> None:
    for key in (TENANT_KEY, ObjectKey("NumberRange", "platform", "london")):
        estate.cluster_objects.append(estate.manifests.pop(key))
    other = estate.manifests.pop(ObjectKey("TeamsUser", "sales", "old00"))
    other["spec"]["phoneNumber"] = {"none": {}}
    estate.cluster_objects.append(other)
    estate.declare("old01", phoneNumber={"e164": number(80).text})
    plan = await estate.plan()
    assert [each.key.name for each in plan.objects] == ["old01"]
    assert reasons(of(plan, "old01"), Level.INFO) == ["NumberInTransfer"]


async def test_labels_of_the_cluster_and_of_the_tree_decide_consent(estate: Estate) -> None:
    selector = {"matchLabels": {"calling": "yes"}}
    estate.tenant(allowedNamespaces=[{"selector": selector}])
    plan = await estate.plan()
    assert reasons(of(plan, "old00"), Level.WAITS) == ["DependencyNotReady"]
    estate.labels["sales"] = {"calling": "yes"}
    assert (await estate.plan()).objects == ()
    inputs = replace(estate.inputs(), namespace_labels={"sales": {"calling": "no"}})
    assert (await planning.compute(inputs)).objects != ()


async def test_a_tenant_that_was_not_observed_is_a_remark(estate: Estate) -> None:
    spec = dict(estate.manifests[TENANT_KEY]["spec"])
    spec["tenantId"] = "00000000-0000-4000-8000-00000000ffff"
    body = manifest("TeamsTenant", "second", spec, namespace="platform")
    inputs = estate.inputs()
    inputs = replace(inputs, declared=[*inputs.declared, declared(body)])
    plan = await planning.compute(inputs)
    assert [remark.partition(" was not observed")[0] for remark in plan.remarks] == [
        "TeamsTenant platform/second"
    ]


async def test_a_plan_without_the_register_says_so(estate: Estate) -> None:
    estate.has_register = False
    plan = await estate.plan()
    assert not plan.has_register
    assert "the number register was not read" in plan.remarks[0]


async def test_the_identity_of_the_register_is_not_taken_over_by_the_plan(estate: Estate) -> None:
    """The tree has no UIDs; an object that the register knows by its name is that object."""
    plan = await estate.plan()
    assert plan.objects == ()
    estate.claim("old00", 80, declared_by=replace(declaring("old00"), installation="cluster-0"))
    plan = await estate.plan()
    assert plan.objects == () or all(not each.changes for each in plan.objects)


async def test_same_input_same_plan_and_hash(estate: Estate) -> None:
    estate.hire("ann")
    estate.declare("ann")
    leavers(estate, 6)
    first = await estate.plan()
    backwards = replace(estate.inputs(), declared=tuple(reversed(estate.inputs().declared)))
    second = await planning.compute(backwards)
    assert second == first
    assert second.content_hash == first.content_hash
    estate.declare("ann", phoneNumber={"none": {}})
    assert (await estate.plan()).content_hash != first.content_hash


async def test_the_order_of_one_persons_changes_is_the_order_of_the_writes(estate: Estate) -> None:
    estate.policies("old00", TeamsCallingPolicy="Basic")
    estate.declare(
        "old00",
        phoneNumber={"e164": number(50).text},
        policies=[{"type": "TeamsCallingPolicy", "name": "Sales"}],
    )
    assert operations(of(await estate.plan(), "old00")) == [
        operation.value
        for operation in (Operation.UNASSIGN_NUMBER, Operation.ASSIGN_NUMBER, Operation.SET_POLICY)
    ]
