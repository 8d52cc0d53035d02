"""A throw-away Kubernetes API for tests that run in another environment: `python -m
callplane.testing.serve_cluster`.

Prints one line of JSON (`kubeconfig`, `kubectl`) when the API answers, and stops when its standard
input ends, so that it never outlives who started it. None of our kinds are in it.
"""

from __future__ import annotations

import json
import sys

from callplane.testing.control_plane import ThrowAwayCluster


def main() -> None:
    """Serve until standard input ends."""
    with ThrowAwayCluster(kinds=False) as cluster:
        place = {
            "kubeconfig": str(cluster.kubeconfig),
            "kubectl": str(cluster.plane.binaries.kubectl),
        }
        sys.stdout.write(json.dumps(place) + "\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main()
