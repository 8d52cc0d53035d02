"""Kopf as the doorbell: every event puts a body into the engine's cache and rings for its key.

No stateful handlers, no annotations, no finalizer of Kopf's: its own finalizer name stays different
from ours, or Kopf would strip ours (it removes the finalizer of its settings wherever no handler of
its own needs it).
"""

from __future__ import annotations

import asyncio
import logging
import signal
from typing import Any

import kopf

from callplane.apis import registry
from callplane.apis.model import GROUP, VERSION
from callplane.cluster import watch_sessions
from callplane.cluster.credentials import ClusterConnection
from callplane.engine.operator_engine import Engine
from callplane.values import ObjectKey

log = logging.getLogger(__name__)

Body = dict[str, Any]


class _NoDiffBase(kopf.DiffBaseStorage):
    """Kopf would otherwise build a diff base of every object at every event; nothing here reads
    it.
    """

    def build(self, **_: Any) -> Any:
        return {}

    def fetch(self, **_: Any) -> None:
        return None

    def store(self, **_: Any) -> None:
        return None


class _NoProgress(kopf.ProgressStorage):
    """Kopf would otherwise look through annotations and status for the progress of handlers that
    are not there.
    """

    def fetch(self, **_: Any) -> None:
        return None

    def store(self, **_: Any) -> None:
        return None

    def purge(self, **_: Any) -> None:
        return None

    def touch(self, **_: Any) -> None:
        return None

    def clear(self, *, essence: Any) -> Any:
        return essence


def settings_for_events_only() -> kopf.OperatorSettings:
    """Kopf's settings for an operator that only listens (docs/adr/0001)."""
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    settings.scanning.disabled = True
    settings.queueing.idle_timeout = 0.5
    settings.watching.chunk_size = 500
    settings.watching.server_timeout = 300
    settings.watching.connect_timeout = 10
    settings.networking.connect_timeout = 10
    settings.networking.request_timeout = 60
    settings.persistence.diffbase_storage = _NoDiffBase()
    settings.persistence.progress_storage = _NoProgress()
    settings.process.ultimate_exiting_timeout = 60
    return settings


def handlers(engine: Engine, connection: ClusterConnection) -> kopf.OperatorRegistry:
    """One raw event handler for all kinds, one for namespaces (consent is by their labels), and the
    login.
    """
    kopf_registry = kopf.OperatorRegistry()
    names = {kind.plural: kind.name for kind in registry.KINDS}

    @kopf.on.login(registry=kopf_registry)
    async def login(**_: Any) -> kopf.AiohttpSession:
        session = watch_sessions.open_session(connection)
        return kopf.AiohttpSession(server=connection.server, aiohttp_session=session)

    def is_ours(resource: Any) -> bool:
        return resource.plural in names

    def key_of(resource: Any, body: Body) -> ObjectKey:
        metadata = body["metadata"]
        return ObjectKey(names[resource.plural], metadata["namespace"], metadata["name"])

    # Kopf holds every handler against every event, and more than once: a handler a kind would make
    # that half a hundred comparisons.
    @kopf.on.event(
        is_ours,
        group=GROUP,
        version=VERSION,
        registry=kopf_registry,
        id="watch",
        when=lambda event, resource, **_: is_news(engine, key_of(resource, event["object"]), event),
    )
    async def heard(event: Any, resource: Any, **_: Any) -> None:
        body: Body = event["object"]
        engine.heard(key_of(resource, body), body, is_gone=event["type"] == "DELETED")

    @kopf.on.event("", "v1", "namespaces", registry=kopf_registry)
    async def namespace_event(event: Any, **_: Any) -> None:
        metadata = event["object"]["metadata"]
        labels = {} if event["type"] == "DELETED" else dict(metadata.get("labels") or {})
        engine.namespace_seen(str(metadata["name"]), labels)

    return kopf_registry


def is_news(engine: Engine, key: ObjectKey, event: Any) -> bool:
    """Does the event tell what is not known yet? Two of three are our own writes, which were known
    when they were answered, and asking costs less than Kopf's way of calling a handler.
    """
    return event["type"] == "DELETED" or not engine.cache.has_seen(key, event["object"])


async def watch(engine: Engine, connection: ClusterConnection, stop: asyncio.Event) -> None:
    """Run Kopf until `stop`. Raises what Kopf raises when the API server refuses it for good."""
    ready = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        signals = group.create_task(_take_signals_back(ready, stop))
        await kopf.operator(
            registry=handlers(engine, connection),
            settings=settings_for_events_only(),
            clusterwide=True,
            standalone=True,
            stop_flag=stop,
            ready_flag=ready,
        )
        # Without an error it was asked to stop, if only by a signal before we had taken them back.
        stop.set()
        signals.cancel()


async def _take_signals_back(ready: asyncio.Event, stop: asyncio.Event) -> None:
    """Kopf puts handlers of its own on the signals, which would stop only Kopf, and all tasks with
    it.
    """
    await ready.wait()
    stop_on_signals(stop)


def stop_on_signals(stop: asyncio.Event) -> None:
    """SIGTERM and SIGINT ask the whole process to end cleanly."""
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
