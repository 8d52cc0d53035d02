"""The engine without one of its guards, to see that the auditor notices.

Each takes one guard out of this very process, so nothing else may run in it afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from callplane.engine import intents, writing
from callplane.plan import gate, gate_policy


@dataclass(frozen=True, slots=True)
class Mutant:
    """Something to put in the place of a guard, and which happenings show it soonest."""

    module: ModuleType
    name: str
    instead: Any
    often: tuple[str, ...]

    def apply(self) -> None:
        """Take the guard out of this process."""
        getattr(self.module, self.name)
        setattr(self.module, self.name, self.instead)


def _always(answer: object) -> Callable[..., object]:
    return lambda *_, **__: answer


MUTANTS: Mapping[str, Mutant] = {
    # Emergency policies may be taken from anybody, unasked.
    "emergency": Mutant(
        gate_policy,
        "GATED_POLICY_TYPES",
        frozenset(kind for kind in gate_policy.GATED_POLICY_TYPES if "Emergency" not in kind),
        often=("policy_campaign",),
    ),
    # A number that is given up is free at once.
    "quarantine": Mutant(intents, "quarantine_days", _always(0), often=("leaver", "joiner")),
    # No batch is ever held for a person.
    "approval": Mutant(gate, "_exceeds", _always(False), often=("many_leave", "joiner")),
    # A write without an answer is sent again as soon as its effect is not seen.
    "idempotence": Mutant(
        intents,
        "_may_still_appear",
        _always(False),
        often=("graph_loses_answers", "graph_orders_fail", "joiner"),
    ),
    # A leader writes without looking at its Lease.
    "fence": Mutant(writing, "check_fence", _always(None), often=("leader_stands_still",)),
}
