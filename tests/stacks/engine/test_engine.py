"""One stack's life under the real engine, every object judged by a real API server.

The tests run in order and share one stack: each begins where the one before ended.
"""

from __future__ import annotations

import base64
import json
from typing import Any

import pulumi
import pytest
from pulumi import automation

import foreign_kinds
import sample_stack
from callplane.testing import polling
from callplane_stacks import gitops, objects
from callplane_stacks.configuration import GitOpsProgram
from callplane_stacks.kubernetes import ledger_database, observability, sbc
from callplane_stacks.objects import KubernetesObject
from workshop import Cluster, Workshop, unprotected

PLATFORM = "callplane-system"
POLICIES = sample_stack.ROOT / "stacks" / "policy"


@pytest.fixture(scope="module")
def stack(workshop: Workshop) -> automation.Stack:
    """The stack that these tests live through."""
    return workshop.stack(sample_stack.declare)


def changes(result: automation.UpResult | automation.RefreshResult) -> dict[str, int]:
    """What an operation did, by kind of change."""
    return {str(kind): count for kind, count in (result.summary.resource_changes or {}).items()}


def test_a_preview_passes_every_policy_and_touches_nothing(
    stack: automation.Stack, cluster: Cluster
) -> None:
    seen: list[str] = []

    def note(event: Any) -> None:
        if event.policy_event is not None:
            seen.append(event.policy_event.policy_name)

    result = stack.preview(policy_packs=[str(POLICIES)], on_event=note)
    assert result.change_summary.keys() == {"create"}
    assert result.change_summary["create"] > 60
    assert seen == []
    assert "NotFound" in cluster.kubectl("get", "namespace", PLATFORM, check=False)


def test_it_comes_up_and_a_second_time_changes_nothing(
    stack: automation.Stack, cluster: Cluster
) -> None:
    made = changes(stack.up())
    assert made.keys() == {"create"}
    assert cluster.get("deployment", "callplane-operator", PLATFORM)["spec"]["replicas"] == 2
    assert cluster.get("clusters", ledger_database.CLUSTER, PLATFORM)["spec"]["instances"] == 3
    assert "teamsusers.callplane.dev" in cluster.kubectl("get", "crds")
    assert changes(stack.up()) == {"same": made["create"]}


def test_outputs_say_where_the_sbcs_are(stack: automation.Stack) -> None:
    outputs = stack.outputs()
    assert outputs["sbcs"].value == {
        "sbc1.voice.example.com": "203.0.113.11",
        "sbc2.voice.example.com": "203.0.113.12",
    }


def test_passwords_are_encrypted_in_everything_that_is_kept(
    stack: automation.Stack, workshop: Workshop
) -> None:
    kept = [path for path in workshop.state.rglob("*") if path.is_file()]
    assert any(path.name == "test.json" for path in kept)
    text = b"".join(path.read_bytes() for path in kept)
    for password in sample_stack.PASSWORDS.values():
        assert password.encode() not in text
        assert base64.b64encode(password.encode()) not in text
    # The exported state, which asks for the plain text, has them: they are there, and sealed.
    shown = json.dumps(stack.export_stack().deployment)
    assert all(password in shown for password in sample_stack.PASSWORDS.values())


def test_a_changed_configuration_changes_what_it_names(
    workshop: Workshop, cluster: Cluster
) -> None:
    more = {"platform": {"replicas": 3}}
    changed = workshop.stack(lambda: sample_stack.declare(**more))
    made = changes(changed.up())
    assert made["update"] == 1
    assert made.keys() == {"same", "update"}
    assert cluster.get("deployment", "callplane-operator", PLATFORM)["spec"]["replicas"] == 3
    assert changes(workshop.stack(sample_stack.declare).up())["update"] == 1


def test_new_files_of_an_sbc_are_there_at_every_moment(
    workshop: Workshop, cluster: Cluster
) -> None:
    """The same object with other contents: no second in which a pod that starts finds none."""

    def uid(kind: str, name: str, namespace: str) -> str:
        return str(cluster.get(kind, name, namespace)["metadata"]["uid"])

    files = ("configmap", "sbc1", "callplane-sbc")
    address = ("secret", "callplane-database", PLATFORM)
    before = [uid(*files), uid(*address)]
    passwords = {role: f"another-{role}" for role in sample_stack.PASSWORDS}
    changed = workshop.stack(lambda: sample_stack.declare(passwords, sbc={"peers": []}))
    made = changes(changed.up())
    assert made.keys() == {"same", "update"}
    assert [uid(*files), uid(*address)] == before
    assert changes(workshop.stack(sample_stack.declare).up()).keys() == {"same", "update"}


def test_another_namespace_by_mistake_leaves_the_ledger_and_calls(
    workshop: Workshop, cluster: Cluster
) -> None:
    """An `up` without a preview, as the Pulumi operator runs it."""
    other = {"namespace": "callplane-other"}
    with pytest.raises(automation.CommandError) as failed:
        workshop.stack(lambda: sample_stack.declare(platform=other)).up()
    assert "protected" in str(failed.value)
    ledger = cluster.get("clusters", ledger_database.CLUSTER, PLATFORM)
    assert "deletionTimestamp" not in ledger["metadata"]
    assert cluster.get("statefulset", "sbc1", "callplane-sbc")["spec"]["replicas"] == 1
    # What came beside it is protected like it: whoever means its end says so first.
    unprotected(workshop.stack(sample_stack.declare)).up()
    assert "NotFound" in cluster.kubectl("get", "namespace", "callplane-other", check=False)


def test_drift_is_seen_by_a_refresh_and_repaired_by_the_next_run(
    stack: automation.Stack, cluster: Cluster
) -> None:
    cluster.kubectl("scale", "deployment/callplane-operator", "-n", PLATFORM, "--replicas=0")
    cluster.kubectl("delete", "networkpolicy", ledger_database.CLUSTER, "-n", PLATFORM)
    wider = [{"op": "replace", "path": "/rules/2/verbs", "value": ["*"]}]
    cluster.kubectl(
        *("patch", "clusterrole", "callplane-operator", "--type=json", "-p", json.dumps(wider))
    )
    seen = changes(stack.refresh())
    assert (seen["update"], seen["delete"]) == (2, 1)
    repaired = changes(stack.up())
    assert (repaired["update"], repaired["create"]) == (2, 1)
    assert cluster.get("deployment", "callplane-operator", PLATFORM)["spec"]["replicas"] == 2
    assert changes(stack.refresh()).keys() == {"same"}


@pytest.mark.usefixtures("stack")
def test_a_commit_of_tenants_gives_nobody_rights(cluster: Cluster) -> None:
    """What the API server lets the account do that writes what the tenants' repository holds."""
    account = gitops.ACCOUNTS[GitOpsProgram.FLUX]

    def may(verb: str, *what: str) -> bool:
        asked = ("auth", "can-i", verb, *what, "--as", account)
        return cluster.kubectl(*asked, check=False).strip().endswith("yes")

    assert may("create", "teamsusers.callplane.dev", "-n", "sales")
    assert may("delete", "phonenumbers.callplane.dev", "-n", "sales")
    assert may("create", "namespaces")
    assert not may("delete", "namespaces")
    # Status says what the operator found, and plans are the operator's.
    assert not may("patch", "teamsusers.callplane.dev", "--subresource=status", "-n", "sales")
    assert not may("create", "changeplans.callplane.dev", "-n", "sales")
    for kind in ("secrets", "pods", "deployments.apps", "serviceaccounts", "configmaps"):
        assert not may("create", kind, "-n", "sales")
        assert not may("get", kind, "-n", "callplane-system")
    for kind in ("clusterrolebindings.rbac.authorization.k8s.io", "crds"):
        assert not may("create", kind)
    assert not may("create", "kustomizations.kustomize.toolkit.fluxcd.io", "-n", "flux-system")
    assert not may("impersonate", "serviceaccounts", "-n", "flux-system")


@pytest.mark.usefixtures("stack")
def test_tenants_have_namespaces_of_their_own_and_touch_no_others(cluster: Cluster) -> None:
    """An SBC's namespace with another label would admit no pod of it any more."""

    def said(name: str, **labels: str) -> str:
        body: dict[str, Any] = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        body["metadata"]["labels"] = labels
        account = ("--as", gitops.ACCOUNTS[GitOpsProgram.FLUX])
        how = ("apply", "--server-side", "--force-conflicts", *account, "-f", "-")
        return cluster.kubectl(*how, stdin=json.dumps(body), check=False)

    refusal = "tenants may change namespaces"
    # A policy is enforced a moment after it was made.
    polling.until(lambda: refusal in said("default"), "the policy is enforced", seconds=120)
    mark = {gitops.MARK: gitops.NAME}
    assert "serverside-applied" in said("marketing", **mark)
    assert "serverside-applied" in said("marketing", **mark, team="marketing")
    for name in ("callplane-sbc", "kube-system"):
        assert refusal in said(name, **mark)
    assert refusal in said("unmarked")
    cluster.kubectl("delete", "namespace", "marketing", "--wait=false")


def test_of_the_sbcs_pods_one_may_go_at_a_time(cluster: Cluster, stack: automation.Stack) -> None:
    """The API server's own answer to `kubectl drain` of both nodes. No controller runs here, so
    what it would do is done: the pods are made of the sets' templates, and counted.
    """
    namespace = ("-n", "callplane-sbc")
    for name in ("sbc1", "sbc2"):
        template = cluster.get("statefulset", name, "callplane-sbc")["spec"]["template"]
        metadata = {"name": f"{name}-0", "labels": template["metadata"]["labels"]}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}
        cluster.kubectl("create", *namespace, "-f", "-", stdin=json.dumps(pod))
        ready = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
        _set_status(cluster, "pod", f"{name}-0", ready)
    budget = cluster.get("poddisruptionbudget", "callplane-sbc", "callplane-sbc")
    labels = budget["spec"]["selector"]["matchLabels"]
    selector = ",".join(f"{key}={value}" for key, value in labels.items())
    counted = cluster.kubectl("get", "pods", *namespace, "-l", selector, "-o", "name").split()
    assert counted == ["pod/sbc1-0", "pod/sbc2-0"]
    _set_status(
        *(cluster, "poddisruptionbudget", "callplane-sbc"),
        {
            "observedGeneration": budget["metadata"]["generation"],
            "disruptionsAllowed": budget["spec"]["maxUnavailable"],
            "currentHealthy": 2,
            "desiredHealthy": 1,
            "expectedPods": 2,
        },
    )
    assert "violate the pod's disruption budget" not in _evict(cluster, "sbc1-0")
    assert "violate the pod's disruption budget" in _evict(cluster, "sbc2-0")
    assert "sbc2-0" in cluster.kubectl("get", "pods", *namespace)
    cluster.kubectl("delete", "pods", "--all", "--now", *namespace)


def _set_status(cluster: Cluster, kind: str, name: str, status: dict[str, Any]) -> None:
    patch = json.dumps({"status": status})
    place = (name, "-n", "callplane-sbc", "--subresource=status", "--type=merge")
    cluster.kubectl("patch", kind, *place, "-p", patch)


def _evict(cluster: Cluster, pod: str) -> str:
    metadata = {"name": pod, "namespace": "callplane-sbc"}
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": metadata}
    path = f"/api/v1/namespaces/callplane-sbc/pods/{pod}/eviction"
    return cluster.kubectl("create", "--raw", path, "-f", "-", stdin=json.dumps(body), check=False)


def test_a_violated_policy_fails_the_preview_with_its_name_and_the_resource(
    workshop: Workshop,
) -> None:
    def program() -> None:
        metadata = objects.labelled("listener", "test", "callplane-sbc")
        files = {"tls.cfg": "[server:default]\nverify_client = on\n"}
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": files}
        KubernetesObject("demanding-listener", body, pulumi.ResourceOptions())

    with pytest.raises(automation.CommandError) as failed:
        workshop.stack(program).preview(policy_packs=[str(POLICIES)])
    said = str(failed.value)
    assert "teams-may-sign-in" in said
    assert "demanding-listener" in said


def foreign_bodies() -> dict[str, dict[str, Any]]:
    """One object of each kind that others define, as the stack makes it."""
    inputs = sample_stack.inputs()
    argo = sample_stack.inputs(gitops={"program": "ArgoCD"}).configuration
    bodies = [
        *ledger_database.objects(inputs.configuration, sample_stack.PASSWORDS),
        *sbc.objects(inputs.configuration, inputs.sbcs, "postgresql://calls@db/callplane"),
        *observability.objects(inputs.configuration),
        *gitops.objects(inputs.configuration),
        *gitops.objects(argo),
    ]
    foreign = {kind for _, _, kind in foreign_kinds.SPECS}
    return {body["kind"]: body for body in bodies if body["kind"] in foreign}


def test_every_foreign_kind_is_used() -> None:
    assert foreign_bodies().keys() == {kind for _, _, kind in foreign_kinds.SPECS}


@pytest.mark.parametrize("kind", sorted(kind for _, _, kind in foreign_kinds.SPECS))
def test_a_misspelt_field_is_refused_by_the_server(cluster: Cluster, kind: str) -> None:
    body = foreign_bodies()[kind]
    namespace = body["metadata"]["namespace"]
    apply = ("apply", "--server-side", "--dry-run=server", "--force-conflicts", "-f", "-")
    assert "serverside-applied" in cluster.kubectl(*apply, stdin=json.dumps(body))
    spec = dict(body["spec"])
    spec["misspelt"] = spec.pop(next(iter(spec)))
    wrong = json.dumps({**body, "spec": spec})
    complaint = cluster.kubectl(*apply, stdin=wrong, check=False)
    assert "misspelt" in complaint, namespace


def test_a_refusal_of_the_server_names_the_resource(workshop: Workshop) -> None:
    def program() -> None:
        metadata = objects.labelled("refused", "test", PLATFORM)
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "dataa": {}}
        KubernetesObject("refused-object", body, pulumi.ResourceOptions())

    with pytest.raises(automation.CommandError) as failed:
        workshop.stack(program).preview()
    said = str(failed.value)
    assert "refused-object" in said
    assert ".dataa: field not declared in schema" in said


def test_a_refused_configuration_plans_nothing(workshop: Workshop) -> None:
    def program() -> None:
        sample_stack.declare(platform={"image": "callplane:latest"})

    with pytest.raises(automation.InlineSourceRuntimeError, match="latest"):
        workshop.stack(program).preview()


def test_destroyed_on_purpose_nothing_of_it_is_left(
    stack: automation.Stack, cluster: Cluster
) -> None:
    with pytest.raises(automation.CommandError, match="protected"):
        stack.destroy()
    assert cluster.get("clusters", ledger_database.CLUSTER, PLATFORM)["spec"]["instances"] == 3
    gone = changes(unprotected(stack).destroy())
    assert gone.keys() == {"delete"}
    assert "NotFound" in cluster.kubectl("get", "namespace", PLATFORM, check=False)
    assert "callplane.dev" not in cluster.kubectl("get", "crds")
    left = cluster.kubectl("get", "clusterroles,validatingadmissionpolicies", "-o", "name")
    assert "callplane" not in left
