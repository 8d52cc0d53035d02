"""What a cloud answers when it makes something: ids, names for policies, addresses, host names.

Modelled after the documentation of AWS and Azure; the same name gives the same answer.
"""

from __future__ import annotations

import hashlib
from typing import Any

ACCOUNT, REGION = "123456789012", "eu-west-2"
SUBSCRIPTION = "/subscriptions/00000000-0000-4000-8000-000000000000"
Inputs = dict[str, Any]

#: How AWS begins the ids of what it makes.
PREFIXES = {
    "aws:ec2/subnet:Subnet": "subnet",
    "aws:ec2/routeTable:RouteTable": "rtb",
    "aws:ec2/securityGroup:SecurityGroup": "sg",
    "aws:ec2/networkInterface:NetworkInterface": "eni",
    "aws:ec2/eip:Eip": "eipalloc",
    "aws:ec2/instance:Instance": "i",
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": "sgr",
}


def made(kind: str, name: str, inputs: Inputs) -> dict[str, Any]:
    """The id, as `id`, and the computed properties of a resource."""
    if kind.startswith("aws:"):
        return _aws(kind, name, inputs)
    if kind.startswith("azure-native:"):
        return _azure(kind, name, inputs)
    return {"id": f"{name}-id"}


def public_address(name: str) -> str:
    """An address from the ranges for documentation."""
    return f"203.0.113.{int(_digits(name)[:4], 16) % 200 + 1}"


def _digits(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:17]


def _aws(kind: str, name: str, inputs: Inputs) -> dict[str, Any]:
    service = kind.split(":")[1].partition("/")[0]
    if kind in PREFIXES:
        found: dict[str, Any] = {"id": f"{PREFIXES[kind]}-{_digits(name)}"}
    else:
        found = {"id": f"{name}-{_digits(name)[:7]}"}
    found["arn"] = f"arn:aws:{service}:{REGION}:{ACCOUNT}:{found['id']}"
    match kind:
        case "aws:ec2/eip:Eip":
            found |= {"publicIp": public_address(name), "allocationId": found["id"]}
        case "aws:rds/instance:Instance":
            host = f"{inputs['identifier']}.c0123456789a.{REGION}.rds.amazonaws.com"
            found |= {"address": host, "endpoint": f"{host}:{inputs['port']}"}
        case "aws:s3/bucket:Bucket":
            found |= {"bucket": found["id"], "arn": f"arn:aws:s3:::{found['id']}"}
        case "aws:kms/key:Key":
            key = f"{_digits(name)[:8]}-0000-4000-8000-{_digits(name)[:12]}"
            found |= {
                "id": key,
                "keyId": key,
                "arn": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{key}",
            }
        case "aws:ec2/keyPair:KeyPair":
            found["keyName"] = found["id"]
        case _ if service in ("iam", "rds"):
            found["name"] = found["id"]
    return found


def _azure(kind: str, name: str, inputs: Inputs) -> dict[str, Any]:
    _, module, resource = kind.split(":")
    group = inputs.get("resourceGroupName", "callplane")
    place = f"{SUBSCRIPTION}/resourceGroups/{group}"
    found: dict[str, Any] = {
        "id": f"{place}/providers/Microsoft.{module}/{resource}/{name}",
        "name": name,
    }
    match resource:
        case "ResourceGroup":
            found |= {
                "id": f"{SUBSCRIPTION}/resourceGroups/{inputs['resourceGroupName']}",
                "name": inputs["resourceGroupName"],
            }
        case "PublicIPAddress":
            found["ipAddress"] = public_address(name)
        case "Server":
            found |= {
                "name": inputs["serverName"],
                "fullyQualifiedDomainName": f"{inputs['serverName']}.postgres.database.azure.com",
            }
        case "StorageAccount":
            account = inputs["accountName"]
            found |= {
                "name": account,
                "primaryEndpoints": {"blob": f"https://{account}.blob.core.windows.net/"},
            }
        case "VirtualMachine":
            mine = {
                each: {"clientId": each} for each in inputs["identity"]["userAssignedIdentities"]
            }
            found["identity"] = {"type": "UserAssigned", "userAssignedIdentities": mine}
        case "UserAssignedIdentity":
            found |= {
                "clientId": f"{_digits(name)[:8]}-0000-4000-8000-000000000001",
                "principalId": f"{_digits(name)[:8]}-0000-4000-8000-000000000002",
            }
    return found
