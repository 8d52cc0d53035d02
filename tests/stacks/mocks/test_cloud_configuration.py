"""A configuration that a cloud cannot have is refused before anything is planned."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

import cloud_stack
import recording
from callplane_stacks.configuration import ConfigurationRefused
from cloud_stack import AWS, AZURE, Cloud

CLOUDS = pytest.mark.parametrize("cloud", cloud_stack.CLOUDS, ids=lambda cloud: cloud.name)
Parts = Mapping[str, Mapping[str, Any]]


def reasons(cloud: Cloud, document: Mapping[str, Any]) -> list[str]:
    """Why a document is refused; empty when it is not."""
    try:
        cloud.configuration.read(document)
    except ConfigurationRefused as refused:
        return refused.reasons
    return []


@CLOUDS
def test_the_sample_can_be(cloud: Cloud) -> None:
    assert reasons(cloud, cloud.document()) == []


def first(**change: object) -> Any:
    """A change of the first SBC, to be made in any cloud's sample."""
    return lambda cloud: {"sbc": cloud.instances(**change)}


def given(part: str, **change: object) -> Any:
    """A change of a part."""
    return lambda _: {part: change}


SHARED: list[tuple[str, Any, str]] = [
    ("unknown key", given("platform", colour="red"), "platform.colour: Extra inputs"),
    ("unknown key in the network", given("network", colour="red"), "network.colour: Extra inputs"),
    ("unknown key of an SBC", first(colour="red"), "sbc.instances.0.colour: Extra"),
    ("peer", given("network", cluster="52.113.0.0/18"), "overlaps peer teams 52.112.0.0/14"),
    ("no network", given("network", cluster="10.0.0.0/99"), "network.cluster"),
    ("onmicrosoft", first(host_name="sbc.a.onmicrosoft.com"), "onmicrosoft.com"),
    ("wildcard", first(host_name="*.voice.example.com"), "is a wildcard"),
    ("address for a name", first(host_name="203.0.113.11"), "is an address"),
    ("bare domain", first(host_name="example.com"), "within a verified domain"),
    ("same name", first(host_name="sbc2.voice.example.com"), "another instance's too"),
    ("zone unknown", first(zone="9"), "sbc.instances.0.zone: '9' is none of"),
    ("elsewhere", first(address="10.99.0.4"), "is not in the network of SBCs"),
    ("peer unknown", given("sbc", peers=["nobody"]), "'nobody' is none of teams, webex"),
    ("image", given("platform", image="callplane:latest"), "platform.image"),
    ("days", given("database", backup_days=1), "database.backup_days"),
    ("wide administrators", given("network", administrators=["0.0.0.0/0"]), "is wider than /16"),
    ("key", given("sbc", ssh_key="a password"), "sbc.ssh_key"),
    ("cluster no", given("network", cluster=False), "network.cluster: Value error"),
    ("administrator yes", given("network", administrators=[True]), "network.administrators.0"),
    ("address a number", first(address=5), "sbc.instances.0.address: Value error"),
    ("half the world", given("network", cluster="128.0.0.0/1"), "wider than /8"),
    ("ports", given("sbc", rtp_ports=[20000, 10000]), "sbc.rtp_ports"),
    ("no machine", given("sbc", machine_type=""), "sbc.machine_type"),
    ("impatient", given("sbc", drain_seconds=1), "sbc.drain_seconds"),
]


@CLOUDS
@pytest.mark.parametrize(
    ("parts", "wanted"), [pytest.param(parts, text, id=name) for name, parts, text in SHARED]
)
def test_what_cannot_be_is_refused(cloud: Cloud, parts: Any, wanted: str) -> None:
    found = reasons(cloud, cloud.document(**parts(cloud)))
    assert len(found) == 1, found
    assert wanted in found[0]


@CLOUDS
@pytest.mark.parametrize("document", [None, True, "no", ["platform"]])
def test_what_is_no_mapping_is_refused(cloud: Cloud, document: Any) -> None:
    assert reasons(cloud, document) == ["callplane:stack: has to be keys and values"]


def zones(**change: object) -> dict[str, Any]:
    """AWS' zones with the first one changed."""
    one, *rest = AWS.document()["network"]["zones"]
    return {"network": {"zones": [{**one, **change}, *rest]}}


AWS_CASES: list[tuple[str, Parts, str]] = [
    ("overlap", zones(database="10.60.64.0/27"), "overlaps network.zones.0.database"),
    ("gateway", {"network": {"internet_gateway": "none"}}, "network.internet_gateway"),
    ("kept", {"sbc": AWS.instances(address="10.60.64.3")}, "is one that the cloud keeps"),
    ("image", {"sbc": {"machine_image": "debian-12"}}, "sbc.machine_image"),
    ("one zone", {"sbc": AWS.instances(zone="eu-west-2b", address="10.60.64.22")}, "may be lost"),
    ("topic", {}, "alarms: "),
]


@pytest.mark.parametrize(
    ("parts", "wanted"), [pytest.param(parts, text, id=name) for name, parts, text in AWS_CASES]
)
def test_what_aws_would_not_take_is_refused(parts: Parts, wanted: str) -> None:
    document = AWS.document(**parts)
    if not parts:
        document["alarms"] = "somebody"
    found = reasons(AWS, document)
    assert found
    assert any(wanted in reason for reason in found), found


AZURE_CASES: list[tuple[str, Parts, str]] = [
    ("overlap", {"network": {"database": "10.70.64.0/28"}}, "network.sbcs: 10.70.64.0/27 overlaps"),
    ("small", {"network": {"database": "10.70.65.0/29"}}, "is smaller than /28"),
    ("network", {"network": {"virtual_network": "voice"}}, "network.virtual_network"),
    ("kept", {"sbc": AZURE.instances(address="10.70.64.3")}, "is one that the cloud keeps"),
    ("image", {"sbc": {"machine_image": {"version": "latest"}}}, "sbc.machine_image.version"),
    ("one zone", {"sbc": AZURE.instances(zone="2")}, "all are in zone 2, which may be lost"),
    ("standby", {"database": {"standby_zone": "1"}}, "database.standby_zone: '1' is the server's"),
    ("name", {"sbc": AZURE.instances(host_name="sbc1.example.org")}, "is not in the zone"),
    ("store", {"sbc": {"store": "Has-Capitals"}}, "sbc.store"),
]


@pytest.mark.parametrize(
    ("parts", "wanted"), [pytest.param(parts, text, id=name) for name, parts, text in AZURE_CASES]
)
def test_what_azure_would_not_take_is_refused(parts: Parts, wanted: str) -> None:
    (found,) = reasons(AZURE, AZURE.document(**parts))
    assert wanted in found


def test_another_region_is_refused() -> None:
    found = reasons(AWS, {**AWS.document(), "region": "eu-west-1"})
    assert found == [
        "network.zones: 'eu-west-2a' is not in region 'eu-west-1'",
        "network.zones: 'eu-west-2b' is not in region 'eu-west-1'",
    ]


@CLOUDS
def test_one_sbc_is_none(cloud: Cloud) -> None:
    only = cloud.document()["sbc"]["instances"][:1]
    found = reasons(cloud, cloud.document(sbc={"instances": only}))
    assert "sbc.instances: 1 of them; two at least, so that one may go" in found


@CLOUDS
def test_machines_are_drained_one_at_a_time(cloud: Cloud) -> None:
    drained = [{**each, "drained": True} for each in cloud.document()["sbc"]["instances"]]
    assert reasons(cloud, cloud.document(sbc={"instances": drained})) == [
        "sbc.instances: sbc1, sbc2 are drained; one at a time, the others carry calls"
    ]


@CLOUDS
def test_all_reasons_come_at_once_and_before_anything_is_planned(cloud: Cloud) -> None:
    seen: list[str] = []

    def program() -> None:
        broken = cloud.document(
            platform={"colour": "red", "image": "callplane"},
            network={"cluster": "52.113.0.0/18"},
            sbc={"instances": cloud.instances(host_name="a.onmicrosoft.com")["instances"][:1]},
        )
        try:
            cloud.target.deploy(cloud.configuration.read(broken))
        except ConfigurationRefused as refused:
            seen.extend(refused.reasons)

    assert recording.record(program) == []
    for text in ("colour", "platform.image", "overlaps", "onmicrosoft", "two at least"):
        assert any(text in reason for reason in seen), (text, seen)


@CLOUDS
@pytest.mark.parametrize("document", [{}, {"sbc": [], "network": 1}, {"sbc": {"instances": [1]}}])
def test_what_is_no_configuration_at_all_is_refused(cloud: Cloud, document: Any) -> None:
    assert len(reasons(cloud, document)) >= 5


def test_more_rules_than_a_group_takes_are_refused_before_anything_is_planned() -> None:
    refusals: list[ConfigurationRefused] = []

    def program() -> None:
        try:
            AWS.declare(sbc={"peers": ["teams", "webex"]})
        except ConfigurationRefused as refused:
            refusals.append(refused)

    assert recording.record(program) == []
    assert [reason.partition(":")[0] for reason in refusals[0].reasons] == [
        "values of sbc1",
        "values of sbc2",
    ]
    assert "a security group takes 60" in refusals[0].reasons[0]
    assert recording.record(
        lambda: AWS.declare(sbc={"peers": ["teams", "webex"], "rules_of_a_group": 200})
    )
