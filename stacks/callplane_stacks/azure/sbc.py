"""Sbc: Kamailio, rtpengine and call control on virtual machines, each with an address that stays.

Each machine has a network interface, a public address, a name and a certificate of its own, which
calls in progress and carriers' lists depend on. Its files lie in a store that it reads when
Kamailio starts, so new numbers need a restart, which drains first, and no new machine. A changed
machine is replaced only where the configuration says that it is drained.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

import pulumi
import pulumi_azure_native.compute as compute
import pulumi_azure_native.dns as dns
import pulumi_azure_native.managedidentity as managedidentity
import pulumi_azure_native.network as network

from callplane.sbc.model import Sbc as Values
from callplane_stacks import cloud_init, machine_sbc
from callplane_stacks.azure import file_store
from callplane_stacks.azure.configuration import Configuration
from callplane_stacks.azure.file_store import FileStore
from callplane_stacks.azure.lock import locked
from callplane_stacks.azure.network import Network, refuse_the_rest, tags
from callplane_stacks.firewall import Rule
from callplane_stacks.machine_sbc import Place
from callplane_stacks.machines import MachineInstance

#: What Azure takes in one security group.
MOST_RULES = 1000
USER = "callplane"


class Sbc(pulumi.ComponentResource):
    """The session border controllers of a stack."""

    def __init__(
        self,
        configuration: Configuration,
        values: Mapping[str, Values],
        network: Network,
        calls_uri: pulumi.Input[str],
        options: pulumi.ResourceOptions,
    ) -> None:
        super().__init__("callplane:azure:Sbc", "sbc", None, options)
        self._configuration = configuration
        self._network = network
        self._here = pulumi.ResourceOptions(parent=self)
        self._store = FileStore(configuration, network, self._here)
        #: The public address of each SBC, and the id of its machine.
        self.addresses: dict[str, pulumi.Output[str]] = {}
        self.machines: dict[str, pulumi.Output[str]] = {}
        rules = admitted(configuration, values)
        for instance in configuration.sbc.instances:
            found = values[instance.name]
            identity = self._identity(instance)
            address = self._address(instance)
            files = machine_sbc.files(instance, found, calls_uri, _given(address))
            rights = [
                *self._store.put(instance.name, files, identity),
                file_store.granted(
                    f"{instance.name}-names",
                    configuration.sbc.dns_zone,
                    file_store.DNS_CONTRIBUTOR,
                    identity,
                    self._here,
                ),
            ]
            needed = [*rights, self._named(instance, address)]
            face = self._face(instance, address, self._firewall(instance, rules[instance.name]))
            self.addresses[instance.name] = _given(address)
            self.machines[instance.name] = self._machine(
                instance, face, identity, self._born(instance, found, address, identity), needed
            )
        self.register_outputs({"addresses": self.addresses})

    def _identity(self, instance: MachineInstance) -> managedidentity.UserAssignedIdentity:
        """What a machine is to Azure: it reads its own files, and proves its own name."""
        return managedidentity.UserAssignedIdentity(
            instance.name,
            resource_name_=f"callplane-{instance.name}",
            resource_group_name=self._network.ground.group,
            location=self._network.ground.location,
            tags=tags(instance.name),
            opts=self._here,
        )

    def _address(self, instance: MachineInstance) -> network.PublicIPAddress:
        return network.PublicIPAddress(
            instance.name,
            public_ip_address_name=f"callplane-{instance.name}",
            resource_group_name=self._network.ground.group,
            location=self._network.ground.location,
            sku=network.PublicIPAddressSkuArgs(name="Standard"),
            public_ip_allocation_method="Static",
            public_ip_address_version="IPv4",
            zones=[instance.zone],
            tags=tags(instance.name),
            # Carriers have it in their lists: it outlives every machine.
            opts=pulumi.ResourceOptions(parent=self, protect=True),
        )

    def _named(
        self, instance: MachineInstance, address: network.PublicIPAddress
    ) -> pulumi.Resource:
        parts = self._configuration.sbc.dns_zone.split("/")
        zone = parts[-1]
        return dns.RecordSet(
            instance.name,
            relative_record_set_name=instance.host_name.removesuffix(f".{zone}"),
            zone_name=zone,
            resource_group_name=parts[4],
            record_type="A",
            ttl=60,
            a_records=[dns.ARecordArgs(ipv4_address=_given(address))],
            opts=self._here,
        )

    def _firewall(
        self, instance: MachineInstance, rules: Sequence[Rule]
    ) -> network.NetworkSecurityGroup:
        return network.NetworkSecurityGroup(
            instance.name,
            network_security_group_name=f"callplane-{instance.name}",
            resource_group_name=self._network.ground.group,
            location=self._network.ground.location,
            security_rules=[*security_rules(rules), refuse_the_rest()],
            tags=tags(instance.name),
            opts=self._here,
        )

    def _face(
        self,
        instance: MachineInstance,
        address: network.PublicIPAddress,
        firewall: network.NetworkSecurityGroup,
    ) -> network.NetworkInterface:
        return network.NetworkInterface(
            instance.name,
            network_interface_name=f"callplane-{instance.name}",
            resource_group_name=self._network.ground.group,
            location=self._network.ground.location,
            enable_accelerated_networking=True,
            network_security_group=network.NetworkSecurityGroupArgs(id=firewall.id),
            ip_configurations=[
                network.NetworkInterfaceIPConfigurationArgs(
                    name="sbc",
                    primary=True,
                    private_ip_address=str(instance.address),
                    private_ip_allocation_method="Static",
                    public_ip_address=network.PublicIPAddressArgs(id=address.id),
                    subnet=network.SubnetArgs(id=self._network.sbcs.id),
                )
            ],
            tags=tags(instance.name),
            # Azure moves an interface under a running machine: not one that carries calls.
            opts=pulumi.ResourceOptions(
                parent=self,
                protect=not instance.drained,
                ignore_changes=[] if instance.drained else ["ipConfigurations"],
            ),
        )

    def _born(
        self,
        instance: MachineInstance,
        values: Values,
        address: network.PublicIPAddress,
        identity: managedidentity.UserAssignedIdentity,
    ) -> pulumi.Output[str]:
        """The machine's cloud-init, as Azure takes it."""
        chosen = self._configuration.sbc
        parts = chosen.dns_zone.split("/")

        def written(given: list[str]) -> str:
            place = Place(
                cloud="azure",
                public_address=given[0],
                image=self._configuration.platform.image,
                files=f"{given[1]}/{instance.name}",
                dns="azure",
                settings={
                    "AZURE_CLIENT_ID": given[2],
                    "AZURE_SUBSCRIPTION_ID": parts[2],
                    "AZURE_RESOURCE_GROUP": parts[4],
                    "AZURE_ZONE_NAME": parts[-1],
                },
            )
            text = cloud_init.user_data(machine_sbc.settings(chosen, instance, values, place))
            return base64.b64encode(text.encode()).decode()

        outputs = (_given(address), self._store.endpoint, identity.client_id)
        return pulumi.Output.all(*outputs).apply(written)

    def _machine(
        self,
        instance: MachineInstance,
        face: network.NetworkInterface,
        identity: managedidentity.UserAssignedIdentity,
        born: pulumi.Output[str],
        needed: Sequence[pulumi.Resource],
    ) -> pulumi.Output[str]:
        chosen = self._configuration.sbc
        held = not instance.drained
        name = f"callplane-{instance.name}"
        made = compute.VirtualMachine(
            instance.name,
            vm_name=name,
            resource_group_name=self._network.ground.group,
            location=self._network.ground.location,
            zones=[instance.zone],
            hardware_profile=compute.HardwareProfileArgs(vm_size=chosen.machine_type),
            identity=compute.VirtualMachineIdentityArgs(
                type=compute.ResourceIdentityType.USER_ASSIGNED,
                user_assigned_identities=[identity.id],
            ),
            network_profile=compute.NetworkProfileArgs(
                network_interfaces=[compute.NetworkInterfaceReferenceArgs(id=face.id, primary=True)]
            ),
            os_profile=_operating_system(instance.name, chosen.ssh_key, born),
            storage_profile=_storage(self._configuration),
            security_profile=compute.SecurityProfileArgs(
                encryption_at_host=True,
                security_type="TrustedLaunch",
                uefi_settings=compute.UefiSettingsArgs(
                    secure_boot_enabled=True, v_tpm_enabled=True
                ),
            ),
            tags={**tags(instance.name), "drained": str(instance.drained).lower()},
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=list(needed),
                protect=held,
                # An interface has one machine at a time.
                delete_before_replace=True,
                ignore_changes=["storageProfile", "hardwareProfile", "osProfile"] if held else [],
            ),
        )
        if held:
            # Azure waits for no drain when it deletes a machine, so nobody deletes one in use.
            locked(name, made.id, self._here)
        return made.id


def _operating_system(name: str, ssh_key: str, born: pulumi.Output[str]) -> compute.OSProfileArgs:
    return compute.OSProfileArgs(
        computer_name=name,
        admin_username=USER,
        custom_data=born,
        linux_configuration=compute.LinuxConfigurationArgs(
            disable_password_authentication=True,
            ssh=compute.SshConfigurationArgs(
                public_keys=[
                    compute.SshPublicKeyArgs(
                        key_data=ssh_key, path=f"/home/{USER}/.ssh/authorized_keys"
                    )
                ]
            ),
        ),
    )


def _storage(configuration: Configuration) -> compute.StorageProfileArgs:
    image = configuration.sbc.machine_image
    return compute.StorageProfileArgs(
        image_reference=compute.ImageReferenceArgs(
            publisher=image.publisher, offer=image.offer, sku=image.sku, version=image.version
        ),
        os_disk=compute.OSDiskArgs(
            create_option="FromImage",
            disk_size_gb=configuration.sbc.disk_gib,
            # Call records that nobody has taken yet lie on it.
            delete_option="Detach",
            managed_disk=compute.ManagedDiskParametersArgs(storage_account_type="Premium_LRS"),
        ),
    )


def _given(address: network.PublicIPAddress) -> pulumi.Output[str]:
    """The address that Azure gave, which a static one has from the beginning."""
    return address.ip_address.apply(lambda text: text or "")


def admitted(
    configuration: Configuration, values: Mapping[str, Values]
) -> dict[str, tuple[Rule, ...]]:
    """The firewall of each SBC. Raises ConfigurationRefused where a group would not hold it."""
    network = configuration.network
    return machine_sbc.admitted(
        configuration.sbc,
        values,
        cluster=network.cluster,
        administrators=network.administrators,
        quota=MOST_RULES,
    )


def security_rules(rules: Sequence[Rule]) -> Iterator[network.SecurityRuleArgs]:
    """One rule for all networks of a peer that may reach the same ports."""

    def alike(rule: Rule) -> tuple[str, str, int, int, int]:
        version = rule.network.version
        return rule.peer, rule.protocol, rule.first_port, rule.last_port, version

    for number, (same, members) in enumerate(groupby(sorted(rules, key=alike), key=alike)):
        peer, protocol, first, last, version = same
        span = str(first) if first == last else f"{first}-{last}"
        yield network.SecurityRuleArgs(
            name=f"{peer}-{protocol}-{span}-v{version}".replace(" ", "-").lower(),
            description=peer,
            priority=100 + number,
            direction="Inbound",
            access="Allow",
            protocol=protocol.capitalize(),
            source_address_prefixes=[str(rule.network) for rule in members],
            source_port_range="*",
            destination_address_prefix="*",
            destination_port_range=span,
        )
