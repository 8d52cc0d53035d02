"""The configuration of a stack on Azure: a virtual network and a Kubernetes cluster are there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field

from callplane_stacks import configuration, configuration_rules, machine_rules, machines
from callplane_stacks.configuration import Cidr4, Document, OnCluster, Part
from callplane_stacks.database_roles import Roles

_GUID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_GROUP = rf"^/subscriptions/{_GUID}/resourceGroups/[\w.()-]+/providers"
ZONES = ("1", "2", "3")
#: Azure takes no smaller subnet for a database than this.
LARGEST_PREFIX_DATABASE = 28


class Network(Part):
    """Where things lie in the virtual network; no part may overlap another or a peer's."""

    virtual_network: Annotated[
        str, Field(pattern=rf"{_GROUP}/Microsoft\.Network/virtualNetworks/[\w.-]+$")
    ]
    # The addresses of the cluster's nodes and pods.
    cluster: Cidr4
    administrators: tuple[Cidr4, ...] = ()
    sbcs: Cidr4
    database: Cidr4


class Database(Part):
    """The ledger's PostgreSQL: a flexible server in two zones."""

    # Its name is a name of the whole world's.
    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$")]
    version: Annotated[str, Field(pattern=r"^1[6-8]$")] = "17"
    machine_type: Annotated[str, Field(pattern=r"^Standard_[DE]\d")] = "Standard_D2ds_v5"
    zone: Literal["1", "2", "3"] = "1"
    standby_zone: Literal["1", "2", "3"] = "2"
    storage_gib: Literal[32, 64, 128, 256, 512, 1024, 2048, 4096] = 128
    backup_days: Annotated[int, Field(ge=7, le=35)] = 35
    # A copy of the backups in the paired region, where there is one; it cannot be changed later.
    backups_abroad: bool = True
    roles: Roles = Roles()


class MachineImage(Part):
    """A version of Debian 12, as Azure's marketplace has it."""

    publisher: str = "Debian"
    offer: str = "debian-12"
    sku: str = "12-gen2"
    version: Annotated[str, Field(pattern=r"^[\d.]+$")]


class Sbc(machines.Machines):
    """The session border controllers, on virtual machines."""

    machine_image: MachineImage
    machine_type: Annotated[str, Field(pattern=r"^Standard_")] = "Standard_F4s_v2"
    dns_zone: Annotated[str, Field(pattern=rf"{_GROUP}/Microsoft\.Network/dnszones/[\w.-]+$")]
    # The name of the account of files, one of the whole world's.
    store: Annotated[str, Field(pattern=r"^[a-z0-9]{3,24}$")]


class Configuration(OnCluster):
    """Everything a stack needs to know; secrets come from the secrets provider instead."""

    target: Literal["Azure"]
    location: Annotated[str, Field(pattern=r"^[a-z0-9]+$")]
    # The stack makes it, and all of its own lies in it.
    resource_group: Annotated[str, Field(pattern=r"^[\w.()-]{1,90}$")]
    network: Network
    database: Database
    sbc: Sbc
    # The action group of Azure Monitor that alarms go to.
    alarms: Annotated[str, Field(pattern=r"^/subscriptions/.*/actionGroups/")]


def read(written: object) -> Configuration:
    """The configuration in a document. Raises ConfigurationRefused with every reason."""
    document = configuration.mapping(written)
    part = configuration_rules.part(document, "network")
    own = [(f"network.{name}", part.get(name)) for name in ("cluster", "sbcs", "database")]
    return configuration.read(
        Configuration,
        document,
        [
            configuration_rules.overlaps(document, own),
            configuration_rules.host_names(document),
            configuration_rules.enough_instances(document, own=("name", "address")),
            configuration_rules.peers(document),
            machine_rules.one_drained_at_a_time(document),
            # A subnet of Azure lies in every zone.
            machine_rules.addresses_lie_in(document, dict.fromkeys(ZONES, part.get("sbcs"))),
            machine_rules.two_zones(document),
            machine_rules.administrators(document),
            _standby(document),
            _names_of_the_zone(document),
            _database_network(part),
        ],
    )


def _standby(document: Document) -> Iterator[str]:
    part = configuration_rules.part(document, "database")
    zone, standby = part.get("zone", "1"), part.get("standby_zone", "2")
    if zone == standby:
        yield f"database.standby_zone: {standby!r} is the server's own"


def _names_of_the_zone(document: Document) -> Iterator[str]:
    """A name is published in the zone that is configured, so it has to lie in it."""
    zone = str(configuration_rules.part(document, "sbc").get("dns_zone", "")).rpartition("/")[2]
    for place, instance in configuration_rules.instances(document):
        name = str(instance.get("host_name", ""))
        fine = configuration_rules.refused_by_teams(name) is None
        if zone and fine and not name.endswith(f".{zone}"):
            yield f"{place}.host_name: {name!r} is not in the zone {zone}"


def _database_network(part: Any) -> Iterator[str]:
    network = configuration_rules.network(part.get("database"))
    if network is not None and network.prefixlen > LARGEST_PREFIX_DATABASE:
        yield f"network.database: {network} is smaller than /{LARGEST_PREFIX_DATABASE}"
