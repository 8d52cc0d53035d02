"""The facade of the Kubernetes target: one configuration in, every component of a stack out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi

from callplane.sbc.model import Sbc
from callplane_stacks import gitops, platform_component
from callplane_stacks.kubernetes import ledger_database, observability, sbc
from callplane_stacks.kubernetes.configuration import Configuration


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a stack is made from: the configuration, each SBC's values, passwords as secrets."""

    configuration: Configuration
    sbcs: Mapping[str, Sbc]
    passwords: Mapping[str, pulumi.Input[str]]


@dataclass(frozen=True, slots=True)
class Stack:
    """The components of a deployed stack."""

    platform: platform_component.Platform
    database: ledger_database.LedgerDatabase
    sbc: sbc.Sbc
    observability: observability.Observability
    gitops: gitops.GitOps


def deploy(inputs: Inputs, options: pulumi.ResourceOptions | None = None) -> Stack:
    """Declare everything; the platform's namespace and definitions come first."""
    configuration = inputs.configuration
    passwords = {
        role: pulumi.Output.secret(inputs.passwords[role]) for role in ledger_database.ROLES
    }
    platform = platform_component.Platform(
        "platform", platform_component.objects(configuration), options=options
    )
    place = platform.made[f"namespace.{configuration.platform.namespace}"]
    database = ledger_database.LedgerDatabase(
        "database",
        ledger_database.objects(configuration, passwords),
        after=[place],
        options=options,
    )
    calls = ledger_database.address(
        ledger_database.CALLS, passwords, configuration.platform.namespace
    )
    borders = sbc.Sbc("sbc", sbc.objects(configuration, inputs.sbcs, calls), options=options)
    watching = observability.Observability(
        "observability",
        observability.objects(configuration),
        after=[place, borders.made[f"namespace.{configuration.sbc.namespace}"]],
        options=options,
    )
    tenants = gitops.GitOps(
        "gitops", gitops.objects(configuration), after=[platform], options=options
    )
    pulumi.export("namespace", configuration.platform.namespace)
    pulumi.export(
        "sbcs", {each.host_name: str(each.address) for each in configuration.sbc.instances}
    )
    return Stack(platform, database, borders, watching, tenants)
