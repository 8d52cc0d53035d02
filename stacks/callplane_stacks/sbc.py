"""Sbc: Kamailio and rtpengine on the network of labelled nodes, one instance a node and address.

Each instance is a StatefulSet of one pod, because it has a name, an address and a certificate of
its own that calls in progress depend on. A pod that goes first drains: new calls are refused, old
ones finish. Kamailio's configuration is what `callplane sbc render` wrote; nothing is added here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from callplane_stacks import firewall
from callplane_stacks.configuration import Configuration, SbcInstance
from callplane_stacks.objects import Body, Component, labelled, namespace

COMPONENT = "sbc"
CONFIGURATION = "callplane-sbc-configuration"
FIREWALL = "callplane-sbc-firewall"
ACCOUNT = "callplane-sbc"
PRIORITY = "callplane-calls"
NODE_LABEL = "kubernetes.io/hostname"
TLS_PORT, RPC_PORT, METRICS_PORT = 5061, 5065, 9494
DRAIN = "/usr/local/bin/callplane-drain"
#: What is certain to run anyway of a pod's grace period, beside draining.
MARGIN_SECONDS = 60


class Sbc(Component):
    """The session border controllers of a stack."""


def objects(configuration: Configuration, files: Mapping[str, str]) -> list[Body]:
    """Everything of the SBCs; `files` are Kamailio's, by name."""
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
        _files(CONFIGURATION, place, files),
        _files(FIREWALL, place, {"callplane.nft": ruleset(configuration)}),
        {
            "apiVersion": "policy/v1",
            "kind": "PodDisruptionBudget",
            "metadata": labelled(ACCOUNT, COMPONENT, place),
            "spec": {"maxUnavailable": 1, "selector": {"matchLabels": _labels()}},
        },
    ]
    for instance in chosen.instances:
        made += [
            _certificate(configuration, instance),
            _name(configuration, instance),
            _service(configuration, instance),
            _set(configuration, instance),
        ]
    return made


def ruleset(configuration: Configuration) -> str:
    """The firewall of a node, from the peers that the configuration names."""
    chosen = configuration.sbc
    peers = tuple(peer for peer in firewall.shipped_peers() if peer.name in chosen.peers)
    admitted = firewall.rules(peers, rtp=chosen.rtp_ports)
    ports = {port for peer in peers for port in peer.signalling_ports} | {TLS_PORT}
    return firewall.nftables(admitted, ports=tuple(ports), rtp=chosen.rtp_ports)


def _labels(instance: str = "") -> dict[str, str]:
    found = {"app.kubernetes.io/name": "callplane", "app.kubernetes.io/component": COMPONENT}
    if instance:
        found["app.kubernetes.io/instance"] = instance
    return found


def _files(name: str, place: str, files: Mapping[str, str]) -> Body:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": labelled(name, COMPONENT, place),
        "data": dict(files),
    }


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
            "ports": [{"name": "metrics", "port": METRICS_PORT, "protocol": "TCP"}],
        },
    }


def _set(configuration: Configuration, instance: SbcInstance) -> Body:
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
                "spec": _pod(configuration, instance),
            },
        },
    }


def _pod(configuration: Configuration, instance: SbcInstance) -> Body:
    chosen = configuration.sbc
    first, last = chosen.rtp_ports
    address = str(instance.address)
    drain = {"exec": {"command": [DRAIN, f"--longest={chosen.drain_seconds}"]}}
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
                "command": ["nft", "-f", "/firewall/callplane.nft"],
                "securityContext": _security(root=True, add=("NET_ADMIN",)),
                "resources": _resources("50m", "64Mi"),
                "volumeMounts": [_mount("firewall", "/firewall")],
            }
        ],
        "containers": [
            {
                "name": "kamailio",
                "image": chosen.kamailio_image,
                "args": ["-DD", "-E", "-f", "/etc/kamailio/kamailio.cfg"],
                "env": [
                    {"name": "CALLPLANE_ADDRESS", "value": address},
                    {"name": "CALLPLANE_HOST_NAME", "value": instance.host_name},
                ],
                "lifecycle": {"preStop": drain},
                # By the local control port: a SIP request from outside would be judged by policy.
                "livenessProbe": _alive(RPC_PORT, periodSeconds=10, failureThreshold=6),
                "readinessProbe": _alive(TLS_PORT, periodSeconds=5, failureThreshold=2),
                "securityContext": _security(),
                "resources": _resources("1", "1Gi"),
                "volumeMounts": [
                    _mount("configuration", "/etc/kamailio"),
                    _mount("certificate", "/etc/kamailio-tls"),
                    _mount("run", "/var/run/kamailio", read_only=False),
                ],
            },
            {
                "name": "rtpengine",
                "image": chosen.media_image,
                "args": [
                    "--foreground",
                    f"--interface={address}",
                    "--listen-ng=127.0.0.1:2223",
                    f"--port-min={first}",
                    f"--port-max={last}",
                    "--table=-1",
                ],
                "lifecycle": {"preStop": drain},
                "livenessProbe": _alive(METRICS_PORT, periodSeconds=10, failureThreshold=6),
                "readinessProbe": _alive(METRICS_PORT, periodSeconds=5, failureThreshold=2),
                "securityContext": _security(),
                "resources": _resources("1", "512Mi"),
                "volumeMounts": [_mount("run", "/var/run/rtpengine", read_only=False)],
            },
        ],
        "volumes": [
            {"name": "configuration", "configMap": {"name": CONFIGURATION}},
            {"name": "firewall", "configMap": {"name": FIREWALL}},
            {"name": "certificate", "secret": {"secretName": f"{instance.name}-tls"}},
            {"name": "run", "emptyDir": {"medium": "Memory", "sizeLimit": "64Mi"}},
        ],
    }


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


def _mount(name: str, path: str, *, read_only: bool = True) -> dict[str, Any]:
    return {"name": name, "mountPath": path, "readOnly": read_only}


def _alive(port: int, **timing: int) -> dict[str, Any]:
    return {"tcpSocket": {"port": port}, "timeoutSeconds": 3, **timing}
