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
    StackValidationArgs,
    StackValidationPolicy,
)

from callplane_stacks.policies import POLICIES, STACK_POLICIES, Check, StackCheck, plain

PACK = "callplane"


def policies() -> list[Policy]:
    """One a check."""
    each: list[Policy] = [
        ResourceValidationPolicy(
            name=name,
            description=inspect.getdoc(check) or name,
            validate=_validation(check),
            enforcement_level=EnforcementLevel.MANDATORY,
        )
        for name, check in POLICIES.items()
    ]
    whole: list[Policy] = [
        StackValidationPolicy(
            name=name,
            description=inspect.getdoc(stack_check) or name,
            validate=_stack_validation(stack_check),
            enforcement_level=EnforcementLevel.MANDATORY,
        )
        for name, stack_check in STACK_POLICIES.items()
    ]
    return [*each, *whole]


def serve() -> None:
    """Answer the engine until it ends; called by the pack's program alone."""
    PolicyPack(PACK, policies())


def _validation(check: Check) -> Callable[[ResourceValidationArgs, ReportViolation], None]:
    def validate(resource: ResourceValidationArgs, report: ReportViolation) -> None:
        for reason in check(plain(resource.resource_type), resource.props):
            report(reason, None)

    return validate


def _stack_validation(check: StackCheck) -> Callable[[StackValidationArgs, ReportViolation], None]:
    def validate(stack: StackValidationArgs, report: ReportViolation) -> None:
        resources = [(plain(each.resource_type), each.name, each.props) for each in stack.resources]
        for reason in check(resources):
            report(reason, None)

    return validate
