"""What no stack may do, as functions over one resource; `stacks/policy` hands them to the engine.

Each takes a resource's type and properties and gives the reasons against it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from callplane.deployment import sbc_pod
from callplane_stacks import cloud_policies

Properties = Mapping[str, Any]
Check = Callable[[str, Properties], Iterator[str]]
#: Over all resources at once, each its type, its name and its properties.
StackCheck = Callable[[list[tuple[str, str, Properties]]], Iterator[str]]

SBC = "sbc"
#: Values by which Kamailio demands a client certificate, with the default purpose check, which
#: refuses Microsoft's certificates: they are for servers only since 2026.
DEMANDED = re.compile(
    r"verify_client\s*=\s*\"?(on|optional)(?!\w)|"
    r"(require|verify)_certificate\s*=\s*\"?(yes|on|true|1)(?!\w)",
    re.IGNORECASE,
)
SOURCE = re.compile(r"saddr (\S+)")
PHONES = 'comment "declared phones"'
FEWEST_INSTANCES = 3
#: Types of a Service that is reached from outside the cluster.
PUBLISHED = ("LoadBalancer", "NodePort")
#: What makes pods of a template, besides what makes one of its own.
WORKLOADS = (":Deployment", ":StatefulSet", ":DaemonSet", ":ReplicaSet", ":Job")
RUNS_ONCE = (":Job", ":CronJob")


def pods_are_bounded(kind: str, properties: Properties) -> Iterator[str]:
    """Every container has requests and a limit of memory, and drops all capabilities."""
    for container in _containers(kind, properties):
        name, resources = container.get("name"), container.get("resources") or {}
        if "memory" not in (resources.get("limits") or {}):
            yield f"{name} has no limit of memory"
        if not resources.get("requests"):
            yield f"{name} requests nothing"
        context = container.get("securityContext") or {}
        if context.get("privileged") or context.get("allowPrivilegeEscalation", True):
            yield f"{name} may gain privileges"
        if "ALL" not in ((context.get("capabilities") or {}).get("drop") or []):
            yield f"{name} keeps capabilities"


def pods_are_probed(kind: str, properties: Properties) -> Iterator[str]:
    """Every container that stays says whether it lives and whether it is ready."""
    pod = {} if kind.endswith(RUNS_ONCE) else _pod(kind, properties)
    for container in (pod or {}).get("containers") or []:
        for probe in ("livenessProbe", "readinessProbe"):
            if not container.get(probe):
                yield f"{container.get('name')} has no {probe}"


def images_are_pinned(kind: str, properties: Properties) -> Iterator[str]:
    """No image is whatever is newest."""
    images = [str(container.get("image")) for container in _containers(kind, properties)]
    if kind.endswith(":Cluster"):
        images.append(str((properties.get("spec") or {}).get("imageName")))
    # Not the engine's own resource, whose type ends in the same way.
    if kind.startswith("kubernetes:pulumi.com/"):
        template = (properties.get("spec") or {}).get("workspaceTemplate") or {}
        images.append(str((template.get("spec") or {}).get("image")))
    for image in images:
        if "@sha256:" not in image and not re.search(r":(?!latest$)[\w.-]+$", image):
            yield f"image {image} is not pinned"
    yield from cloud_policies.images_are_pinned(kind, properties)


def only_calls_use_the_hosts_network(kind: str, properties: Properties) -> Iterator[str]:
    """Pods on the host's network are past every network policy. A label alone makes no SBC: it is
    a set of one pod on a node of its own, without a token of the cluster.
    """
    pod = _pod(kind, properties)
    labels = (properties.get("metadata") or {}).get("labels") or {}
    is_called_sbc = labels.get("app.kubernetes.io/component") == SBC
    if is_called_sbc and kind.endswith(":StatefulSet") and pod and _is_held_like_an_sbc(pod):
        return
    if pod and pod.get("hostNetwork"):
        yield "uses the host's network and is no SBC"
    for container in _containers(kind, properties):
        if any(port.get("hostPort") for port in container.get("ports") or []):
            yield f"{container.get('name')} takes a port of the host and is no SBC"


def _is_held_like_an_sbc(pod: Properties) -> bool:
    return (
        pod.get("serviceAccountName") == sbc_pod.ACCOUNT
        and pod.get("automountServiceAccountToken") is False
        and sbc_pod.NODE_LABEL in (pod.get("nodeSelector") or {})
    )


def databases_are_safe(kind: str, properties: Properties) -> Iterator[str]:
    """Standbys, backups, no deletion by mistake, no superuser over the network."""
    yield from cloud_policies.databases_are_safe(kind, properties)
    if not kind.startswith("kubernetes:postgresql.cnpg.io") or not kind.endswith(":Cluster"):
        return
    spec = properties.get("spec") or {}
    if int(spec.get("instances") or 1) < FEWEST_INSTANCES:
        yield f"has fewer than {FEWEST_INSTANCES} instances"
    if (spec.get("postgresql") or {}).get("synchronous", {}).get("dataDurability") != "required":
        yield "may lose what it answered for: no synchronous standby is required"
    if not any(plugin.get("isWALArchiver") for plugin in spec.get("plugins") or []):
        yield "archives no write-ahead log"
    if spec.get("enableSuperuserAccess"):
        yield "lets the superuser in over the network"


def databases_are_private(kind: str, properties: Properties) -> Iterator[str]:
    """Nothing publishes a database outside the cluster, or outside its own network."""
    yield from cloud_policies.databases_are_private(kind, properties)
    spec = properties.get("spec") or {}
    if kind.startswith("kubernetes:postgresql.cnpg.io"):
        services = ((spec.get("managed") or {}).get("services") or {}).get("additional") or []
        for service in services:
            found = ((service.get("serviceTemplate") or {}).get("spec") or {}).get("type")
            if found in PUBLISHED:
                yield f"has a service of type {found}"
    if not kind.endswith(":Service"):
        return
    if spec.get("type") in PUBLISHED or spec.get("externalIPs"):
        ports = [port.get("port") for port in spec.get("ports") or []]
        yield f"publishes ports {ports} of the cluster"


def teams_may_sign_in(kind: str, properties: Properties) -> Iterator[str]:
    """Listeners for Teams do not demand verified client certificates; calling out is another
    matter.
    """
    for name, text in _files(kind, properties, "tls.cfg"):
        section = ""
        for line in text.splitlines():
            if line.startswith("["):
                section = line
            if section.startswith("[server") and DEMANDED.match(line.strip()):
                yield f"{name}: {section} {line.strip()}"


def calls_come_from_listed_networks(kind: str, properties: Properties) -> Iterator[str]:
    """A firewall admits lists of networks and drops the rest; the world only for phones that are
    declared.
    """
    for name, text in _files(kind, properties, ".nft"):
        lines = text.splitlines()
        if any(_is_open(line) for line in lines if PHONES not in line):
            yield f"{name} admits the whole world"
        if not any("dport" in line and line.endswith("drop") for line in lines):
            yield f"{name} drops nothing"
    yield from cloud_policies.calls_come_from_listed_networks(kind, properties)


def _is_open(line: str) -> bool:
    """Whether a line of nftables names the world as a source, or lets in without a source."""
    source = SOURCE.search(line)
    if source is None:
        return "dport" in line and "accept" in line
    return cloud_policies.is_world(source[1])


def approvals_are_held(kind: str, properties: Properties) -> Iterator[str]:
    """A policy's binding denies; one that only warns would hold nobody."""
    if not kind.endswith(":ValidatingAdmissionPolicyBinding"):
        return
    if "Deny" not in ((properties.get("spec") or {}).get("validationActions") or []):
        yield "does not deny"


def pods_are_fenced(resources: list[tuple[str, str, Properties]]) -> Iterator[str]:
    """Every pod has a network policy, but those that no such policy holds for."""
    fences = [
        (_namespace(properties), ((properties.get("spec") or {}).get("podSelector") or {}))
        for kind, _, properties in resources
        if kind.endswith(":NetworkPolicy")
    ]
    for kind, name, properties in resources:
        pod = _pod(kind, properties)
        if pod is None or pod.get("hostNetwork"):
            continue
        labels = _pod_labels(kind, properties)
        if not any(
            place == _namespace(properties) and _selects(selector, labels)
            for place, selector in fences
        ):
            yield f"{name} makes pods that no network policy selects"


def _namespace(properties: Properties) -> object:
    return (properties.get("metadata") or {}).get("namespace")


def _selects(selector: Properties, labels: Properties) -> bool:
    """Whether a selector of labels, which is all we write, fits."""
    wanted = (selector.get("matchLabels") or {}).items()
    return not selector.get("matchExpressions") and wanted <= labels.items()


def _pod_labels(kind: str, properties: Properties) -> Properties:
    if kind.endswith(":Pod"):
        holder: Properties = properties
    else:
        holder = _template(kind, properties)
    return (holder.get("metadata") or {}).get("labels") or {}


POLICIES: dict[str, Check] = {
    "pods-are-bounded": pods_are_bounded,
    "pods-are-probed": pods_are_probed,
    "images-are-pinned": images_are_pinned,
    "only-calls-use-the-hosts-network": only_calls_use_the_hosts_network,
    "databases-are-safe": databases_are_safe,
    "databases-are-private": databases_are_private,
    "teams-may-sign-in": teams_may_sign_in,
    "calls-come-from-listed-networks": calls_come_from_listed_networks,
    "approvals-are-held": approvals_are_held,
    "storage-is-encrypted": cloud_policies.storage_is_encrypted,
    "stores-are-private": cloud_policies.stores_are_private,
    "machines-are-held": cloud_policies.machines_are_held,
}
STACK_POLICIES: dict[str, StackCheck] = {
    "machines-and-databases-are-locked": cloud_policies.machines_and_databases_are_locked,
    "pods-are-fenced": pods_are_fenced,
}


def guards(kind: str, properties: Properties) -> list[str]:
    """The names of the policies that look at a resource; empty where none does."""
    found = cloud_policies.guards(kind := plain(kind))
    if _pod(kind, properties) is not None:
        found += ["pods-are-bounded", "only-calls-use-the-hosts-network"]
        # A Job does not stay, so nobody asks it how it is.
        found += [] if kind.endswith(RUNS_ONCE) else ["pods-are-probed"]
    runs_stacks = kind.startswith("kubernetes:pulumi.com/")
    if _pod(kind, properties) is not None or kind.endswith(":Cluster") or runs_stacks:
        found.append("images-are-pinned")
    if kind.startswith("kubernetes:postgresql.cnpg.io") and kind.endswith(":Cluster"):
        found += ["databases-are-safe", "databases-are-private"]
    if kind.endswith(":Service"):
        found.append("databases-are-private")
    if any(_files(kind, properties, "tls.cfg")):
        found.append("teams-may-sign-in")
    if any(_files(kind, properties, ".nft")):
        found.append("calls-come-from-listed-networks")
    if kind.endswith(":ValidatingAdmissionPolicyBinding"):
        found.append("approvals-are-held")
    return found


def violations(kind: str, properties: Properties) -> list[str]:
    """Every reason against a resource, each with the policy's name."""
    return [
        f"{name}: {reason}"
        for name, check in POLICIES.items()
        for reason in check(plain(kind), properties)
    ]


def plain(kind: str) -> str:
    """A kind without the version of its interface, which some are named with."""
    return cloud_policies.VERSION.sub("", kind)


def _files(kind: str, properties: Properties, ending: str) -> Iterator[tuple[str, str]]:
    yield from cloud_policies.files(kind, properties, ending)
    data = (properties.get("data") or {}) if kind.endswith(":ConfigMap") else {}
    for name, text in data.items():
        if isinstance(text, str) and name.endswith(ending):
            yield name, text


def _pod(kind: str, properties: Properties) -> Properties | None:
    if kind.endswith((*WORKLOADS, ":CronJob")):
        found = _template(kind, properties).get("spec")
        return found if isinstance(found, Mapping) else None
    return (properties.get("spec") or {}) if kind.endswith(":Pod") else None


def _template(kind: str, properties: Properties) -> Properties:
    """What pods are made by."""
    spec = properties.get("spec") or {}
    if kind.endswith(":CronJob"):
        spec = (spec.get("jobTemplate") or {}).get("spec") or {}
    return spec.get("template") or {}


def _containers(kind: str, properties: Properties) -> list[Properties]:
    pod = _pod(kind, properties) or {}
    return [*(pod.get("initContainers") or []), *(pod.get("containers") or [])]
