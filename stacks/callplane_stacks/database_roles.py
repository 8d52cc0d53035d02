"""The ledger's roles on a server that a cloud runs: a Job on the cluster makes them by psql, since
the server is private and its cloud knows one administrator only.

Its name holds a digest of what it runs and `passwords_version`, so it runs again when either
changes; what it does twice is as if done once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any
from urllib.parse import quote

import pulumi

from callplane.deployment import workload
from callplane.deployment.options import CALLS_URI_KEY, OWNER_URI_KEY, READER_URI_KEY, URI_KEY
from callplane_stacks.configuration import Image, OnCluster, Part
from callplane_stacks.objects import Body, Component, labelled

COMPONENT = "database"
DATABASE = "callplane"
ADMINISTRATOR = "callplane_admin"
#: Each has a password of its own; the upgrade of the schema grants rights to all but the first.
OWNER, SERVICE, CALLS, READER = ROLES = (
    "callplane_owner",
    "callplane_service",
    "callplane_calls",
    "callplane_reader",
)
PORT = 5432
NAME = "callplane-database-roles"
SECRET = "callplane-database"


class Roles(Part):
    """How the roles are made; raise the version with every change of a password."""

    image: Image = "docker.io/library/postgres:18.4"
    passwords_version: int = 1


class DatabaseRoles(Component):
    """The Job, its script and its passwords, and the addresses that the platform's pods read."""


@dataclass(frozen=True, slots=True)
class Server:
    """Where the database is, and every role's password, the administrator's too, as secrets."""

    host: pulumi.Input[str]
    passwords: Mapping[str, pulumi.Input[str]]
    # What has to be there before anybody signs in.
    made: pulumi.Resource

    def address(self, role: str) -> pulumi.Output[str]:
        """The URI of the database as a role, a secret."""

        def written(given: list[Any]) -> str:
            password, host = quote(given[0], safe=""), given[1]
            return f"postgresql://{role}:{password}@{host}:{PORT}/{DATABASE}?sslmode=require"

        parts: list[pulumi.Input[str]] = [self.passwords[role], self.host]
        return pulumi.Output.secret(pulumi.Output.all(*parts).apply(written))


def script() -> str:
    """What psql runs."""
    return (resources.files(__package__) / "database_roles.sql").read_text(encoding="utf-8")


def objects(configuration: OnCluster, roles: Roles, server: Server) -> list[Body]:
    """Everything about roles that the cluster holds."""
    place = configuration.platform.namespace
    text = script()
    digest = hashlib.sha256(f"{roles.image} {text}".encode()).hexdigest()[:8]
    return [
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": labelled(SECRET, COMPONENT, place),
            "stringData": {
                URI_KEY: server.address(SERVICE),
                OWNER_URI_KEY: server.address(OWNER),
                CALLS_URI_KEY: server.address(CALLS),
                READER_URI_KEY: server.address(READER),
            },
        },
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": labelled(NAME, COMPONENT, place),
            "stringData": {
                "PGHOST": server.host,
                "PGPASSWORD": server.passwords[ADMINISTRATOR],
                **{f"{role.upper()}_PASSWORD": server.passwords[role] for role in ROLES},
            },
        },
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": labelled(NAME, COMPONENT, place),
            "data": {"roles.sql": text},
        },
        _network_policy(place),
        _job(f"{NAME}-{digest}-{roles.passwords_version}", place, roles.image),
    ]


def _job(name: str, place: str, image: str) -> Body:
    labels = labelled(NAME, COMPONENT)["labels"]
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": labelled(name, COMPONENT, place),
        "spec": {
            # The server takes a while to answer after it was made.
            "backoffLimit": 20,
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "restartPolicy": "OnFailure",
                    "automountServiceAccountToken": False,
                    "enableServiceLinks": False,
                    "securityContext": {
                        "runAsNonRoot": True,
                        "runAsUser": workload.USER,
                        "runAsGroup": workload.USER,
                        "seccompProfile": {"type": "RuntimeDefault"},
                    },
                    "containers": [
                        {
                            "name": "psql",
                            "image": image,
                            "command": ["psql", "--no-psqlrc", "--file=/roles/roles.sql"],
                            "env": [
                                {"name": "PGUSER", "value": ADMINISTRATOR},
                                {"name": "PGDATABASE", "value": DATABASE},
                                {"name": "PGSSLMODE", "value": "require"},
                                {"name": "PGCONNECT_TIMEOUT", "value": "10"},
                            ],
                            "envFrom": [{"secretRef": {"name": NAME}}],
                            "securityContext": {
                                "allowPrivilegeEscalation": False,
                                "readOnlyRootFilesystem": True,
                                "capabilities": {"drop": ["ALL"]},
                            },
                            "resources": {
                                "requests": {"cpu": "50m", "memory": "64Mi"},
                                "limits": {"memory": "64Mi"},
                            },
                            "volumeMounts": [
                                {"name": "roles", "mountPath": "/roles", "readOnly": True}
                            ],
                        }
                    ],
                    "volumes": [{"name": "roles", "configMap": {"name": NAME}}],
                },
            },
        },
    }


def _network_policy(place: str) -> Body:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": labelled(NAME, COMPONENT, place),
        "spec": {
            "podSelector": {"matchLabels": labelled(NAME, COMPONENT)["labels"]},
            "policyTypes": ["Ingress", "Egress"],
            "egress": [
                {
                    "ports": [
                        workload.port(workload.DNS_PORT, "UDP"),
                        workload.port(workload.DNS_PORT),
                    ]
                },
                {"ports": [workload.port(PORT)]},
            ],
        },
    }
