"""`manifests/operator` is what the description says, object by object, and a real API server takes
each overlay whole.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml

from callplane.apis import registry
from callplane.deployment import (
    admission,
    alerts,
    dashboards,
    generate,
    platform_objects,
    traces,
)
from callplane.deployment.options import GITOPS_ACCOUNTS, Options
from callplane.settings import PREFIX, ApiSettings, CallControlSettings, OperatorSettings
from callplane.testing.control_plane import ThrowAwayCluster
from callplane.wiring import tracing_choice

Body = dict[str, Any]
Build = Callable[[str], list[Body]]

OVERLAYS = ("development", "staging", "production")
# The definitions of these kinds come with the Prometheus operator.
FOREIGN = ("ServiceMonitor", "PrometheusRule")


def key(body: Body) -> str:
    """What tells one object from another."""
    metadata = body["metadata"]
    return "/".join((body["kind"], metadata.get("namespace", "-"), metadata["name"]))


def by_key(bodies: Iterable[Body]) -> dict[str, Body]:
    return {key(body): body for body in bodies}


def overlay(kustomize: Build, name: str) -> dict[str, Body]:
    return by_key(kustomize(f"manifests/operator/overlays/{name}"))


def pods(bodies: Iterable[Body]) -> list[Body]:
    """The pod specs among objects."""
    return [body["spec"]["template"]["spec"] for body in bodies if body["kind"] == "Deployment"]


def weaknesses(pod: Body) -> list[str]:
    """What the restricted standard, or we, would not have in a pod."""
    found = []
    context = pod.get("securityContext", {})
    if not context.get("runAsNonRoot"):
        found.append("may run as root")
    if context.get("seccompProfile", {}).get("type") != "RuntimeDefault":
        found.append("no seccomp profile")
    if pod.get("hostNetwork") or pod.get("hostPID") or pod.get("hostIPC"):
        found.append("shares the node's namespaces")
    found += [f"volume {each['name']} of the node" for each in pod["volumes"] if "hostPath" in each]
    for container in [*pod.get("initContainers", []), *pod["containers"]]:
        name, own = container["name"], container.get("securityContext", {})
        if own.get("allowPrivilegeEscalation", True) or own.get("privileged"):
            found.append(f"{name} may gain privileges")
        if not own.get("readOnlyRootFilesystem"):
            found.append(f"{name} may write to its image")
        if own.get("capabilities", {}).get("drop") != ["ALL"]:
            found.append(f"{name} keeps capabilities")
        if container["image"].endswith(":latest") or ":" not in container["image"]:
            found.append(f"{name} runs whatever is newest")
        if "memory" not in container.get("resources", {}).get("limits", {}):
            found.append(f"{name} has no limit of memory")
    for container in pod["containers"]:
        found += [
            f"{container['name']} has no {probe}"
            for probe in ("livenessProbe", "readinessProbe")
            if probe not in container
        ]
    return found


def test_the_base_is_the_description_object_by_object(kustomize: Build) -> None:
    built = by_key(kustomize("manifests/operator/base"))
    described = by_key(platform_objects.objects(Options()))
    assert built.keys() == described.keys()
    for name, body in described.items():
        assert built[name] == body, name


def test_observability_is_the_description_object_by_object(kustomize: Build) -> None:
    options = Options()
    described = by_key([*alerts.objects(options), *dashboards.objects(options)])
    assert by_key(kustomize("manifests/observability")) == described


def test_the_component_for_traces_is_the_description_and_an_overlay_takes_it(
    kustomize: Build, root: Path, tmp_path: Path
) -> None:
    """As docs/observability.md shows it: the component in an overlay, with another collector."""
    text = (root / "docs/observability.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    base = os.path.relpath(root / "manifests/operator/base", tmp_path)
    component = os.path.relpath(root / "manifests/operator/components/traces", tmp_path)
    overlay = yaml.safe_load(shown) | {"resources": [base], "components": [component]}
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(overlay))
    built = by_key(kustomize(os.path.relpath(tmp_path, root)))
    collector = "http://collector.example.svc:4318"
    assert collector in shown
    options = Options(traces_endpoint=collector)
    assert built == by_key(platform_objects.objects(options))


def test_what_pods_read_of_traces_is_what_turns_them_on() -> None:
    """The variables that a ConfigMap of the component sets are the ones by which a process asks."""
    objects = by_key(platform_objects.objects(Options(traces_endpoint=traces.SAMPLE_ENDPOINT)))
    data = objects["ConfigMap/callplane-system/callplane-traces"]["data"]
    environments = [
        {
            entry["name"]: data[reference["key"]]
            for entry in container["env"]
            if (reference := entry.get("valueFrom", {}).get("configMapKeyRef"))
        }
        for pod in pods(objects.values())
        for container in pod["containers"]
        if container["args"] != ["api"]
    ]
    assert len(environments) == 2
    for environment in environments:
        assert tracing_choice.is_wanted(environment)
        assert tracing_choice.problem_of(environment) == ""
        assert not tracing_choice.is_wanted({**environment, "OTEL_EXPORTER_OTLP_ENDPOINT": ""})


def test_generated_files_are_fresh(root: Path) -> None:
    assert generate.stale_files(root) == []


@pytest.mark.parametrize("name", OVERLAYS)
def test_an_overlay_changes_only_what_it_says(kustomize: Build, name: str) -> None:
    built, described = overlay(kustomize, name), by_key(platform_objects.objects(Options()))
    allowed = {
        "development": {"Deployment"},
        "staging": {"Deployment"},
        "production": {"Deployment", "ClusterRole", "ValidatingAdmissionPolicy"},
    }[name]
    assert described.keys() <= built.keys()
    changed = {body["kind"] for name, body in described.items() if built[name] != body}
    assert changed <= allowed


@pytest.mark.parametrize("name", OVERLAYS)
def test_pods_are_restricted(kustomize: Build, name: str) -> None:
    found = pods(overlay(kustomize, name).values())
    assert len(found) == 3
    assert [weakness for pod in found for weakness in weaknesses(pod)] == []


def test_the_database_for_development_is_restricted_too(root: Path) -> None:
    text = (root / "manifests/development/postgres.yaml").read_text(encoding="utf-8")
    (pod,) = pods(yaml.safe_load_all(text))
    assert weaknesses(pod) == []


def test_the_secret_for_development_has_every_key_that_pods_read(root: Path) -> None:
    text = (root / "manifests/development/postgres.yaml").read_text(encoding="utf-8")
    (secret,) = (body for body in yaml.safe_load_all(text) if body["kind"] == "Secret")
    read = {
        (wanted["name"], wanted["key"])
        for pod in pods(platform_objects.objects(Options()))
        for container in [*pod.get("initContainers", []), *pod["containers"]]
        for entry in container["env"]
        if (wanted := entry.get("valueFrom", {}).get("secretKeyRef"))
        if not wanted.get("optional")
    } | {
        (volume["secret"]["secretName"], item["key"])
        for pod in pods(platform_objects.objects(Options()))
        for volume in pod["volumes"]
        # A Secret that is mounted whole is one that other programs make, such as a certificate.
        for item in volume.get("secret", {}).get("items", ())
    }
    assert read == {(secret["metadata"]["name"], name) for name in secret["stringData"]}


def test_production_narrows_secrets_to_agreed_names(kustomize: Build) -> None:
    built = overlay(kustomize, "production")
    rules = built["ClusterRole/-/callplane-operator"]["rules"]
    (secrets,) = (rule for rule in rules if rule["resources"] == ["secrets"])
    described = Options(secret_names=tuple(secrets["resourceNames"]))
    expected = by_key(platform_objects.objects(described))["ClusterRole/-/callplane-operator"]
    assert rules == expected["rules"]


def test_production_exempts_one_account(kustomize: Build) -> None:
    name = f"ValidatingAdmissionPolicy/-/{admission.APPROVALS}"
    options = Options(gitops_accounts=GITOPS_ACCOUNTS[1:])
    expected = by_key(platform_objects.objects(options))[name]
    assert overlay(kustomize, "production")[name] == expected


@pytest.mark.parametrize("name", OVERLAYS)
def test_a_real_api_server_takes_an_overlay_whole(
    kustomize: Build, throw_away_cluster: ThrowAwayCluster, name: str
) -> None:
    traced = kustomize("manifests/operator/components/traces")
    built = [
        body
        for body in [*kustomize(f"manifests/operator/overlays/{name}"), *traced]
        if body["kind"] not in FOREIGN
    ]
    document = {"apiVersion": "v1", "kind": "List", "items": built}
    said = throw_away_cluster.kubectl(
        *("apply", "--server-side", "--force-conflicts", "--validate=strict", "-f", "-"),
        stdin=json.dumps(document),
    )
    assert len(said.stdout.splitlines()) == len(built)
    assert "Warning" not in said.stderr


WEAKER: dict[str, Callable[[Body], object]] = {
    "hostNetwork": lambda pod: pod.update(hostNetwork=True),
    "runAsNonRoot": lambda pod: pod["securityContext"].pop("runAsNonRoot"),
    "seccompProfile": lambda pod: pod["securityContext"].pop("seccompProfile"),
    "allowPrivilegeEscalation": lambda pod: pod["containers"][0]["securityContext"].clear(),
    "hostPath": lambda pod: pod["volumes"].append({"name": "all", "hostPath": {"path": "/"}}),
}


@pytest.mark.parametrize("weakness", WEAKER)
def test_the_api_server_itself_refuses_a_pod_that_is_less_restricted(
    throw_away_cluster: ThrowAwayCluster, weakness: str
) -> None:
    """The namespace asks for the restricted standard, and the server's own admission knows it."""
    options = Options(namespace=f"weak-{weakness.lower()}")
    objects = platform_objects.objects(options)
    (namespace,) = (body for body in objects if body["kind"] == "Namespace")
    kubectl = throw_away_cluster.kubectl
    kubectl("apply", "-f", "-", stdin=json.dumps(namespace))
    pod = next(iter(pods(objects))) | {"serviceAccountName": "default"}
    metadata = {"name": "operator", "namespace": options.namespace}
    manifest = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": pod}
    account = {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": "default", "namespace": options.namespace},
    }
    kubectl("apply", "-f", "-", stdin=json.dumps(account))
    kubectl("create", "--dry-run=server", "-f", "-", stdin=json.dumps(manifest))
    WEAKER[weakness](pod)
    refused = kubectl(
        *("create", "--dry-run=server", "-f", "-"), stdin=json.dumps(manifest), check=False
    )
    assert 'violates PodSecurity "restricted' in refused.stderr
    assert weakness in refused.stderr


def test_the_pod_is_told_settings_that_exist_and_probes_that_answer() -> None:
    found = pods(platform_objects.objects(Options()))
    of_verb = {
        "operator": OperatorSettings,
        "callcontrol": CallControlSettings,
        "api": ApiSettings,
    }
    assert [pod["containers"][0]["args"][0] for pod in found] == list(of_verb)
    for pod in found:
        (container,) = pod["containers"]
        settings_type = of_verb[container["args"][0]]
        names = {entry["name"] for entry in container["env"]}
        ours = {name for name in names if not name.startswith("OTEL_")}
        assert ours <= {PREFIX + name.upper() for name in settings_type.model_fields}
        # The admin API has no traces.
        traced = () if settings_type is ApiSettings else traces.VARIABLES.keys()
        hidden = traces.SECRET_VARIABLES if traced else ()
        assert names - ours == {*traced, *hidden}
        values = {entry["name"]: entry.get("value", "somewhere") for entry in container["env"]}
        settings = settings_type.from_environment({PREFIX + "PROBE_PORT": "8080", **values})
        assert settings.probe_host == "0.0.0.0"
        assert settings.probe_port == container["ports"][0]["containerPort"]


def test_call_control_has_no_right_in_the_cluster_and_a_role_of_its_own() -> None:
    objects = by_key(platform_objects.objects(Options()))
    operator, calls = (
        objects[f"Deployment/callplane-system/{name}"]["spec"]["template"]["spec"]
        for name in ("callplane-operator", "callplane-callcontrol")
    )
    assert calls["automountServiceAccountToken"] is False
    assert calls["serviceAccountName"] not in json.dumps(
        [body for name, body in objects.items() if name.startswith("ClusterRoleBinding")]
    )
    keys = [
        {
            item["key"]
            for volume in pod["volumes"]
            if volume.get("secret", {}).get("secretName") == "callplane-database"
            for item in volume["secret"]["items"]
        }
        for pod in (operator, calls)
    ]
    assert keys == [{"uri"}, {"calls-uri"}]
    # As a file, which changes under the process; a variable would want a restart.
    for pod in (operator, calls):
        [container] = pod["containers"]
        [address] = [one for one in container["env"] if one["name"] == "CALLPLANE_DATABASE_URL"]
        [mount] = [one for one in container["volumeMounts"] if one["name"] == "database"]
        assert address["value"] == f"file://{mount['mountPath']}/uri"


def test_the_network_lets_pods_do_what_they_do_and_nothing_else() -> None:
    """Each pod has a policy; in comes what it serves, out goes what it needs."""
    objects = platform_objects.objects(Options(traces_endpoint=traces.SAMPLE_ENDPOINT))
    policies = [body["spec"] for body in objects if body["kind"] == "NetworkPolicy"]
    deployments = {
        body["metadata"]["name"]: body["spec"]["template"]
        for body in objects
        if body["kind"] == "Deployment"
    }
    needs = {
        "callplane-operator": {53, 443, 6443, 5432, 4318},
        "callplane-callcontrol": {53, 5432, 4318},
        "callplane-api": {53, 443, 6443, 5432, 4318},
    }
    assert deployments.keys() == needs.keys()
    for name, template in deployments.items():
        labels = template["metadata"]["labels"]
        own = [
            policy
            for policy in policies
            if policy["podSelector"]["matchLabels"].items() <= labels.items()
        ]
        served = {
            port["containerPort"]
            for container in template["spec"]["containers"]
            for port in container["ports"]
        }
        ports = {
            way: {
                port["port"]
                for policy in own
                for rule in policy.get(way, ())
                for port in rule["ports"]
            }
            for way in ("ingress", "egress")
        }
        assert ports == {"ingress": served, "egress": needs[name]}, name
        assert {way for policy in own for way in policy["policyTypes"]} == {"Ingress", "Egress"}


def test_roles_of_readers_are_given_and_never_come_along() -> None:
    """Whoever may look at objects, or edit them, has not been told who has which number."""
    objects = by_key(platform_objects.objects(Options()))
    virtual = {"numbers", "numbers/history", "numbers/digits"}
    virtual |= {f"callingaccounts/{each}" for each in ("pools", "statements", "postings")}
    for body in objects.values():
        if body["kind"] not in ("Role", "ClusterRole"):
            continue
        named = {each for rule in body["rules"] for each in rule["resources"]}
        aggregated = any("aggregate-to" in label for label in body["metadata"]["labels"])
        assert "*" not in named
        assert not (aggregated and named & virtual), body["metadata"]["name"]
        if named & virtual:
            assert body["metadata"]["name"].endswith("-reader")


def test_the_admin_api_may_ask_and_read_nothing() -> None:
    objects = by_key(platform_objects.objects(Options()))
    (role, own) = (
        objects[f"{kind}/callplane-api"]["rules"]
        for kind in ("ClusterRole/-", "Role/callplane-system")
    )
    allowed = {
        (verb, resource, *rule.get("resourceNames", ["*"]))
        for rule in (*role, *own)
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    assert allowed == {
        ("create", "tokenreviews", "*"),
        ("create", "subjectaccessreviews", "*"),
        ("get", "namespaces", "kube-system"),
        ("create", "events", "*"),
        ("patch", "events", "*"),
    }
    pod = objects["Deployment/callplane-system/callplane-api"]["spec"]["template"]["spec"]
    (key,) = {
        item["key"]
        for volume in pod["volumes"]
        for item in volume.get("secret", {}).get("items", ())
    }
    assert key == "reader-uri"


def test_every_kind_is_watched_and_its_status_written() -> None:
    objects = by_key(platform_objects.objects(Options()))
    rules = objects["ClusterRole/-/callplane-operator"]["rules"]
    allowed = {
        (resource, verb)
        for rule in rules
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    for kind in registry.KINDS:
        assert {(kind.plural, verb) for verb in ("get", "list", "watch", "patch")} <= allowed
        assert (f"{kind.plural}/status", "patch") in allowed
        assert (kind.plural, "update") not in allowed


@pytest.mark.parametrize(
    "change",
    [
        lambda pod: pod["securityContext"].pop("runAsNonRoot"),
        lambda pod: pod["securityContext"].pop("seccompProfile"),
        lambda pod: pod.update(hostNetwork=True),
        lambda pod: pod["volumes"].append({"name": "all", "hostPath": {"path": "/"}}),
        lambda pod: pod["containers"][0]["securityContext"].update(privileged=True),
        lambda pod: pod["containers"][0]["securityContext"].pop("readOnlyRootFilesystem"),
        lambda pod: pod["containers"][0]["securityContext"].pop("capabilities"),
        lambda pod: pod["initContainers"][0].update(image="callplane:latest"),
        lambda pod: pod["containers"][0].pop("resources"),
        lambda pod: pod["containers"][0].pop("readinessProbe"),
    ],
)
def test_a_weakness_is_caught(change: Callable[[Body], object]) -> None:
    (pod, _, _) = pods(platform_objects.objects(Options()))
    change(pod)
    assert len(weaknesses(pod)) == 1
