"""`/people`: looking people up, creating them, replacing them whole, deleting them.

A Calling user is a person with a Calling licence, a location, and a number or an extension.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from callplane.simulators.exchange import Response, json_response
from callplane.simulators.faults import Effect
from callplane.simulators.webex import calls, holdings, refusals
from callplane.simulators.webex.calls import Call
from callplane.simulators.webex.licences import affordable
from callplane.simulators.webex.organisation import Organisation
from callplane.simulators.webex.refusals import Refusal
from callplane.simulators.webex.rows import PersonRow

_MOST_IDS = 85
_EXTRA = ("avatar", "nickName", "department", "manager", "managerId", "addresses", "siteUrls")
_FIELDS = (
    *_EXTRA,
    "emails",
    "phoneNumbers",
    "extension",
    "locationId",
    "displayName",
    "firstName",
    "lastName",
    "orgId",
    "roles",
    "licenses",
    "loginEnabled",
)
# What a caller that sends back what it got sends as well; none of it is taken.
_ECHOED = (
    "id",
    "created",
    "lastModified",
    "timezone",
    "lastActivity",
    "sipAddresses",
    "status",
    "invitePending",
    "type",
    "xmppFederationJid",
    "userName",
)


@dataclass(frozen=True, slots=True)
class _Wish:
    """What a body asks of Calling."""

    number: str | None
    extension: str | None
    location_id: str | None
    licences: tuple[str, ...]


def list_people(call: Call) -> Response:
    """GET people."""
    organisation = call.organisation
    rows, missing = _found(call)
    calling = call.flag("callingData") or False
    location_id = call.query("locationId")
    if location_id is not None:
        rows = [row for row in rows if row.location_id == location_id]
    if (name := call.query("displayName")) is not None:
        rows = [row for row in rows if row.display_name.lower().startswith(name.lower())]
    largest = (50 if location_id is not None else 100) if calling else 1000
    default = min(organisation.settings.people_page_size, largest)
    size = min(call.whole("max", default=default, largest=1000), largest)
    shown, headers = calls.page(call, rows, size=size, place="cursor")
    omits = organisation.settings.listing_omits_details
    documents = [document_of(organisation, row, calling=calling, is_listed=omits) for row in shown]
    more = {"notFoundIds": missing} if missing else {}
    return calls.listing(call, "items", documents, headers, **more)


def _found(call: Call) -> tuple[list[PersonRow], list[str]]:
    """The people a list is about, and the ids of those that are nobody's."""
    organisation = call.organisation
    email, ids = call.query("email"), call.query("id")
    if email is not None:
        person_id = organisation.person_id(email)
        row = organisation.read(organisation.people, person_id) if person_id else None
        return ([row] if row is not None else []), []
    if ids is None:
        return organisation.listing(organisation.people), []
    wanted = ids.split(",")
    if len(wanted) > _MOST_IDS:
        raise refusals.bad_request(f"id: at most {_MOST_IDS} ids")
    found = {each: organisation.read(organisation.people, each) for each in wanted}
    rows = [row for row in found.values() if row is not None]
    return rows, [each for each, row in found.items() if row is None]


def get_person(call: Call) -> Response:
    """GET people/{id}."""
    organisation = call.organisation
    row = organisation.read(organisation.people, call.keys["person"])
    if row is None:
        raise unknown_person(call.keys["person"])
    return json_response(document_of(organisation, row, calling=call.flag("callingData") or False))


def get_me(call: Call) -> Response:
    """GET people/me: the service app itself."""
    return json_response(
        {
            "id": call.who,
            "emails": [f"{call.who.lower()}@webex.bot"],
            "displayName": "Service app",
            "orgId": call.organisation.webex_id,
            "type": "appuser",
        }
    )


def create_person(call: Call) -> Response:
    """POST people."""
    organisation, at = call.organisation, call.organisation.now()
    call.allow(*_FIELDS)
    emails = call.texts("emails")
    if emails is None or len(emails) != 1 or "@" not in emails[0]:
        raise refusals.bad_request("emails: exactly one address is wanted")
    if organisation.person_id(emails[0]) is not None:
        raise refusals.conflict("A person with this email address exists already.")
    wish = _wish(call)
    calling = call.flag("callingData") or False
    moment = organisation.timestamp()
    row = _named(
        call,
        PersonRow(
            id=organisation.new_id("PEOPLE"),
            email=emails[0],
            display_name="",
            created=moment,
            last_modified=moment,
            has_sip_address=False,
        ),
    )
    licences = _granted(call, wish.licences, held=())
    plain = tuple(each for each in licences if organisation.licences[each].is_calling is False)
    try:
        if calling and wish.licences:
            _check_calling(organisation, row.id, wish)
    except Refusal:
        if organisation.settings.creates_people_it_refuses:
            organisation.put_person(replace(row, licences=plain), at)
            _note(call, row.id, "created")
        raise
    if calling and organisation.calling_licence(licences) is not None:
        row = replace(
            row, licences=licences, location_id=wish.location_id, extension=wish.extension
        )
        row = holdings.give_person(organisation, row, wish.number, at=at, by=call.who)
    else:
        row = replace(row, licences=plain if calling else licences)
        organisation.put_person(row, at)
    _note(call, row.id, "created")
    return _written(call, row, calling=calling)


def replace_person(call: Call) -> Response:
    """PUT people/{id}: what the body leaves out is gone."""
    organisation, at = call.organisation, call.organisation.now()
    before = organisation.people.get(call.keys["person"])
    if before is None:
        raise unknown_person(call.keys["person"])
    call.allow(*_FIELDS, *_ECHOED)
    call.needed("displayName")
    calling = call.flag("callingData") or False
    wish = _wish(call)
    row = replace(_named(call, before), last_modified=organisation.timestamp())
    emails = call.texts("emails")
    if emails and organisation.person_id(emails[0]) in (None, before.id):
        row = replace(row, email=emails[0])
    if (half := call.strike(Effect.HALF_DONE)) is not None:
        organisation.put_person(row, at)
        raise Refusal(half.status, (half.message,))
    licences = _granted(call, wish.licences, held=before.licences)
    was_calling = organisation.calling_licence(before.licences) is not None
    if not calling:
        keeps = tuple(each for each in before.licences if organisation.licences[each].is_calling)
        plain = tuple(each for each in licences if not organisation.licences[each].is_calling)
        organisation.put_person(replace(row, licences=(*keeps, *plain)), at)
        return _written(call, row, calling=False)
    if organisation.calling_licence(wish.licences) is None:
        if wish.number is not None or wish.extension is not None:
            raise refusals.bad_request("A Calling licence is needed with callingData=true.")
        row = replace(row, licences=licences)
        row = holdings.empty_person(organisation, row, at=at, by=call.who)
        return _written(call, row, calling=True)
    if was_calling and wish.location_id not in (None, before.location_id):
        raise refusals.bad_request("locationId cannot be changed for a Calling user.")
    wish = replace(wish, location_id=wish.location_id or before.location_id)
    _check_calling(organisation, before.id, wish)
    if organisation.calling_licence(licences) is None:
        organisation.put_person(replace(row, licences=licences), at)
        return _written(call, row, calling=True)
    row = replace(row, licences=licences, location_id=wish.location_id, extension=wish.extension)
    row = holdings.give_person(organisation, row, wish.number, at=at, by=call.who)
    return _written(call, row, calling=True)


def delete_person(call: Call) -> Response:
    """DELETE people/{id}: the numbers are free again."""
    organisation = call.organisation
    row = organisation.people.get(call.keys["person"])
    if row is None:
        raise unknown_person(call.keys["person"])
    remove(organisation, row, by=call.who)
    return Response(204)


def remove(organisation: Organisation, row: PersonRow, *, by: str) -> None:
    """Take a person away, numbers first."""
    at = organisation.now()
    holdings.empty_person(organisation, row, at=at, by=by)
    organisation.remove_person(row.id, at)
    organisation.changes.add(at, row.id, aspect="person", values=("present", None), by=by)


def unknown_person(key: str) -> Refusal:
    """404."""
    return refusals.not_found(f"Could not find a person with id {key!r}.")


def document_of(
    organisation: Organisation, row: PersonRow, *, calling: bool, is_listed: bool = False
) -> dict[str, object]:
    """A person as Webex shows it; `is_listed` leaves out what lists are not reliable for."""
    location = organisation.locations.get(row.location_id or "")
    phones: list[dict[str, object]] = []
    document: dict[str, object] = {
        "id": row.id,
        "emails": [row.email],
        "displayName": row.display_name,
        "firstName": row.first_name,
        "lastName": row.last_name,
        **row.extra,
        "orgId": organisation.webex_id,
        "roles": list(row.roles),
        "licenses": list(row.licences),
        "created": row.created,
        "lastModified": row.last_modified,
        "status": "unknown",
        "invitePending": "false",
        "loginEnabled": "true",
        "type": "person",
    }
    if row.number is not None:
        phones.append({"type": "work", "value": row.number, "primary": True})
    if calling and row.extension is not None:
        prefix = (location.routing_prefix or "") if location is not None else ""
        phones.append({"type": "work_extension", "value": prefix + row.extension})
        document["extension"] = row.extension
    if calling and row.location_id is not None:
        document["locationId"] = row.location_id
    if phones:
        document["phoneNumbers"] = phones
    if row.has_sip_address:
        document["sipAddresses"] = [
            {"type": "cloud-calling", "value": f"{row.email}.calls.example", "primary": True}
        ]
    if is_listed:
        for name in ("licenses", "roles", "locationId"):
            document.pop(name, None)
    return document


def _named(call: Call, row: PersonRow) -> PersonRow:
    first, last = call.text("firstName") or "", call.text("lastName") or ""
    name = call.text("displayName") or f"{first} {last}".strip() or row.email
    extra = {name: call.body[name] for name in _EXTRA if call.body.get(name) is not None}
    roles = tuple(call.texts("roles") or ())
    return replace(
        row, display_name=name, first_name=first, last_name=last, extra=extra, roles=roles
    )


def _wish(call: Call) -> _Wish:
    number = next(
        (
            calls.text_of(phone, "value")
            for phone in call.mappings("phoneNumbers") or []
            if phone.get("type") in (None, "work")
        ),
        None,
    )
    licences = tuple(dict.fromkeys(call.texts("licenses") or ()))
    for licence in licences:
        if licence not in call.organisation.licences:
            raise refusals.bad_request(f"License {licence} is not recognised.", code=400000)
    return _Wish(number, call.text("extension"), call.text("locationId"), licences)


def _check_calling(organisation: Organisation, person_id: str, wish: _Wish) -> None:
    """Refuse a wish for Calling that cannot be met."""
    if organisation.calling_licence(wish.licences) is None:
        return
    if wish.number is None and wish.extension is None:
        raise refusals.bad_request("A Calling user needs phoneNumbers or extension.")
    location = holdings.calling_location(organisation, wish.location_id)
    if wish.extension is not None:
        holdings.check_extension(
            organisation, wish.extension, location_id=location.id, holder_id=person_id
        )
    if wish.number is not None:
        holdings.check_number(
            organisation, wish.number, location_id=location.id, holder_id=person_id
        )


def _granted(call: Call, wanted: tuple[str, ...], *, held: tuple[str, ...]) -> tuple[str, ...]:
    """The licences of a wish that can be had; the others are passed over without a word."""
    organisation = call.organisation
    implicit = [each for each in held if organisation.licences[each].is_implicit]
    granted = affordable(organisation, wanted, held=held)
    if (rule := call.strike(Effect.LICENCE_SKIPPED)) is not None:
        fresh = [each for each in granted if each not in held]
        skipped = set(fresh[-rule.count :])
        granted = tuple(each for each in granted if each not in skipped)
    return tuple(dict.fromkeys((*granted, *implicit)))


def _written(call: Call, row: PersonRow, *, calling: bool) -> Response:
    organisation = call.organisation
    row = organisation.people.get(row.id) or row
    if not row.has_sip_address:
        # Addresses are made later; the next write finds them.
        organisation.put_person(replace(row, has_sip_address=True), organisation.now())
    if call.flag("minResponse"):
        return json_response({"id": row.id})
    return json_response(document_of(organisation, row, calling=calling))


def _note(call: Call, person_id: str, what: str) -> None:
    organisation = call.organisation
    organisation.changes.add(
        organisation.now(), person_id, aspect="person", values=(None, what), by=call.who
    )
