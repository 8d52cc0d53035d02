"""Both registers do what `callplane.testing.register_contract` says."""

from __future__ import annotations

import pytest

from callplane.store.ports import Register
from callplane.testing import register_contract


@pytest.mark.parametrize("check", register_contract.CHECKS.values(), ids=register_contract.CHECKS)
async def test_register(register: Register, check: register_contract.Check) -> None:
    await check(register)
