"""LedgerDatabase: PostgreSQL by RDS, with a standby in another zone and backups to the minute."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi
import pulumi_aws.ec2 as ec2
import pulumi_aws.kms as kms
import pulumi_aws.rds as rds
import pulumi_aws.vpc as vpc

from callplane_stacks import database_roles
from callplane_stacks.aws.configuration import Configuration
from callplane_stacks.aws.network import tags

NAME = "callplane-ledger"


class LedgerDatabase(pulumi.ComponentResource):
    """A server and its standby, its own key, and who may speak to it."""

    def __init__(
        self,
        configuration: Configuration,
        subnets: Sequence[pulumi.Input[str]],
        administrator_password: pulumi.Input[str],
        options: pulumi.ResourceOptions,
    ) -> None:
        super().__init__("callplane:aws:LedgerDatabase", "database", None, options)
        self._here = pulumi.ResourceOptions(parent=self)
        self.server = self._server(configuration, subnets, administrator_password)
        self.host = self.server.address
        self.register_outputs({"host": self.host})

    def _server(
        self,
        configuration: Configuration,
        subnets: Sequence[pulumi.Input[str]],
        administrator_password: pulumi.Input[str],
    ) -> rds.Instance:
        chosen = configuration.database
        places = rds.SubnetGroup(
            "database", subnet_ids=list(subnets), tags=tags("database"), opts=self._here
        )
        return rds.Instance(
            "database",
            identifier=NAME,
            engine="postgres",
            engine_version=chosen.version,
            instance_class=chosen.machine_type,
            db_name=database_roles.DATABASE,
            username=database_roles.ADMINISTRATOR,
            password=administrator_password,
            port=database_roles.PORT,
            allocated_storage=chosen.storage_gib,
            max_allocated_storage=chosen.storage_limit_gib,
            storage_type="gp3",
            storage_encrypted=True,
            kms_key_id=self._key(),
            # A posting that was answered for is in two zones.
            multi_az=True,
            publicly_accessible=False,
            db_subnet_group_name=places.name,
            vpc_security_group_ids=[self._firewall(configuration)],
            parameter_group_name=self._parameters(chosen.version),
            backup_retention_period=chosen.backup_days,
            backup_window="02:00-03:00",
            maintenance_window="sun:03:30-sun:04:30",
            copy_tags_to_snapshot=True,
            delete_automated_backups=False,
            deletion_protection=True,
            skip_final_snapshot=False,
            final_snapshot_identifier=f"{NAME}-final",
            auto_minor_version_upgrade=True,
            enabled_cloudwatch_logs_exports=["postgresql", "upgrade"],
            tags=tags("database"),
            # RDS makes the storage larger by itself.
            opts=pulumi.ResourceOptions(
                parent=self, protect=True, ignore_changes=["allocatedStorage"]
            ),
        )

    def _key(self) -> pulumi.Output[str]:
        """Without it nobody reads the ledger or a backup of it, so it is protected like them."""
        return kms.Key(
            "database",
            description="The ledger of Callplane",
            enable_key_rotation=True,
            deletion_window_in_days=30,
            tags=tags("database"),
            opts=pulumi.ResourceOptions(parent=self, protect=True),
        ).arn

    def _parameters(self, version: str) -> pulumi.Output[str]:
        return rds.ParameterGroup(
            "database",
            family=f"postgres{version.partition('.')[0]}",
            parameters=[
                rds.ParameterGroupParameterArgs(name="rds.force_ssl", value="1"),
                rds.ParameterGroupParameterArgs(name="password_encryption", value="scram-sha-256"),
            ],
            tags=tags("database"),
            opts=self._here,
        ).name

    def _firewall(self, configuration: Configuration) -> pulumi.Output[str]:
        """The cluster's pods sign in, and call control beside each SBC."""
        chosen = configuration.network
        group = ec2.SecurityGroup(
            "database",
            vpc_id=chosen.vpc,
            description="Who may speak to the ledger of Callplane",
            tags=tags("database"),
            opts=self._here,
        )
        admitted = {"cluster": chosen.cluster, **{zone.name: zone.sbcs for zone in chosen.zones}}
        for name, network in admitted.items():
            vpc.SecurityGroupIngressRule(
                f"database-{name}",
                security_group_id=group.id,
                cidr_ipv4=str(network),
                ip_protocol="tcp",
                from_port=database_roles.PORT,
                to_port=database_roles.PORT,
                description=f"PostgreSQL from {name}",
                tags=tags(f"database-{name}"),
                opts=self._here,
            )
        return group.id
