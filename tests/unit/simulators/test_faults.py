"""Rules strike whom, when and how often they say."""

from __future__ import annotations

import pytest

from callplane.simulators.faults import Effect, FaultRule, FaultScript, rule_from


def struck(script: FaultScript, kind: str = "assignNumber", **more: object) -> list[Effect]:
    asked = {"is_write": True, "tenant": "t", "subject": "s", **more}
    return [rule.effect for rule in script.strikes(kind, **asked)]  # type: ignore[arg-type]


def test_the_first_are_spared_and_then_only_so_many_are_hit() -> None:
    script = FaultScript()
    script.add(FaultRule(Effect.DROP_AFTER, skip=1, times=2))

    assert [bool(struck(script)) for _ in range(5)] == [False, True, True, False, False]


@pytest.mark.parametrize(
    ("rule", "hit"),
    [
        ({}, True),
        ({"kinds": ("writes",)}, True),
        ({"kinds": ("reads",)}, False),
        ({"kinds": ("getUser", "assignNumber")}, True),
        ({"tenant": "other"}, False),
        ({"subject": "s"}, True),
        ({"subject": "other"}, False),
    ],
)
def test_a_rule_meets_only_whom_it_names(rule: dict[str, object], hit: bool) -> None:
    script = FaultScript()
    script.add(FaultRule(Effect.DELAY, **rule))  # type: ignore[arg-type]

    assert bool(struck(script)) is hit


def test_a_request_that_is_neither_read_nor_write_is_met_by_name_alone() -> None:
    script = FaultScript()
    script.add(FaultRule(Effect.DELAY))
    script.add(FaultRule(Effect.STATUS, kinds=("token",)))

    assert struck(script, "token", is_write=None) == [Effect.STATUS]


def test_chance_is_the_same_for_the_same_seed_and_near_its_odds() -> None:
    def run(seed: int) -> list[bool]:
        script = FaultScript(seed)
        script.add(FaultRule(Effect.DELAY, probability=0.25))
        return [bool(struck(script)) for _ in range(2000)]

    assert run(1) == run(1) != run(2)
    assert 400 < sum(run(1)) < 600


def test_rules_are_counted_and_can_be_taken_away() -> None:
    script = FaultScript()
    first = script.add(FaultRule(Effect.DELAY, times=1))
    script.add(FaultRule(Effect.STATUS))
    struck(script)
    struck(script)

    counts = [(rule["id"], rule["matched"], rule["struck"]) for rule in script.documents()]
    assert counts == [(1, 2, 1), (2, 2, 2)]
    assert script.remove(first)
    assert not script.remove(first)
    assert struck(script) == [Effect.STATUS]
    script.clear()
    assert struck(script) == []


def test_a_rule_survives_the_way_through_json() -> None:
    rule = FaultRule(Effect.ORDER_FAILS, kinds=("assignNumber",), message="no")

    assert rule_from(rule.document(), "rule") == rule


@pytest.mark.parametrize(
    ("document", "text"),
    [
        ({}, "rule.effect: None is not one of"),
        ({"effect": "explode"}, "rule.effect: 'explode' is not one of"),
        ({"effect": "delay", "second": 1}, "rule: unknown field 'second'"),
        ({"effect": "delay", "kinds": "reads"}, "rule.kinds: a list"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(document: dict[str, object], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        rule_from(document, "rule")
