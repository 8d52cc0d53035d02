"""What was sent to the provider and what it did there: was each write allowed, and only once?"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from evidence import DAY_SECONDS, HELD, Entry, Evidence, Finding, is_stopped

# Between looking and sending, a pass may wait for an answer of the provider.
GRACE_SECONDS = 45.0
UNKNOWN_OUTCOME_SECONDS = 30.0
ORDER_DEADLINE_SECONDS = 600.0
LAG_SECONDS = 15.0

NUMBER_WRITES = ("assignNumber", "unassignNumber", "updateNumber")
GATED_POLICIES = frozenset(
    {
        "OnlineDialOutPolicy",
        "OnlineVoiceRoutingPolicy",
        "TeamsCallingPolicy",
        "TeamsEmergencyCallRoutingPolicy",
        "TeamsEmergencyCallingPolicy",
        "TeamsSharedCallingRoutingPolicy",
        "TenantDialPlan",
    }
)


def subject(evidence: Evidence, write: Entry) -> str | None:
    """The person a write is about."""
    body = write["body"]
    if write["path"] == "assignNumber":
        return str(body["assignmentTargetId"])
    if write["path"] in NUMBER_WRITES:
        return evidence.holder_at(body["telephoneNumber"], write["at"])
    return str(body["value"][0]["userId"])


def effect_of(evidence: Evidence, write: Entry) -> tuple[str, ...]:
    """What a write brings about: aspect, subject and value as the provider's change log has them,
    with an empty value for nothing.
    """
    body = write["body"]
    if write["path"] == "assignNumber":
        return ("holder", body["telephoneNumber"], body["assignmentTargetId"])
    if write["path"] == "unassignNumber":
        return ("holder", body["telephoneNumber"], "")
    if write["path"] == "updateNumber":
        return ("location", body["telephoneNumber"], body.get("locationId", ""))
    element = body["value"][0]
    name = evidence.policies[element["policyId"]] if write["path"] == "assign" else ""
    return (f"policy:{element['policyType']}", element["userId"], name)


def was_refused(write: Entry) -> bool:
    """The provider said no, or that nothing was done."""
    return bool(400 <= write["status"] < 500 or write["status"] in (503,))


def write_of(evidence: Evidence, change: Entry) -> Entry | None:
    """The write of ours that brought a change about: the last one of its kind before it."""
    aspect, subject_of_change = change["aspect"], change["subject"]
    found = None
    for write in evidence.writes:
        if write["at"] > change["at"] + 1e-6:
            break
        kind, name, value = effect_of(evidence, write)
        if (kind, name) != (aspect, subject_of_change) or was_refused(write):
            continue
        if value == (change["after"] or ""):
            found = write
    return found


def every_write_has_an_intent(evidence: Evidence) -> Iterator[Finding]:
    for write in evidence.writes:
        intent = evidence.intent_of(write)
        if intent is None or intent["state"] != "open":
            state = "no intent" if intent is None else f"an intent that is {intent['state']}"
            yield Finding("intent before write", write["at"], f"{write['path']} had {state}")


def only_the_leader_writes(evidence: Evidence) -> Iterator[Finding]:
    """A process that starts has the Lease: whoever was there before must not write any more."""
    started = [entry for entry in evidence.journal["processes"] if entry["event"] == "starts"]
    for write in evidence.writes:
        leader = [entry["process"] for entry in started if entry["at"] <= write["at"]][-1]
        if leader != write["process"]:
            yield Finding(
                "fence",
                write["at"],
                f"{write['process']} sent {write['path']} although {leader} had taken over",
            )


def nothing_while_stopped(evidence: Evidence) -> Iterator[Finding]:
    """Suspended, observed, or frozen: for the whole of the grace before the write."""
    for write in evidence.writes:
        at = write["at"]
        moments = [at - GRACE_SECONDS, at]
        reasons = [_stop(evidence, write, moment) for moment in moments]
        if all(reasons):
            yield Finding("stopped", at, f"{write['path']} was sent although {reasons[-1]}")


def _stop(evidence: Evidence, write: Entry, at: float) -> str:
    if is_stopped(evidence.tenant_at(at)):
        return "the tenant was suspended or only observed"
    person = subject(evidence, write)
    declaring = evidence.declarers(person, at) if person is not None else []
    if declaring and all(is_stopped(version) for version in declaring):
        return f"{person} was suspended or only observed"
    for incident in evidence.objects_at("ProviderIncident", at):
        spec = incident["spec"]
        if incident["namespace"] != evidence.platform or spec.get("resolvedAt"):
            continue
        if spec["freeze"] == "All":
            return "an incident had frozen all writes"
        if spec["freeze"] == "Destructive" and _takes_away(evidence, write):
            return "an incident had frozen destructive writes"
    return ""


def _takes_away(evidence: Evidence, write: Entry) -> bool:
    return write["path"] == "unassignNumber"


def taking_away_has_a_cause(evidence: Evidence) -> Iterator[Finding]:
    """A number is taken from a person only when their object goes, or no longer wants it."""
    for change in evidence.our_changes():
        if change["aspect"] != "holder" or change["before"] is None:
            continue
        write = write_of(evidence, change)
        number = change["subject"]
        if write is None:
            yield Finding("declared cause", change["at"], f"{number} was freed by no write of ours")
            continue
        person = evidence.holder_at(number, write["at"])
        if person is None:
            # Somebody else had freed it already, and gave it away while our order waited.
            continue
        yield from _unjustified(evidence, write, number, person)


def _unjustified(evidence: Evidence, write: Entry, number: str, person: str) -> Iterator[Finding]:
    at = write["at"]
    declaring = evidence.declarers(person, at, since=at - 2 * GRACE_SECONDS)
    causes = [
        version
        for version in declaring
        if (version["deleting"] and version["spec"].get("onDelete") != "Detach")
        or not evidence.permits(version, number, at)
    ]
    if not causes:
        yield Finding(
            "declared cause", at, f"{number} was taken from {person}, whom nothing told to give up"
        )
    keeping = [
        version
        for version in evidence.declarers(person, at)
        if not version["deleting"]
        and version["at"] < at - 2 * GRACE_SECONDS
        and evidence.named_by(version, at) == person
        and evidence.permits(version, number, at)
    ]
    if keeping and all(version["deleting"] for version in causes):
        name = f"{keeping[0]['namespace']}/{keeping[0]['name']}"
        yield Finding(
            "declared cause", at, f"{number} was taken from {person}, whom {name} still declares"
        )


def strangers_are_left_alone(evidence: Evidence) -> Iterator[Finding]:
    """A write is about a declared person, and about a number that is theirs in the register."""
    for write in evidence.writes:
        at, person = write["at"], subject(evidence, write)
        if person is None:
            continue
        if not evidence.declarers(person, at, since=at - 2 * GRACE_SECONDS):
            yield Finding("foreign", at, f"{write['path']} was sent for {person}, a stranger")
        elif write["path"] in ("unassignNumber", "updateNumber"):
            number = write["body"]["telephoneNumber"]
            row = evidence.row_at(number, at)
            if row is None or row["to"] not in HELD or row["holder"] != person:
                yield Finding(
                    "foreign", at, f"{write['path']} of {number}, which {person} had without us"
                )


def gated_changes_stay_within_the_limit(evidence: Evidence) -> Iterator[Finding]:
    """In no window do more changes take something away, unapproved, than the limit allows."""
    limit = evidence.journal["limits"]["maxCount"]
    window = evidence.journal["limits"]["windowSeconds"]
    unapproved: list[float] = []
    used: set[tuple[str, str]] = set()
    for change in evidence.our_changes():
        if not is_gated(change):
            continue
        write = write_of(evidence, change)
        intent = evidence.intent_of(write) if write is not None else None
        if write is None or intent is None:
            continue
        approval = _approval_of(evidence, intent["changeId"], write["at"], used)
        if approval is not None:
            used.add((approval, intent["changeId"]))
            continue
        unapproved = [at for at in unapproved if at > write["at"] - window]
        unapproved.append(write["at"])
        if len(unapproved) > limit:
            yield Finding(
                "gate",
                write["at"],
                f"{len(unapproved)} changes took something away unapproved within the window, "
                f"and {limit} may; the last was {change['aspect']} of {change['subject']}",
            )


def is_gated(change: Entry) -> bool:
    if change["before"] is None:
        return False
    kind, _, policy = change["aspect"].partition(":")
    return kind in ("holder", "location") or policy in GATED_POLICIES


def _approval_of(
    evidence: Evidence, change_id: str, at: float, used: set[tuple[str, str]]
) -> str | None:
    """An approval that covers the change then and has not been used for it."""
    for approval in evidence.objects_at("ChangeApproval", at):
        spec = approval["spec"]
        if approval["namespace"] != evidence.platform or spec["decision"] != "Approve":
            continue
        if not at < evidence.seconds(spec["expiresAt"]) < approval["at"] + 7.1 * DAY_SECONDS:
            continue
        if (approval["uid"], change_id) in used:
            continue
        if change_id in covered(evidence, spec, at):
            return str(approval["uid"])
    return None


def covered(evidence: Evidence, spec: Entry, at: float) -> set[str]:
    """The change ids that an approval is about; a digest must really be that of its changes."""
    if "changeIds" in spec:
        return set(spec["changeIds"])
    for plan in evidence.objects_at("ChangePlan", at):
        ids = {change["id"] for change in plan["spec"]["changes"]}
        digest = hashlib.sha256("\n".join(sorted(ids)).encode()).hexdigest()
        if spec["digest"] == plan["spec"]["digest"] == f"cp1:{digest}":
            return ids
    return set()


def approvals_count_once(evidence: Evidence) -> Iterator[Finding]:
    """For each approval, each of its changes ran once; a write that did nothing does not count."""
    runs: dict[tuple[str, str], int] = {}
    for commit in evidence.commits:
        for row in commit["gateRows"]:
            if not row["approval"]:
                continue
            key = (row["approval"], row["changeId"])
            opened = [i for i in commit["intents"] if i["changeId"] == row["changeId"]]
            if row["status"] == "consumed" and any(i["state"] == "open" for i in opened):
                runs[key] = runs.get(key, 0) + 1
                if runs[key] > 1:
                    yield Finding(
                        "approval once", commit["at"], f"{key[1][:12]} ran {runs[key]} times"
                    )
            elif row["status"] == "approved" and any(i["state"] == "abandoned" for i in opened):
                runs[key] = runs.get(key, 0) - 1


def no_order_is_sent_twice(evidence: Evidence) -> Iterator[Finding]:
    """Two sends of one effect need something in between that made the second one necessary."""
    last: dict[tuple[str, ...], Entry] = {}
    for write in evidence.writes:
        effect = effect_of(evidence, write)
        before = last.get(effect)
        last[effect] = write
        if before is None or was_refused(before):
            continue
        if _was_needed_again(evidence, before, write):
            continue
        yield Finding(
            "sent once",
            write["at"],
            f"{write['path']} {effect[1]} was sent again after {write['at'] - before['at']:.1f} s "
            f"(the first answer was {before['status'] or 'lost'})",
        )


def _was_needed_again(evidence: Evidence, before: Entry, write: Entry) -> bool:
    aspect, name, value = effect_of(evidence, write)
    between = [
        change
        for change in evidence.changes
        if change["aspect"] == aspect
        and change["subject"] == name
        and before["at"] <= change["at"] < write["at"]
    ]
    brought = [c for c in between if c["by"] == evidence.ours and (c["after"] or "") == value]
    undone = [c for c in between if (c["after"] or "") != value]
    if undone and (not brought or undone[-1]["at"] >= brought[0]["at"]):
        return True
    waited = write["at"] - before["at"]
    if brought:
        # It had been done: only a reader that lagged may be forgiven.
        return bool(write["at"] - brought[0]["at"] <= LAG_SECONDS)
    if before["status"] == 0:
        return bool(waited >= UNKNOWN_OUTCOME_SECONDS)
    # Accepted, and then the order failed; while it was open nobody may ask again.
    return waited >= ORDER_DEADLINE_SECONDS or not _takes_effect_later(evidence, before, write)


def _takes_effect_later(evidence: Evidence, before: Entry, write: Entry) -> bool:
    """Did the first order turn out well although the second was sent?"""
    aspect, name, value = effect_of(evidence, before)
    later = [
        change
        for change in evidence.changes
        if change["aspect"] == aspect
        and change["subject"] == name
        and change["by"] == evidence.ours
        and change["at"] >= write["at"]
        and (change["after"] or "") == value
    ]
    # An order of the second send takes its own time; what comes at once was the first one's.
    return bool(later) and later[0]["at"] - write["at"] < 1.0


def one_number_each(evidence: Evidence) -> Iterator[Finding]:
    """Nobody gets a second number, and no number a second holder, by a write of ours."""
    holders = {n: row["holder"] for n, row in evidence.snapshots[0]["numbers"].items()}
    for change in evidence.changes:
        if change["aspect"] != "holder":
            continue
        number, after = change["subject"], change["after"]
        if change["by"] == evidence.ours and after is not None:
            others = [n for n, holder in holders.items() if holder == after and n != number]
            if others:
                yield Finding("one number", change["at"], f"{after} got {number} beside {others}")
            if holders.get(number) not in (None, after):
                yield Finding(
                    "one holder", change["at"], f"{number} went to {after} from {holders[number]}"
                )
        holders[number] = after


CHECKS = (
    every_write_has_an_intent,
    only_the_leader_writes,
    nothing_while_stopped,
    taking_away_has_a_cause,
    strangers_are_left_alone,
    gated_changes_stay_within_the_limit,
    approvals_count_once,
    no_order_is_sent_twice,
    one_number_each,
)
