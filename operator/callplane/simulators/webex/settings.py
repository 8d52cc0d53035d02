"""What a Webex world is like: how fast, how late, how generous, and how it answers where nobody
knows.

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
    licence_lag_seconds: float = 0.0
    """How long a licence given by PATCH stays in `pendingLicenses`."""
    job_seconds: float = 0.0
    """How long a job on numbers takes; 0 ends it before the answer leaves."""
    read_lag_seconds: float = 0.0
    """How old single reads are."""
    listing_lag_seconds: float = 0.0
    """How old listings are."""
    writes_per_second: float | None = None
    """Budget of an organisation for writes; None is unlimited."""
    write_burst: float | None = None
    """Writes at once; None is one second's worth."""
    reads_per_second: float | None = None
    read_burst: float | None = None
    refused_call_cost: float = 0.0
    """What a throttled call takes from the budget all the same."""
    throttling_names_wait: bool = True
    """429 carries Retry-After; off, the caller has to guess."""
    token_seconds: float = 1_209_600.0
    """Life of an access token; the vendor publishes none, two weeks are commonly quoted."""
    refresh_token_seconds: float = 7_776_000.0
    """Life of a refresh token; commonly quoted as 90 days."""
    refresh_extends: bool = True
    """Using a refresh token starts its life anew."""
    refresh_rotates: bool = False
    """Using a refresh token brings another one and makes the old one worthless."""
    refuses_managed_locations: bool = True
    """Numbers of a location whose PSTN somebody else manages cannot be written; off, the write is
    taken and breaks the location (see `damage` in the state), which is what the vendor warns of.
    """
    creates_people_it_refuses: bool = True
    """A person whose number cannot be had is created all the same, and answered 400."""
    number_errors_as_list: bool = False
    """Refused additions of numbers are answered with a list, as the SDK expects, not an object."""
    removes_assigned_numbers: bool = False
    """DELETE takes away numbers that somebody has."""
    moves_one_number_a_job: bool = False
    """A job that moves several numbers is refused with BATCH-1017031."""
    listing_omits_details: bool = True
    """Lists of people leave out licences, roles and locations."""
    serves_old_permission_path: bool = True
    serves_new_permission_path: bool = True
    accepts_null_restriction: bool = True
    """`isCallTypeRestrictionEnabled: null` in an outgoing permission, as the SDK sends it."""
    people_page_size: int = 100
    """People a page when `max` is not sent."""
    limits_call_feed: bool = True
    """One question a minute for the call history; the next is throttled."""
    numbers_page_size: int = 2000
    """Numbers a page when `max` is not sent, and the most that it may ask for."""

    def change(self, changes: Mapping[str, object], place: str = "settings") -> None:
        """Apply changes by name, all or none. ValueError names place, setting and reason."""
        descriptions.change_settings(self, changes, place)

    def document(self) -> dict[str, object]:
        """As JSON."""
        return dataclasses.asdict(self)
