"""Rules on accounts, privileges and rate cards: zones that exist, rows that do not contradict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from callplane.apis.call_privileges import CallPrivilege
from callplane.apis.calling_accounts import CallingAccount
from callplane.apis.rate_cards import RateCard
from callplane.rules.findings import Finding, Rule
from callplane.values.period import zone_named

ZONE_UNKNOWN = Rule(
    "time-zone-unknown",
    ("CallingAccount", "CallPrivilege", "RateCard"),
    "There is no such time zone.",
)
RATE_TWICE = Rule(
    "rate-twice",
    ("RateCard",),
    "A prefix has one price from one instant on.",
)
BAND_UNKNOWN = Rule(
    "band-unknown",
    ("RateCard",),
    "A row has a price for a band that the card does not have.",
)
ACCESS_CHARGE_MISSING = Rule(
    "access-charge-missing",
    ("RateCard",),
    "A row with a service charge needs an access charge that has begun when the row does.",
)

RULES = (ZONE_UNKNOWN, RATE_TWICE, BAND_UNKNOWN, ACCESS_CHARGE_MISSING)


def check(resource: CallingAccount | CallPrivilege | RateCard) -> Iterator[Finding]:
    """Everything that one of these objects shows by itself."""
    try:
        zone_named(resource.spec.time_zone)
    except ValueError as error:
        yield ZONE_UNKNOWN.finding(resource, "spec.timeZone", str(error))
    if isinstance(resource, RateCard):
        yield from _check_rows(resource)


def _check_rows(card: RateCard) -> Iterator[Finding]:
    spec = card.spec
    bands = {band.name for band in spec.bands}
    begins = min((charge.effective_from for charge in spec.access_charges), default=None)
    seen = Counter((row.prefix, row.short_code, row.effective_from) for row in spec.rows or ())
    for nth, row in enumerate(spec.rows or ()):
        path = f"spec.rows[{nth}]"
        if seen[(row.prefix, row.short_code, row.effective_from)] > 1:
            message = f"prefix {row.prefix} has two prices from {row.effective_from.isoformat()}"
            yield RATE_TWICE.finding(card, path, message)
        for price in row.bands:
            if price.band not in bands:
                message = f"there is no band {price.band} in spec.bands"
                yield BAND_UNKNOWN.finding(card, f"{path}.bands", message)
        if row.service and (begins is None or row.effective_from < begins):
            message = f"prefix {row.prefix} begins before any of spec.accessCharges"
            yield ACCESS_CHARGE_MISSING.finding(card, f"{path}.service", message)
