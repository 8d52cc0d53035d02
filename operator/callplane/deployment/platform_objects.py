"""Everything together, in an order in which it can be created."""

from __future__ import annotations

from callplane.apis import crd, registry
from callplane.deployment import (
    admission,
    api_workload,
    call_control_workload,
    permissions,
    traces,
    workload,
)
from callplane.deployment.options import Body, Options


def definitions() -> list[Body]:
    """The custom resource definitions of every kind."""
    return [crd.custom_resource_definition(kind) for kind in registry.KINDS]


def rights(options: Options) -> list[Body]:
    """What the processes need wherever they run: a namespace, accounts, the operator's bounds."""
    return [
        workload.namespace(options),
        *permissions.objects(options),
        *admission.objects(options),
        *api_workload.rights(options),
    ]


def objects(options: Options) -> list[Body]:
    """All objects of the platform."""
    return [
        *definitions(),
        *rights(options),
        *workload.objects(options),
        *call_control_workload.objects(options),
        *api_workload.objects(options),
        *traces.objects(options),
    ]
