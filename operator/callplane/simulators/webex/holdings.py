"""Who gets which number and extension: the rules that people, licences, services and the portal
share.
"""

from __future__ import annotations

import re
from dataclasses import replace

from callplane.simulators.webex import refusals
from callplane.simulators.webex.organisation import Organisation
from callplane.simulators.webex.rows import PEOPLE, LocationRow, NumberRow, PersonRow, ServiceRow

E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_EXTENSION = re.compile(r"[0-9]{2,10}")


def calling_location(organisation: Organisation, location_id: str | None) -> LocationRow:
    """A location where Calling is enabled. Raises Refusal."""
    row = organisation.locations.get(location_id or "")
    if row is None or not row.is_calling:
        raise refusals.bad_request("Unable to find location.", code=400)
    return row


def check_number(
    organisation: Organisation,
    number: str,
    *,
    location_id: str,
    holder_id: str | None,
    holder_type: str = PEOPLE,
) -> NumberRow:
    """A number that `holder_id` may have in a location. Raises Refusal."""
    if E164.fullmatch(number) is None:
        raise refusals.invalid_number(number)
    row = organisation.numbers.get(number)
    is_person = holder_type == PEOPLE
    if (
        row is None
        or row.location_id != location_id
        or row.is_reserved
        or (row.is_toll_free and is_person)
        or (row.is_mobile and not is_person)
        or (row.owner is not None and row.owner.id != holder_id)
    ):
        raise refusals.unavailable(number)
    return row


def check_extension(
    organisation: Organisation, extension: str, *, location_id: str, holder_id: str | None
) -> None:
    """An extension that `holder_id` may have in a location. Raises Refusal."""
    if _EXTENSION.fullmatch(extension) is None:
        raise refusals.bad_request(f"extension {extension!r}: two to ten digits are wanted")
    if organisation.extension_owner(location_id, extension) not in (None, holder_id):
        raise refusals.bad_request(f"[Error 8364] Extension is in use : {extension}")


def give_person(
    organisation: Organisation, row: PersonRow, number: str | None, *, at: float, by: str
) -> PersonRow:
    """Make `number` the primary one of a person (None: no number) and put the row. Returns it."""
    before = organisation.people.get(row.id)
    if before is not None and before.number not in (None, number):
        _release(organisation, before.number, at=at, by=by)
    row = replace(row, number=number)
    organisation.put_person(row, at)
    if number is not None:
        organisation.set_owner(number, row.owner(), at=at, by=by)
        _extend(organisation, number, row.extension, at)
    return row


def empty_person(organisation: Organisation, row: PersonRow, *, at: float, by: str) -> PersonRow:
    """Take numbers, extension and location from a person and put the row. Returns it."""
    for number in row.alternates:
        _release(organisation, number, at=at, by=by)
    bare = replace(row, alternates=(), extension=None, location_id=None)
    return give_person(organisation, bare, None, at=at, by=by)


def give_alternate(
    organisation: Organisation, row: PersonRow, number: str, *, at: float, by: str
) -> PersonRow:
    """Add an alternate number to a person and put the row. Returns it."""
    organisation.set_owner(number, row.owner(), at=at, by=by)
    held = organisation.numbers.get(number)
    if held is not None:
        organisation.numbers.put(number, replace(held, category="ALTERNATE"), at)
    row = replace(row, alternates=(*row.alternates, number))
    organisation.put_person(row, at)
    return row


def take_alternate(
    organisation: Organisation, row: PersonRow, number: str, *, at: float, by: str
) -> PersonRow:
    """Take an alternate number from a person and put the row. Returns it."""
    _release(organisation, number, at=at, by=by)
    row = replace(row, alternates=tuple(each for each in row.alternates if each != number))
    organisation.put_person(row, at)
    return row


def put_service(
    organisation: Organisation, row: ServiceRow | None, *, service_id: str, at: float, by: str
) -> None:
    """Add a service, change it or, with None, take it away; its number follows."""
    before = organisation.services.get(service_id)
    number = row.number if row is not None else None
    if before is not None and before.number not in (None, number):
        _release(organisation, before.number, at=at, by=by)
    organisation.put_service(row, at, service_id=service_id)
    if row is not None and row.number is not None:
        organisation.set_owner(row.number, row.owner(), at=at, by=by)
        _extend(organisation, row.number, row.extension, at)


def detach(organisation: Organisation, number: str, *, at: float, by: str) -> None:
    """Take a number from whoever has it, person or service or something else."""
    owner_id = organisation.owner_id(number)
    if owner_id is None:
        return
    person = organisation.people.get(owner_id)
    service = organisation.services.get(owner_id)
    if person is not None and number in person.alternates:
        take_alternate(organisation, person, number, at=at, by=by)
    elif person is not None:
        give_person(organisation, person, None, at=at, by=by)
    elif service is not None:
        row = replace(service, number=None)
        put_service(organisation, row, service_id=service.id, at=at, by=by)
    else:
        _release(organisation, number, at=at, by=by)


def _release(organisation: Organisation, number: str | None, *, at: float, by: str) -> None:
    if number is not None and organisation.numbers.get(number) is not None:
        organisation.set_owner(number, None, at=at, by=by)


def _extend(organisation: Organisation, number: str, extension: str | None, at: float) -> None:
    """Show the extension beside its number in the list of numbers."""
    row = organisation.numbers.get(number)
    if row is not None and row.extension != extension:
        organisation.numbers.put(number, replace(row, extension=extension), at)
