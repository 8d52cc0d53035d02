"""The project's own processes in a sandbox: what each needs, how it is started, when it is ready.

`lifecycle` starts them in the order of `STANDARD` once the Kubernetes API and PostgreSQL answer. A
new process of the project is one more entry here; a test or the demo may pass a list of its own.
"""

from __future__ import annotations

import dataclasses
import http.client
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from callplane.sandbox import locations, ports, processes
from callplane.sandbox.processes import Launch
from callplane.sandbox.rights import PLATFORM
from callplane.sandbox.state import SandboxState

START_TIMEOUT_SECONDS = 60.0
REQUEST_TIMEOUT_SECONDS = 2.0
GRAPH = "graph"
WEBEX = "webex"
CALL_CONTROL = "callcontrol"
ADMIN_API = "api"
TLS = "tls"
GRAPH_USERS = 100
SIMWOOD = "simwood"
# Apart from the numbers of the simulated tenant.
CARRIER_FIRST = "+441614960000"
WEBEX_USERS = 100


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a process may be told: where its servers are and which ports are its own or another's.

    `ports` is keyed by component and port name (`("simulators", "graph")`) and grows as components
    start. `kubeconfig` is the administrator's; `identity` makes one for a user of a name and groups
    (in a cluster of somebody else's it is the one that was given). `folder` is private to the
    sandbox and goes with it.
    """

    folder: Path
    kubeconfig: Path
    database_url: str
    identity: Callable[[str, Sequence[str]], Path]
    ports: Mapping[tuple[str, str], int] = field(default_factory=dict)

    def folder_of(self, component: str) -> Path:
        """A component's own folder, which is there when it starts."""
        return self.folder / "components" / component

    def url(self, component: str, port: str) -> str:
        """The address of another component's port; a port named `tls` speaks HTTPS."""
        scheme = "https" if port == TLS else "http"
        return f"{scheme}://{ports.LOOPBACK}:{self.ports[component, port]}"


@dataclass(frozen=True, slots=True)
class Component:
    """One process: it gets a free port for each name in `ports` and is ready when an HTTP GET of
    `ready` (port name, path) answers 200; without `ready`, at once.
    """

    name: str
    command: Callable[[Surroundings], tuple[str, ...]]
    environment: Callable[[Surroundings], Mapping[str, str]] = field(default=lambda _: {})
    ports: tuple[str, ...] = ()
    ready: tuple[str, str] | None = None
    timeout_seconds: float = START_TIMEOUT_SECONDS


def python_module(module: str, *arguments: str) -> tuple[str, ...]:
    """The command that runs one of our modules with the Python that runs this one."""
    return (sys.executable, "-P", "-m", module, *arguments)


def graph_simulator(
    *arguments: str, name: str = GRAPH, timeout_seconds: float = START_TIMEOUT_SECONDS
) -> Component:
    """A simulated Microsoft Graph; `arguments` describe its world (`--seed-file`, `--users`, …).

    Its port `http` serves Graph, its port `tls` the token service; the authority that callers have
    to trust is the file `simulators-ca.pem` in its folder.
    """

    def command(known: Surroundings) -> tuple[str, ...]:
        return python_module(
            "callplane.simulators",
            "graph",
            f"--port={known.ports[name, 'http']}",
            f"--tls-port={known.ports[name, 'tls']}",
            f"--folder={known.folder_of(name)}",
            *arguments,
        )

    return Component(
        name=name,
        command=command,
        ports=("http", "tls"),
        ready=("http", "/_simulator"),
        timeout_seconds=timeout_seconds,
    )


def carrier_simulator(
    carrier: str,
    *arguments: str,
    name: str = "",
    timeout_seconds: float = START_TIMEOUT_SECONDS,
) -> Component:
    """A simulated carrier; `arguments` describe its world (`--seed-file`, `--first`, …). Its port
    `http` serves the carrier's interface.
    """
    component = name or carrier

    def command(known: Surroundings) -> tuple[str, ...]:
        port = known.ports[component, "http"]
        return python_module("callplane.simulators", carrier, f"--port={port}", *arguments)

    return Component(
        name=component,
        command=command,
        ports=("http",),
        ready=("http", "/_simulator"),
        timeout_seconds=timeout_seconds,
    )


def webex_simulator(
    *arguments: str, name: str = WEBEX, timeout_seconds: float = START_TIMEOUT_SECONDS
) -> Component:
    """A simulated Webex with its token service, both on port `http`; `arguments` describe its
    world (`--seed-file`, `--users`, …).
    """

    def command(known: Surroundings) -> tuple[str, ...]:
        return python_module(
            "callplane.simulators", "webex", f"--port={known.ports[name, 'http']}", *arguments
        )

    return Component(
        name=name,
        command=command,
        ports=("http",),
        ready=("http", "/_simulator"),
        timeout_seconds=timeout_seconds,
    )


def operator(
    *,
    name: str = "operator",
    timeout_seconds: float = START_TIMEOUT_SECONDS,
    **settings: str,
) -> Component:
    """The operator itself; `settings` are fields of `OperatorSettings` as text.

    It runs as the account of an installation, whose rights are in place (see `rights`).
    """

    def command(known: Surroundings) -> tuple[str, ...]:
        kubeconfig = known.identity(PLATFORM.account, PLATFORM.groups)
        return python_module(
            "callplane.cli.app",
            "operator",
            f"--kubeconfig={kubeconfig}",
            "--upgrade-database",
        )

    def environment(known: Surroundings) -> Mapping[str, str]:
        fields = {
            "database_url": known.database_url,
            "namespace": PLATFORM.namespace,
            "probe_port": str(known.ports[name, "probes"]),
            "identity": name,
            **settings,
        }
        return {f"CALLPLANE_{field.upper()}": value for field, value in fields.items()}

    return Component(
        name=name,
        command=command,
        environment=environment,
        ports=("probes",),
        ready=("probes", "/readyz"),
        timeout_seconds=timeout_seconds,
    )


def call_control(
    *, name: str = CALL_CONTROL, timeout_seconds: float = START_TIMEOUT_SECONDS, **settings: str
) -> Component:
    """Call control, after the operator, which brings the database's schema up to date; `settings`
    are fields of `CallControlSettings` as text. Its port `http` is the HTTP endpoint.
    """

    def environment(known: Surroundings) -> Mapping[str, str]:
        fields = {
            "database_url": known.database_url,
            "http_port": str(known.ports[name, "http"]),
            "probe_port": str(known.ports[name, "probes"]),
            **settings,
        }
        return {f"CALLPLANE_{field.upper()}": value for field, value in fields.items()}

    return Component(
        name=name,
        command=lambda known: python_module("callplane.cli.app", "callcontrol"),
        environment=environment,
        ports=("http", "probes"),
        ready=("probes", "/readyz"),
        timeout_seconds=timeout_seconds,
    )


def admin_api(
    *, name: str = ADMIN_API, timeout_seconds: float = START_TIMEOUT_SECONDS, **settings: str
) -> Component:
    """The admin API, after the operator, which brings the database's schema up to date; `settings`
    are fields of `ApiSettings` as text. Its port `http` is the API, on loopback without TLS.

    It runs as the account of an installation, whose rights are in place (see `rights`).
    """

    def command(known: Surroundings) -> tuple[str, ...]:
        kubeconfig = known.identity(PLATFORM.api_account, PLATFORM.groups)
        return python_module("callplane.cli.app", "api", f"--kubeconfig={kubeconfig}")

    def environment(known: Surroundings) -> Mapping[str, str]:
        fields = {
            "database_url": known.database_url,
            "api_port": str(known.ports[name, "http"]),
            "probe_port": str(known.ports[name, "probes"]),
            **settings,
        }
        return {f"CALLPLANE_{field.upper()}": value for field, value in fields.items()}

    return Component(
        name=name,
        command=command,
        environment=environment,
        ports=("http", "probes"),
        ready=("probes", "/readyz"),
        timeout_seconds=timeout_seconds,
    )


STANDARD: tuple[Component, ...] = (
    graph_simulator(f"--users={GRAPH_USERS}"),
    webex_simulator(f"--users={WEBEX_USERS}"),
    carrier_simulator(SIMWOOD, f"--first={CARRIER_FIRST}"),
    operator(),
    call_control(),
    admin_api(),
)


def start(component: Component, state: SandboxState, surroundings: Surroundings) -> Surroundings:
    """Start a component, wait until it is ready, return the surroundings with its ports in them."""
    names = [(component.name, port) for port in component.ports]
    taken = dict(zip(names, ports.free(len(names)), strict=True))
    known = dataclasses.replace(surroundings, ports={**surroundings.ports, **taken})
    # A component that was stopped may be started again.
    known.folder_of(component.name).mkdir(parents=True, exist_ok=True)
    record = state.launch(
        Launch(
            name=component.name,
            command=component.command(known),
            environment={"PYTHONPATH": locations.python_path(), **component.environment(known)},
            log_file=state.log_file(component.name),
        )
    )
    if component.ready is not None:
        port_name, path = component.ready
        port = taken[component.name, port_name]
        processes.wait_until(
            lambda: _answers(port, path), record, timeout_seconds=component.timeout_seconds
        )
    return known


def _answers(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection(ports.LOOPBACK, port, timeout=REQUEST_TIMEOUT_SECONDS)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
