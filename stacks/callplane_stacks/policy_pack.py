"""The policies as the engine asks them: each mandatory, each named by what it protects."""

from __future__ import annotations

import inspect
from collections.abc import Callable

from pulumi_policy import (
    EnforcementLevel,
    Policy,
    PolicyPack,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
)

from callplane_stacks.policies import POLICIES, Check

PACK = "callplane"


def policies() -> list[Policy]:
    """One a check."""
    return [
        ResourceValidationPolicy(
            name=name,
            description=inspect.getdoc(check) or name,
            validate=_validation(check),
            enforcement_level=EnforcementLevel.MANDATORY,
        )
        for name, check in POLICIES.items()
    ]


def serve() -> None:
    """Answer the engine until it ends; called by the pack's program alone."""
    PolicyPack(PACK, policies())


def _validation(check: Check) -> Callable[[ResourceValidationArgs, ReportViolation], None]:
    def validate(resource: ResourceValidationArgs, report: ReportViolation) -> None:
        for reason in check(resource.resource_type, resource.props):
            report(reason, None)

    return validate
