"""What an import takes over: which of the observed connections, and what declares each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from callplane.apis.carriers import Carrier
from callplane.apis.model import Resource
from callplane.apis.references import ManagementPolicy
from callplane.cli.manifests import Tree
from callplane.desired.brownfield import (
    Document,
    Estate,
    ObservedCarrier,
    ObservedPlatform,
    Place,
)
from callplane.desired.declarations import is_platform, system_of
from callplane.engine.observations import (
    CarrierObservation,
    ConnectionObservation,
    Observations,
    key_of,
)
from callplane.errors import CallplaneError
from callplane.providers.carrier_protocol import CarrierAction
from callplane.providers.protocol import ProviderError
from callplane.resources.carriers import TrunkRoute
from callplane.values import ObjectKey
from callplane.wiring.judging import carrier_skills

Seen = ConnectionObservation | CarrierObservation
Chosen = Sequence[Seen]


def chosen(observations: Observations, wanted: Sequence[str]) -> Chosen:
    """The connections to import. Raises CallplaneError for one that was not observed."""
    observed: list[Seen] = [*observations.connections, *observations.carriers]
    if not wanted:
        if not observed:
            raise CallplaneError("nothing was observed, so there is nothing to import")
        return observed
    meant = [each for each in observed if not _names(each.key).isdisjoint(wanted)]
    found = {name for each in meant for name in _names(each.key)}
    missing = [name for name in wanted if name not in found]
    if missing:
        shown = ", ".join(sorted(_place(each.key) for each in observed)) or "none"
        raise CallplaneError(f"{', '.join(missing)} was not observed; observed are: {shown}")
    return meant


def _names(key: ObjectKey) -> set[str]:
    """How a connection may be named in an option."""
    return {f"{key.namespace}/{key.name}", _place(key)}


def _place(key: ObjectKey) -> str:
    return f"{key.kind}/{key.namespace}/{key.name}"


async def estate(observed: Chosen, place: Place, folder: Path) -> Estate:
    """Observations with the objects that declare their connections. Raises CallplaneError with all
    that nothing declares.
    """
    declared = {_system(each): each for each in place.known if _is_connection(each)}
    missing = [str(each.key) for each in observed if _observed_system(each) not in declared]
    if missing:
        raise CallplaneError(
            f"{', '.join(missing)}: declared neither in the cluster that was observed nor in "
            f"{folder}; put the manifest there, for what is imported refers to it"
        )
    folders = _folders([declared[_observed_system(each)] for each in observed])
    platforms, carriers = [], []
    for each, name in zip(observed, folders, strict=True):
        connection = declared[_observed_system(each)]
        if isinstance(each, CarrierObservation):
            assert isinstance(connection, Carrier)
            carriers.append(await _carrier(connection, each, name))
        else:
            assert is_platform(connection)
            platforms.append(
                ObservedPlatform(
                    connection, name, each.people, each.numbers, each.configurations, each.services
                )
            )
    return Estate(platforms, carriers, place)


async def _carrier(
    connection: Carrier, observed: CarrierObservation, folder: str
) -> ObservedCarrier:
    spec = connection.spec
    skills = await carrier_skills(spec)
    can = skills.capabilities.supports
    route = None
    if spec.trunk is not None and can(CarrierAction.ROUTE):
        route = TrunkRoute(spec.trunk.name, spec.trunk.endpoints)
        try:
            route = skills.canonical_route(route)
        except ProviderError as error:
            raise CallplaneError(f"{observed.key}: spec.trunk: {error}") from error
    manages = spec.management_policy is ManagementPolicy.MANAGE and not spec.suspend
    return ObservedCarrier(
        connection,
        folder,
        observed.numbers,
        route=route,
        locks=spec.deletion_lock and can(CarrierAction.DELETION_LOCK),
        watches=not manages,
    )


def _is_connection(resource: Resource) -> bool:
    return is_platform(resource) or isinstance(resource, Carrier)


def _system(resource: Resource) -> tuple[str, str]:
    if isinstance(resource, Carrier):
        return resource.spec.type.value.lower(), resource.spec.account.lower()
    assert is_platform(resource)
    system = system_of(resource)
    return system.provider, system.external_id.lower()


def _observed_system(each: Seen) -> tuple[str, str]:
    return each.connection.provider, each.connection.external_id.lower()


def _folders(connections: Sequence[Resource]) -> list[str]:
    """A folder for each: its name, with more of its key where two have one name."""
    names = Counter(each.name for each in connections)
    return [
        each.name if names[each.name] == 1 else f"{each.kind.lower()}-{each.namespace}-{each.name}"
        for each in connections
    ]


def connections(estate: Estate, tree: Tree, observations: Observations) -> Iterator[Document]:
    """The connections themselves, as the cluster has them, where the folder does not say them."""
    stated = {each.key for each in tree.manifests}
    bodies = {key_of(body): body for body in observations.objects}
    observed: list[ObservedPlatform | ObservedCarrier] = [*estate.platforms, *estate.carriers]
    for each in observed:
        body = bodies.get(each.key)
        if body is not None and each.key not in stated:
            metadata = {"name": each.key.name, "namespace": each.key.namespace}
            kept = {**body, "metadata": metadata}
            yield Document(f"{each.folder}/connection.yaml", kept)
