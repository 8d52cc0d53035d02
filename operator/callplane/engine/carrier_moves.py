"""What becomes of a number's row while it is on its way to us, by an order or by a port."""

from __future__ import annotations

from callplane.engine.carrier_gathering import CarrierSide
from callplane.engine.scope import Scope
from callplane.numbering.lifecycle import HELD, Cause, NumberState
from callplane.store.ports import Move, NumberRow
from callplane.values import E164

_SOMEBODYS = HELD | {NumberState.RESERVED, NumberState.QUARANTINED}


def keeps_its_state(row: NumberRow | None) -> bool:
    """Is the number somebody's, or kept for somebody, while it comes to this carrier? Whoever has
    it keeps it: only numbers of nobody go through the states of what is on its way.
    """
    return row is not None and row.state in _SOMEBODYS


def begin(
    scope: Scope, row: NumberRow | None, number: E164, to: NumberState, cause: Cause
) -> Move | None:
    """The number is on its way: nobody can have it meanwhile, unless somebody has it already."""
    if keeps_its_state(row):
        return None
    return Move(
        number=number,
        expected=row.state if row is not None else NumberState.FREE,
        to=to,
        cause=cause,
        declared_by=scope.declaring,
        range_name=f"{scope.key.namespace}/{scope.key.name}",
    )


def undone(
    scope: Scope, side: CarrierSide, number: E164, before: NumberState, reason: str
) -> Move | None:
    """What takes `begin` back; None where the number has kept its state."""
    return cancel(scope, number, before, reason) if _is_in(side, number, before) else None


def arrived(scope: Scope, side: CarrierSide, number: E164, before: NumberState) -> Move | None:
    """What a number of nobody does when it has come; one of somebody is his as it was."""
    return activate(scope, number, before) if _is_in(side, number, before) else None


def _is_in(side: CarrierSide, number: E164, state: NumberState) -> bool:
    row = side.runtime.mirror.numbers.get(number)
    return row is not None and row.state is state


def cancel(scope: Scope, number: E164, before: NumberState, reason: str) -> Move:
    """It did not come: it is not ours."""
    return Move(
        number=number,
        expected=before,
        to=NumberState.RELEASED,
        cause=Cause.CANCEL,
        declared_by=scope.declaring,
        range_name=f"{scope.key.namespace}/{scope.key.name}",
        reason=reason,
    )


def activate(scope: Scope, number: E164, before: NumberState) -> Move:
    """It is ours, and free."""
    return Move(
        number=number,
        expected=before,
        to=NumberState.FREE,
        cause=Cause.ACTIVATE,
        range_name=f"{scope.key.namespace}/{scope.key.name}",
    )
