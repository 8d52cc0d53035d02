"""What no stack may do on a cloud: the part of each policy that looks at resources of a cloud.

`policies` joins them to what the same policy says of Kubernetes objects. Properties are named as
the plugins of AWS and Azure name them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from ipaddress import ip_network
from typing import Any

Properties = Mapping[str, Any]

RDS, FLEXIBLE = "aws:rds/instance:Instance", "azure-native:dbforpostgresql:Server"
EC2, AZURE_MACHINE = "aws:ec2/instance:Instance", "azure-native:compute:VirtualMachine"
GROUP, INGRESS = (
    "aws:ec2/securityGroup:SecurityGroup",
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
)
AZURE_GROUP = "azure-native:network:NetworkSecurityGroup"
#: Other ways to let somebody in, by rules that lie beside what is judged.
OTHER_RULES = (
    "aws:ec2/securityGroupRule:SecurityGroupRule",
    "azure-native:network:SecurityRule",
)
CLUSTER_INSTANCE = "aws:rds/clusterInstance:ClusterInstance"
OBJECT, BLOB = "aws:s3/bucketObjectv2:BucketObjectv2", "azure-native:storage:Blob"
ACCESS_BLOCK = "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"
BUCKET_KEY = (
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"
)
ACCOUNT, CONTAINER = "azure-native:storage:StorageAccount", "azure-native:storage:BlobContainer"
AZURE_FIREWALL_RULE = "azure-native:dbforpostgresql:FirewallRule"
LOCK = "azure-native:authorization:ManagementLockByScope"

#: How each cloud writes the whole world.
WORLD = ("0.0.0.0/0", "::/0", "*", "internet", "any")
#: By version of IP. Two halves are the world as well, and no peer has so much of it.
WIDEST = {4: 8, 6: 16}
#: A kind may be named with the version of its interface, and is the same kind.
VERSION = re.compile(r"/v\d{8}(preview)?(?=:)")
#: What a rule says that lets the world in, because phones are declared.
PHONES = "declared phones"
FEWEST_DAYS = 7
LAST_PRIORITY = 4096

#: Which policies look at which kinds.
GUARDED: dict[str, tuple[str, ...]] = {
    "databases-are-safe": (RDS, FLEXIBLE),
    "databases-are-private": (RDS, CLUSTER_INSTANCE, FLEXIBLE, AZURE_FIREWALL_RULE),
    "storage-is-encrypted": (RDS, EC2, OBJECT, BUCKET_KEY, AZURE_MACHINE, ACCOUNT),
    "stores-are-private": (ACCESS_BLOCK, ACCOUNT, CONTAINER),
    "machines-are-held": (EC2, AZURE_MACHINE),
    "images-are-pinned": (AZURE_MACHINE,),
    "calls-come-from-listed-networks": (GROUP, INGRESS, AZURE_GROUP, *OTHER_RULES),
}


def guards(kind: str) -> list[str]:
    """The policies that look at a resource of a cloud."""
    return [name for name, kinds in GUARDED.items() if kind in kinds]


def databases_are_safe(kind: str, properties: Properties) -> Iterator[str]:
    """A standby in another zone, backups of a week at least, no deletion by mistake."""
    if kind == RDS:
        if not properties.get("multiAz"):
            yield "has no standby in another zone"
        if int(properties.get("backupRetentionPeriod") or 0) < FEWEST_DAYS:
            yield f"keeps backups for fewer than {FEWEST_DAYS} days"
        if not properties.get("deletionProtection"):
            yield "may be deleted"
        if properties.get("skipFinalSnapshot"):
            yield "leaves nothing behind when it is deleted"
    if kind == FLEXIBLE:
        backup = properties.get("backup") or {}
        if (properties.get("highAvailability") or {}).get("mode") != "ZoneRedundant":
            yield "has no standby in another zone"
        if int(backup.get("backupRetentionDays") or 0) < FEWEST_DAYS:
            yield f"keeps backups for fewer than {FEWEST_DAYS} days"


def databases_are_private(kind: str, properties: Properties) -> Iterator[str]:
    """No server of the ledger has an address that the internet reaches."""
    if kind in (RDS, CLUSTER_INSTANCE) and properties.get("publiclyAccessible"):
        yield "is reached from the internet"
    if kind == FLEXIBLE:
        network = properties.get("network") or {}
        if network.get("publicNetworkAccess") != "Disabled":
            yield "is reached from the internet"
        if not network.get("delegatedSubnetResourceId"):
            yield "lies in no subnet of its own"
    if kind == AZURE_FIREWALL_RULE:
        yield "lets public addresses in to a database"


def storage_is_encrypted(kind: str, properties: Properties) -> Iterator[str]:
    """Disks, databases and files are encrypted, and files travel so too."""
    if kind == RDS and not properties.get("storageEncrypted"):
        yield "keeps the ledger in the clear"
    if kind == EC2:
        disks = [properties.get("rootBlockDevice"), *(properties.get("ebsBlockDevices") or [])]
        if not all((disk or {}).get("encrypted") for disk in disks):
            yield "has a disk in the clear"
    if kind == OBJECT and properties.get("serverSideEncryption") != "aws:kms":
        yield "is a file without a key"
    if kind == BUCKET_KEY:
        defaults = [
            rule.get("applyServerSideEncryptionByDefault") or {}
            for rule in properties.get("rules") or [{}]
        ]
        if not all(default.get("sseAlgorithm") == "aws:kms" for default in defaults):
            yield "keeps files without a key"
    if kind == AZURE_MACHINE and not (properties.get("securityProfile") or {}).get(
        "encryptionAtHost"
    ):
        yield "has disks in the clear on its host"
    if kind == ACCOUNT:
        if not properties.get("enableHttpsTrafficOnly"):
            yield "gives files away in the clear"
        if properties.get("minimumTlsVersion") not in ("TLS1_2", "TLS1_3"):
            yield "speaks TLS older than 1.2"


def stores_are_private(kind: str, properties: Properties) -> Iterator[str]:
    """Files of SBCs, phones' digests among them, are for their machines only."""
    if kind == ACCESS_BLOCK:
        for name in (
            "blockPublicAcls",
            "blockPublicPolicy",
            "ignorePublicAcls",
            "restrictPublicBuckets",
        ):
            if not properties.get(name):
                yield f"does not set {name}"
    # Either cloud's default of long ago was public, so silence does not do.
    if kind == ACCOUNT and properties.get("allowBlobPublicAccess") is not False:
        yield "may hold files that everybody reads"
    if kind == CONTAINER and properties.get("publicAccess") != "None":
        yield "holds files that everybody reads"


def machines_are_held(kind: str, properties: Properties) -> Iterator[str]:
    """A machine that carries calls is stopped by nobody; its own rights are asked for properly."""
    if kind == EC2:
        if (properties.get("metadataOptions") or {}).get("httpTokens") != "required":
            yield "gives its rights to whoever asks without a token"
        drained = (properties.get("tags") or {}).get("drained") == "true"
        for name in ("disableApiStop", "disableApiTermination"):
            if not properties.get(name) and not drained:
                yield f"carries calls, and {name} is not set"
    if kind == AZURE_MACHINE:
        profile = properties.get("osProfile") or {}
        linux = profile.get("linuxConfiguration") or {}
        if profile.get("adminPassword") or not linux.get("disablePasswordAuthentication"):
            yield "lets people in by password"


def images_are_pinned(kind: str, properties: Properties) -> Iterator[str]:
    """A machine begins as the version of Debian that was looked at."""
    if kind == AZURE_MACHINE:
        image = (properties.get("storageProfile") or {}).get("imageReference") or {}
        if not re.fullmatch(r"[\d.]+", str(image.get("version"))):
            yield f"image {image.get('offer')}:{image.get('version')} is not pinned"


def calls_come_from_listed_networks(kind: str, properties: Properties) -> Iterator[str]:
    """The world is let in only where phones are declared."""
    if kind == GROUP and properties.get("ingress"):
        yield "lists rules in the group itself, where nobody judges each"
    if kind == INGRESS:
        networks = (properties.get("cidrIpv4"), properties.get("cidrIpv6"))
        if any(is_world(each) for each in networks) and properties.get("description") != PHONES:
            yield "lets the whole world in"
        if properties.get("ipProtocol") == "-1":
            yield "lets everything in"
    inbound = properties.get("type") != "egress" and properties.get("direction") != "Outbound"
    if kind in OTHER_RULES and inbound:
        yield "adds a rule beside its firewall, where nobody judges each"
    if kind == AZURE_GROUP:
        yield from _azure_rules(properties.get("securityRules") or [])


def _azure_rules(rules: list[Properties]) -> Iterator[str]:
    inbound = [rule for rule in rules if rule.get("direction") == "Inbound"]
    for rule in inbound:
        sources = [rule.get("sourceAddressPrefix"), *(rule.get("sourceAddressPrefixes") or [])]
        wide = any(is_world(source) for source in sources)
        if rule.get("access") == "Allow" and wide and rule.get("description") != PHONES:
            yield f"{rule.get('name')} lets the whole world in"
    last = max(inbound, key=lambda rule: int(rule.get("priority") or 0), default={})
    # Azure's own rules would let everything of the virtual network in.
    refused = [last.get(name) for name in ("sourceAddressPrefix", "protocol")]
    refused.append(last.get("destinationPortRange"))
    if last.get("access") != "Deny" or refused != ["*"] * 3:
        yield "does not end by refusing the rest"


def machines_and_databases_are_locked(
    resources: list[tuple[str, str, Properties]],
) -> Iterator[str]:
    """Azure deletes what no lock holds: each database has one, and each machine that carries
    calls. A lock bears the name of what it holds.
    """
    held = {
        str(properties.get("lockName"))
        for kind, _, properties in resources
        if kind == LOCK and properties.get("level") == "CanNotDelete"
    }
    for kind, name, properties in resources:
        drained = (properties.get("tags") or {}).get("drained") == "true"
        if kind == FLEXIBLE and f"keep-{properties.get('serverName')}" not in held:
            yield f"{name} has no lock"
        if kind == AZURE_MACHINE and not drained and f"keep-{properties.get('vmName')}" not in held:
            yield f"{name} carries calls and has no lock"


def files(kind: str, properties: Properties, ending: str) -> Iterator[tuple[str, str]]:
    """The files of a store that end so, with what is in them."""
    if kind == OBJECT:
        name, content = properties.get("key"), properties.get("content")
    elif kind == BLOB:
        name, content = properties.get("blobName"), _asset(properties.get("source"))
    else:
        return
    if isinstance(content, str) and str(name).endswith(ending):
        yield str(name), content


def _asset(source: object) -> object:
    """The text of an asset, as an object of the SDK or as it goes over the wire."""
    return source.get("text") if isinstance(source, Mapping) else getattr(source, "text", None)


def is_world(network: object) -> bool:
    """Whether a source is everybody, or so much of the world that it makes no difference."""
    if str(network).lower() in WORLD:
        return True
    try:
        found = ip_network(str(network), strict=False)
    except ValueError:
        return False
    return found.prefixlen < WIDEST[found.version]
