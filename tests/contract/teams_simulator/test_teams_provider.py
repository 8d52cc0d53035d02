"""The Teams provider keeps every promise of the provider contract, over HTTP."""

from __future__ import annotations

from callplane.testing.provider_contract import ProviderContract


class TestTeamsProvider(ProviderContract):
    """Every promise, kept."""
