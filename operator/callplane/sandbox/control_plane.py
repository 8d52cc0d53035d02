"""etcd, kube-apiserver and the two controllers that a custom resource needs, as plain processes.

The namespace controller lets a deleted namespace end, the garbage collector follows owner
references; nothing else of a cluster is there. Called by `lifecycle` and by the throw-away servers
of the tests.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from callplane.clock import Clock, SystemClock
from callplane.sandbox import certificates, kubeconfigs, ports, processes
from callplane.sandbox.binaries import Binaries
from callplane.sandbox.certificates import Authority
from callplane.sandbox.failures import SandboxError
from callplane.sandbox.kubectl import Kubectl
from callplane.sandbox.processes import Launch
from callplane.sandbox.state import SandboxState

START_TIMEOUT_SECONDS = 60.0
# The name that other tools around Kubernetes test binaries use, with a Go duration such as 90s.
START_TIMEOUT_VARIABLE = "KUBEBUILDER_CONTROLPLANE_START_TIMEOUT"
UNIT_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
REQUEST_TIMEOUT_SECONDS = 5.0
ADMINISTRATOR = "sandbox-administrator"
CONTROLLERS = ("namespace-controller", "garbage-collector-controller")
# These appear a moment after the API server says that it is ready; whoever comes first needs them.
FIRST_NAMESPACES = ("default", "kube-system")
AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived", "ResponseStarted"],
    "rules": [{"level": "Metadata"}],
}


@dataclass(frozen=True, slots=True)
class ClusterOptions:
    """`throw_away` drops durability; `audit` logs who asked what, for tests and benchmarks."""

    throw_away: bool = False
    audit: bool = False


@dataclass(frozen=True, slots=True)
class ControlPlane:
    """A running Kubernetes API and how to reach it."""

    name: str
    folder: Path
    server: str
    binaries: Binaries
    clock: Clock

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self.folder / "kubeconfig"

    @property
    def audit_log(self) -> Path:
        """JSON lines of audit events; exists only when the cluster was started with `audit`."""
        return self.folder / "audit.jsonl"

    def kubectl(self, kubeconfig: Path | None = None) -> Kubectl:
        """A kubectl as administrator, or as whoever `kubeconfig` names."""
        return Kubectl(self.binaries.kubectl, kubeconfig or self.kubeconfig)

    def client_kubeconfig(self, user: str, groups: Sequence[str] = ()) -> Path:
        """Write a kubeconfig for a user of that name, in those groups, without rights."""
        authority = _authority(self.folder, "client-ca")
        return kubeconfigs.write(
            self.folder / f"kubeconfig-{user.replace(':', '-').replace('/', '-')}",
            name=self.name,
            server=self.server,
            authority=_authority(self.folder, "serving-ca").pair.certificate,
            client=authority.client(user, groups=groups, now=self.clock.now()),
        )


@dataclass(frozen=True, slots=True)
class _Ports:
    etcd_client: int
    etcd_peer: int
    api: int
    controllers: int


def start(
    state: SandboxState, *, name: str, binaries: Binaries, options: ClusterOptions
) -> ControlPlane:
    """Start a cluster in the state's folder and wait until it can be used.

    Raises SandboxError with the end of the failing server's log.
    """
    folder = state.folder / "cluster"
    folder.mkdir(mode=0o700)
    taken = _Ports(*ports.free(4))
    plane = ControlPlane(
        name=name,
        folder=folder,
        server=f"https://{ports.LOOPBACK}:{taken.api}",
        binaries=binaries,
        clock=SystemClock(),
    )
    _write_identities(plane)
    _start_etcd(state, plane, taken, options)
    _start_api_server(state, plane, taken, options)
    _start_controllers(state, plane, taken)
    return plane


def start_timeout_seconds(environment: Mapping[str, str] = os.environ) -> float:
    """How long one server may take to start, a minute unless the environment says otherwise."""
    text = environment.get(START_TIMEOUT_VARIABLE)
    if text is None:
        return START_TIMEOUT_SECONDS
    parts = re.findall(r"(\d+(?:\.\d+)?)(ms|s|m|h)", text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise SandboxError(f"{START_TIMEOUT_VARIABLE}={text!r} is no duration such as 90s or 1m30s")
    return sum(float(number) * UNIT_SECONDS[unit] for number, unit in parts)


def _write_identities(plane: ControlPlane) -> None:
    now = plane.clock.now()
    folder = certificate_folder(plane.folder)
    folder.mkdir(mode=0o700)
    serving = Authority.create("callplane-sandbox-serving", now=now)
    clients = Authority.create("callplane-sandbox-clients", now=now)
    signer = certificates.self_signed("callplane-sandbox-service-accounts", now=now)
    leaf = serving.serving("localhost", now=now)
    administrator = clients.client(ADMINISTRATOR, groups=["system:masters"], now=now)
    for stem, pair in {
        "serving-ca": serving.pair,
        "client-ca": clients.pair,
        "sa-signer": signer,
        # The API server takes these two names from its certificate folder by itself.
        "apiserver": leaf,
        "administrator": administrator,
    }.items():
        pair.write(folder / f"{stem}.crt", folder / f"{stem}.key")
    kubeconfigs.write(
        plane.kubeconfig,
        name=plane.name,
        server=plane.server,
        authority=serving.pair.certificate,
        client=administrator,
    )


def certificate_folder(cluster_folder: Path) -> Path:
    """Where the certificates of a cluster lie."""
    return cluster_folder / "certificates"


def _authority(cluster_folder: Path, stem: str) -> Authority:
    folder = certificate_folder(cluster_folder)
    return Authority.read(folder / f"{stem}.crt", folder / f"{stem}.key")


def _start_etcd(
    state: SandboxState, plane: ControlPlane, taken: _Ports, options: ClusterOptions
) -> None:
    client = f"http://{ports.LOOPBACK}:{taken.etcd_client}"
    peer = f"http://{ports.LOOPBACK}:{taken.etcd_peer}"
    record = state.launch(
        Launch(
            name="etcd",
            command=(
                str(plane.binaries.etcd),
                f"--data-dir={plane.folder / 'etcd'}",
                f"--listen-client-urls={client}",
                f"--advertise-client-urls={client}",
                f"--listen-peer-urls={peer}",
                f"--initial-advertise-peer-urls={peer}",
                f"--initial-cluster=default={peer}",
                "--log-level=warn",
                *(["--unsafe-no-fsync=true"] if options.throw_away else []),
            ),
            log_file=state.log_file("etcd"),
        )
    )
    processes.wait_until(
        lambda: _status(http.client.HTTPConnection, taken.etcd_client, "/health") == 200,
        record,
        timeout_seconds=start_timeout_seconds(),
    )


def _start_api_server(
    state: SandboxState, plane: ControlPlane, taken: _Ports, options: ClusterOptions
) -> None:
    folder = certificate_folder(plane.folder)
    record = state.launch(
        Launch(
            name="kube-apiserver",
            command=(
                str(plane.binaries.kube_apiserver),
                "--allow-privileged=true",
                "--authorization-mode=RBAC",
                f"--bind-address={ports.LOOPBACK}",
                f"--secure-port={taken.api}",
                f"--cert-dir={folder}",
                f"--client-ca-file={folder / 'client-ca.crt'}",
                "--disable-admission-plugins=ServiceAccount",
                f"--etcd-servers=http://{ports.LOOPBACK}:{taken.etcd_client}",
                f"--service-account-issuer={plane.server}/",
                f"--service-account-key-file={folder / 'sa-signer.crt'}",
                f"--service-account-signing-key-file={folder / 'sa-signer.key'}",
                "--service-cluster-ip-range=10.0.0.0/24",
                *(_audit_flags(plane) if options.audit else ()),
            ),
            log_file=state.log_file("kube-apiserver"),
        )
    )
    context = client_context(plane)
    processes.wait_until(
        lambda: _api_usable(taken.api, context), record, timeout_seconds=start_timeout_seconds()
    )


def _audit_flags(plane: ControlPlane) -> tuple[str, ...]:
    policy = plane.folder / "audit-policy.json"
    policy.write_text(json.dumps(AUDIT_POLICY))
    return (
        f"--audit-policy-file={policy}",
        f"--audit-log-path={plane.audit_log}",
        # One file, however long: a count must not lose what was rotated away. Blocking, so that
        # an answered request is in the log.
        "--audit-log-maxsize=0",
        "--audit-log-mode=blocking",
    )


def _start_controllers(state: SandboxState, plane: ControlPlane, taken: _Ports) -> None:
    record = state.launch(
        Launch(
            name="kube-controller-manager",
            command=(
                str(plane.binaries.kube_controller_manager),
                f"--kubeconfig={plane.kubeconfig}",
                f"--controllers={','.join(CONTROLLERS)}",
                "--leader-elect=false",
                f"--bind-address={ports.LOOPBACK}",
                f"--secure-port={taken.controllers}",
                "--kube-api-qps=100",
                "--kube-api-burst=200",
            ),
            log_file=state.log_file("kube-controller-manager"),
        )
    )
    # Its serving certificate is made up at start-up and in no file; the answer alone counts here.
    unverified = ssl.create_default_context()
    unverified.check_hostname = False
    unverified.verify_mode = ssl.CERT_NONE
    processes.wait_until(
        lambda: (
            _status(http.client.HTTPSConnection, taken.controllers, "/healthz", context=unverified)
            == 200
        ),
        record,
        timeout_seconds=start_timeout_seconds(),
    )


def client_context(plane: ControlPlane) -> ssl.SSLContext:
    """A TLS context that trusts the API server and speaks as the administrator."""
    folder = certificate_folder(plane.folder)
    context = ssl.create_default_context(cafile=str(folder / "serving-ca.crt"))
    context.load_cert_chain(folder / "administrator.crt", folder / "administrator.key")
    return context


def _api_usable(port: int, context: ssl.SSLContext) -> bool:
    paths = ["/readyz", *(f"/api/v1/namespaces/{each}" for each in FIRST_NAMESPACES)]
    return all(
        _status(http.client.HTTPSConnection, port, path, context=context) == 200 for path in paths
    )


def _status(
    kind: type[http.client.HTTPConnection], port: int, path: str, **options: Any
) -> int | None:
    connection = kind(ports.LOOPBACK, port, timeout=REQUEST_TIMEOUT_SECONDS, **options)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
