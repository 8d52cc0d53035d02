"""The chain's head is told to somebody outside the database, once each."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from callplane.controller import keeping
from callplane.settings import OperatorSettings
from callplane.store.ports import Checkpoint
from callplane.testing.engine_world import Worlds

pytestmark = pytest.mark.looptime
NOTHING = Checkpoint(0, "")


async def test_the_head_is_told_once_until_it_moves(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger=keeping.__name__)
    kept = tmp_path / "checkpoints"
    world = await Worlds().make(settings=OperatorSettings(checkpoint_file=str(kept)))
    told = await keeping.tell(world.running, NOTHING)
    assert (told, kept.exists()) == (NOTHING, False)
    await world.declare("ann")
    await world.settle()
    await world.running.register.link_events()
    told = await keeping.tell(world.running, told)
    assert await keeping.tell(world.running, told) == told
    line = f"{told.position}:{told.link}"
    assert kept.read_text() == line + "\n"
    assert [record.getMessage() for record in caplog.records] == [
        f"the register's history is at checkpoint {line}"
    ]
    assert (await world.running.register.verify(checkpoint=told)).first_broken is None
    await world.kill()


async def test_a_file_that_cannot_be_written_is_said_and_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    world = await Worlds().make(settings=OperatorSettings(checkpoint_file=str(tmp_path)))
    await world.declare("ann")
    await world.settle()
    await world.running.register.link_events()
    assert await keeping.tell(world.running, NOTHING) == NOTHING
    assert "the checkpoint cannot be kept" in caplog.text
    await world.kill()
