"""Every path of the Webex API that we use, because the vendor moves them now and then."""

from __future__ import annotations

from urllib.parse import quote

PEOPLE = "/people"
ME = "/people/me"
LICENCES = "/licenses"
LICENCES_OF_USERS = "/licenses/users"
NUMBERS = "/telephony/config/numbers"
LOCATIONS = "/telephony/config/locations"
ACCESS_TOKEN = "/access_token"


def person(person_id: str) -> str:
    return f"{PEOPLE}/{_key(person_id)}"


def licence(licence_id: str) -> str:
    return f"{LICENCES}/{_key(licence_id)}"


def numbers_of_location(location_id: str) -> str:
    return f"{LOCATIONS}/{_key(location_id)}/numbers"


def pstn_connection(location_id: str) -> str:
    return f"/telephony/pstn/locations/{_key(location_id)}/connection"


def services(collection: str) -> str:
    return f"/telephony/config/{collection}"


def service(location_id: str, collection: str, service_id: str) -> str:
    return f"{LOCATIONS}/{_key(location_id)}/{collection}/{_key(service_id)}"


def caller_id(person_id: str) -> str:
    return f"/people/{_key(person_id)}/features/callerId"


def outgoing_permissions(person_id: str) -> tuple[str, str]:
    """The path of today and the one before: which of them an organisation has is not published."""
    key = _key(person_id)
    return (
        f"/telephony/config/people/{key}/outgoingPermission",
        f"/people/{key}/features/outgoingPermission",
    )


def _key(text: str) -> str:
    return quote(text, safe="")
