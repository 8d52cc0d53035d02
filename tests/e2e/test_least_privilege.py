"""The operator of these tests has the rights of `manifests/operator` and no others: a whole path
works with them, whatever lies beyond is refused, and approvals are made in one's own name.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from callplane.apis import registry
from callplane.deployment.options import GITOPS_ACCOUNTS
from callplane.sandbox.kubectl import Kubectl
from callplane.testing import polling
from callplane.testing.estates import Estate, Manifest
from callplane.testing.live_world import PLATFORM, LiveWorld

PEOPLE = 12
APPROVER = "maria@example.com"
# Longer than a busy machine pauses between two objects of one command: what comes after a pause is
# another batch, and a small one runs without an answer.
SETTLES = {"settle": "4s"}

pytestmark = pytest.mark.usefixtures("operator")


@pytest.fixture(scope="module")
def as_operator(live_world: LiveWorld) -> Kubectl:
    """A kubectl with the operator's rights."""
    return live_world.cluster.kubectl_as(PLATFORM.account, PLATFORM.groups)


def made_by(kubectl: Kubectl, manifest: Manifest) -> tuple[int, str]:
    """What comes of it when somebody creates this: exit code and complaint."""
    answer = kubectl("create", "-f", "-", stdin=json.dumps(manifest), check=False)
    return answer.returncode, answer.stderr


def named(approval: Manifest, approver: str) -> Manifest:
    """The approval in this person's name."""
    return {**approval, "spec": {**approval["spec"], "approvedBy": approver}}


def bind(world: LiveWorld, estate: Estate, role: str, user: str, *, may: str) -> None:
    """Give somebody a role in the connection's namespace, and wait until it counts: `may` is what
    the role lets him create.
    """
    name = f"{role}-{user.rpartition(':')[2].replace('@', '-')}"
    group = "rbac.authorization.k8s.io"
    world.apply(
        {
            "apiVersion": f"{group}/v1",
            "kind": "RoleBinding",
            "metadata": {"name": name, "namespace": estate.platform},
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": role},
            "subjects": [{"kind": "User", "name": user, "apiGroup": group}],
        }
    )
    ask = ("auth", "can-i", "create", f"{may}.callplane.dev", f"--as={user}")
    polling.until(
        lambda: world.kubectl(*ask, "-n", estate.platform, check=False).stdout.strip() == "yes",
        f"{user} may create {may}",
    )


def test_a_whole_path_is_walked_with_these_rights(live_world: LiveWorld) -> None:
    estate = live_world.estate(users=PEOPLE)
    live_world.apply(*estate.base(changeLimits=SETTLES), *estate.people(PEOPLE))
    live_world.ready(estate)
    assert len(estate.assigned()) == PEOPLE

    live_world.kubectl("delete", "teamsuser", "--all", "-n", estate.team, "--wait=false")
    digest = live_world.held_plan(estate)["spec"]["digest"]
    yes = estate.approval("yes", decision="Approve", digest=digest)
    maria = live_world.cluster.kubectl_as(APPROVER)
    # Whoever may edit what is declared in the namespace may still not approve.
    bind(live_world, estate, "callplane-editor", APPROVER, may="teamsusers")
    code, complaint = made_by(maria, named(yes, APPROVER))
    assert code != 0
    assert "cannot create resource" in complaint
    bind(live_world, estate, "callplane-approver", APPROVER, may="changeapprovals")
    code, complaint = made_by(maria, named(yes, "somebody-else@example.com"))
    assert code != 0
    assert f"spec.approvedBy must be the user who approves, {APPROVER}" in complaint
    assert made_by(maria, named(yes, APPROVER)) == (0, "")

    polling.until(
        lambda: not live_world.items("teamsusers", namespace=estate.team), "all are let go"
    )
    assert estate.assigned() == {}
    told = live_world.items("events.events.k8s.io", namespace=estate.platform)
    assert "ApprovalRequired" in {event["reason"] for event in told}


def test_an_account_of_a_gitops_program_may_name_whom_the_commit_names(
    live_world: LiveWorld,
) -> None:
    estate = live_world.estate()
    live_world.apply(*estate.namespaces())
    asked = named(estate.approval("by-git", decision="Approve", digest=f"cp1:{'0' * 64}"), APPROVER)
    for account in (*GITOPS_ACCOUNTS, "system:serviceaccount:flux-system:another-controller"):
        bind(live_world, estate, "callplane-approver", account, may="changeapprovals")
        kubectl = live_world.cluster.kubectl_as(account)
        manifest = {**asked, "metadata": {**asked["metadata"], "name": account.rpartition(":")[2]}}
        code, complaint = made_by(kubectl, manifest)
        if account in GITOPS_ACCOUNTS:
            assert (code, complaint) == (0, "")
        else:
            assert code != 0
            assert account in complaint


REFUSED: tuple[tuple[str, ...], ...] = (
    ("list", "secrets"),
    ("watch", "secrets"),
    ("create", "secrets"),
    ("update", "secrets"),
    ("delete", "secrets"),
    ("get", "configmaps"),
    ("create", "pods"),
    ("get", "nodes"),
    ("patch", "namespaces"),
    ("delete", "namespaces"),
    ("list", "events.events.k8s.io"),
    ("get", "leases.coordination.k8s.io/another", "-n", PLATFORM.namespace),
    ("update", "leases.coordination.k8s.io/another", "-n", PLATFORM.namespace),
    ("delete", "leases.coordination.k8s.io", "-n", PLATFORM.namespace),
    ("create", "leases.coordination.k8s.io", "-n", "default"),
    ("patch", "customresourcedefinitions.apiextensions.k8s.io"),
    ("impersonate", "users"),
    ("escalate", "clusterroles.rbac.authorization.k8s.io"),
    ("patch", "configmaps", "-n", PLATFORM.namespace),
    ("create", "changeapprovals.callplane.dev"),
    ("delete", "changeplans.callplane.dev"),
    ("update", "changeplans.callplane.dev"),
    *(
        (verb, f"{kind.plural}.callplane.dev")
        for kind in registry.KINDS
        if kind.name != "ChangePlan"
        for verb in ("create", "delete", "update")
    ),
)


@pytest.mark.parametrize("question", REFUSED, ids=" ".join)
def test_nothing_beyond_is_allowed(as_operator: Kubectl, question: Sequence[str]) -> None:
    where = () if "-n" in question else ("--all-namespaces",)
    answer = as_operator("auth", "can-i", *question, *where, check=False)
    assert answer.stdout.strip() == "no", answer.stderr


def test_a_secret_is_read_by_name_and_its_content_stays(
    live_world: LiveWorld, as_operator: Kubectl
) -> None:
    estate = live_world.estate()
    live_world.apply(*estate.namespaces(), estate.secret(), estate.tenant())
    where = ("-n", estate.platform)
    assert as_operator("get", "secret", "graph", *where).returncode == 0
    finalizer = {"metadata": {"finalizers": ["callplane.dev/in-use"]}}
    as_operator("patch", "secret", "graph", *where, "--type=merge", "-p", json.dumps(finalizer))
    for change in (
        {"data": {"secret": "aGVsbG8="}},
        {"stringData": {"secret": "hello"}},
        {"metadata": {"labels": {"hello": "there"}}},
    ):
        answer = as_operator(
            *("patch", "secret", "graph", *where, "--type=merge", "-p", json.dumps(change)),
            check=False,
        )
        assert answer.returncode != 0, change
        assert "finalizers and status only" in answer.stderr
    change = {"spec": {"suspend": True}}
    answer = as_operator(
        *("patch", "teamstenant", "main", *where, "--type=merge", "-p", json.dumps(change)),
        check=False,
    )
    assert "finalizers and status only" in answer.stderr


def test_a_standby_says_that_it_could_take_over(live_world: LiveWorld) -> None:
    leader = live_world.leader()
    assert leader.standing() == leader.readiness() == "ok"
    standby = live_world.start_operator(wait=False)
    try:
        polling.until(lambda: standby.standing() == "ok", "it stands by")
        polling.until(
            lambda: standby.readiness() == "waiting for the Lease", "and works only later"
        )
    finally:
        standby.stop()
