"""Who counts as a user of a month: the rule of each platform, added up.

Evidence is collected during the month and never taken back: whoever was active at any moment of it
counts once on each platform.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class SeatPlatform(StrEnum):
    """Where a user is counted; each has its own fee."""

    TEAMS = "Teams"
    WEBEX = "Webex"
    SIP = "Sip"
    PBX = "Pbx"


@dataclass(frozen=True, slots=True)
class TeamsIdentity:
    """A person or resource account, as a listing showed it."""

    identity: str
    is_user: bool
    is_resource_account: bool
    has_phone_licence: bool
    on_hosted_direct_routing: bool

    @property
    def is_active(self) -> bool:
        """A user or resource account, licensed for the phone system, on the hosted carrier."""
        return (
            (self.is_user or self.is_resource_account)
            and self.has_phone_licence
            and self.on_hosted_direct_routing
        )


@dataclass(frozen=True, slots=True)
class SipRegistration:
    """A phone that registered; `device` outlives a re-registration."""

    device: str
    username: str


@dataclass(frozen=True, slots=True)
class PbxTrust:
    """A PBX is billed by the count its owner declares; what its calls show is only watched."""

    declared_users: int
    observed_callers: int

    @property
    def exceeds_fair_use(self) -> bool:
        return self.observed_callers > self.declared_users


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything of one account and month that speaks for a user.

    `webex_numbers` are the direct numbers assigned to people; an extension is none.
    """

    teams: Iterable[TeamsIdentity] = ()
    webex_numbers: Iterable[str] = ()
    registrations: Iterable[SipRegistration] = ()
    trunks: Iterable[PbxTrust] = ()


def count(evidence: Evidence) -> dict[SeatPlatform, int]:
    """Users by platform. A person on two platforms is a user of each."""
    return {
        SeatPlatform.TEAMS: len({one.identity for one in evidence.teams if one.is_active}),
        SeatPlatform.WEBEX: len(set(evidence.webex_numbers)),
        SeatPlatform.SIP: len({one.device for one in evidence.registrations}),
        SeatPlatform.PBX: sum(trunk.declared_users for trunk in evidence.trunks),
    }
