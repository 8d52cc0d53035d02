"""A real API server with our kinds, shared by the conformance tests."""

from __future__ import annotations

from callplane.testing.fixtures import namespace, throw_away_cluster

__all__ = ["namespace", "throw_away_cluster"]
