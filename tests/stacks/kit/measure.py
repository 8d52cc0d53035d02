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

import cloud_stack
import machine_view
import recording
import sample_stack
import workshop
from callplane_stacks import policies

#: Kinds that no stack may have without a policy that looks at them, besides those of clouds.
WATCHED = (":Cluster", ":Deployment", ":StatefulSet", ":DaemonSet", ":Job", ":Pod")
#: What is a resource of a provider, and no component of ours.
PROVIDED = ("kubernetes:", "aws:", "azure-native:")


def seconds(act: Callable[[], object]) -> float:
    """How long an action takes."""
    began = time.perf_counter()
    act()
    return round(time.perf_counter() - began, 2)


def unguarded() -> tuple[list[str], list[str]]:
    """Resources of all targets that no policy looks at, and those that one would have to: a
    database, a firewall, a pod, a machine.
    """
    made = recording.record(sample_stack.declare)
    for cloud in cloud_stack.CLOUDS:
        made += recording.record(cloud.declare)
    objects = [each for each in made if each.kind.startswith(PROVIDED)]
    free = [each for each in objects if not policies.guards(each.kind, each.plain)]
    firewalls = [each for each in free if is_ruleset(each)]
    watched = [each for each in free if each.kind.endswith(WATCHED)]
    wrong = [*firewalls, *watched, *machine_view.watched(free)]
    return [each.name for each in free], [each.name for each in wrong]


def is_ruleset(each: recording.Registered) -> bool:
    """Whether a ConfigMap holds the firewall of a node."""
    return each.kind.endswith(":ConfigMap") and ".nft" in json.dumps(each.plain.get("data") or {})


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
        down = seconds(workshop.unprotected(stack).destroy)
    free, wrong = unguarded()
    found = {
        "resources": resources,
        "preview_seconds": preview,
        "up_seconds": up,
        "no_change_up_seconds": again,
        "destroy_seconds": down,
        "unguarded": len(free),
        "unguarded_databases_firewalls_pods_machines": len(wrong),
    }
    print(json.dumps(found))  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:])
