"""Bad days are the same bad days for the same seed, and the world stays a world."""

from __future__ import annotations

import json
import re
from pathlib import Path

from callplane.simulators.faults import Effect
from callplane.simulators.graph import misfortunes
from callplane.simulators.graph.misfortunes import bad_days
from callplane.simulators.graph.seeding import TenantSeed, WorldSeed
from callplane.testing.graph_desk import NUMBERS, GraphDesk, open_desk

TENANT = TenantSeed(users=20, settings={"operation_seconds": 5.0})


async def live(seed: int) -> GraphDesk:
    """A day of assigning, taking and listing, whatever the answers are."""
    desk = open_desk(WorldSeed(seed=seed, tenants=(TENANT,), misfortune=3.0))
    names = list(desk.ids)
    for turn in range(300):
        name, number = names[turn % 20], f"+4420794600{turn % 20:02}"
        await (desk.unassign(number) if turn % 3 == 2 else desk.assign(number, name))
        await desk.calls.get(NUMBERS, top="1000")
        desk.clock.advance(2.0)
        desk.calls.headers["authorization"] = f"Bearer {desk.bearer()}"
    desk.tenant.advance()
    return desk


def record(desk: GraphDesk) -> str:
    return json.dumps([entry.document() for entry in desk.world.recorder.requests()])


async def test_the_same_seed_lives_the_same_days() -> None:
    first, second, other = await live(1), await live(1), await live(2)

    assert record(first) == record(second) != record(other)
    assert first.tenant.changes.changes == second.tenant.changes.changes
    struck = {rule["effect"] for rule in first.world.faults.documents() if rule["struck"]}
    assert len(struck) > 10


async def test_number_and_holder_never_disagree_whatever_goes_wrong() -> None:
    for seed in range(3):
        tenant = (await live(seed)).tenant
        held = {
            row.telephone_number: row.assignment_target_id
            for row in tenant.numbers.rows()
            if row.assignment_target_id is not None
        }
        told = {
            number: row.id for row in tenant.teams.rows() for number, _ in row.telephone_numbers
        }
        assert held == told
        for number, holder in held.items():
            last = [c for c in tenant.changes.changes if c.subject == number][-1]
            assert last.after == holder


def test_every_effect_that_graph_knows_is_in_it() -> None:
    folder = Path(misfortunes.__file__).parent
    code = "".join(
        path.read_text(encoding="utf-8")
        for path in folder.glob("*.py")
        if path.name != "misfortunes.py"
    )
    known = {effect for effect in Effect if re.search(rf"Effect\.{effect.name}\b", code)}

    assert {rule.effect for rule in bad_days()} == known
