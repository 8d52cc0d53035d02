"""What kinds of people and of platforms differ in, as data: the rest of a pass is one for all.

A person is declared on a connection to a platform. Which field names the connection, how the spec
calls the person and which routes fit is told here; what a line of theirs looks like is told by the
module of the kind (`teams_users`, `webex_users`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeGuard

from callplane.apis.carriers import Carrier
from callplane.apis.number_ranges import Route
from callplane.apis.pbx_trunks import PbxTrunk
from callplane.apis.references import ObjectRef, SecretKeyRef
from callplane.apis.service_lines import ServiceLine
from callplane.apis.session_border_controllers import SessionBorderController
from callplane.apis.sip_phones import SipPhone
from callplane.apis.teams_tenants import TeamsTenant
from callplane.apis.teams_users import TeamsUser
from callplane.apis.webex_organizations import WebexOrganization
from callplane.apis.webex_users import WebexUser
from callplane.desired import sip_lines, teams_users, webex_users
from callplane.resources.lines import NumberType
from callplane.resources.webex import service_key
from callplane.values import ConnectionId, ObjectKey, Platform

#: Whoever declares a line; a service is worked like a person.
PersonObject = TeamsUser | WebexUser | SipPhone | ServiceLine
#: Everything that numbers are claimed for: a PBX has many, and is worked in a way of its own.
LineObject = PersonObject | PbxTrunk
PlatformObject = TeamsTenant | WebexOrganization | SessionBorderController

PERSON_KINDS = ("TeamsUser", "WebexUser", "SipPhone", "ServiceLine")
LINE_KINDS = (*PERSON_KINDS, "PbxTrunk")
PLATFORM_KINDS = ("TeamsTenant", "WebexOrganization", "SessionBorderController")


@dataclass(frozen=True, slots=True)
class PlatformWords:
    """How messages call a platform (`Teams`), a connection to it and its kind."""

    name: str
    connection: str
    kind: str


WORDS: Mapping[Platform, PlatformWords] = {
    Platform.TEAMS: PlatformWords("Teams", "tenant", "TeamsTenant"),
    Platform.WEBEX: PlatformWords("Webex", "organisation", "WebexOrganization"),
    Platform.SIP: PlatformWords("the SBC", "SBC", "SessionBorderController"),
}

#: How a platform knows the numbers of a route; a route that is absent cannot be used there.
NUMBER_TYPES: Mapping[Platform, Mapping[Route, NumberType]] = {
    Platform.TEAMS: teams_users.NUMBER_TYPES_IN_TEAMS,
    Platform.WEBEX: webex_users.NUMBER_TYPES_IN_WEBEX,
    Platform.SIP: sip_lines.NUMBER_TYPES_AT_SBC,
}


def is_person(resource: object) -> TypeGuard[PersonObject]:
    """Does the object declare a person or a service?"""
    return isinstance(resource, TeamsUser | WebexUser | SipPhone | ServiceLine)


def is_line(resource: object) -> TypeGuard[LineObject]:
    """Does the object declare whoever has numbers: a person, a service or a PBX?"""
    return is_person(resource) or isinstance(resource, PbxTrunk)


def is_platform(resource: object) -> TypeGuard[PlatformObject]:
    """Is the object a connection to a calling platform?"""
    return isinstance(resource, TeamsTenant | WebexOrganization | SessionBorderController)


def connection_of(user: LineObject) -> tuple[str, ObjectRef]:
    """Kind and reference of the connection that a person is declared on."""
    if isinstance(user, TeamsUser):
        return "TeamsTenant", user.spec.tenant_ref
    if isinstance(user, WebexUser):
        return "WebexOrganization", user.spec.organization_ref
    if isinstance(user, SipPhone | PbxTrunk):
        return "SessionBorderController", user.spec.sbc_ref
    if user.spec.teams is not None:
        return "TeamsTenant", user.spec.teams.tenant_ref
    if user.spec.webex is not None:
        return "WebexOrganization", user.spec.webex.organization_ref
    assert user.spec.sip is not None, "a service has one of the three"
    return "SessionBorderController", user.spec.sip.sbc_ref


def connection_key(user: LineObject, *, namespace: str) -> ObjectKey:
    """The same as a key; `namespace` is the person's own."""
    kind, reference = connection_of(user)
    return ObjectKey(kind, reference.namespace or namespace, reference.name)


def person_key(user: PersonObject) -> str:
    """What the spec calls the person: an id, or a name in lower case."""
    if isinstance(user, TeamsUser):
        return teams_users.person_key(user.spec)
    if isinstance(user, WebexUser):
        return webex_users.person_key(user.spec)
    if isinstance(user, SipPhone):
        return sip_lines.phone_key(user.spec.username)
    if user.spec.teams is not None:
        return user.spec.teams.user_principal_name.lower()
    if user.spec.webex is not None:
        return service_key(user.spec.webex.service.value, user.spec.webex.name)
    assert user.spec.sip is not None, "a service has one of the three"
    return user.spec.sip.uri


def system_of(platform: PlatformObject) -> ConnectionId:
    """The external system that the object stands for."""
    if isinstance(platform, TeamsTenant):
        return ConnectionId(Platform.TEAMS.value, platform.spec.tenant_id)
    if isinstance(platform, SessionBorderController):
        return ConnectionId(Platform.SIP.value, platform.spec.domain)
    return ConnectionId(Platform.WEBEX.value, platform.spec.org_id)


def carrier_system(carrier: Carrier) -> ConnectionId:
    """The account that the object stands for, under the name by which the registry knows its
    provider.
    """
    return ConnectionId(carrier.spec.type.value.lower(), carrier.spec.account)


def secret_refs(platform: PlatformObject) -> list[SecretKeyRef]:
    """The Secrets that the credentials name."""
    if isinstance(platform, WebexOrganization):
        app = platform.spec.credentials.service_app
        return [app.client_secret_ref, app.refresh_token_ref]
    if isinstance(platform, SessionBorderController):
        return []
    credentials = platform.spec.credentials
    if credentials.client_secret is not None:
        return [credentials.client_secret.secret_ref]
    if credentials.certificate is not None:
        passphrase = credentials.certificate.passphrase_ref
        return [credentials.certificate.secret_ref, *([passphrase] if passphrase else [])]
    return []
