"""The state of one organisation and the ways to look at it; behaviour lies in the modules beside.

Times are seconds of the world's monotonic clock. Whoever looks calls `advance` first, so that what
fell due since the last look has happened.
"""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import TypeVar

from callplane.clock import Clock
from callplane.simulators.agenda import Agenda
from callplane.simulators.call_log import CallLog
from callplane.simulators.invented import derive_guid
from callplane.simulators.recording import ChangeLog
from callplane.simulators.shelves import Shelf
from callplane.simulators.webex.jobs import Job
from callplane.simulators.webex.rows import (
    LicenceRow,
    LocationRow,
    NumberRow,
    Owner,
    PersonRow,
    PstnOption,
    ServiceRow,
    TrunkRow,
    webex_id,
)
from callplane.simulators.webex.settings import WorldSettings

PORTAL = "portal"
"""Author of changes made behind our back."""

Row = TypeVar("Row")


class Organisation:
    """Locations, numbers, people, licences, services, trunks and jobs of one organisation."""

    def __init__(
        self, guid: str, *, name: str, clock: Clock, settings: WorldSettings, seed: int
    ) -> None:
        self.id = guid
        """How records and control endpoints name it; callers see `webex_id`."""
        self.name = name
        self.settings = settings
        self.seed = seed
        self.agenda = Agenda()
        self.changes = ChangeLog()
        self.locations: Shelf[LocationRow] = Shelf(is_sorted=False)
        self.numbers: Shelf[NumberRow] = Shelf(is_sorted=True)
        self.people: Shelf[PersonRow] = Shelf(is_sorted=False)
        self.services: Shelf[ServiceRow] = Shelf(is_sorted=False)
        self.trunks: dict[str, TrunkRow] = {}
        self.route_groups: dict[str, Mapping[str, object]] = {}
        self.licences: dict[str, LicenceRow] = {}
        self.pstn_options: dict[str, PstnOption] = {}
        self.pending_licences: dict[str, tuple[str, ...]] = {}
        """Licences on their way to a person, by person id."""
        self.jobs: dict[str, Job] = {}
        self.calls = CallLog()
        self.call_feed_asked_at: float | None = None
        self.damage: list[str] = []
        """What a caller broke although it must not: locations written to that others manage."""
        self.used_licences: Counter[str] = Counter()
        self._ids_by_email: dict[str, str] = {}
        self._ids_by_extension: dict[tuple[str, str], str] = {}
        self._issued = 0
        self._clock = clock

    @property
    def webex_id(self) -> str:
        """Its id as the API shows it."""
        return webex_id("ORGANIZATION", self.id)

    def now(self) -> float:
        """Seconds of the world's monotonic clock."""
        return self._clock.monotonic()

    def wall_time(self) -> datetime.datetime:
        """The world's wall clock."""
        return self._clock.now()

    def timestamp(self) -> str:
        """Wall time as Webex writes it."""
        return timestamp(self._clock.now())

    def advance(self) -> float:
        """Let everything happen that is due. Returns the time now."""
        now = self._clock.monotonic()
        self.agenda.advance(now)
        return now

    def new_id(self, kind: str) -> str:
        """An id nobody has yet; the same in every run that does the same in the same order."""
        self._issued += 1
        return webex_id(kind, derive_guid(self.seed, self.id, kind, self._issued))

    # Reading, as old as reads are.

    def read(self, shelf: Shelf[Row], key: str) -> Row | None:
        """A single row, as old as single reads are."""
        lag = self.settings.read_lag_seconds
        return shelf.seen(key, self.now() - lag) if lag > 0 else shelf.get(key)

    def listing(self, shelf: Shelf[Row]) -> list[Row]:
        """All rows, as old as listings are."""
        lag = self.settings.listing_lag_seconds
        return shelf.rows(self.now() - lag if lag > 0 else None)

    # People.

    def person_id(self, key: str) -> str | None:
        """The id of the person with this id or address (any case)."""
        if self.people.get(key) is not None:
            return key
        return self._ids_by_email.get(key.lower())

    def put_person(self, row: PersonRow, at: float) -> None:
        """Add a person or change one; the index of addresses and the licence count follow."""
        self._forget(self.people.get(row.id))
        self._ids_by_email[row.email.lower()] = row.id
        self.used_licences.update(row.licences)
        self._extend(row, row.id)
        self.people.put(row.id, row, at)

    def remove_person(self, person_id: str, at: float) -> None:
        """Take a person away; the numbers are the caller's business."""
        self._forget(self.people.get(person_id))
        self.people.put(person_id, None, at)

    def _forget(self, row: PersonRow | None) -> None:
        if row is not None:
            self._ids_by_email.pop(row.email.lower(), None)
            self.used_licences.subtract(row.licences)
            self._extend(row, None)

    def calling_licence(self, licences: tuple[str, ...]) -> LicenceRow | None:
        """The one among these that makes a user of Calling."""
        found = (self.licences.get(each) for each in licences)
        return next((row for row in found if row is not None and row.is_calling), None)

    # Numbers.

    def set_owner(self, number: str, owner: Owner | None, *, at: float, by: str) -> None:
        """Give a number to `owner` or take it away, and note it. KeyError when it is unknown."""
        row = self.numbers.get(number)
        if row is None:
            raise KeyError(number)
        before = row.owner.id if row.owner is not None else None
        after = owner.id if owner is not None else None
        if before != after:
            self.changes.add(at, number, aspect="holder", values=(before, after), by=by)
        state = "ACTIVE" if owner is not None and row.is_mobile else row.state
        fresh = replace(row, owner=owner, state=state)
        if owner is None:
            fresh = replace(fresh, category="PRIMARY", extension=None)
        self.numbers.put(number, fresh, at)

    def owner_id(self, number: str) -> str | None:
        """Who has a number now."""
        row = self.numbers.get(number)
        return row.owner.id if row is not None and row.owner is not None else None

    def extension_owner(self, location_id: str, extension: str) -> str | None:
        """Who has an extension in a location."""
        return self._ids_by_extension.get((location_id, extension))

    # Services.

    def put_service(self, row: ServiceRow | None, at: float, *, service_id: str) -> None:
        """Add a service, change it or, with None, take it away; the number is the caller's."""
        before = self.services.get(service_id)
        if before is not None:
            self._extend(before, None)
        if row is not None:
            self._extend(row, row.id)
        self.services.put(service_id, row, at)

    def _extend(self, row: PersonRow | ServiceRow, owner_id: str | None) -> None:
        """Keep the index of extensions."""
        if row.location_id is None or row.extension is None:
            return
        if owner_id is None:
            self._ids_by_extension.pop((row.location_id, row.extension), None)
        else:
            self._ids_by_extension[row.location_id, row.extension] = owner_id


def timestamp(moment: datetime.datetime) -> str:
    """A moment (UTC) as Webex writes it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
