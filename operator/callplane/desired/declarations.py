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
from callplane.apis.references import ObjectRef, SecretKeyRef
from callplane.apis.service_lines import ServiceLine
from callplane.apis.teams_tenants import TeamsTenant
from callplane.apis.teams_users import TeamsUser
from callplane.apis.webex_organizations import WebexOrganization
from callplane.apis.webex_users import WebexUser
from callplane.desired import teams_users, webex_users
from callplane.resources.lines import NumberType
from callplane.resources.webex import service_key
from callplane.values import ConnectionId, ObjectKey, Platform

#: Whoever declares a line; a service is worked like a person.
PersonObject = TeamsUser | WebexUser | ServiceLine
PlatformObject = TeamsTenant | WebexOrganization

PERSON_KINDS = ("TeamsUser", "WebexUser", "ServiceLine")
PLATFORM_KINDS = ("TeamsTenant", "WebexOrganization")


@dataclass(frozen=True, slots=True)
class PlatformWords:
    """How messages call a platform (`Teams`), a connection to it and its kind."""

    name: str
    connection: str
    kind: str


WORDS: Mapping[Platform, PlatformWords] = {
    Platform.TEAMS: PlatformWords("Teams", "tenant", "TeamsTenant"),
    Platform.WEBEX: PlatformWords("Webex", "organisation", "WebexOrganization"),
}

#: How a platform knows the numbers of a route; a route that is absent cannot be used there.
NUMBER_TYPES: Mapping[Platform, Mapping[Route, NumberType]] = {
    Platform.TEAMS: teams_users.NUMBER_TYPES_IN_TEAMS,
    Platform.WEBEX: webex_users.NUMBER_TYPES_IN_WEBEX,
}


def is_person(resource: object) -> TypeGuard[PersonObject]:
    """Does the object declare a person or a service?"""
    return isinstance(resource, TeamsUser | WebexUser | ServiceLine)


def is_platform(resource: object) -> TypeGuard[PlatformObject]:
    """Is the object a connection to a calling platform?"""
    return isinstance(resource, TeamsTenant | WebexOrganization)


def connection_of(user: PersonObject) -> tuple[str, ObjectRef]:
    """Kind and reference of the connection that a person is declared on."""
    if isinstance(user, TeamsUser):
        return "TeamsTenant", user.spec.tenant_ref
    if isinstance(user, WebexUser):
        return "WebexOrganization", user.spec.organization_ref
    if user.spec.teams is not None:
        return "TeamsTenant", user.spec.teams.tenant_ref
    assert user.spec.webex is not None, "a service has one of the two"
    return "WebexOrganization", user.spec.webex.organization_ref


def connection_key(user: PersonObject, *, namespace: str) -> ObjectKey:
    """The same as a key; `namespace` is the person's own."""
    kind, reference = connection_of(user)
    return ObjectKey(kind, reference.namespace or namespace, reference.name)


def person_key(user: PersonObject) -> str:
    """What the spec calls the person: an id, or a name in lower case."""
    if isinstance(user, TeamsUser):
        return teams_users.person_key(user.spec)
    if isinstance(user, WebexUser):
        return webex_users.person_key(user.spec)
    if user.spec.teams is not None:
        return user.spec.teams.user_principal_name.lower()
    assert user.spec.webex is not None, "a service has one of the two"
    return service_key(user.spec.webex.service.value, user.spec.webex.name)


def system_of(platform: PlatformObject) -> ConnectionId:
    """The external system that the object stands for."""
    if isinstance(platform, TeamsTenant):
        return ConnectionId(Platform.TEAMS.value, platform.spec.tenant_id)
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
    credentials = platform.spec.credentials
    if credentials.client_secret is not None:
        return [credentials.client_secret.secret_ref]
    if credentials.certificate is not None:
        passphrase = credentials.certificate.passphrase_ref
        return [credentials.certificate.secret_ref, *([passphrase] if passphrase else [])]
    return []
