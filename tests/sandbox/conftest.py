"""Servers for the tests of the sandbox."""

from __future__ import annotations

from callplane.testing.fixtures import (
    database_dsn,
    namespace,
    throw_away_cluster,
    throw_away_postgres,
)

__all__ = ["database_dsn", "namespace", "throw_away_cluster", "throw_away_postgres"]
