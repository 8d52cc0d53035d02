"""A journal as something that can be asked: who held what, who declared whom, at any moment.

Standard library only. Times are seconds since the start of the simulation; a *version* of an object
is an entry of the journal's `objects`.
"""

from __future__ import annotations

import bisect
import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

Entry = dict[str, Any]

HELD = ("Claimed", "Assigned", "Transferring")
DAY_SECONDS = 86_400.0


@dataclass(frozen=True)
class Finding:
    """Something that must not be. `rule` is the invariant, `at` when it happened."""

    rule: str
    at: float
    what: str

    def __str__(self) -> str:
        return f"[{self.rule}] {clock(self.at)}: {self.what}"


def clock(at: float) -> str:
    """Day and time of day, for people."""
    day, seconds = divmod(at, DAY_SECONDS)
    hours, seconds = divmod(seconds, 3600)
    minutes, seconds = divmod(seconds, 60)
    return f"day {int(day) + 1} {int(hours):02}:{int(minutes):02}:{seconds:06.3f}"


class Evidence:
    """One journal with its indexes."""

    def __init__(self, journal: Entry) -> None:
        self.journal = journal
        self.ours: str = journal["ours"]
        self.platform: str = journal["platform"]
        self.start = datetime.fromisoformat(journal["start"])
        self.writes: list[Entry] = sorted(journal["writes"], key=lambda write: write["at"])
        # What changed at Microsoft and at Webex as one story: a number has one holder in both.
        self.changes: list[Entry] = sorted(
            [*journal["changes"], *_in_webex(journal)], key=lambda change: change["at"]
        )
        self.commits: list[Entry] = journal["commits"]
        self.snapshots: list[Entry] = journal["snapshots"]
        self.policies: dict[str, str] = journal["policies"]
        """Names of policies by the ids that stand for them in writes."""
        self._versions: dict[str, list[Entry]] = {}
        for entry in journal["objects"]:
            self._versions.setdefault(entry["uid"], []).append(entry)
        self._holders: dict[str, list[tuple[float, str | None]]] = {}
        self._index_holders()
        self._names: dict[str, list[tuple[float, str | None]]] = {}
        for entry in journal["directory"]:
            known = entry["id"] if entry["event"] == "added" else None
            self._names.setdefault(entry["name"].lower(), []).append((entry["at"], known))
        self._pins: dict[str, list[tuple[float, str]]] = {}
        self._rows: dict[str, list[tuple[float, Entry]]] = {}
        self.intents: dict[str, list[tuple[float, Entry]]] = {}
        self._index_commits()

    @classmethod
    def read(cls, path: Path) -> Evidence:
        return cls(json.loads(path.read_text()))

    def seconds(self, moment: str) -> float:
        """A wall time of the journal as seconds."""
        return (datetime.fromisoformat(moment) - self.start).total_seconds()

    def _index_holders(self) -> None:
        for number, row in self.snapshots[0]["numbers"].items():
            self._holders[number] = [(float("-inf"), row["holder"])]
        for change in self.changes:
            if change["aspect"] == "holder":
                known = self._holders.setdefault(change["subject"], [(float("-inf"), None)])
                known.append((change["at"], change["after"]))

    def _index_commits(self) -> None:
        for commit in self.commits:
            for row in commit["holders"]:
                if row["declaredBy"] is not None:
                    pins = self._pins.setdefault(row["declaredBy"]["uid"], [])
                    pins.append((commit["at"], row["holder"]))
            for move in commit["moves"]:
                self._rows.setdefault(move["number"], []).append((commit["at"], move))
            for intent in commit["intents"]:
                self.intents.setdefault(intent["requestId"], []).append((commit["at"], intent))

    # The provider's world.

    def holder_at(self, number: str, at: float) -> str | None:
        """Who really had the number just before that moment."""
        return _before(self._holders.get(number, []), at)

    def our_changes(self, *, everywhere: bool = False) -> list[Entry]:
        """Changes by us at Microsoft, or `everywhere`."""
        return [
            change
            for change in self.changes
            if change["by"] == self.ours and (everywhere or change.get("platform") is None)
        ]

    def numbers_of(self, user: str, at: float) -> set[str]:
        return {number for number in self._holders if self.holder_at(number, at) == user}

    # The register.

    def row_at(self, number: str, at: float) -> Entry | None:
        """The last move of a number before that moment; None when it was free."""
        move = _before(self._rows.get(number, []), at)
        return None if move is None or move["to"] == "Free" else move

    def moves(self) -> list[tuple[float, Entry]]:
        return [(commit["at"], move) for commit in self.commits for move in commit["moves"]]

    def intent_of(self, write: Entry) -> Entry | None:
        """The intent as it was first committed, when that was before the write left."""
        committed = self.intents.get(write["requestId"], [])
        return committed[0][1] if committed and committed[0][0] <= write["at"] else None

    # Objects.

    def versions(self, kind: str) -> list[list[Entry]]:
        """All versions of each object of a kind."""
        return [found for found in self._versions.values() if found[0]["kind"] == kind]

    def people(self) -> list[list[Entry]]:
        """All versions of each object that declares somebody."""
        return [*self.versions("TeamsUser"), *self.versions("WebexUser")]

    def version_at(self, uid: str, at: float) -> Entry | None:
        """An object as it was at that moment; None when it was not there.

        What is applied and what follows from it may happen at one moment, so the moment counts.
        """
        known = [(entry["at"], entry) for entry in self._versions.get(uid, ())]
        entry = _before(known, at + 1e-9)
        return None if entry is None or entry["event"] == "DELETED" else entry

    def objects_at(self, kind: str, at: float) -> list[Entry]:
        found = (self.version_at(each[0]["uid"], at) for each in self.versions(kind))
        return [entry for entry in found if entry is not None]

    def named(self, kind: str, namespace: str, name: str, at: float) -> Entry | None:
        for entry in self.objects_at(kind, at):
            if (entry["namespace"], entry["name"]) == (namespace, name):
                return entry
        return None

    def user_called(self, name: str, at: float) -> str | None:
        """The account of that user principal name at that moment."""
        return _before(self._names.get(name.lower(), []), at + 1e-9)

    def named_by(self, version: Entry, at: float) -> str | None:
        """The account that an object names, in the system that it is about."""
        spec = version["spec"]
        if version["kind"] == "WebexUser":
            return self.user_called(f"webex/{spec['email']}", at)
        return self.user_called(spec.get("userPrincipalName", ""), at)

    def person_of(self, version: Entry, at: float) -> set[str]:
        """Whom an object may mean: by name, and by what the register has pinned it to."""
        found = {version["spec"].get("userId"), self.named_by(version, at)}
        found.add(_before(self._pins.get(version["uid"], []), at + 1e-9))
        return {person for person in found if person is not None}

    def declarers(self, user: str, at: float, *, since: float | None = None) -> list[Entry]:
        """Versions of objects that meant this person at any time from `since` to `at`."""
        since = at if since is None else since
        found = []
        for versions in self.people():
            for moment in (since, *(v["at"] for v in versions if since < v["at"] < at), at):
                version = self.version_at(versions[0]["uid"], moment)
                if version is None or version in found:
                    continue
                # Names may change after the object: both ends of the time count.
                if user in self.person_of(version, moment) | self.person_of(version, at):
                    found.append(version)
        return found

    def stating(self, number: str, since: float, at: float) -> set[str]:
        """People who were to have exactly this number at any time from `since` to `at`."""
        return {
            person
            for versions in self.people()
            for version in versions
            if version["at"] <= at
            and (version["spec"].get("phoneNumber") or {}).get("e164") == number
            for person in self.person_of(version, max(version["at"], since))
        }

    def tenant_at(self, at: float) -> Entry | None:
        tenants = self.objects_at("TeamsTenant", at)
        return tenants[0] if tenants else None

    def permits(self, version: Entry, number: str, at: float) -> bool:
        """Does this declaration let its person keep the number? Not managed: yes."""
        wanted = version["spec"].get("phoneNumber")
        if wanted is None:
            return True
        if "none" in wanted:
            return False
        if "e164" in wanted:
            return bool(wanted["e164"] == number)
        reference = wanted["rangeRef"]
        namespace = reference.get("namespace", version["namespace"])
        found = self.named("NumberRange", namespace, reference["name"], at)
        return found is None or contains(found["spec"], number)

    def rest_seconds(self, number: str, at: float) -> float:
        for entry in [*self.objects_at("PhoneNumber", at), *self.objects_at("NumberRange", at)]:
            if contains(entry["spec"], number):
                days = entry["spec"].get("quarantine", {}).get("days")
                return float(days or self.journal["defaults"]["quarantineDays"]) * DAY_SECONDS
        return float(self.journal["defaults"]["quarantineDays"]) * DAY_SECONDS


def _in_webex(journal: Entry) -> list[Entry]:
    """Changes of holders in Webex, told as those at Microsoft are."""
    return [
        {**change, "by": journal["ours"] if change["ours"] else "portal", "platform": "webex"}
        for change in journal["webexChanges"]
        if change["aspect"] == "holder"
    ]


def contains(range_spec: Entry, number: str) -> bool:
    """Does a range, or a number that is stated by itself, hold this number?"""
    if "e164" in range_spec:
        return bool(range_spec["e164"] == number)
    first, last = range_spec["first"], range_spec["last"]
    return len(first) == len(number) and first <= number <= last


def is_stopped(version: Entry | None) -> bool:
    """Suspended, or only observed."""
    if version is None:
        return False
    spec = version["spec"]
    return bool(spec.get("suspend")) or spec.get("managementPolicy", "Manage") != "Manage"


def _before(timeline: list[tuple[float, Any]], at: float) -> Any:
    """The last value before a moment; None when there was none yet."""
    index = bisect.bisect_left(timeline, at, key=lambda entry: entry[0])
    return timeline[index - 1][1] if index else None
