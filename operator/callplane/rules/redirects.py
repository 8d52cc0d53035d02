"""Rules on calls that go elsewhere while a number rests."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from callplane.apis.model import Resource
from callplane.apis.number_ranges import FOREIGN_ROUTES, NumberRange, Redirect
from callplane.apis.pbx_trunks import PbxTrunk
from callplane.apis.phone_numbers import PhoneNumber
from callplane.apis.service_lines import ServiceLine
from callplane.apis.sip_phones import SipPhone
from callplane.apis.teams_users import TeamsUser
from callplane.apis.webex_users import WebexUser
from callplane.rules.findings import Finding, Rule, Severity, label
from callplane.values import E164

REDIRECT_OUTSIDE = Rule(
    "redirect-outside-range",
    ("NumberRange",),
    "A range redirects numbers of its own.",
)
REDIRECT_ROUND = Rule(
    "redirect-goes-round",
    ("NumberRange", "PhoneNumber"),
    "Calls go to a number that is not itself redirected.",
)
REDIRECT_OF_USED = Rule(
    "redirect-of-used-number",
    ("NumberRange", "PhoneNumber"),
    "A number that somebody has is answered by them.",
)
REDIRECT_UNSUPPORTED = Rule(
    "redirect-unsupported",
    ("NumberRange", "PhoneNumber"),
    "Calls of numbers that do not cross our SBC cannot be redirected there.",
    Severity.WARNING,
)

RULES = (REDIRECT_OUTSIDE, REDIRECT_ROUND, REDIRECT_OF_USED, REDIRECT_UNSUPPORTED)


def of(source: NumberRange | PhoneNumber) -> dict[E164, tuple[str, Redirect]]:
    """Redirects by number, each with its field."""
    if isinstance(source, PhoneNumber):
        redirect = source.spec.interim_redirect
        if redirect is None:
            return {}
        return {E164(source.spec.e164): ("spec.interimRedirect", redirect)}
    return {
        E164(entry.number): (f"spec.interimRedirects[{index}]", entry)
        for index, entry in enumerate(source.spec.interim_redirects)
    }


def check_one(source: NumberRange | PhoneNumber) -> Iterator[Finding]:
    """What one object shows by itself."""
    found = of(source)
    for number, (path, redirect) in found.items():
        if isinstance(source, NumberRange) and not any(
            number in span for span in source.spec.spans
        ):
            message = f"{number.masked} is not in the range"
            yield REDIRECT_OUTSIDE.finding(source, f"{path}.number", message)
        to = E164(redirect.to)
        if to in found:
            message = f"{to.masked} is redirected itself"
            yield REDIRECT_ROUND.finding(source, f"{path}.to", message)
        if source.spec.route in FOREIGN_ROUTES:
            message = f"calls of route {source.spec.route.value} do not cross our SBC"
            yield REDIRECT_UNSUPPORTED.finding(source, path, message)


def check(resources: Iterable[Resource]) -> Iterator[Finding]:
    """What objects show together: numbers that others state or redirect."""
    everything = list(resources)
    sources = [one for one in everything if isinstance(one, NumberRange | PhoneNumber)]
    numbers = stated(everything)
    redirected = {number: source for source in sources for number in of(source)}
    for source in sources:
        for number, (path, redirect) in of(source).items():
            if (holder := numbers.get(number)) is not None:
                message = f"{number.masked} is stated by {label(holder)}"
                yield REDIRECT_OF_USED.finding(source, path, message)
            other = redirected.get(E164(redirect.to))
            if other is not None and other is not source:
                message = f"{E164(redirect.to).masked} is redirected in {label(other)}"
                yield REDIRECT_ROUND.finding(source, f"{path}.to", message)


def stated(resources: Sequence[Resource]) -> Mapping[E164, Resource]:
    """Who states each number: by the number, or by the name of its PhoneNumber."""
    phones = {
        (one.namespace, one.name): one.spec.e164
        for one in resources
        if isinstance(one, PhoneNumber)
    }
    found: dict[E164, Resource] = {}
    for resource in resources:
        if isinstance(resource, PbxTrunk):
            for text in resource.spec.numbers:
                found.setdefault(E164(text), resource)
        elif isinstance(resource, TeamsUser | WebexUser | SipPhone | ServiceLine):
            source = resource.spec.phone_number
            if source is None:
                continue
            stated_text = source.e164
            if (named := source.phone_number_ref) is not None:
                stated_text = phones.get((named.namespace or resource.namespace, named.name))
            if stated_text is not None:
                found.setdefault(E164(stated_text), resource)
    return found
