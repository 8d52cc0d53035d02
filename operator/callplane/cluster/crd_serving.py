"""Which kinds the API server serves: a kind that is not served fails readiness."""

from __future__ import annotations

from collections.abc import Iterable

from callplane.cluster import ports
from callplane.cluster.resource_kinds import ResourceKind


async def unserved_kinds(
    objects: ports.ObjectReader, wanted: Iterable[ResourceKind]
) -> list[ResourceKind]:
    """Those of `wanted` that discovery does not show, sorted by name.

    A kind of ours without its status subresource counts as not served: its CRD is not the shipped
    one.
    """
    kinds = sorted(set(wanted), key=str)
    missing = []
    for group, version in sorted({(kind.group, kind.version) for kind in kinds}):
        served = {
            resource.plural: resource
            for resource in await objects.api_resources(group=group, version=version)
        }
        for kind in kinds:
            if (kind.group, kind.version) != (group, version):
                continue
            resource = served.get(kind.plural)
            if resource is None or "status" not in resource.subresources:
                missing.append(kind)
    return sorted(missing, key=str)
