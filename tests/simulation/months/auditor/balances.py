"""What every month of every account holds at the end, added up again from its parts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

from evidence import Evidence, Fact, Finding, moment
from ledger import Story


def entitlements(evidence: Evidence, story: Story) -> Iterator[Finding]:
    """Each holder brought the most that he held at any time of the month, and once."""
    for month in evidence.months:
        account, label = month["account"], evidence.label(month)
        expected: Counter[str] = Counter()
        for holders in _held_in(evidence, account, label):
            for holder in holders:
                name = holder["holder"]
                expected[name] = max(expected[name], holder["seconds"])
        got: Counter[str] = Counter()
        for posting in month["postings"]:
            if posting["purpose"] == "Entitlement":
                got[posting["attempt_id"]] += posting["amount"]
        if got != expected:
            yield Finding(
                "entitlement",
                "-",
                f"{account} {label}: {dict(got - expected)} too much, "
                f"{dict(expected - got)} too little",
            )
        if month["counters"]["entitlement_seconds"] != sum(expected.values()):
            yield Finding("entitlement", "-", f"{account} {label}: the pool is not its holders'")


def _held_in(evidence: Evidence, account: str, label: str) -> Iterator[list[Fact]]:
    """The holders at the beginning of the month and after each change within it."""
    before: list[Fact] = []
    for commit in evidence.commits:
        if commit["what"] != "set_plans" or commit["payer"]["account"] != account:
            continue
        at = moment(commit["at"])
        period = moment(commit["payer"]["period"]["start"]) + timedelta(days=14)
        labels = {evidence.month_of(account, at), evidence.month_of(account, period)}
        if label in labels:
            yield commit["holders"]
        if evidence.month_of(account, at) < label:
            before = commit["holders"]
    yield before


def sums(evidence: Evidence, story: Story) -> Iterator[Finding]:
    """Counters, postings and calls of a month say the same; nothing is held any more."""
    for month in evidence.months:
        account, now = month["account"], month["counters"]
        debits: Counter[str] = Counter()
        for posting in month["postings"]:
            if posting["amount"] <= 0 or posting["debit"] == posting["credit"]:
                yield Finding("balance", "-", f"posting {posting['id']} moves nothing")
            debits[posting["debit"]] += posting["amount"]
            debits[posting["credit"]] -= posting["amount"]
        expected = {
            "posted_micros": debits[f"receivable:{account}"],
            "used_seconds": debits["used:minutes"],
            "grace_used_seconds": debits["used:grace"],
            "entitlement_seconds": -debits["issued:minutes"],
            "held_seconds": 0,
            "held_micros": 0,
            "grace_held_seconds": 0,
            "day_held_micros": 0,
            "live_calls": 0,
        }
        for name, value in expected.items():
            if now[name] != value:
                rule = "held" if "held" in name or name == "live_calls" else "balance"
                yield Finding(
                    rule,
                    "-",
                    f"{account} {evidence.label(month)}: {name} is {now[name]}, not {value}",
                )
        left = debits[f"pool:{account}"]
        if left != now["entitlement_seconds"] - now["used_seconds"] or left < 0:
            yield Finding("balance", "-", f"{account}: {left} s are left in the pool")
        unsecured = sum(
            row["charge_micros"]
            for row in month["calls"]
            if not ((hold := story.holds.get(row["attempt_id"])) and hold.was_live)
        )
        if now["unsecured_micros"] != unsecured:
            yield Finding(
                "balance",
                "-",
                f"{account}: {now['unsecured_micros']} without a hold, not {unsecured}",
            )
    for attempt, hold in story.holds.items():
        if hold.state in ("held", "active"):
            yield Finding("held", "-", f"{attempt} still holds something")
