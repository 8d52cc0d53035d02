"""Each call that took place is in the books once, in its month, at its price, with its payer."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta

from evidence import WAY, Evidence, Fact, Finding, billable, destination, moment
from ledger import Hold, Story, total

#: Beyond what was granted: the switch's tick, rounding up and an order that came late.
BEYOND_SECONDS = 8
#: One extension of a call within the bundle while the books are away.
UNSECURED_SECONDS = 600


def recorded_once(evidence: Evidence, story: Story) -> Iterator[Finding]:
    """Every record is in the books or in suspense, once, and nothing else is."""
    rows = Counter(row["attempt_id"] for _, row in evidence.rows())
    for attempt, call in evidence.calls.items():
        found = rows[attempt] + (attempt in evidence.suspended)
        if call["recorded"] and found != 1:
            yield Finding("once", call["at"], f"{attempt} was recorded and is there {found} times")
        if not call["recorded"] and found:
            yield Finding("once", call["at"], f"{attempt} left no record and is there")
    for attempt in set(rows) | set(evidence.suspended):
        if attempt not in evidence.calls:
            yield Finding("once", "-", f"{attempt} never took place")
    for attempt, times in story.settled_times.items():
        if times > 1:
            yield Finding("once", "-", f"{attempt} was settled {times} times")


def services(evidence: Evidence, story: Story) -> Iterator[Finding]:
    """Nobody refuses and nobody charges them. Without an answer the switch does as it can."""
    for attempt, call in evidence.calls.items():
        is_refusal = call["outcome"] == "refused" and call["reason"] != "503"
        if call["intended"]["service"] and is_refusal:
            yield Finding("emergency", call["at"], f"{attempt} was refused: {call['reason']}")
        if call["intended"]["service"] and attempt in story.holds:
            yield Finding("emergency", call["at"], f"{attempt} was reserved")
    for _, row in evidence.rows():
        call = evidence.calls.get(row["attempt_id"])
        if call and call["intended"]["service"] and (row["charge_micros"] or row["pool_seconds"]):
            yield Finding("emergency", call["at"], f"{row['attempt_id']} was charged")


def payers(evidence: Evidence, story: Story) -> Iterator[Finding]:
    """The line that made the call pays, whatever its headers say of others."""
    for attempt, hold in story.holds.items():
        call = evidence.calls.get(attempt)
        if call is None:
            continue
        line = evidence.line_of(call["intended"]["payer"])
        if line is None or hold.line != f"{line[0]}-{line[1]}" or hold.account != line[0]:
            yield Finding("payer", call["at"], f"{attempt} is held for {hold.line}, not {line}")
    for month, row in evidence.rows():
        call = evidence.calls.get(row["attempt_id"])
        if call is None or call["class"] == "on-net":
            continue
        shown = call["intended"]["payer"] if call["class"] == "inbound" else call["shown"]
        line = evidence.line_of(shown)
        hold = story.holds.get(row["attempt_id"])
        expected = hold.line if _is_pinned(hold) else f"{line[0]}-{line[1]}" if line else None
        if row["line"] != expected or month["account"] != row["line"].rsplit("-", 1)[0]:
            yield Finding("payer", call["at"], f"{row['attempt_id']} is paid by {row['line']}")


def right_month(evidence: Evidence, story: Story) -> Iterator[Finding]:
    """The month where the account is, at the moment at which the call was set up."""
    for month, row in evidence.rows():
        call = evidence.calls.get(row["attempt_id"])
        if call is None:
            continue
        hold = story.holds.get(row["attempt_id"])
        at = _instant(call, hold)
        expected = evidence.month_of(month["account"], at)
        if evidence.label(month) != expected:
            yield Finding(
                "month",
                call["at"],
                f"{row['attempt_id']} of {expected} is in {evidence.label(month)}",
            )


def _is_pinned(hold: Hold | None) -> bool:
    return hold is not None and hold.settled_grant is not None


def _instant(call: Fact, hold: Hold | None) -> datetime:
    """Its set-up where that was kept, else its answer, in milliseconds as the record has it."""
    if hold is not None and hold.settled_grant is not None:
        return hold.asked_at
    answered = moment(call["answered"])
    return answered.replace(microsecond=answered.microsecond // 1000 * 1000)


def charged(evidence: Evidence, story: Story) -> Iterator[Finding]:
    """Minutes and money of every row, computed again."""
    for month, row in evidence.rows():
        call = evidence.calls.get(row["attempt_id"])
        if call is None or "milliseconds" not in call:
            continue
        seconds = -(-call["milliseconds"] // 1000)
        if row["duration_seconds"] != seconds:
            yield Finding(
                "charge",
                call["at"],
                f"{row['attempt_id']} lasted {seconds} s, not {row['duration_seconds']}",
            )
        hold = story.holds.get(row["attempt_id"])
        got = (
            row["pool_seconds"],
            row["charge_micros"],
            row["grace_seconds"],
            row["uncharged_seconds"],
        )
        if hold is not None and hold.settled_grant is not None:
            expected = reserved(evidence, call, hold, hold.settled_grant, seconds)
            if got not in expected:
                yield Finding(
                    "charge", call["at"], f"{row['attempt_id']}: {got} is none of {expected}"
                )
            beyond = seconds - total(hold.settled_grant)
            allowed = BEYOND_SECONDS + (UNSECURED_SECONDS if hold.mode == "Plan" else 0)
            if beyond > allowed and call["class"] == "outbound":
                yield Finding("overrun", call["at"], f"{row['attempt_id']}: {beyond} s beyond")
        elif not _unreserved(evidence, month, row, call, seconds, story):
            yield Finding(
                "charge",
                call["at"],
                f"{row['attempt_id']}: {got} cannot be explained ({row['mode']}, {seconds} s)",
            )


def reserved(
    evidence: Evidence, call: Fact, hold: Hold, grant: Fact, seconds: int
) -> list[tuple[int, int, int, int]]:
    """(pool, money, grace, uncharged) of a call by its grant, for each version of terms that may
    have been in force when it was asked about.
    """
    found = []
    for terms in evidence.terms(hold.account, hold.asked_at, hold.asked_at):
        number = destination(call["intended"]["dialled"])
        within = min(seconds, total(grant))
        tariff, pooled = None, 0
        if hold.mode == "Plan":
            pooled = min(billable(terms["increment"], within), grant["pool_seconds"])
            if terms["overspend"]:
                tariff = evidence.tariff(number, hold.asked_at)
        elif hold.mode in ("Card", "Payg"):
            tariff = evidence.tariff(number, hold.asked_at)
        money = 0
        if tariff is not None and pooled < within:
            rest = billable(tariff.increment, within) - pooled
            money = tariff.charge(rest, with_fee=pooled == 0)
        grace = 0 if tariff else min(grant["grace_seconds"], max(0, within - pooled))
        found.append((pooled, money, grace, seconds - within))
    return found


def _unreserved(  # noqa: PLR0913 - all are facts of one row
    evidence: Evidence, month: Fact, row: Fact, call: Fact, seconds: int, story: Story
) -> bool:
    """Is a row without a pinned reservation explained by any terms in force when it was settled?"""
    at = story.settled_at.get(row["attempt_id"])
    if at is None:
        return False
    answered = _instant(call, None)
    number = destination(call["intended"]["dialled"])
    pool, money = row["pool_seconds"], row["charge_micros"]
    nothing = (pool, money) == (0, 0)
    if call["intended"]["service"] or call["class"] in ("inbound", "on-net"):
        return nothing
    nth = row["line"].rsplit("-", 1)[1]
    tariff = evidence.tariff(number, answered)
    for terms in evidence.terms(month["account"], at - WAY, at):
        plans = terms["plans"].get(nth)
        treatment = evidence.treatment(number) if plans else "Outside"
        if number in evidence.numbers or (plans and treatment == "Free"):
            fits = nothing
        elif plans and treatment == "Bundled":
            entry = pool + row["uncharged_seconds"]
            if not terms["overspend"]:
                fits = money == 0 and pool <= billable(terms["increment"], seconds) <= entry + 60
            elif tariff is None:
                fits = False
            else:
                rest = billable(tariff.increment, seconds) - entry if entry < seconds else 0
                fits = money == tariff.charge(rest, with_fee=entry == 0)
        elif tariff is None or (not plans and not terms["pay_as_you_go"]):
            fits = False
        else:
            rest = billable(tariff.increment, seconds)
            fits = pool == 0 and money == tariff.charge(rest, with_fee=True)
        if fits:
            return True
    return False


def suspense(evidence: Evidence, story: Story) -> Iterator[Finding]:
    """What waits has its reason."""
    for attempt, record in evidence.suspended.items():
        call = evidence.calls.get(attempt)
        if call is None:
            continue
        answered = _instant(call, None)
        line = evidence.line_of(call["shown"])
        reason, number = record["reason"], destination(call["intended"]["dialled"])
        if reason == "NoRate":
            is_so = evidence.tariff(number, answered) is None
        elif reason == "UnknownLine":
            is_so = line is None
        elif reason == "NoPlan":
            versions = evidence.versions[line[0]] if line else []
            is_so = any(
                str(line[1]) not in terms["plans"] and not terms["pay_as_you_go"]
                for _, terms in versions
                if line
            )
        else:
            is_so = False
        if not is_so:
            yield Finding("suspense", call["at"], f"{attempt} waits for no reason: {reason}")


def presumed(evidence: Evidence, story: Story) -> Iterator[Finding]:
    """What each call moved in the ledger, net of what was taken back, is what its row says; a call
    without a record is presumed to its last proof of life, or has moved nothing.
    """
    moved: dict[str, Counter[str]] = defaultdict(Counter)
    for month in evidence.months:
        for posting in month["postings"]:
            sign = -1 if posting["reverses"] is not None else 1
            unit = "money" if posting["unit"] != "s" else posting["purpose"]
            if unit != "Entitlement":
                moved[posting["attempt_id"]][unit] += sign * posting["amount"]
    rows = {row["attempt_id"]: row for _, row in evidence.rows()}
    for attempt in sorted(set(moved) | set(rows)):
        net = moved[attempt]
        got = (net["Pool"], net["money"], net["Grace"])
        row, hold = rows.get(attempt), story.holds.get(attempt)
        if row is not None:
            expected = [(row["pool_seconds"], row["charge_micros"], row["grace_seconds"])]
        elif hold is not None and hold.state == "expired" and hold.presumed is not None:
            answered, seen = hold.answered or hold.asked_at, hold.seen or hold.asked_at
            grant = hold.presumed["grant"]
            lasted = min(-(-(seen - answered) // timedelta(seconds=1)), total(grant))
            call = evidence.calls[attempt]
            found = reserved(evidence, call, hold, grant, lasted)
            expected = [(pool, money, grace) for pool, money, grace, _ in found]
        else:
            expected = [(0, 0, 0)]
        if got not in expected:
            yield Finding("ledger", "-", f"{attempt} moved {got}, not {expected}")
