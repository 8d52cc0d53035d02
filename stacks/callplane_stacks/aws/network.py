"""Network: subnets of the SBCs, which the internet reaches, and closed ones of the database."""

from __future__ import annotations

import pulumi
import pulumi_aws.ec2 as ec2

from callplane_stacks.aws.configuration import Configuration

EVERYWHERE = "0.0.0.0/0"


def tags(name: str) -> dict[str, str]:
    """The tags that everything of a stack carries."""
    return {"Name": f"callplane-{name}", "managed-by": "pulumi", "part-of": "callplane"}


class Network(pulumi.ComponentResource):
    """A subnet for SBCs and one for the database in each zone."""

    def __init__(self, configuration: Configuration, options: pulumi.ResourceOptions) -> None:
        super().__init__("callplane:aws:Network", "network", None, options)
        self._here = pulumi.ResourceOptions(parent=self)
        chosen = configuration.network
        self.sbcs: dict[str, pulumi.Output[str]] = {}
        self.databases: list[pulumi.Output[str]] = []
        outside = self._table("sbcs", chosen.vpc)
        ec2.Route(
            "sbcs",
            route_table_id=outside,
            destination_cidr_block=EVERYWHERE,
            gateway_id=chosen.internet_gateway,
            opts=self._here,
        )
        # The database's subnets have no way out, so nothing outside has a way in.
        inside = self._table("database", chosen.vpc)
        for zone in chosen.zones:
            self.sbcs[zone.name] = self._subnet(
                f"sbcs-{zone.name}", chosen.vpc, zone.name, str(zone.sbcs), outside
            )
            self.databases.append(
                self._subnet(
                    f"database-{zone.name}", chosen.vpc, zone.name, str(zone.database), inside
                )
            )
        self.register_outputs({"sbcs": self.sbcs, "databases": self.databases})

    def _table(self, name: str, vpc: str) -> pulumi.Output[str]:
        return ec2.RouteTable(name, vpc_id=vpc, tags=tags(name), opts=self._here).id

    def _subnet(
        self, name: str, vpc: str, zone: str, network: str, table: pulumi.Output[str]
    ) -> pulumi.Output[str]:
        made = ec2.Subnet(
            name,
            vpc_id=vpc,
            availability_zone=zone,
            cidr_block=network,
            # Each SBC is given its own address; nothing else gets a public one.
            map_public_ip_on_launch=False,
            tags=tags(name),
            opts=self._here,
        )
        ec2.RouteTableAssociation(name, subnet_id=made.id, route_table_id=table, opts=self._here)
        return made.id
