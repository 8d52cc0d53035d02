"""Assigning, unassigning and updating numbers: rules, asynchronous orders and their side effects.

An order is accepted or refused at once, waits as `notStarted`, runs, and takes effect when it ends.
The rules are those of the matching Teams PowerShell cmdlets and admin pages.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from callplane.simulators.graph import refusals
from callplane.simulators.graph.operations import Fate, Operation, encoded_id
from callplane.simulators.graph.refusals import Refusal
from callplane.simulators.graph.rows import (
    ASSIGNMENT_CATEGORIES,
    CALLING_PLAN_ID,
    MCOEV_PLAN_ID,
    NUMBER_TYPES,
    NumberRow,
    TeamsRow,
)
from callplane.simulators.graph.tenant import Tenant, normalise_number

NUMBERS_PATH = "/v1.0/admin/teams/telephoneNumberManagement/numberAssignments"

_NUMBER = re.compile(r"\+?[1-9]\d{5,14}(;ext=\d{1,10})?")
_NO_LOCATION = ("", "00000000-0000-0000-0000-000000000000")
_NEEDS_LOCATION = ("US", "CA")
_STARTS_AFTER = 0.3
"""Share of its time an order waits before it runs."""


@dataclass(frozen=True, slots=True)
class Fortune:
    """What the fault script has in store for an order."""

    fate: Fate = Fate.SUCCEEDS
    detail: str | None = None
    is_lost: bool = False
    seconds: float | None = None


LUCKY = Fortune()


class Orders:
    """The number actions of one tenant."""

    def __init__(self, tenant: Tenant) -> None:
        self._tenant = tenant

    def assign(self, body: Mapping[str, object], *, by: str, fortune: Fortune = LUCKY) -> Operation:
        """Order a number for a user. Raises Refusal."""
        fields = _fields(
            body,
            required=("telephoneNumber", "assignmentTargetId", "numberType"),
            optional=("assignmentCategory", "locationId"),
        )
        number = self._number(fields["telephoneNumber"])
        number_type = _member("numberType", fields["numberType"], NUMBER_TYPES)
        category = _member(
            "assignmentCategory",
            fields.get("assignmentCategory") or "primary",
            ASSIGNMENT_CATEGORIES,
        )
        target_id = fields["assignmentTargetId"]
        if self._tenant.users.get(target_id) is None or self._tenant.teams.get(target_id) is None:
            raise refusals.not_found(f"User '{target_id}' was not found.")
        operation = self._operation("Assignment", number, by=by, fortune=fortune)
        operation.target_id = target_id
        operation.category = category
        operation.location_id = fields.get("locationId") or None
        try:
            self._check_assignment(operation, number_type)
        except Refusal as refusal:
            if not self._tenant.settings.refusals_in_operation:
                raise
            operation.fate, operation.detail = Fate.FAILS, refusal.message
        return self._start(operation, fortune)

    def unassign(
        self, body: Mapping[str, object], *, by: str, fortune: Fortune = LUCKY
    ) -> Operation:
        """Order that a number be taken from whoever holds it. Raises Refusal."""
        fields = _fields(body, required=("telephoneNumber", "numberType"), optional=())
        number = self._number(fields["telephoneNumber"])
        number_type = _member("numberType", fields["numberType"], NUMBER_TYPES)
        row = self._tenant.numbers.get(number)
        if row is None or row.number_type != number_type:
            raise refusals.number_not_found(number, self._tenant.id)
        if row.assignment_target_id is None and number not in self._tenant.pending:
            raise refusals.bad_request(f"Telephone Number '{number}' is not assigned.")
        return self._start(self._operation("Unassignment", number, by=by, fortune=fortune), fortune)

    def update(self, body: Mapping[str, object], *, by: str) -> None:
        """Change location or lookup options at once: null keeps, an empty string clears."""
        fields = dict(body)
        options = fields.pop("reverseNumberLookupOptions", None)
        if options is not None and options not in ([], ["skipInternalVoip"]):
            raise refusals.bad_request("Invalid value for 'reverseNumberLookupOptions'.")
        texts = _fields(
            fields, required=("telephoneNumber",), optional=("locationId", "networkSiteId")
        )
        number = self._number(texts["telephoneNumber"])
        row = self._tenant.numbers.get(number)
        if row is None:
            raise refusals.number_not_found(number, self._tenant.id)
        location_id = texts.get("locationId")
        if location_id is not None:
            row = self._with_location(row, location_id)
        if "networkSiteId" in texts:
            row = replace(row, network_site_id=texts["networkSiteId"] or None)
        if options is not None:
            row = replace(row, reverse_number_lookup_options=tuple(options))
        at = self._tenant.now()
        before = self._tenant.numbers.get(number)
        if before is not None and before.location_id != row.location_id:
            self._tenant.changes.add(
                at, number, aspect="location", values=(before.location_id, row.location_id), by=by
            )
        seconds = self._tenant.settings.update_seconds
        if seconds > 0:
            row = replace(row, activation_state="updatePending")
            self._tenant.agenda.add(at + seconds, lambda due: self._settle(number, due))
        self._tenant.put_number(row, at)

    def _settle(self, number: str, due: float) -> None:
        row = self._tenant.numbers.get(number)
        if row is not None and row.activation_state == "updatePending":
            self._tenant.put_number(replace(row, activation_state="activated"), due)

    def _number(self, text: str) -> str:
        """The number of a request as `+` and digits."""
        if not _NUMBER.fullmatch(text):
            raise refusals.bad_request(f"Telephone Number '{text}' is not in a correct format.")
        if ";ext=" in text and not self._tenant.settings.accepts_extensions:
            raise refusals.bad_request(f"Telephone Number '{text}' is not in a correct format.")
        return normalise_number(text)

    def _with_location(self, row: NumberRow, location_id: str) -> NumberRow:
        if location_id in _NO_LOCATION:
            if row.number_type == "callingPlan":
                raise refusals.bad_request("Location cannot be removed from a Calling Plan number.")
            return replace(row, location_id=None, civic_address_id=None)
        if self._tenant.locations and location_id not in self._tenant.locations:
            raise refusals.bad_request(f"Location '{location_id}' was not found.")
        return replace(row, location_id=location_id)

    def _check_assignment(self, operation: Operation, number_type: str) -> None:
        """Every rule an assignment must pass; the first broken one is told."""
        tenant = self._tenant
        number = operation.number
        user_id = operation.target_id or ""
        row = self._inventory_row(number, number_type)
        teams = tenant.teams.get(user_id)
        user = tenant.users.get(user_id)
        if teams is None or user is None:
            raise refusals.not_found(f"User '{user_id}' was not found.")
        if row.number_source == "onPremises" or teams.on_premises_number is not None:
            raise refusals.on_premises_number()
        self._check_account(teams, row)
        if teams.account_type != "resourceAccount":
            status = user.plan_status(MCOEV_PLAN_ID)
            if status == "Deleted":
                # Misleading, and really what the service says when the licence was taken away.
                raise refusals.on_premises_number()
            if status is None:
                raise refusals.unlicensed(user_id, number_type)
            if "PhoneSystem" not in teams.feature_types:
                raise refusals.not_found(f"User '{user_id}' was not found.")
        if number_type == "callingPlan" and user.plan_status(CALLING_PLAN_ID) != "Enabled":
            raise refusals.unlicensed(user_id, number_type)
        if user.usage_location != row.iso_country_code:
            raise refusals.bad_request(
                f"User '{user_id}' usage location '{user.usage_location}' does not match the"
                f" country '{row.iso_country_code}' of Telephone Number '{number}'."
            )
        self._check_holder(operation, row)
        self._check_other_numbers(operation, teams)
        if operation.location_id is not None:
            self._with_location(row, operation.location_id)
        elif (
            number_type == "callingPlan"
            and row.iso_country_code in _NEEDS_LOCATION
            and row.location_id is None
        ):
            raise refusals.bad_request(f"Telephone Number '{number}' needs a location.")

    def _inventory_row(self, number: str, number_type: str) -> NumberRow:
        row = self._tenant.numbers.get(number)
        if row is not None and row.number_type == number_type:
            return row
        free_for_all = self._tenant.settings.assigns_numbers_outside_inventory
        if row is None and number_type == "directRouting" and free_for_all:
            row = NumberRow(id=encoded_id("", number), telephone_number=number)
            self._tenant.put_number(row, self._tenant.now())
            return row
        raise refusals.number_not_found(number, self._tenant.id)

    def _check_account(self, teams: TeamsRow, row: NumberRow) -> None:
        if teams.account_type == "resourceAccount":
            if not self._tenant.settings.assigns_to_resource_accounts:
                raise refusals.bad_request(f"User '{teams.id}' is not a user account.")
            wanted = "voiceApplicationAssignment"
        elif teams.account_type in ("user", "ineligibleUser"):
            wanted = "userAssignment"
        else:
            raise refusals.bad_request(f"User '{teams.id}' is not a user account.")
        if wanted not in row.capabilities:
            raise refusals.bad_request(
                f"Telephone Number '{row.telephone_number}' cannot be assigned to this kind of"
                " account."
            )

    def _check_holder(self, operation: Operation, row: NumberRow) -> None:
        if row.assignment_target_id not in (None, operation.target_id):
            raise refusals.taken(operation.number)
        pending = self._tenant.pending.get(operation.number)
        if pending is not None and pending.target_id not in (None, operation.target_id):
            raise refusals.taken(operation.number)

    def _check_other_numbers(self, operation: Operation, teams: TeamsRow) -> None:
        if operation.category != "primary":
            return
        coming = self._tenant.pending_targets.get(teams.id, {})
        others = {
            number
            for number, category in (*teams.telephone_numbers, *coming.items())
            if category == "primary"
        }
        if others - {operation.number}:
            raise refusals.bad_request(
                f"User '{teams.id}' already has a primary telephone number assigned."
            )

    def _operation(self, action: str, number: str, *, by: str, fortune: Fortune) -> Operation:
        row = self._tenant.numbers.get(number)
        return Operation(
            id=encoded_id(action, self._tenant.new_guid("operation")),
            action=action,
            number=number,
            by=by,
            created_date_time=self._tenant.timestamp(),
            fate=fortune.fate,
            detail=fortune.detail,
            is_lost=fortune.is_lost,
            resource_location=f"{NUMBERS_PATH}/{row.id}" if row is not None else "",
        )

    def _start(self, operation: Operation, fortune: Fortune) -> Operation:
        tenant = self._tenant
        tenant.operations[operation.id] = operation
        tenant.pending[operation.number] = operation
        if operation.target_id is not None:
            coming = tenant.pending_targets.setdefault(operation.target_id, {})
            coming[operation.number] = operation.category
        now = tenant.now()
        configured = tenant.settings.operation_seconds
        seconds = configured if fortune.seconds is None else fortune.seconds
        if seconds <= 0:
            self._finish(operation, now)
            return operation
        row = tenant.numbers.get(operation.number)
        if row is not None and operation.action == "Assignment":
            tenant.put_number(replace(row, activation_state="assignmentPending"), now)
        tenant.agenda.add(now + seconds * _STARTS_AFTER, lambda _: self._run(operation))
        tenant.agenda.add(now + seconds, lambda due: self._finish(operation, due))
        return operation

    def _run(self, operation: Operation) -> None:
        operation.status = operation.number_status = "running"

    def _finish(self, operation: Operation, at: float) -> None:
        if self._tenant.pending.get(operation.number) is operation:
            del self._tenant.pending[operation.number]
        if operation.target_id is not None:
            coming = self._tenant.pending_targets.get(operation.target_id, {})
            coming.pop(operation.number, None)
            if not coming:
                self._tenant.pending_targets.pop(operation.target_id, None)
        if operation.fate is Fate.SUCCEEDS:
            try:
                self._take_effect(operation, at)
            except Refusal as refusal:
                # The world moved on while the order waited: a portal change, another order.
                operation.fate, operation.detail = Fate.FAILS, refusal.message
        if operation.fate is Fate.SUCCEEDS:
            operation.status = operation.number_status = "succeeded"
            return
        operation.detail = operation.detail or "The order could not be completed."
        operation.status = {
            Fate.FAILS: "failed",
            Fate.PARTIAL: "succeeded",
            Fate.SKIPPED: "skipped",
        }[operation.fate]
        operation.number_status = "skipped" if operation.fate is Fate.SKIPPED else "failed"
        row = self._tenant.numbers.get(operation.number)
        if row is not None and row.activation_state == "assignmentPending":
            state = "activated" if row.assignment_target_id is not None else "assignmentFailed"
            self._tenant.put_number(replace(row, activation_state=state), at)

    def _take_effect(self, operation: Operation, at: float) -> None:
        row = self._tenant.numbers.get(operation.number)
        if row is None:
            raise refusals.number_not_found(operation.number, self._tenant.id)
        if operation.action == "Unassignment":
            release(self._tenant, row, at=at, by=operation.by)
            return
        self._check_holder(operation, row)
        if operation.location_id is not None:
            row = self._with_location(row, operation.location_id)
        hold(self._tenant, row, by=operation.by, at=at, operation=operation)


def hold(tenant: Tenant, row: NumberRow, *, operation: Operation, at: float, by: str) -> None:
    """Give a number to the target of `operation`; Enterprise Voice goes on by itself."""
    target_id = operation.target_id or ""
    teams = tenant.teams.get(target_id)
    if teams is None:
        raise refusals.not_found(f"User '{target_id}' was not found.")
    tenant.note_holder(
        row.telephone_number, holders=(row.assignment_target_id, target_id), at=at, by=by
    )
    is_application = teams.account_type == "resourceAccount"
    tenant.put_number(
        replace(
            row,
            activation_state="activated",
            assignment_target_id=target_id,
            assignment_category=operation.category,
            assignment_status="voiceApplicationAssigned" if is_application else "userAssigned",
        ),
        at,
    )
    others = tuple(pair for pair in teams.telephone_numbers if pair[0] != row.telephone_number)
    tenant.teams.put(
        target_id,
        replace(
            teams,
            telephone_numbers=(*others, (row.telephone_number, operation.category)),
            is_enterprise_voice_enabled=True,
            modified_date_time=tenant.timestamp(),
        ),
        at,
    )


def release(tenant: Tenant, row: NumberRow, *, at: float, by: str) -> None:
    """Take a number from whoever holds it; Enterprise Voice goes off with it."""
    holder_id = row.assignment_target_id
    tenant.note_holder(row.telephone_number, holders=(holder_id, None), at=at, by=by)
    tenant.put_number(
        replace(
            row,
            activation_state="activated",
            assignment_target_id=None,
            assignment_category=None,
            assignment_status="unassigned",
        ),
        at,
    )
    teams = tenant.teams.get(holder_id) if holder_id is not None else None
    if teams is not None:
        left = tuple(pair for pair in teams.telephone_numbers if pair[0] != row.telephone_number)
        tenant.teams.put(
            teams.id,
            replace(
                teams,
                telephone_numbers=left,
                is_enterprise_voice_enabled=bool(left),
                modified_date_time=tenant.timestamp(),
            ),
            at,
        )


def _fields(
    body: Mapping[str, object], *, required: tuple[str, ...], optional: tuple[str, ...]
) -> dict[str, str]:
    """The text fields of a body: required ones there, optional ones may be null, others refused."""
    for name in body:
        if name not in required and name not in optional:
            raise refusals.bad_request(
                f"The parameter '{name}' in the request payload is not valid."
            )
    texts: dict[str, str] = {}
    for name in (*required, *optional):
        value = body.get(name)
        if value is None and name in optional:
            continue
        if not isinstance(value, str) or (name in required and not value):
            raise refusals.bad_request(f"The parameter '{name}' is missing or not a string.")
        texts[name] = value
    return texts


def _member(name: str, value: str, members: tuple[str, ...]) -> str:
    if value not in members:
        raise refusals.bad_request(f"Invalid value '{value}' for '{name}': not one of {members}.")
    return value
