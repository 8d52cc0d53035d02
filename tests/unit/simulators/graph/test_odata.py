"""Filters mean what they say, and nonsense is refused."""

from __future__ import annotations

import pytest

from callplane.simulators.graph import odata
from callplane.simulators.graph.refusals import Refusal

ROW = {
    "name": "Ada's",
    "kind": "directRouting",
    "on": True,
    "gone": None,
    "tags": ["a", "b"],
    "plans": [{"id": "1", "state": "Enabled"}, {"id": "2", "state": "Deleted"}],
}


@pytest.mark.parametrize(
    ("expression", "holds"),
    [
        ("name eq 'ada''s'", True),
        ("kind eq 'DirectRouting'", True),
        ("kind ne 'directRouting'", False),
        ("on eq true and gone eq null", True),
        ("on eq false or kind eq 'x'", False),
        ("not (on eq false or kind eq 'x')", True),
        ("on eq false or on eq true and kind eq 'x'", False),
        ("kind in ('x', 'directrouting')", True),
        ("startswith(name,'ADA')", True),
        ("tags/any(t:t eq 'b')", True),
        ("tags/any(t:t eq 'c')", False),
        ("plans/any(p:p/id eq '1' and p/state eq 'Enabled')", True),
        ("plans/any(p:p/id eq '2' and p/state eq 'Enabled')", False),
        ("unknown/any(x:x eq 'a')", False),
    ],
)
def test_an_expression_holds_or_not(expression: str, holds: bool) -> None:
    assert odata.predicate_of(expression)(ROW) is holds


@pytest.mark.parametrize(
    "expression", ["name", "name eq", "name is 'x'", "name eq 'x", "(on eq true", "on eq true on"]
)
def test_nonsense_is_refused(expression: str) -> None:
    with pytest.raises(Refusal, match="Invalid filter clause"):
        odata.predicate_of(expression)


def test_some_fields_cannot_be_filtered() -> None:
    with pytest.raises(Refusal, match="'city'"):
        odata.predicate_of("city eq 'x'", refused_fields=frozenset({"city"}))


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("id eq 'a'", "a"),
        ("id eq 'a''b'", "a'b"),
        ("id eq 'a' or id eq 'b'", None),
        ("name eq 'a'", None),
    ],
)
def test_a_single_equality_is_recognised(expression: str, value: str | None) -> None:
    assert odata.single_equality(expression, "id") == value
