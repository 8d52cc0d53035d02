"""Everything real on one machine, for end-to-end and chaos tests: API server, PostgreSQL, simulated
Graph, and operator processes that a test may kill, stop, continue and start again.

Session fixtures of `tests/e2e` and `tests/chaos` make one; servers are started once and shared,
each test takes an `Estate` of its own.
"""

from __future__ import annotations

import dataclasses
import http.client
import itertools
import json
import os
import signal
import urllib.parse
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from callplane.apis.model import API_VERSION
from callplane.deployment import platform_objects
from callplane.deployment.options import Options
from callplane.sandbox import components, processes
from callplane.sandbox.components import GRAPH, SIMWOOD, Component, Surroundings
from callplane.sandbox.kubectl import Kubectl
from callplane.sandbox.processes import ProcessRecord
from callplane.sandbox.simulator_control import SimulatorControl
from callplane.simulators.carriers.seeding import DEFAULT_SECRET, DEFAULT_USER
from callplane.simulators.graph.rows import derive_guid
from callplane.simulators.graph.seeding import DRAMA_BLOCKS
from callplane.testing import audit_log, polling
from callplane.testing.control_plane import ThrowAway, ThrowAwayCluster, ThrowAwayPostgres
from callplane.testing.estates import Endpoint, Estate, Manifest
from callplane.values import E164

Server = TypeVar("Server", bound=ThrowAway)
BLOCK_NUMBERS = 1000
SLICE_NUMBERS = 100
#: How the operator is installed on every cluster of the tests.
PLATFORM = Options()
# A standby has to wait for a Lease to run out; tests do not want to wait for the half minute that
# a cluster with pods needs, nor a second for each order.
QUICK: Mapping[str, str] = {
    "lease_seconds": "8",
    "renew_deadline_seconds": "6",
    "write_timeout_seconds": "3",
    "unknown_outcome_seconds": "5",
    "operation_poll_seconds": "0.3",
}


@dataclass(frozen=True, slots=True)
class OperatorProcess:
    """An operator that was started; it may be dead by now."""

    record: ProcessRecord
    probes: str

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return processes.alive(self.record)

    def kill(self) -> None:
        """SIGKILL, and wait for its end."""
        self._signal(signal.SIGKILL)
        polling.until(lambda: not self.alive, f"{self.record.name} is gone", seconds=10)

    def pause(self) -> None:
        """SIGSTOP: it keeps its connections and believes no time has passed."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """SIGCONT."""
        self._signal(signal.SIGCONT)

    def stop(self) -> None:
        """SIGTERM, and insist."""
        if self.alive:
            self.go_on()
        processes.stop(self.record)

    def readiness(self) -> str:
        """What /readyz says: `ok`, or why not."""
        return _read(self.probes, "/readyz")

    def standing(self) -> str:
        """What /standbyz says: `ok` when it works or could take over at once."""
        return _read(self.probes, "/standbyz")

    def metrics(self) -> str:
        """What /metrics says."""
        return _read(self.probes, "/metrics")

    def log(self) -> str:
        """All it wrote."""
        return Path(self.record.log_file).read_text(errors="replace")

    def _signal(self, number: signal.Signals) -> None:
        if self.alive:
            os.kill(self.record.pid, number)


@dataclass(frozen=True, slots=True)
class CallControlProcess(OperatorProcess):
    """A call control that was started. `endpoint` is its HTTP endpoint."""

    endpoint: str = ""

    def ask(self, **question: str) -> dict[str, Any]:
        """The verdict on a question over HTTP, as its JSON."""
        return self.post("/v1/authorise", ev="authorise", i=1, l=1, boot_id="http", **question)

    def post(self, path: str, **body: Any) -> dict[str, Any]:
        """Send one message; the answer's JSON."""
        parts = urllib.parse.urlsplit(self.endpoint)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port or 0, timeout=30)
        try:
            connection.request("POST", path, json.dumps(body))
            answer: dict[str, Any] = json.loads(connection.getresponse().read() or "{}")
            return answer
        finally:
            connection.close()


@dataclass(frozen=True, slots=True)
class SimulatedCarrier:
    """A carrier of one test: where it is, and the first number that it sells."""

    namespace: str
    account: str
    first: E164
    url: str
    control: SimulatorControl

    def number(self, index: int) -> E164:
        """One of its numbers."""
        return E164(f"+{self.first.digits + index}")

    def manifests(self) -> tuple[Manifest, ...]:
        """Namespace, Secret and Carrier, which may buy ten numbers."""
        spec = {
            "type": "Simwood",
            "account": self.account,
            "credentials": {
                "user": DEFAULT_USER,
                "secretRef": {"name": "simwood", "key": "password"},
            },
            "endpoint": {"url": self.url},
            "trunk": {"endpoints": ["%e164@sbc1.example.com:5061"]},
            "purchasing": {"enabled": True, "limit": {"numbers": 10}},
            "writesPerSecond": 20,
            "driftInterval": "5s",
            "changeLimits": {"settle": "1s"},
        }
        secret = {"stringData": {"password": DEFAULT_SECRET}}
        return (
            {
                "apiVersion": "v1",
                "kind": "Namespace",
                "metadata": {"name": self.namespace},
            },
            {**self._head("v1", "Secret", "simwood"), **secret},
            {**self._head(API_VERSION, "Carrier", "main"), "spec": spec},
        )

    def phone_number(self, name: str, index: int, **spec: Any) -> Manifest:
        """A PhoneNumber at the carrier."""
        merged = {
            "e164": self.number(index).text,
            "route": "DirectRouting",
            "carrierRef": {"name": "main"},
            **spec,
        }
        return {**self._head(API_VERSION, "PhoneNumber", name), "spec": merged}

    def _head(self, api_version: str, kind: str, name: str) -> Manifest:
        metadata = {"name": name, "namespace": self.namespace}
        return {"apiVersion": api_version, "kind": kind, "metadata": metadata}


class LiveWorld(ThrowAway):
    """Servers and processes of one test session; a context manager."""

    def __init__(self, *, audit: bool = True) -> None:
        super().__init__()
        self._names = itertools.count(1)
        self._slices = _slices()
        self._owned: list[ThrowAway] = []
        self.operators: list[OperatorProcess] = []
        try:
            self.postgres = self._own(ThrowAwayPostgres())
            self.cluster = self._own(ThrowAwayCluster(audit=audit))
            self.install(self.kubectl)
            self.database_url = self.postgres.create_database()
            self._graph = components.start(
                components.graph_simulator("--users=1"), self.state, self._surroundings()
            )
        except BaseException:
            self.close()
            raise
        self.endpoint = Endpoint(
            graph=self._graph.url(GRAPH, "http"),
            authority=self._graph.url(GRAPH, "tls").replace("http:", "https:"),
            ca_bundle=(self._graph.folder_of(GRAPH) / "simulators-ca.pem").read_text(),
        )

    def close(self) -> None:
        """Stop the processes, then the servers."""
        for operator in self.operators:
            operator.go_on()
        super().close()
        for server in reversed(self._owned):
            server.close()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __enter__(self) -> Self:
        return self

    # Processes

    def start_operator(
        self,
        *,
        cluster: ThrowAwayCluster | None = None,
        wait: bool = True,
        **settings: str,
    ) -> OperatorProcess:
        """Start one more operator over the world's database, by default on the world's cluster.

        With `wait` it holds the Lease and works when this returns. Settings are fields of
        `OperatorSettings` as text; the Lease is short unless they say otherwise.
        """
        name = f"operator-{next(self._names)}"
        fields = {"database_url": self.database_url, **QUICK}
        component = components.operator(
            name=name,
            timeout_seconds=60,
            **(fields | settings),
        )
        if not wait:
            component = dataclasses.replace(component, ready=None)
        known = components.start(component, self.state, self._surroundings(cluster))
        started = OperatorProcess(record=self.state.processes[-1], probes=known.url(name, "probes"))
        self.operators.append(started)
        return started

    def start_call_control(self, **settings: str) -> CallControlProcess:
        """Start one more call control over the world's database, which has its schema by then.
        Settings are fields of `CallControlSettings` as text.
        """
        name = f"callcontrol-{next(self._names)}"
        fields = {"database_url": self.database_url, "poll_seconds": "10"}
        component = components.call_control(name=name, timeout_seconds=60, **(fields | settings))
        known = components.start(component, self.state, self._surroundings())
        return CallControlProcess(
            record=self.state.processes[-1],
            probes=known.url(name, "probes"),
            endpoint=known.url(name, "http"),
        )

    def start(self, component: Component, cluster: ThrowAwayCluster | None = None) -> Surroundings:
        """Start one more process of the project; where it can be reached."""
        return components.start(component, self.state, self._surroundings(cluster))

    @contextmanager
    def operating(self, **options: Any) -> Iterator[OperatorProcess]:
        """An operator for the length of a block; options as in `start_operator`."""
        operator = self.start_operator(**options)
        try:
            yield operator
        finally:
            operator.stop()

    def stop_operators(self) -> None:
        """End every operator that runs, the pleasant way."""
        for operator in self.operators:
            operator.stop()

    def leader(self) -> OperatorProcess:
        """The one operator that should run; a new one when there is none."""
        alive = [operator for operator in self.operators if operator.alive]
        return alive[0] if alive else self.start_operator()

    @contextmanager
    def empty_cluster(self) -> Iterator[ThrowAwayCluster]:
        """Another Kubernetes API with nothing but our kinds and the operator's account."""
        with ThrowAwayCluster() as cluster:
            self.install(cluster.kubectl)
            yield cluster

    def install(self, kubectl: Kubectl) -> None:
        """Give the operator's account its rights and bounds, as `manifests/operator` does."""
        self.apply(*platform_objects.rights(PLATFORM), kubectl=kubectl)

    def start_webex(self, *arguments: str) -> str:
        """Start a simulated Webex; returns the address of its API. `arguments` describe it."""
        name = f"webex-{next(self._names)}"
        component = components.webex_simulator(*arguments, name=name)
        known = components.start(component, self.state, self._surroundings())
        return f"{known.url(name, 'http')}/v1"

    # Estates

    def simulated_carrier(self, *, numbers: int = 20) -> SimulatedCarrier:
        """A carrier of its own with numbers on sale; nothing is applied yet."""
        number = next(self._names)
        name, account, first = f"carrier-{number}", str(930_000 + number), self._take(numbers)
        component = components.carrier_simulator(
            SIMWOOD,
            f"--account={account}",
            f"--first={first.text}",
            f"--numbers={numbers}",
            name=name,
        )
        known = components.start(component, self.state, self._surroundings())
        url = known.url(name, "http")
        return SimulatedCarrier(
            namespace=name,
            account=account,
            first=first,
            url=f"{url}/v3",
            control=SimulatorControl(f"{url}/_simulator"),
        )

    def estate(self, *, users: int = 10, numbers: int = SLICE_NUMBERS, **tenant: Any) -> Estate:
        """A new tenant at the simulator with numbers of its own; nothing is applied yet.

        `tenant` are further fields of the simulator's description of a tenant.
        """
        number = next(self._names)
        first = self._take(numbers)
        domain = f"estate-{number}.example"
        tenant_id = derive_guid(0, "estate", str(number))
        control = SimulatorControl(f"{self.endpoint.graph}/_simulator")
        control.add_tenant(
            id=tenant_id,
            domain=domain,
            users=users,
            ranges=[{"first": first.text, "count": numbers}],
            **tenant,
        )
        return Estate(
            tenant_id=tenant_id,
            domain=domain,
            first=first,
            numbers=numbers,
            users=users,
            platform=f"platform-{number}",
            team=f"team-{number}",
            endpoint=self.endpoint,
            control=SimulatorControl(f"{self.endpoint.graph}/_simulator", tenant=tenant_id),
        )

    def _take(self, numbers: int) -> E164:
        """The first of a stretch of free numbers, at most a block's length."""
        wanted = -(-numbers // SLICE_NUMBERS)
        for start in range(len(self._slices) - wanted + 1):
            found = self._slices[start : start + wanted]
            if found[-1] - found[0] == (wanted - 1) * SLICE_NUMBERS:
                del self._slices[start : start + wanted]
                return E164(f"+{found[0]}")
        raise LookupError(f"no stretch of {numbers} drama numbers is left")

    # The cluster as a user sees it

    @property
    def kubectl(self) -> Kubectl:
        """kubectl on the world's cluster, as administrator."""
        return self.cluster.kubectl

    def apply(self, *manifests: Manifest, kubectl: Kubectl | None = None) -> str:
        """`kubectl apply` of manifests in this order; returns what it printed."""
        document = {"apiVersion": "v1", "kind": "List", "items": list(manifests)}
        return (kubectl or self.kubectl)("apply", "-f", "-", stdin=json.dumps(document)).stdout

    def create(self, *manifests: Manifest) -> None:
        """`kubectl create` of many manifests: one request each, where `apply` needs two."""
        document = {"apiVersion": "v1", "kind": "List", "items": list(manifests)}
        self.kubectl("create", "-f", "-", stdin=json.dumps(document))

    def all_ready(self, estate: Estate, count: int, *, seconds: float = 60.0) -> None:
        """Wait until that many people are Ready; for many, whom `kubectl wait` asks one by one."""

        def ready() -> bool:
            people = self.items("teamsusers", namespace=estate.team)
            said = [condition for body in people for condition in _conditions(body)]
            assert said.count(("Ready", "True")) == count
            return True

        # Each look lists everybody, and takes of the processor that those who work need.
        polling.until(ready, f"{count} people are Ready", seconds=seconds, pause_seconds=1.0)

    def look_again(self, estate: Estate) -> None:
        """Ask for a pass of the connection now, as a user would."""
        self.kubectl(
            *("annotate", "--overwrite", "teamstenant", "--all", "-n", estate.platform),
            f"callplane.dev/reconcile-requested-at={next(self._names)}",
        )

    def apply_refused(self, *manifests: Manifest) -> str:
        """`kubectl apply --validate=strict`, which must fail; returns what it complained."""
        document = {"apiVersion": "v1", "kind": "List", "items": list(manifests)}
        answer = self.kubectl(
            "apply", "--validate=strict", "-f", "-", stdin=json.dumps(document), check=False
        )
        assert answer.returncode != 0, f"accepted: {answer.stdout}"
        return answer.stderr

    def ready(self, estate: Estate, *, seconds: int = 120, kubectl: Kubectl | None = None) -> None:
        """Wait until the connection, the range and every person of the estate are Ready."""
        self.base_ready(estate, seconds=seconds, kubectl=kubectl)
        self._wait_ready(estate, estate.team, "teamsuser", seconds, kubectl or self.kubectl)

    def base_ready(
        self, estate: Estate, *, seconds: int = 120, kubectl: Kubectl | None = None
    ) -> None:
        """Wait until the connection and the range are Ready."""
        kinds = "teamstenant,numberrange"
        self._wait_ready(estate, estate.platform, kinds, seconds, kubectl or self.kubectl)

    def _wait_ready(
        self, estate: Estate, namespace: str, kinds: str, seconds: int, kubectl: Kubectl
    ) -> None:
        answer = kubectl(
            *("wait", "--for=condition=Ready", kinds, "--all", "-n", namespace),
            f"--timeout={seconds}s",
            check=False,
            timeout_seconds=seconds + 30,
        )
        assert answer.returncode == 0, f"{answer.stderr}\n{self.overview(estate, kubectl)}"

    def overview(self, estate: Estate, kubectl: Kubectl | None = None) -> str:
        """What `kubectl get` shows of an estate; for messages of failed tests."""
        ask = kubectl or self.kubectl
        shown = [
            ask("get", "callplane", "-o", "wide", "-n", namespace, check=False).stdout
            for namespace in (estate.platform, estate.team)
        ]
        return "\n".join(shown)

    def get(self, kind: str, name: str, *, namespace: str) -> dict[str, Any]:
        """One object."""
        answer = self.kubectl("get", kind, name, "-n", namespace, "-o", "json")
        body: dict[str, Any] = json.loads(answer.stdout)
        return body

    def items(self, kind: str, *, namespace: str) -> list[dict[str, Any]]:
        """All objects of a kind in a namespace."""
        answer = self.kubectl("get", kind, "-n", namespace, "-o", "json")
        found: list[dict[str, Any]] = json.loads(answer.stdout)["items"]
        return found

    def condition(
        self, kind: str, name: str, *, namespace: str, of: str = "Ready"
    ) -> tuple[str, str, str]:
        """Status, reason and message of a condition; empty texts when it is absent."""
        body = self.get(kind, name, namespace=namespace)
        for entry in body.get("status", {}).get("conditions", []):
            if entry["type"] == of:
                return entry["status"], entry["reason"], entry["message"]
        return "", "", ""

    def held_plan(self, estate: Estate, *, seconds: float = 60.0) -> dict[str, Any]:
        """The one ChangePlan of the estate that waits for an answer."""

        def held() -> list[dict[str, Any]]:
            plans = self.items("changeplans", namespace=estate.platform)
            return [plan for plan in plans if plan.get("status", {}).get("state") == "Held"]

        [plan] = polling.until(held, "a ChangePlan is held", seconds=seconds)
        return plan

    def exists(self, kind: str, name: str, *, namespace: str = "default") -> bool:
        """Whether an object is there, being deleted or not."""
        answer = self.kubectl("get", kind, name, "-n", namespace, "-o", "name", check=False)
        return answer.returncode == 0

    def gone(
        self, kind: str, name: str, *, namespace: str = "default", seconds: float = 60.0
    ) -> None:
        """Wait until an object is no more; the complaint says why it stays."""

        def absent() -> bool:
            path = "{.status.conditions}"
            answer = self.kubectl(
                *("get", kind, name, "-n", namespace, "-o", f"jsonpath={path}"), check=False
            )
            assert "NotFound" in answer.stderr, f"{answer.stdout} {answer.stderr}"
            return True

        polling.until(absent, f"{kind}/{name} is gone", seconds=seconds)

    def api_writes(self, estate: Estate) -> list[str]:
        """Writes of operators to objects of an estate so far, as the API server's log has them."""
        found = []
        for event in audit_log.events(self.cluster.plane.audit_log):
            about = event.get("objectRef", {})
            agent = event.get("userAgent", "")
            if (
                about.get("namespace") in (estate.platform, estate.team)
                and event["verb"] in audit_log.WRITE_VERBS
                and not agent.startswith("kubectl")
                and "controller" not in agent
            ):
                place = "/".join(filter(None, (about["resource"], about.get("subresource"))))
                found.append(f"{event['verb']} {place} {about.get('name', '')}")
        return found

    def sql(self, statement: str) -> list[list[str]]:
        """Rows of the register's database, read by psql."""
        database = self.database_url.rpartition("/")[2]
        rows = self.postgres.address.run_sql(statement, database=database)
        return [line.split("|") for line in rows.splitlines()]

    def number_state(self, number: str) -> str:
        """State of a number in the register; `Free` when it has no row."""
        rows = self.sql(f"select state from register.numbers where number = '{number}'")
        return rows[0][0] if rows else "Free"

    def _own(self, server: Server) -> Server:
        self._owned.append(server)
        return server

    def _surroundings(self, cluster: ThrowAwayCluster | None = None) -> Surroundings:
        used = cluster or self.cluster
        return Surroundings(
            folder=self.folder,
            kubeconfig=used.kubeconfig,
            database_url=getattr(self, "database_url", ""),
            identity=used.client_kubeconfig,
        )


def _conditions(body: dict[str, Any]) -> list[tuple[str, str]]:
    conditions = body.get("status", {}).get("conditions", [])
    return [(condition["type"], condition["status"]) for condition in conditions]


def _slices() -> list[int]:
    return [
        int(first[1:]) + offset
        for first in DRAMA_BLOCKS
        for offset in range(0, BLOCK_NUMBERS, SLICE_NUMBERS)
    ]


def _read(url: str, path: str) -> str:
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=20)
    try:
        connection.request("GET", path)
        return connection.getresponse().read().decode().strip()
    except OSError as error:
        return f"no answer: {error}"
    finally:
        connection.close()
