"""Each policy refuses what it is for, in an object that is otherwise the stack's own."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

import sample_stack
from callplane.deployment import admission, call_control_workload, platform_objects
from callplane_stacks import cloud_policies, gitops, platform_component, policies
from callplane_stacks.kubernetes import ledger_database, sbc
from callplane_stacks.objects import type_token

Body = dict[str, Any]


def stack_objects() -> dict[str, Body]:
    """One object of each kind that policies look at."""
    inputs = sample_stack.inputs()
    bodies = [
        *gitops.objects(inputs.configuration),
        *platform_objects.objects(platform_component.options(inputs.configuration)),
        *ledger_database.objects(inputs.configuration, sample_stack.PASSWORDS),
        *sbc.objects(inputs.configuration, inputs.sbcs, "postgresql://calls@db/callplane"),
    ]
    # Secrets hold values that only an engine can read; no policy looks at them.
    found = {body["kind"]: body for body in bodies if body["kind"] != "Secret"}
    files = next(body for body in bodies if sbc.RULESET in body.get("data", {}))
    found["Files"] = found["ConfigMap"] = files
    return copy.deepcopy(found)


def container(body: Body) -> Body:
    found: Body = body["spec"]["template"]["spec"]["containers"][0]
    return found


def pod(body: Body) -> Body:
    found: Body = body["spec"]["template"]["spec"]
    return found


Change = Callable[[Body], object]
ONCE = ("pods-are-bounded", "images-are-pinned", "only-calls-use-the-hosts-network")


def rules(*lines: str) -> Change:
    """The firewall of a node with these rules before its last."""
    return lambda b: b["data"].update({"callplane.nft": "\n".join([*lines, "tcp dport 5061 drop"])})


def published(service: str) -> Body:
    """What makes CloudNativePG publish a database."""
    template = {"metadata": {"name": "ledger"}, "spec": {"type": service}}
    return {"services": {"additional": [{"selectorType": "rw", "serviceTemplate": template}]}}


def tls(line: str) -> Change:
    return lambda b: b["data"].update({"tls.cfg": f"[server:default]\n{line}\n"})


CASES: list[tuple[str, str, Change]] = [
    ("pods-are-bounded", "Deployment", lambda b: container(b)["resources"].pop("limits")),
    ("pods-are-bounded", "Deployment", lambda b: container(b)["resources"].pop("requests")),
    (
        "pods-are-bounded",
        "StatefulSet",
        lambda b: container(b)["securityContext"].update(privileged=True),
    ),
    (
        "pods-are-bounded",
        "StatefulSet",
        lambda b: container(b)["securityContext"].update(capabilities={}),
    ),
    ("pods-are-probed", "Deployment", lambda b: container(b).pop("readinessProbe")),
    ("pods-are-probed", "StatefulSet", lambda b: container(b).pop("livenessProbe")),
    ("images-are-pinned", "Deployment", lambda b: container(b).update(image="callplane:latest")),
    ("images-are-pinned", "StatefulSet", lambda b: container(b).update(image="a.example:5000/k")),
    ("images-are-pinned", "Cluster", lambda b: b["spec"].update(imageName="postgresql")),
    (
        "images-are-pinned",
        "Stack",
        lambda b: b["spec"]["workspaceTemplate"]["spec"].update(image="pulumi/pulumi"),
    ),
    ("only-calls-use-the-hosts-network", "Deployment", lambda b: pod(b).update(hostNetwork=True)),
    *(
        # What is called an SBC and is none.
        ("only-calls-use-the-hosts-network", "StatefulSet", change)
        for change in (
            lambda b: pod(b).update(serviceAccountName="callplane-operator"),
            lambda b: pod(b).update(automountServiceAccountToken=True),
            lambda b: pod(b).pop("automountServiceAccountToken"),
            lambda b: pod(b).pop("nodeSelector"),
            lambda b: b.update(kind="DaemonSet"),
        )
    ),
    ("databases-are-safe", "Cluster", lambda b: b["spec"].update(instances=1)),
    ("databases-are-safe", "Cluster", lambda b: b["spec"]["postgresql"].pop("synchronous")),
    ("databases-are-safe", "Cluster", lambda b: b["spec"].pop("plugins")),
    ("databases-are-safe", "Cluster", lambda b: b["spec"].update(enableSuperuserAccess=True)),
    ("databases-are-private", "Service", lambda b: b["spec"].update(type="LoadBalancer")),
    (
        "teams-may-sign-in",
        "ConfigMap",
        lambda b: b["data"].update({"tls.cfg": "[server:default]\nverify_client = on\n"}),
    ),
    (
        "teams-may-sign-in",
        "ConfigMap",
        lambda b: b["data"].update({"tls.cfg": "[server:default]\nrequire_certificate = yes\n"}),
    ),
    (
        "calls-come-from-listed-networks",
        "Files",
        lambda b: b["data"].update({"callplane.nft": "ip saddr 0.0.0.0/0 tcp dport 5061 drop"}),
    ),
    (
        "calls-come-from-listed-networks",
        "Files",
        lambda b: b["data"].update({"callplane.nft": "ip saddr 192.0.2.0/24 accept"}),
    ),
    ("calls-come-from-listed-networks", "Files", rules("tcp dport 5061 accept")),
    ("calls-come-from-listed-networks", "Files", rules("ip saddr 128.0.0.0/1 tcp dport 1 accept")),
    ("calls-come-from-listed-networks", "Files", rules("ip6 saddr 2000::/3 udp dport 1 accept")),
    ("teams-may-sign-in", "ConfigMap", tls("verify_client = on  # for Teams")),
    ("teams-may-sign-in", "ConfigMap", tls('verify_client="optional"')),
    ("teams-may-sign-in", "ConfigMap", tls("require_certificate = TRUE")),
    ("teams-may-sign-in", "ConfigMap", tls("verify_certificate = yes")),
    (
        "only-calls-use-the-hosts-network",
        "Deployment",
        lambda b: container(b).update(ports=[{"containerPort": 5060, "hostPort": 5060}]),
    ),
    ("databases-are-private", "Service", lambda b: b["spec"].update(externalIPs=["192.0.2.1"])),
    (
        "databases-are-private",
        "Cluster",
        lambda b: b["spec"].update(managed={**b["spec"]["managed"], **published("LoadBalancer")}),
    ),
    (
        "approvals-are-held",
        "ValidatingAdmissionPolicyBinding",
        lambda b: b["spec"].update(validationActions=["Warn"]),
    ),
]


def found(body: Body) -> list[str]:
    return policies.violations(type_token(body["apiVersion"], body["kind"]), body)


@pytest.mark.parametrize(
    ("policy", "kind", "change"),
    [pytest.param(*case, id=f"{case[0]}-{number}") for number, case in enumerate(CASES)],
)
def test_a_violation_is_found_under_its_policys_name(
    policy: str, kind: str, change: Change
) -> None:
    body = stack_objects()[kind]
    assert found(body) == []
    change(body)
    assert [reason.partition(":")[0] for reason in found(body)] == [policy]


@pytest.mark.parametrize(("policy", "kind"), sorted({(policy, kind) for policy, kind, _ in CASES}))
def test_a_policy_says_that_it_looks(policy: str, kind: str) -> None:
    body = stack_objects()[kind]
    assert policy in policies.guards(type_token(body["apiVersion"], body["kind"]), body)


def test_every_policy_has_a_case() -> None:
    # Those over clouds have theirs in test_cloud_policies.py.
    judged = {case[0] for case in CASES} | set(cloud_policies.GUARDED)
    assert judged == set(policies.POLICIES)


def test_the_admission_policies_are_among_what_is_guarded() -> None:
    names = {body["metadata"]["name"] for body in stack_objects().values()}
    assert admission.BOUNDS in names


def test_pods_that_run_at_times_are_judged_too() -> None:
    spec = {"containers": [{"name": "it", "image": "callplane"}], "hostNetwork": True}
    nested = {"jobTemplate": {"spec": {"template": {"spec": spec}}}}
    body = {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {}, "spec": nested}
    assert {reason.partition(":")[0] for reason in found(body)} == set(ONCE)
    assert set(policies.guards(type_token("batch/v1", "CronJob"), body)) == set(ONCE)


def fenced(*bodies: Body) -> list[str]:
    """What the policy over pods' network policies says of these objects."""
    return list(
        policies.pods_are_fenced(
            [
                (type_token(body["apiVersion"], body["kind"]), body["metadata"]["name"], body)
                for body in bodies
            ]
        )
    )


def workload_and_fence() -> tuple[Body, Body]:
    """Call control's pods of the install, and their network policy."""
    options = platform_component.options(sample_stack.inputs().configuration)
    ours = {body["kind"]: body for body in call_control_workload.objects(options)}
    return copy.deepcopy(ours["Deployment"]), copy.deepcopy(ours["NetworkPolicy"])


def test_pods_with_a_network_policy_of_theirs_are_let_through() -> None:
    workload, fence = workload_and_fence()
    assert fenced(workload, fence) == []
    fence["spec"]["podSelector"] = {}
    assert fenced(workload, fence) == []


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda _, fence: fence.update(kind="ConfigMap"), id="none"),
        pytest.param(lambda _, fence: fence["metadata"].update(namespace="other"), id="elsewhere"),
        pytest.param(
            lambda _, fence: fence["spec"]["podSelector"]["matchLabels"].update(colour="red"),
            id="others'",
        ),
        pytest.param(
            lambda _, fence: fence["spec"]["podSelector"].update(
                matchExpressions=[{"key": "colour", "operator": "Exists"}]
            ),
            id="by an expression",
        ),
        pytest.param(
            lambda workload, _: workload["spec"]["template"]["metadata"].pop("labels"),
            id="without labels",
        ),
        pytest.param(
            lambda workload, _: workload.update(
                kind="CronJob",
                spec={"jobTemplate": {"spec": workload["spec"]}},
                metadata={"name": "at-times", "namespace": "other"},
            ),
            id="at times",
        ),
    ],
)
def test_pods_without_a_network_policy_are_found(change: Callable[[Body, Body], object]) -> None:
    workload, fence = workload_and_fence()
    change(workload, fence)
    assert len(fenced(workload, fence)) == 1


def test_no_network_policy_is_asked_for_where_none_would_hold() -> None:
    assert fenced(stack_objects()["StatefulSet"]) == []


@pytest.mark.parametrize("value", ["off", "optional_no_ca"])
def test_what_teams_needs_is_let_through(value: str) -> None:
    body = stack_objects()["ConfigMap"]
    body["data"]["tls.cfg"] = f"[server:default]\nverify_client = {value}\n"
    assert found(body) == []
