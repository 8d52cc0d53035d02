"""Numbers that are answered whatever else is true: emergency services and exempt public lines.

One table decides for everybody. The decision about a call asks `match`; the configuration of the
session border controller is generated from `pattern`. Both read the same rows, and one corpus of
dialled forms (`callplane.testing.dialled_forms`) runs through both, so they cannot drift apart.

A code matches exactly or not at all: 9991, 1112 and +449991234 are other numbers. What people and
platforms put around a code is taken off first: the scheme and host of an address, percent escapes,
separators, a country code, and the digit for an outside line where the caller's peer has one.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from enum import Enum
from functools import lru_cache
from urllib.parse import unquote


class ServiceClass(Enum):
    """Why a call to a service is never blocked and never charged."""

    #: Location, alert and priority as well.
    EMERGENCY = "Emergency"
    #: Public lines that are no emergency service; they never take an emergency route.
    EXEMPT = "Exempt"


@dataclass(frozen=True, slots=True)
class DialledService:
    """One row: `code` in digits, where a lower-case x stands for any digit."""

    code: str
    service_class: ServiceClass
    name: str
    #: No configuration takes these out: the product promises them in every state.
    required: bool = False


@dataclass(frozen=True, slots=True)
class DialledMatch:
    """What somebody dialled, understood. `number` is what a carrier is sent: the code in digits,
    behind the text relay's prefix where one was dialled.
    """

    service: DialledService
    number: str

    @property
    def is_emergency(self) -> bool:
        return self.service.service_class is ServiceClass.EMERGENCY


@dataclass(frozen=True, slots=True, eq=False)  # By identity: it is a key on each call's path.
class DialledServices:
    """The services of one country. `urn_code` is dialled for `urn:service:sos` (RFC 5031);
    `relay_prefixes` come before a number to reach it by text.
    """

    country: str
    calling_code: str
    as_of: str
    source: str
    urn_code: str
    relay_prefixes: tuple[str, ...]
    services: tuple[DialledService, ...]

    def match(self, dialled: str, *, outside_line: str = "") -> DialledMatch | None:
        """The service that was dialled, or None. `dialled` is a Request-URI or its user part;
        `outside_line` is what callers of this peer dial to get out. Never raises for `dialled`.

        >>> GB.match("sip:9-9-9@pbx.example").number
        '999'
        >>> GB.match("9112", outside_line="9").number
        '112'
        >>> GB.match("9112") is None
        True
        """
        if _URN.fullmatch(dialled):
            return DialledMatch(self.service_of(self.urn_code), self.urn_code)
        found = _compiled(self, outside_line).fullmatch(digits_of(dialled))
        return DialledMatch(self.service_of(found[4]), found[2]) if found else None

    def service_of(self, code: str) -> DialledService:
        """The row that covers a bare code. Raises ValueError for what is no service."""
        for service in self.services:
            if re.fullmatch(_code_pattern(service.code), code):
                return service
        raise ValueError(f"{code!r} is no emergency or exempt service of {self.country}")

    def without(self, codes: Collection[str]) -> DialledServices:
        """The table less some rows. Raises ValueError for a required or an unknown code."""
        known = {service.code: service for service in self.services}
        unknown = sorted(set(codes) - set(known))
        if unknown:
            raise ValueError(f"no such service: {', '.join(unknown)}")
        required = sorted(code for code in codes if known[code].required)
        if required:
            raise ValueError(f"{', '.join(required)} must stay reachable and cannot be taken out")
        kept = tuple(service for service in self.services if service.code not in codes)
        return replace(self, services=kept)

    def pattern(self, service_class: ServiceClass, *, outside_line: str = "") -> str:
        """What `digits_of` a dialled form must match to be of that class, anchored, as a POSIX
        extended expression that means the same to Python. The second group is the number.
        """
        codes = [row.code for row in self.services if row.service_class is service_class]
        return f"^{_expression(self, codes, outside_line)}$"

    def relayed(self, dialled: str) -> str | None:
        """The number behind a text relay's prefix, as it was dialled, or None without a prefix.

        The call is routed as dialled and rated as this number. A service behind a prefix is that
        service, and `match` finds it.

        >>> GB.relayed("18001 020 7946 0001")
        '02079460001'
        """
        found = re.fullmatch(
            f"{_before(self, '')}({'|'.join(self.relay_prefixes)})([+]?[0-9]{{3,}})",
            digits_of(dialled),
        )
        return found[3] if found else None


#: What people may dial to get an outside line; empty where they dial nothing.
OUTSIDE_LINE = re.compile(r"[0-9]{0,3}")

#: Written between digits for the eye (RFC 3966, visual separators, and blanks).
SEPARATORS = "-. ()"

_URN = re.compile(r"urn:service:sos(\.[a-z0-9-]+)*", re.IGNORECASE)
_SCHEME = re.compile(r"(sips?|tel):", re.IGNORECASE)
# What carries nothing that could be taken off, as most numbers do by the time they are rated.
_PLAIN = re.compile(r"[+]?[0-9]+")
_NO_SEPARATORS = str.maketrans("", "", SEPARATORS)


def digits_of(dialled: str) -> str:
    """What was dialled without scheme, host, password, parameters, escapes and separators.

    >>> digits_of("sip:%2B44-20-7946-0001;phone-context=x@sbc.example;user=phone")
    '+442079460001'
    """
    if _PLAIN.fullmatch(dialled):
        return dialled
    user = _SCHEME.sub("", dialled, count=1) if _SCHEME.match(dialled) else dialled
    user = user.partition("@")[0].partition(";")[0].partition(":")[0]
    # Bytes that are no text stay what no pattern matches.
    return unquote(user, errors="replace").translate(_NO_SEPARATORS)


def _expression(table: DialledServices, codes: Collection[str], outside_line: str) -> str:
    """Groups: what stands before, the number, the relay's prefix, the code."""
    relay = f"({'|'.join(table.relay_prefixes)})?"
    # The key that ends dialling on many phones may be sent along.
    return (
        f"{_before(table, outside_line)}"
        f"({relay}({'|'.join(_code_pattern(code) for code in codes)}))#?"
    )


def _before(table: DialledServices, outside_line: str) -> str:
    """A group in its own right, without `?:`, which POSIX expressions do not have."""
    if not OUTSIDE_LINE.fullmatch(outside_line):
        raise ValueError(f"{outside_line!r} is no outside line: at most three digits")
    forms = ["[+]", f"[+]{table.calling_code}", f"00{table.calling_code}"]
    if outside_line:
        forms += [outside_line, *(outside_line + form for form in forms)]
    return f"({'|'.join(forms)})?"


def _code_pattern(code: str) -> str:
    return code.replace("x", "[0-9]")


@lru_cache(maxsize=256)
def _compiled(table: DialledServices, outside_line: str) -> re.Pattern[str]:
    return re.compile(_expression(table, [row.code for row in table.services], outside_line))


def _emergency(code: str, name: str) -> DialledService:
    return DialledService(code, ServiceClass.EMERGENCY, name, required=True)


def _exempt(code: str, name: str, *, required: bool = False) -> DialledService:
    return DialledService(code, ServiceClass.EXEMPT, name, required=required)


GB = DialledServices(
    country="GB",
    calling_code="44",
    as_of="2026-11",
    source="Ofcom, National Telephone Numbering Plan and General Condition A3 (summary)",
    urn_code="999",
    relay_prefixes=("18001", "18002"),
    services=(
        _emergency("999", "emergency services"),
        _emergency("112", "emergency services, European number"),
        _emergency("18000", "emergency services by text relay"),
        _exempt("111", "health advice, not for emergencies", required=True),
        _exempt("101", "police, not for emergencies", required=True),
        _exempt("105", "power cuts"),
        _exempt("116xxx", "harmonised services of social value"),
        _exempt("119", "public health line"),
        _exempt("159", "bank fraud line"),
    ),
)

TABLES = {table.country: table for table in (GB,)}
