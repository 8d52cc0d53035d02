"""A desk for each test."""

from __future__ import annotations

import pytest

from callplane.testing.webex_desk import WebexDesk, open_desk


@pytest.fixture
def desk() -> WebexDesk:
    return open_desk()
