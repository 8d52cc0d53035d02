"""GitOps: Flux or Argo CD pointed at the tenants' repository."""

from __future__ import annotations

from callplane.deployment import gitops as health
from callplane_stacks.configuration import GitOpsProgram, OnCluster
from callplane_stacks.objects import Body, Component, labelled

COMPONENT = "gitops"
NAME = "callplane-tenants"
FLUX_NAMESPACE, ARGO_CD_NAMESPACE = "flux-system", "argocd"


class GitOps(Component):
    """The tenants' repository as a source, and what applies it."""


def objects(configuration: OnCluster) -> list[Body]:
    """The objects of the chosen program, which itself is there already."""
    if configuration.gitops.program is GitOpsProgram.FLUX:
        return _flux(configuration)
    return [_argo_cd(configuration)]


def _flux(configuration: OnCluster) -> list[Body]:
    chosen = configuration.gitops
    judged = health.flux()["spec"]
    return [
        {
            "apiVersion": "source.toolkit.fluxcd.io/v1",
            "kind": "GitRepository",
            "metadata": labelled(NAME, COMPONENT, FLUX_NAMESPACE),
            "spec": {
                "url": chosen.repository,
                "ref": {"branch": chosen.branch},
                "interval": "1m",
                "timeout": "1m",
            },
        },
        {
            "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
            "kind": "Kustomization",
            "metadata": labelled(NAME, COMPONENT, FLUX_NAMESPACE),
            "spec": {
                **judged,
                "sourceRef": {"kind": "GitRepository", "name": NAME},
                "path": chosen.path,
                "interval": "10m",
                "retryInterval": "2m",
                # What leaves the repository is deleted; the operator's gate judges that.
                "prune": True,
            },
        },
    ]


def _argo_cd(configuration: OnCluster) -> Body:
    chosen = configuration.gitops
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": labelled(NAME, COMPONENT, ARGO_CD_NAMESPACE),
        "spec": {
            "project": "default",
            "source": {
                "repoURL": chosen.repository,
                "targetRevision": chosen.branch,
                "path": chosen.path.removeprefix("./"),
                "directory": {"recurse": True},
            },
            "destination": {"server": "https://kubernetes.default.svc"},
            "syncPolicy": {
                "automated": {"prune": True, "selfHeal": True},
                "syncOptions": ["ServerSideApply=true"],
            },
        },
    }
