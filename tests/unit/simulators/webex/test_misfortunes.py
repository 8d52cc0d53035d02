"""Bad days hold everything the service does wrong, and the world outlives them."""

from __future__ import annotations

import re
from pathlib import Path

from callplane.simulators.faults import Effect
from callplane.simulators.webex import misfortunes, routing
from callplane.simulators.webex.misfortunes import bad_days
from callplane.testing.webex_desk import FIRST, WebexDesk


def test_every_effect_that_webex_knows_is_in_it() -> None:
    folder = Path(misfortunes.__file__).parent
    code = "".join(
        path.read_text(encoding="utf-8")
        for path in folder.glob("*.py")
        if path.name != "misfortunes.py"
    )
    known = {effect for effect in Effect if re.search(rf"Effect\.{effect.name}\b", code)}

    assert {rule.effect for rule in bad_days()} == known


def test_every_kind_in_it_is_a_kind_of_request() -> None:
    named = {kind for rule in bad_days() for kind in rule.kinds}
    assert named <= {"*", "reads", "writes"} | routing.KINDS


async def test_numbers_have_one_holder_through_bad_days(desk: WebexDesk) -> None:
    for rule in bad_days(5.0):
        desk.world.faults.add(rule)
    outcomes = set()
    for turn in range(300):
        name = ("ada", "bob", "cat")[turn % 3]
        answer = await desk.give(name, f"+44207946000{1 + turn % 5}")
        outcomes.add(answer.status)
        if turn % 7 == 0:
            desk.portal.unassign(FIRST)
        held = [row.number for row in desk.organisation.people.rows() if row.number]
        owned = [
            row.number
            for row in desk.organisation.numbers.rows()
            if row.owner is not None and row.owner.type == "PEOPLE"
        ]
        assert sorted(held) == owned

    assert {200, 400, 429, 0} <= outcomes
