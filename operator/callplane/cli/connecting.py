"""Options that several verbs share, and what they lead to: a cluster, a database, observations.

A cluster is used only when `--kubeconfig` names it. Everything that reaches out is imported when it
is asked for, so that verbs on files start quickly.
"""

from __future__ import annotations

import asyncio
import getpass
import logging
import os
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Protocol, TypeVar

import typer

from callplane.apis.references import SecretKeyRef
from callplane.clock import SystemClock
from callplane.errors import CallplaneError
from callplane.settings import PREFIX, OperatorSettings

if TYPE_CHECKING:
    from callplane.billing.tariff import RateRow
    from callplane.cli.manifests import Tree
    from callplane.cluster.client import KubernetesClient
    from callplane.engine.observations import Observations
    from callplane.store.books_ports import Books
    from callplane.store.call_tables import CallTables
    from callplane.store.deck_ports import Decks
    from callplane.store.evidence_ports import EvidenceBook
    from callplane.store.ports import Register

DATABASE_VARIABLE = PREFIX + "DATABASE_URL"

Kubeconfig = Annotated[
    Path | None,
    typer.Option("--kubeconfig", help="The cluster; no other file and no variable is looked at."),
]
DatabaseUrl = Annotated[
    str | None,
    typer.Option(
        "--database-url",
        help=f"PostgreSQL of the number register; else {DATABASE_VARIABLE}.",
    ),
]
SecretFiles = Annotated[
    list[str] | None,
    typer.Option(
        "--secret",
        metavar="NAMESPACE/NAME/KEY=FILE",
        help="A Secret's value, where no cluster is asked for it. May be repeated.",
    ),
]


def say(text: str) -> None:
    """Progress and remarks go to standard error, so that a plan can be piped."""
    typer.echo(text, err=True)


def who() -> str:
    """The person and machine that an observation is stamped with."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = "somebody"
    return f"{user}@{socket.gethostname()}"


def database_url(given: str | None) -> str | None:
    return given or os.environ.get(DATABASE_VARIABLE) or None


def required_database_url(given: str | None) -> str:
    url = database_url(given)
    if url is None:
        raise CallplaneError(
            f"the number register is in PostgreSQL: name it with --database-url or "
            f"{DATABASE_VARIABLE}"
        )
    return url


@asynccontextmanager
async def cluster(kubeconfig: Path) -> AsyncIterator[KubernetesClient]:
    """A client for the cluster of a kubeconfig."""
    from callplane.cluster import credentials
    from callplane.cluster.client import KubernetesClient

    connection = credentials.from_kubeconfig(kubeconfig, clock=SystemClock())
    async with KubernetesClient(connection, field_manager="callplane-cli") as client:
        yield client


@asynccontextmanager
async def register(url: str) -> AsyncIterator[Register]:
    """The number register at a URL. Raises CallplaneError when it does not answer."""
    from callplane.store.ports import StoreUnavailable
    from callplane.store.postgres import PostgresRegister

    # Each of its attempts to connect would be a line; the one that counts is the error below.
    logging.getLogger("psycopg.pool").setLevel(logging.CRITICAL)
    opened = PostgresRegister(url)
    await opened.open()
    try:
        yield opened
    except StoreUnavailable as error:
        raise CallplaneError(
            f"the number register does not answer: {error}; is --database-url right?"
        ) from None
    finally:
        await opened.close()


@asynccontextmanager
async def books(url: str) -> AsyncIterator[Books]:
    """The books at a URL. Raises CallplaneError when they do not answer."""
    from callplane.store.books_postgres import PostgresBooks

    async with _opened(PostgresBooks(url)) as opened:
        yield opened


@asynccontextmanager
async def evidence(url: str) -> AsyncIterator[EvidenceBook]:
    """The evidence beside the books. Raises CallplaneError when it does not answer."""
    from callplane.store.evidence_postgres import PostgresEvidence

    async with _opened(PostgresEvidence(url)) as opened:
        yield opened


class _Openable(Protocol):
    async def open(self) -> None: ...

    async def close(self) -> None: ...


Opened = TypeVar("Opened", bound=_Openable)


@asynccontextmanager
async def _opened(store: Opened) -> AsyncIterator[Opened]:
    from callplane.store.ports import StoreUnavailable

    logging.getLogger("psycopg.pool").setLevel(logging.CRITICAL)
    await store.open()
    try:
        yield store
    except StoreUnavailable as error:
        raise CallplaneError(
            f"the database does not answer: {error}; is --database-url right?"
        ) from None
    finally:
        await store.close()


def phone_digests(given: str | None) -> dict[str, str]:
    """What phones prove themselves by, as the operator wrote it, by `user@realm`."""
    return asyncio.run(_phone_digests(required_database_url(given)))


@asynccontextmanager
async def call_tables(url: str) -> AsyncIterator[CallTables]:
    """What call control decides by. Raises CallplaneError when the database does not answer."""
    from callplane.store.call_tables_postgres import PostgresCallTables

    async with _opened(PostgresCallTables(url)) as opened:
        yield opened


async def _phone_digests(url: str) -> dict[str, str]:
    from callplane.store.call_tables import PHONE

    async with call_tables(url) as tables:
        passage = await tables.read(0)
    return {
        one.entry.name: one.entry.content["digest"]
        for one in passage.entries
        if one.entry.kind == PHONE and one.entry.content is not None
    }


def decks(url: str) -> Decks:
    """Decks of prices in the database at a URL; see `answering` for one that does not answer."""
    from callplane.store.decks_postgres import PostgresDecks

    return PostgresDecks(url)


def deck_rows(given: str | None) -> Callable[[str], list[RateRow] | None]:
    """Prices of decks from the database, where one is named; it is asked only for decks."""

    def found(digest: str) -> list[RateRow] | None:
        opened = decks(required_database_url(given))
        with answering():
            return list(opened.rates(digest)) or None

    return found


@contextmanager
def answering() -> Iterator[None]:
    """Says what to look at when the database does not answer."""
    from callplane.store.ports import StoreUnavailable

    try:
        yield
    except StoreUnavailable as error:
        raise CallplaneError(
            f"the database does not answer: {error}; is --database-url right?"
        ) from None


async def observe_cluster(kubeconfig: Path, *, database: str | None) -> Observations:
    """Connections, objects and register rows of a cluster as they are now."""
    from callplane.providers.registry import Registry
    from callplane.wiring.observing import Sources, observe

    async with cluster(kubeconfig) as client, _perhaps(database) as opened:
        sources = Sources(
            provider_factory=Registry().create,
            clock=SystemClock(),
            taken_by=who(),
            cluster=client,
            register=opened,
            token_folders=_token_folders(),
        )
        return await observe(sources, report=say)


async def observe_tree(tree: Tree, *, secrets: Sequence[str], database: str | None) -> Observations:
    """Connections that manifests declare, with credentials from files."""
    from callplane.engine.observations import trimmed
    from callplane.providers.registry import Registry
    from callplane.wiring.observing import CONNECTION_KINDS, Sources, observe

    declared = [trimmed(each.body) for each in tree.manifests if each.key.kind in CONNECTION_KINDS]
    if not declared:
        raise CallplaneError("there is no connection among these manifests to observe")
    async with _perhaps(database) as opened:
        sources = Sources(
            provider_factory=Registry().create,
            clock=SystemClock(),
            taken_by=who(),
            register=opened,
            declared=declared,
            secrets=secret_values(secrets),
            token_folders=_token_folders(),
            namespace_labels=tree.namespace_labels,
        )
        return await observe(sources, report=say)


@asynccontextmanager
async def _perhaps(database: str | None) -> AsyncIterator[Register | None]:
    if database is None:
        yield None
        return
    async with register(database) as opened:
        yield opened


def _token_folders() -> tuple[str, ...]:
    """A manifest may name a token file only where the settings of this machine allow it."""
    return OperatorSettings.from_environment(os.environ).token_folders


def secret_values(options: Sequence[str]) -> Mapping[tuple[str, SecretKeyRef], bytes]:
    """`NAMESPACE/NAME/KEY=FILE` options as values. Raises CallplaneError without naming a value."""
    values = {}
    for option in options:
        place, separator, file = option.partition("=")
        parts = place.split("/")
        if not separator or len(parts) != 3 or not all(parts):
            raise CallplaneError("--secret is written NAMESPACE/NAME/KEY=FILE")
        namespace, name, key = parts
        try:
            content = Path(file).read_bytes()
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise CallplaneError(f"--secret {place}: {file}: {reason}") from None
        values[(namespace, SecretKeyRef(name=name, key=key))] = content
    return values
