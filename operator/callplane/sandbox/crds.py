"""Puts the project's custom resource definitions into a cluster.

Called by `lifecycle` and by the throw-away cluster of the tests.
"""

from __future__ import annotations

from pathlib import Path

from callplane.sandbox import locations
from callplane.sandbox.kubectl import Kubectl

FIELD_MANAGER = "callplane-sandbox"
ESTABLISH_TIMEOUT_SECONDS = 30


def folder() -> Path | None:
    """The folder of generated definitions beside the source; None when there is none."""
    generated = locations.CHECKOUT / "crds"
    return generated if any(generated.glob("*.yaml")) else None


def apply(kubectl: Kubectl, definitions: Path | None) -> None:
    """Apply the definitions of a folder and wait until the API serves them."""
    if definitions is None:
        return
    source = f"--filename={definitions}"
    kubectl("apply", "--server-side", f"--field-manager={FIELD_MANAGER}", source)
    kubectl(
        "wait", "--for=condition=Established", f"--timeout={ESTABLISH_TIMEOUT_SECONDS}s", source
    )
