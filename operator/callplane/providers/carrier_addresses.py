"""Emergency addresses for carriers that keep the street in one line. Pure."""

from __future__ import annotations

import re
from typing import Final

from callplane.providers.carrier_protocol import CarrierRefused
from callplane.resources.carriers import EmergencyAddress, Obstacle

LONGEST: Final = 100
"""Most characters of a field. The vendors state no limit; what is longer is no address."""

_POSTCODE = re.compile(r"[A-Z]{1,2}[0-9][A-Z0-9]?[0-9][A-Z]{2}")
_MANDATORY = ("organisation", "street", "town", "postcode")


def one_street_line(address: EmergencyAddress) -> EmergencyAddress:
    """The address with place, building and street in `street`, the postcode as it is written.

    Raises CarrierRefused (ADDRESS_REFUSED) naming every field that is missing or too long.
    """
    numbered = " ".join(part for part in (address.building, address.street) if part)
    squeezed = re.sub(r"\s+", "", address.postcode.upper())
    is_british = address.country == "GB"
    spaced = f"{squeezed[:-3]} {squeezed[-3:]}" if is_british else address.postcode.strip()
    joined = EmergencyAddress(
        organisation=address.organisation,
        street=", ".join(part for part in (address.place, numbered) if part),
        locality=address.locality,
        town=address.town,
        postcode=spaced.strip(),
        country=address.country,
    )
    problems = [f"{name} is missing" for name in _MANDATORY if not getattr(joined, name)]
    problems += [
        f"{name} is longer than {LONGEST} characters"
        for name in (*_MANDATORY, "locality")
        if len(getattr(joined, name)) > LONGEST
    ]
    if is_british and squeezed and not _POSTCODE.fullmatch(squeezed):
        problems.append("postcode is none of the UK")
    if problems:
        raise CarrierRefused(Obstacle.ADDRESS_REFUSED, "; ".join(problems))
    return joined
