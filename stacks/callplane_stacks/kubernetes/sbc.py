"""Sbc: Kamailio and rtpengine on the network of labelled nodes, one instance a node and address.

Each instance is a StatefulSet of one pod, because it has a name, an address and a certificate of
its own that calls in progress depend on. A pod that goes first drains: new calls are refused, old
ones finish. Kamailio's configuration is what `callplane sbc render` writes of the same values;
nothing is added here. What holds digests of phones is a Secret.
"""

from __future__ import annotations

from collections.abc import Mapping

import pulumi

from callplane.deployment import sbc_pod
from callplane.deployment.options import CALLS_URI_KEY
from callplane.deployment.sbc_pod import (
    ACCOUNT,
    DATABASE_SECRET,
    METRICS_PORT,
    PRIORITY,
    PROBE_PORT,
    RULESET,
    SbcPod,
)
from callplane.sbc import rendering
from callplane.sbc.model import Sbc as Values
from callplane_stacks import firewall, platform_component
from callplane_stacks.kubernetes.configuration import Configuration, SbcInstance
from callplane_stacks.objects import Body, Component, labelled, namespace

COMPONENT = "sbc"
#: Files that hold what only the program may read.
SECRET_FILES = frozenset({"phones.cfg"})


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
        {
            # Where the database is, as call control's role; nothing else of it is known here.
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": labelled(DATABASE_SECRET, COMPONENT, place),
            "stringData": {CALLS_URI_KEY: calls_uri},
        },
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
    own = (METRICS_PORT, PROBE_PORT)
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
                {"name": "probes", "port": PROBE_PORT, "protocol": "TCP"},
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
                "spec": sbc_pod.pod(pod(configuration, instance), values),
            },
        },
    }


def pod(configuration: Configuration, instance: SbcInstance) -> SbcPod:
    """The choices that the description of the pod takes."""
    chosen = configuration.sbc
    return SbcPod(
        name=instance.name,
        address=str(instance.address),
        node=instance.node,
        kamailio_image=chosen.kamailio_image,
        media_image=chosen.media_image,
        rtp_ports=chosen.rtp_ports,
        drain_seconds=chosen.drain_seconds,
        services_seconds=chosen.services_seconds,
        trust_bundle=chosen.trust_bundle,
        spool_folder=chosen.spool_folder,
        platform=platform_component.options(configuration),
    )
