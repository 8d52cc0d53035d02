"""What tests look at in the recording of a cloud's program, whatever the cloud calls it."""

from __future__ import annotations

import base64
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

import modelled_outputs
import sample_stack
from recording import Registered

ROOT = sample_stack.ROOT
EC2, AZURE_MACHINE = "aws:ec2/instance:Instance", "azure-native:compute:VirtualMachine"
MACHINES = (EC2, AZURE_MACHINE)
OBJECT, BLOB = "aws:s3/bucketObjectv2:BucketObjectv2", "azure-native:storage:Blob"
INGRESS = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
AZURE_GROUP = "azure-native:network:NetworkSecurityGroup"
#: The ends of kinds that no stack may have without a policy that looks at them.
WATCHED = (
    *(":Instance", ":Server", ":VirtualMachine"),
    *(":SecurityGroup", ":SecurityGroupIngressRule", ":NetworkSecurityGroup"),
)
Admitted = tuple[str, str, int, int]


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine's cloud-init, and the files it reads from its store, by name."""

    user_data: str
    stored: dict[str, str]

    @property
    def cloud_init(self) -> dict[str, Any]:
        """The document."""
        found: dict[str, Any] = yaml.safe_load(self.user_data)
        return found

    @property
    def files(self) -> dict[str, str]:
        """What it writes, by path."""
        return {each["path"]: each["content"] for each in self.cloud_init["write_files"]}

    @property
    def settings(self) -> dict[str, str]:
        """What its scripts and units read."""
        lines = self.files["/etc/callplane/machine.env"].splitlines()
        pairs = (shlex.split(line)[0].split("=", 1) for line in lines)
        return dict(pairs)

    def unit(self, name: str) -> dict[str, str]:
        """The settings of a unit of systemd, of all its sections."""
        lines = self.files[f"/etc/systemd/system/{name}"].splitlines()
        pairs = (line.split("=", 1) for line in lines if "=" in line and line[0] != "#")
        return dict(pairs)


class NoServer:
    """A database that nobody asks where it is."""

    host = "nowhere"
    passwords = dict.fromkeys(
        (
            "callplane_admin",
            "callplane_owner",
            "callplane_service",
            "callplane_calls",
            "callplane_reader",
        ),
        "none",
    )

    def address(self, role: str) -> str:
        """No address."""
        return role


def machines(registered: list[Registered]) -> dict[str, Machine]:
    """Each SBC's machine by its name."""
    return {
        each.name: Machine(_user_data(each), dict(_stored(registered, each.name)))
        for each in registered
        if each.kind in MACHINES
    }


def _user_data(machine: Registered) -> str:
    if machine.kind == EC2:
        return str(machine.plain["userData"])
    return base64.b64decode(machine.plain["osProfile"]["customData"]).decode()


def _stored(registered: list[Registered], owner: str) -> Iterator[tuple[str, str]]:
    for each in registered:
        if each.kind == OBJECT:
            holder, _, name = each.plain["key"].partition("/")
            content = each.plain["content"]
        elif each.kind == BLOB:
            holder, name = each.plain["containerName"], each.plain["blobName"]
            content = plain(each.plain["source"])
        else:
            continue
        if holder == owner:
            yield name, content


def plain(asset: Any) -> str:
    """The text of an asset."""
    return str(asset["text"] if isinstance(asset, dict) else asset.text)


def watched(registered: list[Registered]) -> list[Registered]:
    """Databases, firewalls and machines."""
    return [
        each
        for each in registered
        if each.kind.startswith(("aws:", "azure-native:")) and each.kind.endswith(WATCHED)
    ]


def database_host(registered: list[Registered]) -> str:
    """The name of the server, as the cloud gave it."""
    for each in registered:
        made = modelled_outputs.made(each.kind, each.name, each.plain)
        if each.kind == "aws:rds/instance:Instance":
            return str(made["address"])
        if each.kind == "azure-native:dbforpostgresql:Server":
            return str(made["fullyQualifiedDomainName"])
    raise AssertionError("there is no database")


def names(registered: list[Registered]) -> dict[str, str]:
    """The address of each name that is published."""
    found = {}
    for each in registered:
        if each.kind == "aws:route53/record:Record":
            (address,) = each.plain["records"]
            found[each.plain["name"]] = address
        if each.kind == "azure-native:dns:RecordSet":
            (record,) = each.plain["aRecords"]
            name = f"{each.plain['relativeRecordSetName']}.{each.plain['zoneName']}"
            found[name] = record["ipv4Address"]
    return found


def admitted(registered: list[Registered], owner: str) -> set[Admitted]:
    """What a firewall lets in: network, protocol, first and last port."""
    found: set[Admitted] = set()
    for each in registered:
        rule = each.plain
        if each.kind == INGRESS and each.name.startswith(f"{owner}-"):
            network = rule.get("cidrIpv4") or rule["cidrIpv6"]
            found.add((network, rule["ipProtocol"], int(rule["fromPort"]), int(rule["toPort"])))
        if each.kind == AZURE_GROUP and each.name == owner:
            for inner in rule["securityRules"]:
                if inner["access"] == "Allow":
                    found |= set(_azure_admits(inner))
    return found


def _azure_admits(rule: dict[str, Any]) -> Iterator[Admitted]:
    prefixes = rule.get("sourceAddressPrefixes") or [rule["sourceAddressPrefix"]]
    assert rule["direction"] == "Inbound"
    for prefix in prefixes:
        first, _, last = str(rule["destinationPortRange"]).partition("-")
        network = "0.0.0.0/0" if prefix == "Internet" else prefix
        yield network, str(rule["protocol"]).lower(), int(first), int(last or first)


def networks_of_sbcs(network: Any) -> list[Any]:
    """The networks of SBCs that a configuration names."""
    return [zone.sbcs for zone in network.zones] if hasattr(network, "zones") else [network.sbcs]


def held(registered: list[Registered]) -> dict[str, bool]:
    """Whether nobody may stop or delete each machine."""
    locks = {
        each.plain["lockName"]
        for each in registered
        if each.kind.endswith(":ManagementLockByScope")
    }
    found = {}
    for each in registered:
        if each.kind == EC2:
            both = each.plain["disableApiStop"], each.plain["disableApiTermination"]
            assert len(set(both)) == 1
            found[each.name] = bool(both[0])
        if each.kind == AZURE_MACHINE:
            found[each.name] = f"keep-{each.plain['vmName']}" in locks
    return found


def alarms(registered: list[Registered]) -> dict[str, str]:
    """The alarms, each with what it says."""
    return {
        each.plain.get("name") or each.plain["ruleName"]: each.plain.get("alarmDescription")
        or each.plain["description"]
        for each in registered
        if each.kind.endswith((":MetricAlarm", ":MetricAlert"))
    }
