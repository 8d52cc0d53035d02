"""The admin API process: settings in, exit code out. Called by `callplane api`.

It holds nothing: killed at any moment, another replica answers. It starts without database and API
server, and says 503 for what it cannot know.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import os
import secrets
import signal
import socket
import uuid
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import uvloop

from callplane.asgi import Probes
from callplane.clock import SystemClock
from callplane.cluster import credentials
from callplane.cluster.api_errors import ClusterError
from callplane.cluster.client import ClientSettings, KubernetesClient
from callplane.cluster.events import EventRecorder, EventSubject
from callplane.cluster.issuer_keys import IssuerKeys
from callplane.cluster.namespaces import installation_id
from callplane.cluster.tokens import CredentialsError
from callplane.errors import CallplaneError
from callplane.server.application import application
from callplane.server.attempts import AttemptLimits, FailedAttempts
from callplane.server.audit import AuditTrail
from callplane.server.cluster_access import ClusterAccess
from callplane.server.door import Door
from callplane.server.front_door import FrontDoor
from callplane.server.issuer_tokens import ByIssuer, IssuerTerms, IssuerTokens
from callplane.server.metrics import ApiMetrics
from callplane.server.ports import AccessUnavailable, TokenReader
from callplane.server.remembering import RememberingReader
from callplane.server.serving import Certificate, serving
from callplane.settings import ApiSettings
from callplane.store.admin_postgres import PostgresAdminReader
from callplane.store.sessions import SessionLimits

RETRY_SECONDS: Final = 2.0
REPORTER: Final = "callplane.dev/api"
#: A person waits for the answer, so a review that takes longer is no answer; and nothing is tried
#: twice, since whoever asked can.
REVIEWS: Final = ClientSettings(
    connect_timeout_seconds=2.0, read_timeout_seconds=5.0, write_timeout_seconds=5.0, attempts=1
)

log = logging.getLogger(__name__)


def run(settings: ApiSettings, kubeconfig: Path | None) -> int:
    """Run until a signal; the exit code is the process's."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_run(settings, kubeconfig))


def check(settings: ApiSettings) -> None:
    """Raises CallplaneError for settings that cannot be, all reasons at once."""
    wrong = []
    if not settings.database_url:
        wrong.append("CALLPLANE_DATABASE_URL is not set: register and books are there")
    if bool(settings.tls_certificate) != bool(settings.tls_key):
        wrong.append("CALLPLANE_TLS_CERTIFICATE and CALLPLANE_TLS_KEY belong together")
    if settings.api_host and not settings.tls_certificate and not _is_loopback(settings.api_host):
        wrong.append(
            "CALLPLANE_API_HOST: without a certificate only loopback, since requests carry tokens"
        )
    if settings.oidc_issuer:
        try:
            IssuerKeys(settings.oidc_issuer, settings.oidc_ca_file)
            _terms(settings)
        except ValueError as error:
            wrong.append(f"CALLPLANE_OIDC_…: {error}")
    if wrong:
        raise CallplaneError("; ".join(wrong))


async def _run(settings: ApiSettings, kubeconfig: Path | None) -> int:
    clock = SystemClock()
    stop, answering = asyncio.Event(), asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    connection = (
        credentials.from_kubeconfig(kubeconfig, clock=clock)
        if kubeconfig is not None
        else credentials.from_service_account(os.environ)
    )
    metrics = ApiMetrics()
    certificate = _certificate(settings, metrics)
    async with AsyncExitStack() as stack:
        objects = await stack.enter_async_context(KubernetesClient(connection, settings=REVIEWS))
        reader = PostgresAdminReader(
            settings.database_url, limits=SessionLimits(sessions=settings.sessions)
        )
        await reader.open()
        stack.push_async_callback(reader.close)
        here = Here(settings.installation)
        identity = settings.pod_name or f"{socket.gethostname()}_{os.getpid()}"
        events = EventRecorder(objects, clock=clock, instance=identity, controller=REPORTER)
        access = ClusterAccess(objects, audience=settings.audience)
        door = Door(
            tokens=RememberingReader(
                _tokens(settings, access, clock), clock, key=secrets.token_bytes(32)
            ),
            reviewer=access,
            attempts=FailedAttempts(
                clock, AttemptLimits(settings.failed_attempts, settings.failed_attempt_seconds)
            ),
            trail=AuditTrail(metrics, events=events, pod=_pod(settings)),
            metrics=metrics,
            installation=here.installation,
            show_numbers=settings.show_numbers,
        )
        for work in (here.learn(objects), events.run(), _renewed(certificate)):
            stack.push_async_callback(_end, asyncio.create_task(work))
        if settings.probe_port:
            # Ready means that requests are answered. Whether PostgreSQL and the API server answer
            # is told by the answers (503) and by metrics: no replica at all would tell nobody why.
            probes = Probes(metrics.registry, lambda: _problem(stop, answering))
            await stack.enter_async_context(
                serving(probes, settings.probe_host, settings.probe_port)
            )
        front = FrontDoor(
            application(door, reader),
            door,
            clock=clock,
            new_id=lambda: uuid.uuid4().hex,
            timeout_seconds=settings.request_seconds,
        )
        host = settings.api_host or ("0.0.0.0" if certificate is not None else "127.0.0.1")
        port = await stack.enter_async_context(serving(front, host, settings.api_port, certificate))
        answering.set()
        log.info("answering on %s:%d, %s", host, port, "TLS" if certificate else "loopback only")
        await stop.wait()
        log.info("stopping: requests that are under way are answered")
    return 0


def _problem(stop: asyncio.Event, answering: asyncio.Event) -> str:
    """Why the process is not ready; empty when it is."""
    if stop.is_set():
        return "stopping"
    return "" if answering.is_set() else "not answering yet"


@dataclass(slots=True)
class Here:
    """Which cluster this is, once it is known."""

    known: str

    def installation(self) -> str:
        """Raises AccessUnavailable while it is not known: rights without a place are none."""
        if not self.known:
            raise AccessUnavailable("which cluster this is is not known yet")
        return self.known

    async def learn(self, objects: KubernetesClient) -> None:
        """Ask until somebody answers."""
        while not self.known:
            try:
                self.known = await installation_id(objects)
            except (ClusterError, CredentialsError) as error:
                log.warning("which cluster this is is not known yet: %s", error)
                await asyncio.sleep(RETRY_SECONDS)


def _tokens(settings: ApiSettings, access: ClusterAccess, clock: SystemClock) -> TokenReader:
    if not settings.oidc_issuer:
        return access
    keys = IssuerKeys(settings.oidc_issuer, settings.oidc_ca_file)
    return ByIssuer(settings.oidc_issuer, IssuerTokens(_terms(settings), keys.fetch, clock), access)


def _terms(settings: ApiSettings) -> IssuerTerms:
    return IssuerTerms(
        issuer=settings.oidc_issuer,
        audience=settings.oidc_audience or settings.audience,
        user_claim=settings.oidc_user_claim,
        groups_claim=settings.oidc_groups_claim,
        prefix=settings.oidc_prefix,
        algorithms=settings.oidc_algorithms,
    )


def _certificate(settings: ApiSettings, metrics: ApiMetrics) -> Certificate | None:
    """None where the files are not there: a pod whose Secret is missing answers on loopback."""
    chain, key = Path(settings.tls_certificate), Path(settings.tls_key)
    if not settings.tls_certificate:
        return None
    if not settings.api_host and not chain.exists() and not key.exists():
        log.warning("there is no certificate at %s: answering on loopback only", chain)
        return None
    return Certificate(chain, key, metrics.certificate)


async def _renewed(certificate: Certificate | None) -> None:
    if certificate is not None:
        await certificate.keep_fresh()


def _pod(settings: ApiSettings) -> EventSubject | None:
    if not (settings.pod_name and settings.pod_uid and settings.namespace):
        return None
    return EventSubject("v1", "Pod", settings.namespace, settings.pod_name, settings.pod_uid)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
