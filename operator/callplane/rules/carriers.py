"""Rules on carriers and on numbers that come from them or go back to them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from callplane.apis.carriers import Carrier, CarrierType
from callplane.apis.model import Resource
from callplane.apis.phone_numbers import Acquisition, PhoneNumber, ReleasePolicy
from callplane.rules.findings import Finding, Rule, Severity, label, precedence

ACCOUNT_DECLARED_TWICE = Rule(
    "carrier-declared-twice",
    ("Carrier",),
    "One account has one Carrier; two would work against each other.",
)
TRUNK_WITHOUT_ENDPOINTS = Rule(
    "trunk-without-endpoints",
    ("Carrier",),
    "Simwood routes each number to SIP addresses, so a trunk needs endpoints.",
)
CANNOT_BE_ASKED = Rule(
    "carrier-cannot-be-asked",
    ("PhoneNumber",),
    "A carrier of one's own cannot be asked for orders, ports and releases.",
)
PURCHASING_OFF = Rule(
    "purchasing-off",
    ("PhoneNumber",),
    "Orders and ports cost money, and the Carrier that is named does not buy.",
    Severity.WARNING,
)
PORT_INCOMPLETE = Rule(
    "port-incomplete",
    ("PhoneNumber",),
    "The losing carrier wants to know the account and postcode; for a mobile, the porting code.",
    Severity.WARNING,
)
RELEASE_WITHOUT_CARRIER = Rule(
    "release-without-carrier",
    ("PhoneNumber",),
    "A number is given back to a carrier, and carrierRef names none.",
    Severity.WARNING,
)

RULES = (
    ACCOUNT_DECLARED_TWICE,
    TRUNK_WITHOUT_ENDPOINTS,
    CANNOT_BE_ASKED,
    PURCHASING_OFF,
    PORT_INCOMPLETE,
    RELEASE_WITHOUT_CARRIER,
)


def check_carrier(carrier: Carrier) -> Iterator[Finding]:
    """What one Carrier shows by itself."""
    spec = carrier.spec
    if spec.type is CarrierType.SIMWOOD and spec.trunk is not None and not spec.trunk.endpoints:
        message = "state at least one address, like %e164@sbc1.example.com:5061"
        yield TRUNK_WITHOUT_ENDPOINTS.finding(carrier, "spec.trunk.endpoints", message)


def check_number(phone: PhoneNumber) -> Iterator[Finding]:
    """What one PhoneNumber shows by itself."""
    spec = phone.spec
    if spec.release_policy is ReleasePolicy.RELEASE and spec.carrier_ref is None:
        message = "name the carrier that gets the number back"
        yield RELEASE_WITHOUT_CARRIER.finding(phone, "spec.carrierRef", message)
    terms = spec.port_in
    if terms is None or terms.authorisation_code_ref is not None:
        return
    missing = [name for name in ("account", "postcode") if not getattr(terms, name)]
    if missing:
        message = f"{' and '.join(missing)} of the losing carrier's record should be stated"
        yield PORT_INCOMPLETE.finding(phone, "spec.portIn", message)


def check(resources: Iterable[Resource]) -> Iterator[Finding]:
    """Carriers and numbers of a tree together."""
    everything = sorted(resources, key=precedence)
    carriers = [each for each in everything if isinstance(each, Carrier)]
    yield from _declared_twice(carriers)
    known = {(each.namespace, each.name): each for each in carriers}
    for phone in everything:
        if not isinstance(phone, PhoneNumber) or phone.spec.carrier_ref is None:
            continue
        reference = phone.spec.carrier_ref
        carrier = known.get((reference.namespace or phone.namespace, reference.name))
        if carrier is not None:
            yield from _fits(phone, carrier)


def _declared_twice(carriers: Sequence[Carrier]) -> Iterator[Finding]:
    by_account: dict[tuple[CarrierType, str], list[Carrier]] = defaultdict(list)
    for carrier in carriers:
        by_account[carrier.spec.type, carrier.spec.account].append(carrier)
    for kept, *others in by_account.values():
        for refused in others:
            message = f"is the same account as {label(kept)}"
            yield ACCOUNT_DECLARED_TWICE.finding(refused, "spec.account", message)


def _fits(phone: PhoneNumber, carrier: Carrier) -> Iterator[Finding]:
    acquires = phone.spec.acquisition is not Acquisition.OWNED
    if carrier.spec.type is CarrierType.BRING_YOUR_OWN:
        if acquires:
            message = f"{label(carrier)} cannot be asked; state Owned once the number is there"
            yield CANNOT_BE_ASKED.finding(phone, "spec.acquisition", message)
        if phone.spec.release_policy is ReleasePolicy.RELEASE:
            message = f"{label(carrier)} cannot be asked; give the number back by hand"
            yield CANNOT_BE_ASKED.finding(phone, "spec.releasePolicy", message)
    elif acquires and not carrier.spec.purchasing.enabled:
        message = f"{label(carrier)} has purchasing.enabled: false"
        yield PURCHASING_OFF.finding(phone, "spec.acquisition", message)
