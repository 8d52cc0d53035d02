"""What kind of destination a dialled number is: the classes that privileges allow and deny.

A table of prefixes of E.164 digits with a source and a date; the longest match counts. It says
nothing about prices: those are data of rate cards, and what a bundle includes is data of
destination sets.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from functools import lru_cache

from callplane.numbering.dialled_services import GB, digits_of

AS_OF = "2026-11"
SOURCE = (
    "Ofcom, National Telephone Numbering Plan (summary of designations); ITU-T E.164 assigned "
    "country codes; mobile prefixes of the Crown dependencies as libphonenumber splits them"
)


class DestinationClass(StrEnum):
    """Where a call goes, as far as permission and price are concerned."""

    GEOGRAPHIC = "Geographic"
    UK_WIDE = "UkWide"
    MOBILE = "Mobile"
    CROWN_DEPENDENCY = "CrownDependency"
    CORPORATE = "Corporate"
    VOIP = "Voip"
    PAGER = "Pager"
    PERSONAL = "Personal"
    FREEPHONE = "Freephone"
    SERVICE_CHARGE = "ServiceCharge"
    HIGHER_SERVICE_CHARGE = "HigherServiceCharge"
    PREMIUM = "Premium"
    DIRECTORY_ENQUIRIES = "DirectoryEnquiries"
    INTERNATIONAL = "International"
    SATELLITE = "Satellite"
    UNASSIGNED = "Unassigned"


#: What a line without a privilege may call: international, 070, 087, 09, 118 and satellite are off
#: until somebody names them.
DOMESTIC = frozenset(
    {
        DestinationClass.GEOGRAPHIC,
        DestinationClass.UK_WIDE,
        DestinationClass.MOBILE,
        DestinationClass.CROWN_DEPENDENCY,
        DestinationClass.CORPORATE,
        DestinationClass.VOIP,
        DestinationClass.PAGER,
        DestinationClass.FREEPHONE,
        DestinationClass.SERVICE_CHARGE,
    }
)
#: Destinations whose price has two parts: an access charge and a service charge.
TWO_PART = frozenset(
    {
        DestinationClass.SERVICE_CHARGE,
        DestinationClass.HIGHER_SERVICE_CHARGE,
        DestinationClass.PREMIUM,
        DestinationClass.DIRECTORY_ENQUIRIES,
    }
)

_CROWN = (
    *("1534", "1481", "1624"),
    *("7509", "7797", "7829", "7937", "77003", "77007", "77008"),
    *("7781", "7839", "79111", "79117"),
    *("7624", "7524", "74576"),
)
_GB: Mapping[str, DestinationClass] = {
    "": DestinationClass.UNASSIGNED,
    "1": DestinationClass.GEOGRAPHIC,
    "2": DestinationClass.GEOGRAPHIC,
    "3": DestinationClass.UK_WIDE,
    "55": DestinationClass.CORPORATE,
    "56": DestinationClass.VOIP,
    "7": DestinationClass.MOBILE,
    "70": DestinationClass.PERSONAL,
    "76": DestinationClass.PAGER,
    "80": DestinationClass.FREEPHONE,
    "84": DestinationClass.SERVICE_CHARGE,
    "87": DestinationClass.HIGHER_SERVICE_CHARGE,
    "9": DestinationClass.PREMIUM,
    **dict.fromkeys(_CROWN, DestinationClass.CROWN_DEPENDENCY),
}
#: Global mobile satellite (870, 881) and the shared codes of international networks (882, 883),
#: which are fraud's favourites for the same reason.
_SATELLITE = ("870", "881", "882", "883")

CLASSES: Mapping[str, DestinationClass] = {
    **{f"44{prefix}": found for prefix, found in _GB.items()},
    **dict.fromkeys(_SATELLITE, DestinationClass.SATELLITE),
    # Universal international freephone, shared cost and premium rate services.
    "800": DestinationClass.INTERNATIONAL,
    "808": DestinationClass.INTERNATIONAL,
    "979": DestinationClass.PREMIUM,
}
_LONGEST = max(map(len, CLASSES))


@lru_cache(maxsize=65_536)
def class_of(destination: str) -> DestinationClass:
    """The class of `+` and E.164 digits, or of a short code as dialled.

    >>> [class_of(number).value for number in ("+442079460123", "+12125550123", "118500")]
    ['Geographic', 'International', 'DirectoryEnquiries']
    """
    if not destination.startswith("+"):
        is_directory = len(destination) == 6 and destination.startswith("118")
        return DestinationClass.DIRECTORY_ENQUIRIES if is_directory else DestinationClass.UNASSIGNED
    digits = destination[1:]
    for length in range(min(_LONGEST, len(digits)), 0, -1):
        found = CLASSES.get(digits[:length])
        if found is not None:
            return found
    return DestinationClass.INTERNATIONAL if digits else DestinationClass.UNASSIGNED


def destination_of(dialled: str, *, outside_line: str = "") -> str:
    """What a dialled form of the United Kingdom means: `+` and E.164 digits, or a short code.

    A number behind a text relay's prefix is rated as the number. What is no number comes back as
    its digits, which no rate card knows.

    >>> [destination_of(form) for form in ("020 7946 0123", "0012125550123", "118500")]
    ['+442079460123', '+12125550123', '118500']
    """
    digits = GB.relayed(dialled) or digits_of(dialled).rstrip("#")
    if outside_line and digits.startswith(outside_line):
        digits = digits[len(outside_line) :]
    if digits.startswith("00"):
        digits = "+" + digits[2:]
    elif digits.startswith("0"):
        digits = "+44" + digits[1:]
    if digits.startswith("+440"):
        # The trunk zero of "+44 (0)20" is not dialled from abroad.
        digits = "+44" + digits[4:]
    if digits.startswith("+44118") and len(digits) == len("+44118500"):
        return digits[3:]
    return digits


def country_code(destination: str) -> str:
    """The country code of an international destination, for "first call to a new country".

    One digit for zones 1 and 7, else two where the plan knows two-digit codes, else three.

    >>> country_code("+12125550123"), country_code("+353123"), country_code("+33123")
    ('1', '353', '33')
    """
    digits = destination.removeprefix("+")
    if digits[:1] in ("1", "7"):
        return digits[:1]
    return digits[:2] if digits[:2] in _TWO_DIGIT_CODES else digits[:3]


#: ITU-T E.164 list of assigned country codes: those of two digits.
_TWO_DIGIT_CODES = frozenset(
    str(code)
    for code in (
        *(20, 27, 30, 31, 32, 33, 34, 36, 39, 40, 41, 43, 44, 45, 46, 47, 48, 49),
        *(51, 52, 53, 54, 55, 56, 57, 58, 60, 61, 62, 63, 64, 65, 66),
        *(81, 82, 84, 86, 90, 91, 92, 93, 94, 95, 98),
    )
)
