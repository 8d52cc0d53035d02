"""The fake cluster keeps the contract that the real API server keeps."""

from __future__ import annotations

import pytest

from callplane.cluster import ports
from callplane.testing.fake_cluster import FakeCluster
from callplane.testing.object_store_contract import ObjectStoreContract


@pytest.fixture
def objects() -> FakeCluster:
    return FakeCluster()


@pytest.fixture
def other(objects: FakeCluster) -> ports.ObjectStore:
    return objects.as_manager("somebody-else")


@pytest.fixture
def namespace(objects: FakeCluster) -> str:
    objects.seed({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "test-1"}})
    return "test-1"


class TestFakeCluster(ObjectStoreContract):
    """All cases of the contract."""
