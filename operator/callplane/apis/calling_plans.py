"""CallingPlan: a bundle of minutes that each of its holders brings into the account's pool."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from callplane.apis import fields
from callplane.apis.call_terms import BillingIncrement
from callplane.apis.fields import Count
from callplane.apis.kinds import AGE, MESSAGE, READY_COLUMNS, Column, Kind
from callplane.apis.model import Model, Resource, Status
from callplane.apis.references import NamespaceConsent, ObjectRef


class PlanCountry(StrEnum):
    """Countries that have bundles."""

    GB = "GB"


class CallingPlanSpec(Model):
    """The minutes, what they cover and what they cost."""

    country: Annotated[PlanCountry, Field(description="Country of the bundle.")] = PlanCountry.GB
    minutes: Annotated[
        Count,
        Field(
            description="Minutes a month that a holder brings into the pool.", ge=1, le=1_000_000
        ),
    ]
    destination_set_ref: Annotated[ObjectRef, Field(description="What the minutes cover.")]
    increment: Annotated[
        BillingIncrement, Field(description="How time from the pool is counted. Default 1/1.")
    ] = Field(default_factory=BillingIncrement)
    price: Annotated[
        fields.Amount,
        Field(description="A month and holder, in the account's currency, without tax."),
    ] = "0"
    description: Annotated[fields.Text1024, Field(description="A note for humans.")] = ""
    allowed_namespaces: Annotated[
        tuple[NamespaceConsent, ...],
        Field(description="Other namespaces whose users may hold the plan.", max_length=64),
    ] = ()


class CallingPlan(Resource):
    """A bundle of minutes."""

    kind: str = "CallingPlan"
    spec: CallingPlanSpec
    status: Status = Field(default_factory=Status)


KIND = Kind(
    name="CallingPlan",
    plural="callingplans",
    short_names=("cplan",),
    model=CallingPlan,
    columns=(
        Column("Minutes", ".spec.minutes", type="integer"),
        Column("Price", ".spec.price"),
        *READY_COLUMNS,
        Column("Covers", ".spec.destinationSetRef.name", priority=1),
        MESSAGE,
        AGE,
    ),
)
