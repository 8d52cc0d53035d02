"""A configuration that cannot be is refused before anything is planned, all reasons at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

import sample_stack
from callplane_stacks import sbc_values
from callplane_stacks.configuration import ConfigurationRefused
from callplane_stacks.kubernetes import configuration


def reasons(document: Mapping[str, Any]) -> list[str]:
    """Why a document is refused; empty when it is not."""
    try:
        configuration.read(document)
    except ConfigurationRefused as refused:
        return refused.reasons
    return []


def instances(**change: object) -> dict[str, Any]:
    """The sample's SBCs with the first one changed."""
    first, *rest = sample_stack.document()["sbc"]["instances"]
    return {"instances": [{**first, **change}, *rest]}


def stacks(**change: object) -> dict[str, Any]:
    """The sample's GitOps with the repository of the stacks changed."""
    return {"gitops": {"stacks": {**sample_stack.document()["gitops"]["stacks"], **change}}}


def test_the_sample_can_be() -> None:
    assert reasons(sample_stack.document()) == []


CASES: list[tuple[str, dict[str, Any], str]] = [
    ("unknown key", {"platform": {"colour": "red"}}, "platform.colour: Extra inputs"),
    ("unknown key below", {"sbc": instances(colour="red")}, "sbc.instances.0.colour: Extra"),
    ("overlap", {"networks": {"services": "10.40.128.0/20"}}, "networks.pods: 10.40.0.0/16 over"),
    ("peer", {"networks": {"pods": "52.113.0.0/16"}}, "overlaps peer teams 52.112.0.0/14"),
    ("no network", {"networks": {"pods": "10.0.0.0/99"}}, "networks.pods"),
    ("onmicrosoft", {"sbc": instances(host_name="sbc.a.onmicrosoft.com")}, "onmicrosoft.com"),
    ("wildcard", {"sbc": instances(host_name="*.voice.example.com")}, "is a wildcard"),
    ("address", {"sbc": instances(host_name="203.0.113.11")}, "is an address"),
    ("bare domain", {"sbc": instances(host_name="example.com")}, "within a verified domain"),
    ("underscore", {"sbc": instances(host_name="sbc_1.voice.example.com")}, "is no host name"),
    ("capital", {"sbc": instances(host_name="SBC1.voice.example.com")}, "capital letters"),
    ("same name", {"sbc": instances(host_name="sbc2.voice.example.com")}, "another instance's"),
    ("same address", {"sbc": instances(address="203.0.113.12")}, "another instance's too"),
    ("same node", {"sbc": instances(node="edge-2")}, "another instance's too"),
    ("private", {"sbc": instances(address="10.99.0.4")}, "cannot be reached from outside"),
    ("peer unknown", {"sbc": {"peers": ["nobody"]}}, "'nobody' is none of teams, webex"),
    ("image", {"platform": {"image": "callplane"}}, "platform.image"),
    ("collector", {"platform": {"traces_endpoint": "collector:4318"}}, "platform.traces_endpoint"),
    ("ratio", {"platform": {"traces_ratio": 2}}, "platform.traces_ratio"),
    (
        "password in url",
        {"gitops": {"repository": "https://me:it@git.example.com/a"}},
        "gitops",
    ),
    ("rights of all", {"gitops": {"also_groups": ["rbac.authorization.k8s.io"]}}, "no group of"),
    ("another flux", {"gitops": {"also_groups": ["kustomize.toolkit.fluxcd.io"]}}, "no group of"),
    ("core kinds", {"gitops": {"also_groups": ["apps"]}}, "no group of kinds"),
    ("no source", stacks(branch=""), "needs a branch or a commit"),
    ("two sources", stacks(commit="0" * 40), "needs a branch or a commit"),
    ("no key", stacks(secrets_provider=""), "PULUMI_CONFIG_PASSPHRASE in environment"),
    ("workspace", stacks(workspace_image="callplane-stacks:latest"), "workspace_image"),
    ("secret itself", stacks(environment={"TOKEN": "secret"}), "environment.TOKEN"),
    ("no", {"networks": {"pods": False}}, "networks.pods: Value error, Input should be a text"),
    ("number", {"networks": {"nodes": 5}}, "networks.nodes: Value error, Input should be a text"),
    (
        "half the world",
        {"networks": {"nodes": "128.0.0.0/1"}},
        "networks.nodes: 128.0.0.0/1 is wid",
    ),
    ("world of IPv6", {"networks": {"pods": "::/0"}}, "networks.pods: ::/0 is wider than /16"),
    ("address no", {"sbc": instances(address=False)}, "sbc.instances.0.address: Value error"),
    ("address IPv6", {"sbc": instances(address="2001:db8::1")}, "sbc.instances.0.address"),
    ("address any", {"sbc": instances(address="0.0.0.0")}, "cannot be reached from outside"),
    ("group", {"sbc": instances(address="224.0.0.1")}, "cannot be reached from outside"),
    ("no node", {"sbc": instances(node="")}, "sbc.instances.0.node"),
    ("local", {"sbc": instances(host_name="sbc1.example.local")}, "ends in .local, for which"),
    ("nearly an address", {"sbc": instances(host_name="203.0.113.999")}, "ends in .999, for which"),
    ("negative port", {"sbc": {"rtp_ports": [-5, 20000]}}, "sbc.rtp_ports"),
    ("backwards", {"sbc": {"rtp_ports": [20000, 10000]}}, "a first and a higher last port"),
    ("every port", {"sbc": {"rtp_ports": [1, 65535]}}, "sbc.rtp_ports"),
    ("beyond", {"sbc": {"rtp_ports": [20000, 70000]}}, "sbc.rtp_ports"),
    (
        "token in url",
        {"gitops": {"repository": "https://git.example.com/a?token=it"}},
        "holds no password and no token: those are in a Secret",
    ),
    ("branch no", {"gitops": {"branch": False}}, "gitops.branch"),
    ("no branch", {"gitops": {"branch": ""}}, "gitops.branch"),
    ("no role", stacks(cluster_role=""), "gitops.stacks.cluster_role"),
    ("secret unnamed", {"platform": {"secret_names": [""]}}, "platform.secret_names.0"),
    ("cluster's own", {"platform": {"namespace": "kube-system"}}, "platform.namespace: Value err"),
    ("cluster's default", {"sbc": {"namespace": "default"}}, "is the cluster's own; a stack needs"),
    ("few servers", {"database": {"instances": 1}}, "database.instances"),
]


@pytest.mark.parametrize(
    ("parts", "wanted"), [pytest.param(parts, text, id=name) for name, parts, text in CASES]
)
def test_what_cannot_be_is_refused(parts: dict[str, Any], wanted: str) -> None:
    found = reasons(sample_stack.document(**parts))
    assert len(found) == 1, found
    assert wanted in found[0]


def test_one_sbc_is_none() -> None:
    only = sample_stack.document()["sbc"]["instances"][:1]
    assert reasons(sample_stack.document(sbc={"instances": only})) == [
        "sbc.instances: 1 of them; two at least, so that one may go"
    ]


def test_all_reasons_come_at_once() -> None:
    broken = sample_stack.document(
        networks={"services": "10.40.0.0/24"},
        platform={"colour": "red", "image": "callplane"},
        sbc={"instances": instances(host_name="a.onmicrosoft.com")["instances"][:1]},
    )
    found = reasons(broken)
    assert len(found) == 5
    for text in ("colour", "platform.image", "overlaps", "onmicrosoft", "two at least"):
        assert any(text in reason for reason in found), text


@pytest.mark.parametrize("document", [{}, {"sbc": []}, {"sbc": {"instances": ["one"]}}])
def test_what_is_no_configuration_at_all_is_refused(document: dict[str, Any]) -> None:
    assert len(reasons(document)) >= 5


@pytest.mark.parametrize("document", [None, True, "no", 5, [], ["platform"]])
def test_what_is_no_mapping_is_refused(document: Any) -> None:
    assert reasons(document) == ["callplane:stack: has to be keys and values"]


def refused_values(documents: dict[str, Any], **parts: Mapping[str, Any]) -> list[str]:
    """Why values of SBCs are refused."""
    with pytest.raises(ConfigurationRefused) as refused:
        sbc_values.read(configuration.read(sample_stack.document(**parts)).sbc, documents)
    return refused.value.reasons


def test_values_of_sbcs_have_to_fit_the_configuration() -> None:
    first, second = sample_stack.values().items()
    other = {**first[1], "fqdn": "sbc9.voice.example.com", "public": "203.0.113.99:5061"}
    found = refused_values({first[0]: other, "sbc9": second[1]})
    assert [reason.partition(":")[0] for reason in found] == [
        "values of sbc1",
        "values of sbc1",
        "values of sbc2",
        "values of sbc9",
    ]


def test_wrong_values_are_refused_with_the_renderers_reasons() -> None:
    broken = sample_stack.values()
    broken["sbc1"]["core"] = "nowhere"
    broken["sbc2"]["colour"] = "red"
    found = refused_values(broken)
    assert any("sbc1" in reason and "core" in reason for reason in found)
    assert any("sbc2" in reason and "colour" in reason for reason in found)


@pytest.mark.parametrize(
    ("ports", "taken"),
    [
        ((5000, 5060), "5060"),
        ((5061, 6000), "5061"),
        ((5080, 6000), "5080"),
        ((2000, 2223), "2223"),
    ],
)
def test_media_take_no_port_that_something_listens_on(ports: tuple[int, int], taken: str) -> None:
    """The world may be let in to media, and would be to SIP."""
    found = refused_values(sample_stack.values(), sbc={"rtp_ports": list(ports)})
    for name in ("sbc1", "sbc2"):
        assert any(each.startswith(f"values of {name}: port {taken} is one of") for each in found)
