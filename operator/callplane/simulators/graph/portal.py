"""What an administrator does in the admin centres and in PowerShell: changes behind our back.

None of it passes the rules of Graph; all of it is at once and written into the tenant's change log
as done by "portal". Tests call the methods, other processes name them through the control endpoint.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from callplane.simulators.graph import orders, policies
from callplane.simulators.graph.operations import Operation, encoded_id
from callplane.simulators.graph.rows import (
    CALLING_PLAN_ID,
    MCOEV_PLAN_ID,
    TEAMS_PLAN_ID,
    AssignedPlan,
    NumberRow,
    TeamsRow,
    UserRow,
)
from callplane.simulators.graph.tenant import PORTAL, Tenant, normalise_number

_READY_FEATURES = ("Teams", "AudioConferencing", "PhoneSystem")
_TEAMS_SERVICE = "TeamspaceAPI"


class Portal:
    """An administrator of one tenant. People are named by id or user principal name.

    Every method raises ValueError with a plain reason when its subject does not exist.
    """

    def __init__(self, tenant: Tenant) -> None:
        self._tenant = tenant

    # Numbers.

    def assign(
        self, number: str, user: str, category: str = "primary", location_id: str | None = None
    ) -> None:
        """Give a number to a person, taking it from whoever has it."""
        row = self._number(number)
        user_id = self._user(user).id
        at = self._tenant.advance()
        if row.assignment_target_id not in (None, user_id):
            orders.release(self._tenant, row, at=at, by=PORTAL)
            row = self._number(number)
        if location_id is not None:
            row = replace(row, location_id=location_id)
        order = Operation("", "Assignment", row.telephone_number, PORTAL, "")
        order.target_id, order.category = user_id, category
        orders.hold(self._tenant, row, operation=order, at=at, by=PORTAL)

    def unassign(self, number: str) -> None:
        """Take a number from whoever has it; nothing happens when nobody has."""
        orders.release(self._tenant, self._number(number), at=self._tenant.advance(), by=PORTAL)

    def set_location(self, number: str, location_id: str | None) -> None:
        """Set or clear the emergency location of a number."""
        row = self._number(number)
        at = self._tenant.advance()
        values = (row.location_id, location_id)
        self._tenant.changes.add(
            at, row.telephone_number, aspect="location", values=values, by=PORTAL
        )
        self._tenant.put_number(replace(row, location_id=location_id), at)

    def add_number(
        self,
        number: str,
        number_type: str = "directRouting",
        country: str = "GB",
        capabilities: Sequence[str] = ("userAssignment", "voiceApplicationAssignment"),
        location_id: str | None = None,
    ) -> None:
        """Upload a number, or change the type, country, capabilities and location of a free one."""
        e164 = normalise_number(number)
        row = NumberRow(
            id=encoded_id("", e164),
            telephone_number=e164,
            number_type=number_type,
            iso_country_code=country,
            capabilities=tuple(capabilities),
            location_id=location_id,
        )
        self._tenant.put_number(row, self._tenant.advance())

    def remove_number(self, number: str) -> None:
        """Release a number: it leaves the inventory, and its holder loses it."""
        row = self._number(number)
        at = self._tenant.advance()
        if row.assignment_target_id is not None:
            orders.release(self._tenant, row, at=at, by=PORTAL)
        self._tenant.numbers.put(row.telephone_number, None, at)

    def mark_on_premises(self, number: str, on_premises: bool = True) -> None:
        """Make a number one that is synchronised from the on-premises directory, or one no more."""
        source = "onPremises" if on_premises else "online"
        self._tenant.put_number(
            replace(self._number(number), number_source=source), self._tenant.advance()
        )

    def use_number_for(self, number: str, status: str, target_id: str) -> None:
        """Give a number to something that is no user: conferenceAssigned, policyAssigned, …"""
        row = self._number(number)
        at = self._tenant.advance()
        holders = (row.assignment_target_id, target_id)
        self._tenant.note_holder(row.telephone_number, holders=holders, at=at, by=PORTAL)
        self._tenant.put_number(
            replace(row, assignment_status=status, assignment_target_id=target_id), at
        )

    # Policies.

    def set_policy(self, user: str, policy_type: str, name: str | None) -> None:
        """Grant a policy directly, or take the direct grant away with None."""
        user_id = self._user(user).id
        at = self._tenant.advance()
        if name is None:
            policies.clear_direct(self._tenant, user_id, policy_type, at=at, by=PORTAL)
            return
        grant = self._tenant.grant(policy_type, self._policy(policy_type, name))
        policies.set_direct(self._tenant, user_id, grant, at=at, by=PORTAL)

    def set_group_policy(
        self, user: str, policy_type: str, name: str | None, group_id: str = ""
    ) -> None:
        """Make a person inherit a policy from a group, or no more with None."""
        teams = self._teams(user)
        at = self._tenant.advance()
        grants = [g for g in teams.grants if g.is_direct or g.policy_type != policy_type]
        if name is not None:
            group = group_id or self._tenant.new_guid("group")
            wanted = self._policy(policy_type, name)
            grants.append(self._tenant.grant(policy_type, wanted, group_id=group))
        self._tenant.teams.put(teams.id, replace(teams, grants=tuple(grants)), at)

    def add_policy(self, policy_type: str, name: str) -> None:
        """Create a policy."""
        self._tenant.add_policies([(policy_type, [name])])

    def remove_policy(self, policy_type: str, name: str) -> None:
        """Delete a policy; people who have it keep its name, as a stale assignment does."""
        self._tenant.policy_ids[policy_type].pop(self._policy(policy_type, name))

    # People.

    def add_user(
        self,
        user_principal_name: str,
        display_name: str = "",
        usage_location: str = "GB",
        licensed: bool = True,
        account_type: str = "user",
    ) -> str:
        """Create a person, licensed for Teams Phone or for nothing. Returns the new id.

        A licence reaches Teams after the tenant's licence lag.
        """
        if self._tenant.user_id(user_principal_name) is not None:
            raise ValueError(f"user {user_principal_name!r} exists already")
        at = self._tenant.advance()
        user_id = self._tenant.new_guid("user")
        row = UserRow(
            id=user_id,
            user_principal_name=user_principal_name,
            display_name=display_name or user_principal_name.partition("@")[0],
            mail=user_principal_name,
            usage_location=usage_location,
            created_date_time=self._tenant.timestamp(),
        )
        self._tenant.put_user(row, at)
        if licensed:
            self.license_user(user_id, account_type=account_type)
        else:
            self._know(user_id, "ineligibleUser" if account_type == "user" else account_type, at)
        return user_id

    def license_user(
        self, user: str, account_type: str = "user", calling_plan: bool = False
    ) -> None:
        """Give a Teams Phone licence: Entra ID shows it at once, Teams after the licence lag."""
        row = self._user(user)
        at = self._tenant.advance()
        plans = [AssignedPlan(TEAMS_PLAN_ID, service=_TEAMS_SERVICE), AssignedPlan(MCOEV_PLAN_ID)]
        if calling_plan:
            plans.append(AssignedPlan(CALLING_PLAN_ID))
        self._tenant.put_user(replace(row, assigned_plans=tuple(plans)), at)
        lag = self._tenant.settings.licence_lag_seconds
        if lag > 0:
            self._tenant.agenda.add(at + lag, lambda due: self._know(row.id, account_type, due))
        else:
            self._know(row.id, account_type, at)

    def unlicense_user(self, user: str, leaves_trace: bool = True) -> None:
        """Take the licence away: the plan stays in the list as Deleted, the number stays stuck."""
        row = self._user(user)
        at = self._tenant.advance()
        plans = tuple(replace(plan, capability_status="Deleted") for plan in row.assigned_plans)
        self._tenant.put_user(replace(row, assigned_plans=plans if leaves_trace else ()), at)
        teams = self._tenant.teams.get(row.id)
        if teams is not None:
            self._tenant.teams.put(
                row.id, replace(teams, account_type="ineligibleUser", feature_types=()), at
            )

    def set_plan_status(self, user: str, status: str) -> None:
        """Put the Phone System plan into Warning, Suspended, LockedOut or back to Enabled."""
        row = self._user(user)
        plans = tuple(
            replace(plan, capability_status=status)
            if plan.service_plan_id == MCOEV_PLAN_ID
            else plan
            for plan in row.assigned_plans
        )
        self._tenant.put_user(replace(row, assigned_plans=plans), self._tenant.advance())

    def change_user(
        self,
        user: str,
        user_principal_name: str | None = None,
        usage_location: str | None = None,
        account_enabled: bool | None = None,
        on_premises_number: str | None = None,
    ) -> None:
        """Rename a person, move to another country, switch the account on or off; None keeps."""
        row = self._user(user)
        at = self._tenant.advance()
        if user_principal_name is not None:
            row = replace(row, user_principal_name=user_principal_name, mail=user_principal_name)
        if usage_location is not None:
            row = replace(row, usage_location=usage_location or None)
        if account_enabled is not None:
            row = replace(row, account_enabled=account_enabled)
        self._tenant.put_user(row, at)
        teams = self._tenant.teams.get(row.id)
        if teams is not None:
            teams = replace(teams, user_principal_name=row.user_principal_name)
            if on_premises_number is not None:
                teams = replace(teams, on_premises_number=on_premises_number or None)
            self._tenant.teams.put(row.id, teams, at)

    def delete_user(self, user: str, permanently: bool = False, frees_number: bool = False) -> None:
        """Delete a person: softly, to be restored later, or for good.

        The number stays assigned to an id that nobody can look up, unless `frees_number`.
        """
        row = self._user(user)
        at = self._tenant.advance()
        teams = self._tenant.teams.get(row.id)
        if teams is not None and frees_number:
            for number, _ in teams.telephone_numbers:
                orders.release(self._tenant, self._number(number), at=at, by=PORTAL)
        self._tenant.remove_user(row.id, at)
        if permanently:
            self._tenant.teams.put(row.id, None, at)
        else:
            deleted = replace(row, deleted_date_time=self._tenant.timestamp())
            self._tenant.deleted_users.put(row.id, deleted, at)

    def restore_user(self, user_id: str) -> None:
        """Bring a softly deleted person back, with the same id."""
        row = self._tenant.deleted_users.get(user_id)
        if row is None:
            raise ValueError(f"no deleted user {user_id!r} in tenant {self._tenant.id}")
        at = self._tenant.advance()
        self._tenant.deleted_users.put(user_id, None, at)
        self._tenant.put_user(replace(row, deleted_date_time=None), at)

    def reuse_name(self, user: str) -> str:
        """Delete a person softly; a new one gets the user principal name. Returns the new id."""
        name = self._user(user).user_principal_name
        self.delete_user(user)
        return self.add_user(name)

    # Places and health.

    def add_location(self, location_id: str) -> None:
        """Create an emergency location; once there is one, unknown ones are refused."""
        self._tenant.locations.add(location_id)

    def set_health(self, status: str, title: str = "") -> None:
        """Set the health of Microsoft Teams; with a title, publish an issue that says so."""
        self._tenant.health = status
        now = self._tenant.timestamp()
        self._tenant.health_issues = (
            [
                {
                    "id": f"TM{len(self._tenant.health_issues) + 100001}",
                    "title": title,
                    "service": "Microsoft Teams",
                    "feature": "Calling",
                    "featureGroup": "Calls and meetings",
                    "impactDescription": title,
                    "classification": "incident",
                    "origin": "microsoft",
                    "status": status,
                    "isResolved": False,
                    "startDateTime": now,
                    "endDateTime": None,
                    "lastModifiedDateTime": now,
                    "details": [],
                    "posts": [],
                }
            ]
            if title
            else []
        )

    def _know(self, user_id: str, account_type: str, at: float) -> None:
        """Teams takes in a user, or what became of the licence."""
        user = self._tenant.users.get(user_id)
        if user is None:
            return
        features: tuple[str, ...] = () if account_type == "ineligibleUser" else _READY_FEATURES
        if account_type == "resourceAccount":
            features = ("Teams", "VoiceApp")
        before = self._tenant.teams.get(user_id)
        row = before or TeamsRow(
            id=user_id, user_principal_name=user.user_principal_name, tenant_id=self._tenant.id
        )
        self._tenant.teams.put(
            user_id, replace(row, account_type=account_type, feature_types=features), at
        )

    def _number(self, number: str) -> NumberRow:
        row = self._tenant.numbers.get(normalise_number(number))
        if row is None:
            raise ValueError(f"no number {number!r} in tenant {self._tenant.id}")
        return row

    def _user(self, user: str) -> UserRow:
        self._tenant.advance()
        user_id = self._tenant.user_id(user)
        row = self._tenant.users.get(user_id) if user_id is not None else None
        if row is None:
            raise ValueError(f"no user {user!r} in tenant {self._tenant.id}")
        return row

    def _teams(self, user: str) -> TeamsRow:
        row = self._tenant.teams.get(self._user(user).id)
        if row is None:
            raise ValueError(f"Teams does not know user {user!r} yet")
        return row

    def _policy(self, policy_type: str, name: str) -> str:
        if name not in self._tenant.policy_ids.get(policy_type, {}):
            raise ValueError(f"no policy {name!r} of type {policy_type!r}")
        return name
