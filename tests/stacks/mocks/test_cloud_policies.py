"""Each policy refuses what it is for, in a resource of a cloud that is as the stack makes it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

import cloud_stack
import machine_view
import recording
from callplane_stacks import cloud_policies, policies
from callplane_stacks.cloud_policies import (
    ACCESS_BLOCK,
    ACCOUNT,
    AZURE_FIREWALL_RULE,
    AZURE_GROUP,
    AZURE_MACHINE,
    BLOB,
    BUCKET_KEY,
    CLUSTER_INSTANCE,
    CONTAINER,
    EC2,
    FLEXIBLE,
    GROUP,
    INGRESS,
    OBJECT,
    OTHER_RULES,
    RDS,
)
from recording import Registered

Body = dict[str, Any]
Change = Callable[[Body], object]

TLS = "[server:default]\nverify_client = {}\n"
AWS_CASES: list[tuple[str, str, Change]] = [
    ("databases-are-safe", RDS, lambda b: b.update(multiAz=False)),
    ("databases-are-safe", RDS, lambda b: b.update(backupRetentionPeriod=1)),
    ("databases-are-safe", RDS, lambda b: b.pop("deletionProtection")),
    ("databases-are-safe", RDS, lambda b: b.update(skipFinalSnapshot=True)),
    ("databases-are-private", RDS, lambda b: b.update(publiclyAccessible=True)),
    ("storage-is-encrypted", RDS, lambda b: b.update(storageEncrypted=False)),
    ("storage-is-encrypted", EC2, lambda b: b["rootBlockDevice"].pop("encrypted")),
    ("storage-is-encrypted", EC2, lambda b: b.update(ebsBlockDevices=[{"deviceName": "x"}])),
    ("storage-is-encrypted", OBJECT, lambda b: b.pop("serverSideEncryption")),
    ("storage-is-encrypted", BUCKET_KEY, lambda b: b.update(rules=[{}])),
    ("stores-are-private", ACCESS_BLOCK, lambda b: b.update(blockPublicPolicy=False)),
    ("machines-are-held", EC2, lambda b: b.pop("disableApiTermination")),
    ("machines-are-held", EC2, lambda b: b.update(disableApiStop=False)),
    ("machines-are-held", EC2, lambda b: b["metadataOptions"].update(httpTokens="optional")),
    ("calls-come-from-listed-networks", GROUP, lambda b: b.update(ingress=[{"fromPort": 1}])),
    ("calls-come-from-listed-networks", INGRESS, lambda b: b.update(cidrIpv4="0.0.0.0/0")),
    ("calls-come-from-listed-networks", INGRESS, lambda b: b.update(cidrIpv6="::/0")),
    ("calls-come-from-listed-networks", INGRESS, lambda b: b.update(cidrIpv4="128.0.0.0/1")),
    ("calls-come-from-listed-networks", INGRESS, lambda b: b.update(cidrIpv6="2000::/3")),
    ("calls-come-from-listed-networks", INGRESS, lambda b: b.update(ipProtocol="-1")),
    ("teams-may-sign-in", OBJECT, lambda b: b.update(content=TLS.format("on"))),
    ("teams-may-sign-in", OBJECT, lambda b: b.update(content=TLS.format("optional"))),
]
AZURE_CASES: list[tuple[str, str, Change]] = [
    ("databases-are-safe", FLEXIBLE, lambda b: b["highAvailability"].update(mode="SameZone")),
    ("databases-are-safe", FLEXIBLE, lambda b: b["backup"].update(backupRetentionDays=1)),
    (
        "databases-are-private",
        FLEXIBLE,
        lambda b: b["network"].update(publicNetworkAccess="Enabled"),
    ),
    (
        "databases-are-private",
        FLEXIBLE,
        lambda b: b["network"].pop("delegatedSubnetResourceId"),
    ),
    ("storage-is-encrypted", AZURE_MACHINE, lambda b: b.pop("securityProfile")),
    ("storage-is-encrypted", ACCOUNT, lambda b: b.update(enableHttpsTrafficOnly=False)),
    ("storage-is-encrypted", ACCOUNT, lambda b: b.update(minimumTlsVersion="TLS1_0")),
    ("stores-are-private", ACCOUNT, lambda b: b.pop("allowBlobPublicAccess")),
    ("stores-are-private", CONTAINER, lambda b: b.update(publicAccess="Blob")),
    (
        "machines-are-held",
        AZURE_MACHINE,
        lambda b: b["osProfile"].update(adminPassword="a password"),
    ),
    (
        "machines-are-held",
        AZURE_MACHINE,
        lambda b: b["osProfile"]["linuxConfiguration"].pop("disablePasswordAuthentication"),
    ),
    ("images-are-pinned", AZURE_MACHINE, lambda b: image(b).update(version="latest")),
    ("calls-come-from-listed-networks", AZURE_GROUP, lambda b: b["securityRules"].pop()),
    (
        "calls-come-from-listed-networks",
        AZURE_GROUP,
        lambda b: b["securityRules"][0].update(sourceAddressPrefixes=["0.0.0.0/0"]),
    ),
    (
        "calls-come-from-listed-networks",
        AZURE_GROUP,
        lambda b: b["securityRules"][0].update(sourceAddressPrefixes=["0.0.0.0/1", "128.0.0.0/1"]),
    ),
    (
        "calls-come-from-listed-networks",
        AZURE_GROUP,
        lambda b: b["securityRules"][-1].update(destinationPortRange="22"),
    ),
    (
        "calls-come-from-listed-networks",
        AZURE_GROUP,
        lambda b: b["securityRules"][0].update(sourceAddressPrefix="Internet"),
    ),
    ("teams-may-sign-in", BLOB, lambda b: b.update(source={"text": TLS.format("on")})),
]
CASES = {"aws": AWS_CASES, "azure": AZURE_CASES}
#: What no stack makes at all, so there is nothing to change.
NEVER_MADE = {
    ("databases-are-private", AZURE_FIREWALL_RULE): {"startIpAddress": "0.0.0.0"},
    ("databases-are-private", CLUSTER_INSTANCE): {"publiclyAccessible": True},
    ("calls-come-from-listed-networks", OTHER_RULES[0]): {"type": "ingress"},
    ("calls-come-from-listed-networks", OTHER_RULES[1]): {"direction": "Inbound"},
}


def image(body: Body) -> Body:
    found: Body = body["storageProfile"]["imageReference"]
    return found


@pytest.fixture(scope="module")
def recorded() -> dict[str, list[Registered]]:
    """What each cloud's program registers."""
    return {cloud.name: recording.record(cloud.declare) for cloud in cloud_stack.CLOUDS}


def one(registered: list[Registered], kind: str) -> Body:
    """A resource of a kind: of an SBC's files, the one that says how TLS is spoken."""
    for each in registered:
        if each.kind == kind and (
            kind not in (OBJECT, cloud_policies.BLOB) or each.name.endswith("tls.cfg")
        ):
            return copy.deepcopy(each.plain)
    raise AssertionError(f"the stack has no {kind}")


PARAMETERS = [
    pytest.param(cloud, *case, id=f"{cloud}-{case[0]}-{number}")
    for cloud, cases in CASES.items()
    for number, case in enumerate(cases)
]


@pytest.mark.parametrize(("cloud", "policy", "kind", "change"), PARAMETERS)
def test_a_violation_is_found_under_its_policys_name(
    recorded: dict[str, list[Registered]], cloud: str, policy: str, kind: str, change: Change
) -> None:
    body = one(recorded[cloud], kind)
    assert policies.violations(kind, body) == []
    assert policy in policies.guards(kind, body)
    change(body)
    assert [reason.partition(":")[0] for reason in policies.violations(kind, body)] == [policy]


def test_every_policy_over_clouds_has_a_case_for_every_kind_it_looks_at() -> None:
    known = {cloud.name for cloud in cloud_stack.CLOUDS}
    assert known == set(CASES)
    judged = {(policy, kind) for cases in CASES.values() for policy, kind, _ in cases}
    wanted = {(policy, kind) for policy, kinds in cloud_policies.GUARDED.items() for kind in kinds}
    assert wanted - judged == set(NEVER_MADE)
    for (policy, kind), body in NEVER_MADE.items():
        (found,) = policies.violations(kind, body)
        assert found.startswith(f"{policy}: ")


def test_a_rule_for_what_goes_out_may_lie_beside_its_firewall() -> None:
    for kind, body in zip(
        OTHER_RULES, ({"type": "egress"}, {"direction": "Outbound"}), strict=True
    ):
        assert policies.violations(kind, body) == []


def test_a_kind_with_the_version_of_its_interface_is_the_same_kind(
    recorded: dict[str, list[Registered]],
) -> None:
    kind = FLEXIBLE.replace(":Server", "/v20240801:Server")
    assert kind != FLEXIBLE
    body = one(recorded["azure"], FLEXIBLE)
    assert policies.guards(kind, body) == policies.guards(FLEXIBLE, body)
    body["network"].update(publicNetworkAccess="Enabled")
    assert policies.violations(kind, body) == policies.violations(FLEXIBLE, body) != []


LOCKED = "machines-and-databases-are-locked"


@pytest.mark.parametrize("kind", [FLEXIBLE, AZURE_MACHINE])
def test_what_has_no_lock_is_found(recorded: dict[str, list[Registered]], kind: str) -> None:
    everything = [(each.kind, each.name, each.plain) for each in recorded["azure"]]
    check = policies.STACK_POLICIES[LOCKED]
    assert list(check(everything)) == []
    held = next(
        body.get("serverName") or body["vmName"] for found, _, body in everything if found == kind
    )
    without = [each for each in everything if each[2].get("lockName") != f"keep-{held}"]
    (reason,) = check(without)
    assert "has no lock" in reason
    weak = [
        (found, name, {**body, "level": "ReadOnly"} if found == cloud_policies.LOCK else body)
        for found, name, body in everything
    ]
    assert len(list(check(weak))) == 3


def test_what_teams_needs_is_let_through(recorded: dict[str, list[Registered]]) -> None:
    body = one(recorded["aws"], OBJECT)
    for value in ("off", "optional_no_ca"):
        assert policies.violations(OBJECT, {**body, "content": TLS.format(value)}) == []


def test_phones_that_are_declared_are_the_only_world(
    recorded: dict[str, list[Registered]],
) -> None:
    body = {**one(recorded["aws"], INGRESS), "cidrIpv4": "0.0.0.0/0"}
    assert policies.violations(INGRESS, {**body, "description": "declared phones"}) == []
    assert policies.violations(INGRESS, {**body, "description": "phones"}) != []


def test_the_watched_kinds_are_in_every_cloud(recorded: dict[str, list[Registered]]) -> None:
    for registered in recorded.values():
        ends = {each.kind.rpartition(":")[2] for each in machine_view.watched(registered)}
        assert len(ends) >= 3
