"""CallPrivilege: who has it. It has no finalizer; people keep what was applied."""

from __future__ import annotations

from callplane.apis.call_privileges import CallPrivilege
from callplane.desired.declarations import LINE_KINDS
from callplane.engine import call_terms
from callplane.engine.keyed_queue import Priority
from callplane.engine.scope import Gone, Scope
from callplane.status.conditions import Succeeded

RECOUNT_SECONDS = 60.0


async def run(scope: Scope) -> Succeeded:
    """Count who names the privilege."""
    if scope.cached.is_deleting:
        raise Gone
    privilege = call_terms.valid(scope)
    assert isinstance(privilege, CallPrivilege)
    call_terms.project(scope, privilege)
    kinds = [key.kind for key in scope.engine.cache.dependents(scope.key)]
    scope.status["users"] = sum(kind in LINE_KINDS for kind in kinds)
    # People come and go without waking what they name.
    scope.engine.queue.add_later(scope.key, Priority.DRIFT, RECOUNT_SECONDS)
    allowed = len(privilege.spec.allowed_classes)
    return Succeeded(f"{allowed} kinds of destinations beside emergency and exempt numbers")
