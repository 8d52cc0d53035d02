"""What differs at a carrier and is not written, field by field, for the status of a PhoneNumber or
a NumberRange. Called where an account is only observed, and where somebody keeps undoing us.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from callplane.engine import carrier_changes
from callplane.engine.scope import Scope
from callplane.errors import scrub
from callplane.plan.change import Change
from callplane.values import E164

#: As many as the list in status may have.
SHOWN_OF_RANGE = 64
TEXT_CHARACTERS = 256


def show(scope: Scope, changes: Sequence[Change]) -> None:
    """Put the differences into the status; a list that never was is not written empty."""
    is_range = scope.key.kind == "NumberRange"
    if not changes and not scope.cached.status.get("drift"):
        return
    rows = [row(change, with_number=is_range) for change in changes]
    # A range of more than ten thousand numbers may have two that are masked alike.
    by_field = {each["field"]: each for each in rows}
    scope.status["drift"] = [by_field[name] for name in sorted(by_field)][:SHOWN_OF_RANGE]
    if is_range:
        scope.status["drifted"] = len({change.subject for change in changes})


def show_life(scope: Scope, *, observed: str, desired: str) -> None:
    """The number itself would come or go."""
    scope.status["drift"] = [{"field": "number", "observed": observed, "desired": desired}]


def row(change: Change, *, with_number: bool = False) -> dict[str, str]:
    """One difference: what is there and what would be."""
    name = carrier_changes.setting_name(change)
    if with_number:
        name = f"{name}[{E164(change.subject).masked}]"
    return {"field": name, "observed": _text(change.before), "desired": _text(change.after)}


def _text(fields: Mapping[str, str] | None) -> str:
    values = [value for name, value in (fields or {}).items() if name != "number"]
    return scrub(", ".join(values), limit_characters=TEXT_CHARACTERS)
