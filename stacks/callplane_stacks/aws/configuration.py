"""The configuration of a stack on AWS: a VPC and a Kubernetes cluster are there already."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from callplane_stacks import configuration, configuration_rules, machine_rules, machines
from callplane_stacks.configuration import Cidr4, Document, OnCluster, Part, Word
from callplane_stacks.database_roles import Roles


class Zone(Part):
    """An availability zone: the network of its SBCs and that of its database server."""

    name: Annotated[str, Field(pattern=r"^[a-z]{2}(-[a-z]+)+-\d[a-z]$")]
    sbcs: Cidr4
    database: Cidr4


class Network(Part):
    """Where things lie in the VPC; none of these networks may overlap another or a peer's."""

    vpc: Annotated[str, Field(pattern=r"^vpc-[0-9a-f]{8,17}$")]
    internet_gateway: Annotated[str, Field(pattern=r"^igw-[0-9a-f]{8,17}$")]
    # The addresses of the cluster's nodes and pods.
    cluster: Cidr4
    administrators: tuple[Cidr4, ...] = ()
    zones: tuple[Zone, ...]


class Database(Part):
    """The ledger's PostgreSQL, run by RDS in two zones."""

    version: Annotated[str, Field(pattern=r"^1[6-9](\.\d+)?$")] = "17"
    machine_type: Annotated[str, Field(pattern=r"^db\.")] = "db.m7g.large"
    storage_gib: Annotated[int, Field(ge=20)] = 100
    storage_limit_gib: Annotated[int, Field(ge=20)] = 1000
    backup_days: Annotated[int, Field(ge=7, le=35)] = 35
    roles: Roles = Roles()


class Sbc(machines.Machines):
    """The session border controllers, on EC2."""

    # Debian 12 for amd64; Debian's page names the image of each region.
    machine_image: Annotated[str, Field(pattern=r"^ami-[0-9a-f]{8,17}$")]
    machine_type: Word = "c7i.large"
    dns_zone: Annotated[str, Field(pattern=r"^Z[0-9A-Z]+$")]
    # The account's quota "Inbound or outbound rules per security group".
    rules_of_a_group: Annotated[int, Field(ge=10, le=1000)] = 60


class Configuration(OnCluster):
    """Everything a stack needs to know; secrets come from the secrets provider instead."""

    target: Literal["Aws"]
    region: Annotated[str, Field(pattern=r"^[a-z]{2}(-[a-z]+)+-\d$")]
    network: Network
    database: Database = Database()
    sbc: Sbc
    # The topic of SNS that alarms go to.
    alarms: Annotated[str, Field(pattern=r"^arn:aws[a-z-]*:sns:")]


def read(written: object) -> Configuration:
    """The configuration in a document. Raises ConfigurationRefused with every reason."""
    document = configuration.mapping(written)
    part = configuration_rules.part(document, "network")
    zones = list(configuration_rules.listed(part, "zones"))
    own = [
        ("network.cluster", part.get("cluster")),
        *(
            (f"network.zones.{index}.{name}", zone.get(name))
            for index, zone in zones
            for name in ("sbcs", "database")
        ),
    ]
    return configuration.read(
        Configuration,
        document,
        [
            configuration_rules.overlaps(document, own),
            configuration_rules.host_names(document),
            configuration_rules.enough_instances(document, own=("name", "address")),
            configuration_rules.peers(document),
            machine_rules.one_drained_at_a_time(document),
            machine_rules.addresses_lie_in(
                document, {str(zone.get("name")): zone.get("sbcs") for _, zone in zones}
            ),
            machine_rules.two_zones(document),
            machine_rules.administrators(document),
            _zones(document, [str(zone.get("name")) for _, zone in zones]),
        ],
    )


def _zones(document: Document, names: list[str]) -> Iterator[str]:
    """The database has a server in either of two zones, all of them in the stack's region."""
    if len(set(names)) < 2:
        yield f"network.zones: {len(set(names))} of them; the database is in two at least"
    region = str(document.get("region"))
    for name in names:
        if name[:-1] != region:
            yield f"network.zones: {name!r} is not in region {region!r}"
