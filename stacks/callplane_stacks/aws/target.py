"""The facade of the AWS target: one configuration in, every component of a stack out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_aws

from callplane.sbc.model import Sbc
from callplane_stacks import database_roles, given_cluster
from callplane_stacks.aws import ledger_database, network, observability, sbc
from callplane_stacks.aws.configuration import Configuration


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
    # Before the first resource, whatever of the values AWS would refuse.
    sbc.admitted(configuration, inputs.sbcs)
    passwords = given_cluster.sealed(inputs.passwords)
    region = pulumi_aws.Provider("aws", region=configuration.region)
    options = pulumi.ResourceOptions(providers={"aws": region})
    ground = network.Network(configuration, options)
    database = ledger_database.LedgerDatabase(
        configuration,
        ground.databases,
        passwords[database_roles.ADMINISTRATOR],
        options,
    )
    server = database_roles.Server(database.host, passwords, database.server)
    borders = sbc.Sbc(
        configuration, inputs.sbcs, ground, server.address(database_roles.CALLS), options
    )
    watching = observability.Observability(
        configuration, ledger_database.NAME, borders.machines, options
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
