"""`/licenses`: what there is, who has it, and `PATCH /licenses/users`.

A PATCH that cannot give everything says 206 and leaves the comparison to the caller.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from callplane.simulators.exchange import Response, json_response
from callplane.simulators.faults import Effect
from callplane.simulators.webex import calls, holdings, refusals
from callplane.simulators.webex.calls import Call
from callplane.simulators.webex.organisation import Organisation
from callplane.simulators.webex.rows import LicenceRow, PersonRow

_MOST_HOLDERS = 300


@dataclass(frozen=True, slots=True)
class _Line:
    """Calling properties that came with a licence."""

    location_id: str
    number: str | None
    extension: str | None


def list_licences(call: Call) -> Response:
    """GET licenses."""
    organisation = call.organisation
    rows = [document_of(organisation, row) for row in organisation.licences.values()]
    return json_response({"items": rows})


def get_licence(call: Call) -> Response:
    """GET licenses/{id}, with its holders when asked."""
    organisation = call.organisation
    row = organisation.licences.get(call.keys["licence"])
    if row is None:
        raise refusals.not_found("Could not find the license.")
    document = document_of(organisation, row)
    if call.query("includeAssignedTo") != "user":
        return json_response(document)
    people = organisation.listing(organisation.people)
    holders = [person for person in people if row.id in person.licences]
    size = call.whole("limit", default=_MOST_HOLDERS, largest=_MOST_HOLDERS)
    shown, headers = calls.page(call, holders, size=size, place="next")
    users = [
        {
            "id": person.id,
            "type": "INTERNAL",
            "displayName": person.display_name,
            "email": person.email,
        }
        for person in shown
    ]
    return json_response({**document, "users": users}, headers=headers)


def document_of(organisation: Organisation, row: LicenceRow) -> dict[str, object]:
    """A licence as Webex shows it."""
    used = organisation.used_licences[row.id]
    return {
        "id": row.id,
        "name": row.name,
        "totalUnits": row.total_units,
        "consumedUnits": used,
        "consumedByUsers": used,
        "consumedByWorkspaces": 0,
        "subscriptionId": row.subscription_id,
    }


def affordable(
    organisation: Organisation, wanted: tuple[str, ...], *, held: tuple[str, ...]
) -> tuple[str, ...]:
    """The licences among `wanted` that are held already or have a unit left."""
    return tuple(
        each
        for each in wanted
        if each in held
        or organisation.used_licences[each] < organisation.licences[each].total_units
    )


def patch_user(call: Call) -> Response:
    """PATCH licenses/users."""
    organisation, at = call.organisation, call.organisation.now()
    call.allow("personId", "email", "orgId", "licenses", "siteUrls")
    key = call.text("personId") or call.text("email")
    person_id = organisation.person_id(key) if key is not None else None
    person = organisation.people.get(person_id or "")
    if person is None:
        raise refusals.not_found("Could not find the person.")
    added, removed, line = _operations(call, person)
    _check_set(organisation, person, added, removed)
    kept = tuple(each for each in person.licences if each not in removed)
    granted = affordable(organisation, tuple(added), held=person.licences)
    if (rule := call.strike(Effect.LICENCE_SKIPPED)) is not None:
        granted = granted[: -rule.count]
    fresh = tuple(each for each in granted if each not in kept)
    lag = organisation.settings.licence_lag_seconds
    if lag > 0 and fresh:
        organisation.pending_licences[person.id] = fresh
        person = _settle(organisation, replace(person, licences=kept), None, at=at, by=call.who)
        held = person.id

        def arrive(due: float) -> None:
            organisation.pending_licences.pop(held, None)
            late = organisation.people.get(held)
            if late is not None:
                everything = tuple(dict.fromkeys((*late.licences, *fresh)))
                _settle(organisation, replace(late, licences=everything), line, at=due, by=call.who)

        organisation.agenda.add(at + lag, arrive)
    else:
        row = replace(person, licences=(*kept, *fresh))
        person = _settle(organisation, row, line, at=at, by=call.who)
    return json_response(
        {
            "orgId": organisation.webex_id,
            "personId": person.id,
            "email": person.email,
            "licenses": list(person.licences),
            "siteUrls": [],
            "pendingLicenses": list(organisation.pending_licences.get(person.id, ())),
        },
        status=200 if set(added) <= set(granted) else 206,
    )


def _operations(call: Call, person: PersonRow) -> tuple[list[str], list[str], _Line | None]:
    added: list[str] = []
    removed: list[str] = []
    line = None
    for entry in call.mappings("licenses") or []:
        licence = call.organisation.licences.get(calls.text_of(entry, "id") or "")
        if licence is None:
            raise refusals.bad_request("License is not recognised.", code=400000)
        operation = entry.get("operation", "add")
        if operation not in ("add", "remove"):
            raise refusals.bad_request("operation: add or remove is wanted")
        if operation == "remove":
            if licence.is_implicit:
                raise refusals.bad_request("An implicit license stays.", code=700006)
            removed.append(licence.id)
            continue
        properties = entry.get("properties")
        added.append(licence.id)
        if licence.is_calling:
            if not isinstance(properties, Mapping):
                raise refusals.bad_request("Calling license without properties.", code=400411)
            line = _line(call.organisation, person, properties)
    return added, removed, line


def _line(organisation: Organisation, person: PersonRow, properties: Mapping[str, object]) -> _Line:
    number, extension = (calls.text_of(properties, each) for each in ("phoneNumber", "extension"))
    if number is None and extension is None:
        raise refusals.bad_request("phoneNumber or extension is required.", code=400411)
    location_id = calls.text_of(properties, "locationId")
    if location_id is None and number is not None:
        known = organisation.numbers.get(number)
        if known is None:
            raise refusals.unavailable(number)
        location_id = known.location_id
    location = holdings.calling_location(organisation, location_id)
    if person.location_id not in (None, location.id):
        raise refusals.bad_request("The location of a Calling user cannot be changed.")
    if number is not None:
        holdings.check_number(organisation, number, location_id=location.id, holder_id=person.id)
    if extension is not None:
        holdings.check_extension(
            organisation, extension, location_id=location.id, holder_id=person.id
        )
    return _Line(location.id, number, extension)


def _check_set(
    organisation: Organisation, person: PersonRow, added: list[str], removed: list[str]
) -> None:
    def kinds(ids: list[str]) -> set[str]:
        return {organisation.licences[each].kind for each in ids}

    after = kinds([*(each for each in person.licences if each not in removed), *added])
    if "professional" in kinds(removed) and "standard" in kinds(added):
        raise refusals.bad_request("Professional to Standard is not allowed.", code=400112)
    if {"professional", "standard"} <= after:
        raise refusals.bad_request("Professional and Standard together.", code=400404)
    if {"standard", "attendant"} <= after:
        raise refusals.bad_request("Standard with Attendant Console.", code=400406)
    if "attendant" in after and "professional" not in after:
        raise refusals.bad_request("Attendant Console needs Professional.", code=400408)


def _settle(
    organisation: Organisation, row: PersonRow, line: _Line | None, *, at: float, by: str
) -> PersonRow:
    """Put a person with other licences, and give the line that comes with a Calling one."""
    if organisation.calling_licence(row.licences) is None:
        return holdings.empty_person(organisation, row, at=at, by=by)
    if line is None:
        organisation.put_person(row, at)
        return row
    row = replace(row, location_id=line.location_id, extension=line.extension or row.extension)
    return holdings.give_person(organisation, row, line.number or row.number, at=at, by=by)
