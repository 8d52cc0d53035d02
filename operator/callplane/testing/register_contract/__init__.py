"""What every register does: one list of checks, run over PostgreSQL and its in-memory twin.

Each check is a coroutine function over a register with nothing in it. The mutants of the register
are run over the same checks: a guard that is taken out must make the check of its name fail.
"""

from __future__ import annotations

from callplane.testing.register_contract import connections, history, loading, moves
from callplane.testing.register_contract.asking import Check

CHECKS = {**moves.CHECKS, **connections.CHECKS, **loading.CHECKS, **history.CHECKS}

__all__ = ["CHECKS", "Check"]
