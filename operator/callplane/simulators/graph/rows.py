"""The rows of a tenant and their JSON, with the names Graph uses.

Rows are immutable; whoever changes one puts a new one into its cell. Each keeps its rendered JSON,
so that a listing of 10,000 rows is little more than a join.

Source of names, enum members and nullability: Graph v1.0 metadata, namespace
`microsoft.graph.teamsAdministration` and type `microsoft.graph.user`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from callplane.simulators.invented import derive_guid as derive_guid

MCOEV_PLAN_ID = "4828c8ec-dc2e-4779-b502-87ac9ce28ab7"
"""Service plan "Microsoft 365 Phone System"."""
TEAMS_PLAN_ID = "57ff2da0-773e-42df-b2af-ffb7a2317929"
CALLING_PLAN_ID = "4ed3ff63-69d7-4fb7-b984-5aec7f605ca8"
"""Service plan "Domestic Calling Plan" (MCOPSTN1)."""

NUMBER_TYPES = ("directRouting", "callingPlan", "operatorConnect")
ASSIGNMENT_CATEGORIES = ("primary", "private", "alternate")

_DEFAULT_USER_FIELDS = (
    "businessPhones",
    "displayName",
    "givenName",
    "jobTitle",
    "mail",
    "mobilePhone",
    "officeLocation",
    "preferredLanguage",
    "surname",
    "userPrincipalName",
    "id",
)


def _compact(document: object) -> bytes:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode("utf-8")


@dataclass(frozen=True, slots=True)
class NumberRow:
    """A `numberAssignment`. `telephone_number` is always `+` and digits."""

    id: str
    telephone_number: str
    number_type: str = "directRouting"
    operator_id: str = "00000000-0000-0000-0000-000000000000"
    activation_state: str = "activated"
    capabilities: tuple[str, ...] = ("userAssignment", "voiceApplicationAssignment")
    location_id: str | None = None
    civic_address_id: str | None = None
    network_site_id: str | None = None
    assignment_target_id: str | None = None
    assignment_category: str | None = None
    port_in_status: str | None = None
    assignment_status: str = "unassigned"
    iso_country_code: str | None = "GB"
    city: str | None = None
    number_source: str = "online"
    supported_customer_actions: tuple[str, ...] = ("locationUpdate",)
    reverse_number_lookup_options: tuple[str, ...] = ()
    _json: list[bytes] = field(init=False, default_factory=list, compare=False, repr=False)

    def document(self) -> dict[str, object]:
        """As Graph shows it."""
        return {
            "id": self.id,
            "telephoneNumber": self.telephone_number,
            "operatorId": self.operator_id,
            "numberType": self.number_type,
            "activationState": self.activation_state,
            "capabilities": list(self.capabilities),
            "locationId": self.location_id,
            "civicAddressId": self.civic_address_id,
            "networkSiteId": self.network_site_id,
            "assignmentTargetId": self.assignment_target_id,
            "assignmentCategory": self.assignment_category,
            "portInStatus": self.port_in_status,
            "assignmentStatus": self.assignment_status,
            "isoCountryCode": self.iso_country_code,
            "city": self.city,
            "numberSource": self.number_source,
            "supportedCustomerActions": list(self.supported_customer_actions),
            "reverseNumberLookupOptions": list(self.reverse_number_lookup_options),
        }

    def json(self) -> bytes:
        """The same, rendered once."""
        if not self._json:
            self._json.append(_compact(self.document()))
        return self._json[0]


@dataclass(frozen=True, slots=True)
class AssignedPlan:
    """A service plan of a user, as Entra ID knows it."""

    service_plan_id: str
    capability_status: str = "Enabled"
    service: str = "MicrosoftCommunicationsOnline"
    assigned_date_time: str = "2026-01-05T09:00:00Z"

    def document(self) -> dict[str, object]:
        """As Graph shows it."""
        return {
            "assignedDateTime": self.assigned_date_time,
            "capabilityStatus": self.capability_status,
            "service": self.service,
            "servicePlanId": self.service_plan_id,
        }


@dataclass(frozen=True, slots=True)
class UserRow:
    """A user of the directory. `deleted_date_time` is set while the user is soft-deleted."""

    id: str
    user_principal_name: str
    display_name: str
    mail: str | None
    usage_location: str | None = "GB"
    account_enabled: bool = True
    user_type: str = "Member"
    on_premises_sync_enabled: bool | None = None
    department: str | None = None
    country: str | None = None
    assigned_plans: tuple[AssignedPlan, ...] = ()
    created_date_time: str = "2026-01-05T09:00:00Z"
    deleted_date_time: str | None = None
    _json: dict[tuple[str, ...], bytes] = field(
        init=False, default_factory=dict, compare=False, repr=False
    )

    def plan_status(self, service_plan_id: str) -> str | None:
        """Capability status of a service plan: Enabled, Warning, Suspended, Deleted, …, None."""
        return next(
            (
                plan.capability_status
                for plan in self.assigned_plans
                if plan.service_plan_id == service_plan_id
            ),
            None,
        )

    def document(self) -> dict[str, object]:
        """All fields this world keeps; Graph shows those that were selected."""
        given, _, surname = self.display_name.partition(" ")
        return {
            "id": self.id,
            "userPrincipalName": self.user_principal_name,
            "displayName": self.display_name,
            "givenName": given or None,
            "surname": surname or None,
            "mail": self.mail,
            "accountEnabled": self.account_enabled,
            "usageLocation": self.usage_location,
            "userType": self.user_type,
            "onPremisesSyncEnabled": self.on_premises_sync_enabled,
            "department": self.department,
            "country": self.country,
            "companyName": None,
            "employeeId": None,
            "jobTitle": None,
            "mobilePhone": None,
            "officeLocation": None,
            "preferredLanguage": None,
            "businessPhones": [],
            "imAddresses": [],
            "proxyAddresses": [],
            "isResourceAccount": None,
            "assignedLicenses": [],
            "assignedPlans": [plan.document() for plan in self.assigned_plans],
            "provisionedPlans": [],
            "licenseAssignmentStates": [],
            "createdDateTime": self.created_date_time,
            "deletedDateTime": self.deleted_date_time,
        }

    def json(self, selected: tuple[str, ...] = ()) -> bytes:
        """The selected fields (none: Graph's default set), rendered once a selection."""
        rendered = self._json.get(selected)
        if rendered is None:
            document = self.document()
            wanted = (*selected, "id") if selected else _DEFAULT_USER_FIELDS
            shown = {name: document[name] for name in dict.fromkeys(wanted) if name in document}
            rendered = self._json[selected] = _compact(shown)
        return rendered


@dataclass(frozen=True, slots=True)
class PolicyGrant:
    """A policy a person has, directly or through a group."""

    policy_type: str
    name: str
    policy_id: str
    group_id: str | None = None

    @property
    def is_direct(self) -> bool:
        """False when it comes through a group."""
        return self.group_id is None

    def document(self) -> dict[str, object]:
        """As an `effectivePolicyAssignment`."""
        return {
            "policyType": self.policy_type,
            "policyAssignment": {
                "displayName": f"Tag:{self.name}",
                "assignmentType": "direct" if self.is_direct else "group",
                "policyId": self.policy_id,
                "groupId": self.group_id,
            },
        }


@dataclass(frozen=True, slots=True)
class TeamsRow:
    """A `teamsUserConfiguration`: what Teams itself knows of a user.

    `on_premises_number` is not shown by Graph; it is why an assignment is refused.
    """

    id: str
    user_principal_name: str
    tenant_id: str
    account_type: str = "user"
    is_enterprise_voice_enabled: bool | None = False
    feature_types: tuple[str, ...] = ("Teams", "AudioConferencing", "PhoneSystem")
    telephone_numbers: tuple[tuple[str, str], ...] = ()
    grants: tuple[PolicyGrant, ...] = ()
    on_premises_number: str | None = None
    created_date_time: str = "2026-01-05T09:00:00Z"
    modified_date_time: str = "2026-01-05T09:00:00Z"
    _json: dict[tuple[str, ...], bytes] = field(
        init=False, default_factory=dict, compare=False, repr=False
    )

    def effective_grants(self) -> Sequence[PolicyGrant]:
        """One grant a policy type: the direct one wins over the group's; Global is not listed."""
        effective: dict[str, PolicyGrant] = {}
        for grant in self.grants:
            if grant.is_direct or grant.policy_type not in effective:
                effective[grant.policy_type] = grant
        return list(effective.values())

    def document(self, *, shows_unknown_members: bool = True) -> dict[str, object]:
        """As Graph shows it; `ineligibleUser` needs a Prefer header to be shown by its name."""
        ineligible = self.account_type == "ineligibleUser" and not shows_unknown_members
        return {
            "id": self.id,
            "tenantId": self.tenant_id,
            "userPrincipalName": self.user_principal_name,
            "accountType": "unknownFutureValue" if ineligible else self.account_type,
            "isEnterpriseVoiceEnabled": self.is_enterprise_voice_enabled,
            "featureTypes": list(self.feature_types),
            "telephoneNumbers": [
                {"telephoneNumber": number, "assignmentCategory": category}
                for number, category in self.telephone_numbers
            ],
            "effectivePolicyAssignments": [grant.document() for grant in self.effective_grants()],
            "createdDateTime": self.created_date_time,
            "modifiedDateTime": self.modified_date_time,
        }

    def json(self, selected: tuple[str, ...] = (), *, shows_unknown_members: bool = True) -> bytes:
        """The selected fields (none: all), rendered once a selection."""
        key = (*selected, "!") if shows_unknown_members else selected
        rendered = self._json.get(key)
        if rendered is None:
            document = self.document(shows_unknown_members=shows_unknown_members)
            if selected:
                wanted = dict.fromkeys((*selected, "id"))
                document = {name: document[name] for name in wanted if name in document}
            rendered = self._json[key] = _compact(document)
        return rendered
