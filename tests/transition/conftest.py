"""Worlds for the tests of this folder, and what must hold in every one of them at the end.

Whatever a test is about, after it: every status that was ever written kept the rules of conditions,
no pass and no loop ended in a defect, and nobody was handed a number that somebody else had.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator

import pytest

from callplane.testing.engine_world import Worlds


@pytest.fixture
async def worlds(caplog: pytest.LogCaptureFixture) -> AsyncIterator[Worlds]:
    caplog.set_level(logging.ERROR, logger="callplane")
    made = Worlds()
    yield made
    for world in made.made:
        await world.stop()
    breaches = [breach for world in made.made for breach in world.conditions.breaches]
    assert not breaches
    defects = [record for record in caplog.get_records("call") if record.levelno >= logging.ERROR]
    shown = sorted({record.getMessage() for record in defects})
    assert made.defects_are_expected or not shown
