"""Platform: the operator, from the same description as `manifests/operator`."""

from __future__ import annotations

from callplane.deployment import platform_objects
from callplane.deployment.options import Options
from callplane_stacks import gitops
from callplane_stacks.configuration import OnCluster
from callplane_stacks.objects import Body, Component


class Platform(Component):
    """Definitions, rights, policies and pods of the operator."""


def options(configuration: OnCluster) -> Options:
    """The choices that the description takes."""
    chosen = configuration.platform
    return Options(
        namespace=chosen.namespace,
        image=chosen.image,
        replicas=chosen.replicas,
        secret_names=chosen.secret_names,
        gitops_accounts=chosen.gitops_accounts or (gitops.ACCOUNTS[configuration.gitops.program],),
        traces_endpoint=chosen.traces_endpoint,
        traces_ratio=f"{chosen.traces_ratio:.6f}",
    )


def objects(configuration: OnCluster) -> list[Body]:
    """Exactly the objects of the description."""
    return platform_objects.objects(options(configuration))
