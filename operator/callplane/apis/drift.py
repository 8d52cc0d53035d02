"""One difference between what is declared and what is observed, as statuses show it."""

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
