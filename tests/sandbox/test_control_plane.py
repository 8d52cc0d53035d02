"""The real Kubernetes API as tests and the sandbox use it."""

from __future__ import annotations

import json

from callplane.testing.control_plane import ThrowAwayCluster

OWNER_AND_OWNED = """
apiVersion: v1
kind: ConfigMap
metadata: {name: owned, ownerReferences: [{apiVersion: v1, kind: ConfigMap, name: owner, uid: UID}]}
"""


def test_server_reports_the_pinned_version(throw_away_cluster: ThrowAwayCluster) -> None:
    answer = json.loads(throw_away_cluster.kubectl("version", "--output=json").stdout)
    assert answer["serverVersion"]["gitVersion"] == "v1.37.2"


def test_another_user_has_a_name_and_groups_and_no_rights(
    throw_away_cluster: ThrowAwayCluster, namespace: str
) -> None:
    kubectl = throw_away_cluster.kubectl_as("jo", ["callplane:operators"])
    who = json.loads(kubectl("auth", "whoami", "--output=json").stdout)["status"]["userInfo"]
    assert who["username"] == "jo"
    assert "callplane:operators" in who["groups"]
    refused = kubectl("get", "configmaps", f"--namespace={namespace}", check=False)
    assert refused.returncode != 0
    assert "Forbidden" in refused.stderr


def test_a_deleted_namespace_ends_and_takes_its_objects(
    throw_away_cluster: ThrowAwayCluster,
) -> None:
    name = throw_away_cluster.create_namespace("short-lived")
    throw_away_cluster.kubectl("create", "configmap", "one", f"--namespace={name}")
    throw_away_cluster.kubectl("delete", "namespace", name, "--timeout=110s")
    assert throw_away_cluster.kubectl("get", "namespace", name, check=False).returncode != 0


def test_an_owned_object_goes_with_its_owner(
    throw_away_cluster: ThrowAwayCluster, namespace: str
) -> None:
    kubectl = throw_away_cluster.kubectl
    here = f"--namespace={namespace}"
    kubectl("create", "configmap", "owner", here)
    uid = kubectl("get", "configmap", "owner", here, "--output=jsonpath={.metadata.uid}").stdout
    kubectl("create", here, "--filename=-", stdin=OWNER_AND_OWNED.replace("UID", uid))
    kubectl("delete", "configmap", "owner", here)
    kubectl("wait", "--for=delete", "configmap/owned", here, "--timeout=110s")


def test_writes_are_counted_by_who_made_them() -> None:
    with ThrowAwayCluster(audit=True, kinds=False) as cluster:
        cluster.kubectl("create", "namespace", "counted")
        refused = cluster.kubectl("create", "namespace", "counted", check=False)
        assert refused.returncode != 0
        mine = {
            (write.agent.partition("/")[0], write.verb, write.resource): count
            for write, count in cluster.writes().items()
            if write.user == "sandbox-administrator" and write.agent.startswith("kubectl")
        }
    assert mine == {("kubectl", "create", "namespaces"): 1}
