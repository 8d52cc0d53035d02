"""The number plan of each country we serve, as data: which numbers exist and what they are.

A table, not code and not a library at run time: prefixes are versioned with a source and a date,
and a check takes a microsecond. Rules refuse what a table does not admit; rating will read classes
from the same rows. The library behind most number checks refuses well-known sample numbers and
accepts short codes with a country code in front; it serves as a warning only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from callplane.values import E164


class NumberClass(Enum):
    """What a prefix is for."""

    GEOGRAPHIC = "Geographic"
    UK_WIDE = "UkWide"
    CORPORATE = "Corporate"
    VOIP = "Voip"
    PERSONAL = "Personal"
    MOBILE = "Mobile"
    PAGER = "Pager"
    FREEPHONE = "Freephone"
    SCHOOLS = "Schools"
    SERVICE_CHARGE = "ServiceCharge"
    PREMIUM = "Premium"
    UNASSIGNED = "Unassigned"


#: Classes of which a person or a service may hold a number with us.
HOLDABLE = frozenset(
    {
        NumberClass.GEOGRAPHIC,
        NumberClass.UK_WIDE,
        NumberClass.CORPORATE,
        NumberClass.VOIP,
        NumberClass.MOBILE,
        NumberClass.FREEPHONE,
        NumberClass.SERVICE_CHARGE,
    }
)


@dataclass(frozen=True, slots=True)
class NumberPlan:
    """One country's plan. `classes` maps national prefixes to classes; the longest match counts.
    `elsewhere` are prefixes behind the same calling code that are other countries'.
    """

    country: str
    calling_code: str
    as_of: str
    source: str
    pattern: re.Pattern[str]
    classes: Mapping[str, NumberClass]
    elsewhere: frozenset[str] = frozenset()

    def class_of(self, number: E164) -> NumberClass:
        """The class of a number of this plan; UNASSIGNED where the table has no prefix for it."""
        national = self.national(number)
        for length in range(len(national), 0, -1):
            found = self.classes.get(national[:length])
            if found is not None:
                return found
        return NumberClass.UNASSIGNED

    def covers(self, number: E164) -> bool:
        """Does the number start with this plan's calling code?"""
        return number.text.startswith(f"+{self.calling_code}")

    def national(self, number: E164) -> str:
        """The number without calling code. Raises ValueError for a number of another country."""
        if not self.covers(number):
            raise ValueError(f"{number.masked} does not start with +{self.calling_code}")
        return number.text[1 + len(self.calling_code) :]

    def objection(self, number: E164) -> str | None:
        """Why nobody can hold this number, as the end of a sentence; None when it is admissible."""
        if not self.covers(number):
            return f"is not a number of {self.country}: it does not start with +{self.calling_code}"
        if not self.pattern.fullmatch(number.text):
            return f"has no length or start that numbers of {self.country} have"
        number_class = self.class_of(number)
        if self.national(number)[:3] in self.elsewhere:
            return f"has an area code of another country than {self.country}"
        if number_class is NumberClass.UNASSIGNED:
            return f"lies in a part of the {self.country} number plan that is not in use"
        if number_class not in HOLDABLE:
            return f"is a {number_class.value.lower()} number, which nobody can hold here"
        return None

    def is_admissible(self, number: E164) -> bool:
        """May a range or an object hold this number?"""
        return self.objection(number) is None


GB = NumberPlan(
    country="GB",
    calling_code="44",
    as_of="2026-11",
    source="Ofcom, National Telephone Numbering Plan (summary of designations)",
    # Ten digits; nine in some 01 areas and behind 0800; seven for two old freephone-like forms.
    pattern=re.compile(r"\+44(?:1\d{8,9}|[23579]\d{9}|8\d{6}|8\d{8,9})"),
    classes={
        "1": NumberClass.GEOGRAPHIC,
        # 011x and 01x1 are areas as well; short codes such as 112 never reach this table, since a
        # national number has at least seven digits.
        "2": NumberClass.GEOGRAPHIC,
        "3": NumberClass.UK_WIDE,
        "5": NumberClass.UNASSIGNED,
        "55": NumberClass.CORPORATE,
        "56": NumberClass.VOIP,
        "500": NumberClass.UNASSIGNED,
        "7": NumberClass.MOBILE,
        "70": NumberClass.PERSONAL,
        "76": NumberClass.PAGER,
        "7624": NumberClass.MOBILE,
        "8": NumberClass.UNASSIGNED,
        "80": NumberClass.FREEPHONE,
        "82": NumberClass.SCHOOLS,
        "84": NumberClass.SERVICE_CHARGE,
        "87": NumberClass.SERVICE_CHARGE,
        "9": NumberClass.UNASSIGNED,
        "90": NumberClass.PREMIUM,
        "91": NumberClass.PREMIUM,
        "98": NumberClass.PREMIUM,
    },
)

#: Area codes behind +1 that are Canadian or of the Caribbean and Bermuda.
_NOT_OF_THE_US = (
    "204 226 236 249 250 257 263 289 306 343 354 365 367 368 382 403 416 418 428 431 437 438 "
    "450 460 468 474 506 514 519 548 579 581 584 587 604 613 639 647 672 683 705 709 742 753 "
    "778 780 782 807 819 825 867 873 879 902 905 942 "
    "242 246 264 268 284 345 441 473 649 658 664 721 758 767 784 809 829 849 868 869 876"
)
#: Codes that reach no place: services (N11), the format of an expansion (N9X), kept back, 555.
_KEPT_BACK = "211 311 411 511 611 711 811 911 29 37 39 49 59 69 79 89 96 99 555 710 822"
_FOLLOW_ME = (
    "500 521 522 523 524 525 526 527 528 529 532 533 535 538 542 543 544 545 546 547 549 550 552 "
    "553 554 556 558 566 569 577 578 588 589"
)

US = NumberPlan(
    country="US",
    calling_code="1",
    as_of="2026-11",
    source=(
        "North American Numbering Plan Administrator, area code tables; ATIS-0300115 keeps "
        "555-0100 to 555-0199 of each area for fiction"
    ),
    # Area code and exchange begin with 2 to 9; an exchange that ends in 11 is a service's.
    pattern=re.compile(r"\+1[2-9]\d{2}(?![2-9]11)[2-9]\d{6}"),
    classes={
        **dict.fromkeys("23456789", NumberClass.GEOGRAPHIC),
        **dict.fromkeys(_KEPT_BACK.split(), NumberClass.UNASSIGNED),
        **dict.fromkeys(_FOLLOW_ME.split(), NumberClass.PERSONAL),
        **dict.fromkeys(("800", "833", "844", "855", "866", "877", "888"), NumberClass.FREEPHONE),
        "900": NumberClass.PREMIUM,
    },
    elsewhere=frozenset(_NOT_OF_THE_US.split()),
)

PLANS: Mapping[str, NumberPlan] = {plan.country: plan for plan in (GB, US)}


def plan_of(country: str) -> NumberPlan | None:
    """The plan of a country, or None when we have no table for it."""
    return PLANS.get(country)


def is_admissible(number: E164, *, country: str) -> bool:
    """May a range or an object of that country hold this number? False for unknown countries."""
    plan = plan_of(country)
    return plan is not None and plan.is_admissible(number)


#: Usage locations that share a plan: the Crown dependencies have UK numbers, and the territories
#: are area codes of the US.
_USAGE_LOCATIONS = {
    "GB": frozenset({"GB", "GG", "JE", "IM"}),
    "US": frozenset({"US", "PR", "VI", "GU", "AS", "MP"}),
}


def usage_locations(number: E164) -> frozenset[str]:
    """Countries whose people may hold the number; empty where no table says so."""
    for country, plan in PLANS.items():
        if plan.covers(number) and (country == "GB" or plan.is_admissible(number)):
            return _USAGE_LOCATIONS.get(country, frozenset())
    return frozenset()
