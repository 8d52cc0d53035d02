"""CallPrivilege: what people may dial, by kind of destination."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from callplane.apis import constraints, fields
from callplane.apis.call_terms import Hours
from callplane.apis.fields import Count
from callplane.apis.kinds import AGE, MESSAGE, READY_COLUMNS, Column, Kind
from callplane.apis.model import Model, Resource, Status
from callplane.apis.references import NamespaceConsent


class CallClass(StrEnum):
    """Kinds of destinations. Emergency and exempt numbers are in none: nothing ever blocks them."""

    GEOGRAPHIC = "Geographic"
    UK_WIDE = "UkWide"
    MOBILE = "Mobile"
    CROWN_DEPENDENCY = "CrownDependency"
    CORPORATE = "Corporate"
    VOIP = "Voip"
    PAGER = "Pager"
    PERSONAL = "Personal"
    FREEPHONE = "Freephone"
    SERVICE_CHARGE = "ServiceCharge"
    HIGHER_SERVICE_CHARGE = "HigherServiceCharge"
    PREMIUM = "Premium"
    DIRECTORY_ENQUIRIES = "DirectoryEnquiries"
    INTERNATIONAL = "International"
    SATELLITE = "Satellite"


class CallPrivilegeSpec(Model):
    """Which destinations are allowed, how dear, how many at once and when; all others are not."""

    invariants = (constraints.unique_entries("allowed_classes"),)

    allowed_classes: Annotated[
        tuple[CallClass, ...],
        Field(
            description=(
                "Destinations that may be called. Emergency and exempt numbers (999, 112, 18000, "
                "111, 101 and their like) may be called always."
            ),
            max_length=15,
            json_schema_extra=fields.LIST_SET,
        ),
    ] = ()
    max_price_per_minute: Annotated[
        fields.Amount | None,
        Field(description="Dearer calls are refused; in place of the account's limit."),
    ] = None
    concurrent_calls: Annotated[
        Count | None, Field(description="Calls at once.", ge=1, le=10_000)
    ] = None
    time_zone: Annotated[
        fields.TimeZone, Field(description="Where hours are. Default Europe/London.")
    ] = "Europe/London"
    hours: Annotated[
        tuple[Hours, ...],
        Field(description="When calls are allowed; always when empty.", max_length=16),
    ] = ()
    description: Annotated[fields.Text1024, Field(description="A note for humans.")] = ""
    allowed_namespaces: Annotated[
        tuple[NamespaceConsent, ...],
        Field(
            description="Other namespaces that may refer to this privilege; none when empty.",
            max_length=64,
        ),
    ] = ()


class CallPrivilegeStatus(Status):
    """Who has the privilege."""

    users: Annotated[Count | None, Field(description="People that name it.", ge=0)] = None


class CallPrivilege(Resource):
    """What people may dial, by kind of destination."""

    kind: str = "CallPrivilege"
    spec: CallPrivilegeSpec
    status: CallPrivilegeStatus = Field(default_factory=CallPrivilegeStatus)


KIND = Kind(
    name="CallPrivilege",
    plural="callprivileges",
    short_names=("cpr",),
    model=CallPrivilege,
    columns=(
        Column("Users", ".status.users", type="integer"),
        *READY_COLUMNS,
        MESSAGE,
        AGE,
    ),
)
