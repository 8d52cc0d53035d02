"""The stacks themselves by GitOps: a `Stack` of the Pulumi Kubernetes Operator, which runs `pulumi
up` in a pod of the cluster whenever the repository of the stacks has something new.

A stack makes the `Stack` that keeps it up, so the first `pulumi up` is somebody's, and deleting the
object destroys nothing. Configuration comes from the repository, where secrets are encrypted; what
the pod has to know beside that are names of Secrets. The operator runs no policy packs: what merges
into that repository is to be previewed with them first.

Fields: the operator's definitions of `pulumi.com/v1` and `auto.pulumi.com/v1alpha1`, version 2.
"""

from __future__ import annotations

from callplane_stacks.configuration import GitOps, GitOpsProgram, PulumiOperator, SecretKey
from callplane_stacks.objects import Body, labelled, namespace

COMPONENT = "gitops"
NAME = "callplane-stacks"
#: Lets the pod's agent ask whether it is the operator who speaks to it.
DELEGATOR = "system:auth-delegator"


def objects(gitops: GitOps) -> list[Body]:
    """The stacks' repository as a source, and what runs it; nothing, where somebody runs it."""
    chosen = gitops.stacks
    if chosen is None:
        return []
    follows_flux = gitops.program is GitOpsProgram.FLUX
    return [
        namespace(chosen.namespace, COMPONENT),
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": labelled(NAME, COMPONENT, chosen.namespace),
        },
        _binding(chosen, f"{NAME}-agent", DELEGATOR),
        _binding(chosen, NAME, chosen.cluster_role),
        *([_flux_source(chosen)] if follows_flux else []),
        _stack(chosen, _from_flux(chosen) if follows_flux else _from_git(chosen)),
    ]


def _binding(chosen: PulumiOperator, name: str, role: str) -> Body:
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": labelled(name, COMPONENT),
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
        "subjects": [{"kind": "ServiceAccount", "name": NAME, "namespace": chosen.namespace}],
    }


def _flux_source(chosen: PulumiOperator) -> Body:
    """In the Stack's namespace: it can name sources beside it only."""
    spec: Body = {
        "url": chosen.repository,
        "ref": {"commit": chosen.commit} if chosen.commit else {"branch": chosen.branch},
        "interval": f"{chosen.resync_seconds}s",
        "timeout": "1m",
    }
    if chosen.credentials is not None:
        spec["secretRef"] = {"name": chosen.credentials.name}
    return {
        "apiVersion": "source.toolkit.fluxcd.io/v1",
        "kind": "GitRepository",
        "metadata": labelled(NAME, COMPONENT, chosen.namespace),
        "spec": spec,
    }


def _from_flux(chosen: PulumiOperator) -> Body:
    source = {"apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "GitRepository", "name": NAME}
    return {"fluxSource": {"sourceRef": source, "dir": chosen.folder}}


def _from_git(chosen: PulumiOperator) -> Body:
    """The operator fetches by itself; Argo CD has no sources that others could read."""
    spec: Body = {"projectRepo": chosen.repository, "repoDir": chosen.folder}
    spec |= {"commit": chosen.commit} if chosen.commit else {"branch": chosen.branch}
    if chosen.credentials is not None:
        reference = _secret(chosen.credentials)
        by_key = chosen.repository.startswith("ssh://")
        spec["gitAuth"] = (
            {"sshAuth": {"sshPrivateKey": reference}} if by_key else {"accessToken": reference}
        )
    return spec


def _stack(chosen: PulumiOperator, source: Body) -> Body:
    spec: Body = {
        "stack": chosen.stack,
        **source,
        "backend": chosen.backend,
        "serviceAccountName": NAME,
        # What somebody changed by hand is found and repaired.
        "refresh": True,
        "continueResyncOnCommitMatch": True,
        "resyncFrequencySeconds": chosen.resync_seconds,
        # A stack that is not there yet is a mistake in its name, and not to be made.
        "useLocalStackOnly": True,
        "destroyOnFinalize": False,
        "preview": chosen.preview,
        "workspaceTemplate": {
            "spec": {
                "image": chosen.workspace_image,
                "securityProfile": "restricted",
                "resources": {
                    "requests": {"cpu": "500m", "memory": "1Gi"},
                    "limits": {"memory": "2Gi"},
                },
            }
        },
    }
    if chosen.secrets_provider:
        spec["secretsProvider"] = chosen.secrets_provider
    if chosen.environment:
        spec["envRefs"] = {name: _secret(key) for name, key in chosen.environment.items()}
    return {
        "apiVersion": "pulumi.com/v1",
        "kind": "Stack",
        "metadata": labelled(NAME, COMPONENT, chosen.namespace),
        "spec": spec,
    }


def _secret(key: SecretKey) -> Body:
    """What the operator reads from a Secret; nothing of it is known here."""
    return {"type": "Secret", "secret": {"name": key.name, "key": key.key}}
