"""References between objects, to Secrets and to connections, and the consent that others need."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from callplane.apis import constraints, fields
from callplane.apis.constraints import Constraint
from callplane.apis.model import Model


class ManagementPolicy(StrEnum):
    """Whether we write. Observe plans and reports only."""

    OBSERVE = "Observe"
    MANAGE = "Manage"


class ConnectionKind(StrEnum):
    """The kinds that stand for an external system."""

    TEAMS_TENANT = "TeamsTenant"
    CARRIER = "Carrier"
    WEBEX_ORGANIZATION = "WebexOrganization"
    SESSION_BORDER_CONTROLLER = "SessionBorderController"


class ObjectRef(Model):
    """An object by name; one of another namespace must consent (its `allowedNamespaces`)."""

    name: Annotated[fields.DnsName, Field(description="Name of the object.")]
    namespace: Annotated[
        fields.DnsLabel | None,
        Field(description="Its namespace; this object's own when left out."),
    ] = None


class SecretKeyRef(Model):
    """One key of a Secret in the object's own namespace."""

    name: Annotated[fields.DnsName, Field(description="Name of the Secret.")]
    key: Annotated[fields.SecretKey, Field(description="Key in the Secret's data.")]


class ConnectionRef(Model):
    """A connection in the object's own namespace: authority over it is RBAC in that namespace."""

    kind: Annotated[ConnectionKind, Field(description="Kind of the connection.")]
    name: Annotated[fields.DnsName, Field(description="Name of the connection.")]


class NamespaceSelector(Model):
    """Namespaces by their labels; without labels, every namespace."""

    invariants = (constraints.well_formed_keys("match_labels"),)

    match_labels: Annotated[
        dict[fields.TagKey, fields.Text64],
        Field(description="Labels that a namespace must all have.", max_length=16),
    ] = Field(default_factory=dict)


class NamespaceConsent(Model):
    """Namespaces whose objects may refer to this one."""

    invariants = (constraints.exactly_one("name", "selector"),)

    name: Annotated[fields.DnsLabel | None, Field(description="One namespace by name.")] = None
    selector: Annotated[
        NamespaceSelector | None,
        Field(description="Namespaces by label; an empty selector means every namespace."),
    ] = None

    def admits(self, namespace: str, labels: Mapping[str, str]) -> bool:
        """Does this entry let in objects of a namespace that has these labels?"""
        if self.selector is None:
            return self.name == namespace
        return all(labels.get(key) == value for key, value in self.selector.match_labels.items())


class PeopleFilter(Model):
    """Which people a namespace may declare, by the domain of their name.

    Groups are refused rather than passed over: nobody looks memberships up, and a filter that is
    not applied is worse than none.
    """

    invariants = (
        Constraint(
            cel="!has(self.groupIds) || size(self.groupIds) == 0",
            message=(
                "memberships of directory groups are not looked up; admit people by upnSuffixes"
            ),
            field_path=".groupIds",
            check=lambda people: not people.group_ids,
        ),
        Constraint(
            cel=(
                "(has(self.upnSuffixes) && size(self.upnSuffixes) > 0)"
                " || (has(self.groupIds) && size(self.groupIds) > 0)"
            ),
            message="upnSuffixes must have an entry",
            check=lambda people: bool(people.upn_suffixes or people.group_ids),
        ),
        constraints.unique_entries("upn_suffixes"),
        constraints.unique_entries("group_ids"),
    )

    upn_suffixes: Annotated[
        tuple[fields.UpnSuffix, ...],
        Field(
            description="Domains of user principal names, like example.com.",
            max_length=64,
            json_schema_extra=fields.LIST_SET,
        ),
    ] = ()
    group_ids: Annotated[
        tuple[fields.Guid, ...],
        Field(
            description="Refused: memberships of directory groups are not looked up.",
            max_length=64,
            json_schema_extra=fields.LIST_SET,
        ),
    ] = ()

    def admits_name(self, user_principal_name: str) -> bool:
        """Does the domain of the name match an entry? Subdomains do not."""
        domain = user_principal_name.rpartition("@")[2].casefold()
        return any(domain == suffix.removeprefix("@").casefold() for suffix in self.upn_suffixes)


class ConnectionConsent(NamespaceConsent):
    """Namespaces that may use this connection, and for which people."""

    users: Annotated[
        PeopleFilter | None,
        Field(description="Limits which people the namespace may declare; everyone if left out."),
    ] = None
