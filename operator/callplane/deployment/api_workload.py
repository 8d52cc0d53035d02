"""The admin API's pods and rights.

It may ask who somebody is and what they may see, and tell what it refused; of the cluster it reads
nothing but which one it is. Its port is TLS with the certificate of a Secret. Without one a pod
answers on its own loopback only, which `kubectl port-forward` reaches: requests carry tokens, and
none crosses a network in the clear.
"""

from __future__ import annotations

from callplane.apis import change_plans
from callplane.apis.model import GROUP
from callplane.deployment import permissions, workload
from callplane.deployment.options import API_NAME, READER_URI_KEY, Body, Options, body

NAME = API_NAME
LABELS = {"app.kubernetes.io/name": "callplane", "app.kubernetes.io/component": "api"}
PORT = 8443
PROBE_PORT = 8082
IDENTITY_NAMESPACE = "kube-system"
CERTIFICATE_FOLDER = "/etc/callplane/tls"
_VERSION = permissions.VERSION


def rights(options: Options) -> list[Body]:
    """The API's account and what it may do, and roles for those who read."""
    place = (NAME, options.namespace)
    subjects = [{"kind": "ServiceAccount", "name": NAME, "namespace": options.namespace}]
    found = [
        body("v1", "ServiceAccount", *place, automountServiceAccountToken=False),
        body(_VERSION, "ClusterRole", NAME, rules=_cluster_rules()),
        body(
            *(_VERSION, "ClusterRoleBinding", NAME),
            roleRef={"apiGroup": permissions.RBAC, "kind": "ClusterRole", "name": NAME},
            subjects=subjects,
        ),
        # Events about its own pod, in its own namespace.
        body(
            *(_VERSION, "Role", *place),
            rules=[permissions.rule(["events.k8s.io"], ["events"], ["create", "patch"])],
        ),
        body(
            *(_VERSION, "RoleBinding", *place),
            roleRef={"apiGroup": permissions.RBAC, "kind": "Role", "name": NAME},
            subjects=subjects,
        ),
        *_roles_of_readers(),
    ]
    return _labelled(found)


def objects(options: Options) -> list[Body]:
    """Deployment, disruption budget, network policy and the service."""
    place = (NAME, options.namespace)
    selector = {"matchLabels": dict(LABELS)}
    ports = [
        {"name": "api", "port": 443, "targetPort": "api", "protocol": "TCP"},
        {"name": "probes", "port": PROBE_PORT, "targetPort": "probes", "protocol": "TCP"},
    ]
    found = [
        body("v1", "Service", *place, spec={"selector": dict(LABELS), "ports": ports}),
        body(
            *("policy/v1", "PodDisruptionBudget", *place),
            spec={"maxUnavailable": 1, "selector": selector},
        ),
        body("networking.k8s.io/v1", "NetworkPolicy", *place, spec=_network(selector)),
        body(
            *("apps/v1", "Deployment", *place),
            spec=workload.deployment(
                LABELS, _pod(options, selector), replicas=options.api_replicas
            ),
        ),
    ]
    return _labelled(found)


def _cluster_rules() -> list[Body]:
    identity = permissions.rule([""], ["namespaces"], ["get"])
    identity["resourceNames"] = [IDENTITY_NAMESPACE]
    return [
        permissions.rule(["authentication.k8s.io"], ["tokenreviews"], ["create"]),
        permissions.rule(["authorization.k8s.io"], ["subjectaccessreviews"], ["create"]),
        # A namespace means something in one cluster only; its UID says which.
        identity,
    ]


def _roles_of_readers() -> list[Body]:
    """Bind them in a namespace for what is its own, for the whole cluster for everything.

    They are in no aggregated role: who has which number, and what calls cost, is told to nobody
    because they may look at objects.
    """
    register = [
        permissions.rule([GROUP], ["numbers"], ["get", "list"]),
        permissions.rule([GROUP], ["numbers/history"], ["get"]),
        permissions.rule([GROUP], [change_plans.KIND.plural], ["get", "list"]),
    ]
    books = [
        permissions.rule([GROUP], [f"callingaccounts/{each}"], ["get", "list"])
        for each in ("pools", "statements", "postings")
    ]
    digits = [permissions.rule([GROUP], ["numbers/digits"], ["get"])]
    return [
        body(_VERSION, "ClusterRole", f"callplane-{name}-reader", rules=rules)
        for name, rules in (("register", register), ("books", books), ("digits", digits))
    ]


def _network(selector: Body) -> Body:
    return {
        "podSelector": selector,
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [
            {
                "from": [{"namespaceSelector": {}}],
                "ports": [workload.port(PORT), workload.port(PROBE_PORT)],
            }
        ],
        "egress": [
            {"ports": [workload.port(workload.DNS_PORT, "UDP"), workload.port(workload.DNS_PORT)]},
            # The API server, and the issuer of people's tokens where there is one.
            {"ports": [workload.port(number) for number in workload.HTTPS_PORTS]},
            {"ports": [workload.port(workload.POSTGRES_PORT)]},
        ],
    }


def _pod(options: Options, selector: Body) -> Body:
    certificate = {"secretName": options.api_certificate_secret, "optional": True}
    return {
        **workload.pod_base(NAME, selector, grace_seconds=30),
        "automountServiceAccountToken": True,
        "containers": [_container(options)],
        "volumes": [
            workload.scratch(),
            workload.database_volume(options.database_secret, READER_URI_KEY),
            {"name": "certificate", "secret": certificate},
        ],
    }


def _container(options: Options) -> Body:
    container = workload.container("api", options, database=True)
    mount = {"name": "certificate", "mountPath": CERTIFICATE_FOLDER, "readOnly": True}
    return {
        **container,
        "volumeMounts": [*container["volumeMounts"], mount],
        "args": ["api"],
        "env": [
            workload.database_address(),
            *(
                {"name": workload.variable(field), "value": value}
                for field, value in (
                    ("api_port", str(PORT)),
                    ("tls_certificate", f"{CERTIFICATE_FOLDER}/tls.crt"),
                    ("tls_key", f"{CERTIFICATE_FOLDER}/tls.key"),
                    ("probe_host", "0.0.0.0"),
                    ("probe_port", str(PROBE_PORT)),
                )
            ),
            workload.from_field("namespace", "metadata.namespace"),
            workload.from_field("pod_name", "metadata.name"),
            workload.from_field("pod_uid", "metadata.uid"),
        ],
        "ports": [
            {"name": "probes", "containerPort": PROBE_PORT, "protocol": "TCP"},
            {"name": "api", "containerPort": PORT, "protocol": "TCP"},
        ],
        "startupProbe": workload.probe("/healthz", periodSeconds=2, failureThreshold=60),
        "livenessProbe": workload.probe("/healthz", periodSeconds=20, failureThreshold=3),
        "readinessProbe": workload.probe("/readyz", periodSeconds=5, failureThreshold=2),
    }


def _labelled(found: list[Body]) -> list[Body]:
    for each in found:
        each["metadata"]["labels"] = dict(LABELS)
    return found
