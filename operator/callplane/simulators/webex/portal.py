"""What an administrator does in Control Hub: changes behind our back.

None of it passes the rules of the API; all of it is at once and written into the organisation's
change log as done by "portal". Tests call the methods, other processes name them through the
control endpoint.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from callplane.simulators.webex import holdings, inventory, people, permissions, seeding
from callplane.simulators.webex.identity import TokenService
from callplane.simulators.webex.organisation import PORTAL, Organisation
from callplane.simulators.webex.rows import (
    PSTN_TYPES,
    SERVICE_KINDS,
    LocationRow,
    NumberRow,
    Owner,
    PersonRow,
    ServiceRow,
)


class Portal:
    """An administrator of one organisation. People are named by id or address, locations by id or
    name.

    Every method raises ValueError with a plain reason when its subject does not exist.
    """

    def __init__(self, organisation: Organisation, tokens: TokenService) -> None:
        self._organisation = organisation
        self._tokens = tokens

    # Numbers.

    def assign(self, number: str, user: str, extension: str | None = None) -> None:
        """Make a number the primary one of a person, taking it from whoever has it."""
        at = self._organisation.advance()
        row, person = self._number(number), self._person(user)
        if row.owner is not None and row.owner.id != person.id:
            holdings.detach(self._organisation, number, at=at, by=PORTAL)
        fresh = replace(
            self._person(user),
            location_id=row.location_id,
            extension=extension or person.extension,
        )
        holdings.give_person(self._organisation, fresh, number, at=at, by=PORTAL)

    def unassign(self, number: str) -> None:
        """Take a number from whoever has it; nothing happens when nobody has."""
        self._number(number)
        at = self._organisation.advance()
        holdings.detach(self._organisation, number, at=at, by=PORTAL)

    def add_number(
        self, number: str, location: str, state: str = "ACTIVE", reserved: bool = False
    ) -> None:
        """Add a number to a location, whoever manages its PSTN."""
        if self._organisation.numbers.get(number) is not None:
            raise ValueError(f"number {number!r} exists already")
        row = NumberRow(number, self._location(location).id, state=state, is_reserved=reserved)
        inventory.put(self._organisation, row, at=self._organisation.advance(), by=PORTAL)

    def remove_number(self, number: str) -> None:
        """Release a number: it leaves the inventory, and its holder loses it."""
        at = self._organisation.advance()
        inventory.remove(self._organisation, self._number(number), at=at, by=PORTAL)

    def set_number_state(self, number: str, state: str) -> None:
        """Make a number ACTIVE or INACTIVE."""
        row = replace(self._number(number), state=state)
        inventory.put(self._organisation, row, at=self._organisation.advance(), by=PORTAL)

    def reserve_number(self, number: str, reserved: bool = True) -> None:
        """Reserve a number, so that nobody can have it, or give it free."""
        row = replace(self._number(number), is_reserved=reserved)
        self._organisation.numbers.put(number, row, self._organisation.advance())

    def use_number_for(self, number: str, owner_type: str, name: str) -> None:
        """Give a number to something that is neither person nor service of this world: a
        workspace (PLACE), a VIRTUAL_LINE, or a type nobody has heard of.
        """
        self._number(number)
        at = self._organisation.advance()
        holdings.detach(self._organisation, number, at=at, by=PORTAL)
        owner = Owner(self._organisation.new_id(owner_type), owner_type, name, ".")
        self._organisation.set_owner(number, owner, at=at, by=PORTAL)

    # People.

    def add_user(
        self, email: str, first_name: str = "", last_name: str = "", licences: Sequence[str] = ()
    ) -> str:
        """Create a person with licences by kind or name. Returns the new id."""
        if self._organisation.person_id(email) is not None:
            raise ValueError(f"person {email!r} exists already")
        at = self._organisation.advance()
        moment = self._organisation.timestamp()
        row = PersonRow(
            id=self._organisation.new_id("PEOPLE"),
            email=email,
            display_name=f"{first_name} {last_name}".strip() or email.partition("@")[0],
            first_name=first_name,
            last_name=last_name,
            licences=tuple(self._licence(each) for each in licences),
            created=moment,
            last_modified=moment,
        )
        self._organisation.put_person(row, at)
        return row.id

    def delete_user(self, user: str) -> None:
        """Delete a person: the numbers are free again."""
        self._organisation.advance()
        people.remove(self._organisation, self._person(user), by=PORTAL)

    def change_user(
        self,
        user: str,
        email: str | None = None,
        first_name: str | None = None,
        last_name: str | None = None,
        extension: str | None = None,
    ) -> None:
        """Rename a person or change the extension; None keeps, an empty extension takes it."""
        row = self._person(user)
        first = row.first_name if first_name is None else first_name
        last = row.last_name if last_name is None else last_name
        fresh = replace(
            row,
            email=email or row.email,
            first_name=first,
            last_name=last,
            display_name=f"{first} {last}".strip() or row.display_name,
            extension=row.extension if extension is None else extension or None,
        )
        self._organisation.put_person(fresh, self._organisation.advance())

    def give_licence(self, user: str, licence: str) -> None:
        """Give a licence by kind or name, at once."""
        row, key = self._person(user), self._licence(licence)
        licences = tuple(dict.fromkeys((*row.licences, key)))
        self._organisation.put_person(replace(row, licences=licences), self._organisation.advance())

    def take_licence(self, user: str, licence: str) -> None:
        """Take a licence by kind or name; without a Calling one, number and extension go too."""
        row, key = self._person(user), self._licence(licence)
        at = self._organisation.advance()
        fresh = replace(row, licences=tuple(each for each in row.licences if each != key))
        if self._organisation.calling_licence(fresh.licences) is None:
            holdings.empty_person(self._organisation, fresh, at=at, by=PORTAL)
        else:
            self._organisation.put_person(fresh, at)

    def set_units(self, licence: str, units: int) -> None:
        """Change how many units of a licence the organisation has."""
        key = self._licence(licence)
        row = self._organisation.licences[key]
        self._organisation.licences[key] = replace(row, total_units=units)

    def set_permission(self, user: str, call_type: str, action: str) -> None:
        """Set what a person may call, as a permission of the person's own."""
        row = self._person(user)
        at = self._organisation.advance()
        before = permissions.effective(row.permissions, call_type)
        own = replace(
            row.permissions,
            uses_custom=True,
            uses_custom_permissions=True,
            calls={**row.permissions.calls, call_type: (action, action == "ALLOW")},
        )
        self._organisation.put_person(replace(row, permissions=own), at)
        values = (f"{call_type}={before[0]}", f"{call_type}={action}")
        self._organisation.changes.add(at, row.id, aspect="permissions", values=values, by=PORTAL)

    def restrict_call_type(
        self, call_type: str, user: str | None = None, location: str | None = None
    ) -> None:
        """Let the system enforce a call type of a person or a location: nobody can change it."""
        at = self._organisation.advance()
        if user is not None:
            person = self._person(user)
            own = replace(
                person.permissions, restricted=person.permissions.restricted | {call_type}
            )
            self._organisation.put_person(replace(person, permissions=own), at)
        if location is not None:
            place = self._location(location)
            own = replace(place.permissions, restricted=place.permissions.restricted | {call_type})
            self._organisation.locations.put(place.id, replace(place, permissions=own), at)

    # Services.

    def add_service(
        self,
        name: str,
        collection: str = "autoAttendants",
        location: str = seeding.DEFAULT_LOCATION,
        number: str | None = None,
        extension: str | None = None,
    ) -> str:
        """Create an auto attendant, queue or hunt group. Returns the new id."""
        if collection not in SERVICE_KINDS:
            raise ValueError(f"collection is one of {list(SERVICE_KINDS)}")
        at = self._organisation.advance()
        if number is not None:
            self._number(number)
            holdings.detach(self._organisation, number, at=at, by=PORTAL)
        row = ServiceRow(
            id=self._organisation.new_id(SERVICE_KINDS[collection]),
            collection=collection,
            name=name,
            location_id=self._location(location).id,
            number=number,
            extension=extension,
        )
        holdings.put_service(self._organisation, row, service_id=row.id, at=at, by=PORTAL)
        return row.id

    def delete_service(self, service: str) -> None:
        """Delete a service by id: its number is free again."""
        if self._organisation.services.get(service) is None:
            raise ValueError(f"no service {service!r} in organisation {self._organisation.id}")
        at = self._organisation.advance()
        holdings.put_service(self._organisation, None, service_id=service, at=at, by=PORTAL)

    # Locations and tokens.

    def set_pstn(
        self, location: str, pstn_type: str | None = None, externally_managed: bool | None = None
    ) -> None:
        """Change who manages the PSTN of a location; None keeps."""
        if pstn_type is not None and pstn_type not in PSTN_TYPES:
            raise ValueError(f"pstn_type is one of {list(PSTN_TYPES)}")
        row = self._location(location)
        fresh = replace(
            row,
            pstn_type=pstn_type or row.pstn_type,
            is_externally_managed=(
                row.is_externally_managed if externally_managed is None else externally_managed
            ),
        )
        self._organisation.locations.put(row.id, fresh, self._organisation.advance())

    def set_main_number(self, location: str, number: str) -> None:
        """Make a number of a location its main number."""
        row = replace(self._location(location), main_number=self._number(number).number)
        self._organisation.locations.put(row.id, row, self._organisation.advance())

    def withdraw_authorisation(self, client_id: str = seeding.DEFAULT_CLIENT_ID) -> None:
        """Take the authorisation of a service app back: all its tokens are worthless."""
        self._tokens.withdraw(client_id)

    def authorise(self, refresh_token: str, client_id: str = seeding.DEFAULT_CLIENT_ID) -> None:
        """Authorise a service app anew, with another refresh token."""
        app = self._tokens.app(client_id)
        app.refresh_token = refresh_token
        self._tokens.authorise(app, self._organisation.settings.refresh_token_seconds)

    def _number(self, number: str) -> NumberRow:
        row = self._organisation.numbers.get(number)
        if row is None:
            raise ValueError(f"no number {number!r} in organisation {self._organisation.id}")
        return row

    def _person(self, user: str) -> PersonRow:
        row = self._organisation.people.get(self._organisation.person_id(user) or "")
        if row is None:
            raise ValueError(f"no person {user!r} in organisation {self._organisation.id}")
        return row

    def _location(self, location: str) -> LocationRow:
        row = self._organisation.locations.get(seeding.location_id(self._organisation, location))
        assert row is not None
        return row

    def _licence(self, licence: str) -> str:
        for key, row in self._organisation.licences.items():
            if licence in (row.kind, row.name, key):
                return key
        raise ValueError(f"no licence {licence!r} in organisation {self._organisation.id}")
