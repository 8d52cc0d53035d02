"""The plan of one line, over generated lines: it reaches its end, from wherever it was cut."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace

import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from callplane.plan.change import Change, Operation, approval_digest
from callplane.plan.diff import plan, satisfied
from callplane.plan.gate_policy import GATED_POLICY_TYPES, is_gated
from callplane.resources.lines import (
    LOCATION,
    NUMBER,
    Line,
    LineNumber,
    NumberType,
    PolicyOnLine,
    PolicyOrigin,
    Setting,
    SettingKind,
    SettingValue,
    policy_setting,
)
from callplane.values import E164, ConnectionId, HolderId, Platform

CONNECTION = ConnectionId("teams", "tenant")
HOLDER = HolderId(Platform.TEAMS, "tenant", "ann")
TYPES = ("TeamsCallingPolicy", "OnlineVoiceRoutingPolicy", "OnlineVoicemailPolicy")

numbers = st.builds(
    LineNumber,
    st.integers(0, 3).map(lambda index: E164(f"+44207946{index:04d}")),
    st.sampled_from([NumberType.DIRECT_ROUTING, NumberType.CALLING_PLAN]),
)
locations = st.sampled_from(["home", "away"])
names = st.sampled_from(["A", "B", "a"])
groups = st.dictionaries(st.sampled_from(TYPES), names)
any_name = st.text(min_size=1, max_size=40)


def desired_lines() -> st.SearchStrategy[Line]:
    policy = st.one_of(st.none(), names.map(PolicyOnLine))
    policies = {policy_setting(kind): policy for kind in TYPES}
    optional: dict[Setting, st.SearchStrategy[SettingValue]] = {
        NUMBER: st.one_of(st.none(), numbers),
        LOCATION: locations,
        **policies,
    }
    return st.fixed_dictionaries({}, optional=optional).map(lambda found: Line(HOLDER, found))


@st.composite
def observed_lines(draw: st.DrawFn, inherited: Mapping[str, str]) -> Line:
    settings: dict[Setting, SettingValue] = {}
    number = draw(st.one_of(st.none(), numbers))
    if number is not None:
        settings[NUMBER] = number
        settings[LOCATION] = draw(st.one_of(st.none(), locations))
    for kind in TYPES:
        direct = draw(st.one_of(st.none(), names))
        if direct is not None:
            settings[policy_setting(kind)] = PolicyOnLine(direct)
        elif kind in inherited:
            settings[policy_setting(kind)] = PolicyOnLine(inherited[kind], PolicyOrigin.GROUP)
    return Line(HOLDER, settings)


@st.composite
def situations(draw: st.DrawFn) -> tuple[Line, Line, Mapping[str, str]]:
    inherited = draw(groups)
    return draw(desired_lines()), draw(observed_lines(inherited)), inherited


def carried_out(line: Line, change: Change, inherited: Mapping[str, str]) -> Line:
    """The line as the platform leaves it, written from what Teams does and not from the plan."""
    settings = dict(line.settings)
    after = dict(change.after or {})
    if change.operation is Operation.UNASSIGN_NUMBER:
        assert line.number is not None, "there is no number to take away"
        settings.pop(NUMBER)
        settings.pop(LOCATION, None)
    elif change.operation is Operation.ASSIGN_NUMBER:
        assert line.number is None, "the platform refuses a second number"
        settings[NUMBER] = LineNumber(E164(after["number"]), NumberType(after["type"]))
        settings[LOCATION] = after.get("location")
    elif change.operation is Operation.SET_LOCATION:
        assert line.number is not None, "a location is one of a number"
        assert after["number"] == line.number.number.text
        settings[LOCATION] = after["location"]
    elif after["name"]:
        settings[policy_setting(after["type"])] = PolicyOnLine(after["name"])
    elif after["type"] in inherited:
        settings[policy_setting(after["type"])] = PolicyOnLine(
            inherited[after["type"]], PolicyOrigin.GROUP
        )
    else:
        settings.pop(policy_setting(after["type"]), None)
    return Line(line.holder, settings)


def changes_of(desired: Line, observed: Line) -> tuple[Change, ...]:
    return plan(CONNECTION, desired, observed, {}).changes


@given(situations())
def test_after_the_plan_there_is_nothing_left_to_plan(
    situation: tuple[Line, Line, Mapping[str, str]],
) -> None:
    desired, line, inherited = situation
    for change in changes_of(desired, line):
        line = carried_out(line, change, inherited)
    assert changes_of(desired, line) == ()


@given(situations(), st.integers(0, 8))
def test_stopped_between_any_two_changes_it_is_planned_to_the_same_end(
    situation: tuple[Line, Line, Mapping[str, str]], stopped_after: int
) -> None:
    desired, line, inherited = situation
    for change in changes_of(desired, line)[:stopped_after]:
        line = carried_out(line, change, inherited)
    for change in changes_of(desired, line):
        line = carried_out(line, change, inherited)
    assert changes_of(desired, line) == ()
    for setting, wanted in desired.settings.items():
        if setting.kind is SettingKind.LOCATION and line.number is None:
            continue
        assert satisfied(wanted, line.get(setting))


@given(situations(), st.integers(0, 8))
def test_what_is_planned_again_after_a_stop_was_planned_before(
    situation: tuple[Line, Line, Mapping[str, str]], stopped_after: int
) -> None:
    """So an approval of the whole covers what is left of it."""
    desired, line, inherited = situation
    whole = changes_of(desired, line)
    for change in whole[:stopped_after]:
        line = carried_out(line, change, inherited)
    rest = changes_of(desired, line)
    assert {change.change_id for change in rest} <= {change.change_id for change in whole}


@given(situations())
def test_what_is_not_managed_is_never_changed(
    situation: tuple[Line, Line, Mapping[str, str]],
) -> None:
    desired, line, inherited = situation
    after = line
    for change in changes_of(desired, line):
        after = carried_out(after, change, inherited)
    for setting in {*line.settings, *after.settings}:
        if setting not in desired.settings and setting != LOCATION:
            assert after.get(setting) == line.get(setting)
    if LOCATION not in desired.settings and after.number == line.number:
        assert after.get(LOCATION) == line.get(LOCATION)


@given(situations())
def test_a_plan_is_the_same_whatever_the_order_of_what_it_is_made_from(
    situation: tuple[Line, Line, Mapping[str, str]],
) -> None:
    desired, observed, _ = situation
    turned = [
        Line(line.holder, dict(reversed(list(line.settings.items()))))
        for line in (desired, observed)
    ]
    assert changes_of(*turned) == changes_of(desired, observed)


@given(situations())
def test_gated_is_what_takes_something_away(
    situation: tuple[Line, Line, Mapping[str, str]],
) -> None:
    desired, observed, _ = situation
    for change in changes_of(desired, observed):
        kind = (change.before or {}).get("type", "")
        if change.before is None:
            assert not is_gated(change)
        elif change.operation is Operation.SET_POLICY:
            assert is_gated(change) is (kind in GATED_POLICY_TYPES)
        else:
            assert is_gated(change)
        assert is_gated(replace(change, irreversible=True))


@given(situations(), situations())
def test_the_cause_tells_drift_from_an_edit_and_changes_no_id(
    situation: tuple[Line, Line, Mapping[str, str]],
    other: tuple[Line, Line, Mapping[str, str]],
) -> None:
    desired, observed, _ = situation
    drift = plan(CONNECTION, desired, observed, desired.settings).changes
    edit = plan(CONNECTION, desired, observed, other[0].settings).changes
    assert [change.change_id for change in drift] == [change.change_id for change in edit]
    assert drift == edit


changes = st.builds(
    Change,
    connection=st.builds(ConnectionId, any_name, any_name),
    operation=st.sampled_from(Operation),
    platform=st.sampled_from(Platform),
    subject=any_name,
    before=st.one_of(st.none(), st.dictionaries(any_name, st.text(max_size=20), max_size=3)),
    after=st.one_of(st.none(), st.dictionaries(any_name, st.text(max_size=20), max_size=3)),
    irreversible=st.booleans(),
)


@given(changes)
def test_a_change_is_itself_after_json(change: Change) -> None:
    again = Change.from_json(change.to_json())
    assert again == change
    assert again.change_id == change.change_id


@given(changes, changes)
def test_different_changes_have_different_ids(one: Change, other: Change) -> None:
    assert (one == other) is (one.change_id == other.change_id)


@given(
    changes,
    st.dictionaries(st.text(st.characters(codec="ascii"), max_size=20), st.text(), max_size=4),
)
def test_an_id_is_that_of_the_content_by_rfc_8785(change: Change, after: dict[str, str]) -> None:
    # Names of fields are ours and ASCII, what they hold is anybody's.
    change = replace(change, before=None, after=after)
    expected = hashlib.sha256(rfc8785.dumps(change.to_json())).hexdigest()  # type: ignore[arg-type]
    assert change.change_id == expected


@given(changes)
def test_the_order_of_fields_is_no_part_of_an_id(change: Change) -> None:
    turned = replace(
        change,
        before=None if change.before is None else dict(reversed(list(change.before.items()))),
        after=None if change.after is None else dict(reversed(list(change.after.items()))),
    )
    assert turned.change_id == change.change_id


@given(st.lists(changes, max_size=5), st.randoms(use_true_random=False))
def test_a_digest_is_one_of_a_set(found: list[Change], chance: st.DataObject) -> None:
    ids = [change.change_id for change in found]
    mixed = [*ids, *ids]
    chance.shuffle(mixed)  # type: ignore[attr-defined]
    assert approval_digest(mixed) == approval_digest(ids)
    assert approval_digest(ids).startswith("cp1:")
