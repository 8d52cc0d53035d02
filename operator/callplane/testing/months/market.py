"""Accounts, their lines and what they pay, as plain data, and the same as call control's values.

The data go into the journal as they are; the auditor reads them by itself. Prices are invented.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from callplane.billing.increments import Increment
from callplane.billing.prices import LineKind, PricePart
from callplane.billing.tariff import (
    AccessCharge,
    DestinationSet,
    RateCard,
    RateRow,
    TimeBand,
    Treatment,
)
from callplane.billing.terms import (
    AccountTerms,
    Enforcement,
    Grace,
    Line,
    OnExhaustion,
    PlanTerms,
    Privilege,
    WhenPoolEmpty,
)
from callplane.callcontrol.directory import Caller
from callplane.callcontrol.messages import Started
from callplane.numbering.destinations import DestinationClass
from callplane.store.books_ports import PlanHolder

Terms = dict[str, Any]

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
#: Prefix, price a minute, fee, increment, since when, price in the evening, service charge.
CARD: Sequence[Mapping[str, Any]] = (
    {"prefix": "44", "minute": 10_007, "since": "2026-01-01T00:00:00+00:00"},
    {"prefix": "447", "minute": 20_011, "since": "2026-01-01T00:00:00+00:00", "evening": 9_001},
    {"prefix": "447", "minute": 31_013, "since": "2026-04-11T10:00:00+00:00", "evening": 8_009},
    {"prefix": "447", "minute": 27_017, "since": "2026-10-12T11:00:00+00:00"},
    {
        "prefix": "1",
        "minute": 29_999,
        "fee": 10_001,
        "increment": [60, 60],
        "since": "2026-01-01T00:00:00+00:00",
    },
    {"prefix": "33", "minute": 40_003, "increment": [30, 6], "since": "2026-01-01T00:00:00+00:00"},
    {
        "prefix": "449",
        "minute": 0,
        "since": "2026-01-01T00:00:00+00:00",
        "service": [150_001, 50_021],
    },
)
ACCESS_MICROS = 50_003
SET: Mapping[str, str] = {
    "441": "Bundled",
    "442": "Bundled",
    "443": "Bundled",
    "447": "Bundled",
    "4480": "Free",
}
#: What people dial: national and international forms, and one destination without a price.
DIALLED = (
    ("02079460123", 30),
    ("+441614960123", 25),
    ("07700900123", 20),
    ("08081570123", 4),
    ("0012125550123", 6),
    ("0033123456789", 5),
    ("09098790123", 4),
    ("+81312345678", 2),
)
TEAMS, TRUNK, ASKING = "trunks/teams", "trunks/pbx", "trunks/http"


def _account(name: str, zone: str, lines: int, ingress: str, **terms: Any) -> Terms:
    usual: Terms = {
        "name": name,
        "zone": zone,
        "ingress": ingress,
        "lines": lines,
        "enforce": True,
        "overspend": False,
        "rate_card_billing": False,
        "pay_as_you_go": False,
        "ceiling": 3_000_000,
        "day_cap": 2_000_000,
        "account_calls": None,
        "line_calls": 4,
        "line_calls_per_minute": 10,
        "block_all": True,
        "finish": True,
        "grace": [120, 5],
        "increment": [1, 1],
        "plans": {},
        "suspended": False,
    }
    return {**usual, **terms}


#: Each by its own name; `plans` are seconds by holder, which is a line of the account.
ACCOUNTS: Sequence[Terms] = (
    _account("sales/acme", "Europe/London", 6, TEAMS, overspend=True, rate_card_billing=True),
    _account(
        "sales/bolt",
        "America/New_York",
        5,
        TRUNK,
        increment=[60, 60],
        block_all=False,
        line_calls=6,
    ),
    _account(
        "sales/cove",
        "Australia/Sydney",
        4,
        TRUNK,
        pay_as_you_go=True,
        account_calls=5,
        line_calls=2,
        ceiling=2_500_000,
        day_cap=400_000,
    ),
    _account("sales/dune", "Europe/London", 2, ASKING, enforce=False, finish=False),
    _account("sales/east", "Europe/London", 4, ASKING, increment=[30, 6], rate_card_billing=True),
)


def starting() -> dict[str, Terms]:
    """The accounts as they begin: every second line of a plan account has half the minutes."""
    accounts = {}
    for account in ACCOUNTS:
        size = 5_400 if account["name"] == "sales/bolt" else 1_800
        plans = (
            {}
            if account["pay_as_you_go"]
            else {str(n): [size // (1 + n % 2)] for n in range(account["lines"])}
        )
        accounts[account["name"]] = {**account, "plans": plans}
    return accounts


def number_of(account: str, nth: int) -> str:
    """The number of an account's n-th line."""
    place = [one["name"] for one in ACCOUNTS].index(account)
    return f"+4420794600{place}{nth}"


def line_name(account: str, nth: int) -> str:
    return f"{account}-{nth}"


@dataclass
class Tables:
    """`Directory` of the present terms, replaced account by account."""

    lines: dict[str, Line] = field(default_factory=dict)
    accounts: dict[str, AccountTerms] = field(default_factory=dict)
    countries: set[tuple[str, str]] = field(default_factory=set)
    is_known: bool = True

    def put(self, terms: Terms) -> None:
        made = account_of(terms)
        self.accounts[made.name] = made
        for nth in range(terms["lines"]):
            number = number_of(made.name, nth)
            self.lines[number] = Line(
                line_name(made.name, nth),
                made,
                ingress=terms["ingress"],
                caller_ids=frozenset({number}),
                plan=plan_of(terms, nth),
                privilege=Privilege(classes=frozenset(DestinationClass)),
            )

    def line(self, ingress: str, number: str) -> Line | None:
        found = self.lines.get(number)
        return found if found is not None and found.ingress == ingress else None

    def line_of(self, number: str) -> Line | None:
        return self.lines.get(number)

    def account(self, name: str) -> AccountTerms | None:
        return self.accounts.get(name)

    def is_ours(self, destination: str) -> bool:
        return destination in self.lines

    def trunk(self, ingress: str) -> Caller | None:
        return None

    def has_called(self, account: str, country: str) -> bool:
        return (account, country) in self.countries

    def outside_line(self, ingress: str) -> str:
        return ""

    async def first_call(self, account: str, country: str) -> None:
        """The first call to a country, which is kept."""
        self.countries.add((account, country))

    async def live(self, started: Started) -> None:
        """Whoever lives longer than a killed process is not asked in this simulation."""

    async def registered(self, line: str) -> None:
        """Nobody is billed by registrations in this simulation."""


def holders_of(terms: Terms) -> list[PlanHolder]:
    return [
        PlanHolder(line_name(terms["name"], int(nth)), f"plan-{seconds}", seconds)
        for nth, plans in sorted(terms["plans"].items())
        for seconds in plans
    ]


def plan_of(terms: Terms, nth: int) -> PlanTerms | None:
    plans = terms["plans"].get(str(nth))
    if not plans:
        return None
    return PlanTerms("plan", max(plans), _SET, Increment(*terms["increment"]))


def account_of(terms: Terms) -> AccountTerms:
    return AccountTerms(
        name=terms["name"],
        zone=terms["zone"],
        enforcement=Enforcement.ENFORCE if terms["enforce"] else Enforcement.OBSERVE,
        suspended=terms["suspended"],
        overspend=terms["overspend"],
        rate_card_billing=terms["rate_card_billing"],
        pay_as_you_go=terms["pay_as_you_go"],
        card=_CARD,
        ceiling_micros=terms["ceiling"],
        day_cap_micros=terms["day_cap"],
        concurrent_calls=terms["account_calls"],
        line_calls=terms["line_calls"],
        line_calls_per_minute=terms["line_calls_per_minute"],
        max_per_minute_micros=None,
        when_pool_empty=WhenPoolEmpty.BLOCK_ALL
        if terms["block_all"]
        else WhenPoolEmpty.BLOCK_BUNDLED,
        on_exhaustion=OnExhaustion.FINISH if terms["finish"] else OnExhaustion.CUT,
        grace=Grace(*terms["grace"]),
    )


def _row(row: Mapping[str, Any]) -> RateRow:
    service = row.get("service")
    return RateRow(
        prefix=row["prefix"],
        name=f"to {row['prefix']}",
        per_minute_micros=row["minute"],
        effective_from=datetime.fromisoformat(row["since"]),
        increment=Increment(*row.get("increment", (1, 1))),
        connection_micros=row.get("fee", 0),
        band_micros={"evening": row["evening"]} if "evening" in row else None,
        service=PricePart(LineKind.SERVICE_CHARGE, *service) if service else None,
    )


_CARD = RateCard(
    name="months",
    currency="GBP",
    zone="Europe/London",
    rows=[_row(row) for row in CARD],
    bands=(TimeBand("evening", frozenset(range(5)), 19 * 60, 7 * 60),),
    access_charges=[AccessCharge(ACCESS_MICROS, BEGIN)],
    version="1",
    sample=True,
)
_SET = DestinationSet("months", {key: Treatment(name) for key, name in SET.items()}, sample=True)
