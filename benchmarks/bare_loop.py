"""The reference of `converge`: the least a Kopf operator can do for the same objects.

A raw event handler puts keys into a queue; workers add a finalizer, wait 50 ms in the place of an
external call, and write a status that says Ready. No plan, no register, no provider, no gate. Run
by `converge` as a process of its own:

    python benchmarks/bare_loop.py KUBECONFIG NAMESPACE
"""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import kopf

from callplane.apis.model import GROUP, VERSION
from callplane.clock import SystemClock
from callplane.cluster import credentials, finalizers, watch_sessions
from callplane.cluster.client import KubernetesClient
from callplane.cluster.resource_kinds import NAMESPACES, callplane_kind
from callplane.controller.watching import settings_for_events_only
from callplane.testing.control_plane import ThrowAwayCluster

WORKERS = 100
CALL_SECONDS = 0.05
FINALIZER = "bare.callplane.dev/cleanup"
USERS = callplane_kind("teamsusers")


@dataclass(frozen=True, slots=True)
class Bare:
    """What the reference reached."""

    per_second: float
    cpu_ms_each: float


async def measure(users: int) -> Bare:
    """The same objects through the bare loop, on a fresh API server with fsync on."""
    import stage

    with ThrowAwayCluster(durable=True) as cluster:
        connection = credentials.from_kubeconfig(cluster.kubeconfig, clock=SystemClock())
        async with KubernetesClient(connection, field_manager="benchmark") as objects:
            namespace = {
                "apiVersion": "v1",
                "kind": "Namespace",
                "metadata": {"name": stage.TEAM},
            }
            await objects.create(NAMESPACES, body=namespace)
            loop = await asyncio.create_subprocess_exec(
                sys.executable, __file__, str(cluster.kubeconfig), stage.TEAM,
                stdout=asyncio.subprocess.PIPE,
            )  # fmt: skip
            try:
                assert loop.stdout is not None
                await loop.stdout.readline()
                before = stage.usage_of(loop.pid)
                async with stage.watching(connection, namespace=stage.TEAM) as watch:
                    began = time.monotonic()
                    people = (stage.person(nth) for nth in range(1, users + 1))
                    await stage.each(people, lambda body: objects.create(USERS, body=body))
                    ended = await watch.until(users)
                used = stage.usage_of(loop.pid).cpu_seconds - before.cpu_seconds
            finally:
                loop.terminate()
                await loop.wait()
    return Bare(users / (ended - began), 1000 * used / users)


class BareLoop:
    """Keys in, finalizer and status out."""

    def __init__(self, objects: KubernetesClient) -> None:
        self._objects = objects
        self._bodies: dict[str, dict[str, Any]] = {}
        self._queue: asyncio.Queue[str] = asyncio.Queue()

    def heard(self, body: dict[str, Any]) -> None:
        name = body["metadata"]["name"]
        status = body.get("status", {})
        if status.get("observedGeneration") != body["metadata"]["generation"]:
            if name not in self._bodies:
                self._queue.put_nowait(name)
            self._bodies[name] = body

    async def work(self) -> None:
        while True:
            name = await self._queue.get()
            body = await finalizers.add(
                self._objects, USERS, body=self._bodies[name], finalizer=FINALIZER
            )
            assert body is not None
            await asyncio.sleep(CALL_SECONDS)
            generation = body["metadata"]["generation"]
            condition = {
                "type": "Ready",
                "status": "True",
                "reason": "Succeeded",
                "message": "",
                "observedGeneration": generation,
                "lastTransitionTime": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            }
            await self._objects.merge_patch(
                USERS,
                name=name,
                namespace=body["metadata"]["namespace"],
                patch={"status": {"observedGeneration": generation, "conditions": [condition]}},
                subresource="status",
            )


async def run(kubeconfig: Path, namespace: str) -> None:
    connection = credentials.from_kubeconfig(kubeconfig, clock=SystemClock())
    registry = kopf.OperatorRegistry()
    ready = asyncio.Event()
    async with KubernetesClient(connection, field_manager="bare") as objects:
        bare = BareLoop(objects)

        @kopf.on.login(registry=registry)
        async def login(**_: Any) -> kopf.AiohttpSession:
            session = watch_sessions.open_session(connection)
            return kopf.AiohttpSession(server=connection.server, aiohttp_session=session)

        @kopf.on.event(GROUP, VERSION, USERS.plural, registry=registry)
        async def heard(event: Any, **_: Any) -> None:
            if event["type"] != "DELETED":
                bare.heard(event["object"])

        async with asyncio.TaskGroup() as group:
            for _ in range(WORKERS):
                group.create_task(bare.work())
            group.create_task(
                kopf.operator(
                    registry=registry,
                    settings=settings_for_events_only(),
                    namespaces=[namespace],
                    standalone=True,
                    ready_flag=ready,
                )
            )
            await ready.wait()
            print("ready", flush=True)


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    asyncio.run(run(Path(sys.argv[1]), sys.argv[2]))
