"""Reads everything that a plan stands on: cluster, providers, register. It writes nothing anywhere.

Called by `callplane snapshot save`, and by `plan` and `apply` when they plan on what is true now.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from callplane.apis import registry
from callplane.apis.parsing import parse_lenient
from callplane.apis.references import SecretKeyRef
from callplane.clock import Clock
from callplane.cluster.namespaces import installation_id
from callplane.cluster.ports import ObjectReader
from callplane.cluster.resource_kinds import NAMESPACES, callplane_kind
from callplane.cluster.secret_reading import ClusterSecrets, SecretFound
from callplane.desired.declarations import (
    PLATFORM_KINDS,
    is_platform,
    secret_refs,
    system_of,
)
from callplane.engine.observations import (
    Body,
    ConnectionObservation,
    Observations,
    key_of,
    of_our_kinds,
)
from callplane.engine.snapshots import ListingResult
from callplane.engine.tenant_snapshot import TenantSnapshot
from callplane.errors import CallplaneError
from callplane.providers.protocol import Family, Provider, ProviderError, Throttled
from callplane.providers.registry import Ingredients
from callplane.store.ports import Register
from callplane.values import ObjectKey

LISTING_ATTEMPTS = 5
THROTTLED_LIMIT_SECONDS = 60.0

Report = Callable[[str], None]
ProviderFactory = Callable[[str, Ingredients], Provider]


@dataclass(frozen=True, slots=True)
class Sources:
    """Where to read. Without a cluster, `tenants` are the connections and `secrets` their
    credentials by (namespace, name and key); with one, both come from the cluster alone: a manifest
    that nobody has reviewed must not decide where a Secret is sent.
    """

    provider_factory: ProviderFactory
    clock: Clock
    taken_by: str
    cluster: ObjectReader | None = None
    register: Register | None = None
    tenants: Sequence[Body] = ()
    secrets: Mapping[tuple[str, SecretKeyRef], bytes] = field(default_factory=dict, repr=False)
    token_folders: tuple[str, ...] = ()
    namespace_labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


async def observe(sources: Sources, *, report: Report) -> Observations:
    """One complete observation of every connection. Raises CallplaneError when one cannot be had:
    half an observation would plan half of the truth.
    """
    taken_at = sources.clock.now()
    installation = ""
    objects: tuple[Body, ...] = ()
    labels: Mapping[str, Mapping[str, str]] = sources.namespace_labels
    tenants: Sequence[Body] = sources.tenants
    if sources.cluster is not None:
        report("reading the cluster")
        installation = await installation_id(sources.cluster)
        objects = await _objects(sources.cluster)
        labels = await _labels(sources.cluster)
        tenants = [body for body in objects if body["kind"] in PLATFORM_KINDS]
    connections = [await _connection(sources, body, report=report) for body in tenants]
    return Observations(
        taken_at=taken_at,
        taken_by=sources.taken_by,
        connections=tuple(connections),
        installation=installation,
        objects=objects,
        namespace_labels=labels,
    )


async def _objects(cluster: ObjectReader) -> tuple[Body, ...]:
    found: list[Mapping[str, Any]] = []
    for kind in registry.KINDS:
        listing = await cluster.list_all(callplane_kind(kind.plural))
        # Items of a list leave their type out.
        found.extend(
            {"apiVersion": kind.api_version, "kind": kind.name, **item} for item in listing.items
        )
    return of_our_kinds(found)


async def _labels(cluster: ObjectReader) -> dict[str, dict[str, str]]:
    listing = await cluster.list_all(NAMESPACES)
    return {
        item["metadata"]["name"]: dict(item["metadata"].get("labels") or {})
        for item in listing.items
    }


async def _connection(sources: Sources, body: Body, *, report: Report) -> ConnectionObservation:
    key = key_of(body)
    tenant = parse_lenient(body).resource
    if not is_platform(tenant):
        raise CallplaneError(f"{key} cannot be read; callplane validate says why")
    connection = system_of(tenant)
    provider = sources.provider_factory(
        connection.provider,
        Ingredients(
            spec=tenant.spec,
            clock=sources.clock,
            secrets=await _secrets(sources, key, secret_refs(tenant)),
            token_folders=sources.token_folders,
        ),
    )
    try:
        pause_seconds = 1.0 / tenant.spec.drift_reads_per_second
        snapshot = await _listed(provider, key, pause_seconds=pause_seconds, report=report)
    finally:
        await provider.close()
    register = sources.register
    return ConnectionObservation(
        key=key,
        connection=connection,
        people=tuple(snapshot.people.rows()),
        numbers=tuple(snapshot.numbers.rows()),
        configurations=tuple(snapshot.configurations.rows()),
        register=await register.load(connection) if register is not None else None,
    )


async def _secrets(
    sources: Sources, key: ObjectKey, references: Iterable[SecretKeyRef]
) -> dict[SecretKeyRef, bytes]:
    values = {}
    for reference in references:
        name = f"Secret {key.namespace}/{reference.name} (key {reference.key})"
        if sources.cluster is None:
            given = sources.secrets.get((key.namespace, reference))
            if given is None:
                raise CallplaneError(
                    f"{key} needs {name}: give it with "
                    f"--secret {key.namespace}/{reference.name}/{reference.key}=FILE"
                )
            values[reference] = given
            continue
        reading = await ClusterSecrets(sources.cluster).read(
            namespace=key.namespace, name=reference.name, key=reference.key
        )
        if not isinstance(reading, SecretFound):
            raise CallplaneError(f"{key} needs {name}, which is not in the cluster")
        values[reference] = reading.value.reveal()
    return values


async def _listed(
    provider: Provider, key: ObjectKey, *, pause_seconds: float, report: Report
) -> TenantSnapshot:
    snapshot = TenantSnapshot()
    for family in Family:
        result = await _list_family(provider, key, snapshot, family, pause_seconds)
        bad = f", {result.bad_rows:,} rows could not be read" if result.bad_rows else ""
        report(f"{key}: {result.rows:,} {family.value}{bad}")
    return snapshot


async def _list_family(
    provider: Provider,
    key: ObjectKey,
    snapshot: TenantSnapshot,
    family: Family,
    pause_seconds: float,
) -> ListingResult:
    """List until a listing is complete. Raises CallplaneError when none is."""
    problem = ""
    for _ in range(LISTING_ATTEMPTS):
        snapshot.begin(family, 0.0)
        has_end_marker = False
        try:
            async for page in provider.list_pages(family):
                snapshot.add_page(page)
                has_end_marker = page.last
                if not page.last:
                    await asyncio.sleep(pause_seconds)
        except Throttled as throttled:
            problem = str(throttled)
            await asyncio.sleep(min(throttled.retry_after_seconds, THROTTLED_LIMIT_SECONDS))
            continue
        except ProviderError as error:
            raise CallplaneError(f"{key}: listing {family.value} failed: {error}") from error
        result, _ = snapshot.end(family, has_end_marker=has_end_marker)
        if not result.suspect:
            return result
        problem = result.suspect
    raise CallplaneError(
        f"{key}: no complete listing of {family.value} after {LISTING_ATTEMPTS} attempts: {problem}"
    )
