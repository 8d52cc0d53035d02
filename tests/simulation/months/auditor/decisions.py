"""Every answer of call control, decided again from what it had read."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import product

from evidence import WAY, Evidence, Fact, Finding, destination, moment
from ledger import Story, counters

#: So long may a call within the bundle last that nothing is held for.
OUTAGE_SECONDS = 600
AMPLE = {
    "entitlement_seconds": 2**31,
    "used_seconds": 0,
    "held_seconds": 0,
    "posted_micros": 0,
    "held_micros": 0,
    "day_micros": 0,
    "day_held_micros": 0,
    "live_calls": 0,
}


def decisions(evidence: Evidence, story: Story) -> Iterator[Finding]:
    """A refusal has its reason in what was read, and a grant has none against it."""
    for attempt, call in evidence.calls.items():
        intended = call["intended"]
        reason = call.get("reason")
        if intended["service"] or intended["inbound"]:
            continue
        was_asked = call.get("class") in ("outbound", "on-net")
        if reason == "503" or call.get("class") == "outage" or not (reason or was_asked):
            continue
        line = evidence.line_of(intended["payer"])
        if line is None:
            if reason != "UnknownLine":
                yield Finding("decision", call["at"], f"{attempt} of a stranger: {reason}")
            continue
        if reason in {commit["answer"] for commit, _ in story.refused.get(attempt, [])}:
            continue
        possible = set(_possible(evidence, call, line))
        if reason is None and possible and None not in possible:
            yield Finding("decision", call["at"], f"{attempt} was let through: {possible}")
        if reason is not None and reason not in possible:
            yield Finding("decision", call["at"], f"{attempt}: {reason} is not in {possible}")


def _possible(evidence: Evidence, call: Fact, line: tuple[str, int]) -> Iterator[str | None]:
    """The answers that any of what was read and in force would give."""
    reads = evidence.reads[call["attempt"]]
    now, quiet = moment(call["setup"]), {"calls_last_minute": 0, "live_calls": 0}
    if not reads or call.get("told_seconds") in (None, OUTAGE_SECONDS):
        # The books were away: whoever may call at all is decided without them.
        for terms in evidence.terms(line[0], now, now + WAY):
            yield decide(evidence, terms, call, line[1], AMPLE, quiet, now)
            if not terms["enforce"]:
                yield None
    seen = [read for read in reads if read["said"] == "counters"]
    lines = [read for read in reads if read["said"] == "line_counters"]
    begin = moment(call["setup"])
    end = max([moment(read["at"]) for read in seen] or [begin])
    for terms, read, of_line in product(evidence.terms(line[0], begin, end), seen, lines):
        if terms["enforce"]:
            yield decide(evidence, terms, call, line[1], read["answer"], of_line["answer"], end)
        else:
            yield None


def decide(  # noqa: PLR0913 - the whole order of a decision, in one place
    evidence: Evidence, terms: Fact, call: Fact, nth: int, now: Fact, line: Fact, at: datetime
) -> str | None:
    """The reason of a refusal; None for a call that may be."""
    number = destination(call["intended"]["dialled"])
    if terms["suspended"]:
        return "LineSuspended"
    if line["calls_last_minute"] >= terms["line_calls_per_minute"]:
        return "FraudLimit"
    if number in evidence.numbers:
        return None
    plans, tariff = terms["plans"].get(str(nth)), evidence.tariff(number, at)
    left = now["entitlement_seconds"] - now["used_seconds"]
    free, first = left - now["held_seconds"], terms["increment"][0]
    pays = False
    if plans:
        treatment = evidence.treatment(number)
        if treatment == "Bundled":
            if free < first and not terms["overspend"]:
                return "PoolHeld" if left >= first else "PoolExhausted"
            pays = free < first
        elif treatment == "Outside" and not terms["rate_card_billing"]:
            return "RateCardDisabled"
        elif terms["block_all"] and not terms["overspend"] and left <= 0:
            return "PoolExhausted"
        else:
            pays = treatment == "Outside"
    elif terms["pay_as_you_go"]:
        pays = True
    else:
        return "NoPlan"
    if pays:
        if tariff is None:
            return "NoRate"
        if now["posted_micros"] + now["held_micros"] + tariff.least() > terms["ceiling"]:
            return "CeilingReached"
        day = now["day_micros"] + now["day_held_micros"] + tariff.least()
        if terms["day_cap"] is not None and day > terms["day_cap"]:
            return "DailyCapReached"
    if terms["account_calls"] is not None and now["live_calls"] >= terms["account_calls"]:
        return "ConcurrencyLimit"
    return "ConcurrencyLimit" if line["live_calls"] >= terms["line_calls"] else None


def reservations(evidence: Evidence, story: Story) -> Iterator[Finding]:
    """Under the lock: nothing is refused that there was, nothing granted beyond what is counted."""
    for attempt, (commit, lines) in story.granted.items():
        limits = commit["limits"]
        for name, count in (
            ("account_calls", lines["account_live"]),
            ("line_calls", lines["line_live"]),
            ("line_calls_per_minute", lines["line_minute"]),
        ):
            if limits[name] is not None and count >= limits[name]:
                yield Finding("calls", commit["at"], f"{attempt}: {count} of {limits[name]} {name}")
    for attempt, refusals in story.refused.items():
        for commit, lines in refusals:
            if not _is_short(commit, lines):
                yield Finding(
                    "decision",
                    commit["at"],
                    f"{attempt} was refused for nothing: {commit['answer']}",
                )


def _is_short(commit: Fact, lines: Fact) -> bool:
    limits, payer = commit["limits"], commit["payer"]
    now = counters(commit, "before", payer["account"], payer["period"]["start"]) or counters(
        commit, "after", payer["account"], payer["period"]["start"]
    )
    if now is None:
        return False
    free = now["entitlement_seconds"] - now["used_seconds"] - now["held_seconds"]
    due = now["posted_micros"] + now["held_micros"]
    cap = limits["day_cap_micros"]
    # A first block is at most a minute and at most so dear in this market.
    dear = 300_000
    match commit["answer"]:
        case "PoolExhausted" | "PoolHeld":
            return free < 60
        case "CeilingReached":
            return limits["ceiling_micros"] - due < dear
        case "DailyCapReached":
            return cap is not None and cap - now["day_micros"] - now["day_held_micros"] < dear
        case "FraudLimit":
            return lines["line_minute"] >= limits["line_calls_per_minute"]
        case "ConcurrencyLimit":
            return lines["line_live"] >= limits["line_calls"] or (
                limits["account_calls"] is not None
                and lines["account_live"] >= limits["account_calls"]
            )
    return False
