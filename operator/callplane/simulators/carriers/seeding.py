"""A carrier from a small description: so many numbers on sale, these accounts, so many owned.

The description is the content of a YAML or JSON file (`--seed-file`), or the same built in code.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from callplane.simulators import descriptions
from callplane.simulators.carriers.rows import (
    SAMPLE_GOLD_MINOR,
    SAMPLE_MONTHLY_MINOR,
    SAMPLE_SETUP_MINOR,
)

DEFAULT_ACCOUNT = "930000"
DEFAULT_SECRET = "simulated-secret"
DEFAULT_USER = "simulated-user"


@dataclass(frozen=True, slots=True)
class RangeSeed:
    """`count` numbers from `first` on; `owner` is an account that has them already.

    Prices are in hundredths and samples. Numbers that are not `on_sale` can be ported in only.
    """

    first: str
    count: int = 1
    kind: str = "local"
    country: str = "GB"
    place: str = "London"
    is_gold: bool = False
    setup_minor: int = SAMPLE_SETUP_MINOR
    gold_minor: int = SAMPLE_GOLD_MINOR
    monthly_minor: int = SAMPLE_MONTHLY_MINOR
    owner: str | None = None
    on_sale: bool = True


@dataclass(frozen=True, slots=True)
class KeySeed:
    """A way in to an account."""

    name: str = DEFAULT_USER
    secret: str = DEFAULT_SECRET
    may_write: bool = True


@dataclass(frozen=True, slots=True)
class AccountSeed:
    """An account; `balance_minor` is what it has paid in, `number_limit` how many it may own."""

    id: str = DEFAULT_ACCOUNT
    balance_minor: int = 100_000
    currency: str = "GBP"
    number_limit: int = 100_000
    kind: str = "startup"
    keys: tuple[KeySeed, ...] = (KeySeed(),)


@dataclass(frozen=True, slots=True)
class WorldSeed:
    """A whole carrier: seed of its chance, settings, accounts, numbers, fault rules."""

    seed: int = 0
    settings: Mapping[str, object] = field(default_factory=dict)
    accounts: tuple[AccountSeed, ...] = (AccountSeed(),)
    ranges: tuple[RangeSeed, ...] = (RangeSeed("+442079460000", 1000),)
    faults: tuple[Mapping[str, object], ...] = ()
    misfortune: float = 0.0


def world_seed_from(document: object, place: str = "seed") -> WorldSeed:
    """A description from YAML or JSON. ValueError says where it is wrong and why."""
    parts: dict[str, Callable[[object, str], object]] = {
        "accounts": account_seed_from,
        "ranges": lambda value, at: descriptions.build(RangeSeed, value, at, {}),
    }
    return descriptions.build(WorldSeed, document, place, parts)


def account_seed_from(document: object, place: str = "account") -> AccountSeed:
    """One account from YAML or JSON. ValueError says where it is wrong and why."""
    parts: dict[str, Callable[[object, str], object]] = {
        "keys": lambda value, at: descriptions.build(KeySeed, value, at, {})
    }
    return descriptions.build(AccountSeed, document, place, parts)
