"""Emergency and exempt services are recognised in every form, and nothing else is."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from callplane.numbering import dialled_services
from callplane.numbering.dialled_services import GB, DialledService, ServiceClass
from callplane.testing import dialled_forms
from callplane.testing.dialled_forms import Form

REQUIRED = {"999", "112", "18000", "111", "101"}


@pytest.mark.parametrize("form", dialled_forms.SERVED, ids=str)
def test_every_form_of_a_service_is_recognised(form: Form) -> None:
    found = GB.match(form.dialled, outside_line=form.outside_line)
    assert found is not None
    assert (found.number, found.service.service_class) == (form.code, form.service_class)


@pytest.mark.parametrize("form", dialled_forms.NEAR_MISSES, ids=str)
def test_a_near_miss_is_another_number(form: Form) -> None:
    assert GB.match(form.dialled, outside_line=form.outside_line) is None


@pytest.mark.parametrize("form", dialled_forms.ALL, ids=str)
def test_the_pattern_for_the_sbc_says_what_the_matcher_says(form: Form) -> None:
    """URNs are no digits: the SBC knows them by their own branch."""
    if form.dialled.lower().startswith("urn:"):
        return
    digits = dialled_services.digits_of(form.dialled)
    classes = [
        service_class
        for service_class in ServiceClass
        if re.search(GB.pattern(service_class, outside_line=form.outside_line), digits)
    ]
    assert classes == ([form.service_class] if form.service_class else [])


def test_a_whole_address_is_read_like_its_user_part() -> None:
    for dialled in ("sip:999@192.0.2.1", "SIPS:+44999@sbc.example;user=phone", "sip:999"):
        found = GB.match(dialled)
        assert found is not None
        assert found.number == "999"


def test_emergency_and_exempt_are_two_lists() -> None:
    rows = {row.code: row.service_class for row in GB.services}
    emergency = {code for code, kind in rows.items() if kind is ServiceClass.EMERGENCY}
    assert emergency == {"999", "112", "18000"}
    assert set(rows) - emergency == {"111", "101", "105", "116xxx", "119", "159"}


def test_what_is_promised_cannot_be_taken_out() -> None:
    assert {row.code for row in GB.services if row.required} == REQUIRED
    for code in sorted(REQUIRED):
        with pytest.raises(ValueError, match=f"{code} must stay reachable"):
            GB.without([code])
    with pytest.raises(ValueError, match="no such service: 998"):
        GB.without(["998", "105"])


def test_the_rest_may_be_taken_out() -> None:
    smaller = GB.without(["105", "116xxx"])
    assert smaller.match("105") is None
    assert smaller.match("116123") is None
    assert smaller.match("999") is not None
    assert GB.match("105") is not None


@pytest.mark.parametrize(
    ("dialled", "number"),
    [
        ("1800102079460001", "02079460001"),
        ("18002+442079460001", "+442079460001"),
        ("+441800102079460001", "02079460001"),
        ("18001-020-7946-0001", "02079460001"),
        ("18001999", "999"),
        ("18001", None),
        ("1800112", None),
        ("02079460001", None),
        ("18000", None),
    ],
)
def test_a_relayed_call_is_rated_as_the_number(dialled: str, number: str | None) -> None:
    assert GB.relayed(dialled) == number


@pytest.mark.parametrize("line", ["1234", "+", "*", "9|", "٩"])
def test_an_outside_line_is_at_most_three_digits(line: str) -> None:
    with pytest.raises(ValueError, match="no outside line"):
        GB.match("999", outside_line=line)


def test_a_code_that_is_no_service_has_no_row() -> None:
    with pytest.raises(ValueError, match="no emergency or exempt service"):
        GB.service_of("998")


def without_exactness(code: str) -> str:
    """The mutant: a code matches whatever starts with it."""
    return code.replace("x", "[0-9]") + "[0-9]*"


def test_the_corpus_catches_a_matcher_that_takes_prefixes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dialled_services, "_code_pattern", without_exactness)
    mutant = GB.without([])
    caught = [form for form in dialled_forms.NEAR_MISSES if mutant.match(form.dialled)]
    assert caught


@pytest.mark.parametrize("row", GB.services, ids=lambda row: row.code)
def test_the_corpus_catches_a_table_that_lacks_a_row(row: DialledService) -> None:
    rows = tuple(other for other in GB.services if other is not row)
    mutant = replace(GB, services=rows)
    missed = [
        form
        for form in dialled_forms.SERVED
        if not form.dialled.lower().startswith("urn:")
        and mutant.match(form.dialled, outside_line=form.outside_line) is None
    ]
    assert missed
