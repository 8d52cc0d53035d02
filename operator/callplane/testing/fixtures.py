"""Pytest fixtures for tests on real servers.

A test folder enables them in its conftest.py by importing the fixtures it wants by name (pytest
allows `pytest_plugins` in the top conftest only).
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from callplane.testing.control_plane import ThrowAwayCluster, ThrowAwayPostgres
from callplane.testing.live_world import LiveWorld


@pytest.fixture(scope="session")
def throw_away_postgres() -> Iterator[ThrowAwayPostgres]:
    """One PostgreSQL server for the whole run; take a database of your own from it."""
    with ThrowAwayPostgres() as server:
        yield server


@pytest.fixture
def database_dsn(throw_away_postgres: ThrowAwayPostgres) -> Iterator[str]:
    """The DSN of an empty database for one test."""
    with throw_away_postgres.database() as dsn:
        yield dsn


@pytest.fixture(scope="session")
def throw_away_cluster() -> Iterator[ThrowAwayCluster]:
    """One Kubernetes API for the whole run, with our kinds; take a namespace of your own in it."""
    with ThrowAwayCluster() as cluster:
        yield cluster


@pytest.fixture
def namespace(throw_away_cluster: ThrowAwayCluster) -> str:
    """A new namespace for one test. It goes with the cluster: deleting one takes five seconds."""
    return throw_away_cluster.create_namespace()


@pytest.fixture(scope="session")
def live_world() -> Iterator[LiveWorld]:
    """Everything real, started once for the whole run; no operator runs yet."""
    with LiveWorld() as world:
        yield world
