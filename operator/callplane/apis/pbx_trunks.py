"""PbxTrunk: a customer's PBX at the SBC, with the addresses it speaks from and its numbers."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from callplane.apis import constraints, fields
from callplane.apis.call_terms import AccountRef, CallPrivilegeRef
from callplane.apis.constraints import Constraint
from callplane.apis.fields import Count, Flag
from callplane.apis.kinds import AGE, MESSAGE, READY_COLUMNS, Column, Kind
from callplane.apis.model import Model, Resource, Status
from callplane.apis.references import ConnectionRef, ManagementPolicy, ObjectRef
from callplane.apis.teams_users import OnDelete


class TrunkTransport(StrEnum):
    """How the PBX is spoken to."""

    UDP = "Udp"


class PbxTrunkSpec(Model):
    """The PBX, the numbers behind it, who pays and how many calls it may have."""

    invariants = (
        constraints.immutable("sbc_ref"),
        constraints.immutable("trunk"),
        constraints.unique_entries("targets"),
        constraints.unique_entries("sources"),
        constraints.unique_entries("numbers"),
        Constraint(
            cel=(
                "!has(self.numberRangeRefs) || self.numberRangeRefs.all(a,"
                " self.numberRangeRefs.exists_one(b, a == b))"
            ),
            message="a range is named twice",
            field_path=".numberRangeRefs",
            check=lambda spec: len(set(spec.number_range_refs)) == len(spec.number_range_refs),
        ),
    )

    sbc_ref: Annotated[
        ObjectRef,
        Field(description="The SessionBorderController that it is connected to. Immutable."),
    ]
    trunk: Annotated[
        fields.SipName,
        Field(description="Its name at the SBC and in call records. Immutable."),
    ]
    targets: Annotated[
        tuple[fields.SipSocket, ...],
        Field(
            description="Where its calls are sent, IPv4 address and port, tried in order.",
            min_length=1,
            max_length=8,
            json_schema_extra=fields.LIST_SET,
        ),
    ]
    sources: Annotated[
        tuple[fields.Network, ...],
        Field(
            description="Networks that it speaks from, like 192.0.2.65/32.",
            min_length=1,
            max_length=16,
            json_schema_extra=fields.LIST_SET,
        ),
    ]
    transport: Annotated[TrunkTransport, Field(description="How the PBX is spoken to.")] = (
        TrunkTransport.UDP
    )
    answers_options: Annotated[
        Flag, Field(description="Whether the PBX answers OPTIONS; then it is looked after.")
    ] = False
    outside_line: Annotated[
        fields.OutsideLine,
        Field(description="Digits that its callers dial to get out; taken off a number."),
    ] = ""
    number_range_refs: Annotated[
        tuple[ObjectRef, ...],
        Field(
            description=(
                "Ranges behind the PBX: it has every number of them that nobody else has. A line "
                "that states such a number by itself gets it."
            ),
            max_length=64,
        ),
    ] = ()
    numbers: Annotated[
        tuple[fields.E164Text, ...],
        Field(
            description=(
                "Numbers that the PBX is to have; a NumberRange or PhoneNumber must hold each and "
                "consent. They are kept until they are taken off this list."
            ),
            max_length=1000,
            json_schema_extra=fields.LIST_SET,
        ),
    ] = ()
    emergency_callback_number: Annotated[
        fields.E164Text | None,
        Field(description="What emergency services see when the caller shows no number of ours."),
    ] = None
    emergency_location_ref: Annotated[
        ObjectRef | None,
        Field(description="Where the PBX is, for emergency calls; else as the range says."),
    ] = None
    account_ref: AccountRef = None
    call_privilege_ref: CallPrivilegeRef = None
    declared_users: Annotated[
        Count | None,
        Field(
            description="Users behind the PBX, which are billed as declared.", ge=0, le=1_000_000
        ),
    ] = None
    channels: Annotated[
        Count | None, Field(description="Calls at once; as the account says when left out.", ge=1)
    ] = None
    on_delete: Annotated[
        OnDelete,
        Field(
            description=(
                "When the object is deleted: Quarantine takes the numbers away and lets them rest; "
                "Detach leaves everything as it is."
            )
        ),
    ] = OnDelete.QUARANTINE
    management_policy: Annotated[
        ManagementPolicy, Field(description="Manage writes; Observe only plans and reports.")
    ] = ManagementPolicy.MANAGE
    suspend: Annotated[Flag, Field(description="Stops all changes of this trunk.")] = False


class PbxTrunkStatus(Status):
    """What the PBX has."""

    connection: Annotated[
        ConnectionRef | None, Field(description="The connection that works this object.")
    ] = None
    holder_id: Annotated[
        fields.Text256 | None, Field(description="How the register calls the trunk.")
    ] = None
    numbers: Annotated[Count | None, Field(description="Numbers that the PBX has.", ge=0)] = None
    elsewhere: Annotated[
        Count | None,
        Field(description="Numbers of its ranges that others have, or that rest.", ge=0),
    ] = None


class PbxTrunk(Resource):
    """A customer's PBX, connected to the SBC, and the numbers behind it."""

    kind: str = "PbxTrunk"
    spec: PbxTrunkSpec
    status: PbxTrunkStatus = Field(default_factory=PbxTrunkStatus)


KIND = Kind(
    name="PbxTrunk",
    plural="pbxtrunks",
    short_names=("pbx",),
    model=PbxTrunk,
    columns=(
        Column("Trunk", ".spec.trunk"),
        *READY_COLUMNS,
        Column("Numbers", ".status.numbers", type="integer"),
        Column("Users", ".spec.declaredUsers", type="integer"),
        Column("Synced", '.status.conditions[?(@.type=="Synced")].status', priority=1),
        MESSAGE,
        AGE,
    ),
)
