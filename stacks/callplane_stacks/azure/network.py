"""Network: the subnet of the SBCs, and that of the database with its private names."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_azure_native.network as network
import pulumi_azure_native.privatedns as privatedns
import pulumi_azure_native.resources as resources

from callplane_stacks.azure.configuration import Configuration

#: What a subnet is given away to.
FLEXIBLE_SERVERS = "Microsoft.DBforPostgreSQL/flexibleServers"

POSTGRES, STANDBY = "5432", "5432-6432"


def tags(name: str) -> dict[str, str]:
    """The tags that everything of a stack carries."""
    return {"name": f"callplane-{name}", "managed-by": "pulumi", "part-of": "callplane"}


@dataclass(frozen=True, slots=True)
class Ground:
    """What every resource of a stack lies in."""

    group: pulumi.Output[str]
    location: str


class Network(pulumi.ComponentResource):
    """Subnets in the virtual network that is there, and the stack's own resource group."""

    def __init__(self, configuration: Configuration, options: pulumi.ResourceOptions) -> None:
        super().__init__("callplane:azure:Network", "network", None, options)
        self._here = pulumi.ResourceOptions(parent=self)
        self._configuration = configuration
        made = resources.ResourceGroup(
            "callplane",
            resource_group_name=configuration.resource_group,
            location=configuration.location,
            tags=tags("group"),
            opts=self._here,
        )
        self.ground = Ground(made.name, configuration.location)
        # The account of files answers these machines and whoever runs the stack.
        self.sbcs = self._subnet("sbcs", endpoints=("Microsoft.Storage",), delegated="")
        self.database = self._subnet("database", endpoints=(), delegated=FLEXIBLE_SERVERS)
        self.names = self._names()
        self.register_outputs({"sbcs": self.sbcs.id, "database": self.database.id})

    def _subnet(self, name: str, *, endpoints: tuple[str, ...], delegated: str) -> network.Subnet:
        chosen = self._configuration.network
        parts = chosen.virtual_network.split("/")
        own = chosen.sbcs if name == "sbcs" else chosen.database
        return network.Subnet(
            name,
            subnet_name=f"callplane-{name}",
            resource_group_name=parts[4],
            virtual_network_name=parts[-1],
            address_prefix=str(own),
            # Each SBC is given its own address; nothing else gets a way out by itself.
            default_outbound_access=False,
            network_security_group=None
            if name == "sbcs"
            else network.NetworkSecurityGroupArgs(id=self._database_firewall().id),
            service_endpoints=[
                network.ServiceEndpointPropertiesFormatArgs(service=each) for each in endpoints
            ],
            delegations=[network.DelegationArgs(name="owner", service_name=delegated)]
            if delegated
            else [],
            opts=self._here,
        )

    def _database_firewall(self) -> network.NetworkSecurityGroup:
        """The cluster's pods sign in, and call control beside each SBC; standbys are within."""
        chosen = self._configuration.network
        rules = [
            _allow(100, "cluster", str(chosen.cluster), POSTGRES),
            _allow(101, "sbcs", str(chosen.sbcs), POSTGRES),
            # A server follows another within the subnet.
            _allow(102, "standby", str(chosen.database), STANDBY),
        ]
        return network.NetworkSecurityGroup(
            "database",
            network_security_group_name="callplane-database",
            resource_group_name=self.ground.group,
            location=self.ground.location,
            security_rules=[*rules, refuse_the_rest()],
            tags=tags("database"),
            opts=self._here,
        )

    def _names(self) -> privatedns.PrivateZone:
        """Where the database's name is found: in this virtual network only."""
        zone = privatedns.PrivateZone(
            "database",
            private_zone_name=f"{self._configuration.database.name}.private.postgres.database.azure.com",
            resource_group_name=self.ground.group,
            location="Global",
            tags=tags("database"),
            opts=self._here,
        )
        privatedns.VirtualNetworkLink(
            "database",
            virtual_network_link_name="callplane",
            private_zone_name=zone.name,
            resource_group_name=self.ground.group,
            location="Global",
            registration_enabled=False,
            virtual_network=privatedns.SubResourceArgs(
                id=self._configuration.network.virtual_network
            ),
            tags=tags("database"),
            opts=self._here,
        )
        return zone


def _allow(priority: int, name: str, source: str, ports: str) -> network.SecurityRuleArgs:
    return network.SecurityRuleArgs(
        name=f"postgres-{name}",
        description=f"PostgreSQL from {name}",
        priority=priority,
        direction="Inbound",
        access="Allow",
        protocol="Tcp",
        source_address_prefix=source,
        source_port_range="*",
        destination_address_prefix="*",
        destination_port_range=ports,
    )


def refuse_the_rest() -> network.SecurityRuleArgs:
    """The last rule: Azure's own would let everything of the virtual network in."""
    return network.SecurityRuleArgs(
        name="refuse-the-rest",
        description="What no rule lets in",
        priority=4096,
        direction="Inbound",
        access="Deny",
        protocol="*",
        source_address_prefix="*",
        source_port_range="*",
        destination_address_prefix="*",
        destination_port_range="*",
    )
