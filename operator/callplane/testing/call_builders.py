"""Entries of call control's tables for tests: an account, a plan, a card, a set, lines. Every price
is invented.
"""

from __future__ import annotations

from typing import Any

from callplane.store.call_tables import LINE, NUMBER, Entry

ACCOUNT, PLAN, CARD, SET = "sales/acme", "sales/team", "sales/standard", "sales/domestic"
ANNA, BEN = "+442079460001", "+442079460002"
SINCE = "2026-01-01T00:00:00Z"


def entry(kind: str, name: str, spec: dict[str, Any], **names: str) -> Entry:
    """An object of the cluster, named `namespace/name`."""
    namespace, _, short = name.partition("/")
    content = {"metadata": {"name": short, "namespace": namespace}, "spec": spec, **names}
    return Entry(kind, name, f"{kind}/{name}", content)


def card(*, per_minute: str = "0.10") -> Entry:
    rows = [
        {"prefix": prefix, "name": name, "perMinute": per_minute, "effectiveFrom": SINCE}
        for prefix, name in (("44", "United Kingdom"), ("1", "North America"))
    ]
    return entry("RateCard", CARD, {"currency": "GBP", "sample": True, "rows": rows})


def destinations() -> Entry:
    rows = [{"prefix": prefix, "treatment": "Bundled", "name": prefix} for prefix in ("441", "442")]
    return entry("DestinationSet", SET, {"sample": True, "rows": rows})


def plan(minutes: int = 300) -> Entry:
    spec = {
        "country": "GB",
        "minutes": minutes,
        "destinationSetRef": {"name": "domestic"},
        "price": "3.00",
    }
    return entry("CallingPlan", PLAN, spec, set=SET)


def account(**spec: Any) -> Entry:
    usual = {"currency": "GBP", "rateCardRef": {"name": "standard"}, "ceiling": "100"}
    return entry("CallingAccount", ACCOUNT, {**usual, **spec}, card=CARD)


def privilege(*classes: str) -> Entry:
    return entry("CallPrivilege", "sales/wide", {"allowedClasses": list(classes)})


def line(number: str = ANNA, *, ingress: str = "pbx", **content: Any) -> list[Entry]:
    """A line with a plan, and its number."""
    holder = f"teams/tenant/{number[-1]}"
    owner = f"TeamsUser/sales/user-{number[-1]}"
    usual = {
        "ingress": ingress,
        "numbers": [number],
        "account": ACCOUNT,
        "plan": PLAN,
        "holder": holder,
    }
    merged = {key: value for key, value in {**usual, **content}.items() if value is not None}
    return [Entry(NUMBER, number, owner, {"holder": holder}), Entry(LINE, holder, owner, merged)]


def everything(minutes: int = 300, **spec: Any) -> list[Entry]:
    """What two people of one account need to call."""
    terms = [card(), destinations(), plan(minutes), account(**spec)]
    return [*terms, *line(ANNA), *line(BEN)]
