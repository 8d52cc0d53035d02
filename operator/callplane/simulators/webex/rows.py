"""What an organisation is made of: rows that never change, and how Webex writes them."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field

PEOPLE = "PEOPLE"
SERVICE_KINDS: Mapping[str, str] = {
    "autoAttendants": "AUTO_ATTENDANT",
    "queues": "CALL_QUEUE",
    "huntGroups": "HUNT_GROUP",
}
"""Owner types of services by the name of their collection."""

LOCAL_GATEWAY = "LOCAL_GATEWAY"
NON_INTEGRATED = "NON_INTEGRATED_CCP"
INTEGRATED = "INTEGRATED_CCP"
CISCO_PSTN = "CISCO_PSTN"
PSTN_TYPES = (LOCAL_GATEWAY, NON_INTEGRATED, INTEGRATED, CISCO_PSTN)
WRITABLE_PSTN_TYPES = frozenset({LOCAL_GATEWAY, NON_INTEGRATED})

PSTN_SERVICES = ("GEOGRAPHIC_NUMBERS", "TOLLFREE_NUMBERS", "SERVICE_NUMBERS", "MOBILE_NUMBERS")

CALL_TYPES = (
    "INTERNAL_CALL",
    "TOLL_FREE",
    "NATIONAL",
    "INTERNATIONAL",
    "OPERATOR_ASSISTED",
    "CHARGEABLE_DIRECTORY_ASSISTED",
    "SPECIAL_SERVICES_I",
    "SPECIAL_SERVICES_II",
    "PREMIUM_SERVICES_I",
    "PREMIUM_SERVICES_II",
)
BLOCKED_CALL_TYPES = frozenset({"INTERNATIONAL", "PREMIUM_SERVICES_I", "PREMIUM_SERVICES_II"})

NO_TEXTS: Mapping[str, str] = {}


def webex_id(kind: str, guid: str) -> str:
    """An id as the API shows it: base64 of an address, without padding."""
    address = f"ciscospark://us/{kind}/{guid}".encode("ascii")
    return base64.b64encode(address).rstrip(b"=").decode("ascii")


@dataclass(frozen=True, slots=True)
class Owner:
    """Whoever a number belongs to. The names are of the moment it was given."""

    id: str
    type: str = PEOPLE
    first_name: str = ""
    last_name: str = ""

    def document(self) -> dict[str, object]:
        """As the list of numbers has it."""
        return {
            "id": self.id,
            "type": self.type,
            "firstName": self.first_name,
            "lastName": self.last_name,
        }


@dataclass(frozen=True, slots=True)
class NumberRow:
    """A number of the inventory. `category` is PRIMARY or ALTERNATE once somebody has it."""

    number: str
    location_id: str
    state: str = "ACTIVE"
    owner: Owner | None = None
    category: str = "PRIMARY"
    extension: str | None = None
    is_toll_free: bool = False
    is_mobile: bool = False
    is_service: bool = False
    is_reserved: bool = False
    elin_enabled: bool = False
    emergency_address: Mapping[str, str] | None = None
    """None: the location's own."""


@dataclass(frozen=True, slots=True)
class EmergencyChoice:
    """Whose number an emergency call back rings: `selected` is the vendor's word."""

    selected: str
    member_id: str | None = None


@dataclass(frozen=True, slots=True)
class Permissions:
    """Outgoing permissions of a person or location. `calls` holds what differs from the default:
    (action, transfer enabled) by call type; `restricted` types nobody may change.
    """

    uses_custom: bool = False
    uses_custom_permissions: bool = False
    calls: Mapping[str, tuple[str, bool]] = field(default_factory=dict)
    restricted: frozenset[str] = frozenset()
    uses_patterns: bool = False
    patterns: Mapping[str, Mapping[str, object]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LocationRow:
    """A place; everything behind `is_calling` counts only once Calling is enabled there.

    `pstn_type` None has no PSTN yet. `is_externally_managed` is a provider's own management of the
    numbers, whatever the type.
    """

    id: str
    name: str
    address: Mapping[str, str]
    time_zone: str = "Europe/London"
    language: str = "en_gb"
    is_calling: bool = True
    pstn_type: str | None = LOCAL_GATEWAY
    pstn_id: str | None = None
    pstn_name: str = "Premises"
    route_type: str | None = None
    route_id: str | None = None
    is_externally_managed: bool = False
    main_number: str | None = None
    routing_prefix: str | None = None
    outside_dial_digit: str | None = None
    e911_setup_required: bool = False
    emergency: EmergencyChoice = EmergencyChoice("LOCATION_NUMBER")
    emergency_address: Mapping[str, str] | None = None
    emergency_address_id: str | None = None
    permissions: Permissions = Permissions()
    custom: Mapping[str, object] = field(default_factory=dict)
    """Further attributes of Calling, kept as they were sent."""

    @property
    def country(self) -> str:
        """ISO country of its address."""
        return self.address.get("country", "")

    def document(self, organisation_id: str) -> dict[str, object]:
        """As `/locations` shows it."""
        return {
            "id": self.id,
            "name": self.name,
            "orgId": organisation_id,
            "timeZone": self.time_zone,
            "preferredLanguage": self.language,
            "announcementLanguage": self.language,
            "address": dict(self.address),
        }

    def calling_document(self) -> dict[str, object]:
        """As `/telephony/config/locations/{id}` shows it."""
        connection = None
        if self.route_type is not None:
            connection = {"type": self.route_type, "id": self.route_id}
        document: dict[str, object] = {
            "id": self.id,
            "name": self.name,
            "announcementLanguage": self.language,
            "callingLineId": {"name": self.name, "phoneNumber": self.main_number},
            "connection": connection,
            "userLimit": 200_000,
            "outsideDialDigit": self.outside_dial_digit,
            "enforceOutsideDialDigit": False,
            "routingPrefix": self.routing_prefix,
            "e911SetupRequired": self.e911_setup_required,
        }
        return {**document, **self.custom}


@dataclass(frozen=True, slots=True)
class PersonRow:
    """A person. Numbers are held by number rows; `number` repeats the primary one."""

    id: str
    email: str
    display_name: str
    first_name: str = ""
    last_name: str = ""
    licences: tuple[str, ...] = ()
    location_id: str | None = None
    number: str | None = None
    alternates: tuple[str, ...] = ()
    extension: str | None = None
    roles: tuple[str, ...] = ()
    created: str = ""
    last_modified: str = ""
    has_sip_address: bool = True
    extra: Mapping[str, object] = field(default_factory=dict)
    """Department, manager and the like, kept as they were sent."""
    permissions: Permissions = Permissions()
    caller_id: Mapping[str, object] = field(default_factory=dict)
    emergency: EmergencyChoice = EmergencyChoice("DIRECT_LINE")
    rings_distinctively: bool = False

    def owner(self) -> Owner:
        """Who stands behind the person's numbers."""
        return Owner(self.id, PEOPLE, self.first_name, self.last_name)


@dataclass(frozen=True, slots=True)
class LicenceRow:
    """A licence of the subscription. `kind` is what this world's rules know it as.

    Kinds: professional, standard, attendant, messaging, workspaces.
    """

    id: str
    name: str
    kind: str
    total_units: int = 1_000_000
    subscription_id: str = "Sub000001"
    is_implicit: bool = False

    @property
    def is_calling(self) -> bool:
        """Whether it makes a person a user of Calling."""
        return self.kind in ("professional", "standard")


@dataclass(frozen=True, slots=True)
class ServiceRow:
    """An auto attendant, queue or hunt group. `collection` is a key of `SERVICE_KINDS`."""

    id: str
    collection: str
    name: str
    location_id: str
    number: str | None = None
    extension: str | None = None
    body: Mapping[str, object] = field(default_factory=dict)
    """The rest, kept as it was sent."""

    def owner(self) -> Owner:
        """Who stands behind the service's number."""
        return Owner(self.id, SERVICE_KINDS[self.collection], self.name, ".")


@dataclass(frozen=True, slots=True)
class TrunkRow:
    """A trunk of a local gateway."""

    id: str
    name: str
    location_id: str
    trunk_type: str = "CERTIFICATE_BASED"
    body: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PstnOption:
    """A provider of PSTN that locations can be connected to."""

    id: str
    name: str
    pstn_type: str
    services: tuple[str, ...] = PSTN_SERVICES
