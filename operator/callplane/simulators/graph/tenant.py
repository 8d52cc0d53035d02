"""The state of one tenant and the ways to look at it; behaviour lies in `orders`, `policies`,
`portal`.

Times are seconds of the world's monotonic clock. Whoever looks calls `advance` first, so that what
fell due since the last look has happened.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence

from callplane.clock import Clock
from callplane.simulators.agenda import Agenda
from callplane.simulators.call_log import CallLog
from callplane.simulators.graph.operations import Operation
from callplane.simulators.graph.rows import (
    NumberRow,
    PolicyGrant,
    TeamsRow,
    UserRow,
)
from callplane.simulators.graph.settings import WorldSettings
from callplane.simulators.invented import derive_guid
from callplane.simulators.recording import ChangeLog
from callplane.simulators.shelves import Shelf

PORTAL = "portal"
"""Author of changes made behind our back."""


def normalise_number(text: str) -> str:
    """`+` and digits, whichever way a number was written; `;ext=` is kept."""
    return text if text.startswith("+") else f"+{text}"


class Tenant:
    """Users, numbers, Teams configurations, policies, places and orders of one tenant."""

    def __init__(
        self, tenant_id: str, *, domain: str, clock: Clock, settings: WorldSettings, seed: int
    ) -> None:
        self.id = tenant_id
        self.domain = domain
        self.settings = settings
        self.seed = seed
        self.agenda = Agenda()
        self.changes = ChangeLog()
        self.numbers: Shelf[NumberRow] = Shelf(is_sorted=True)
        self.users: Shelf[UserRow] = Shelf(is_sorted=False)
        self.deleted_users: Shelf[UserRow] = Shelf(is_sorted=False)
        self.teams: Shelf[TeamsRow] = Shelf(is_sorted=False)
        self.locations: set[str] = set()
        self.direct_routing_calls = CallLog()
        self.pstn_calls = CallLog()
        self.health = "serviceOperational"
        self.health_issues: list[dict[str, object]] = []
        self.operations: dict[str, Operation] = {}
        self.pending: dict[str, Operation] = {}
        """Open orders by number."""
        self.pending_targets: dict[str, dict[str, str]] = {}
        """Numbers on their way to a person, with their category, by user id."""
        self.policy_ids: dict[str, dict[str, str]] = {}
        self.number_ids: dict[str, str] = {}
        self._user_ids: dict[str, str] = {}
        self._issued = 0
        self._clock = clock

    def now(self) -> float:
        """Seconds of the world's monotonic clock."""
        return self._clock.monotonic()

    def wall_time(self) -> datetime.datetime:
        """The world's wall clock."""
        return self._clock.now()

    def timestamp(self) -> str:
        """Wall time as Graph writes it."""
        return timestamp(self._clock.now())

    def advance(self) -> float:
        """Let everything happen that is due. Returns the time now."""
        now = self._clock.monotonic()
        self.agenda.advance(now)
        return now

    def new_guid(self, what: str) -> str:
        """A GUID nobody has yet; the same in every run that does the same in the same order."""
        self._issued += 1
        return derive_guid(self.seed, self.id, what, self._issued)

    # Users of the directory.

    def user_id(self, key: str) -> str | None:
        """The id of the live user with this id or user principal name (any case)."""
        if self.users.get(key) is not None:
            return key
        return self._user_ids.get(key.lower())

    def put_user(self, row: UserRow, at: float) -> None:
        """Add a user or change one; the name index follows."""
        before = self.users.get(row.id)
        if before is not None:
            self._user_ids.pop(before.user_principal_name.lower(), None)
        self._user_ids[row.user_principal_name.lower()] = row.id
        self.users.put(row.id, row, at)

    def remove_user(self, user_id: str, at: float) -> None:
        """Take a user out of the directory; Teams and deleted users are the caller's business."""
        row = self.users.get(user_id)
        if row is not None:
            self._user_ids.pop(row.user_principal_name.lower(), None)
            self.users.put(user_id, None, at)

    # Numbers.

    def put_number(self, row: NumberRow, at: float) -> None:
        """Add a number or change one."""
        self.number_ids[row.id] = row.telephone_number
        self.numbers.put(row.telephone_number, row, at)

    def note_holder(
        self, number: str, *, holders: tuple[str | None, str | None], at: float, by: str
    ) -> None:
        """Write a change of holder into the log; no change writes nothing."""
        if holders[0] == holders[1]:
            return
        self.changes.add(at, number, aspect="holder", values=holders, by=by)

    # Policies.

    def policy_name(self, policy_type: str, policy_id: str) -> str | None:
        """The name (without `Tag:`) of a policy id, None when there is no such policy."""
        ids = self.policy_ids.get(policy_type, {})
        return next((name for name, known in ids.items() if known == policy_id), None)

    def grant(self, policy_type: str, name: str, *, group_id: str | None = None) -> PolicyGrant:
        """A grant of a policy that exists. KeyError when it does not."""
        return PolicyGrant(policy_type, name, self.policy_ids[policy_type][name], group_id)

    def add_policies(self, policies: Iterable[tuple[str, Sequence[str]]]) -> None:
        """Create policies by type and names; ids are opaque and follow from the seed."""
        for policy_type, names in policies:
            ids = self.policy_ids.setdefault(policy_type, {})
            for name in names:
                guid = derive_guid(self.seed, self.id, policy_type, name)
                # Half of the ids do not look like GUIDs, because the vendor's own samples do not.
                opaque = guid if len(name) % 2 else "Vn" + guid.replace("-", "") + "UqIMRUo"
                ids.setdefault(name, opaque)


def timestamp(moment: datetime.datetime) -> str:
    """A moment (UTC) as Graph writes it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
