"""Numbers at carriers: what was bought, paid, given back and set up there, and by whose leave.

The carriers' own books are compared with what the register's history says of each number.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

from evidence import DAY_SECONDS, HELD, Entry, Evidence, Finding
from quiet import Evening, ready
from writes import covered

# What each carrier calls the emergency address of a number; the others have none.
ADDRESS_ATTRIBUTES = {
    "simwood": "999",
    "telnyx": "emergency_address_id",
    "twilio": "emergency_address_sid",
}
# What carriers take money for, besides a number and its months, and which write it is for.
CHARGED_FOR = {"999": "SetEmergencyAddress", "port": "PortNumberIn"}
RETURNED = "Released"


def _history(evidence: Evidence) -> dict[str, Entry]:
    found: dict[str, Entry] = evidence.journal["carrierHistory"]
    return found


def _owner_changes(history: Entry) -> list[Entry]:
    return [change for change in history["changes"] if change["aspect"] == "owner"]


def one_owner_each(evidence: Evidence) -> Iterator[Finding]:
    """At no instant has the company a number from two carriers, or one that it has already."""
    ours: dict[str, str] = {
        number: carrier
        for carrier, shown in evidence.snapshots[0]["carriers"].items()
        for number in shown["owned"]
    }
    changes = [
        (change["at"], carrier, history["account"], change)
        for carrier, history in _history(evidence).items()
        for change in _owner_changes(history)
    ]
    for at, carrier, account, change in sorted(changes, key=lambda entry: entry[0]):
        number = change["subject"]
        if change["after"] == account:
            if number in ours:
                yield Finding("one owner", at, f"{number} is at {carrier} and {ours[number]}")
            ours[number] = carrier
        elif change["before"] == account:
            ours.pop(number, None)


def _activations(evidence: Evidence, cause: str) -> Counter[str]:
    """How often the register's history says that a number came, from the state before."""
    return Counter(
        event["number"]
        for event in evidence.journal["events"]
        if event["cause"] == "Activate" and event["before"] == cause
    )


def _is_on_its_way(evidence: Evidence, number: str) -> bool:
    rows = {row["number"]: row["state"] for row in evidence.snapshots[-1]["rows"]}
    return rows.get(number) in ("Ordering", "PortingIn")


def money_is_what_the_history_says(evidence: Evidence) -> Iterator[Finding]:
    """Each carrier has taken what the purchases and ports in the history cost, and no more."""
    bought, ported = _activations(evidence, "Ordering"), _activations(evidence, "PortingIn")
    last = evidence.snapshots[-1]["at"]
    for carrier, history in _history(evidence).items():
        paid: Counter[str] = Counter()
        for charge in history["charges"]:
            if charge["at"] > 0 and charge["what"] in ("setup", "month"):
                paid[charge["subject"]] += charge["minor"]
        for number in sorted(set(paid) | (set(bought) & set(history["prices"]))):
            price = history["prices"][number]
            both = price["setup"] + price["month"]
            owed = bought[number] * both + ported[number] * price["month"]
            if paid[number] != owed and not _is_on_its_way(evidence, number):
                text = f"{carrier} took {paid[number]} for {number}, and the history says {owed}"
                yield Finding("money", last, text)
        spent = sum(charge["minor"] for charge in history["charges"] if charge["at"] > 0)
        told = _asked_for(evidence, history) + sum(paid.values())
        if spent > told:
            yield Finding("money", last, f"{carrier} took {spent - told} for nothing we asked for")


def _asked_for(evidence: Evidence, history: Entry) -> int:
    """What emergency records and ports may have cost: one charge at most for each intent."""
    left = Counter(
        (intents[0][1]["change"]["op"], intents[0][1]["holder"])
        for intents in evidence.intents.values()
    )
    total = 0
    for charge in history["charges"]:
        asked = (CHARGED_FOR.get(charge["what"], ""), charge["subject"])
        if charge["at"] > 0 and left[asked] > 0:
            left[asked] -= 1
            total += int(charge["minor"])
    return total


def orders_have_their_intent(evidence: Evidence) -> Iterator[Finding]:
    """Nothing is bought that was not written down before, and nothing while it is ours."""
    opened: dict[str, list[float]] = {}
    for intents in evidence.intents.values():
        at, intent = intents[0]
        if intent["change"]["op"] in ("OrderNumber", "PortNumberIn"):
            opened.setdefault(intent["holder"], []).append(at)
    for carrier, history in _history(evidence).items():
        account = history["account"]
        came: dict[str, float] = {}
        for change in _owner_changes(history):
            number, at = change["subject"], change["at"]
            if change["after"] == account:
                came[number] = at
                if not any(moment <= at for moment in opened.get(number, ())):
                    text = f"{number} came from {carrier} without an intent"
                    yield Finding("intent before write", at, text)
            elif change["before"] == account and number in came:
                yield from _ordered_again(opened, number, (came.pop(number), at))
        end = evidence.snapshots[-1]["at"]
        for number, since in came.items():
            yield from _ordered_again(opened, number, (since, end))


def _ordered_again(
    opened: dict[str, list[float]], number: str, times: tuple[float, float]
) -> Iterator[Finding]:
    since, until = times
    for at in opened.get(number, ()):
        if since + 1e-6 < at < until:
            yield Finding("sent once", at, f"{number} was ordered although it is ours")


def nothing_is_given_back_without_both_keys(evidence: Evidence) -> Iterator[Finding]:
    """The wish, the acknowledgement with its day, an approval, a rest, and nobody who has it."""
    for carrier, history in _history(evidence).items():
        for change in _owner_changes(history):
            if change["before"] != history["account"] or change["by"] != history["account"]:
                continue
            number, at = change["subject"], change["at"]
            for what in _keys_missing(evidence, number, at):
                yield Finding("release", at, f"{number} was given back to {carrier} {what}")


def _keys_missing(evidence: Evidence, number: str, at: float) -> Iterator[str]:
    specs = [
        entry["spec"]
        for moment in (at - 120.0, at)
        for entry in evidence.objects_at("PhoneNumber", moment)
        if entry["spec"]["e164"] == number
    ]
    today = (evidence.start + timedelta(seconds=at)).date().isoformat()
    if not any(spec.get("releasePolicy") == "Release" for spec in specs):
        yield "although nobody asked for it"
    dates = [spec.get("releaseAcknowledgement", {}).get("date", "9999") for spec in specs]
    if not any(date <= today for date in dates):
        yield "without an acknowledgement"
    changes = {
        intents[0][1]["changeId"]
        for intents in evidence.intents.values()
        if intents[0][1]["change"]["op"] == "ReleaseNumber" and intents[0][1]["holder"] == number
    }
    approvals = [
        entry
        for entry in evidence.objects_at("ChangeApproval", at)
        if entry["spec"]["decision"] == "Approve" and entry["namespace"] == evidence.platform
    ]
    if not any(changes & covered(evidence, entry["spec"], at) for entry in approvals):
        yield "without an approval"
    holder = evidence.holder_at(number, at)
    if holder is not None:
        yield f"while {holder} had it"
    left = [
        change["at"]
        for change in evidence.changes
        if change["aspect"] == "holder" and change["subject"] == number and change["before"]
    ]
    days = min((spec.get("quarantine", {}).get("days", 90) for spec in specs), default=90)
    if left and max(left, default=0.0) > at - days * DAY_SECONDS:
        yield "before its rest was over"


def no_number_is_lost(evidence: Evidence) -> Iterator[Finding]:
    """What the company had from a carrier it still has, unless it was given back above; what the
    register says is in use is there.
    """
    had: set[tuple[str, str]] = set()
    gone = {
        (carrier, change["subject"])
        for carrier, history in _history(evidence).items()
        for change in _owner_changes(history)
        if change["before"] == history["account"]
    }
    for snapshot in evidence.snapshots:
        now = {
            (carrier, number)
            for carrier, shown in snapshot["carriers"].items()
            for number in shown["owned"]
        }
        for carrier, number in sorted(had - now - gone):
            yield Finding("lost", snapshot["at"], f"{number} is no longer at {carrier}")
        had |= now
        states = {row["number"]: row["state"] for row in snapshot["rows"]}
        owned = {number for _, number in now}
        for carrier, history in _history(evidence).items():
            for number in sorted(set(history["prices"]) & set(states)):
                if states[number] in HELD and number not in owned:
                    text = f"{number} is {states[number]}, and {carrier} does not have it for us"
                    yield Finding("lost", snapshot["at"], text)


def emergency_addresses_stay(evidence: Evidence) -> Iterator[Finding]:
    """Whoever had an emergency address at the carrier has one as long as one is declared; who is
    Ready has it.
    """
    had: set[str] = set()
    for snapshot in evidence.snapshots[1:]:
        evening = Evening(evidence, snapshot)
        has: set[str] = set()
        for declared in evening.of_kind("PhoneNumber"):
            spec, number = declared["spec"], declared["spec"]["e164"]
            carrier = spec.get("carrierRef", {}).get("name", "")
            attribute = ADDRESS_ATTRIBUTES.get(carrier)
            owned = evening.carriers.get(carrier, {"owned": {}})["owned"]
            if attribute is None or number not in owned or "emergencyLocationRef" not in spec:
                continue
            status, reason, _ = ready(declared)
            if owned[number].get(attribute):
                has.add(number)
            elif number in had:
                text = f"{number} at {carrier} has lost its emergency address ({reason})"
                yield Finding("emergency address", evening.at, text)
            elif status == "True" and reason != RETURNED:
                text = f"{number} at {carrier} is Ready without its emergency address"
                yield Finding("emergency address", evening.at, text)
        had = has


def evenings_at_carriers(evidence: Evidence) -> Iterator[Finding]:
    """A number of a carrier is Ready and the account has it, or it says why not, truly."""
    for snapshot in evidence.snapshots[1:]:
        evening = Evening(evidence, snapshot)
        for declared in evening.of_kind("PhoneNumber"):
            for what in _number_wrong(evening, declared):
                name = f"PhoneNumber {declared['name']}"
                yield Finding("quiet", evening.at, f"{name}: {what}")


def _number_wrong(evening: Evening, declared: Entry) -> Iterator[str]:
    status, reason, message = ready(declared)
    number = declared["spec"]["e164"]
    carrier = declared["spec"].get("carrierRef", {}).get("name", "")
    shown = evening.carriers.get(carrier)
    if shown is None:
        # A carrier that cannot be asked gives nothing back.
        if status != "True" and (reason, wants_out(declared)) != ("Unsupported", True):
            yield f"is {status or 'unseen'} {reason} at the end of the day: {message}"
        return
    is_owned = number in shown["owned"]
    if status == "True" and is_owned == (reason == RETURNED):
        yield f"is Ready ({reason}), and the account has it: {is_owned}"
    if status != "True" and reason not in (WITHOUT_IT if not is_owned else WITH_IT):
        had = "has it" if is_owned else "does not have it"
        yield f"is {status or 'unseen'} {reason}, and the account {had}: {message}"


def wants_out(declared: Entry) -> bool:
    """Is the number to be given back?"""
    return bool(declared["spec"].get("releasePolicy") == "Release")


# Why a number may not be Ready in the evening: those that are not ours, and those that are.
WITHOUT_IT = frozenset(
    {
        "NumberSold",
        "NumberNotOwned",
        "OrderRejected",
        "OrderPending",
        "PortPending",
        "PortRejected",
        "NotPortable",
        "AccountLimitReached",
    }
)
WITH_IT = frozenset(
    {
        "ReleaseRefused",
        "ReleaseWaiting",
        "ApprovalRequired",
        "AddressRefused",
        "Unsupported",
    }
)

CHECKS = (
    one_owner_each,
    money_is_what_the_history_says,
    orders_have_their_intent,
    nothing_is_given_back_without_both_keys,
    no_number_is_lost,
    emergency_addresses_stay,
    evenings_at_carriers,
)
