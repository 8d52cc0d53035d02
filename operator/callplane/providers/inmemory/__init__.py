"""A calling platform in memory, for unit tests of the engine and for seeded simulations."""

from __future__ import annotations

from callplane.providers.inmemory.faults import (
    Call,
    Fault,
    FaultScript,
    Listing,
    Verb,
    authentication_failed,
    listing_lies,
    lost_after_commit,
    lost_before_commit,
    order_fails,
    order_is_lost,
    refuse,
    throttle,
    unavailable,
)
from callplane.providers.inmemory.provider import InMemoryProvider
from callplane.providers.inmemory.world import Tables, World

__all__ = [
    "Call",
    "Fault",
    "FaultScript",
    "InMemoryProvider",
    "Listing",
    "Tables",
    "Verb",
    "World",
    "authentication_failed",
    "listing_lies",
    "lost_after_commit",
    "lost_before_commit",
    "order_fails",
    "order_is_lost",
    "refuse",
    "throttle",
    "unavailable",
]
