"""Rules on people: one declaration a person and connection, one holder a number, policy names.

Where the register exists its row decides who keeps a number; in a tree of files, precedence does.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from callplane.apis.model import Resource
from callplane.apis.pbx_trunks import PbxTrunk
from callplane.apis.references import ObjectRef
from callplane.apis.service_lines import ServiceLine
from callplane.apis.sip_phones import SipPhone
from callplane.apis.teams_tenants import PolicyAssignment, TeamsTenant
from callplane.apis.teams_users import TeamsUser
from callplane.apis.webex_organizations import WebexOrganization
from callplane.apis.webex_users import WebexUser
from callplane.rules.findings import Finding, Rule, Severity, label, precedence

PERSON_DECLARED_TWICE = Rule(
    "person-declared-twice",
    ("TeamsUser", "WebexUser"),
    "A person may be declared once for each connection.",
)
NUMBER_WANTED_TWICE = Rule(
    "number-wanted-twice",
    ("TeamsUser", "WebexUser", "SipPhone", "PbxTrunk", "ServiceLine"),
    "Two objects name the same number; one of them can have it.",
)
ORGANIZATION_DECLARED_TWICE = Rule(
    "organization-declared-twice",
    ("WebexOrganization",),
    "One organisation has one WebexOrganization; two would work against each other.",
)
TENANT_DECLARED_TWICE = Rule(
    "tenant-declared-twice",
    ("TeamsTenant",),
    "One tenant has one TeamsTenant; two would work against each other.",
)
POLICY_IS_GLOBAL = Rule(
    "policy-is-global",
    ("TeamsTenant", "TeamsUser"),
    "Global is no policy that can be assigned; an empty name removes the direct assignment.",
)
POLICY_TYPE_UNKNOWN = Rule(
    "policy-type-unknown",
    ("TeamsTenant", "TeamsUser"),
    "The policy type is not among those we know; Microsoft adds some now and then.",
    Severity.WARNING,
)

RULES = (
    PERSON_DECLARED_TWICE,
    NUMBER_WANTED_TWICE,
    TENANT_DECLARED_TWICE,
    ORGANIZATION_DECLARED_TWICE,
    POLICY_IS_GLOBAL,
    POLICY_TYPE_UNKNOWN,
)

#: The service's own names (Teams PowerShell and Graph speak of the same backend).
KNOWN_POLICY_TYPES = frozenset(
    {
        "CallingLineIdentity",
        "ExternalAccessPolicy",
        "OnlineDialOutPolicy",
        "OnlineVoiceRoutingPolicy",
        "OnlineVoicemailPolicy",
        "TeamsAppPermissionPolicy",
        "TeamsAppSetupPolicy",
        "TeamsAudioConferencingPolicy",
        "TeamsCallHoldPolicy",
        "TeamsCallParkPolicy",
        "TeamsCallingPolicy",
        "TeamsChannelsPolicy",
        "TeamsEducationAssignmentsAppPolicy",
        "TeamsEmergencyCallRoutingPolicy",
        "TeamsEmergencyCallingPolicy",
        "TeamsMeetingBroadcastPolicy",
        "TeamsMeetingPolicy",
        "TeamsMessagingPolicy",
        "TeamsMobilityPolicy",
        "TeamsSharedCallingRoutingPolicy",
        "TeamsTemplatePermissionPolicy",
        "TeamsUpdateManagementPolicy",
        "TeamsUpgradePolicy",
        "TeamsVerticalPackagePolicy",
        "TeamsVideoInteropServicePolicy",
        "TeamsVoiceApplicationsPolicy",
        "TenantDialPlan",
    }
)

#: What people write where the service has another name.
_MEANT = {
    "TeamsVoiceRoutingPolicy": "OnlineVoiceRoutingPolicy",
    "VoiceRoutingPolicy": "OnlineVoiceRoutingPolicy",
    "CallerId": "CallingLineIdentity",
    "CallerIdPolicy": "CallingLineIdentity",
    "DialPlan": "TenantDialPlan",
}


def check_policies(resource: TeamsTenant | TeamsUser) -> Iterator[Finding]:
    """Policy types and names of one object."""
    if isinstance(resource, TeamsTenant):
        policies, base = resource.spec.default_policies, "spec.defaultPolicies"
    else:
        policies, base = resource.spec.policies, "spec.policies"
    for index, policy in enumerate(policies):
        yield from _check_policy(resource, policy, f"{base}[{index}]")


def _check_policy(resource: Resource, policy: PolicyAssignment, path: str) -> Iterator[Finding]:
    if policy.name.casefold() in {"global", "tag:global"}:
        message = 'Global cannot be assigned; write "" to remove the direct assignment'
        yield POLICY_IS_GLOBAL.finding(resource, f"{path}.name", message)
    if policy.type not in KNOWN_POLICY_TYPES:
        meant = _MEANT.get(policy.type)
        hint = f"; did you mean {meant}?" if meant else ""
        message = f"{policy.type} is not a policy type that we know{hint}"
        yield POLICY_TYPE_UNKNOWN.finding(resource, f"{path}.type", message)


def check(resources: Iterable[Resource]) -> Iterator[Finding]:
    """People, numbers and tenants that several objects declare."""
    everything = sorted(resources, key=precedence)
    users = [resource for resource in everything if isinstance(resource, TeamsUser | WebexUser)]
    systems = {
        (resource.kind, resource.namespace, resource.name): _system(resource)
        for resource in everything
        if isinstance(resource, TeamsTenant | WebexOrganization)
    }
    people: dict[tuple[str, str], list[tuple[Resource, str]]] = defaultdict(list)
    numbers: dict[str, list[tuple[Resource, str]]] = defaultdict(list)
    for user in users:
        people[_person(user, systems)].append((user, _person_path(user)))
    for resource in everything:
        for wanted, path in _wanted_numbers(resource):
            numbers[wanted].append((resource, path))
    tenants: dict[str, list[tuple[Resource, str]]] = defaultdict(list)
    organizations: dict[str, list[tuple[Resource, str]]] = defaultdict(list)
    for resource in everything:
        if isinstance(resource, TeamsTenant):
            tenants[_system(resource)].append((resource, "spec.tenantId"))
        elif isinstance(resource, WebexOrganization):
            organizations[_system(resource)].append((resource, "spec.orgId"))
    yield from _all_but_first(PERSON_DECLARED_TWICE, people.values(), "declares the same person as")
    yield from _all_but_first(NUMBER_WANTED_TWICE, numbers.values(), "wants the same number as")
    yield from _all_but_first(
        TENANT_DECLARED_TWICE, tenants.values(), "declares the same tenant as"
    )
    yield from _all_but_first(
        ORGANIZATION_DECLARED_TWICE, organizations.values(), "declares the same organisation as"
    )


def _system(connection: TeamsTenant | WebexOrganization) -> str:
    if isinstance(connection, TeamsTenant):
        return connection.spec.tenant_id.lower()
    return connection.spec.org_id.lower()


def _all_but_first(
    rule: Rule, groups: Iterable[list[tuple[Resource, str]]], what: str
) -> Iterator[Finding]:
    for (kept, _), *others in groups:
        for refused, path in others:
            yield rule.finding(refused, path, f"{what} {label(kept)}")


def _person(
    user: TeamsUser | WebexUser, systems: Mapping[tuple[str, str, str], str]
) -> tuple[str, str]:
    """System and name of a person; ids of Webex tell capitals from small letters."""
    if isinstance(user, TeamsUser):
        kind, reference = "TeamsTenant", user.spec.tenant_ref
        name = (user.spec.user_id or user.spec.user_principal_name or "").casefold()
    else:
        kind, reference = "WebexOrganization", user.spec.organization_ref
        name = user.spec.person_id or (user.spec.email or "").casefold()
    key = (kind, reference.namespace or user.namespace, reference.name)
    return f"{kind} {systems.get(key, '/'.join(key[1:]))}", name


def _person_path(user: TeamsUser | WebexUser) -> str:
    if isinstance(user, TeamsUser):
        return "spec.userId" if user.spec.user_id else "spec.userPrincipalName"
    return "spec.personId" if user.spec.person_id else "spec.email"


def _wanted_numbers(resource: Resource) -> Iterator[tuple[str, str]]:
    """Every number that an object names by itself, with the field that does so."""
    if isinstance(resource, PbxTrunk):
        for index, number in enumerate(resource.spec.numbers):
            yield number, f"spec.numbers[{index}]"
    if not isinstance(resource, TeamsUser | WebexUser | SipPhone | ServiceLine):
        return
    source = resource.spec.phone_number
    if source is None:
        return
    if source.e164 is not None:
        yield source.e164, "spec.phoneNumber.e164"
    if source.phone_number_ref is not None:
        named = _target(source.phone_number_ref, resource)
        yield f"PhoneNumber {named}", "spec.phoneNumber.phoneNumberRef"


def _target(reference: ObjectRef, resource: Resource) -> str:
    return f"{reference.namespace or resource.namespace}/{reference.name}"
