"""The end of a day, when nothing is broken and nobody works: is everything as it was declared?

A declared person is either Ready, and then Teams agrees; or not, and then the reason is named and
it is true.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from evidence import HELD, Entry, Evidence, Finding, contains, is_stopped


class Evening:
    """One snapshot, ready to be asked."""

    def __init__(self, evidence: Evidence, snapshot: Entry) -> None:
        self.evidence = evidence
        self.at: float = snapshot["at"]
        self.numbers: dict[str, Entry] = dict(snapshot["numbers"])
        for number, holder in snapshot["webexNumbers"].items():
            known = self.numbers.get(number, {"holder": None, "location": None})
            if holder is not None:
                self.numbers[number] = {**known, "holder": holder}
        self.carriers: dict[str, Entry] = snapshot["carriers"]
        self.webex_people = {name.lower(): key for name, key in snapshot["webexPeople"].items()}
        self.people: dict[str, Entry] = snapshot["people"]
        self.names = {name.lower(): user for user, name in snapshot["users"].items()}
        self.rows = {row["number"]: row for row in snapshot["rows"]}
        self.objects: list[Entry] = snapshot["objects"]

    def of_kind(self, kind: str) -> list[Entry]:
        return [found for found in self.objects if found["kind"] == kind]

    def named(self, kind: str, reference: Entry, namespace: str) -> Entry | None:
        wanted = (reference.get("namespace", namespace), reference["name"])
        for found in self.of_kind(kind):
            if (found["namespace"], found["name"]) == wanted:
                return found
        return None

    def person(self, declared: Entry) -> str | None:
        if declared["kind"] == "WebexUser":
            return self.webex_people.get(declared["spec"]["email"].lower())
        return self.names.get(declared["spec"]["userPrincipalName"].lower())

    def number_of(self, user: str | None) -> str | None:
        held = [n for n, row in self.numbers.items() if row["holder"] == user and user]
        return held[0] if held else None

    def range_of(self, declared: Entry) -> Entry | None:
        reference = (declared["spec"].get("phoneNumber") or {}).get("rangeRef")
        if reference is None:
            return None
        return self.named("NumberRange", reference, declared["namespace"])

    def ranges_with(self, number: str | None) -> list[Entry]:
        ranges = [*self.of_kind("PhoneNumber"), *self.of_kind("NumberRange")]
        return [each for each in ranges if number and contains(each["spec"], number)]


def ready(found: Entry) -> tuple[str, str, str]:
    """Status, reason and message of Ready."""
    for condition in found["status"].get("conditions", ()):
        if condition["type"] == "Ready":
            return condition["status"], condition["reason"], condition["message"]
    return "", "", ""


def every_evening(evidence: Evidence) -> Iterator[Finding]:
    for snapshot in evidence.snapshots[1:]:
        evening = Evening(evidence, snapshot)
        for rule, what in _wrong(evening):
            yield Finding(rule, evening.at, what)


def _wrong(evening: Evening) -> Iterator[tuple[str, str]]:
    tenants = evening.of_kind("TeamsTenant")
    stopped = any(is_stopped(tenant) for tenant in tenants)
    connections = [*tenants, *evening.of_kind("WebexOrganization"), *evening.of_kind("Carrier")]
    for found in [*connections, *evening.of_kind("NumberRange")]:
        if ready(found)[0] != "True":
            yield "quiet", f"{found['kind']} {found['name']} is not Ready: {ready(found)}"
    for declared in [*evening.of_kind("TeamsUser"), *evening.of_kind("WebexUser")]:
        in_teams = declared["kind"] == "TeamsUser"
        if (stopped and in_teams) or is_stopped(declared):
            continue
        name = f"{declared['kind']} {declared['namespace']}/{declared['name']}"
        for what in _person_wrong(evening, declared):
            yield "quiet", f"{name}: {what}"
    yield from _rows_wrong(evening)


def _person_wrong(evening: Evening, declared: Entry) -> Iterator[str]:
    status, reason, message = ready(declared)
    if status == "True" and not declared["deleting"]:
        yield from _disagreements(evening, declared)
        return
    check = REASONS.get(reason)
    if check is None:
        yield f"is {status or 'unseen'} {reason} at the end of the day: {message}"
    elif not check(evening, declared):
        yield f"says {reason}, which is not so: {message}"


def _disagreements(evening: Evening, declared: Entry) -> Iterator[str]:
    """Ready, and still not as declared."""
    user = evening.person(declared)
    if user is None:
        yield "is Ready although there is no such account"
        return
    number = evening.number_of(user)
    wanted = declared["spec"].get("phoneNumber")
    shown = (declared["status"].get("phoneNumber") or {}).get("e164")
    if shown != number:
        yield f"shows {shown} and has {number}"
    if wanted is not None:
        yield from _number_disagreements(evening, declared, wanted, number)
    if declared["kind"] == "WebexUser":
        return
    policies = evening.people[user]["policies"]
    defaults = {p["type"]: p["name"] for p in _tenant_defaults(evening)}
    stated = {p["type"]: p.get("name", "") for p in declared["spec"].get("policies", ())}
    for kind, name in {**defaults, **stated}.items():
        has = policies.get(kind, {"name": "", "direct": False})
        if name and has["name"].lower() != name.lower():
            yield f"has {kind} {has['name']!r} instead of {name!r}"
        if not name and has["direct"]:
            yield f"has {kind} {has['name']!r} instead of the default"


def _tenant_defaults(evening: Evening) -> list[Entry]:
    found: list[Entry] = []
    for tenant in evening.of_kind("TeamsTenant"):
        found += tenant["spec"].get("defaultPolicies", ())
    return found


def _number_disagreements(
    evening: Evening, declared: Entry, wanted: Entry, number: str | None
) -> Iterator[str]:
    if "none" in wanted:
        if number is not None:
            yield f"has {number} and wants none"
        return
    if "e164" in wanted and number != wanted["e164"]:
        yield f"has {number} instead of {wanted['e164']}"
    drawn_from = evening.range_of(declared)
    if drawn_from is not None and (number is None or not contains(drawn_from["spec"], number)):
        yield f"has {number}, which is not of {drawn_from['name']}"
    row = evening.rows.get(number or "")
    if row is None or row["state"] != "Assigned" or row["holder"] != evening.person(declared):
        yield f"has {number}, and the register says {row and (row['state'], row['holder'])}"
    elif (row["declaredBy"] or {}).get("uid") != declared["uid"]:
        yield f"has {number}, which the register gives to {row['declaredBy']}"
    in_teams = declared["kind"] == "TeamsUser"
    location = _location(evening, declared, number) if in_teams else None
    if number is not None and location and evening.numbers[number]["location"] != location:
        yield f"has location {evening.numbers[number]['location']} instead of {location}"


def _location(evening: Evening, declared: Entry, number: str | None) -> str | None:
    reference, namespace = declared["spec"].get("emergencyLocationRef"), declared["namespace"]
    if reference is None:
        for each in evening.ranges_with(number):
            reference, namespace = each["spec"].get("emergencyLocationRef"), each["namespace"]
    if reference is None:
        return None
    found = evening.named("EmergencyLocation", reference, namespace)
    return found["spec"].get("teamsLocationId") if found else None


def _rows_wrong(evening: Evening) -> Iterator[tuple[str, str]]:
    """Register and provider agree, apart from what somebody did in the portal."""
    living = {found["uid"] for found in evening.objects}
    touched = {c["subject"] for c in evening.evidence.changes if c["by"] == "portal"}
    for number, row in evening.rows.items():
        owner = row["declaredBy"]
        if row["state"] in HELD and owner is not None and owner["uid"] not in living:
            yield "left behind", f"{number} is {row['state']} for {owner}, which is gone"
        has = evening.numbers.get(number, {"holder": None})["holder"]
        if number in touched:
            continue
        if row["state"] == "Assigned" and has != row["holder"]:
            yield "register agrees", f"{number} is Assigned to {row['holder']}, and {has} has it"
        if row["state"] == "Quarantined" and has is not None:
            yield "register agrees", f"{number} rests, and {has} has it"
    for number, known in evening.numbers.items():
        if known["holder"] is None or number in evening.rows or number in touched:
            continue
        ours = [c for c in evening.evidence.our_changes() if c["subject"] == number]
        if ours:
            yield "register agrees", f"{known['holder']} has {number} by us, and there is no row"


NOT_OURS = ("Ordering", "PortingIn", "ReleasePending", "Released")

# Reasons for not being Ready, and how to see that they are true.


def _is_held(evening: Evening, declared: Entry) -> bool:
    message = ready(declared)[2]
    plans = evening.of_kind("ChangePlan")
    held = [plan for plan in plans if plan["status"].get("state") == "Held"]
    return any(plan["spec"]["digest"] in message for plan in held)


def _has_no_account(evening: Evening, declared: Entry) -> bool:
    return evening.person(declared) is None


def _is_not_licensed(evening: Evening, declared: Entry) -> bool:
    user = evening.person(declared)
    return user is not None and not evening.people.get(user, {"ready": False})["ready"]


def _is_taken(evening: Evening, declared: Entry) -> bool:
    """Another person has a right to the number in the register, or it is not the company's."""
    number = (declared["spec"].get("phoneNumber") or {}).get("e164", "")
    row = evening.rows.get(number)
    if row is None:
        return False
    if row["state"] in NOT_OURS:
        return True
    return row["state"] in HELD and row["holder"] != evening.person(declared)


def _rests(evening: Evening, declared: Entry) -> bool:
    number = (declared["spec"].get("phoneNumber") or {}).get("e164", "")
    row = evening.rows.get(number)
    if row is None or row["state"] != "Quarantined" or row["holder"] == evening.person(declared):
        return False
    return evening.evidence.seconds(row["quarantinedUntil"]) > evening.at


def _is_foreign(evening: Evening, declared: Entry) -> bool:
    """Either the person has a number without us, or a stranger has the wanted one."""
    user = evening.person(declared)
    has = evening.number_of(user)
    row = evening.rows.get(has or "")
    if has is not None and (row is None or row["holder"] != user):
        return True
    wanted = [(declared["spec"].get("phoneNumber") or {}).get("e164", "")]
    wanted += [n for n, row in evening.rows.items() if row["holder"] == user]
    holders = {evening.numbers.get(number, {"holder": None})["holder"] for number in wanted}
    return not holders <= {None, user}


def _is_in_no_range(evening: Evening, declared: Entry) -> bool:
    """Nothing has the wanted number in it, or its carrier does not have it for us."""
    wanted = (declared["spec"].get("phoneNumber") or {}).get("e164")
    if wanted is None:
        return False
    stated = [n for n in evening.of_kind("PhoneNumber") if n["spec"]["e164"] == wanted]
    owned = {number for shown in evening.carriers.values() for number in shown["owned"]}
    return not evening.ranges_with(wanted) or (bool(stated) and wanted not in owned)


def _is_exhausted(evening: Evening, declared: Entry) -> bool:
    drawn_from = evening.range_of(declared)
    if drawn_from is None:
        return False
    numbers = [n for n in evening.numbers if contains(drawn_from["spec"], n)]
    return all(n in evening.rows or evening.numbers[n]["holder"] for n in numbers)


def _is_in_transfer(evening: Evening, declared: Entry) -> bool:
    user = evening.person(declared)
    waiting = (row for row in evening.rows.values() if row["state"] == "Transferring")
    return any(row["transferTo"] == user for row in waiting)


def _is_frozen(evening: Evening, declared: Entry) -> bool:
    incidents = evening.of_kind("ProviderIncident")
    open_ones = [each for each in incidents if not each["spec"].get("resolvedAt")]
    return any(each["spec"]["freeze"] != "None" for each in open_ones)


def _was_contested(evening: Evening, declared: Entry) -> bool:
    """Three repairs within a day, undone by somebody else each time."""
    user = evening.person(declared)
    day = evening.at - 86_400 - 3600
    undone = [
        change
        for change in evening.evidence.changes
        if change["by"] == "portal"
        and change["at"] > day
        and user in (change["subject"], change["before"])
    ]
    return len(undone) >= 3


def _is_declared_twice(evening: Evening, declared: Entry) -> bool:
    others = [o for o in evening.of_kind(declared["kind"]) if o["uid"] != declared["uid"]]
    return any(evening.person(other) == evening.person(declared) for other in others)


def _is_somebody_else(evening: Evening, declared: Entry) -> bool:
    rows = [row for row in evening.rows.values() if row["state"] in HELD]
    pinned = [row for row in rows if (row["declaredBy"] or {}).get("uid") == declared["uid"]]
    return not pinned or any(row["holder"] != evening.person(declared) for row in pinned)


def _is_refused(evening: Evening, declared: Entry) -> bool:
    """The portal gave the number away, or gave the person another one."""
    user = evening.person(declared)
    rows = [row for row in evening.rows.values() if row["holder"] == user and row["state"] in HELD]
    for row in rows:
        if evening.numbers.get(row["number"], {"holder": None})["holder"] not in (None, user):
            return True
    has = evening.number_of(user)
    return has is not None and all(row["number"] != has for row in rows)


Check = Callable[[Evening, Entry], bool]

REASONS: dict[str, Check] = {
    "ApprovalRequired": _is_held,
    "UserNotFound": _has_no_account,
    "UserDeleted": _has_no_account,
    "UserNotLicensed": _is_not_licensed,
    "UserNotEligible": _is_not_licensed,
    "LicencePending": _is_not_licensed,
    "NumberTaken": _is_taken,
    "NumberQuarantined": _rests,
    "Foreign": _is_foreign,
    "DependencyNotReady": _is_in_no_range,
    "RangeExhausted": _is_exhausted,
    "NumberInTransfer": _is_in_transfer,
    "FrozenByIncident": _is_frozen,
    "Contested": _was_contested,
    "DeclaredTwice": _is_declared_twice,
    "IdentityChanged": _is_somebody_else,
    "Conflict": _is_refused,
    "ProviderRefused": _is_refused,
}

CHECKS = (every_evening,)
