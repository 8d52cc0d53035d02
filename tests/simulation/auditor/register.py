"""What the register says of itself: a rest is a rest, and history explains every state."""

from __future__ import annotations

from collections.abc import Iterator

from evidence import HELD, Entry, Evidence, Finding


def numbers_rest(evidence: Evidence) -> Iterator[Finding]:
    """No number goes to another person before its rest is over, unless it was handed over."""
    resting: dict[str, tuple[str, float]] = {}
    for change in evidence.our_changes(everywhere=True):
        if change["aspect"] != "holder":
            continue
        number, at = change["subject"], change["at"]
        if change["after"] is None:
            resting[number] = (change["before"], at)
            continue
        left = resting.pop(number, None)
        if left is None or left[0] == change["after"]:
            continue
        person, since = left
        if at < since + evidence.rest_seconds(number, since) and not _handed_along(
            evidence, number, (person, change["after"]), (since, at)
        ):
            days = (at - since) / 86_400
            yield Finding(
                "quarantine", at, f"{number} went to another person after a rest of {days:.2f} days"
            )


def _handed_along(
    evidence: Evidence, number: str, people: tuple[str, str], times: tuple[float, float]
) -> bool:
    """Handed over by the giver, or by somebody who was to have it and gave it on before they did.

    Who waits for a licence has a right to the number all the same, and may hand that over.
    """
    (giver, receiver), (since, at) = people, times
    if _handed_over(evidence, number, people, since):
        return True
    return any(
        _handed_over(evidence, number, (giver, between), since)
        and _handed_over(evidence, number, (between, receiver), at)
        for between in evidence.stating(number, since, at) - {giver, receiver}
    )


def _handed_over(evidence: Evidence, number: str, people: tuple[str, str], since: float) -> bool:
    """The receiver stated the number before the giver lost it, and the giver was there to give."""
    giver, receiver = people
    stated = [
        version["at"]
        for version in evidence.declarers(receiver, since, since=0.0)
        if (version["spec"].get("phoneNumber") or {}).get("e164") == number
    ]
    if not stated:
        return False
    givers = evidence.declarers(giver, since, since=min(stated))
    return any(
        not version["deleting"] and not evidence.permits(version, number, since)
        for version in givers
    )


def rests_in_the_register(evidence: Evidence) -> Iterator[Finding]:
    """A row that rests is not claimed for another holder before its date."""
    resting: dict[str, tuple[str, float]] = {}
    for at, move in evidence.moves():
        number = move["number"]
        if move["to"] == "Quarantined":
            until = evidence.seconds(move["quarantinedUntil"])
            resting[number] = (move["holder"], until)
            wanted = evidence.rest_seconds(number, at)
            # A step of a release, whose rest is judged with its keys.
            is_release = move["cause"] == "RestForRelease"
            if until < at + wanted - 1 and not is_release:
                yield Finding("quarantine", at, f"{number} is to rest {until - at:.0f} s only")
            continue
        left = resting.get(number)
        if left is None:
            continue
        if move["to"] == "Free" and at < left[1] - 1:
            yield Finding("quarantine", at, f"{number} was freed {left[1] - at:.0f} s early")
        if move["to"] in HELD:
            is_another = move["holder"] != left[0] and move["cause"] != "Adopt"
            if is_another and at < left[1] - 1:
                yield Finding("quarantine", at, f"{number} was claimed while it rested")
        resting.pop(number)


def one_claim_each(evidence: Evidence) -> Iterator[Finding]:
    """At the end of a day nobody has two numbers, or waits for two: one of each at most, while the
    old one waits to be taken away.
    """
    for snapshot in evidence.snapshots:
        claims: dict[tuple[str, bool], list[str]] = {}
        for row in snapshot["rows"]:
            if row["state"] in HELD:
                key = (row["holder"], row["state"] == "Claimed")
                claims.setdefault(key, []).append(row["number"])
        for (holder, _), numbers in claims.items():
            if len(numbers) > 1:
                yield Finding("one claim", snapshot["at"], f"{holder} has claims to {numbers}")


def history_explains_every_state(evidence: Evidence) -> Iterator[Finding]:
    states: dict[str, str] = {}
    for event in evidence.journal["events"]:
        number, before = event["number"], event["before"]
        at = evidence.seconds(event["when"])
        if before != states.get(number, "Free"):
            yield Finding(
                "history", at, f"{number} left {before} and was {states.get(number, 'Free')}"
            )
        states[number] = event["after"]
    if not evidence.snapshots:
        return
    last: Entry = evidence.snapshots[-1]
    rows = {row["number"]: row["state"] for row in last["rows"]}
    for number in sorted(set(rows) | set(states)):
        told, found = states.get(number, "Free"), rows.get(number, "Free")
        if told != found:
            yield Finding("history", last["at"], f"{number} is {found}, and history says {told}")


CHECKS = (numbers_rest, rests_in_the_register, one_claim_each, history_explains_every_state)
