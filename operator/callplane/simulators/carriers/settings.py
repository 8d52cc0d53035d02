"""What a carrier is like: how fast, how late, how generous, and how it answers where nobody knows.

Every setting can be changed while the world runs.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

from callplane.simulators import descriptions

_DAY_SECONDS = 86_400.0


@dataclass(slots=True)
class CarrierSettings:
    """Defaults make a fast, honest, unthrottled carrier. A carrier without a notion ignores it."""

    answer_delay_seconds: float = 0.0
    """Between doing what a request asks and answering it; listings use the next one."""
    page_delay_seconds: float = 0.0
    order_seconds: float = 0.0
    """How long an order pends, where orders pend; 0 ends it before the answer leaves."""
    report_seconds: float = 0.0
    """How long an asynchronous listing is being made (Simwood)."""
    report_keeps_seconds: float = 300.0
    """How long a finished report waits to be fetched (Simwood)."""
    reservation_seconds: float = 1800.0
    port_step_seconds: float = _DAY_SECONDS
    """How long each state of a port lasts."""
    month_seconds: float = 30 * _DAY_SECONDS
    """How often the monthly fee of a number is taken."""
    read_lag_seconds: float = 0.0
    """How old single reads are: a number just bought is 404 for so long."""
    listing_lag_seconds: float = 0.0
    """How old listings are."""
    reads_per_second: float | None = None
    """Budget of an account for reads; None is unlimited."""
    read_burst: float | None = None
    writes_per_second: float | None = None
    write_burst: float | None = None
    refused_call_cost: float = 0.0
    """What a throttled call takes from the budget all the same."""
    omits_retry_after: bool = False
    """A throttled call is not told how long to wait."""
    retry_after_is_date: bool = False
    """Retry-After holds an HTTP date in place of whole seconds."""
    needs_paperwork: bool = False
    """Orders wait until the portal approves their documents; Twilio wants an approved bundle, and
    at DIDWW the number is sold and awaits its registration.
    """
    rebuying_succeeds: bool = True
    """Buying a number the account owns already answers as if it were new; it is charged once."""
    numbers_rest_seconds: float = 0.0
    """How long a released number is not on sale to anybody; no carrier documents it."""
    search_is_shut: bool = False
    """Single numbers on sale are not shown (DIDWW opens this to an account that asks for it)."""
    refuses_with_200: bool = False
    """Failures of the service itself come under status 200 (Simwood documents no status)."""

    def change(self, changes: Mapping[str, object], place: str = "settings") -> None:
        """Apply changes by name, all or none. ValueError names place, setting and reason."""
        descriptions.change_settings(self, changes, place)

    def document(self) -> dict[str, object]:
        """As JSON."""
        return dataclasses.asdict(self)
