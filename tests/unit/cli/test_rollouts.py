"""Where an applied object stands, by the rules of kstatus."""

from __future__ import annotations

from typing import Any

import pytest

from callplane.cli.rollouts import Standing, judge


def body(*conditions: tuple[str, str, str], observed: int = 3) -> dict[str, Any]:
    return {
        "metadata": {"generation": 3},
        "status": {
            "observedGeneration": observed,
            "conditions": [
                {"type": kind, "status": status, "reason": reason, "message": "why"}
                for kind, status, reason in conditions
            ],
        },
    }


READY = ("Ready", "True", "Succeeded")


@pytest.mark.parametrize(
    ("found", "standing"),
    [
        ({"metadata": {"generation": 1}}, Standing.IN_PROGRESS),
        (body(READY, observed=2), Standing.IN_PROGRESS),
        (body(READY, observed=-1), Standing.IN_PROGRESS),
        (body(), Standing.IN_PROGRESS),
        (body(READY), Standing.CURRENT),
        (body(READY, ("Drifted", "True", "ObserveOnly")), Standing.CURRENT),
        (body(("Ready", "False", "X"), ("Reconciling", "True", "X")), Standing.IN_PROGRESS),
        (body(READY, ("Reconciling", "True", "X")), Standing.IN_PROGRESS),
        (body(("Ready", "False", "X"), ("Reconciling", "False", "X")), Standing.IN_PROGRESS),
        (body(("Ready", "Unknown", "X")), Standing.IN_PROGRESS),
        (body(("Ready", "False", "X"), ("Stalled", "True", "UserNotFound")), Standing.FAILED),
        (body(("Ready", "False", "X"), ("Stalled", "True", "ApprovalRequired")), Standing.HELD),
        (body(("Ready", "False", "X"), ("Suspended", "True", "Suspended")), Standing.CURRENT),
    ],
)
def test_standing(found: dict[str, Any], standing: Standing) -> None:
    assert judge(found).standing is standing


def test_the_condition_that_decides_gives_the_reason() -> None:
    rollout = judge(body(("Ready", "False", "X"), ("Stalled", "True", "UserNotFound")))
    assert (rollout.reason, rollout.message) == ("UserNotFound", "why")
