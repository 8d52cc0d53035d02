"""Our finalizer, which stands on an object before anything is written for it."""

from __future__ import annotations

from callplane.cluster import finalizers
from callplane.engine.scope import Gone, Scope


async def ensure_finalizer(scope: Scope) -> None:
    """Our finalizer stands before the first write anywhere."""
    if finalizers.has_finalizer(scope.cached.body, finalizers.PROVIDER_CLEANUP):
        return
    body = await finalizers.add(
        scope.engine.objects, scope.engine.kind(scope.key.kind), body=scope.cached.body
    )
    if body is None:
        raise Gone
    scope.engine.offer(scope.key, body)
    latest = scope.engine.cache.get(scope.key)
    if latest is None or not finalizers.has_finalizer(body, finalizers.PROVIDER_CLEANUP):
        raise Gone
    scope.cached = latest
