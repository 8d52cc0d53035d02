"""How long Pulumi takes over the whole stack of a cluster, against a real API server.

    python benchmarks/stacks.py

The engine is the real one, its plugin the stand-in of the tests; one stack comes up, a second run
changes nothing, and it goes again. The last line is one JSON object: how many resources, the
seconds of a full preview and of an update without a change, and how many resources of the targets,
AWS and Azure as a mock records them, no policy looks at (`unguarded`; none of them may be a
database, a firewall, a pod or a machine).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from callplane.testing import pulumi_engine
from callplane.testing.control_plane import ThrowAwayCluster

ROOT = Path(__file__).resolve().parents[1]
PYTHON = ROOT / ".venv-stacks" / "bin" / "python"
FOLDERS = ("tests/stacks/kit", "stacks", "operator")


def main() -> None:
    """Measure once and print."""
    if not PYTHON.exists():
        sys.exit("make stacks-environment first")
    with ThrowAwayCluster(kinds=False, durable=True) as cluster:
        print(f"the engine is {pulumi_engine.root()}, the API server {cluster.plane.server}")
        done = subprocess.run(
            [
                str(PYTHON),
                str(ROOT / "tests/stacks/kit/measure.py"),
                str(pulumi_engine.root()),
                str(cluster.kubeconfig),
                str(cluster.plane.binaries.kubectl),
            ],
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(str(ROOT / folder) for folder in FOLDERS),
            },
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    found = json.loads(done.stdout.splitlines()[-1])
    print(json.dumps({**found, "cores": os.cpu_count()}))


if __name__ == "__main__":
    main()
