"""Our finalizer on the Secrets that a connection signs in with, so that a namespace deletion cannot
take the credentials before the connection has been left.

Called by the passes of connections. A Secret is let go when no connection names it any more.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from callplane.apis.carriers import Carrier
from callplane.apis.references import SecretKeyRef
from callplane.cluster import finalizers
from callplane.cluster.resource_kinds import SECRETS
from callplane.cluster.secret_reading import SecretMissing
from callplane.desired import declarations
from callplane.engine.scope import Scope


def refs_of(resource: object) -> list[SecretKeyRef]:
    """The Secrets that a connection names; none for what is no connection."""
    if declarations.is_platform(resource):
        return declarations.secret_refs(resource)
    if isinstance(resource, Carrier) and resource.spec.credentials is not None:
        return [resource.spec.credentials.secret_ref]
    return []


async def keep(scope: Scope, references: Iterable[SecretKeyRef]) -> None:
    """Put our finalizer on Secrets that are not being deleted."""
    for name in _names(references):
        body = await scope.engine.objects.get(SECRETS, name=name, namespace=scope.key.namespace)
        if not body["metadata"].get("deletionTimestamp"):
            await finalizers.add(
                scope.engine.objects, SECRETS, body=body, finalizer=finalizers.SECRET_IN_USE
            )


async def free(scope: Scope, references: Iterable[SecretKeyRef]) -> None:
    """Take it off again where no other connection of the namespace names the Secret."""
    others = set(_named_by_others(scope))
    for reference in {reference.name: reference for reference in references}.values():
        if reference.name in others:
            continue
        reading = await scope.engine.secrets.read(
            namespace=scope.key.namespace, name=reference.name, key=reference.key
        )
        if isinstance(reading, SecretMissing):
            continue
        body = await scope.engine.objects.get(
            SECRETS, name=reference.name, namespace=scope.key.namespace
        )
        await finalizers.remove(
            scope.engine.objects, SECRETS, body=body, finalizer=finalizers.SECRET_IN_USE
        )


def _names(references: Iterable[SecretKeyRef]) -> list[str]:
    return list(dict.fromkeys(reference.name for reference in references))


def _named_by_others(scope: Scope) -> Iterator[str]:
    for kind in (*declarations.PLATFORM_KINDS, "Carrier"):
        for cached in scope.engine.cache.of_kind(kind):
            if cached.key != scope.key and cached.key.namespace == scope.key.namespace:
                yield from _names(refs_of(cached.resource))
