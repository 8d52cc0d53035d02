"""Runs all rules: on one object for the controller, on a whole tree for `callplane validate`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from callplane.apis.call_privileges import CallPrivilege
from callplane.apis.calling_accounts import CallingAccount
from callplane.apis.carriers import Carrier
from callplane.apis.change_approvals import ChangeApproval
from callplane.apis.model import Resource
from callplane.apis.number_ranges import NumberRange
from callplane.apis.pbx_trunks import PbxTrunk
from callplane.apis.phone_numbers import PhoneNumber
from callplane.apis.rate_cards import RateCard
from callplane.apis.service_lines import ServiceLine
from callplane.apis.teams_tenants import TeamsTenant
from callplane.apis.teams_users import TeamsUser
from callplane.rules import (
    approvals,
    call_terms,
    carriers,
    number_plans,
    overlaps,
    people,
    redirects,
    sip_lines,
    targets,
)
from callplane.rules.findings import Finding, Rule
from callplane.rules.targets import Labels

#: Every rule there is; documentation is made from these.
RULES: tuple[Rule, ...] = (
    *number_plans.RULES,
    *carriers.RULES,
    *overlaps.RULES,
    *people.RULES,
    *targets.RULES,
    *approvals.RULES,
    *call_terms.RULES,
    *sip_lines.RULES,
    *redirects.RULES,
)


def validate_one(resource: Resource, *, now: datetime | None = None) -> list[Finding]:
    """What one object shows by itself, sorted. Without `now`, nothing is said about dates."""
    return sorted(_of_one(resource, now), key=lambda finding: finding.sort_key)


def validate_all(
    resources: Iterable[Resource],
    *,
    namespace_labels: Labels | None = None,
    now: datetime | None = None,
) -> list[Finding]:
    """Everything that can be said about a set of objects, sorted; it never stops at the first.

    `namespace_labels` are the labels of the namespaces that are known; consent by label from a
    namespace that is not known is assumed. Without `now`, nothing is said about dates.
    """
    everything = list(resources)
    findings = [finding for resource in everything for finding in _of_one(resource, now)]
    findings.extend(overlaps.check(everything))
    findings.extend(people.check(everything))
    findings.extend(carriers.check(everything))
    findings.extend(sip_lines.check(everything))
    findings.extend(redirects.check(everything))
    findings.extend(targets.check(everything, namespace_labels=namespace_labels or {}))
    return sorted(findings, key=lambda finding: finding.sort_key)


def _of_one(resource: Resource, now: datetime | None) -> Iterator[Finding]:
    match resource:
        case NumberRange():
            yield from number_plans.check_range(resource)
            yield from redirects.check_one(resource)
        case PhoneNumber():
            yield from number_plans.check_number(resource)
            yield from redirects.check_one(resource)
            yield from carriers.check_number(resource)
        case Carrier():
            yield from carriers.check_carrier(resource)
        case TeamsTenant() | TeamsUser():
            yield from people.check_policies(resource)
        case CallingAccount() | CallPrivilege() | RateCard():
            yield from call_terms.check(resource)
        case PbxTrunk() | ServiceLine():
            yield from sip_lines.check_one(resource)
        case ChangeApproval() if now is not None:
            yield from approvals.check(resource, now=now)
        case _:
            return
