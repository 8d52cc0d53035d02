"""Call control's pods: what lets go of reservations whose time is over, whatever became of the
call control beside an SBC, and answers SBCs that reach it over HTTP from inside its pod.

An SBC of ours has a call control of its own beside it, since evapi knows no passwords and never
leaves the machine.
"""

from __future__ import annotations

from callplane.deployment import traces, workload
from callplane.deployment.options import CALLS_URI_KEY, Body, Options, body

NAME = "callplane-callcontrol"
LABELS = {"app.kubernetes.io/name": "callplane", "app.kubernetes.io/component": "callcontrol"}
PROBE_PORT = 8081


def objects(options: Options) -> list[Body]:
    """Account, Deployment, disruption budget, network policy and the service for metrics."""
    place = (NAME, options.namespace)
    selector = {"matchLabels": dict(LABELS)}
    port = {"name": "probes", "port": PROBE_PORT, "targetPort": "probes", "protocol": "TCP"}
    found = [
        # It speaks to the database only: there is no right in the cluster that it would use.
        body("v1", "ServiceAccount", *place, automountServiceAccountToken=False),
        body("v1", "Service", *place, spec={"selector": dict(LABELS), "ports": [port]}),
        body(
            *("policy/v1", "PodDisruptionBudget", *place),
            spec={"maxUnavailable": 1, "selector": selector},
        ),
        body("networking.k8s.io/v1", "NetworkPolicy", *place, spec=_network(selector)),
        body(
            *("apps/v1", "Deployment", *place),
            spec=workload.deployment(
                LABELS, _pod(options, selector), replicas=options.call_control_replicas
            ),
        ),
    ]
    for each in found:
        each["metadata"]["labels"] = dict(LABELS)
    return found


def _network(selector: Body) -> Body:
    return {
        "podSelector": selector,
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [{"from": [{"namespaceSelector": {}}], "ports": [workload.port(PROBE_PORT)]}],
        "egress": [
            {"ports": [workload.port(workload.DNS_PORT, "UDP"), workload.port(workload.DNS_PORT)]},
            {"ports": [workload.port(workload.POSTGRES_PORT)]},
        ],
    }


def _pod(options: Options, selector: Body) -> Body:
    return {
        **workload.pod_base(NAME, selector, grace_seconds=30),
        "automountServiceAccountToken": False,
        "containers": [_container(options)],
        "volumes": [
            workload.scratch(),
            workload.database_volume(options.database_secret, CALLS_URI_KEY),
        ],
    }


def _container(options: Options) -> Body:
    return {
        **workload.container("callcontrol", options, database=True),
        "args": ["callcontrol"],
        "env": [
            workload.database_address(),
            {"name": workload.variable("probe_host"), "value": "0.0.0.0"},
            {"name": workload.variable("probe_port"), "value": str(PROBE_PORT)},
            *traces.environment(),
        ],
        "ports": [{"name": "probes", "containerPort": PROBE_PORT, "protocol": "TCP"}],
        # The operator's pods bring the schema up to date; until then this one waits.
        "startupProbe": workload.probe("/healthz", periodSeconds=2, failureThreshold=60),
        "livenessProbe": workload.probe("/healthz", periodSeconds=20, failureThreshold=3),
        "readinessProbe": workload.probe("/readyz", periodSeconds=5, failureThreshold=2),
    }
