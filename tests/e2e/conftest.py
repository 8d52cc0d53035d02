"""One world for the whole run; its operator is started by the first test that wants one."""

from __future__ import annotations

import pytest

from callplane.testing.fixtures import live_world
from callplane.testing.live_world import LiveWorld, OperatorProcess

__all__ = ["live_world"]


@pytest.fixture
def operator(live_world: LiveWorld) -> OperatorProcess:
    """The operator that runs; started anew when the test before ended it."""
    return live_world.leader()
