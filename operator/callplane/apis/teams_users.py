"""TeamsUser: a person in Teams, the number they have and the policies that apply to them."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from callplane.apis import constraints, fields
from callplane.apis.call_terms import (
    PLAN_NEEDS_ACCOUNT,
    AccountRef,
    CallingPlanRef,
    CallPrivilegeRef,
)
from callplane.apis.drift import Drift as Drift
from callplane.apis.drift import DriftOfHolder
from callplane.apis.fields import Flag
from callplane.apis.kinds import AGE, MESSAGE, READY_COLUMNS, Column, Kind
from callplane.apis.model import Model, Resource, Status
from callplane.apis.number_ranges import Route
from callplane.apis.references import ConnectionRef, ManagementPolicy, ObjectRef
from callplane.apis.teams_tenants import PolicyAssignment


class OnDelete(StrEnum):
    """What becomes of the number when the object is deleted."""

    QUARANTINE = "Quarantine"
    DETACH = "Detach"


class PolicyOrigin(StrEnum):
    """Where an effective policy comes from."""

    DIRECT = "Direct"
    GROUP = "Group"
    GLOBAL = "Global"


class NoNumber(Model):
    """Says that a person has no number. An empty object: `none: {}`."""


class PhoneNumberSource(Model):
    """Where a person's number comes from; exactly one of its fields is set."""

    invariants = (constraints.exactly_one("range_ref", "phone_number_ref", "e164", "none"),)

    range_ref: Annotated[
        ObjectRef | None,
        Field(
            description=(
                "The next free number of a NumberRange; a number of it that the person already "
                "has is kept."
            )
        ),
    ] = None
    phone_number_ref: Annotated[
        ObjectRef | None, Field(description="The number of a PhoneNumber.")
    ] = None
    e164: Annotated[
        fields.E164Text | None,
        Field(description="This number; a NumberRange or PhoneNumber must hold it and consent."),
    ] = None
    none: Annotated[
        NoNumber | None,
        Field(description="No number: one that the person has is taken away and rests."),
    ] = None


class TeamsUserSpec(Model):
    """A person and what they should have. What is left out is not managed."""

    invariants = (
        constraints.exactly_one("user_principal_name", "user_id"),
        constraints.immutable("tenant_ref"),
        constraints.immutable("user_id", optional=True),
        constraints.unique_entries("policies", key="type"),
        PLAN_NEEDS_ACCOUNT,
    )

    tenant_ref: Annotated[
        ObjectRef, Field(description="The TeamsTenant that the person is in. Immutable.")
    ]
    user_principal_name: Annotated[
        fields.UserName | None,
        Field(
            description=(
                "The person's user principal name. It may change only to another name of the "
                "same person."
            )
        ),
    ] = None
    user_id: Annotated[
        fields.Guid | None, Field(description="The person's object id. Immutable.")
    ] = None
    phone_number: Annotated[
        PhoneNumberSource | None,
        Field(description="The person's number. Left out: observed, never changed."),
    ] = None
    emergency_location_ref: Annotated[
        ObjectRef | None,
        Field(description="Where the person is, for emergency calls; else as the range says."),
    ] = None
    account_ref: AccountRef = None
    calling_plan_ref: CallingPlanRef = None
    call_privilege_ref: CallPrivilegeRef = None
    policies: Annotated[
        tuple[PolicyAssignment, ...],
        Field(
            description="Policies by type. A type that is left out is not managed.",
            max_length=32,
            json_schema_extra=fields.list_map("type"),
        ),
    ] = ()
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
        ManagementPolicy,
        Field(description="Manage writes; Observe only plans and reports."),
    ] = ManagementPolicy.MANAGE
    suspend: Annotated[Flag, Field(description="Stops all writes for this person.")] = False


class NumberOnUser(Model):
    """The number that a person has."""

    e164: Annotated[fields.E164Text, Field(description="The number.")]
    type: Annotated[
        Route | None, Field(description="How its calls reach the telephone network.")
    ] = None


class EffectivePolicy(Model):
    """A policy that applies to a person, and where it comes from."""

    type: Annotated[fields.PolicyType, Field(description="Policy type.")]
    name: Annotated[fields.PolicyName, Field(description="Policy name.")] = ""
    origin: Annotated[
        PolicyOrigin, Field(description="Assigned directly, through a group, or the default.")
    ] = PolicyOrigin.DIRECT


class TeamsUserStatus(Status):
    """What the person has."""

    connection: Annotated[
        ConnectionRef | None, Field(description="The connection that works this object.")
    ] = None
    user_id: Annotated[
        fields.Guid | None, Field(description="Object id of the person, once resolved.")
    ] = None
    phone_number: Annotated[
        NumberOnUser | None, Field(description="The number that the person has.")
    ] = None
    emergency_location_id: Annotated[
        fields.Text64 | None, Field(description="The emergency location on the number.")
    ] = None
    policies: Annotated[
        tuple[EffectivePolicy, ...],
        Field(
            description="The managed policies as they apply.",
            max_length=64,
            json_schema_extra=fields.list_map("type"),
        ),
    ] = ()
    drift: DriftOfHolder = ()


class TeamsUser(Resource):
    """A person in Microsoft Teams, with the number and the policies they should have."""

    kind: str = "TeamsUser"
    spec: TeamsUserSpec
    status: TeamsUserStatus = Field(default_factory=TeamsUserStatus)


KIND = Kind(
    name="TeamsUser",
    plural="teamsusers",
    short_names=("tu",),
    model=TeamsUser,
    columns=(
        Column("User", ".spec.userPrincipalName"),
        Column("Number", ".status.phoneNumber.e164"),
        *READY_COLUMNS,
        Column("Synced", '.status.conditions[?(@.type=="Synced")].status', priority=1),
        Column("User-Id", ".status.userId", priority=1),
        MESSAGE,
        AGE,
    ),
)
