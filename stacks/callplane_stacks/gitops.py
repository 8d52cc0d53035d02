"""GitOps: Flux or Argo CD pointed at the tenants' repository, with the rights of tenants only.

Either program could do anything to the cluster. What comes from the tenants' repository may write
what people declare of ours, namespaces of its own, and what the configuration adds; so a commit
there cannot give anybody rights, nor touch the namespace of an SBC. With Flux an account of its own
does the writing, with Argo CD a project says what may be, which knows no bounds for namespaces.
"""

from __future__ import annotations

from callplane.apis import change_plans, registry
from callplane.apis.model import GROUP
from callplane.deployment import gitops as health
from callplane_stacks import pulumi_operator
from callplane_stacks.configuration import GitOps as Chosen
from callplane_stacks.configuration import GitOpsProgram, OnCluster
from callplane_stacks.objects import Body, Component, labelled

COMPONENT = "gitops"
NAME = "callplane-tenants"
FLUX_NAMESPACE, ARGO_CD_NAMESPACE = "flux-system", "argocd"
#: What Flux puts on everything that it applies.
MARK = "kustomize.toolkit.fluxcd.io/name"
EVERYTHING = ["get", "list", "watch", "create", "update", "patch", "delete"]
IN_CLUSTER = "https://kubernetes.default.svc"
#: With which account each program writes what tenants' repositories hold.
ACCOUNTS = {
    GitOpsProgram.FLUX: f"system:serviceaccount:{FLUX_NAMESPACE}:{NAME}",
    GitOpsProgram.ARGO_CD: (
        f"system:serviceaccount:{ARGO_CD_NAMESPACE}:argocd-application-controller"
    ),
}


class GitOps(Component):
    """The tenants' repository, and that of the stacks: as sources, and what applies them."""


def objects(configuration: OnCluster) -> list[Body]:
    """The objects of the chosen program, which itself is there already."""
    chosen = configuration.gitops
    stacks = pulumi_operator.objects(chosen)
    if chosen.program is GitOpsProgram.FLUX:
        return [*_tenants_rights(chosen), *_flux(chosen), *stacks]
    return [*_argo_cd(chosen), *stacks]


def _tenants_rights(chosen: Chosen) -> list[Body]:
    return [
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": labelled(NAME, COMPONENT, FLUX_NAMESPACE),
            # It is impersonated; nothing runs as it.
            "automountServiceAccountToken": False,
        },
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRole",
            "metadata": labelled(NAME, COMPONENT),
            "rules": [
                {"apiGroups": [GROUP], "resources": _kinds("plural"), "verbs": EVERYTHING},
                *(
                    {"apiGroups": [group], "resources": ["*"], "verbs": EVERYTHING}
                    for group in chosen.also_groups
                ),
                {
                    # A namespace takes everything in it along: nobody deletes one by a commit.
                    "apiGroups": [""],
                    "resources": ["namespaces"],
                    "verbs": ["get", "list", "watch", "create", "update", "patch"],
                },
            ],
        },
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": labelled(NAME, COMPONENT),
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": "ClusterRole",
                "name": NAME,
            },
            "subjects": [{"kind": "ServiceAccount", "name": NAME, "namespace": FLUX_NAMESPACE}],
        },
        *_own_namespaces(),
    ]


def _own_namespaces() -> list[Body]:
    """Tenants' namespaces are those that carry Flux's own mark of what it applied from here: no
    right is bound to some names of a kind when these are not known before.
    """
    return [
        {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingAdmissionPolicy",
            "metadata": labelled(f"{NAME}-namespaces", COMPONENT),
            "spec": {
                "failurePolicy": "Fail",
                "matchConstraints": {
                    "resourceRules": [
                        {
                            "apiGroups": [""],
                            "apiVersions": ["v1"],
                            "operations": ["CREATE", "UPDATE"],
                            "resources": ["namespaces"],
                        }
                    ]
                },
                "matchConditions": [
                    {
                        "name": "by-tenants",
                        "expression": (
                            f"request.userInfo.username == '{ACCOUNTS[GitOpsProgram.FLUX]}'"
                        ),
                    }
                ],
                "validations": [
                    {
                        "expression": (
                            f"{_marked('object')} && "
                            f"(request.operation == 'CREATE' || {_marked('oldObject')})"
                        ),
                        "message": (
                            f"tenants may change namespaces that have the label {MARK}: {NAME}"
                        ),
                        "reason": "Forbidden",
                    }
                ],
            },
        },
        {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingAdmissionPolicyBinding",
            "metadata": labelled(f"{NAME}-namespaces", COMPONENT),
            "spec": {"policyName": f"{NAME}-namespaces", "validationActions": ["Deny"]},
        },
    ]


def _marked(which: str) -> str:
    labels = f"{which}.metadata.labels"
    return f"has({labels}) && {labels}[?'{MARK}'].orValue('') == '{NAME}'"


def _kinds(field: str) -> list[str]:
    """What people declare and answer: not the plans, which the operator writes."""
    return [getattr(kind, field) for kind in registry.KINDS if kind is not change_plans.KIND]


def _flux(chosen: Chosen) -> list[Body]:
    judged = health.flux()["spec"]
    source: Body = {
        "url": chosen.repository,
        "ref": {"branch": chosen.branch},
        "interval": "1m",
        "timeout": "1m",
    }
    if chosen.credentials_secret is not None:
        source["secretRef"] = {"name": chosen.credentials_secret}
    return [
        {
            "apiVersion": "source.toolkit.fluxcd.io/v1",
            "kind": "GitRepository",
            "metadata": labelled(NAME, COMPONENT, FLUX_NAMESPACE),
            "spec": source,
        },
        {
            "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
            "kind": "Kustomization",
            "metadata": labelled(NAME, COMPONENT, FLUX_NAMESPACE),
            "spec": {
                **judged,
                "serviceAccountName": NAME,
                "sourceRef": {"kind": "GitRepository", "name": NAME},
                "path": chosen.path,
                "interval": "10m",
                "retryInterval": "2m",
                # What leaves the repository is deleted; the operator's gate judges that.
                "prune": True,
            },
        },
    ]


def _argo_cd(chosen: Chosen) -> list[Body]:
    """The project and the application. Credentials are a repository Secret of Argo CD's own."""
    allowed = [
        *({"group": GROUP, "kind": name} for name in _kinds("name")),
        *({"group": group, "kind": "*"} for group in chosen.also_groups),
    ]
    return [
        {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "AppProject",
            "metadata": labelled(NAME, COMPONENT, ARGO_CD_NAMESPACE),
            "spec": {
                "description": "What tenants of Callplane may have applied.",
                "sourceRepos": [chosen.repository],
                "destinations": [{"server": IN_CLUSTER, "namespace": "*"}],
                "clusterResourceWhitelist": [{"group": "", "kind": "Namespace"}],
                "namespaceResourceWhitelist": allowed,
            },
        },
        {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Application",
            "metadata": labelled(NAME, COMPONENT, ARGO_CD_NAMESPACE),
            "spec": {
                "project": NAME,
                "source": {
                    "repoURL": chosen.repository,
                    "targetRevision": chosen.branch,
                    "path": chosen.path.removeprefix("./"),
                    "directory": {"recurse": True},
                },
                "destination": {"server": IN_CLUSTER},
                "syncPolicy": {
                    "automated": {"prune": True, "selfHeal": True},
                    "syncOptions": ["ServerSideApply=true"],
                },
            },
        },
    ]
