"""A desk for each test."""

from __future__ import annotations

import pytest

from callplane.testing.graph_desk import GraphDesk, open_desk


@pytest.fixture
def desk() -> GraphDesk:
    return open_desk()
