"""DestinationSet: what a bundle covers, by prefix."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from callplane.apis import constraints, fields
from callplane.apis.fields import Flag
from callplane.apis.kinds import AGE, MESSAGE, READY_COLUMNS, Column, Kind
from callplane.apis.model import Model, Resource, Status
from callplane.apis.references import NamespaceConsent


class Treatment(StrEnum):
    """What a bundle does with a destination."""

    BUNDLED = "Bundled"
    FREE = "Free"
    OUTSIDE = "Outside"


class DestinationRow(Model):
    """One prefix; the longest counts."""

    prefix: Annotated[
        fields.PrefixDigits, Field(description="Digits behind the plus, or of a short code.")
    ]
    short_code: Annotated[
        Flag,
        Field(description="The prefix is of short codes, such as 118, and of no other numbers."),
    ] = False
    treatment: Annotated[
        Treatment,
        Field(description="Bundled takes minutes; Free takes nothing; Outside needs the card."),
    ]
    name: Annotated[fields.Text64, Field(description="As people call it.")] = ""


class DestinationSetSpec(Model):
    """Prefixes. What none of them names is outside."""

    invariants = (constraints.unique_entries("rows", key="prefix"),)

    sample: Annotated[
        Flag, Field(description="The set is invented; whatever shows it says so.")
    ] = False
    rows: Annotated[
        tuple[DestinationRow, ...],
        Field(
            description="Prefixes and how they are treated.",
            min_length=1,
            max_length=2_000,
            json_schema_extra=fields.list_map("prefix"),
        ),
    ]
    description: Annotated[fields.Text1024, Field(description="A note for humans.")] = ""
    allowed_namespaces: Annotated[
        tuple[NamespaceConsent, ...],
        Field(description="Other namespaces whose plans may use the set.", max_length=64),
    ] = ()


class DestinationSet(Resource):
    """What a bundle covers."""

    kind: str = "DestinationSet"
    spec: DestinationSetSpec
    status: Status = Field(default_factory=Status)


KIND = Kind(
    name="DestinationSet",
    plural="destinationsets",
    short_names=("dset",),
    model=DestinationSet,
    columns=(
        *READY_COLUMNS,
        Column("Sample", ".spec.sample", type="boolean"),
        MESSAGE,
        AGE,
    ),
)
