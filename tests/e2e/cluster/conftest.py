"""A client of ours on a real API server."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from callplane.clock import SystemClock
from callplane.cluster import credentials
from callplane.cluster.client import KubernetesClient
from callplane.testing.control_plane import ThrowAwayCluster
from callplane.testing.fixtures import namespace, throw_away_cluster

__all__ = ["namespace", "throw_away_cluster"]


@pytest.fixture
async def objects(throw_away_cluster: ThrowAwayCluster) -> AsyncIterator[KubernetesClient]:
    """The administrator, as the operator speaks."""
    connection = credentials.from_kubeconfig(throw_away_cluster.kubeconfig, clock=SystemClock())
    async with KubernetesClient(connection) as client:
        yield client


@pytest.fixture
async def other(throw_away_cluster: ThrowAwayCluster) -> AsyncIterator[KubernetesClient]:
    """The same cluster through another field manager."""
    connection = credentials.from_kubeconfig(throw_away_cluster.kubeconfig, clock=SystemClock())
    async with KubernetesClient(connection, field_manager="somebody-else") as client:
        yield client
