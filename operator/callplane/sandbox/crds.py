"""Puts the project's custom resource definitions into a cluster.

Called by `lifecycle` and by the throw-away cluster of the tests.
"""

from __future__ import annotations

import json
from pathlib import Path

from callplane.apis import crd, registry
from callplane.sandbox import locations
from callplane.sandbox.kubectl import Kubectl

FIELD_MANAGER = "callplane-sandbox"
ESTABLISH_TIMEOUT_SECONDS = 60


def folder() -> Path | None:
    """The folder of generated definitions beside the source; None when there is none."""
    generated = locations.CHECKOUT / "crds"
    return generated if any(generated.glob("*.yaml")) else None


def apply(kubectl: Kubectl, definitions: Path | None) -> None:
    """Apply the definitions of a folder, or without one those of the models, and wait until the API
    serves them.
    """
    source = f"--filename={definitions}"
    document: str | None = None
    if definitions is None:
        # An installed wheel has no files of them, and the models that they are generated from.
        items = [crd.custom_resource_definition(kind) for kind in registry.KINDS]
        source = "--filename=-"
        document = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
    kubectl(*("apply", "--server-side", f"--field-manager={FIELD_MANAGER}", source), stdin=document)
    kubectl(
        *("wait", "--for=condition=Established", f"--timeout={ESTABLISH_TIMEOUT_SECONDS}s", source),
        stdin=document,
    )
