"""What the engine needs to know of namespaces: labels for consent, and which cluster this is."""

from __future__ import annotations

from callplane.cluster import api_errors, ports
from callplane.cluster.resource_kinds import NAMESPACES

IDENTITY_NAMESPACE = "kube-system"


async def namespace_labels(objects: ports.ObjectReader, name: str) -> dict[str, str] | None:
    """The labels that `allowedNamespaces` selectors match; None for an unknown namespace."""
    try:
        body = await objects.get(NAMESPACES, name=name)
    except api_errors.NotFound:
        return None
    return dict(body["metadata"].get("labels") or {})


async def is_terminating(objects: ports.ObjectReader, name: str) -> bool:
    """Whether a namespace takes no new content any more; also true when it is gone."""
    try:
        body = await objects.get(NAMESPACES, name=name)
    except api_errors.NotFound:
        return True
    return "deletionTimestamp" in body["metadata"]


async def installation_id(objects: ports.ObjectReader) -> str:
    """The UID of namespace kube-system: one cluster is one installation while it lives."""
    body = await objects.get(NAMESPACES, name=IDENTITY_NAMESPACE)
    return str(body["metadata"]["uid"])
