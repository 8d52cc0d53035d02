"""PhoneNumber: where the number is in its life and who has it. Deleting it never releases the
number.
"""

from __future__ import annotations

from dataclasses import replace

from callplane.apis.phone_numbers import PhoneNumber
from callplane.engine import carrier_numbers, gathering, redirects
from callplane.engine.number_ranges import refuse
from callplane.engine.scope import Gone, Scope
from callplane.numbering.lifecycle import NumberState
from callplane.rules import validation
from callplane.status.conditions import Succeeded
from callplane.values import E164


async def run(scope: Scope) -> Succeeded:
    """Read the register's row. There is nothing to clean up when the object goes."""
    if scope.cached.is_deleting:
        raise Gone
    found = scope.resource
    assert isinstance(found, PhoneNumber)
    refuse(validation.validate_one(found))
    number = E164(found.spec.e164)
    rows = await scope.engine.register.numbers_in(number, number)
    row = rows[0] if rows else None
    state = row.state if row is not None else NumberState.FREE
    owner = row.declared_by if row is not None else None
    scope.status["state"] = state.value
    scope.status["heldBy"] = (
        {"kind": owner.kind, "namespace": owner.namespace, "name": owner.name} if owner else None
    )
    until = row.quarantined_until if row is not None else None
    scope.status["quarantinedUntil"] = until.strftime("%Y-%m-%dT%H:%M:%SZ") if until else None
    said = await carrier_numbers.look_after(scope, found)
    await gathering.check_call_terms(scope, found.spec)
    scope.status["redirectedTo"] = None
    to = (await redirects.look(scope, found)).get(number)
    scope.status["redirectedTo"] = to.text if to is not None else None
    if said is None:
        return Succeeded(state.value)
    return replace(said, message=said.message or state.value)
