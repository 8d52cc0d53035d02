"""LedgerDatabase: a flexible server of PostgreSQL with a standby in another zone."""

from __future__ import annotations

import pulumi
import pulumi_azure_native.dbforpostgresql as dbforpostgresql

from callplane_stacks import database_roles
from callplane_stacks.azure.configuration import Configuration
from callplane_stacks.azure.lock import locked
from callplane_stacks.azure.network import Network, tags

#: Settings of the server, by name.
SETTINGS = {"require_secure_transport": "on", "password_encryption": "scram-sha-256"}


class LedgerDatabase(pulumi.ComponentResource):
    """A server and its standby in a subnet of their own, the database, and a lock on both.

    Azure encrypts every server's storage with a key of its own; that cannot be switched off.
    """

    def __init__(
        self,
        configuration: Configuration,
        network: Network,
        administrator_password: pulumi.Input[str],
        options: pulumi.ResourceOptions,
    ) -> None:
        super().__init__("callplane:azure:LedgerDatabase", "database", None, options)
        self._here = pulumi.ResourceOptions(parent=self)
        self.server = self._server(configuration, network, administrator_password)
        group = network.ground.group
        database = dbforpostgresql.Database(
            "database",
            database_name=database_roles.DATABASE,
            server_name=self.server.name,
            resource_group_name=group,
            charset="UTF8",
            collation="en_US.utf8",
            opts=pulumi.ResourceOptions(parent=self, protect=True),
        )
        before: list[pulumi.Resource] = [database]
        # One after another: a server takes one change at a time.
        for name, value in SETTINGS.items():
            before.append(
                dbforpostgresql.Configuration(
                    name,
                    configuration_name=name,
                    server_name=self.server.name,
                    resource_group_name=group,
                    source="user-override",
                    value=value,
                    opts=pulumi.ResourceOptions(parent=self, depends_on=list(before)),
                )
            )
        self.ready: pulumi.Resource = before[-1]
        locked(configuration.database.name, self.server.id, self._here)
        self.host: pulumi.Output[str] = self.server.fully_qualified_domain_name
        self.register_outputs({"host": self.host})

    def _server(
        self, configuration: Configuration, network: Network, password: pulumi.Input[str]
    ) -> dbforpostgresql.Server:
        chosen = configuration.database
        large = chosen.machine_type.startswith("Standard_E")
        tier = "MemoryOptimized" if large else "GeneralPurpose"
        return dbforpostgresql.Server(
            "database",
            server_name=chosen.name,
            resource_group_name=network.ground.group,
            location=network.ground.location,
            version=chosen.version,
            create_mode="Default",
            administrator_login=database_roles.ADMINISTRATOR,
            administrator_login_password=password,
            auth_config=dbforpostgresql.AuthConfigArgs(
                password_auth="Enabled", active_directory_auth="Disabled"
            ),
            sku=dbforpostgresql.SkuArgs(name=chosen.machine_type, tier=tier),
            storage=dbforpostgresql.StorageArgs(
                storage_size_gb=chosen.storage_gib, auto_grow="Enabled"
            ),
            availability_zone=chosen.zone,
            # A posting that was answered for is in two zones.
            high_availability=dbforpostgresql.HighAvailabilityArgs(
                mode="ZoneRedundant", standby_availability_zone=chosen.standby_zone
            ),
            network=dbforpostgresql.NetworkArgs(
                delegated_subnet_resource_id=network.database.id,
                private_dns_zone_arm_resource_id=network.names.id,
                public_network_access="Disabled",
            ),
            backup=dbforpostgresql.BackupArgs(
                backup_retention_days=chosen.backup_days,
                geo_redundant_backup="Enabled" if chosen.backups_abroad else "Disabled",
            ),
            maintenance_window=dbforpostgresql.MaintenanceWindowArgs(
                custom_window="Enabled", day_of_week=0, start_hour=3, start_minute=30
            ),
            tags=tags("database"),
            # Azure makes the storage larger by itself, and swaps the zones at a failover.
            opts=pulumi.ResourceOptions(
                parent=self,
                protect=True,
                ignore_changes=[
                    "storage.storageSizeGB",
                    "availabilityZone",
                    "highAvailability.standbyAvailabilityZone",
                ],
            ),
        )
