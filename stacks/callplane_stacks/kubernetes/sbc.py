"""Sbc: Kamailio and rtpengine on the network of labelled nodes, one instance a node and address.

Each instance is a StatefulSet of one pod, because it has a name, an address and a certificate of
its own that calls in progress depend on. A pod that goes first drains: new calls are refused, old
ones finish. Kamailio's configuration is what `callplane sbc render` writes of the same values;
nothing is added here. What holds digests of phones is a Secret.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi

from callplane.deployment import workload
from callplane.sbc import rendering
from callplane.sbc.model import Sbc as Values
from callplane_stacks import firewall
from callplane_stacks.kubernetes import sbc_call_control
from callplane_stacks.kubernetes.configuration import Configuration, SbcInstance
from callplane_stacks.objects import Body, Component, labelled, namespace

COMPONENT = "sbc"
#: Files that hold what only the program may read.
SECRET_FILES = frozenset({"phones.cfg"})
RULESET = "callplane.nft"
ACCOUNT = "callplane-sbc"
PRIORITY = "callplane-calls"
NODE_LABEL = "kubernetes.io/hostname"
METRICS_PORT = 9494
MEDIA_CONTROL = "127.0.0.1:2223"
DRAIN = "/usr/local/bin/callplane-drain"
#: What is certain to run anyway of a pod's grace period, beside draining.
MARGIN_SECONDS = 60


class Sbc(Component):
    """The session border controllers of a stack."""


def objects(
    configuration: Configuration, values: Mapping[str, Values], calls_uri: pulumi.Input[str]
) -> list[Body]:
    """Everything of the SBCs; `values` by instance, `calls_uri` the database as call control's
    role, a secret.
    """
    chosen = configuration.sbc
    place = chosen.namespace
    made: list[Body] = [
        # Pods on the host's network are admitted at this level only.
        namespace(place, COMPONENT, level="privileged"),
        {
            "apiVersion": "scheduling.k8s.io/v1",
            "kind": "PriorityClass",
            "metadata": labelled(PRIORITY, COMPONENT),
            "value": 1_000_000,
            "description": "Pods that carry calls go last.",
        },
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": labelled(ACCOUNT, COMPONENT, place),
            "automountServiceAccountToken": False,
        },
        {
            "apiVersion": "policy/v1",
            "kind": "PodDisruptionBudget",
            "metadata": labelled(ACCOUNT, COMPONENT, place),
            "spec": {"maxUnavailable": 1, "selector": {"matchLabels": _labels()}},
        },
        sbc_call_control.secret(configuration, COMPONENT, calls_uri),
    ]
    for instance in chosen.instances:
        made += [
            *_files(configuration, instance, values[instance.name]),
            _certificate(configuration, instance),
            _name(configuration, instance),
            _service(configuration, instance),
            _set(configuration, instance, values[instance.name]),
        ]
    return made


def ruleset(configuration: Configuration, values: Values) -> str:
    """The firewall of a node, from the SBC's own sources and the peers' networks for media."""
    chosen = configuration.sbc
    peers = [peer for peer in firewall.shipped_peers() if peer.name in chosen.peers]
    # Metrics are for the cluster. Whoever reaches rtpengine's port could also give it orders.
    own = (METRICS_PORT, sbc_call_control.PROBE_PORT)
    inside = [
        firewall.Rule("cluster", network, "tcp", port, port)
        for network in (configuration.networks.pods, configuration.networks.nodes)
        for port in own
    ]
    return firewall.nftables(
        (*firewall.rules(values, peers, rtp=chosen.rtp_ports), *inside),
        guarded=(*firewall.ports(values), *own),
        rtp=chosen.rtp_ports,
    )


def _labels(instance: str = "") -> dict[str, str]:
    found = {"app.kubernetes.io/name": "callplane", "app.kubernetes.io/component": COMPONENT}
    if instance:
        found["app.kubernetes.io/instance"] = instance
    return found


def _files(configuration: Configuration, instance: SbcInstance, values: Values) -> list[Body]:
    """Kamailio's files: secret ones in a Secret, the rest beside the node's ruleset."""
    place = configuration.sbc.namespace
    files = rendering.render(values)
    shown = {name: text for name, text in files.items() if name not in SECRET_FILES}
    made: list[Body] = [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": labelled(instance.name, COMPONENT, place),
            "data": {**shown, RULESET: ruleset(configuration, values)},
        }
    ]
    kept = {name: pulumi.Output.secret(files[name]) for name in SECRET_FILES if name in files}
    if kept:
        made.append(
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": labelled(f"{instance.name}-phones", COMPONENT, place),
                "stringData": kept,
            }
        )
    return made


def _certificate(configuration: Configuration, instance: SbcInstance) -> Body:
    """By ACME over DNS: nothing of an SBC listens on port 80. Teams wants RSA."""
    return {
        "apiVersion": "cert-manager.io/v1",
        "kind": "Certificate",
        "metadata": labelled(instance.name, COMPONENT, configuration.sbc.namespace),
        "spec": {
            "secretName": f"{instance.name}-tls",
            "dnsNames": [instance.host_name],
            "privateKey": {"algorithm": "RSA", "size": 2048, "rotationPolicy": "Always"},
            "usages": ["server auth", "client auth"],
            "renewBefore": "720h",
            "issuerRef": {"name": configuration.sbc.issuer, "kind": "ClusterIssuer"},
        },
    }


def _name(configuration: Configuration, instance: SbcInstance) -> Body:
    return {
        "apiVersion": "externaldns.k8s.io/v1alpha1",
        "kind": "DNSEndpoint",
        "metadata": labelled(instance.name, COMPONENT, configuration.sbc.namespace),
        "spec": {
            "endpoints": [
                {
                    "dnsName": instance.host_name,
                    "recordType": "A",
                    "recordTTL": 60,
                    "targets": [str(instance.address)],
                }
            ]
        },
    }


def _service(configuration: Configuration, instance: SbcInstance) -> Body:
    """Headless, for metrics and for the set's own name; calls never pass through it."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": labelled(instance.name, COMPONENT, configuration.sbc.namespace),
        "spec": {
            "clusterIP": "None",
            "selector": _labels(instance.name),
            "ports": [
                {"name": "metrics", "port": METRICS_PORT, "protocol": "TCP"},
                {"name": "probes", "port": sbc_call_control.PROBE_PORT, "protocol": "TCP"},
            ],
        },
    }


def _set(configuration: Configuration, instance: SbcInstance, values: Values) -> Body:
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": labelled(instance.name, COMPONENT, configuration.sbc.namespace),
        "spec": {
            "replicas": 1,
            "serviceName": instance.name,
            "selector": {"matchLabels": _labels(instance.name)},
            # A changed template replaces no pod by itself: whoever upgrades drains one at a time.
            "updateStrategy": {"type": "OnDelete"},
            "template": {
                "metadata": {"labels": _labels(instance.name)},
                "spec": _pod(configuration, instance, values),
            },
        },
    }


def _pod(configuration: Configuration, instance: SbcInstance, values: Values) -> Body:
    chosen = configuration.sbc
    return {
        "serviceAccountName": ACCOUNT,
        "automountServiceAccountToken": False,
        "priorityClassName": PRIORITY,
        "hostNetwork": True,
        "dnsPolicy": "ClusterFirstWithHostNet",
        "nodeSelector": {NODE_LABEL: instance.node},
        "terminationGracePeriodSeconds": chosen.drain_seconds + MARGIN_SECONDS,
        "initContainers": [
            {
                "name": "firewall",
                "image": chosen.kamailio_image,
                "command": ["nft", "-f", f"/firewall/{RULESET}"],
                "securityContext": _security(root=True, add=("NET_ADMIN",)),
                "resources": _resources("50m", "64Mi"),
                "volumeMounts": [_mount("configuration", "/firewall")],
            }
        ],
        "containers": [
            _kamailio(configuration, values),
            _media(configuration, instance, values),
            sbc_call_control.container(
                configuration,
                instance,
                values,
                run=_mount("run", values.folders.run, read_only=False),
            ),
        ],
        "volumes": [
            _projected(
                "configuration",
                {"configMap": {"name": instance.name}},
                {"secret": {"name": f"{instance.name}-phones", "optional": True}},
            ),
            _projected(
                "certificate",
                {"secret": {"name": f"{instance.name}-tls"}},
                {"configMap": {"name": chosen.trust_bundle}},
            ),
            {"name": "run", "emptyDir": {"medium": "Memory", "sizeLimit": "64Mi"}},
            workload.scratch(),
        ],
    }


def _kamailio(configuration: Configuration, values: Values) -> Body:
    folders = values.folders
    port = (values.public or values.core).port
    return {
        "name": "kamailio",
        "image": configuration.sbc.kamailio_image,
        "args": ["-DD", "-E", "-f", f"{folders.config}/kamailio.cfg"],
        "lifecycle": {"preStop": _drain(configuration)},
        # A connection is enough: a SIP request would be judged by who sends it.
        "livenessProbe": _alive(port, periodSeconds=10, failureThreshold=6),
        "readinessProbe": _alive(port, periodSeconds=5, failureThreshold=2),
        "securityContext": _security(),
        "resources": _resources("1", "1Gi"),
        "volumeMounts": [
            _mount("configuration", folders.config),
            _mount("certificate", folders.certificates),
            _mount("run", folders.run, read_only=False),
        ],
    }


def _media(configuration: Configuration, instance: SbcInstance, values: Values) -> Body:
    first, last = configuration.sbc.rtp_ports
    # Where Kamailio asks; rtpengine's own usual place where no media is configured.
    control = f"{values.media.address}:{values.media.port}" if values.media else MEDIA_CONTROL
    return {
        "name": "rtpengine",
        "image": configuration.sbc.media_image,
        "args": [
            "--foreground",
            f"--interface={instance.address}",
            f"--listen-ng={control}",
            f"--listen-http={METRICS_PORT}",
            f"--port-min={first}",
            f"--port-max={last}",
            "--table=-1",
        ],
        "lifecycle": {"preStop": _drain(configuration)},
        "livenessProbe": _alive(METRICS_PORT, periodSeconds=10, failureThreshold=6),
        "readinessProbe": _alive(METRICS_PORT, periodSeconds=5, failureThreshold=2),
        "securityContext": _security(),
        "resources": _resources("1", "512Mi"),
        "volumeMounts": [_mount("run", "/var/run/rtpengine", read_only=False)],
    }


def _drain(configuration: Configuration) -> Body:
    return {"exec": {"command": [DRAIN, f"--longest={configuration.sbc.drain_seconds}"]}}


def _security(*, root: bool = False, add: tuple[str, ...] = ()) -> dict[str, Any]:
    capabilities: dict[str, Any] = {"drop": ["ALL"]}
    if add:
        capabilities["add"] = list(add)
    found: dict[str, Any] = {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": capabilities,
    }
    return found | ({"runAsUser": 0} if root else {"runAsNonRoot": True, "runAsUser": 65532})


def _resources(cpu: str, memory: str) -> dict[str, Any]:
    return {"requests": {"cpu": cpu, "memory": memory}, "limits": {"memory": memory}}


def _projected(name: str, *sources: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "projected": {"sources": list(sources)}}


def _mount(name: str, path: str, *, read_only: bool = True) -> dict[str, Any]:
    return {"name": name, "mountPath": path, "readOnly": read_only}


def _alive(port: int, **timing: int) -> dict[str, Any]:
    return {"tcpSocket": {"port": port}, "timeoutSeconds": 3, **timing}
