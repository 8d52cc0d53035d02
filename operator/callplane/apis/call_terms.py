"""What several kinds say alike of calls: who pays for them, how time is counted, which hours are
meant.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from callplane.apis import fields
from callplane.apis.constraints import Constraint
from callplane.apis.fields import Count
from callplane.apis.model import Model
from callplane.apis.references import ObjectRef

AccountRef = Annotated[
    ObjectRef | None,
    Field(description="The CallingAccount that pays. Without one, nobody can be charged."),
]
HostingAccountRef = Annotated[
    ObjectRef | None,
    Field(description="The CallingAccount that pays the monthly hosting fee of each number."),
]
CallingPlanRef = Annotated[
    ObjectRef | None,
    Field(
        description=(
            "The CallingPlan whose minutes the line brings into the pool of its account. Left out: "
            "calls are paid as they go, if the account allows it."
        )
    ),
]
CallPrivilegeRef = Annotated[
    ObjectRef | None,
    Field(description="The CallPrivilege that says what may be dialled; domestic when left out."),
]
PLAN_NEEDS_ACCOUNT = Constraint(
    cel="!has(self.callingPlanRef) || has(self.accountRef)",
    message="callingPlanRef needs accountRef: the minutes go into the pool of an account",
    field_path=".callingPlanRef",
    check=lambda spec: spec.calling_plan_ref is None or spec.account_ref is not None,
)


class Weekday(StrEnum):
    """Days in the order in which they are counted."""

    MONDAY = "Monday"
    TUESDAY = "Tuesday"
    WEDNESDAY = "Wednesday"
    THURSDAY = "Thursday"
    FRIDAY = "Friday"
    SATURDAY = "Saturday"
    SUNDAY = "Sunday"


class BillingIncrement(Model):
    """How call time is counted."""

    first: Annotated[
        Count, Field(description="Seconds that are counted at least.", ge=1, le=3600)
    ] = 1
    next: Annotated[Count, Field(description="Steps in seconds after that.", ge=1, le=3600)] = 1


class Hours(Model):
    """A part of the week in local time; one that ends before it begins goes past midnight."""

    days: Annotated[
        tuple[Weekday, ...],
        Field(
            description="Days on which it begins.",
            min_length=1,
            max_length=7,
            json_schema_extra=fields.LIST_SET,
        ),
    ]
    begins: Annotated[fields.ClockTime, Field(description="When it begins, like 09:00.")]
    ends: Annotated[fields.ClockTime, Field(description="When it ends, like 17:30 or 24:00.")]
