"""Gives the operator's account its rights and bounds, as an installation does.

Called by `lifecycle` before the operator starts, so that what runs on a desk is refused whatever
it would be refused in production.
"""

from __future__ import annotations

from typing import Final

import yaml

from callplane.deployment import platform_objects, workload
from callplane.deployment.options import Options
from callplane.sandbox.crds import FIELD_MANAGER
from callplane.sandbox.kubectl import Kubectl

PLATFORM: Final = Options()


def apply(kubectl: Kubectl, *, foreign: bool = False) -> None:
    """Apply the namespace, the account with its roles, and the admission policies.

    A cluster of somebody else's gets the namespace alone: the operator runs there with the rights
    of whoever starts the sandbox, and leaves the cluster's own rules as they are.
    """
    objects = [workload.namespace(PLATFORM)] if foreign else platform_objects.rights(PLATFORM)
    written = yaml.safe_dump_all(objects)
    kubectl("apply", "--server-side", f"--field-manager={FIELD_MANAGER}", "-f", "-", stdin=written)
