"""The operator process: settings in, exit code out. Called by `callplane operator`."""

from __future__ import annotations

import asyncio
import gc
import os
import random
import socket
from pathlib import Path

import uvloop

from callplane.clock import SystemClock
from callplane.cluster import credentials
from callplane.cluster.client import KubernetesClient
from callplane.cluster.events import EventRecorder
from callplane.cluster.lease import LeaderElector, LeaseName, LeaseSettings
from callplane.cluster.namespaces import installation_id
from callplane.cluster.secret_reading import ClusterSecrets
from callplane.controller.operating import Operator, operate
from callplane.controller.watching import stop_on_signals
from callplane.engine.account_notices import AccountBooks
from callplane.engine.operator_engine import Engine, Surroundings
from callplane.notify.webhooks import WebhookSender
from callplane.providers.registry import Registry
from callplane.settings import LEASE_NAME, OperatorSettings
from callplane.store.books_postgres import PostgresBooks
from callplane.store.call_tables_postgres import PostgresCallTables
from callplane.store.decks_postgres import PostgresDecks
from callplane.store.evidence_postgres import PostgresEvidence
from callplane.store.notices_postgres import PostgresNotices
from callplane.store.postgres import PostgresRegister
from callplane.telemetry import Telemetry
from callplane.wiring import tracing_choice

#: The name under which traces of this process are found.
SERVICE = "callplane-operator"
#: Objects made since, until the collector of cycles looks at the newest ones; then how many such
#: looks until it looks at those that are older, and at all. Python's own are 700, 10 and 10.
COLLECTOR_THRESHOLDS = (10_000, 10, 50)


def run(settings: OperatorSettings, kubeconfig: Path | None) -> int:
    """Run until a signal; the exit code is the process's."""
    _spare_the_collector()
    # A third of the operator's time would otherwise go into the event loop's own Python.
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_run(settings, kubeconfig))


def _spare_the_collector() -> None:
    """Nearly all that the operator makes is either kept (what is known of a large estate) or freed
    by its reference count. Looking through it for cycles as often as Python does by itself took a
    fifth of the time in which ten thousand people converge.
    """
    # Modules and models stay for good; what is frozen is never looked at again.
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECTOR_THRESHOLDS)


async def _run(settings: OperatorSettings, kubeconfig: Path | None) -> int:
    clock = SystemClock()
    connection = (
        credentials.from_kubeconfig(kubeconfig, clock=clock)
        if kubeconfig is not None
        else credentials.from_service_account(os.environ)
    )
    identity = settings.identity or f"{socket.gethostname()}_{os.getpid()}"
    stop = asyncio.Event()
    stop_on_signals(stop)
    async with KubernetesClient(connection) as objects:
        register = PostgresRegister(settings.database_url)
        calls = PostgresCallTables(settings.database_url)
        await register.open()
        await calls.open()
        elector = LeaderElector(
            objects,
            lease=LeaseName(settings.namespace, LEASE_NAME, identity),
            clock=clock,
            settings=LeaseSettings(settings.lease_seconds, settings.renew_deadline_seconds),
        )
        books = PostgresBooks(settings.database_url)
        evidence = PostgresEvidence(settings.database_url)
        notices = PostgresNotices(settings.database_url)
        sender = WebhookSender()
        for store in (books, evidence, notices):
            await store.open()
        events = EventRecorder(objects, clock=clock, instance=identity)
        telemetry = Telemetry()
        traces = tracing_choice.chosen(
            os.environ, service=SERVICE, instance=identity, told=telemetry.spans_sent
        )
        engine = Engine(
            Surroundings(
                clock=clock,
                objects=objects,
                secrets=ClusterSecrets(objects),
                events=events,
                fence=elector,
                register=register,
                calls=calls,
                provider_factory=Registry().create,
                installation=await installation_id(objects),
                telemetry=telemetry,
                traces=traces,
                chance=random.SystemRandom(),
                decks=PostgresDecks(settings.database_url),
                accounts=AccountBooks(books, evidence, notices, sender, calls),
            ),
            settings,
        )
        try:
            return await operate(Operator(engine, connection, elector, events), stop)
        finally:
            await calls.close()
            await sender.close()
            for store in (books, evidence, notices):
                await store.close()
            await asyncio.to_thread(traces.close, tracing_choice.CLOSE_SECONDS)
