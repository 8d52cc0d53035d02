"""What every benchmark of the operator stands on: a sandbox with everything on one machine, a
tenant of many people, and the witnesses that are read before and after.

etcd and PostgreSQL keep fsync on. Writes to the API server are counted by the API server itself
(its own metrics), calls to the provider by the simulator, CPU and memory by the kernel. Called by
the other modules of this folder, which run as scripts.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import math
import os
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from callplane.clock import SystemClock
from callplane.cluster import credentials
from callplane.cluster.client import KubernetesClient
from callplane.cluster.ports import Body
from callplane.cluster.resource_kinds import NAMESPACES, SECRETS, callplane_kind
from callplane.sandbox import components, lifecycle
from callplane.sandbox.components import Component, Surroundings
from callplane.sandbox.lifecycle import Sandbox, UpOptions
from callplane.sandbox.simulator_control import SimulatorControl
from callplane.sandbox.state import SandboxState
from callplane.simulators.graph import seeding

API_VERSION = "callplane.dev/v1alpha1"
TENANT_ID = seeding.DEFAULT_TENANT_ID
PLATFORM, TEAM = "platform", "benchmark"
TENANT, SECRET = "main", "graph"
OPERATOR = "operator"
START_SECONDS = 120.0
TENANTS, RANGES = callplane_kind("teamstenants"), callplane_kind("numberranges")
USERS = callplane_kind("teamsusers")
RANGE_SIZE = 1000
CREATING_CLIENTS = 32
# The Lease is renewed whether anything happens or not; nothing else of the servers' own counts.
LEASES = "leases"
WRITE_VERBS = frozenset({"POST", "PUT", "PATCH", "APPLY", "DELETE", "DELETECOLLECTION"})


@dataclass(frozen=True, slots=True)
class StageOptions:
    """`rates` are fields of the TeamsTenant's spec, `world` settings of the simulator.

    The first `holders` of the `users` people have their numbers in the tenant from the beginning;
    `others` are further simulators that run beside it.
    """

    name: str
    users: int
    rates: dict[str, Any]
    world: dict[str, Any] = field(default_factory=dict)
    holders: int = 0
    others: tuple[Component, ...] = ()


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process has used: CPU seconds of all its threads, and its peak memory in MB."""

    cpu_seconds: float
    peak_rss_mb: float


class Stage:
    """A sandbox at work, and everything a benchmark asks of it."""

    def __init__(self, sandbox: Sandbox, options: StageOptions, objects: KubernetesClient) -> None:
        self.sandbox = sandbox
        self.options = options
        self.objects = objects
        self._probes: dict[str, str] = {}
        self.simulator = SimulatorControl(sandbox.addresses["graph/http"] + "/_simulator")
        self.connection = credentials.from_kubeconfig(sandbox.kubeconfig, clock=SystemClock())

    def pid(self, process: str) -> int:
        """The process id of one of the sandbox's processes."""
        sandbox = lifecycle.look(self.sandbox.name)
        assert sandbox is not None
        return next(record.pid for record in sandbox.processes if record.name == process)

    def usage(self, process: str = "operator") -> Usage:
        return usage_of(self.pid(process))

    # Manifests

    def tenant(self) -> Body:
        """The TeamsTenant with the rates of this run."""
        address = self.sandbox.addresses["graph/http"]
        authority = self.sandbox.addresses["graph/tls"].replace("http:", "https:")
        bundle = self.sandbox.folder / "components" / "graph" / "simulators-ca.pem"
        return {
            "apiVersion": API_VERSION,
            "kind": "TeamsTenant",
            "metadata": {"name": TENANT, "namespace": PLATFORM},
            "spec": {
                "tenantId": TENANT_ID,
                "credentials": {
                    "clientSecret": {
                        "clientId": seeding.DEFAULT_CLIENT_ID,
                        "secretRef": {"name": SECRET, "key": "secret"},
                    }
                },
                "endpoint": {
                    "graph": address,
                    "authority": authority,
                    "caBundle": bundle.read_text(encoding="ascii"),
                },
                "allowedNamespaces": [{"name": TEAM}],
                **self.options.rates,
            },
        }

    async def prepare(self) -> None:
        """Namespaces, the Secret, the ranges and the tenant; returns when the tenant is Ready."""
        for name in (PLATFORM, TEAM):
            body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
            await self.objects.create(NAMESPACES, body=body)
        secret = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": SECRET, "namespace": PLATFORM},
            "stringData": {"secret": seeding.DEFAULT_SECRET},
        }
        await self.objects.create(SECRETS, body=secret)
        for nth in range(-(-self.options.users // RANGE_SIZE)):
            await self.objects.create(RANGES, body=number_range(nth))
        await self.objects.create(TENANTS, body=self.tenant())

    async def wait_until_ready(self, *, seconds: float = 120.0) -> None:
        """Until the tenant is Ready: its first listing is complete."""
        deadline = time.monotonic() + seconds
        while True:
            body = await self.objects.get(TENANTS, name=TENANT, namespace=PLATFORM)
            if is_ready(body):
                return
            if time.monotonic() > deadline:
                raise SystemExit(f"the tenant is not Ready after {seconds:.0f} s: {body['status']}")
            await asyncio.sleep(0.2)

    def start_operator(self, name: str = OPERATOR, *, wait: bool = True) -> None:
        """Start an operator under that name and identity; `wait` until it leads and works."""
        component = components.operator(name=name, timeout_seconds=START_SECONDS)
        state = SandboxState.load(self.sandbox.folder)
        assert state is not None
        known = Surroundings(
            folder=self.sandbox.folder,
            kubeconfig=self.sandbox.kubeconfig,
            database_url=self.sandbox.database_url,
            identity=lambda user, groups: self.sandbox.kubeconfig,
        )
        started = components.start(
            component if wait else dataclasses.replace(component, ready=None), state, known
        )
        self._probes[name] = started.url(name, "probes")

    async def operator_metric(self, metric: str, name: str = OPERATOR) -> float:
        """The sum of a metric's values as the operator shows it; `metric` may hold labels."""
        async with (
            aiohttp.ClientSession() as session,
            session.get(self._probes[name] + "/metrics") as response,
        ):
            text = await response.text()
        lines = (line for line in text.splitlines() if line.startswith(metric))
        return sum(float(line.rpartition(" ")[2]) for line in lines)

    async def quiet(self, *, seconds: float = 3.0, at_most_seconds: float = 300.0) -> None:
        """Until the API server and the provider have taken no write for so long."""
        deadline = time.monotonic() + at_most_seconds
        before: Any = None
        while time.monotonic() < deadline:
            now = (await self.cluster_writes(), self.provider_calls()["writes"])
            if now == before:
                return
            before = now
            await asyncio.sleep(seconds)
        raise SystemExit(f"writes did not end within {at_most_seconds:.0f} s")

    async def create(self, bodies: Iterable[Body]) -> None:
        """Create objects by concurrent clients."""
        await each(bodies, lambda body: self.objects.create(USERS, body=body))

    # Witnesses

    async def cluster_writes(self) -> Counter[str]:
        """Writes that the API server has accepted since its start: `verb resource[/subresource]`,
        from its own metrics, Leases left out.
        """
        return count_writes((await raw(self.connection, "/metrics")).decode())

    def watching(self) -> contextlib.AbstractAsyncContextManager[ReadyWatch]:
        """A watch on the people that knows who has been Ready since now."""
        return watching(self.connection, namespace=TEAM)

    def provider_calls(self) -> dict[str, Any]:
        """Calls since `simulator.forget()`, without those for tokens: reads, writes, by kind."""
        return self.simulator.counters()


class ReadyWatch:
    """Who is Ready, from a watch's lines; nothing is parsed but what is needed.

    The watcher shares the machine with what is measured, and a JSON parser would cost more than
    the rest of the benchmark.
    """

    READY = re.compile(rb'"status":"(\w+)","type":"Ready"')
    VERSION = re.compile(rb'"resourceVersion":"(\d+)"')
    NAME = re.compile(rb'"metadata":\{.*?"name":"([a-z0-9-]+)"', re.DOTALL)

    def __init__(self, version: str) -> None:
        self.version = version
        self.ready_at: dict[str, float] = {}
        self.events = 0
        self._failure = ""
        self._changed = asyncio.Event()

    def heard(self, line: bytes, at: float) -> None:
        version = self.VERSION.search(line)
        assert version is not None, line
        self.version = version[1].decode()
        self.events += 1
        ready = self.READY.search(line)
        if ready is None or ready[1] != b"True":
            return
        # managedFields come before the name and hold no "name":"…" pair of their own.
        name = self.NAME.search(line)
        assert name is not None, line
        if self.ready_at.setdefault(name[1].decode(), at) == at:
            self._changed.set()

    def fail(self, why: str) -> None:
        self._failure = why
        self._changed.set()

    async def until(self, count: int, *, stalled_seconds: float = 120.0) -> float:
        """When the count-th object became Ready, monotonic seconds."""
        while len(self.ready_at) < count:
            if self._failure:
                raise SystemExit(self._failure)
            self._changed.clear()
            try:
                await asyncio.wait_for(self._changed.wait(), stalled_seconds)
            except TimeoutError:
                raise SystemExit(
                    f"{len(self.ready_at)} of {count} are Ready and for {stalled_seconds:.0f} s no "
                    "other became so"
                ) from None
        return max(self.ready_at.values())


@contextlib.asynccontextmanager
async def watching(
    connection: credentials.ClusterConnection, *, namespace: str
) -> AsyncIterator[ReadyWatch]:
    """A watch on the TeamsUsers of a namespace that knows who has been Ready since now."""
    listing = await raw(connection, f"{USERS.path(namespace=namespace)}?limit=1")
    version = re.search(rb'"resourceVersion":"(\d+)"', listing)
    assert version is not None
    watch = ReadyWatch(version[1].decode())
    task = asyncio.create_task(_watch(watch, connection, USERS.path(namespace=namespace)))
    try:
        yield watch
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _watch(watch: ReadyWatch, connection: credentials.ClusterConnection, path: str) -> None:
    """The API server ends a watch whose reader falls behind; it goes on from where it was."""
    try:
        async with _session(connection) as session:
            while True:
                address = f"{connection.server}{path}?watch=1&resourceVersion={watch.version}"
                async with session.get(address, timeout=aiohttp.ClientTimeout()) as response:
                    response.raise_for_status()
                    async for line in lines_of(response.content):
                        watch.heard(line, time.monotonic())
    except (aiohttp.ClientError, AssertionError) as error:
        watch.fail(f"the watch broke: {error!r}")


async def raw(connection: credentials.ClusterConnection, path: str) -> bytes:
    """The body of a GET to the API server."""
    async with _session(connection) as session, session.get(connection.server + path) as response:
        response.raise_for_status()
        return await response.read()


def _session(connection: credentials.ClusterConnection) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=connection.tls))


async def lines_of(content: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """Lines of any length; aiohttp's own iterator refuses long ones."""
    rest = b""
    async for chunk in content.iter_any():
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield line


async def each(items: Iterable[Any], work: Any, *, clients: int = CREATING_CLIENTS) -> None:
    """Await `work(item)` for all items, so many at a time."""
    waiting = iter(items)

    async def client() -> None:
        for item in waiting:
            await work(item)

    async with asyncio.TaskGroup() as group:
        for _ in range(clients):
            group.create_task(client())


def number_range(nth: int) -> Body:
    """The nth thousand numbers that are kept free for drama, in the order of the simulator."""
    first = seeding.DRAMA_BLOCKS[nth]
    return {
        "apiVersion": API_VERSION,
        "kind": "NumberRange",
        "metadata": {"name": f"block-{nth}", "namespace": PLATFORM},
        "spec": {
            "first": first,
            "last": f"+{int(first) + RANGE_SIZE - 1}",
            "route": "DirectRouting",
            "allowedNamespaces": [{"name": TEAM}],
        },
    }


def person(nth: int, **spec: Any) -> Body:
    """The nth person (from 1) with a number of their thousand's range; `spec` replaces fields."""
    fields: dict[str, Any] = {
        "tenantRef": {"name": TENANT, "namespace": PLATFORM},
        "userPrincipalName": f"user{nth:05d}@tenant.example",
        "phoneNumber": from_range(nth),
        **spec,
    }
    return {
        "apiVersion": API_VERSION,
        "kind": "TeamsUser",
        "metadata": {"name": f"user-{nth:05d}", "namespace": TEAM},
        "spec": {name: value for name, value in fields.items() if value is not None},
    }


def from_range(nth: int) -> dict[str, Any]:
    """`spec.phoneNumber` of the nth person."""
    return {"rangeRef": {"name": f"block-{(nth - 1) // RANGE_SIZE}", "namespace": PLATFORM}}


def is_ready(body: Body) -> bool:
    conditions = body.get("status", {}).get("conditions", ())
    return any(entry["type"] == "Ready" and entry["status"] == "True" for entry in conditions)


METRIC = re.compile(r"^apiserver_request_total\{(.*)\} (\S+)$", re.MULTILINE)
LABEL = re.compile(r'(\w+)="([^"]*)"')


def count_writes(metrics: str) -> Counter[str]:
    """`verb resource[/subresource]` → accepted writes, from the API server's metrics."""
    counted: Counter[str] = Counter()
    for labels_text, value in METRIC.findall(metrics):
        labels = dict(LABEL.findall(labels_text))
        if labels["verb"] not in WRITE_VERBS or not labels["code"].startswith("2"):
            continue
        if labels["resource"] == LEASES:
            continue
        name = "/".join(part for part in (labels["resource"], labels["subresource"]) if part)
        counted[f"{labels['verb']} {name}"] += int(float(value))
    return counted


def usage_of(pid: int) -> Usage:
    """Raises FileNotFoundError when the process is gone."""
    stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    ticks = int(stat[11]) + int(stat[12])
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    peak = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert peak is not None
    return Usage(ticks / os.sysconf("SC_CLK_TCK"), int(peak[1]) / 1024)


def simulator(users: int, world: dict[str, Any], *extra: str) -> Component:
    """The Graph simulator with so many people and these settings."""
    settings = [f"--set={name}={value}" for name, value in world.items()]
    return components.graph_simulator(f"--users={users}", *settings, *extra)


@contextlib.asynccontextmanager
async def stage(options: StageOptions) -> AsyncIterator[Stage]:
    """Servers and simulator up, everything down again whatever happens. Operator and tenant are the
    caller's to start.
    """
    extra = () if not options.holders else (f"--holders={options.holders}",)
    graph = simulator(options.users, options.world, *extra)
    up = UpOptions(components=(graph, *options.others))
    say(f"starting {options.name}: {options.users} people, rates {options.rates}")
    # One that an interrupted run has left would not be as fresh as it looks.
    lifecycle.down(options.name, report=lambda _: None)
    sandbox = lifecycle.up(options.name, up, report=lambda _: None)
    try:
        connection = credentials.from_kubeconfig(sandbox.kubeconfig, clock=SystemClock())
        async with KubernetesClient(connection, field_manager="benchmark") as objects:
            yield Stage(sandbox, options, objects)
    finally:
        lifecycle.down(options.name, report=lambda _: None)


def share(seconds: Iterable[float], percent: float) -> float:
    """The time that so many percent of them do not exceed: nearest rank, never interpolated."""
    ordered = sorted(seconds)
    return ordered[max(math.ceil(len(ordered) * percent / 100), 1) - 1]


def say(text: str) -> None:
    """A line of progress; the last line of a benchmark is its result alone."""
    print(text, flush=True)


def machine() -> dict[str, Any]:
    """What figures depend on. Load before says whether others used the machine."""
    return {"cores": os.cpu_count(), "load_average_before": round(os.getloadavg()[0], 2)}
