"""The operator's pods: leader and standby, without any right on their node."""

from __future__ import annotations

from collections.abc import Mapping

from callplane.deployment import traces
from callplane.deployment.options import (
    LABELS,
    NAME,
    OWNER_URI_KEY,
    PROBE_PORT,
    URI_KEY,
    Body,
    Options,
    body,
)
from callplane.settings import PREFIX

#: The user of the image; any but root.
USER = 65532
#: Ports of the API server and of HTTPS providers, of PostgreSQL, of names.
HTTPS_PORTS = (443, 6443)
POSTGRES_PORT = 5432
DNS_PORT = 53
#: Where the address of the database is in a pod, as a file.
DATABASE_FOLDER = "/etc/callplane/database"
DATABASE_FILE = "uri"


def namespace(options: Options) -> Body:
    """The namespace, in which only pods without privileges are admitted."""
    found = body("v1", "Namespace", options.namespace)
    for mode in ("enforce", "audit", "warn"):
        found["metadata"]["labels"][f"pod-security.kubernetes.io/{mode}"] = "restricted"
    return found


def objects(options: Options) -> list[Body]:
    """Deployment, disruption budget, network policy and the service for metrics."""
    place = (NAME, options.namespace)
    selector = {"matchLabels": dict(LABELS)}
    probes = {"name": "probes", "port": PROBE_PORT, "targetPort": "probes", "protocol": "TCP"}
    return [
        body("v1", "Service", *place, spec={"selector": dict(LABELS), "ports": [probes]}),
        body(
            *("policy/v1", "PodDisruptionBudget", *place),
            # A standby takes over in seconds; one pod may always go.
            spec={"maxUnavailable": 1, "selector": selector},
        ),
        body("networking.k8s.io/v1", "NetworkPolicy", *place, spec=_network(selector)),
        # The new pod stands by until the old one has handed over its Lease.
        body(
            *("apps/v1", "Deployment", *place),
            spec=deployment(LABELS, _pod(options, selector), replicas=options.replicas),
        ),
    ]


def _network(selector: Body) -> Body:
    return {
        "podSelector": selector,
        "policyTypes": ["Ingress", "Egress"],
        # Metrics may be read from inside the cluster; probes come from the node itself.
        "ingress": [{"from": [{"namespaceSelector": {}}], "ports": [port(PROBE_PORT)]}],
        "egress": [
            {"ports": [port(DNS_PORT, "UDP"), port(DNS_PORT)]},
            # The API server and the providers have addresses that nobody can list here.
            {"ports": [port(number) for number in HTTPS_PORTS]},
            {"ports": [port(POSTGRES_PORT)]},
        ],
    }


def port(number: int, protocol: str = "TCP") -> Body:
    """A port of a rule."""
    return {"port": number, "protocol": protocol}


def deployment(labels: Mapping[str, str], pod: Body, *, replicas: int) -> Body:
    """The specification of a Deployment. A new pod is ready before an old one goes."""
    return {
        "replicas": replicas,
        "revisionHistoryLimit": 5,
        "selector": {"matchLabels": dict(labels)},
        "strategy": {
            "type": "RollingUpdate",
            "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0},
        },
        "template": {"metadata": {"labels": dict(labels)}, "spec": pod},
    }


def _pod(options: Options, selector: Body) -> Body:
    return {
        # The last writes are waited for, then the Lease is released.
        **pod_base(NAME, selector, grace_seconds=60),
        "automountServiceAccountToken": True,
        "initContainers": [
            {
                **container("upgrade-database", options),
                # The schema's owner; the operator itself may only add to the history.
                "args": ["database", "upgrade"],
                "env": [from_secret("database_url", options.database_secret, OWNER_URI_KEY)],
            }
        ],
        "containers": [
            {
                **container("operator", options, database=True),
                "args": ["operator"],
                "env": [
                    database_address(),
                    from_field("namespace", "metadata.namespace"),
                    from_field("identity", "metadata.name"),
                    # Probes and metrics come from outside the pod.
                    {"name": variable("probe_host"), "value": "0.0.0.0"},
                    {"name": variable("probe_port"), "value": str(PROBE_PORT)},
                    *traces.environment(),
                ],
                "ports": [{"name": "probes", "containerPort": PROBE_PORT, "protocol": "TCP"}],
                "startupProbe": probe("/healthz", periodSeconds=2, failureThreshold=60),
                "livenessProbe": probe("/healthz", periodSeconds=20, failureThreshold=3),
                # A standby is ready: it could work at any moment.
                "readinessProbe": probe("/standbyz", periodSeconds=5, failureThreshold=2),
            }
        ],
        "volumes": [scratch(), database_volume(options.database_secret, URI_KEY)],
    }


def pod_base(account: str, selector: Body, *, grace_seconds: int) -> Body:
    """What every pod of ours has: no user of the node, and its like on other nodes."""
    return {
        "serviceAccountName": account,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": grace_seconds,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "topologySpreadConstraints": [
            {
                "maxSkew": 1,
                "topologyKey": "kubernetes.io/hostname",
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": selector,
            }
        ],
    }


def scratch() -> Body:
    """The one place that a container may write to."""
    return {"name": "scratch", "emptyDir": {"sizeLimit": "64Mi"}}


def database_address() -> Body:
    """The setting that says where the database's address is: in a file, so that a new password
    needs no restart.
    """
    return {"name": variable("database_url"), "value": f"file://{DATABASE_FOLDER}/{DATABASE_FILE}"}


def database_volume(secret: str, key: str) -> Body:
    """One key of the database's Secret as a file. Without it the process waits, as it does for the
    database, and what else is in the pod does not wait for it.
    """
    return {
        "name": "database",
        "secret": {
            "secretName": secret,
            "items": [{"key": key, "path": DATABASE_FILE}],
            "optional": True,
        },
    }


def container(name: str, options: Options, *, database: bool = False) -> Body:
    """A container of our image, without its command; `database` says that it reads the address."""
    mounts: list[Body] = [{"name": "scratch", "mountPath": "/tmp"}]
    if database:
        mounts.append({"name": "database", "mountPath": DATABASE_FOLDER, "readOnly": True})
    return {
        "name": name,
        "image": options.image,
        "imagePullPolicy": "IfNotPresent",
        "resources": {
            "requests": {"cpu": options.cpu, "memory": options.memory},
            "limits": {"memory": options.memory},
        },
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": mounts,
    }


def probe(path: str, **timing: int) -> Body:
    """An HTTP probe of the port for probes."""
    return {"httpGet": {"path": path, "port": "probes"}, "timeoutSeconds": 5, **timing}


def variable(field: str) -> str:
    """The variable of a field of the settings."""
    return PREFIX + field.upper()


def from_secret(field: str, secret: str, key: str) -> Body:
    """A setting that a Secret holds."""
    return {
        "name": variable(field),
        "valueFrom": {"secretKeyRef": {"name": secret, "key": key}},
    }


def from_field(field: str, path: str) -> Body:
    """A setting that the pod's own object holds."""
    return {"name": variable(field), "valueFrom": {"fieldRef": {"fieldPath": path}}}
