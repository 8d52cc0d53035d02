"""The nouns of a simulated carrier: numbers, charges, orders, ports, access keys.

Money is an integer in hundredths of the account's currency; on the wire it is a decimal string.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field

SAMPLE_SETUP_MINOR = 100
SAMPLE_MONTHLY_MINOR = 150
SAMPLE_GOLD_MINOR = 2_500
"""Samples: no carrier's prices."""

SOMEBODY_ELSE = "somebody-else"
"""Owner of a number that another customer, or another carrier, has."""


@dataclass(frozen=True, slots=True)
class NumberRow:
    """A number the carrier knows. Without an owner it is on sale.

    `state` is the carrier's own word once the number is owned. `attributes` is what the customer
    set on it, by the carrier's own names.
    """

    e164: str
    kind: str = "local"
    country: str = "GB"
    place: str = "London"
    is_gold: bool = False
    setup_minor: int = SAMPLE_SETUP_MINOR
    monthly_minor: int = SAMPLE_MONTHLY_MINOR
    owner: str | None = None
    id: str = ""
    state: str = ""
    since: str = ""
    rests_until: float = 0.0
    is_on_sale: bool = True
    attributes: Mapping[str, object] = field(default_factory=dict)

    def with_attributes(self, changes: Mapping[str, object]) -> dict[str, object]:
        """The attributes after `changes`; None takes one away."""
        merged = {**self.attributes, **changes}
        return {name: value for name, value in merged.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Charge:
    """Money taken from an account. `at` is seconds of the world's monotonic clock."""

    at: float
    what: str
    subject: str
    minor: int


@dataclass(slots=True)
class AccessKey:
    """A way in. `name` is a user name where the carrier has one, else the key's own label."""

    name: str
    secret: str
    may_write: bool = True
    is_revoked: bool = False


@dataclass(slots=True)
class Order:
    """An order for numbers. `status` is pending, success, failure or canceled."""

    id: str
    account: str
    numbers: list[OrderedNumber]
    reference: str
    created_at: str
    terms: Mapping[str, object] = field(default_factory=dict)
    status: str = "pending"
    reason: str = ""
    waits_for_paperwork: bool = False
    is_lost: bool = False
    fails_with: str | None = None
    """What the order will end with, settled when it is accepted; None: it succeeds."""


@dataclass(slots=True)
class OrderedNumber:
    """One number of an order; its status is its own."""

    id: str
    e164: str
    status: str = "pending"
    reason: str = ""


@dataclass(slots=True)
class Port:
    """A request to bring numbers in. `status` is the carrier's own word."""

    id: str
    account: str
    numbers: tuple[str, ...]
    kind: str
    status: str
    created_at: str
    details: dict[str, object] = field(default_factory=dict)
    events: list[dict[str, object]] = field(default_factory=list)
    date: str = ""
    is_open: bool = True
    revision: int = 0
    """Counts changes by people, so that a step that was planned before one does not happen."""


def derive_guid(*parts: object) -> str:
    """A GUID that follows from `parts`."""
    digest = hashlib.sha256("/".join(map(str, parts)).encode("utf-8")).digest()
    return str(uuid.UUID(bytes=digest[:16], version=4))


def decimal_text(minor: int, places: int = 2) -> str:
    """Money as the wire has it: `1.50`."""
    sign, whole = ("-", -minor) if minor < 0 else ("", minor)
    return f"{sign}{whole // 100}.{whole % 100:02d}" + "0" * (places - 2)
