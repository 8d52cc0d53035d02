"""The configuration of a stack on a Kubernetes cluster of one's own."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from callplane_stacks import configuration, configuration_rules
from callplane_stacks.configuration import (
    Address4,
    Borders,
    Cidr,
    Image,
    Name,
    ObjectName,
    OnCluster,
    OwnNamespace,
    Part,
)


class Networks(Part):
    """Networks of the cluster; none may overlap another or a peer's."""

    pods: Cidr
    services: Cidr
    nodes: Cidr


class Backup(Part):
    """Where the database's write-ahead log and nightly backups go."""

    destination: Annotated[str, Field(pattern=r"^(s3|https|gs)://")]
    credentials_secret: Name
    schedule: str = "0 30 2 * * *"
    retention_days: Annotated[int, Field(ge=7, le=365)] = 30


class Database(Part):
    """The ledger's PostgreSQL, run by CloudNativePG."""

    instances: Annotated[int, Field(ge=3, le=7)] = 3
    image: Image = "ghcr.io/cloudnative-pg/postgresql:18.4"
    storage_gib: Annotated[int, Field(ge=10)] = 100
    wal_gib: Annotated[int, Field(ge=5)] = 20
    storage_class: str = ""
    backup: Backup


class SbcInstance(Part):
    """One SBC: a name of its own, a node of its own, a public address of its own."""

    name: Name
    host_name: str
    address: Address4
    node: ObjectName


class Sbc(Borders):
    """The session border controllers."""

    namespace: OwnNamespace = "callplane-sbc"
    kamailio_image: Image
    media_image: Image
    instances: tuple[SbcInstance, ...]
    issuer: Name
    # A ConfigMap with `ca.pem`: the roots that the SBC trusts when it calls out.
    trust_bundle: Name = "callplane-sbc-roots"
    # On each SBC's node: its spool of call records lies in a folder of its own there.
    spool_folder: Annotated[str, Field(pattern=r"^(/[\w.-]+)+$")] = "/var/lib/callplane"


class Configuration(OnCluster):
    """Everything a stack needs to know; secrets come from the secrets provider instead."""

    target: Literal["Kubernetes"] = "Kubernetes"
    networks: Networks
    database: Database
    sbc: Sbc


def read(written: object) -> Configuration:
    """The configuration in a document. Raises ConfigurationRefused with every reason."""
    document = configuration.mapping(written)
    networks = configuration_rules.part(document, "networks").items()
    return configuration.read(
        Configuration,
        document,
        [
            configuration_rules.overlaps(document, [(f"networks.{k}", v) for k, v in networks]),
            configuration_rules.host_names(document),
            configuration_rules.enough_instances(document, own=("name", "address", "node")),
            configuration_rules.reachable(document),
            configuration_rules.peers(document),
        ],
    )
