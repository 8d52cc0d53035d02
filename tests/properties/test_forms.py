"""What is written can be read again, and reads as what was written: parse∘format is nothing."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from callplane.apis import fields
from callplane.engine.holders import parse_setting, parse_value, to_json
from callplane.resources.lines import (
    LOCATION,
    NUMBER,
    LineNumber,
    NumberType,
    PolicyOnLine,
    Setting,
    SettingValue,
    policy_setting,
)
from callplane.values import E164, NumberSpan

numbers = st.integers(10**6, 10**15 - 1).map(lambda digits: E164(f"+{digits}"))
policy_types = st.from_regex(r"[A-Z][A-Za-z]{2,40}", fullmatch=True)


@given(numbers)
def test_a_number_by_every_form_in_which_systems_send_it(number: E164) -> None:
    assert E164(str(number)) == number
    for text in (number.text, number.text[1:], f"tel:{number.text}", f"+ {number.text[1:]}"):
        assert E164.from_provider(text) == number
    assert int(number.text[1:]) == number.digits
    assert number.text not in number.masked or len(number.text) < 8


@given(st.text(max_size=20))
@example("+1२३४५६७")
def test_anything_else_is_no_number_and_says_so(text: str) -> None:
    if re.fullmatch(r"\+[1-9][0-9]{6,14}", text):
        assert E164(text).text == text
        return
    with pytest.raises(ValueError, match=r"E\.164"):
        E164(text)


@given(numbers, st.integers(0, 200), st.integers(-3, 203))
def test_a_span_holds_exactly_what_it_counts(first: E164, more: int, step: int) -> None:
    last_digits = first.digits + more
    if len(str(last_digits)) != len(str(first.digits)):
        return
    span = NumberSpan(first, E164(f"+{last_digits}"))
    listed = list(span)
    assert len(listed) == len(span) == more + 1
    assert listed == sorted(listed)
    digits = first.digits + step
    if len(str(digits)) == len(str(first.digits)):
        assert (E164(f"+{digits}") in span) is (0 <= step <= more)


settings = st.one_of(st.just(NUMBER), st.just(LOCATION), policy_types.map(policy_setting))
values: st.SearchStrategy[SettingValue] = st.one_of(
    st.none(),
    st.builds(LineNumber, numbers, st.sampled_from(NumberType)),
    st.builds(PolicyOnLine, st.text(min_size=1, max_size=60)),
    st.text(min_size=1, max_size=60),
)


@given(settings, values)
def test_applied_values_survive_the_register(setting: Setting, value: SettingValue) -> None:
    content = json.loads(json.dumps({str(setting): to_json(value)}))
    assert {parse_setting(name): parse_value(found) for name, found in content.items()} == {
        setting: value
    }


@given(st.integers(0, 400), st.integers(0, 59), st.integers(1, 59))
def test_durations(hours: int, minutes: int, seconds: int) -> None:
    text = "".join(
        f"{count}{unit}" for count, unit in ((hours, "h"), (minutes, "m"), (seconds, "s")) if count
    )
    assert fields.duration_seconds(text) == hours * 3600 + minutes * 60 + seconds


@pytest.mark.parametrize("text", ["", "5", "s", "5 s", "-5s", "5d", "1h 5m"])
def test_no_durations(text: str) -> None:
    with pytest.raises(ValueError, match="must be a duration"):
        fields.duration_seconds(text)
