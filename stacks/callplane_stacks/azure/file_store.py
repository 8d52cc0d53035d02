"""FileStore: the files of the SBCs, in an account that only their machines read."""

from __future__ import annotations

import uuid
from collections.abc import Mapping

import pulumi
import pulumi_azure_native.authorization as authorization
import pulumi_azure_native.managedidentity as managedidentity
import pulumi_azure_native.storage as storage

from callplane_stacks.azure.configuration import Configuration
from callplane_stacks.azure.network import Network, tags

#: Roles that Azure defines, by their ids.
BLOB_READER = "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1"
DNS_CONTRIBUTOR = "befefa01-2a29-4197-83a8-272ff33ce314"


class FileStore(pulumi.ComponentResource):
    """An account with a container for each SBC. Azure encrypts it; it speaks TLS only."""

    def __init__(
        self, configuration: Configuration, network: Network, options: pulumi.ResourceOptions
    ) -> None:
        super().__init__("callplane:azure:FileStore", "sbc-files", None, options)
        self._here = pulumi.ResourceOptions(parent=self)
        self._group = network.ground.group
        self._account = storage.StorageAccount(
            "sbc-files",
            account_name=configuration.sbc.store,
            resource_group_name=self._group,
            location=network.ground.location,
            kind="StorageV2",
            sku=storage.SkuArgs(name="Standard_ZRS"),
            enable_https_traffic_only=True,
            minimum_tls_version="TLS1_2",
            allow_blob_public_access=False,
            allow_cross_tenant_replication=False,
            # Pulumi writes the files with the account's key.
            allow_shared_key_access=True,
            tags=tags("sbc-files"),
            opts=self._here,
        )
        self.endpoint: pulumi.Output[str] = self._account.primary_endpoints.apply(
            lambda endpoints: str(endpoints.blob).rstrip("/")
        )
        self.register_outputs({"endpoint": self.endpoint})

    def put(
        self,
        owner: str,
        files: Mapping[str, pulumi.Input[str]],
        reader: managedidentity.UserAssignedIdentity,
    ) -> list[pulumi.Resource]:
        """Store the files of one SBC in a container of its name, which `reader` may read."""
        container = storage.BlobContainer(
            owner,
            container_name=owner,
            account_name=self._account.name,
            resource_group_name=self._group,
            public_access=storage.PublicAccess.NONE,
            opts=self._here,
        )
        right = granted(f"{owner}-files", container.id, BLOB_READER, reader, self._here)
        blobs: list[pulumi.Resource] = [
            storage.Blob(
                f"{owner}-{name}",
                blob_name=name,
                container_name=container.name,
                account_name=self._account.name,
                resource_group_name=self._group,
                type=storage.BlobType.BLOCK,
                content_type="text/plain; charset=utf-8",
                source=pulumi.Output.from_input(content).apply(pulumi.StringAsset),
                opts=self._here,
            )
            for name, content in files.items()
        ]
        return [right, *blobs]


def granted(
    name: str,
    scope: pulumi.Input[str],
    role: str,
    to: managedidentity.UserAssignedIdentity,
    options: pulumi.ResourceOptions,
) -> authorization.RoleAssignment:
    """A role over one resource; its name has to be a GUID, and the same one each time."""
    definition = f"/providers/Microsoft.Authorization/roleDefinitions/{role}"
    return authorization.RoleAssignment(
        name,
        role_assignment_name=str(uuid.uuid5(uuid.NAMESPACE_URL, f"callplane:{name}")),
        scope=scope,
        role_definition_id=definition,
        principal_id=to.principal_id,
        principal_type="ServicePrincipal",
        opts=options,
    )
