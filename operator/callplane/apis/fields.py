"""Scalar types with their bounds, used by every kind; each has the wording its refusal uses.

Everything is bounded, since the API server prices CEL rules by the longest value a field may have.
"""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Any

from pydantic import AwareDatetime, BeforeValidator, StrictBool, StrictInt, StringConstraints

GUID_PATTERN = "^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$"
E164_PATTERN = "^[+][1-9][0-9]{6,14}$"
DURATION_PATTERN = "^([0-9]+([.][0-9]+)?(ms|s|m|h))+$"
DNS_LABEL_PATTERN = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
DNS_NAME_PATTERN = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"
COUNTRY_PATTERN = "^[A-Z]{2}$"
USER_NAME_PATTERN = "^[^@\\s]+@[^@\\s]+$"
UPN_SUFFIX_PATTERN = "^@?[A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?$"
URL_PATTERN = "^(https://[^\\s/]+|http://(localhost|127[.]0[.]0[.]1|\\[::1\\])(:[0-9]+)?)(/\\S*)?$"
HEX64_PATTERN = "^[0-9a-f]{64}$"
DIGEST_PATTERN = "^cp1:[0-9a-f]{64}$"
POLICY_TYPE_PATTERN = "^[A-Za-z][A-Za-z0-9]*$"
TOKEN_FILE_PATTERN = "^(/[A-Za-z0-9_-][A-Za-z0-9._-]*)+$"
SECRET_KEY_PATTERN = "^[-._a-zA-Z0-9]+$"
SIP_DOMAIN_PATTERN = "^[a-z0-9]([a-z0-9-]*[a-z0-9])?([.][a-z0-9]([a-z0-9-]*[a-z0-9])?)+$"
SIP_NAME_PATTERN = "^[A-Za-z][A-Za-z0-9_-]{0,31}$"
OUTSIDE_LINE_PATTERN = "^[0-9]{0,3}$"
_OCTET = "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
SIP_SOCKET_PATTERN = f"^({_OCTET}[.]){{3}}{_OCTET}:[1-9][0-9]{{0,4}}$"
NETWORK_PATTERN = f"^({_OCTET}[.]){{3}}{_OCTET}/(3[0-2]|[12]?[0-9])$"
SIP_URI_PATTERN = (
    f"^sip:[A-Za-z0-9][A-Za-z0-9._+-]{{0,63}}@({_OCTET}[.]){{3}}{_OCTET}(:[1-9][0-9]{{0,4}})?$"
)
EXTENSION_PATTERN = "^[0-9]{2,10}$"
WEBEX_ID_PATTERN = "^[A-Za-z0-9+/_=-]+$"
PERCENT_PATTERN = "^[0-9]{1,2}([.][0-9]{1,2})?$"
TIME_ZONE_PATTERN = "^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*$"
PREFIX_PATTERN = "^[0-9]{1,15}$"
CLOCK_PATTERN = "^([01][0-9]|2[0-4]):[0-5][0-9]$"
TAG_KEY_PATTERN = "^[A-Za-z0-9]([-A-Za-z0-9_./]*[A-Za-z0-9])?$"
AMOUNT_PATTERN = "^[0-9]{1,9}([.][0-9]{1,6})?$"
CURRENCY_PATTERN = "^[A-Z]{3}$"
ACCOUNT_PATTERN = "^[A-Za-z0-9][-A-Za-z0-9_.]*$"
SIP_ENDPOINT_PATTERN = "^[A-Za-z0-9%._+-]+(@[A-Za-z0-9._-]+)?(:[0-9]{1,5})?(;[A-Za-z0-9=;_-]+)?$"

#: What a refused value should have looked like, by the pattern it failed.
PATTERN_HINTS = {
    GUID_PATTERN: "must be a GUID, like 3fa85f64-5717-4562-b3fc-2c963f66afa6",
    E164_PATTERN: "must be a number in E.164 form: a plus and 7 to 15 digits, like +442079460001",
    DURATION_PATTERN: "must be a duration, like 5s, 10m or 24h",
    DNS_LABEL_PATTERN: "must be a DNS label: lower-case letters, digits and dashes",
    DNS_NAME_PATTERN: "must be a DNS name: lower-case letters, digits, dashes and dots",
    COUNTRY_PATTERN: "must be a country code of two capital letters, like GB",
    USER_NAME_PATTERN: "must be a user principal name, like anna@example.com",
    UPN_SUFFIX_PATTERN: "must be a domain, like example.com",
    URL_PATTERN: "must be an https address (http only on this machine's loopback)",
    HEX64_PATTERN: "must be 64 lower-case hexadecimal digits",
    PERCENT_PATTERN: "must be a percentage in quotes, like 20 or 17.5",
    TIME_ZONE_PATTERN: "must be a time zone, like Europe/London",
    PREFIX_PATTERN: "must be a prefix of 1 to 15 digits without plus, like 4420",
    CLOCK_PATTERN: "must be a time of the day, like 19:00",
    DIGEST_PATTERN: "must be a plan digest: cp1: and 64 lower-case hexadecimal digits",
    POLICY_TYPE_PATTERN: "must be a policy type of letters and digits, like TeamsCallingPolicy",
    TOKEN_FILE_PATTERN: "must be an absolute path without hidden or parent folders",
    AMOUNT_PATTERN: "must be an amount of money in quotes, like '12.50'",
    CURRENCY_PATTERN: "must be a currency code of three capital letters, like GBP",
    ACCOUNT_PATTERN: "must be an account id: letters, digits, dash, dot, underscore",
    SIP_ENDPOINT_PATTERN: "must be a SIP address without scheme, like %e164@sbc1.example.com:5061",
    SIP_DOMAIN_PATTERN: "must be a domain in lower case, like sip.example.com",
    SIP_NAME_PATTERN: "must be a letter and up to 31 more letters, digits, - or _",
    OUTSIDE_LINE_PATTERN: "must be at most three digits, in quotes",
    SIP_SOCKET_PATTERN: "must be an IPv4 address and a port, like 192.0.2.65:5060",
    NETWORK_PATTERN: "must be an IPv4 network, like 192.0.2.65/32",
    SIP_URI_PATTERN: (
        "must be a SIP address at an IPv4 address, like sip:desk@192.0.2.65:5060; the SBC resolves "
        "no names"
    ),
    SECRET_KEY_PATTERN: "must be a key of a Secret: letters, digits, dash, dot, underscore",
    EXTENSION_PATTERN: "must be two to ten digits in quotes",
    WEBEX_ID_PATTERN: "must be an id as the Webex API shows it",
}

Guid = Annotated[str, StringConstraints(pattern=GUID_PATTERN, max_length=36)]
E164Text = Annotated[str, StringConstraints(pattern=E164_PATTERN, max_length=16)]
DurationText = Annotated[str, StringConstraints(pattern=DURATION_PATTERN, max_length=32)]
DnsLabel = Annotated[str, StringConstraints(pattern=DNS_LABEL_PATTERN, max_length=63)]
DnsName = Annotated[str, StringConstraints(pattern=DNS_NAME_PATTERN, max_length=253)]
Country = Annotated[str, StringConstraints(pattern=COUNTRY_PATTERN, max_length=2)]
UserName = Annotated[str, StringConstraints(pattern=USER_NAME_PATTERN, max_length=256)]
UpnSuffix = Annotated[str, StringConstraints(pattern=UPN_SUFFIX_PATTERN, max_length=253)]
Url = Annotated[str, StringConstraints(pattern=URL_PATTERN, max_length=512)]
Hex64 = Annotated[str, StringConstraints(pattern=HEX64_PATTERN, max_length=64)]
Digest = Annotated[str, StringConstraints(pattern=DIGEST_PATTERN, max_length=68)]
PolicyType = Annotated[str, StringConstraints(pattern=POLICY_TYPE_PATTERN, max_length=64)]
PolicyName = Annotated[str, StringConstraints(max_length=128)]
TokenFile = Annotated[str, StringConstraints(pattern=TOKEN_FILE_PATTERN, max_length=256)]
SecretKey = Annotated[
    str, StringConstraints(pattern=SECRET_KEY_PATTERN, min_length=1, max_length=253)
]
Amount = Annotated[str, StringConstraints(pattern=AMOUNT_PATTERN, max_length=16)]
Currency = Annotated[str, StringConstraints(pattern=CURRENCY_PATTERN, max_length=3)]
AccountId = Annotated[str, StringConstraints(pattern=ACCOUNT_PATTERN, max_length=64)]
SipEndpoint = Annotated[str, StringConstraints(pattern=SIP_ENDPOINT_PATTERN, max_length=256)]
SipDomain = Annotated[str, StringConstraints(pattern=SIP_DOMAIN_PATTERN, max_length=63)]
SipName = Annotated[str, StringConstraints(pattern=SIP_NAME_PATTERN, max_length=32)]
OutsideLine = Annotated[str, StringConstraints(pattern=OUTSIDE_LINE_PATTERN, max_length=3)]
SipSocket = Annotated[str, StringConstraints(pattern=SIP_SOCKET_PATTERN, max_length=21)]
Network = Annotated[str, StringConstraints(pattern=NETWORK_PATTERN, max_length=18)]
SipUri = Annotated[str, StringConstraints(pattern=SIP_URI_PATTERN, max_length=128)]
Extension = Annotated[str, StringConstraints(pattern=EXTENSION_PATTERN, max_length=10)]
WebexId = Annotated[str, StringConstraints(pattern=WEBEX_ID_PATTERN, max_length=256)]
Percent = Annotated[str, StringConstraints(pattern=PERCENT_PATTERN, max_length=5)]
TimeZone = Annotated[str, StringConstraints(pattern=TIME_ZONE_PATTERN, max_length=64)]
PrefixDigits = Annotated[str, StringConstraints(pattern=PREFIX_PATTERN, max_length=15)]
ClockTime = Annotated[str, StringConstraints(pattern=CLOCK_PATTERN, max_length=5)]
TagKey = Annotated[str, StringConstraints(max_length=253)]
TagValue = Annotated[str, StringConstraints(max_length=256)]
Text64 = Annotated[str, StringConstraints(max_length=64)]
Text256 = Annotated[str, StringConstraints(max_length=256)]
Text1024 = Annotated[str, StringConstraints(max_length=1024)]


def _text_only(value: object) -> object:
    """Numbers would pass as seconds since 1970; a manifest never means that."""
    if isinstance(value, int | float):
        raise ValueError("must be text in quotes")
    return value


Flag = StrictBool
Count = StrictInt
Timestamp = Annotated[AwareDatetime, BeforeValidator(_text_only)]
Day = Annotated[date, BeforeValidator(_text_only)]

LIST_SET: dict[str, Any] = {"x-kubernetes-list-type": "set"}

_DURATION_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def list_map(*keys: str) -> dict[str, Any]:
    """The schema extension of a list whose entries are told apart by `keys`."""
    return {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": list(keys)}


def duration_seconds(text: str) -> float:
    """Seconds in a duration such as `90s` or `1h30m`. Raises ValueError for another form."""
    if not re.fullmatch(DURATION_PATTERN, text):
        raise ValueError(f"{text!r} {PATTERN_HINTS[DURATION_PATTERN]}")
    return sum(float(count) * _SECONDS[unit] for count, unit in _DURATION_PART.findall(text))
