"""Durations, consent and people filters: the small readings that others rely on."""

from __future__ import annotations

import re

import pytest

from callplane.apis import conditions, fields, reasons
from callplane.apis.change_plans import PlannedChange
from callplane.apis.model import Condition
from callplane.apis.number_ranges import NumberRangeSpec, NumberUse, Route
from callplane.apis.references import (
    ConnectionConsent,
    NamespaceConsent,
    NamespaceSelector,
    PeopleFilter,
)
from callplane.apis.teams_tenants import ChangeLimits
from callplane.apis.teams_users import TeamsUserStatus
from callplane.values import E164, NumberSpan


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("5s", 5), ("250ms", 0.25), ("1m30s", 90), ("24h", 86400), ("1.5h", 5400), ("0s", 0)],
)
def test_durations_in_seconds(text: str, seconds: float) -> None:
    assert fields.duration_seconds(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "5", "s", "1d", "-1s", "1 h", "5s\n"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="must be a duration"):
        fields.duration_seconds(text)


def test_change_limits_by_default() -> None:
    limits = ChangeLimits()
    assert (limits.max_count, limits.max_percent, limits.floor) == (25, 10, 5)
    assert limits.window_seconds == 24 * 3600
    assert limits.settle_seconds == 5
    assert limits.settle_max_seconds == 60


def test_consent_by_name() -> None:
    consent = NamespaceConsent(name="sales")
    assert consent.admits("sales", {})
    assert not consent.admits("support", {"kubernetes.io/metadata.name": "sales"})


def test_consent_by_label_needs_all_labels() -> None:
    consent = NamespaceConsent(selector=NamespaceSelector(match_labels={"a": "1", "b": "2"}))
    assert consent.admits("x", {"a": "1", "b": "2", "c": "3"})
    assert not consent.admits("x", {"a": "1"})
    assert not consent.admits("x", {"a": "1", "b": "3"})


def test_an_empty_selector_means_every_namespace() -> None:
    assert NamespaceConsent(selector=NamespaceSelector()).admits("anything", {})


@pytest.mark.parametrize(
    ("name", "admitted"),
    [
        ("anna@example.com", True),
        ("ANNA@EXAMPLE.COM", True),
        ("anna@uk.example.com", False),
        ("anna@badexample.com", False),
        ("anna@example.com.evil.example", False),
        ("example.com@other.example", False),
    ],
)
def test_people_by_the_domain_of_their_name(name: str, admitted: bool) -> None:
    for suffix in ("example.com", "@example.com"):
        people = PeopleFilter(upn_suffixes=(suffix,))
        assert people.admits_name(name) is admitted


def test_consent_of_a_connection_is_consent_of_a_namespace() -> None:
    assert ConnectionConsent(name="sales").admits("sales", {})


def test_spans_of_a_block_and_of_a_list() -> None:
    block = NumberRangeSpec(first="+442079460000", last="+442079460009", route=Route.DIRECT_ROUTING)
    assert block.spans == (NumberSpan(E164("+442079460000"), E164("+442079460009")),)
    assert block.use is NumberUse.USER
    listed = NumberRangeSpec(numbers=("+442079460005", "+442079460001"), route=Route.SIP)
    assert [str(span.first) for span in listed.spans] == ["+442079460001", "+442079460005"]


def test_spans_of_a_spec_that_is_none_are_refused() -> None:
    with pytest.raises(ValueError, match="first and last, or numbers"):
        _ = NumberRangeSpec(route=Route.SIP).spans


def test_names_that_python_cannot_have_are_written_as_people_know_them() -> None:
    change = PlannedChange.model_validate(
        {
            "id": "0" * 64,
            "operation": "UnassignNumber",
            "subject": {"platform": "teams", "id": "x"},
            "from": {"number": "+442079460001"},
        }
    )
    assert change.before == {"number": "+442079460001"}
    assert change.to_manifest()["from"] == {"number": "+442079460001"}
    assert "to" not in change.to_manifest()


def test_conditions_are_found_by_type() -> None:
    status = TeamsUserStatus(conditions=(Condition(type="Ready", status="True"),))
    found = status.condition(conditions.ConditionType.READY)
    assert found is not None
    assert found.status == conditions.ConditionStatus.TRUE
    assert status.condition("Stalled") is None


def test_reasons_are_single_words_and_differ() -> None:
    values = [reason.value for reason in reasons.Reason]
    assert len(values) == len(set(values))
    for reason in reasons.Reason:
        assert re.fullmatch(r"[A-Z][A-Za-z]{0,63}", reason.value)
        assert reason.name == re.sub(r"(?<=[a-z])(?=[A-Z])", "_", reason.value).upper()


def test_no_condition_is_both_always_there_and_only_while_true() -> None:
    assert not conditions.ALWAYS_PRESENT & conditions.ABNORMAL_TRUE
    assert not conditions.INFORMATIONAL & conditions.ABNORMAL_TRUE
