"""Sbc: Kamailio, rtpengine and call control on machines of EC2, each with an address that stays.

Each machine has a network interface, an Elastic IP, a name and a certificate of its own, which
calls in progress and carriers' lists depend on. Its files lie in a store that it reads when
Kamailio starts, so new numbers need a restart, which drains first, and no new machine. A changed
machine is replaced only where the configuration says that it is drained.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

import pulumi
import pulumi_aws.ec2 as ec2
import pulumi_aws.iam as iam
import pulumi_aws.route53 as route53
import pulumi_aws.vpc as vpc

from callplane.sbc.model import Sbc as Values
from callplane_stacks import cloud_init, machine_sbc
from callplane_stacks.aws.configuration import Configuration
from callplane_stacks.aws.file_store import FileStore
from callplane_stacks.aws.network import EVERYWHERE, Network, tags
from callplane_stacks.firewall import Rule
from callplane_stacks.machine_sbc import Place
from callplane_stacks.machines import MachineInstance


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
        super().__init__("callplane:aws:Sbc", "sbc", None, options)
        self._configuration = configuration
        self._here = pulumi.ResourceOptions(parent=self)
        self._store = FileStore("sbc-files", self._here)
        self._key = ec2.KeyPair(
            "sbc", public_key=configuration.sbc.ssh_key, tags=tags("sbc"), opts=self._here
        )
        #: The public address of each SBC, and the id of its machine.
        self.addresses: dict[str, pulumi.Output[str]] = {}
        self.machines: dict[str, pulumi.Output[str]] = {}
        rules = admitted(configuration, values)
        for instance in configuration.sbc.instances:
            found = values[instance.name]
            group, admitting = self._firewall(instance, rules[instance.name])
            face = ec2.NetworkInterface(
                instance.name,
                subnet_id=network.sbcs[instance.zone],
                private_ips=[str(instance.address)],
                security_groups=[group],
                tags=tags(instance.name),
                # Another one would be given the address before anybody looked at the machine.
                opts=pulumi.ResourceOptions(parent=self, protect=not instance.drained),
            )
            address = ec2.Eip(
                instance.name,
                domain="vpc",
                network_interface=face.id,
                tags=tags(instance.name),
                # Carriers have it in their lists: it outlives every machine.
                opts=pulumi.ResourceOptions(parent=self, protect=True),
            )
            named = self._named(instance, address.public_ip)
            files = machine_sbc.files(instance, found, calls_uri, address.public_ip)
            stored = self._store.put(instance.name, files)
            self.addresses[instance.name] = address.public_ip
            # What it needs goes after it, so nothing goes while a machine is held.
            needed = [*stored, *admitting, named]
            self.machines[instance.name] = self._machine(
                instance, found, face.id, address.public_ip, needed
            )
        self.register_outputs({"addresses": self.addresses})

    def _firewall(
        self, instance: MachineInstance, rules: tuple[Rule, ...]
    ) -> tuple[pulumi.Output[str], list[pulumi.Resource]]:
        """The machine's group, and the rules in it."""
        group = ec2.SecurityGroup(
            instance.name,
            vpc_id=self._configuration.network.vpc,
            description=f"Who may speak to {instance.name} of Callplane",
            tags=tags(instance.name),
            opts=self._here,
        )
        made: list[pulumi.Resource] = [
            vpc.SecurityGroupIngressRule(
                _called(instance, rule),
                security_group_id=group.id,
                cidr_ipv4=str(rule.network) if rule.network.version == 4 else None,
                cidr_ipv6=str(rule.network) if rule.network.version == 6 else None,
                ip_protocol=rule.protocol,
                from_port=rule.first_port,
                to_port=rule.last_port,
                description=rule.peer,
                tags=tags(instance.name),
                opts=self._here,
            )
            for rule in rules
        ]
        outwards = vpc.SecurityGroupEgressRule(
            instance.name,
            security_group_id=group.id,
            cidr_ipv4=EVERYWHERE,
            ip_protocol="-1",
            description="An SBC calls out",
            tags=tags(instance.name),
            opts=self._here,
        )
        return group.id, [*made, outwards]

    def _named(self, instance: MachineInstance, address: pulumi.Output[str]) -> pulumi.Resource:
        return route53.Record(
            instance.name,
            zone_id=self._configuration.sbc.dns_zone,
            name=instance.host_name,
            type="A",
            ttl=60,
            records=[address],
            opts=self._here,
        )

    def _machine(
        self,
        instance: MachineInstance,
        values: Values,
        face: pulumi.Output[str],
        address: pulumi.Output[str],
        needed: list[pulumi.Resource],
    ) -> pulumi.Output[str]:
        chosen = self._configuration.sbc
        image = self._configuration.platform.image
        profile, rights = self._identity(instance)

        def born(given: list[str]) -> str:
            place = Place(
                cloud="aws",
                public_address=given[0],
                image=image,
                files=f"s3://{given[1]}/{instance.name}",
                dns="route53",
                settings={
                    "AWS_REGION": self._configuration.region,
                    "AWS_HOSTED_ZONE_ID": chosen.dns_zone,
                },
            )
            return cloud_init.user_data(machine_sbc.settings(chosen, instance, values, place))

        held = not instance.drained
        made = ec2.Instance(
            instance.name,
            ami=chosen.machine_image,
            instance_type=chosen.machine_type,
            iam_instance_profile=profile,
            key_name=self._key.key_name,
            primary_network_interface=ec2.InstancePrimaryNetworkInterfaceArgs(
                network_interface_id=face
            ),
            metadata_options=ec2.InstanceMetadataOptionsArgs(
                http_endpoint="enabled",
                http_tokens="required",
                # Call control's container is on the machine's network and needs none of it.
                http_put_response_hop_limit=1,
            ),
            root_block_device=ec2.InstanceRootBlockDeviceArgs(
                encrypted=True,
                kms_key_id=self._store.key_arn,
                volume_size=chosen.disk_gib,
                volume_type="gp3",
                # Call records that nobody has taken yet lie on it.
                delete_on_termination=False,
            ),
            user_data=pulumi.Output.all(address, self._store.bucket).apply(born),
            user_data_replace_on_change=True,
            # EC2 waits for no drain when it stops a machine, so nobody stops one that is in use.
            disable_api_stop=held,
            disable_api_termination=held,
            monitoring=True,
            tags={**tags(instance.name), "drained": str(instance.drained).lower()},
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[*needed, *rights],
                protect=held,
                # An interface has one machine at a time.
                delete_before_replace=True,
                ignore_changes=["ami", "instanceType", "userData"] if held else [],
            ),
        )
        return made.id

    def _identity(
        self, instance: MachineInstance
    ) -> tuple[pulumi.Output[str], list[pulumi.Resource]]:
        """What a machine may do: read its own files, and prove its own name to who certifies it."""
        role = iam.Role(
            instance.name,
            assume_role_policy=json.dumps(
                {
                    "Version": "2012-10-17",
                    "Statement": [
                        {
                            "Effect": "Allow",
                            "Action": "sts:AssumeRole",
                            "Principal": {"Service": "ec2.amazonaws.com"},
                        }
                    ],
                }
            ),
            tags=tags(instance.name),
            opts=self._here,
        )
        zone = self._configuration.sbc.dns_zone

        def rights(given: list[str]) -> str:
            bucket, key = given
            proof = f"_acme-challenge.{instance.host_name}"
            statements = [
                _allow("s3:GetObject", f"{bucket}/{instance.name}/*"),
                _allow("kms:Decrypt", key),
                _allow("route53:GetChange", "arn:aws:route53:::change/*"),
                _allow("route53:ListHostedZonesByName", "*"),
                _allow("route53:ListResourceRecordSets", f"arn:aws:route53:::hostedzone/{zone}"),
                {
                    **_allow(
                        "route53:ChangeResourceRecordSets", f"arn:aws:route53:::hostedzone/{zone}"
                    ),
                    "Condition": {
                        "ForAllValues:StringEquals": {
                            "route53:ChangeResourceRecordSetsNormalizedRecordNames": [proof],
                            "route53:ChangeResourceRecordSetsRecordTypes": ["TXT"],
                        }
                    },
                },
            ]
            return json.dumps({"Version": "2012-10-17", "Statement": statements})

        policy = iam.RolePolicy(
            instance.name,
            role=role.id,
            policy=pulumi.Output.all(self._store.bucket_arn, self._store.key_arn).apply(rights),
            opts=self._here,
        )
        profile = iam.InstanceProfile(
            instance.name, role=role.name, tags=tags(instance.name), opts=self._here
        )
        return profile.name, [policy]


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
        quota=configuration.sbc.rules_of_a_group,
    )


def _called(instance: MachineInstance, rule: Rule) -> str:
    span = f"{rule.protocol}-{rule.first_port}-{rule.last_port}"
    return f"{instance.name}-{rule.peer}-{rule.network}-{span}".replace(" ", "-").lower()


def _allow(action: str, resource: str) -> dict[str, object]:
    return {"Effect": "Allow", "Action": [action], "Resource": [resource]}
