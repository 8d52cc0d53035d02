"""A running Graph simulator: world, application and addresses in one hand.

async with running_graph(GraphWorld(seed=...)) as graph:
    graph.graph_url, graph.login_url, graph.ca_file
"""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from callplane.clock import SystemClock
from callplane.simulators.graph.app import GraphApp, Sleep
from callplane.simulators.graph.world import GraphWorld
from callplane.simulators.loopback_certificates import make_tls_files
from callplane.simulators.serving import Served, serving


@dataclass(frozen=True, slots=True)
class Ports:
    """Where to listen; 0 is any free port."""

    plain: int = 0
    tls: int = 0


@dataclass(frozen=True, slots=True)
class RunningGraph:
    """Addresses for callers. `login_url` is https, because MSAL accepts nothing else."""

    world: GraphWorld
    served: Served
    ca_file: Path

    @property
    def graph_url(self) -> str:
        """Root of Graph v1.0."""
        return f"{self.served.url}/v1.0"

    @property
    def base_url(self) -> str:
        """Address of Graph without the version."""
        return self.served.url

    @property
    def login_url(self) -> str:
        """Authority host; the tenant id follows behind a slash."""
        return self.served.tls_url

    @property
    def control_url(self) -> str:
        """Root of the control endpoints."""
        return f"{self.served.url}/_simulator"

    def document(self) -> dict[str, object]:
        """What a process that started us needs to know, as JSON."""
        return {
            "simulator": "graph",
            "base_url": self.base_url,
            "graph_url": self.graph_url,
            "login_url": self.login_url,
            "plain_login_url": self.served.url,
            "control_url": self.control_url,
            "ca_file": str(self.ca_file),
            "tenants": list(self.world.tenants),
        }


@contextlib.asynccontextmanager
async def running_graph(
    world: GraphWorld,
    *,
    ports: Ports = Ports(),
    folder: Path | None = None,
    sleep: Sleep = asyncio.sleep,
) -> AsyncIterator[RunningGraph]:
    """Serve a world in the running loop until the block ends.

    `folder` keeps the certificates; without it they lie in a temporary folder that goes away again.
    """
    with contextlib.ExitStack() as stack:
        place = folder or Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="callplane-simulators-"))
        )
        # Whoever calls compares the certificate with the machine's own clock, wherever that of the
        # world may stand.
        tls = make_tls_files(place, SystemClock().now())
        app = GraphApp(world, sleep=sleep)
        async with serving(app, port=ports.plain, tls_port=ports.tls, tls=tls) as served:
            yield RunningGraph(world, served, tls.ca_file)
