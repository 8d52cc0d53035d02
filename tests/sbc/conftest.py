"""A real Kamailio and real SIP on loopback. Where Kamailio is not installed the folder is left out
with one printed line (`make sbc-deps` installs it); a complete run fails instead.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from callplane.testing import sbc_world
from callplane.testing.kamailio_process import Kamailio
from callplane.testing.sbc_estates import LoopbackSbc
from callplane.testing.sbc_world import SbcWorld


@pytest.fixture(scope="session")
def estate() -> LoopbackSbc:
    return LoopbackSbc()


@pytest.fixture
def kamailio(estate: LoopbackSbc, tmp_path: Path) -> Kamailio:
    """Rendered, not started."""
    return Kamailio.rendered(estate.sbc(), tmp_path)


@pytest.fixture
async def world(estate: LoopbackSbc, kamailio: Kamailio) -> AsyncGenerator[SbcWorld]:
    """An SBC after a cold start: no call control, no database, no name server, no peer."""
    async with sbc_world.around(estate, kamailio) as running:
        yield running
