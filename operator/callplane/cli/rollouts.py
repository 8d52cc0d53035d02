"""How an applied object is doing, by the rules of kstatus. Pure; `apply` waits on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from callplane.apis.conditions import ConditionType
from callplane.apis.reasons import Reason


class Standing(Enum):
    """Where an object stands. HELD waits for an approval, which waiting longer does not bring."""

    CURRENT = "ready"
    IN_PROGRESS = "in progress"
    HELD = "held"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Rollout:
    """Standing of one object, with the reason and message of the condition that says so."""

    standing: Standing
    reason: str = ""
    message: str = ""


def judge(body: Mapping[str, Any]) -> Rollout:
    """An object as the API server has it. A status of an older generation says nothing."""
    status = body.get("status") or {}
    conditions = {each["type"]: each for each in status.get("conditions") or ()}
    if status.get("observedGeneration") != body["metadata"].get("generation"):
        return Rollout(Standing.IN_PROGRESS, message="not seen by the operator yet")
    stalled = conditions.get(ConditionType.STALLED)
    if stalled is not None and stalled["status"] == "True":
        is_held = stalled.get("reason") == Reason.APPROVAL_REQUIRED
        return _of(Standing.HELD if is_held else Standing.FAILED, stalled)
    suspended = conditions.get(ConditionType.SUSPENDED)
    if suspended is not None and suspended["status"] == "True":
        return _of(Standing.CURRENT, suspended)
    reconciling = conditions.get(ConditionType.RECONCILING)
    if reconciling is not None and reconciling["status"] == "True":
        return _of(Standing.IN_PROGRESS, reconciling)
    ready = conditions.get(ConditionType.READY)
    if ready is None:
        return Rollout(Standing.IN_PROGRESS, message="has no Ready condition yet")
    return _of(Standing.CURRENT if ready["status"] == "True" else Standing.IN_PROGRESS, ready)


def _of(standing: Standing, condition: Mapping[str, Any]) -> Rollout:
    return Rollout(standing, condition.get("reason", ""), condition.get("message", ""))
