"""What a world is like: how fast, how late, how generous, and how it answers where nobody knows.

Every setting can be changed while the world runs. Times are seconds.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

from callplane.simulators import descriptions


@dataclass(slots=True)
class WorldSettings:
    """Defaults make a fast, honest, unthrottled world."""

    answer_delay_seconds: float = 0.0
    """Between doing what a request asks and answering it; listings use the next one."""
    page_delay_seconds: float = 0.0
    operation_seconds: float = 0.0
    """How long an order for a number takes; 0 finishes it before the answer leaves."""
    update_seconds: float = 0.0
    """How long `activationState` stays `updatePending` after updateNumber."""
    policy_lag_seconds: float = 0.0
    """How late `effectivePolicyAssignments` follows a policy write."""
    licence_lag_seconds: float = 0.0
    """How late Teams follows a licence that Entra ID already shows."""
    read_lag_seconds: float = 0.0
    """How old single reads are."""
    listing_lag_seconds: float = 0.0
    """How old listings are."""
    writes_per_second: float | None = None
    """Budget of a tenant for writes; None is unlimited."""
    write_burst: float | None = None
    """Writes at once; None is one second's worth."""
    reads_per_second: float | None = None
    read_burst: float | None = None
    refused_call_cost: float = 0.0
    """What a throttled call takes from the budget all the same."""
    token_seconds: float = 3599.0
    refusals_in_operation: bool = False
    """Precondition failures show up in the order's `statusDetail` in place of a 400."""
    call_page_size: int = 1000
    """Rows a page of the logs of calls."""
    masks_call_numbers: bool = True
    """Numbers of others in the logs of calls end in stars."""
    wraps_operations: bool = False
    """Orders are answered inside `{"value": {...}}`, as the documentation sample has it."""
    numbers_have_next_link: bool = False
    """The list of numbers carries `@odata.nextLink`; undocumented."""
    users_page_size: int = 100
    """Rows a page when `$top` is not sent; also used for user configurations."""
    accepts_extensions: bool = False
    """`;ext=` in a number to assign."""
    assigns_numbers_outside_inventory: bool = False
    """A Direct Routing number nobody uploaded may be assigned."""
    assigns_to_resource_accounts: bool = False
    health_in_pascal_case: bool = True
    """Service health says `ServiceOperational`, as the samples do, not `serviceOperational`."""

    def change(self, changes: Mapping[str, object], place: str = "settings") -> None:
        """Apply changes by name, all or none. ValueError names place, setting and reason."""
        descriptions.change_settings(self, changes, place)

    def document(self) -> dict[str, object]:
        """As JSON."""
        return dataclasses.asdict(self)
