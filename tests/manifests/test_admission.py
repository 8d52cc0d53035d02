"""The admission policies on a real API server, and what happens without each part of them.

That they hold while the operator works is shown by `tests/e2e/test_least_privilege.py`; here each
part is taken away, so that no refusal there can come from somewhere else.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any

import pytest

from callplane.deployment import admission, platform_objects
from callplane.deployment.options import GITOPS_ACCOUNTS, Body, Options
from callplane.sandbox.kubectl import Kubectl
from callplane.testing import polling
from callplane.testing.control_plane import ThrowAwayCluster

APPROVER = "maria@example.com"
OPTIONS = Options()
NAMES = itertools.count(1)


@pytest.fixture(scope="module")
def cluster() -> Iterator[ThrowAwayCluster]:
    """A cluster of its own, for policies are everybody's."""
    with ThrowAwayCluster() as made:
        apply(made.kubectl, *platform_objects.rights(OPTIONS))
        binding = {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": "approvers"},
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": "ClusterRole",
                "name": "callplane-approver",
            },
            "subjects": [
                {"kind": "User", "name": name, "apiGroup": "rbac.authorization.k8s.io"}
                for name in (APPROVER, GITOPS_ACCOUNTS[0])
            ],
        }
        apply(made.kubectl, binding)
        yield made


def apply(kubectl: Kubectl, *bodies: Body) -> None:
    document = {"apiVersion": "v1", "kind": "List", "items": list(bodies)}
    kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=json.dumps(document))


def refusal(cluster: ThrowAwayCluster, user: str, approver: str) -> str:
    """What the server says when `user` makes an approval of `approver`; empty when it is taken."""
    manifest: dict[str, Any] = {
        "apiVersion": "callplane.dev/v1alpha1",
        "kind": "ChangeApproval",
        "metadata": {"name": f"answer-{next(NAMES)}", "namespace": "default"},
        "spec": {
            "connectionRef": {"kind": "TeamsTenant", "name": "main"},
            "digest": f"cp1:{'0' * 64}",
            "decision": "Approve",
            "approvedBy": approver,
            "expiresAt": "2027-01-01T00:00:00Z",
        },
    }
    kubectl = cluster.kubectl_as(user)
    answer = kubectl("create", "-f", "-", stdin=json.dumps(manifest), check=False)
    return answer.stderr if answer.returncode else ""


def held(cluster: ThrowAwayCluster) -> bool:
    """Whether the policy holds: a moment passes until the server has read a change of it."""
    return "must be the user who approves" in refusal(cluster, APPROVER, "another@example.com")


def test_an_approval_is_in_the_name_of_its_maker(cluster: ThrowAwayCluster) -> None:
    polling.until(lambda: held(cluster), "the policy holds")
    assert refusal(cluster, APPROVER, APPROVER) == ""
    assert refusal(cluster, GITOPS_ACCOUNTS[0], "another@example.com") == ""


def test_without_its_binding_the_policy_holds_nobody(cluster: ThrowAwayCluster) -> None:
    polling.until(lambda: held(cluster), "the policy holds")
    cluster.kubectl("delete", "validatingadmissionpolicybinding", admission.APPROVALS)
    polling.until(lambda: refusal(cluster, APPROVER, "another@example.com") == "", "nobody is held")
    apply(cluster.kubectl, *admission.objects(OPTIONS))
    polling.until(lambda: held(cluster), "the policy holds again")


def test_an_account_that_is_not_listed_is_held_like_everybody(cluster: ThrowAwayCluster) -> None:
    apply(cluster.kubectl, *admission.objects(Options(gitops_accounts=())))
    polling.until(
        lambda: refusal(cluster, GITOPS_ACCOUNTS[0], "another@example.com") != "",
        "the account is held",
    )
    assert refusal(cluster, APPROVER, APPROVER) == ""
    apply(cluster.kubectl, *admission.objects(OPTIONS))
    polling.until(
        lambda: refusal(cluster, GITOPS_ACCOUNTS[0], "another@example.com") == "",
        "the account is exempt again",
    )


def test_without_its_bounds_the_operator_could_write_a_secret(cluster: ThrowAwayCluster) -> None:
    cluster.kubectl("create", "secret", "generic", "graph", "--from-literal=secret=one")
    operator = cluster.kubectl_as(OPTIONS.account, OPTIONS.groups)

    def written() -> bool:
        change = json.dumps({"stringData": {"secret": f"two-{next(NAMES)}"}})
        answer = operator("patch", "secret", "graph", "--type=merge", "-p", change, check=False)
        return answer.returncode == 0

    polling.until(lambda: not written(), "the bounds hold")
    cluster.kubectl("delete", "validatingadmissionpolicybinding", admission.BOUNDS)
    polling.until(written, "only the policy held it")
    apply(cluster.kubectl, *admission.objects(OPTIONS))
    polling.until(lambda: not written(), "the bounds hold again")
