"""The sizing guide says what the manifests ask for, and names commands that exist."""

from __future__ import annotations

import re
from pathlib import Path

from callplane.deployment import platform_objects
from callplane.deployment.options import Options
from callplane.settings import CallControlSettings


def page(root: Path) -> str:
    return (root / "docs/sizing.md").read_text(encoding="utf-8")


def disagreements(text: str) -> list[str]:
    """Containers of the install whose requests the page does not name."""
    found = []
    for body in platform_objects.objects(Options()):
        if body["kind"] != "Deployment" or body["metadata"]["name"] == "callplane-api":
            continue
        for container in body["spec"]["template"]["spec"]["containers"]:
            asked = container["resources"]["requests"]
            named = f"`cpu: {asked['cpu']}` and `memory: {asked['memory']}`"
            heading = {"operator": "## Operator", "callcontrol": "## Call control"}
            section = text.partition(heading[container["name"]])[2].partition("\n## ")[0]
            if named not in section:
                found.append(f"{container['name']}: {named}")
    return found


def test_the_guide_names_what_pods_ask_for(root: Path) -> None:
    assert disagreements(page(root)) == []


def test_another_request_is_caught(root: Path) -> None:
    changed = page(root).replace("`memory: 512Mi`", "`memory: 256Mi`")
    assert len(disagreements(changed)) == 2


def test_every_figure_has_a_benchmark_that_exists(root: Path) -> None:
    named = set(re.findall(r"BENCH=([a-z]+)", page(root)))
    assert {"converge", "authorise", "sip", "size"} <= named
    assert [name for name in named if not (root / "benchmarks" / f"{name}.py").exists()] == []


def test_sessions_fit_into_the_database(root: Path) -> None:
    text = page(root)
    assert f"`CALLPLANE_SESSIONS` {CallControlSettings().sessions}" in text
    operator, standby, calls, api = (
        int(row) for row in re.findall(r"^\|[^|]+\| \d+ \| (\d+) \|$", text, re.MULTILINE)
    )
    assert f"come to {operator + standby + 4 * calls + 2 * api} at most" in text
    stack = root / "stacks/callplane_stacks/kubernetes/ledger_database.py"
    [limit] = re.findall(r'"max_connections": "(\d+)"', stack.read_text(encoding="utf-8"))
    assert f"`max_connections` to {limit}" in text
    assert operator + standby + (2 + 9) * calls + 2 * api <= int(limit)
