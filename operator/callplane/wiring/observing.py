"""Reads everything that a plan stands on: cluster, providers, register. It writes nothing anywhere.

Called by `callplane snapshot save`, and by `plan` and `apply` when they plan on what is true now.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from callplane.apis import registry
from callplane.apis.carriers import Carrier
from callplane.apis.parsing import parse_lenient
from callplane.apis.references import SecretKeyRef
from callplane.clock import Clock
from callplane.cluster.namespaces import installation_id
from callplane.cluster.ports import ObjectReader
from callplane.cluster.resource_kinds import NAMESPACES, callplane_kind
from callplane.cluster.secret_reading import ClusterSecrets, SecretFound
from callplane.desired.declarations import PLATFORM_KINDS, is_platform, system_of
from callplane.engine import registered, secrets_in_use
from callplane.engine.observations import (
    Body,
    CarrierObservation,
    ConnectionObservation,
    Observations,
    key_of,
    of_our_kinds,
)
from callplane.engine.snapshots import FamilySnapshot, ListingResult
from callplane.engine.tenant_snapshot import TenantSnapshot
from callplane.errors import CallplaneError
from callplane.providers.carrier_protocol import CarrierAction, CarrierProvider
from callplane.providers.protocol import (
    Family,
    ListsServices,
    Page,
    Provider,
    ProviderError,
    Throttled,
)
from callplane.providers.registry import CarrierRegistry, Ingredients
from callplane.resources.carriers import Balance, NumberOnCarrier
from callplane.resources.platforms import Person
from callplane.store.ports import Register, RegisterState
from callplane.values import ConnectionId, ObjectKey

LISTING_ATTEMPTS = 5
THROTTLED_LIMIT_SECONDS = 60.0
#: Kinds that stand for an external system.
CONNECTION_KINDS = (*PLATFORM_KINDS, "Carrier")

Report = Callable[[str], None]
ProviderFactory = Callable[[str, Ingredients], Provider]
CarrierFactory = Callable[[str, Ingredients], CarrierProvider]


@dataclass(frozen=True, slots=True)
class Sources:
    """Where to read. Without a cluster, `declared` are the connections and `secrets` their
    credentials by (namespace, name and key); with one, both come from the cluster alone: a manifest
    that nobody has reviewed must not decide where a Secret is sent.
    """

    provider_factory: ProviderFactory
    clock: Clock
    taken_by: str
    carrier_factory: CarrierFactory = CarrierRegistry().create
    cluster: ObjectReader | None = None
    register: Register | None = None
    declared: Sequence[Body] = ()
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
    declared: Sequence[Body] = sources.declared
    if sources.cluster is not None:
        report("reading the cluster")
        installation = await installation_id(sources.cluster)
        objects = await _objects(sources.cluster)
        labels = await _labels(sources.cluster)
        declared = [body for body in objects if body["kind"] in CONNECTION_KINDS]
    platforms = [body for body in declared if body["kind"] in PLATFORM_KINDS]
    carriers = [body for body in declared if body["kind"] == "Carrier"]
    connections = [await _connection(sources, body, report=report) for body in platforms]
    return Observations(
        taken_at=taken_at,
        taken_by=sources.taken_by,
        connections=tuple(connections),
        installation=installation,
        objects=objects,
        namespace_labels=labels,
        carriers=tuple([await _carrier(sources, body, report=report) for body in carriers]),
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
    state = await _register_of(sources, connection)
    ingredients = await _ingredients(sources, key, tenant)
    if state is not None:
        ingredients = replace(ingredients, assigned=registered.assigned(connection, state.numbers))
    provider = sources.provider_factory(connection.provider, ingredients)
    try:
        pause_seconds = 1.0 / tenant.spec.drift_reads_per_second
        snapshot = await _listed(provider, key, pause_seconds=pause_seconds, report=report)
        services = await _services(provider, key, pause_seconds=pause_seconds)
    finally:
        await provider.close()
    if services:
        report(f"{key}: {len(services):,} services")
    return ConnectionObservation(
        key=key,
        connection=connection,
        people=tuple(snapshot.people.rows()),
        numbers=tuple(snapshot.numbers.rows()),
        configurations=tuple(snapshot.configurations.rows()),
        register=state,
        services=services,
    )


async def _register_of(sources: Sources, connection: ConnectionId) -> RegisterState | None:
    return await sources.register.load(connection) if sources.register is not None else None


async def _ingredients(sources: Sources, key: ObjectKey, resource: Any) -> Ingredients:
    return Ingredients(
        spec=resource.spec,
        clock=sources.clock,
        secrets=await _secrets(sources, key, secrets_in_use.refs_of(resource)),
        token_folders=sources.token_folders,
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
    async def once() -> ListingResult:
        snapshot.begin(family, 0.0)
        has_end_marker = False
        async for page in provider.list_pages(family):
            snapshot.add_page(page)
            has_end_marker = page.last
            if not page.last:
                await asyncio.sleep(pause_seconds)
        result, _ = snapshot.end(family, has_end_marker=has_end_marker)
        return result

    return await _until_complete(key, family.value, once)


async def _until_complete(
    key: ObjectKey, what: str, once: Callable[[], Awaitable[ListingResult]]
) -> ListingResult:
    """List until a listing is complete. Raises CallplaneError when none is."""
    problem = ""
    for _ in range(LISTING_ATTEMPTS):
        try:
            result = await once()
        except Throttled as throttled:
            problem = str(throttled)
            await asyncio.sleep(min(throttled.retry_after_seconds, THROTTLED_LIMIT_SECONDS))
            continue
        except ProviderError as error:
            raise CallplaneError(f"{key}: listing {what} failed: {error}") from error
        if not result.suspect:
            return result
        problem = result.suspect
    raise CallplaneError(
        f"{key}: no complete listing of {what} after {LISTING_ATTEMPTS} attempts: {problem}"
    )


async def _services(
    provider: Provider, key: ObjectKey, *, pause_seconds: float
) -> tuple[Person, ...]:
    """What has numbers beside people, where the platform lists it apart."""
    if not isinstance(provider, ListsServices):
        return ()
    found: FamilySnapshot[Person] = FamilySnapshot()

    async def once() -> ListingResult:
        found.begin_listing(0.0)
        has_end_marker = False
        async for page in provider.list_services():
            _add_services(found, page)
            has_end_marker = page.last
            if not page.last:
                await asyncio.sleep(pause_seconds)
        return found.end_listing(has_end_marker=has_end_marker)

    await _until_complete(key, "services", once)
    return tuple(found.rows())


def _add_services(found: FamilySnapshot[Person], page: Page) -> None:
    rows = [row for row in page.rows if isinstance(row, Person)]
    found.add_page(
        ((row.user_id, row) for row in rows), observed_at=page.observed_at, bad_rows=page.bad_rows
    )


# Carriers


async def _carrier(sources: Sources, body: Body, *, report: Report) -> CarrierObservation:
    """All numbers of an account, counted against the carrier's own total, and its money."""
    key = key_of(body)
    carrier = parse_lenient(body).resource
    if not isinstance(carrier, Carrier):
        raise CallplaneError(f"{key} cannot be read; callplane validate says why")
    connection = ConnectionId(carrier.spec.type.value.lower(), carrier.spec.account)
    ingredients = await _ingredients(sources, key, carrier)
    try:
        provider = sources.carrier_factory(connection.provider, ingredients)
    except (ProviderError, LookupError) as error:
        raise CallplaneError(f"{key}: {error}") from error
    numbers: FamilySnapshot[NumberOnCarrier] = FamilySnapshot()
    balance: Balance | None = None
    try:
        if provider.capabilities.supports(CarrierAction.LIST):
            pause_seconds = 1.0 / carrier.spec.drift_reads_per_second
            result = await _list_owned(provider, key, numbers, pause_seconds)
            bad = f", {result.bad_rows:,} rows could not be read" if result.bad_rows else ""
            report(f"{key}: {result.rows:,} numbers{bad}")
        if provider.capabilities.supports(CarrierAction.BALANCE):
            balance = await _balance(provider, key)
    finally:
        await provider.close()
    return CarrierObservation(
        key=key,
        connection=connection,
        numbers=tuple(numbers.rows()),
        balance=balance,
        register=await _register_of(sources, connection),
    )


async def _list_owned(
    provider: CarrierProvider,
    key: ObjectKey,
    numbers: FamilySnapshot[NumberOnCarrier],
    pause_seconds: float,
) -> ListingResult:
    async def once() -> ListingResult:
        numbers.begin_listing(0.0)
        has_end_marker, seen, total = False, 0, None
        async for page in provider.list_pages():
            rows = [(row.number, row) for row in page.rows]
            numbers.add_page(rows, observed_at=page.observed_at, bad_rows=page.bad_rows)
            seen += len(rows) + page.bad_rows
            total = page.total if page.total is not None else total
            has_end_marker = page.last
            if not page.last:
                await asyncio.sleep(pause_seconds)
        result = numbers.end_listing(has_end_marker=has_end_marker)
        if total is not None and seen != total and not result.suspect:
            told = f"the carrier counts {total:,} numbers, and its listing held {seen:,}"
            return replace(result, suspect=told)
        return result

    return await _until_complete(key, "numbers", once)


async def _balance(provider: CarrierProvider, key: ObjectKey) -> Balance | None:
    """What the account can spend; None where the carrier does not say it today: a plan can do
    without.
    """
    for _ in range(LISTING_ATTEMPTS):
        try:
            return (await provider.read_balance()).row
        except Throttled as throttled:
            await asyncio.sleep(min(throttled.retry_after_seconds, THROTTLED_LIMIT_SECONDS))
        except ProviderError as error:
            raise CallplaneError(f"{key}: reading the balance failed: {error}") from error
    return None
