"""SipPhone: a phone that registers at the SBC, with its digest credentials and its number."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from callplane.apis import constraints, fields
from callplane.apis.call_terms import (
    PLAN_NEEDS_ACCOUNT,
    AccountRef,
    CallingPlanRef,
    CallPrivilegeRef,
)
from callplane.apis.drift import DriftOfHolder
from callplane.apis.fields import Flag
from callplane.apis.kinds import AGE, MESSAGE, READY_COLUMNS, Column, Kind
from callplane.apis.model import Model, Resource, Status
from callplane.apis.references import ConnectionRef, ManagementPolicy, ObjectRef, SecretKeyRef
from callplane.apis.teams_users import NumberOnUser, OnDelete, PhoneNumberSource


class SipCredentials(Model):
    """What the phone proves itself by. Neither ever leaves the Secret but towards the SBC."""

    invariants = (constraints.exactly_one("password_ref", "digest_ref"),)

    password_ref: Annotated[
        SecretKeyRef | None, Field(description="The password that is typed into the phone.")
    ] = None
    digest_ref: Annotated[
        SecretKeyRef | None,
        Field(description="MD5 of username:domain:password, 32 hexadecimal digits."),
    ] = None


class SipPhoneSpec(Model):
    """A phone and what it should have. A number that is left out is not managed."""

    invariants = (
        constraints.immutable("sbc_ref"),
        constraints.immutable("username"),
        PLAN_NEEDS_ACCOUNT,
    )

    sbc_ref: Annotated[
        ObjectRef,
        Field(description="The SessionBorderController that it registers at. Immutable."),
    ]
    username: Annotated[
        fields.SipName,
        Field(description="Its user name in the domain of the SBC. Immutable."),
    ]
    credentials: Annotated[
        SipCredentials, Field(description="What the phone proves itself by, in a Secret.")
    ]
    phone_number: Annotated[
        PhoneNumberSource | None,
        Field(description="The phone's number. Left out: shown, never changed."),
    ] = None
    emergency_location_ref: Annotated[
        ObjectRef | None,
        Field(description="Where the phone is, for emergency calls; else as the range says."),
    ] = None
    account_ref: AccountRef = None
    calling_plan_ref: CallingPlanRef = None
    call_privilege_ref: CallPrivilegeRef = None
    on_delete: Annotated[
        OnDelete,
        Field(
            description=(
                "When the object is deleted: Quarantine takes the number away and lets it rest; "
                "Detach leaves everything as it is."
            )
        ),
    ] = OnDelete.QUARANTINE
    management_policy: Annotated[
        ManagementPolicy, Field(description="Manage writes; Observe only plans and reports.")
    ] = ManagementPolicy.MANAGE
    suspend: Annotated[Flag, Field(description="Stops all changes of this phone.")] = False


class SipPhoneStatus(Status):
    """What the phone has."""

    connection: Annotated[
        ConnectionRef | None, Field(description="The connection that works this object.")
    ] = None
    holder_id: Annotated[
        fields.Text256 | None, Field(description="How the register calls the phone.")
    ] = None
    phone_number: Annotated[
        NumberOnUser | None, Field(description="The number that the phone has.")
    ] = None
    drift: DriftOfHolder = ()


class SipPhone(Resource):
    """A phone that registers at the SBC, and the number it has."""

    kind: str = "SipPhone"
    spec: SipPhoneSpec
    status: SipPhoneStatus = Field(default_factory=SipPhoneStatus)


KIND = Kind(
    name="SipPhone",
    plural="sipphones",
    short_names=("sph",),
    model=SipPhone,
    columns=(
        Column("User", ".spec.username"),
        Column("Number", ".status.phoneNumber.e164"),
        *READY_COLUMNS,
        Column("Synced", '.status.conditions[?(@.type=="Synced")].status', priority=1),
        MESSAGE,
        AGE,
    ),
)
