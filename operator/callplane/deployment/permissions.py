"""Rights of the operator and of people: no more than they use.

Secrets are the hard part. The operator reads one by its name and never lists or watches them, so
whoever steals its token has to know names. Its right is bound for the whole cluster all the same: a
RoleBinding in a tenant's namespace would go first when the namespace is deleted, and the operator
could neither sign in to take the numbers away nor lift its finalizer from the Secret. Where names
are agreed, `Options.secret_names` narrows the right to them. That the operator changes nothing of a
Secret but finalizers is kept by a ValidatingAdmissionPolicy (`admission`).
"""

from __future__ import annotations

from collections.abc import Iterable

from callplane.apis import change_approvals, change_plans, registry
from callplane.apis.model import GROUP
from callplane.deployment.options import NAME, Body, Options, body
from callplane.settings import LEASE_NAME

RBAC = "rbac.authorization.k8s.io"
VERSION = f"{RBAC}/v1"
READ = ("get", "list", "watch")
WRITE = ("create", "update", "patch", "delete", "deletecollection")
#: What a person declares; plans come from the operator, and answers take a right of their own.
DECLARED = tuple(
    kind.plural for kind in registry.KINDS if kind not in (change_plans.KIND, change_approvals.KIND)
)
EVERY = tuple(kind.plural for kind in registry.KINDS)


def objects(options: Options) -> list[Body]:
    """The operator's account and rights, and roles for people."""
    return [
        body(
            *("v1", "ServiceAccount", NAME, options.namespace), automountServiceAccountToken=False
        ),
        body(VERSION, "ClusterRole", NAME, rules=_cluster_rules(options)),
        body(
            *(VERSION, "ClusterRoleBinding", NAME),
            roleRef={"apiGroup": RBAC, "kind": "ClusterRole", "name": NAME},
            subjects=_subjects(options),
        ),
        body(VERSION, "Role", NAME, options.namespace, rules=_lease_rules()),
        body(
            *(VERSION, "RoleBinding", NAME, options.namespace),
            roleRef={"apiGroup": RBAC, "kind": "Role", "name": NAME},
            subjects=_subjects(options),
        ),
        *_roles_of_people(),
    ]


def _cluster_rules(options: Options) -> list[Body]:
    secrets = rule([""], ["secrets"], ["get", "patch"])
    if options.secret_names:
        secrets["resourceNames"] = list(options.secret_names)
    return [
        # Objects are watched; a patch puts our finalizer on them and takes it away.
        rule([GROUP], EVERY, [*READ, "patch"]),
        rule([GROUP], [f"{plural}/status" for plural in EVERY], ["patch"]),
        rule([GROUP], [change_plans.KIND.plural], ["create"]),
        # Consent is by the labels of namespaces; kube-system's UID is the installation's.
        rule([""], ["namespaces"], READ),
        secrets,
        rule(["events.k8s.io"], ["events"], ["create", "patch"]),
    ]


def _lease_rules() -> list[Body]:
    named = rule(["coordination.k8s.io"], ["leases"], ["get", "update"])
    named["resourceNames"] = [LEASE_NAME]
    # A create cannot be narrowed to a name: the name is not known when it is authorised.
    return [named, rule(["coordination.k8s.io"], ["leases"], ["create"])]


def _roles_of_people() -> list[Body]:
    """Whoever may view or edit a namespace may view or edit what is declared there.

    An approval outweighs an edit, so its right is in no aggregated role: bind `callplane-approver`
    in the connection's namespace to the people who may answer.
    """
    viewer = body(VERSION, "ClusterRole", "callplane-viewer", rules=[rule([GROUP], EVERY, READ)])
    editor = body(
        *(VERSION, "ClusterRole", "callplane-editor"), rules=[rule([GROUP], DECLARED, WRITE)]
    )
    approver = body(
        *(VERSION, "ClusterRole", "callplane-approver"),
        rules=[
            rule([GROUP], EVERY, READ),
            rule([GROUP], [change_approvals.KIND.plural], ["create", "delete"]),
        ],
    )
    for role, into in ((viewer, ("view", "edit", "admin")), (editor, ("edit", "admin"))):
        for name in into:
            role["metadata"]["labels"][f"{RBAC}/aggregate-to-{name}"] = "true"
    return [viewer, editor, approver]


def rule(groups: Iterable[str], resources: Iterable[str], verbs: Iterable[str]) -> Body:
    """One line of a role."""
    return {"apiGroups": list(groups), "resources": list(resources), "verbs": list(verbs)}


def _subjects(options: Options) -> list[Body]:
    return [{"kind": "ServiceAccount", "name": NAME, "namespace": options.namespace}]
