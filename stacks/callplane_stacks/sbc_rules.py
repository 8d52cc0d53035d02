"""Alerts of a stack, and those on its SBCs: only a stack knows which ones there should be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from callplane_stacks.objects import Body

RUNBOOKS = "docs/stacks.md"


def rules(targets: Mapping[str, Sequence[str]]) -> list[Body]:
    """An alert for each SBC; `targets` are the labels of what is scraped of it, by its name.

    A node that is lost takes its metrics along, so what is not there is asked for.
    """
    return [
        rule(
            "CallplaneSbcDown",
            " or ".join(f"absent(up{{{labels}}} == 1)" for labels in found),
            "5m",
            f"{name}: its media relay or its call control does not answer, or all of it is gone.",
            sbc=name,
        )
        for name, found in targets.items()
    ]


def rule(name: str, expression: str, wait: str, summary: str, **labels: str) -> Body:
    """One alert; its name is that of its runbook."""
    return {
        "alert": name,
        "expr": expression,
        "for": wait,
        "labels": {"severity": "critical", **labels},
        "annotations": {"summary": summary, "runbook": f"{RUNBOOKS}#{name.lower()}"},
    }
