"""Compare cache and server: the start barrier, and the remedy for what a watch cannot tell.

After a re-list Kopf says nothing of objects that vanished meanwhile, so the cache may keep ghosts;
a sweep lists every kind and drops them.
"""

from __future__ import annotations

from callplane.apis import registry
from callplane.cluster.crd_serving import unserved_kinds
from callplane.engine.operator_engine import Engine
from callplane.values import ObjectKey


async def unserved(engine: Engine) -> list[str]:
    """Our kinds that the API server does not serve; not empty means that the CRDs are missing."""
    wanted = [engine.kind(kind.name) for kind in registry.KINDS]
    return [str(kind) for kind in await unserved_kinds(engine.objects, wanted)]


async def sweep(engine: Engine) -> int:
    """List every kind page by page into the cache and drop ghosts; returns how many ghosts there
    were.
    """
    ghosts = 0
    for kind in registry.KINDS:
        known = {key for key in engine.cache.known() if key.kind == kind.name}
        listing = await engine.objects.list_all(engine.kind(kind.name))
        seen: set[ObjectKey] = set()
        for item in listing.items:
            key = ObjectKey(kind.name, item["metadata"]["namespace"], item["metadata"]["name"])
            item.setdefault("kind", kind.name)
            item.setdefault("apiVersion", kind.api_version)
            seen.add(key)
            engine.offer(key, item)
        for key in known - seen:
            # Younger than the listing, or a ghost: the version decides.
            cached = engine.cache.get(key)
            version = int(cached.metadata.get("resourceVersion") or 0) if cached is not None else 0
            if version <= int(listing.resource_version):
                engine.withdraw(key)
                ghosts += 1
    return ghosts
