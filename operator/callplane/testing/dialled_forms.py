"""The one corpus of dialled forms: each runs through the matcher in Python and through a real SBC.

A form is what a phone, a PBX or a platform may put into the Request-URI. `code` is the number that
must reach a carrier, or None where the form is no emergency or exempt service, however much it
looks like one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from callplane.numbering import dialled_services
from callplane.numbering.dialled_services import ServiceClass

TABLE = dialled_services.GB


@dataclass(frozen=True, slots=True)
class Form:
    """`dialled` is the user part of a SIP address, or a whole tel: or urn: address."""

    dialled: str
    code: str | None
    outside_line: str = ""

    @property
    def service_class(self) -> ServiceClass | None:
        """The class of the service behind the code."""
        if self.code is None:
            return None
        for prefix in TABLE.relay_prefixes:
            if self.code.startswith(prefix):
                return TABLE.service_of(self.code.removeprefix(prefix)).service_class
        return TABLE.service_of(self.code).service_class

    def request_uri(self, host: str) -> str:
        """The first line's address when this is dialled at a host."""
        if self.dialled.lower().startswith(("tel:", "urn:")):
            return self.dialled
        return f"sip:{self.dialled}@{host}"

    def __str__(self) -> str:
        line = f" behind {self.outside_line}" if self.outside_line else ""
        return f"{self.dialled}{line}"


#: A code of every row; 116xxx by those that Ofcom lists.
CODES = (
    *(row.code for row in TABLE.services if "x" not in row.code),
    *("116000", "116006", "116111", "116117", "116123"),
)


def _plain() -> Iterator[Form]:
    for code in CODES:
        separated = "-".join(code)
        escaped = "".join(f"%{ord(digit):02X}" for digit in code)
        for dialled in (
            code,
            f"+{code}",
            f"+44{code}",
            f"0044{code}",
            f"tel:{code}",
            f"tel:+44{code}",
            f"TEL:{code}",
            f"tel:{code};phone-context=+44",
            f"{code};phone-context=pbx.example",
            f"{code}:password",
            f"{code}%23",
            separated,
            separated.replace("-", "."),
            separated.replace("-", "%20"),
            f"+44-{separated}",
            f"({code})",
            escaped,
            f"%2B44{code}",
            f"%2b44{code}",
            f"{code[0]}{escaped[3:]}",
        ):
            yield Form(dialled, code)
        for prefix in TABLE.relay_prefixes:
            yield Form(f"{prefix}{code}", f"{prefix}{code}")


def _behind_an_outside_line() -> Iterator[Form]:
    for line in ("9", "0", "81"):
        for code in CODES:
            yield Form(f"{line}{code}", code, line)
            yield Form(f"{line}-{'-'.join(code)}", code, line)
            yield Form(f"{line}0044{code}", code, line)
            # Whoever forgets it, and whoever does not need it, gets through as well.
            yield Form(code, code, line)
            yield Form(f"+44{code}", code, line)


#: Every way to reach an emergency or exempt service.
SERVED: tuple[Form, ...] = (
    *_plain(),
    *_behind_an_outside_line(),
    *(
        Form(urn, TABLE.urn_code)
        for urn in (
            "urn:service:sos",
            "urn:service:sos.police",
            "urn:service:sos.fire",
            "urn:service:sos.ambulance",
            "urn:service:sos.animal-control",
            "URN:Service:SOS",
        )
    ),
)

#: What looks like a service and is none.
NEAR_MISSES: tuple[Form, ...] = (
    *(
        Form(dialled, None)
        for dialled in (
            "1010",
            "9991",
            "1121",
            "1112",
            "0999",
            "0112",
            "00999",
            "9999",
            "9112",
            "99",
            "9",
            "11",
            "1011",
            "1590",
            "1190",
            "1050",
            "44999",
            "044999",
            "180009",
            "18001",
            "18002",
            "18003",
            "1800",
            "116",
            "11612",
            "1161234",
            "0111",
            "01112",
            "01114960123",
            "+441112",
            "+449991234",
            "00449991234",
            "+44999+44999",
            "++999",
            "+4499",
            "+4409991",
            "+440999",
            "999999",
            "999*",
            "*999",
            "%23999",
            "999%23%23",
            "999%00",
            "%2539%2539%2539",
            "999x",
            "x999",
            "999%2C9",
            "9.9.9.1",
            "tel:9991",
            "tel:+449991234",
            "18001+442079460123",
            "1800102079460123",
            "1800202079460123",
            "180011010",
            "+442079460999",
            "02079460112",
            "+441614960101",
            "urn:service:test.sos",
            "urn:service:sosx",
            "urn:service:counseling",
            "urn:service:sos.",
            "urn:nena:sos",
            "sos",
            "emergency",
        )
    ),
    Form("99999", None, "9"),
    Form("91010", None, "9"),
    Form("99991", None, "9"),
    Form("0999", None, "9"),
    Form("9999", None, "0"),
    Form("00999", None, "0"),
    Form("8999", None, "81"),
)

ALL: tuple[Form, ...] = SERVED + NEAR_MISSES
