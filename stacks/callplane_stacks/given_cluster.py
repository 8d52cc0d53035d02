"""What AWS and Azure have in common on the Kubernetes cluster that is there already: the platform,
the database's roles and addresses, metrics, alerts and dashboards, GitOps.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata

import pulumi

from callplane.deployment import alerts, dashboards, sbc_pod
from callplane_stacks import database_roles, gitops, platform_component, sbc_rules
from callplane_stacks.configuration import OnCluster
from callplane_stacks.database_roles import Roles, Server
from callplane_stacks.machines import Machines
from callplane_stacks.objects import IN_PLACE, PROVIDER_PACKAGE, Body, Component, labelled

COMPONENT = "observability"
#: The passwords that a stack on a cloud is given, by role.
PASSWORDS = (database_roles.ADMINISTRATOR, *database_roles.ROLES)


class Observability(Component):
    """The operator's own monitors, alerts and dashboards, and where the SBCs' metrics are."""


@dataclass(frozen=True, slots=True)
class OnGivenCluster:
    """The components on the cluster."""

    platform: platform_component.Platform
    roles: database_roles.DatabaseRoles
    observability: Observability
    gitops: gitops.GitOps


class Cluster(pulumi.ProviderResource):
    """The Kubernetes provider for a kubeconfig, which is a secret."""

    def __init__(self, name: str, kubeconfig: pulumi.Input[str]) -> None:
        super().__init__(
            "kubernetes",
            name,
            {"kubeconfig": pulumi.Output.secret(kubeconfig), **dict.fromkeys(IN_PLACE, "true")},
            pulumi.ResourceOptions(version=metadata.version(PROVIDER_PACKAGE)),
        )


def deploy(
    configuration: OnCluster,
    machines: Machines,
    roles: Roles,
    server: Server,
    kubeconfig: pulumi.Input[str],
) -> OnGivenCluster:
    """Declare everything; roles wait for the database."""
    cluster = Cluster("cluster", kubeconfig)

    def options() -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(providers={"kubernetes": cluster})

    platform = platform_component.Platform(
        "platform", platform_component.objects(configuration), options=options()
    )
    place = platform.made[f"namespace.{configuration.platform.namespace}"]
    made = database_roles.DatabaseRoles(
        "database-roles",
        database_roles.objects(configuration, roles, server),
        after=[place, server.made],
        options=options(),
    )
    watching = Observability(
        "observability", metrics(configuration, machines), after=[place], options=options()
    )
    tenants = gitops.GitOps(
        "gitops", gitops.objects(configuration), after=[platform], options=options()
    )
    return OnGivenCluster(platform, made, watching, tenants)


def metrics(configuration: OnCluster, machines: Machines) -> list[Body]:
    """What Prometheus on the cluster reads; machines are named, since no Service finds them."""
    described = platform_component.options(configuration)
    targets = {
        instance.name: [
            f"{instance.address}:{port}" for port in (sbc_pod.METRICS_PORT, sbc_pod.PROBE_PORT)
        ]
        for instance in machines.instances
    }
    return [
        *alerts.objects(described),
        *dashboards.objects(described),
        {
            "apiVersion": "monitoring.coreos.com/v1alpha1",
            "kind": "ScrapeConfig",
            "metadata": labelled("callplane-sbc", COMPONENT, configuration.platform.namespace),
            "spec": {
                "scrapeInterval": "15s",
                "staticConfigs": [
                    {"labels": {"sbc": name}, "targets": list(each)}
                    for name, each in targets.items()
                ],
            },
        },
        {
            "apiVersion": "monitoring.coreos.com/v1",
            "kind": "PrometheusRule",
            "metadata": labelled("callplane-stack", COMPONENT, configuration.platform.namespace),
            "spec": {
                "groups": [
                    {
                        "name": "callplane-stack",
                        "rules": sbc_rules.rules(
                            {
                                name: [f'sbc="{name}",instance="{target}"' for target in each]
                                for name, each in targets.items()
                            }
                        ),
                    }
                ]
            },
        },
    ]


def sealed(passwords: Mapping[str, pulumi.Input[str]]) -> dict[str, pulumi.Input[str]]:
    """Every role's password, as secrets."""
    return {role: pulumi.Output.secret(passwords[role]) for role in PASSWORDS}
