"""One world for the run; every test starts the operators that it is going to hurt."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from callplane.testing.fixtures import live_world
from callplane.testing.live_world import LiveWorld

__all__ = ["live_world"]


@pytest.fixture
def world(live_world: LiveWorld) -> Iterator[LiveWorld]:
    """The world with no operator running, before and after."""
    live_world.stop_operators()
    yield live_world
    live_world.stop_operators()
