"""Every commit in its order: what may be held and drawn, and what the books say at the end."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from evidence import Evidence, Fact, Finding, moment

NOTHING = {
    "pool_seconds": 0,
    "priced_seconds": 0,
    "grace_seconds": 0,
    "free_seconds": 0,
    "hold_micros": 0,
    "is_final": False,
}


def total(grant: Fact) -> int:
    return sum(
        int(grant[name])
        for name in ("pool_seconds", "priced_seconds", "grace_seconds", "free_seconds")
    )


@dataclass
class Hold:
    """What the commits say of one attempt."""

    asked_at: datetime
    account: str
    period: str
    line: str
    mode: str
    first: Fact
    grant: Fact
    state: str = "held"
    answered: datetime | None = None
    seen: datetime | None = None
    #: The grant with which it was settled, and whether that was while it was live.
    settled_grant: Fact | None = None
    was_live: bool = False
    presumed: Fact | None = None


@dataclass
class Story:
    """The commits as one story; `findings` is what must not have been in it."""

    holds: dict[str, Hold] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    settled_at: dict[str, datetime] = field(default_factory=dict)
    settled_times: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    refused: dict[str, list[tuple[Fact, Fact]]] = field(default_factory=lambda: defaultdict(list))
    granted: dict[str, tuple[Fact, Fact]] = field(default_factory=dict)


def counters(commit: Fact, when: str, account: str, period: str) -> Fact | None:
    for row in commit[when]:
        if row["account"] == account and row["period"] == period:
            return row["counters"]
    return None


def tell(evidence: Evidence) -> Story:
    """Go through the commits once."""
    story = Story()
    for commit in evidence.commits:
        _invariants(commit, story)
        match commit["what"]:
            case "reserve":
                _reserve(commit, story)
            case "extend":
                _extend(commit, story)
            case "answered":
                hold = story.holds.get(commit["attempt"])
                if commit["answer"] and hold is not None:
                    hold.state = "active"
                    hold.answered = hold.answered or moment(commit["answered_at"])
                    hold.seen = moment(commit["answered_at"])
            case "void":
                hold = story.holds.get(commit["attempt"])
                if commit["answer"] and hold is not None:
                    hold.state = "voided"
            case "settle":
                _settle(commit, story)
    return story


def _invariants(commit: Fact, story: Story) -> None:
    for row in commit["after"]:
        now = row["counters"]
        used = now["used_seconds"] + now["held_seconds"]
        if used > now["entitlement_seconds"]:
            story.findings.append(
                Finding(
                    "pool",
                    commit["at"],
                    f"{row['account']}: used and held are {used} of "
                    f"{now['entitlement_seconds']} s after a {commit['what']}",
                )
            )
        for name in (
            "used_seconds",
            "held_seconds",
            "held_micros",
            "posted_micros",
            "live_calls",
            "grace_held_seconds",
        ):
            if now[name] < 0:
                story.findings.append(
                    Finding("balance", commit["at"], f"{row['account']}: {name} is {now[name]}")
                )


def _reserve(commit: Fact, story: Story) -> None:
    attempt, answer = commit["attempt"], commit["answer"]
    if not isinstance(answer, dict):
        story.refused[attempt].append((commit, _lines(commit, story)))
        return
    if attempt in story.holds:
        if answer != story.holds[attempt].grant:
            story.findings.append(
                Finding("once", commit["at"], f"{attempt} was reserved again and got another grant")
            )
        return
    payer = commit["payer"]
    story.granted[attempt] = (commit, _lines(commit, story))
    story.holds[attempt] = Hold(
        asked_at=moment(commit["asked_at"]),
        account=payer["account"],
        period=payer["period"]["start"],
        line=commit["line"],
        mode=commit["mode"],
        first=answer,
        grant=answer,
    )
    _limits(commit, story, story.holds[attempt], NOTHING)


def _lines(commit: Fact, story: Story) -> Fact:
    """Live calls and calls of the last minute, counted from the commits before."""
    asked = moment(commit["asked_at"])
    own = [hold for hold in story.holds.values() if hold.line == commit["line"]]
    return {
        "line_live": sum(hold.state in ("held", "active") for hold in own),
        "line_minute": sum(hold.asked_at > asked - timedelta(minutes=1) for hold in own),
        "account_live": sum(
            hold.state in ("held", "active") and hold.account == commit["payer"]["account"]
            for hold in story.holds.values()
        ),
    }


def _extend(commit: Fact, story: Story) -> None:
    hold, answer = story.holds.get(commit["attempt"]), commit["answer"]
    if answer is None or hold is None:
        return
    before, hold.grant = hold.grant, answer
    hold.seen = moment(commit["asked_at"])
    if total(answer) < total(before):
        story.findings.append(
            Finding("promise", commit["at"], f"{commit['attempt']} holds less than before")
        )
    _limits(commit, story, hold, before)


def _limits(commit: Fact, story: Story, hold: Hold, before: Fact) -> None:
    """What is newly held fits under the limits that were asked with; money comes after minutes."""
    after, grant, limits = (
        counters(commit, "after", hold.account, hold.period),
        hold.grant,
        commit["limits"],
    )
    if after is None:
        story.findings.append(Finding("balance", commit["at"], f"{hold.account} has no month"))
        return

    def wrong(rule: str, text: str) -> None:
        story.findings.append(Finding(rule, commit["at"], f"{commit['attempt']}: {text}"))

    if grant["hold_micros"] > before["hold_micros"]:
        due = after["posted_micros"] + after["held_micros"]
        if due > limits["ceiling_micros"]:
            wrong("ceiling", f"{due} of {limits['ceiling_micros']} are posted and held")
        day, cap = after["day_micros"] + after["day_held_micros"], limits["day_cap_micros"]
        is_new = before is NOTHING and commit["payer"]["day"] == after["day"]
        if is_new and cap is not None and day > cap:
            wrong("day cap", f"{day} of {cap} are posted and held")
    if hold.mode == "Plan" and grant["priced_seconds"] > before["priced_seconds"]:
        free = after["entitlement_seconds"] - after["used_seconds"] - after["held_seconds"]
        if free >= 60:
            wrong("pool", f"pays money while {free} s are free")


def _settle(commit: Fact, story: Story) -> None:
    for entry, outcome in zip(commit["entries"], commit["answer"], strict=True):
        if outcome != "settled":
            continue
        attempt = entry["attempt"]
        hold = story.holds.get(attempt)
        if entry["presumed"]:
            if hold is None or hold.state not in ("held", "active"):
                story.findings.append(
                    Finding("once", commit["at"], f"{attempt} is presumed without a live hold")
                )
                continue
            hold.state = "expired"
            hold.presumed = {"grant": hold.grant}
            continue
        story.settled_at[attempt] = moment(commit["at"])
        story.settled_times[attempt] += 1
        # Whoever did not know of the reservation has settled without it.
        is_known = entry["known_grant"] is not None
        if hold is not None and is_known and hold.state in ("held", "active", "expired"):
            hold.was_live = hold.state != "expired"
            hold.state, hold.settled_grant = "posted", hold.grant
