"""LedgerDatabase: PostgreSQL by CloudNativePG, with a synchronous standby and backups.

Backups go through the Barman Cloud plugin: CloudNativePG's own is deprecated since 1.26. Sessions
are pooled as sessions, because the processes LISTEN.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import pulumi

from callplane.deployment.options import (
    CALLS_URI_KEY,
    OWNER_URI_KEY,
    READER_URI_KEY,
    URI_KEY,
)
from callplane_stacks.kubernetes.configuration import Configuration
from callplane_stacks.objects import Body, Component, labelled

COMPONENT = "database"
CLUSTER = "callplane-ledger"
POOLER = f"{CLUSTER}-pooler"
DATABASE = "callplane"
OWNER = "callplane_owner"
#: The roles to which `callplane database upgrade` grants the rights of the operator, call control
#: and the admin API.
SERVICE = "callplane_service"
CALLS = "callplane_calls"
READER = "callplane_reader"
CNPG = "postgresql.cnpg.io/v1"
PLUGIN = "barman-cloud.cloudnative-pg.io"
OPERATOR_NAMESPACE = "cnpg-system"
POSTGRES_PORT, STATUS_PORT, METRICS_PORT = 5432, 8000, 9187
GRANTED = (SERVICE, CALLS, READER)
ROLES = (OWNER, *GRANTED)


class LedgerDatabase(Component):
    """A cluster of PostgreSQL servers, its backups, its pooler and its roles."""


def objects(configuration: Configuration, passwords: Mapping[str, pulumi.Input[str]]) -> list[Body]:
    """Everything but the operator of CloudNativePG itself; `passwords` by role, as secrets."""
    place = configuration.platform.namespace
    return [
        *(_password(role, passwords[role], place) for role in ROLES),
        _addresses(passwords, place),
        _store(configuration, place),
        _cluster(configuration, place),
        _backups(configuration, place),
        _pooler(place),
        _network_policy(configuration, place),
    ]


def _password(role: str, password: pulumi.Input[str], place: str) -> Body:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": labelled(_secret_name(role), COMPONENT, place),
        "type": "kubernetes.io/basic-auth",
        "stringData": {"username": role, "password": password},
    }


def address(
    role: str, passwords: Mapping[str, pulumi.Input[str]], place: str
) -> pulumi.Output[str]:
    """The URI of the database as a role; listeners need a session, so no pooler here."""
    host = f"{CLUSTER}-rw.{place}:{POSTGRES_PORT}/{DATABASE}?sslmode=require"
    # Of a password with signs of an address in it nobody could tell where it ends.
    password = pulumi.Output.from_input(passwords[role]).apply(lambda each: quote(each, safe=""))
    return pulumi.Output.concat("postgresql://", role, ":", password, "@", host)


def _addresses(passwords: Mapping[str, pulumi.Input[str]], place: str) -> Body:
    """The Secret that the platform's pods read."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": labelled("callplane-database", COMPONENT, place),
        "stringData": {
            URI_KEY: address(SERVICE, passwords, place),
            OWNER_URI_KEY: address(OWNER, passwords, place),
            CALLS_URI_KEY: address(CALLS, passwords, place),
            READER_URI_KEY: address(READER, passwords, place),
        },
    }


def _store(configuration: Configuration, place: str) -> Body:
    backup = configuration.database.backup
    reference = {"name": backup.credentials_secret}
    return {
        "apiVersion": "barmancloud.cnpg.io/v1",
        "kind": "ObjectStore",
        "metadata": labelled(CLUSTER, COMPONENT, place),
        "spec": {
            "retentionPolicy": f"{backup.retention_days}d",
            "configuration": {
                "destinationPath": backup.destination,
                "s3Credentials": {
                    "accessKeyId": {**reference, "key": "ACCESS_KEY_ID"},
                    "secretAccessKey": {**reference, "key": "SECRET_ACCESS_KEY"},
                },
                "wal": {"compression": "gzip"},
                "data": {"compression": "gzip"},
            },
        },
    }


def _cluster(configuration: Configuration, place: str) -> Body:
    chosen = configuration.database
    return {
        "apiVersion": CNPG,
        "kind": "Cluster",
        "metadata": labelled(CLUSTER, COMPONENT, place),
        "spec": {
            "instances": chosen.instances,
            "imageName": chosen.image,
            "storage": _storage(chosen.storage_gib, chosen.storage_class),
            "walStorage": _storage(chosen.wal_gib, chosen.storage_class),
            "enableSuperuserAccess": False,
            "enablePDB": True,
            "primaryUpdateStrategy": "unsupervised",
            "primaryUpdateMethod": "switchover",
            "bootstrap": {
                "initdb": {
                    "database": DATABASE,
                    "owner": OWNER,
                    "secret": {"name": _secret_name(OWNER)},
                    "dataChecksums": True,
                    # There before anything else can be: the upgrade grants rights to those of
                    # these roles that exist, and comes again with the operator's next pod only.
                    # Their logins and passwords follow from `managed`.
                    "postInitSQL": [f"create role {role}" for role in GRANTED],
                }
            },
            "managed": {
                "roles": [
                    {
                        "name": role,
                        "ensure": "present",
                        "login": True,
                        "passwordSecret": {"name": _secret_name(role)},
                    }
                    for role in GRANTED
                ]
            },
            "postgresql": {
                # A posting that was answered for is on two disks.
                "synchronous": {"method": "any", "number": 1, "dataDurability": "required"},
                "parameters": {
                    "password_encryption": "scram-sha-256",
                    # PostgreSQL's own 100 are used up by two operators and four call controls
                    # (docs/sizing.md).
                    "max_connections": "300",
                },
            },
            "plugins": [
                {
                    "name": PLUGIN,
                    "isWALArchiver": True,
                    "parameters": {"barmanObjectName": CLUSTER},
                }
            ],
            "affinity": {
                "podAntiAffinityType": "required",
                "topologyKey": "kubernetes.io/hostname",
            },
            "resources": {
                "requests": {"cpu": "500m", "memory": "1Gi"},
                "limits": {"memory": "1Gi"},
            },
        },
    }


def _storage(size_gib: int, storage_class: str) -> Body:
    found: Body = {"size": f"{size_gib}Gi", "resizeInUseVolumes": True}
    if storage_class:
        found["storageClass"] = storage_class
    return found


def _backups(configuration: Configuration, place: str) -> Body:
    return {
        "apiVersion": CNPG,
        "kind": "ScheduledBackup",
        "metadata": labelled(CLUSTER, COMPONENT, place),
        "spec": {
            "cluster": {"name": CLUSTER},
            # Six fields: the first is seconds.
            "schedule": configuration.database.backup.schedule,
            "method": "plugin",
            "pluginConfiguration": {"name": PLUGIN},
            "backupOwnerReference": "self",
            "immediate": True,
        },
    }


def _pooler(place: str) -> Body:
    return {
        "apiVersion": CNPG,
        "kind": "Pooler",
        "metadata": labelled(POOLER, COMPONENT, place),
        "spec": {
            "cluster": {"name": CLUSTER},
            "instances": 2,
            "type": "rw",
            "pgbouncer": {
                "poolMode": "session",
                "parameters": {"max_client_conn": "500", "default_pool_size": "40"},
            },
        },
    }


def _network_policy(configuration: Configuration, place: str) -> Body:
    """The database answers our own pods, its pooler, its standbys and its operator; and nodes,
    since call control beside an SBC has the address of its node.
    """
    ours: Body = {"podSelector": {"matchLabels": {"app.kubernetes.io/name": "callplane"}}}
    cluster: Body = {"podSelector": {"matchLabels": {"cnpg.io/cluster": CLUSTER}}}
    operator: Body = {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": OPERATOR_NAMESPACE}}
    }
    nodes: Body = {"ipBlock": {"cidr": str(configuration.networks.nodes)}}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": labelled(CLUSTER, COMPONENT, place),
        "spec": {
            "podSelector": {"matchLabels": {"cnpg.io/cluster": CLUSTER}},
            "policyTypes": ["Ingress"],
            "ingress": [
                {"from": [ours, cluster, operator, nodes], "ports": [_port(POSTGRES_PORT)]},
                {"from": [cluster, operator], "ports": [_port(STATUS_PORT)]},
                {"from": [{"namespaceSelector": {}}], "ports": [_port(METRICS_PORT)]},
            ],
        },
    }


def _port(number: int) -> dict[str, Any]:
    return {"port": number, "protocol": "TCP"}


def _secret_name(role: str) -> str:
    return f"{CLUSTER}-{role.replace('_', '-')}"
