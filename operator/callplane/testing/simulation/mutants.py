"""The engine without one of its guards, to see that the auditor notices.

Each takes one guard out of this very process, so nothing else may run in it afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from callplane.engine import (
    carrier_orders,
    carrier_settings,
    evidence,
    intents,
    release_keys,
    write_ahead,
)
from callplane.plan import gate, gate_policy
from callplane.plan.change import Change, Operation
from callplane.values import E164


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


_differences = carrier_settings.differences


def _no_addresses(*arguments: Any) -> list[Change]:
    found = _differences(*arguments)
    return [change for change in found if change.operation is not Operation.SET_EMERGENCY_ADDRESS]


async def _nothing_is_missing(*_: object) -> list[object]:
    return []


async def _by_the_list_alone(runtime: Any, user_id: str, number: E164) -> bool:
    """A number that no list shows is nobody's."""
    row = await runtime.read_number(number)
    return row is not None and row.holder_id == user_id


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
    # An order whose answer was lost is given up as soon as it is not seen.
    "one order": Mutant(
        carrier_orders, "may_still_appear", _always(False), often=("numbers_ordered_badly",)
    ),
    # A number is given back as soon as somebody wishes it, whoever has it.
    "two keys": Mutant(
        release_keys,
        "missing",
        _nothing_is_missing,
        often=("number_adopted", "number_given_back"),
    ),
    # Emergency addresses are not looked at.
    "address": Mutant(carrier_settings, "differences", _no_addresses, often=("number_adopted",)),
    # What a list of numbers does not show has been given up.
    "one holder": Mutant(
        evidence, "still_has", _by_the_list_alone, often=("goes_to_webex", "webex_lists_nothing")
    ),
    # A leader writes without looking at its Lease.
    "fence": Mutant(write_ahead, "check_fence", _always(None), often=("leader_stands_still",)),
}
