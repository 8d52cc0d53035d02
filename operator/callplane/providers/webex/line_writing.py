"""Carrying an order out: a few requests, each of which may be sent again without harm.

Webex gives a line in one request with its licence, location and number, and answers well although
it left something out. So what came back is compared with what was asked, every time.

number wanted, not in the inventory   added as ACTIVE, listed again, then given
person has Calling                    the whole person is put back with the number
person has none                       licence, location, number and extension by PATCH
number taken away                     the whole person without it; without an extension the
                                      licence goes too, since Webex keeps nobody with neither; then
                                      the number leaves the inventory, unless it is the main one
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from callplane.apis.reasons import Reason
from callplane.errors import OutcomeUnknown
from callplane.providers.orders import AssignNumber, SetLocation, SetPolicy, UnassignNumber
from callplane.providers.protocol import (
    Accepted,
    Done,
    RefusalClass,
    Refused,
    Throttled,
    Unavailable,
)
from callplane.providers.transport import Answer
from callplane.providers.webex import mapping, paths
from callplane.providers.webex.client import WebexClient
from callplane.providers.webex.directory import Directory
from callplane.providers.webex.manual_steps import MOVE_PERSON
from callplane.providers.webex.mapping import Json, Location
from callplane.resources.webex import (
    CALLER_ID,
    DEFAULT_LICENCE,
    EXTENSION,
    LICENCE,
    OUTGOING,
    SERVICE_COLLECTIONS,
    outgoing_actions,
    short_licence,
)
from callplane.values import E164

LICENCE_OPERATION = "licence"

Ended = Done | Accepted


class LineWriting:
    """One order. Make a new one for each; `deadline` is on the monotonic clock."""

    def __init__(self, client: WebexClient, directory: Directory, *, deadline: float) -> None:
        self._client = client
        self._directory = directory
        self._deadline = deadline
        self._written = 0

    async def carry_out(
        self, order: AssignNumber | UnassignNumber | SetLocation | SetPolicy
    ) -> Ended:
        """Raises as `Provider.send` does."""
        ended = await self._carry_out(order)
        return replace(ended, requests=max(self._written, 1))

    async def _carry_out(
        self, order: AssignNumber | UnassignNumber | SetLocation | SetPolicy
    ) -> Ended:
        try:
            match order:
                case AssignNumber():
                    return await self._assign(order)
                case UnassignNumber():
                    return await self._unassign(order)
                case SetPolicy():
                    return await self._set(order)
                case SetLocation():
                    raise _refused(Reason.UNSUPPORTED, MOVE_PERSON)
        except Unavailable as error:
            if self._written:
                # A part of it is done; what is true has to be read.
                raise OutcomeUnknown(str(error)) from error
            raise

    # --- numbers ---

    async def _assign_service(self, order: AssignNumber) -> Ended:
        collection, location = await self._service(order.user_id)
        await self._ensure_in_inventory(order, location)
        await self._put_service(order.user_id, collection, location, order.number.text)
        return Done()

    async def _service(self, service_id: str) -> tuple[str, Location]:
        """Where a service is. Raises Refused when there is none of that id."""
        for collection in SERVICE_COLLECTIONS.values():
            content = await self._client.read("listServices", paths.services(collection))
            for item in (content or {}).get(collection) or ():
                if not isinstance(item, dict) or item.get("id") != service_id:
                    continue
                place = mapping.text_of(item, "locationId") or ""
                location = (await self._directory.locations()).get(place)
                if location is not None:
                    return collection, location
        raise Refused(RefusalClass.NOT_FOUND, "the service is gone", reason=Reason.USER_NOT_FOUND)

    async def _put_service(
        self, service_id: str, collection: str, location: Location, number: str
    ) -> None:
        url = self._client.url(paths.service(location.id, collection, service_id))
        await self._write("updateService", "PUT", url, {"phoneNumber": number})

    async def _assign(self, order: AssignNumber) -> Ended:
        if order.for_service:
            return await self._assign_service(order)
        person = await self._person(order.user_id)
        held = await self._directory.licence_of(mapping.licence_ids(person))
        location = await self._location_for(person, order.location_id, has_calling=held is not None)
        has = mapping.work_number(person)
        if has is not None and has != order.number:
            raise Refused(RefusalClass.CONFLICT, f"the person already has {has.masked}")
        await self._ensure_in_inventory(order, location)
        wanted = await self._licence_for(order.licence, held)
        if held is not None and held == wanted:
            extension = order.extension or mapping.text_of(person, "extension")
            return await self._put(person, order.number, extension, licence=held)
        line = {"locationId": location.id, "phoneNumber": order.number.text}
        extension = order.extension or mapping.text_of(person, "extension")
        return await self._license(order.user_id, wanted, line, extension, instead_of=held)

    async def _location_for(self, person: Json, name: str | None, *, has_calling: bool) -> Location:
        """Where the line is to be, which somebody who has Calling cannot choose."""
        here = mapping.text_of(person, "locationId")
        if name is None:
            known = (await self._directory.locations()).get(here or "")
            if known is None:
                raise _refused(Reason.LOCATION_MISSING, "no location is stated for the person")
            return known
        location = await self._directory.location_named(name)
        if location is None:
            raise _refused(Reason.LOCATION_MISSING, f"there is no Calling location {name}")
        if has_calling and here is not None and here != location.id:
            raise _refused(
                Reason.UNSUPPORTED,
                f"the person calls from another location than {name}; by hand: {MOVE_PERSON}",
            )
        return location

    async def _ensure_in_inventory(self, order: AssignNumber, location: Location) -> None:
        row = await self._number(order.number)
        owner = row.get("owner") if row is not None else None
        if isinstance(owner, dict) and owner.get("id") != order.user_id:
            raise Refused(
                RefusalClass.CONFLICT,
                f"{order.number.masked} belongs to somebody else ({owner.get('type')})",
                reason=Reason.NUMBER_TAKEN,
            )
        place = row.get("location") if row is not None else None
        if isinstance(place, dict) and place.get("id") != location.id:
            raise Refused(
                RefusalClass.CONFLICT,
                f"{order.number.masked} is at the location {place.get('name')}, "
                f"not at {location.name}",
            )
        await self._check_manager(location)
        url = self._client.url(paths.numbers_of_location(location.id))
        if row is None:
            body = {"phoneNumbers": [order.number.text], "state": "ACTIVE"}
            await self._write("addNumbers", "POST", url, body)
            # A refusal can look like success here: only the list tells.
            if await self._number(order.number) is None:
                raise Refused(
                    RefusalClass.NOT_FOUND,
                    f"{order.number.masked} was added to {location.name} and is not listed there",
                    reason=Reason.NUMBER_NOT_IN_INVENTORY,
                )
        elif row.get("state") == "INACTIVE":
            body = {"phoneNumbers": [order.number.text], "action": "ACTIVATE"}
            await self._write("manageNumberState", "PUT", url, body)

    async def _check_manager(self, location: Location) -> None:
        manager = await self._directory.manager_of(location.id)
        if manager:
            raise _refused(
                Reason.UNSUPPORTED,
                f"the numbers of {location.name} are managed by {manager}; by hand: order and "
                "assign them there",
            )

    async def _unassign(self, order: UnassignNumber) -> Ended:
        row = await self._number(order.number)
        if row is None:
            return await self._unassign_unlisted(order)
        owner = row.get("owner")
        if not isinstance(owner, dict) or owner.get("id") != order.user_id:
            return Done()
        place = row.get("location")
        location_id = mapping.text_of(place, "id") if isinstance(place, dict) else None
        location = (await self._directory.locations()).get(location_id or "")
        if location is None:
            raise Unavailable("unassignNumber: the number's location is not known")
        await self._check_manager(location)
        if owner.get("type") != "PEOPLE":
            collection, _ = await self._service(order.user_id)
            await self._put_service(order.user_id, collection, location, "")
        else:
            await self._take_from_person(order.user_id)
        if row.get("mainNumber") is not True:
            await self._remove(order.number, location)
        return Done()

    async def _unassign_unlisted(self, order: UnassignNumber) -> Ended:
        """A list that does not show the number proves nothing: the person's own record does."""
        person = await self._client.read(
            "getPerson", paths.person(order.user_id), callingData="true"
        )
        if person is not None and mapping.work_number(person) == order.number:
            raise Unavailable(f"listNumbers does not show {order.number.masked}, which is in use")
        return Done()

    async def _take_from_person(self, person_id: str) -> None:
        person = await self._person(person_id)
        extension = mapping.text_of(person, "extension")
        held = await self._directory.licence_of(mapping.licence_ids(person))
        if extension is not None or held is None:
            await self._put(person, None, extension, licence=held)
        else:
            body = {
                "personId": person_id,
                "licenses": [{"id": held, "operation": "remove"}],
            }
            url = self._client.url(paths.LICENCES_OF_USERS)
            await self._write("assignLicences", "PATCH", url, body)

    async def _remove(self, number: E164, location: Location) -> None:
        """Out of the inventory: calls to it from within Webex must leave Webex. One by one, far
        below the five that one request may name.
        """
        url = self._client.url(paths.numbers_of_location(location.id))
        try:
            await self._write("removeNumbers", "DELETE", url, {"phoneNumbers": [number.text]})
        except (Refused, Throttled):
            # Nobody has it, which is what was asked for; unused, it stays where it was.
            return

    # --- settings ---

    async def _set(self, order: SetPolicy) -> Ended:
        if order.name is None:
            raise _refused(
                Reason.UNSUPPORTED, f"{order.policy_type} cannot be taken away by itself"
            )
        if order.policy_type == CALLER_ID.detail:
            body = {"selected": order.name}
            url = self._client.url(paths.caller_id(order.user_id))
            await self._write("configureCallerId", "PUT", url, body)
            return Done()
        if order.policy_type == OUTGOING.detail:
            return await self._permit(order.user_id, order.name)
        if order.policy_type not in (EXTENSION.detail, LICENCE.detail):
            raise Refused(
                RefusalClass.PRECONDITION,
                f"Webex has no setting {order.policy_type}",
                reason=Reason.POLICY_NOT_FOUND,
            )
        return await self._set_line(order, order.name)

    async def _permit(self, person_id: str, name: str) -> Ended:
        """Outgoing permissions of the person's own: read, changed in what is ours, written."""
        found = await self._client.read_first(
            "getPermissions", paths.outgoing_permissions(person_id)
        )
        if found is None:
            raise Refused(RefusalClass.NOT_READY, "Webex shows no outgoing permissions yet")
        path, shown = found
        restricted = mapping.restricted_types(shown)
        wanted = outgoing_actions(name)
        fixed = sorted(each for each in restricted if wanted.get(each) == "BLOCK")
        if fixed:
            text = f"Webex itself decides on {', '.join(fixed)} for this person"
            raise _refused(Reason.UNSUPPORTED, text)
        entries = [
            {
                "callType": call_type,
                "action": action,
                "transferEnabled": action == "ALLOW",
                "isCallTypeRestrictionEnabled": False,
            }
            for call_type, action in wanted.items()
            if call_type not in restricted
        ]
        body = {
            "useCustomEnabled": True,
            "useCustomPermissions": True,
            "callingPermissions": entries,
        }
        await self._write("configurePermissions", "PUT", self._client.url(path), body)
        return Done()

    async def _set_line(self, order: SetPolicy, name: str) -> Ended:
        """Extension or licence, of somebody who has Calling or is to get it without a number."""
        person = await self._person(order.user_id)
        held = await self._directory.licence_of(mapping.licence_ids(person))
        is_extension = order.policy_type == EXTENSION.detail
        extension = name if is_extension else order.extension
        extension = extension or mapping.text_of(person, "extension")
        number = mapping.work_number(person)
        if is_extension and held is not None:
            return await self._put(person, number, extension, licence=held)
        if number is None and extension is None:
            raise _refused(
                Reason.USER_NOT_LICENSED,
                "Webex gives a Calling licence only together with a number or an extension",
            )
        location = await self._location_for(person, order.location_id, has_calling=held is not None)
        wanted = await self._licence_for(order.licence if is_extension else name, held)
        line = {"locationId": location.id}
        if number is not None:
            line["phoneNumber"] = number.text
        return await self._license(order.user_id, wanted, line, extension, instead_of=held)

    async def _licence_for(self, name: str | None, held: str | None) -> str:
        """The id of the licence to have: the named one, else the one there is, else the usual."""
        if name is None and held is not None:
            return held
        found = await self._directory.licence_named(name or DEFAULT_LICENCE)
        if found is None:
            raise _refused(
                Reason.USER_NOT_LICENSED,
                f"the organisation has no Calling licence {short_licence(name or DEFAULT_LICENCE)}",
            )
        return found

    async def _license(
        self,
        person_id: str,
        licence: str,
        line: Mapping[str, str],
        extension: str | None,
        *,
        instead_of: str | None,
    ) -> Ended:
        properties = {**line, **({"extension": extension} if extension is not None else {})}
        entries: list[dict[str, Any]] = []
        if instead_of not in (None, licence):
            entries.append({"id": instead_of, "operation": "remove"})
        entries.append({"id": licence, "operation": "add", "properties": properties})
        answer = await self._write(
            "assignLicences",
            "PATCH",
            self._client.url(paths.LICENCES_OF_USERS),
            {"personId": person_id, "licenses": entries},
        )
        content = answer.json()
        if not isinstance(content, dict):
            raise OutcomeUnknown("assignLicences: the answer cannot be read")
        if licence in mapping.licence_ids(content):
            return Done()
        if licence in mapping.licence_ids(content, "pendingLicenses"):
            return Accepted(f"{LICENCE_OPERATION} {person_id} {licence}")
        # 206, or a 200 that is as partial: the licence was passed over.
        raise _refused(
            Reason.USER_NOT_LICENSED,
            f"the Calling licence was not given (answer {answer.status}); is one left?",
        )

    # --- requests ---

    async def _person(self, person_id: str) -> Json:
        person = await self._client.read("getPerson", paths.person(person_id), callingData="true")
        if person is None:
            raise Refused(
                RefusalClass.NOT_FOUND, "the person is gone", reason=Reason.USER_NOT_FOUND
            )
        return person

    async def _number(self, number: E164) -> Json | None:
        content = await self._client.read("listNumbers", paths.NUMBERS, phoneNumber=number.text)
        for item in (content or {}).get("phoneNumbers") or ():
            if isinstance(item, dict) and item.get("phoneNumber") == number.text:
                return item
        return None

    async def _put(
        self, person: Json, number: E164 | None, extension: str | None, *, licence: str | None
    ) -> Ended:
        """The whole person, with this number and extension. An error may have done it all the
        same, and a good answer may have left a licence out.
        """
        person_id = str(person["id"])
        url = self._client.url(paths.person(person_id), callingData="true")
        body = mapping.whole_person(person, number=number, extension=extension)
        try:
            answer = await self._write("updatePerson", "PUT", url, body)
        except Refused:
            after = await self._person(person_id)
            if _is_as_asked(after, number, extension, licence):
                return Done()
            raise
        content = answer.json()
        shown = mapping.licence_ids(content) if isinstance(content, dict) else ()
        if licence is not None and licence not in shown:
            raise _refused(
                Reason.USER_NOT_LICENSED, "the person has lost the Calling licence meanwhile"
            )
        return Done()

    async def _write(self, name: str, method: str, url: str, body: Mapping[str, Any]) -> Answer:
        try:
            answer = await self._client.write(name, method, url, body, deadline=self._deadline)
        except OutcomeUnknown:
            self._written += 1
            raise
        self._written += 1
        return answer


def _is_as_asked(
    person: Json, number: E164 | None, extension: str | None, licence: str | None
) -> bool:
    return (
        mapping.work_number(person) == number
        and mapping.text_of(person, "extension") == extension
        and (licence is None or licence in mapping.licence_ids(person))
    )


def _refused(reason: Reason, message: str) -> Refused:
    return Refused(RefusalClass.PRECONDITION, message, reason=reason)
