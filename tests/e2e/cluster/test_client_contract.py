"""The client on a real API server keeps the contract of an object store."""

from __future__ import annotations

from callplane.testing.object_store_contract import ObjectStoreContract


class TestRealServer(ObjectStoreContract):
    """All cases of the contract."""
