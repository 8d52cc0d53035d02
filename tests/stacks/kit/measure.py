"""Times a stack's life under the engine, for `benchmarks/stacks.py`; in the stacks' environment.

Arguments: the engine's folder, a kubeconfig and kubectl. Prints one line of JSON.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import recording
import sample_stack
import workshop
from callplane_stacks import policies

#: Kinds that no stack may have without a policy that looks at them.
WATCHED = (":Cluster", ":Deployment", ":StatefulSet", ":DaemonSet", ":Pod")


def seconds(act: Callable[[], object]) -> float:
    """How long an action takes."""
    began = time.perf_counter()
    act()
    return round(time.perf_counter() - began, 2)


def unguarded() -> tuple[list[str], list[str]]:
    """Resources that no policy looks at, and those of them that one would have to."""
    made = recording.record(sample_stack.declare)
    objects = [each for each in made if each.kind.startswith("kubernetes:")]
    free = [each for each in objects if not policies.guards(each.kind, each.plain)]
    firewalls = [each for each in free if ".nft" in json.dumps(each.plain.get("data") or {})]
    watched = [each for each in free if each.kind.endswith(WATCHED)]
    return [each.name for each in free], [each.name for each in (*firewalls, *watched)]


def main(engine_root: str, kubeconfig: str, kubectl: str) -> None:
    """Up, then what is measured, then down."""
    cluster = workshop.Cluster(kubeconfig, kubectl)
    workshop.with_foreign_kinds(cluster)
    with tempfile.TemporaryDirectory() as folder:
        stack = workshop.prepared(Path(folder), cluster, engine_root).stack(sample_stack.declare)
        preview = seconds(stack.preview)
        up = seconds(stack.up)
        again = seconds(stack.up)
        resources = len(json.loads(json.dumps(stack.export_stack().deployment))["resources"])
        down = seconds(stack.destroy)
    free, wrong = unguarded()
    found = {
        "resources": resources,
        "preview_seconds": preview,
        "up_seconds": up,
        "no_change_up_seconds": again,
        "destroy_seconds": down,
        "unguarded": len(free),
        "unguarded_databases_firewalls_pods": len(wrong),
    }
    print(json.dumps(found))  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:])
