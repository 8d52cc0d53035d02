"""From Webex's documents to our rows. Pure; a row that cannot be read is None and is counted."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from callplane.resources.lines import NumberType, PolicyOnLine
from callplane.resources.platforms import (
    AccountType,
    CallingConfiguration,
    NumberOnPlatform,
    Person,
)
from callplane.resources.webex import (
    CALLER_ID,
    EXTENSION,
    LICENCE,
    OUTGOING,
    UNLISTED,
    outgoing_name,
    service_key,
)
from callplane.values import E164

Json = Mapping[str, Any]

#: Who connects a location to the telephone network and lets others write its numbers.
WRITABLE_PSTN = frozenset({"LOCAL_GATEWAY", "NON_INTEGRATED_CCP"})
# Fields of a person that the system sets by itself; the rest is sent back whole.
_READ_ONLY = frozenset(
    {
        "id",
        "created",
        "lastModified",
        "lastActivity",
        "status",
        "invitePending",
        "loginEnabled",
        "type",
        "sipAddresses",
        "timezone",
        "xmppFederationJid",
        "userName",
    }
)


@dataclass(frozen=True, slots=True)
class Location:
    """A Calling location. `managed_by` names whoever else manages its numbers, empty: nobody."""

    id: str
    name: str
    managed_by: str = ""


def person(item: Json) -> Person | None:
    """A person of the directory."""
    person_id, emails = item.get("id"), item.get("emails")
    first = emails[0] if isinstance(emails, list) and emails else None
    if not isinstance(person_id, str) or not person_id or not isinstance(first, str):
        return None
    return Person(person_id, first.lower())


def service(item: Json, kind: str) -> Person | None:
    """A service of a listing, named as a ServiceLine names it."""
    service_id, name = text_of(item, "id"), text_of(item, "name")
    if service_id is None or name is None:
        return None
    return Person(service_id, service_key(kind, name))


def number(item: Json, locations: Mapping[str, Location]) -> NumberOnPlatform | None:
    """A number of the inventory. Rows with an extension alone have an empty number: see
    `is_extension_only`.
    """
    text, place = item.get("phoneNumber"), item.get("location")
    if not isinstance(text, str) or not isinstance(place, dict):
        return None
    try:
        parsed = E164(text)
    except ValueError:
        return None
    owner = item.get("owner")
    owner_id = owner.get("id") if isinstance(owner, dict) else None
    if owner is not None and not isinstance(owner_id, str):
        return None
    known = locations.get(str(place.get("id")))
    is_for_people = not any(
        item.get(flag) is True for flag in ("isReservedNumber", "isServiceNumber", "tollFreeNumber")
    )
    return NumberOnPlatform(
        parsed,
        NumberType.WEBEX,
        holder_id=owner_id,
        held_by_user=owner is None or owner.get("type") == "PEOPLE",
        location_id=known.name if known is not None else str(place.get("name") or "") or None,
        assignable_to_users=is_for_people,
        is_primary=item.get("phoneNumberType") != "ALTERNATE",
        managed_by=known.managed_by if known is not None else "",
    )


def is_extension_only(item: object) -> bool:
    """A row of the inventory that is no number."""
    return isinstance(item, dict) and item.get("phoneNumber") == ""


def configuration(item: Json, *, licence: str | None) -> CallingConfiguration | None:
    """What a person has in Calling, as far as lists of people tell. `licence` is the short name of
    the Calling licence.
    """
    person_id = item.get("id")
    if not isinstance(person_id, str) or not person_id:
        return None
    policies = []
    if licence is not None:
        policies.append((LICENCE.detail, PolicyOnLine(licence)))
    extension = item.get("extension")
    if isinstance(extension, str) and extension:
        policies.append((EXTENSION.detail, PolicyOnLine(extension)))
    primary = work_number(item)
    account = AccountType.USER if item.get("type", "person") == "person" else AccountType.OTHER
    return CallingConfiguration(
        person_id,
        account_type=account,
        phone_system_ready=licence is not None,
        enterprise_voice=primary is not None,
        numbers=(primary,) if primary is not None else (),
        policies=tuple(policies),
        unlisted=UNLISTED if licence is not None else frozenset(),
    )


def work_number(item: Json) -> E164 | None:
    """The primary number of a person's document."""
    for phone in _list(item, "phoneNumbers"):
        if isinstance(phone, dict) and phone.get("type") == "work":
            try:
                return E164(str(phone.get("value")))
            except ValueError:
                return None
    return None


def caller_id(item: Json) -> tuple[str, PolicyOnLine] | None:
    """What people who are called see."""
    selected = item.get("selected")
    if not isinstance(selected, str) or not selected:
        return None
    return CALLER_ID.detail, PolicyOnLine(selected)


def outgoing(item: Json) -> tuple[str, PolicyOnLine] | None:
    """What a person may dial by permissions of their own; None where those of the location count.

    What the system itself decides is left out: it is not ours to fight about.
    """
    if item.get("useCustomEnabled") is not True:
        return None
    actions = {
        entry["callType"]: entry["action"]
        for entry in _list(item, "callingPermissions")
        if isinstance(entry, dict)
        and isinstance(entry.get("callType"), str)
        and isinstance(entry.get("action"), str)
        and entry.get("isCallTypeRestrictionEnabled") is not True
    }
    return OUTGOING.detail, PolicyOnLine(outgoing_name(actions))


def restricted_types(item: Json) -> frozenset[str]:
    """Call types that the system decides on."""
    return frozenset(
        str(entry.get("callType"))
        for entry in _list(item, "callingPermissions")
        if isinstance(entry, dict) and entry.get("isCallTypeRestrictionEnabled") is True
    )


def whole_person(item: Json, *, number: E164 | None, extension: str | None) -> dict[str, Any]:
    """The body of a PUT: all of a person, with this primary number and this extension."""
    body = {name: value for name, value in item.items() if name not in _READ_ONLY}
    others = [
        phone
        for phone in _list(item, "phoneNumbers")
        if isinstance(phone, dict) and phone.get("type") not in ("work", "work_extension")
    ]
    work = [{"type": "work", "value": number.text}] if number is not None else []
    body["phoneNumbers"] = [*work, *others]
    body.pop("extension", None)
    if extension is not None:
        body["extension"] = extension
    return body


def text_of(item: Json, name: str) -> str | None:
    value = item.get(name)
    return value if isinstance(value, str) and value else None


def licence_ids(item: Json, name: str = "licenses") -> tuple[str, ...]:
    return tuple(each for each in _list(item, name) if isinstance(each, str))


def organisation_guid(webex_id: object) -> str:
    """The plain id within an id of the API (base64 of ciscospark://…/ORGANIZATION/<guid>)."""
    if not isinstance(webex_id, str):
        return ""
    try:
        padded = webex_id + "=" * (-len(webex_id) % 4)
        address = base64.b64decode(padded, altchars=b"-_").decode("utf-8")
    except (binascii.Error, ValueError):
        return webex_id.lower()
    return address.rpartition("/")[2].lower()


def _list(item: Json, name: str) -> Sequence[Any]:
    value = item.get(name)
    return value if isinstance(value, list) else ()
