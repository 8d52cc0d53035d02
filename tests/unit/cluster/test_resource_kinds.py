"""Paths of objects, and that no name leaves its place in one."""

from __future__ import annotations

import pytest

from callplane.cluster.resource_kinds import LEASES, NAMESPACES, SECRETS, callplane_kind

USERS = callplane_kind("teamsusers")


def test_paths() -> None:
    assert NAMESPACES.path(name="a") == "/api/v1/namespaces/a"
    assert SECRETS.path(namespace="a", name="b") == "/api/v1/namespaces/a/secrets/b"
    assert USERS.path() == "/apis/callplane.dev/v1alpha1/teamsusers"
    assert (
        USERS.path(namespace="a", name="b", subresource="status")
        == "/apis/callplane.dev/v1alpha1/namespaces/a/teamsusers/b/status"
    )
    assert LEASES.api_version == "coordination.k8s.io/v1"
    assert (str(USERS), str(SECRETS)) == ("teamsusers.callplane.dev", "secrets")


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a%2fb", "a?b", "a#b", "a\\b"])
def test_a_name_that_would_be_another_path_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="not the name"):
        SECRETS.path(namespace="a", name=name)
    with pytest.raises(ValueError, match="not the name"):
        SECRETS.path(namespace=name, name="a")


def test_a_namespace_belongs_to_namespaced_kinds() -> None:
    with pytest.raises(ValueError, match="not namespaced"):
        NAMESPACES.path(namespace="a", name="b")
    with pytest.raises(ValueError, match="without a namespace"):
        SECRETS.path(name="a")
