"""What is declared and what is observed: their differences, as statuses show them."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from callplane.apis import fields
from callplane.apis.model import Model


class Drift(Model):
    """One difference between what is declared and what is observed."""

    field: Annotated[
        fields.Text256, Field(description="Path in the spec, like phoneNumber or policies[T].")
    ]
    observed: Annotated[fields.Text256, Field(description="What the system has.")] = ""
    desired: Annotated[fields.Text256, Field(description="What the spec asks for.")] = ""


#: The field of a holder's status, the same for each kind of holder.
DriftOfHolder = Annotated[
    tuple[Drift, ...],
    Field(
        description="Differences that were seen and not written (Observe, suspended, held).",
        max_length=64,
        json_schema_extra=fields.list_map("field"),
    ),
]
