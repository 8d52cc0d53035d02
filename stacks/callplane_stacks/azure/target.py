"""The facade of the Azure target: one configuration in, every component of a stack out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_azure_native

from callplane.sbc.model import Sbc
from callplane_stacks import database_roles, given_cluster
from callplane_stacks.azure import ledger_database, network, observability, sbc
from callplane_stacks.azure.configuration import Configuration


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a stack is made from: the configuration, each SBC's values, and as secrets the roles'
    passwords and the kubeconfig of the cluster.
    """

    configuration: Configuration
    sbcs: Mapping[str, Sbc]
    passwords: Mapping[str, pulumi.Input[str]]
    kubeconfig: pulumi.Input[str]


@dataclass(frozen=True, slots=True)
class Stack:
    """The components of a deployed stack."""

    network: network.Network
    database: ledger_database.LedgerDatabase
    sbc: sbc.Sbc
    observability: observability.Observability
    cluster: given_cluster.OnGivenCluster


def deploy(inputs: Inputs) -> Stack:
    """Declare everything. Raises ConfigurationRefused where a cloud would not take it."""
    configuration = inputs.configuration
    # Before the first resource, whatever of the values Azure would refuse.
    sbc.admitted(configuration, inputs.sbcs)
    passwords = given_cluster.sealed(inputs.passwords)
    subscription = pulumi_azure_native.Provider(
        "azure",
        subscription_id=configuration.network.virtual_network.split("/")[2],
        location=configuration.location,
    )
    options = pulumi.ResourceOptions(providers={"azure-native": subscription})
    ground = network.Network(configuration, options)
    database = ledger_database.LedgerDatabase(
        configuration, ground, passwords[database_roles.ADMINISTRATOR], options
    )
    server = database_roles.Server(database.host, passwords, database.ready)
    borders = sbc.Sbc(
        configuration, inputs.sbcs, ground, server.address(database_roles.CALLS), options
    )
    watching = observability.Observability(
        configuration, ground, database.server.id, borders.machines, options
    )
    cluster = given_cluster.deploy(
        configuration,
        configuration.sbc,
        configuration.database.roles,
        server,
        inputs.kubeconfig,
    )
    pulumi.export("namespace", configuration.platform.namespace)
    pulumi.export("sbcs", borders.addresses)
    return Stack(ground, database, borders, watching, cluster)
